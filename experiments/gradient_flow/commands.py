"""The commands: compare and others."""

import dataclasses
import datetime
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command
from experiments.memory.data import Adding
from rnn_jax.analysis.gradient_flow import draw_gradient_flow
from rnn_jax.checks import check_size
from rnn_jax.models import RecurrentConfig
from rnn_jax.models.classifier import Classifier
from rnn_jax.nnx import Recurrent, functional
from rnn_jax.train import FitConfig, Outcome, Prepared, Run, RunOptions, Task, key_for, train_experiment
from rnn_jax.train.figures import draw_curves

NAME = "gradient_flow"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RecurrentConfig, FitConfig):
    """A small network on the adding problem."""

    length: int = 200
    """T, steps of a sequence."""
    batch_size: int = 32
    """Sequences in an update."""
    hidden_size: int = 32
    dropout: float = 0.0
    steps: int = 300
    evaluate_every: int = 100
    warmup_steps: int = 20
    schedule: str = "constant"

    def __post_init__(self):
        check_size("batch_size", self.batch_size)
        super().__post_init__()


def prepare(config: Config) -> Prepared:
    """Task, model and losses of a run."""
    rngs = nnx.Rngs(params=key_for(config.seed, "init"))
    params, rebuild = functional(Classifier(Recurrent(config.stack(2), rngs=rngs), 1, pooling="last", rngs=rngs))

    def samples(purpose: str, count: int):
        key = key_for(config.seed, purpose)
        return jax.jit(lambda i: Adding().sample(jax.random.fold_in(key, i), count, config.length))

    training, validation = samples("batches", config.batch_size), samples("validation", 500)(0)

    def batch(i: int) -> dict:
        sample = training(i)
        return {"inputs": np.asarray(sample.inputs), "sums": np.asarray(sample.targets[-1])}

    def error(params, inputs, sums, key=None):
        lengths = jnp.full(sums.shape, config.length)
        return jnp.mean((rebuild(params)(inputs, lengths, key=key)[:, 0] - sums) ** 2)

    validate = jax.jit(lambda params: error(params, validation.inputs, validation.targets[-1]))

    def loss(params, carry, batch, key):
        return error(params, batch["inputs"], batch["sums"], key), (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        model = f"{config.cell} {config.layers} x {config.hidden_size}"
        title = f"{model}, adding problem, T = {config.length}"
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="squared error", lines={"1": 1 / 6})
        left = {}
        if flows := read_flows(run):
            draw_gradient_flow(flows, run.figures / "flow.png", title)
            left = {f"{name}, update {u}": n[0] / n.max() for name, f in flows.items() for u, n in f.items() if n.max()}
        print(f"\n{title}: squared error {outcome.progress.best:.4f} (always to say 1: 0.1667)")
        print("".join(f"  {share:8.1e}  of dL/dh is left at the first step: {what}\n" for what, share in left.items()))
        return {"model": model, "metric": "squared error", "value": outcome.progress.best, "higher_is_better": False,
                "baseline": {"always 1": 1 / 6}, "published": [], "scores": left}  # fmt: skip

    def evaluate(params) -> dict[str, float]:
        return {"validation_loss": float(validate(params))}

    return Prepared(Task(params, loss, batch, {"inputs": 1, "sums": 0}, evaluate), finish, data={})


def read_flows(run: Run) -> dict[str, dict[int, np.ndarray]]:
    """Cell -> update -> norm of dL/dh at every step, from what the diagnosis of a run says."""
    records = run.read_json("diagnosis.json")["records"] if (run.path / "diagnosis.json").exists() else []
    names = list(records[0]["flow"]) if records else []
    return {name: {r["step"]: np.array(r["flow"][name], float) for r in records} for name in names}


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train one network and follow its gradients."""
    return train_experiment(NAME, config, dataclasses.replace(options, diagnose=True), prepare)


def compare(
    config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions(), cells: str = "elman,lstm,gru,lru"  # noqa: B008
) -> int:  # fmt: skip
    """Train one network for each of some cells, with commas between them, and draw their gradients side by side."""
    configs = [dataclasses.replace(config, cell=cell) for cell in cells.split(",")]
    name = options.name or datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    names = [f"{name}-{config.cell.replace(':', '.')}" for config in configs]
    for config, own in zip(configs, names, strict=True):
        if code := train(config, dataclasses.replace(options, name=own)):
            return code
    folder = options.runs / NAME
    draw([folder / own for own in names], folder / names[0] / "figures" / "compared.png")
    return 0


def draw(runs: Positional[list[Path]], out: Path = Path("gradient_flow.png")) -> None:
    """Draw the gradients of several runs side by side."""
    opened = [open_run(path, Config) for path in runs]
    flows, lengths = {}, sorted({config.length for _, config in opened})
    for run, config in opened:
        flows |= {f"{config.cell}{name[1:] * (config.layers > 1)}": f for name, f in read_flows(run).items()}
    if not flows:
        raise ValueError(f"runs={[str(path) for path in runs]}: expected runs with a diagnosis.json")
    draw_gradient_flow(flows, out, f"adding problem, T = {', '.join(map(str, lengths))}: does the gradient reach back?")
    print(f"figure: {out}")


resume = resume_command(train, Config)

"""Train small networks, and draw how much of the gradient reaches back, before training and along it."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.cli import Flags, RunPaths
from experiments.common.synthetic import Adding
from experiments.gradient_flow.config import Config
from experiments.registry import load_experiment
from rnn_jax.analysis.gradient_flow import draw_gradient_flow
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, RunOptions, Task, Trained, key_for, replace_fields, train_experiment
from rnn_jax.train.figures import draw_curves
from rnn_jax.train.writer import claimed, default_name


def prepare(config: Config) -> Prepared:
    """Task, model and losses of a run."""
    seed = config.fit.seed
    params, rebuild = functional(config.network(key_for(seed, "init")))

    def samples(purpose: str, count: int):
        key = key_for(seed, purpose)
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
        title = f"{config.summary}, adding problem, T = {config.length}"
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="squared error", lines={"1": 1 / 6})
        shares = {}
        if flows := read_flows(run):
            draw_gradient_flow(flows, run.figures / "flow.png", title)
            shares = {
                f"{layer}, update {update}": norms[0] / norms.max()
                for layer, flow in flows.items()
                for update, norms in flow.items()
                if norms.max()
            }
        print(f"\n{title}: squared error {outcome.progress.best:.4f} (always to say 1: 0.1667)")
        print("".join(f"  {share:8.1e}  of dL/dh is left at the first step: {at}\n" for at, share in shares.items()))
        return {"model": config.summary, "metric": "squared error", "value": outcome.progress.best,
                "higher_is_better": False, "baseline": {"always 1": 1 / 6}, "published": [],
                "scores": shares}  # fmt: skip

    def evaluate(params) -> dict[str, float]:
        return {"validation_loss": float(validate(params))}

    return Prepared(Task(params, loss, batch, {"inputs": 1, "sums": 0}, evaluate), finish, data={})


def restore(run: Run, config: Config) -> Trained:
    """The best model of a run."""
    return Trained.best(run, config, *functional(config.network(key_for(config.fit.seed, "init"))))


def read_flows(run: Run) -> dict[str, dict[int, np.ndarray]]:
    """Layer -> update -> norm of dL/dh at every step, from the diagnosis of a run."""
    records = run.read_json("diagnosis.json")["records"] if (run.path / "diagnosis.json").exists() else []
    layers = list(records[0]["flow"]) if records else []
    return {layer: {r["step"]: np.array(r["flow"][layer], float) for r in records} for layer in layers}


def train(config: Config, options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train one network and follow its gradients."""
    return train_experiment(load_experiment("gradient_flow"), config, dataclasses.replace(options, diagnose=True))


def compare(
    config: Config, options: Flags[RunOptions] = RunOptions(), cells: str = "elman,lstm,gru,lru"  # noqa: B008
) -> int:  # fmt: skip
    """Train one network for each of some cells, with commas between them, and draw their gradients side by side."""
    configs = [replace_fields(config, cell=cell) for cell in cells.split(",")]
    folder = options.runs / load_experiment("gradient_flow").name
    endings, name = [f"-{config.model.cell.replace(':', '.')}" for config in configs], options.name
    if not name:
        name = claimed(folder.resolve(), default_name(), endings[0]).name.removesuffix(endings[0])
    names = [f"{name}{ending}" for ending in endings]
    for config, own in zip(configs, names, strict=True):
        if code := train(config, dataclasses.replace(options, name=own)):
            return code
    draw([folder / own for own in names], folder / names[0] / "figures" / "compared.png")
    return 0


def evaluate(trained: Trained) -> None:
    """Print the squared error of a trained network on validation sequences."""
    score = prepare(trained.config).task.evaluate(trained.params)["validation_loss"]
    print(f"squared error {score:.4f} (always to say 1: 0.1667)")


def draw(runs: RunPaths, out: Path = Path("gradient_flow.png")) -> None:
    """Draw the gradients of several runs side by side."""
    opened = [load_experiment("gradient_flow").open(path) for path in runs]
    flows, lengths = {}, sorted({config.length for _, config in opened})
    for run, config in opened:
        model = config.model
        flows |= {f"{model.cell}{layer[1:] * (model.layers > 1)}": flow for layer, flow in read_flows(run).items()}
    if not flows:
        raise ValueError(f"runs={[str(path) for path in runs]}: expected runs with a diagnosis.json")
    draw_gradient_flow(flows, out, f"adding problem, T = {', '.join(map(str, lengths))}: does the gradient reach back?")
    print(f"figure: {out}")

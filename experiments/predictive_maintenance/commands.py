"""The commands: train and others."""

import dataclasses
from pathlib import Path

import jax
from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command
from experiments.predictive_maintenance.data import (
    Engine,
    EngineScale,
    engine_digests,
    hold_out_engines,
    load_engines,
    read_engines,
)
from experiments.predictive_maintenance.figures import draw_engines, draw_last_cycles
from experiments.predictive_maintenance.model import (
    BATCH_AXES,
    EngineBatches,
    LifeSettings,
    Lives,
    cut_errors,
    engine_batch,
    life_line,
    life_scores,
    make_lives,
    ridge_errors,
    spread,
)
from rnn_jax.nnx import functional
from rnn_jax.train import FitConfig, Outcome, Prepared, Run, RunOptions, Task, best_params, key_for, train_experiment
from rnn_jax.train.figures import draw_curves

NAME = "predictive_maintenance"
PUBLISHED = {"value": 16.14, "who": "deep LSTM", "source": "Zheng et al. 2017, IEEE ICPHM"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(LifeSettings, FitConfig):
    """Which engines, and by which model."""

    data: str = ""
    """A folder of your own with train_SUBSET.txt, test_SUBSET.txt and RUL_SUBSET.txt."""
    subset: str = "FD001"
    """Which of them: FD001, FD002, FD003, FD004, or what your own are called."""
    batch_size: int = 40
    """Engines in an update."""
    hidden_size: int = 64
    dropout: float = 0.2
    steps: int = 400
    warmup_steps: int = 50
    evaluate_every: int = 50
    learning_rate: float = 5e-3
    weight_decay: float = 0.3


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    engines, test = load_engines(config.data, config.subset)
    training, validation = hold_out_engines(engines)
    scale = EngineScale.of(training)
    params, rebuild = functional(config.build_life(len(scale.sensors), key_for(config.seed, "init")))
    batches = EngineBatches(training, scale, config.cap, config.batch_size, config.seed)
    title = f"C-MAPSS {config.subset}: {config.summary}"
    held, validate = engine_batch(validation, scale, config.cap), make_lives(rebuild, validation, scale, config.cap)
    held_loss = jax.jit(lambda params: config.loss(rebuild(params), held))

    def loss(params, carry, batch, key):
        nats, count = config.loss(rebuild(params), batch, key)
        return nats / count, (carry, {})

    def evaluate(params) -> dict[str, float]:
        nats, count = held_loss(params)
        errors = cut_errors(validation, validate(params), config.cap)
        return {"validation_loss": float(nats / count), "validation_rmse": errors.rmse}

    def finish(outcome: Outcome, run: Run) -> dict:
        errors = cut_errors(validation, validate(outcome.params), config.cap)
        run.write_json("stretch.json", {"stretch": errors.stretch})
        lives = make_lives(rebuild, test, scale, config.cap, errors.stretch)(outcome.params)
        scores = life_scores(test, lives, config.cap) | {"validation rmse": errors.rmse, "stretch": errors.stretch}
        baseline = ridge_errors(training, test, scale, config.cap)
        known = [PUBLISHED] if (config.subset, config.cap, config.data) == ("FD001", 125, "") else []
        rows = {config.summary: scores["rmse"], **baseline, **{p["who"]: p["value"] for p in known}}
        for head, table in ((f"\ntest RMSE in cycles, {title}", rows), ("further scores", scores)):
            print(head, *(f"  {value:8.2f}  {name}" for name, value in table.items()), sep="\n")
        shown = spread(test, lives, config.cap)
        some, said = [test[i] for i in shown], [lives[i] for i in shown]
        text = "".join(f"{life_line(e, of, config.cap)}; true {e.left}\n" for e, of in zip(some, said, strict=True))
        run.write_text("sample.txt", text)
        print(f"\n{text}\nmore: python -m experiments.{NAME} predict {run.path} FILE")
        draw_engines(some, said, config.cap, run.figures / "engines.png", f"{title}; from the best predicted engine on")
        draw_last_cycles(test, lives, config.cap, run.figures / "test.png", title)
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="weighted nats per cycle", lines={})
        return {"model": config.summary, "metric": "RMSE, cycles", "value": scores["rmse"], "higher_is_better": False,
                "baseline": baseline, "published": known, "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, evaluate, monitor="validation_rmse"),
        finish, data=engine_digests(config.data, config.subset), files={"scale.json": scale.to_json()},
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a network that tells remaining lives, and score it on the test engines."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path, engines: list[Engine]) -> tuple[Config, list[Lives]]:
    """What the best model of a run says of engines."""
    opened, config = open_run(run, Config)
    scale = EngineScale(**opened.read_json("scale.json"))
    params, rebuild = functional(config.build_life(len(scale.sensors), key_for(config.seed, "init")))
    if not (opened.path / "stretch.json").exists():
        raise ValueError(f"run={str(run)!r} is not finished: python -m experiments.{NAME} resume {run}")
    stretch = opened.read_json("stretch.json")["stretch"]
    return config, make_lives(rebuild, engines, scale, config.cap, stretch)(best_params(params, (), config, opened))


def evaluate(run: Positional[Path], data: str = "", subset: str = "") -> None:
    """Print the scores of a trained model on its test engines, or on those of another folder or subset."""
    config = open_run(run, Config)[1]
    test = load_engines(data or config.data, subset or config.subset)[1]
    for name, value in life_scores(test, trained(run, test)[1], config.cap).items():
        print(f"{value:10.2f}  {name}")


def predict(run: Positional[Path], file: Positional[Path]) -> None:
    """Print the life that is left to each engine in a file of 26 columns such as test_FD001.txt."""
    engines = read_engines(file)
    config, lives = trained(run, engines)
    for engine, of in zip(engines, lives, strict=True):
        print(life_line(engine, of, config.cap))

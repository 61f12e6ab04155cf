"""The commands: train and others."""

import dataclasses
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro
from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command
from experiments.music_generation.composer import compose, describe_pieces, predicted, roll_baselines
from experiments.music_generation.data import BATCH_AXES, MusicSettings, load_music, music_digests
from experiments.music_generation.figures import draw_rolls
from experiments.music_generation.midi import KEYS, read_midi, write_midi
from experiments.music_generation.model import PianoRollModel, PianoRollSettings, make_roll_score, per_step, roll_nats
from rnn_jax.nnx import functional
from rnn_jax.train import FitConfig, Outcome, Prepared, Run, RunOptions, Task, best_params, key_for, train_experiment
from rnn_jax.train.figures import draw_curves
from rnn_jax.train.noise import noisy_params

NAME = "music_generation"
CHUNG = "Chung et al. 2014, arXiv:1412.3555"
BAI = "Bai et al. 2018, arXiv:1803.01271"
PUBLISHED = {
    "jsb": {
        CHUNG: {"tanh": 9.10, "LSTM": 8.67, "GRU": 8.54},
        BAI: {"RNN": 8.91, "LSTM": 8.45, "GRU": 8.43, "TCN": 8.10},
    },
    "nottingham": {
        CHUNG: {"tanh": 3.13, "LSTM": 3.20, "GRU": 3.23},
        BAI: {"RNN": 4.05, "LSTM": 3.29, "GRU": 3.46, "TCN": 3.07},
    },
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(PianoRollSettings, MusicSettings, FitConfig):
    """A model of piano rolls, the music, and what keeps the model from learning it by heart."""

    dropout: float = 0.5
    recurrent_dropout: float = 0.4
    weight_noise: float = 0.05
    averaging: float = 0.98
    steps: int = 1500
    evaluate_every: int = 100


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    parts = load_music(config.data, config.steps_per_beat)
    batches = config.batches(parts["training"], config.seed, config.steps_per_dispatch)
    params, rebuild = functional(config.build_piano_roll(key_for(config.seed, "init")))
    validate = make_roll_score(rebuild, parts["validation"])

    def loss(params, carry, batch, key):
        noise_key, key = jax.random.split(key)
        nats, count = roll_nats(rebuild(noisy_params(noise_key, params, config.weight_noise)), batch, key)
        return nats / count, (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        nats = make_roll_score(rebuild, parts["test"])(outcome.params)
        value, known = per_step(nats), PUBLISHED.get(config.data, {})
        scores = {"first steps too": per_step(nats, first=True), "validation": outcome.progress.best}
        published = [{"value": v, "who": who, "source": s} for s, rows in known.items() for who, v in rows.items()]
        baseline = roll_baselines(parts["training"], parts["test"])
        others = {f"{p['who']}, {p['source']}": p["value"] for p in published}
        rows = {"here": value, **scores, **baseline, **others}
        print(f"\n{config.data}, nats/step\n" + "\n".join(f"  {v:6.3f}  {name}" for name, v in rows.items()))
        model = rebuild(outcome.params)
        run.write_text("sample.txt", describe_pieces(model, parts["test"], nats))
        piece = parts["test"][0][:200]
        shown = {"a test piece": piece, "what was expected of each step": predicted(model, piece)}
        draw_rolls(shown, run.figures / "expected.png", steps_per_beat=config.beat)
        played = compose(model, parts["test"][0][:16], 112, key_for(config.seed, "compose"))
        title = {"16 steps of a test piece, then the model": np.concatenate([piece[:16], played])}
        draw_rolls(title, run.figures / "composed.png", steps_per_beat=config.beat, mark=16)
        draw_curves(run.records(), run.figures / "curves.png", title=config.summary, unit="nats/step", lines={})
        print(f"\nlisten: python -m experiments.{NAME} generate {run.path}")
        return {"model": config.summary, "metric": "nats/step", "value": value, "higher_is_better": False,
                "baseline": baseline, "published": published, "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, lambda params: {"validation_loss": per_step(validate(params))}),
        finish, data=music_digests(config.data),
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a model of music and score it on the test pieces."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path) -> tuple[Config, PianoRollModel]:
    """The best model of a run."""
    opened, config = open_run(run, Config)
    params, rebuild = functional(config.build_piano_roll(key_for(config.seed, "init")))
    return config, rebuild(best_params(params, (), config, opened))


def evaluate(run: Positional[Path], data: str = "", part: str = "test") -> None:
    """Print the nats per step of a trained model on a part of its music, or of another set or folder."""
    config, model = trained(run)
    params, rebuild = functional(model)
    pieces = load_music(data or config.data, config.steps_per_beat)[part]
    nats = make_roll_score(rebuild, pieces)(params)
    print(f"{per_step(nats):.4f} nats/step, {per_step(nats, first=True):.4f} with first steps, {len(pieces)} pieces")


def generate(
    run: Positional[Path], primer: str = "none", steps: int = 200, temperature: float = 1.0, seed: int = 0,
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.mid")] = Path("composed.mid"),
) -> None:  # fmt: skip
    """Write what a trained model plays, after a primer (a MIDI file) or from nothing, and a picture of it beside."""
    config, model = trained(run)
    given = np.zeros((0, KEYS), np.uint8) if primer == "none" else read_midi(primer, config.beat)
    roll = np.concatenate([given, compose(model, given, steps, key_for(seed, "compose"), temperature)])
    write_midi(out, roll, config.beat)
    draw_rolls({out.name: roll}, out.with_suffix(".png"), steps_per_beat=config.beat, mark=len(given))
    print(f"{out}, {out.with_suffix('.png')}: {len(given)} steps given, {steps} composed")

"""Train a model of music, score it beside counts and the literature, and let it play."""

from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro

from experiments.common.reading import say
from experiments.music_generation.baselines import frequency_baselines
from experiments.music_generation.config import Config
from experiments.music_generation.data import BATCH_AXES, PARTS, load_music, music_files
from experiments.music_generation.figures import draw_rolls
from experiments.music_generation.midi import PITCHES, Piece, read_piece, write_midi
from experiments.music_generation.model import roll_nll, sample_roll
from experiments.music_generation.scores import examples_text, make_step_nll, mean_nll, pitch_probabilities
from experiments.published import published
from rnn_jax.checks import check_choice
from rnn_jax.compose import noisy_params
from rnn_jax.data.sources import file_digest
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, command_on, key_for
from rnn_jax.train.figures import draw_curves


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    music, summary, seed = config.music, config.model.summary, config.fit.seed
    parts = load_music(music.data, music.steps_per_beat, skip_unreadable=music.skip_unreadable)
    sizes = ", ".join(f"{len(rolls):,} {part}" for part, rolls in parts.items())
    lengths = [len(roll) for rolls in parts.values() for roll in rolls]
    say(f"{len(lengths):,} pieces: {sizes}; {min(lengths):,} to {max(lengths):,} steps, {music.beat} in a beat")
    batches = music.batches(parts["training"], config.fit)
    params, rebuild = functional(config.model.build(key_for(seed, "init")))
    validation_nll = make_step_nll(rebuild, parts["validation"])

    def loss(params, carry, batch, key):
        noise_key, key = jax.random.split(key)
        nats, count = roll_nll(rebuild(noisy_params(noise_key, params, config.model.weight_noise)), batch, key)
        return nats / count, (carry, {})

    def evaluate(params) -> dict[str, float]:
        return {"validation_loss": mean_nll(validation_nll(params))}

    def finish(outcome: Outcome, run: Run) -> dict:
        nats = make_step_nll(rebuild, parts["test"])(outcome.params)
        joint = config.model.output == "nade"
        value, known = mean_nll(nats), published(f"music_generation/{music.data}{'-joint' * joint}")
        scores = {"first steps too": mean_nll(nats, first=True), "validation": outcome.progress.best}
        baseline = frequency_baselines(parts["training"], parts["test"])
        others = {f"{p['who']}, {p['source']}": p["value"] for p in known}
        rows = {"here": value, **scores, **baseline, **others}
        print(f"\n{music.data}, nats/step\n" + "\n".join(f"  {v:6.3f}  {name}" for name, v in rows.items()))
        model = rebuild(outcome.params)
        run.write_text("sample.txt", examples_text(model, parts["test"], nats))
        piece = parts["test"][0][:200]
        expected = "what was expected of each step" + ", given its lower pitches" * joint
        rolls = {"a test piece": piece, expected: pitch_probabilities(model, piece)}
        draw_rolls(rolls, run.figures / "expected.png", steps_per_beat=music.beat)
        sampled = sample_roll(model, parts["test"][0][:16], 112, key_for(seed, "compose"))
        rolls = {"16 steps of a test piece, then the model": np.concatenate([piece[:16], sampled])}
        draw_rolls(rolls, run.figures / "composed.png", steps_per_beat=music.beat, mark=16)
        draw_curves(run.records(), run.figures / "curves.png", title=summary, unit="nats/step", lines={})
        print(f"\nlisten: {command_on('experiments.music_generation', run, 'generate RUN')}")
        return {"model": summary, "metric": "nats/step", "value": value, "higher_is_better": False,
                "baseline": baseline, "published": known, "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, evaluate), finish,
        data={name: file_digest(path) for name, path in music_files(music.data).items()},
    )  # fmt: skip


def restore(run: Run, config: Config) -> Trained:
    """The best model of a run."""
    return Trained.best(run, config, *functional(config.model.build(key_for(config.fit.seed, "init"))))


def evaluate(trained: Trained, part: str = "test") -> None:
    """Print the nats per step of a trained model on a part of its music."""
    check_choice("part", part, PARTS)
    music = trained.config.music
    pieces = load_music(music.data, music.steps_per_beat, skip_unreadable=music.skip_unreadable)[part]
    nats = make_step_nll(trained.rebuild, pieces)(trained.params)
    print(f"{mean_nll(nats):.4f} nats/step, {mean_nll(nats, first=True):.4f} with first steps, {len(pieces)} pieces")


def generate(
    trained: Trained, primer: str = "none", steps: int = 200, temperature: float = 1.0, seed: int = 0,
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.mid")] = Path("composed.mid"),
) -> None:  # fmt: skip
    """Write what a trained model plays, after a primer (a MIDI file) or from nothing, and a figure of it beside.

    It goes on in the tempo of the primer, and has 100 beats a minute without one.
    """
    beat = trained.config.music.beat
    nothing = Piece(np.zeros((0, PITCHES), np.uint8), {0: 100.0})
    given, tempos = nothing if primer == "none" else read_piece(primer, beat)
    sampled = sample_roll(trained.model, given, steps, key_for(seed, "compose"), temperature)
    roll = np.concatenate([given, sampled])
    write_midi(out, roll, beat, tempos)
    draw_rolls({out.name: roll}, out.with_suffix(".png"), steps_per_beat=beat, mark=len(given))
    print(f"{out}, {out.with_suffix('.png')}: {len(given)} steps given, {steps} composed")

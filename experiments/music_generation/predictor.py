"""How a trained model goes on with pieces, and how well it predicts them."""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.prediction import STANDARD_INPUT, Input, Item, Predictor, Record, padded
from experiments.music_generation.data import SETS, load_music, midi_files, prepend_silence
from experiments.music_generation.midi import LOWEST_PITCH, PITCHES, chord_name, read_midi
from experiments.music_generation.model import check_drawing
from rnn_jax.data import DataError
from rnn_jax.losses import binary_cross_entropy
from rnn_jax.train import Trained, key_for


class Scored(NamedTuple):
    """A piece that is to be scored, and not gone on with."""

    roll: np.ndarray


class MusicPredictor(Predictor):
    """The chords that follow pieces, the same ones for the same piece and seed."""

    reads_folders = True

    inputs: Mapping[str, Input] = {
        "rolls": Input(f"time, batch, {PITCHES}", "uint8"), "lengths": Input("batch", "int32")
    }  # fmt: skip
    batch_size = 16

    def __init__(self, trained: Trained, steps: int = 16, temperature: float = 1.0, seed: int = 0):
        """See `sample_roll`.

        Args:
            trained: the model.
            steps: that follow each piece.
            temperature: see `sample_roll`.
            seed: of what is drawn.

        Raises:
            ValueError: an argument is out of range.
        """
        super().__init__(trained)
        check_drawing(steps, temperature)
        self.steps, self.temperature, self.key = steps, temperature, key_for(seed, "compose")
        self.beat = trained.config.music.beat
        self._compose = jax.jit(self._composed)
        self._nats = jax.jit(self._nats_of_steps)

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """A MIDI file, those in a folder and below, or the test pieces of a set of the literature."""
        if file == STANDARD_INPUT:
            roll = read_midi("standard input", self.beat, content=io.BytesIO(sys.stdin.buffer.read()))
            yield Item("standard input", self._piece(roll, labelled))
            return
        if file in SETS:
            pieces = enumerate(load_music(file)["test"], 1)
            yield from (Item(f"test piece {number}", self._piece(roll, labelled)) for number, roll in pieces)
            return
        folder = Path(file).is_dir()
        for name, path in midi_files(file).items() if folder else [(file, Path(file))]:
            try:
                yield Item(name, self._piece(read_midi(path, self.beat), labelled))
            except DataError as error:
                yield Item(name, error)

    def _piece(self, roll: np.ndarray, labelled: bool) -> Any:
        if labelled and len(roll) < 2:
            raise DataError("the piece has a single step: expected two at least, one to read and one to predict")
        return Scored(roll) if labelled else roll

    def encode(self, values: Sequence[Any]) -> dict[str, np.ndarray]:
        """Pieces after a silent step, from which the first one is predicted."""
        rolls, lengths = padded([prepend_silence(_roll(value)) for value in values])
        return {"rolls": rolls, "lengths": lengths}

    def program(self, rolls: jax.Array, lengths: jax.Array) -> jax.Array:
        """Rolls `[T, B, 88]` to logits `[T, B, 88]` of the pitches in the step after each; the last is silence."""
        return self.trained.model(jnp.concatenate([rolls, jnp.zeros_like(rolls[:1])]), lengths)

    def answer(self, values: Sequence[Any]) -> list[Record]:
        """The chords that follow; of pieces to be scored, how well they are predicted."""
        arrays = self.encode(values)
        scored = isinstance(values[0], Scored)
        composed = None if scored else np.asarray(self._compose(**arrays))
        return self.decode(values, (np.asarray(self._nats(**arrays)), composed))

    def _nats_of_steps(self, rolls: Any, lengths: Any) -> jax.Array:
        """The nats `[T - 1, B]` of all steps but the silent one."""
        rows = jax.vmap(jax.vmap(lambda logits, step: binary_cross_entropy(logits[None], step[None])[0]))
        return rows(self.program(rolls, lengths)[:-1], rolls[1:])

    def _composed(self, rolls: Any, lengths: Any) -> jax.Array:
        """What follows each piece, `[N, B, 88]`; step i is drawn by key i."""
        model, count = self.trained.model, rolls.shape[0] + self.steps

        def of_one(roll: jax.Array, length: jax.Array) -> jax.Array:
            def advance(state: Any, inputs: Any) -> tuple[Any, jax.Array]:
                carry, y = state
                t, known = inputs
                key = jax.random.fold_in(self.key, jnp.maximum(t - length, 0))
                pitches = jnp.where(t < length, known[None] > 0, model.draw(key, y, self.temperature))
                return model.step(carry, pitches), pitches[0]

            start = model.initial_carry(count), model.silence()
            given = jnp.concatenate([roll, jnp.zeros((self.steps, PITCHES), roll.dtype)])
            _, whole = jax.lax.scan(advance, start, (jnp.arange(count), given))
            return jax.lax.dynamic_slice_in_dim(whole, length, self.steps)

        return jax.vmap(of_one, in_axes=(1, 0), out_axes=1)(jnp.asarray(rolls), jnp.asarray(lengths))

    def decode(self, values: Sequence[Any], outputs: Any) -> list[Record]:
        """Nats and rolls to records."""
        nats, composed = outputs
        records = []
        for k, value in enumerate(values):
            steps = nats[: len(_roll(value)), k].astype(np.float64)
            chords = {} if composed is None else {"chords": " | ".join(map(chord_name, composed[:, k]))}
            mean = float(steps[1:].mean()) if len(steps) > 1 else None
            given = {"nats/step": mean, "nats of the first step": float(steps[0]), "steps": len(steps)}
            records.append(chords | {f"{name} of the piece" if chords else name: n for name, n in given.items()})
        return records

    def measures(self, labels: Sequence[Any], records: Sequence[Record]) -> dict[str, Any]:
        """Nats per step of all pieces together, without and with the first step of each."""
        counts = np.array([record["steps"] for record in records])
        nats = np.array([record["nats/step"] for record in records]) * (counts - 1)
        first = np.array([record["nats of the first step"] for record in records])
        return {
            "steps": int(counts.sum()),
            "nats/step": float(nats.sum() / (counts - 1).sum()),
            "nats/step, first steps too": float((nats + first).sum() / counts.sum()),
        }

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What a roll is made of."""
        return {
            "rolls": {
                "steps of a quarter note": self.beat,
                "pitches": f"number k is MIDI note {LOWEST_PITCH} + k; 1 in each step in which it sounds",
                "notes": "of all tracks but percussion (channel 10); beginnings and ends are rounded to the nearest "
                "step, and each lasts one step at least; the piece begins with its first note",
                "first step": "silent, before the piece; 0 after the piece",
            },
            "lengths": "steps of a piece and the silent one before it",
            "outputs": f"float32 [time, batch, {PITCHES}], logits of the pitches after each step, {self._given}",
            "drawing": {"steps": self.steps, "temperature": self.temperature},
        }

    @property
    def _given(self) -> str:
        if self.trained.config.model.output == "nade":
            return (
                "each given the lower ones that the same step of `rolls` has; after the last step none of them sounds"
            )
        return "independent"


def _roll(value: Any) -> np.ndarray:
    return value.roll if isinstance(value, Scored) else value

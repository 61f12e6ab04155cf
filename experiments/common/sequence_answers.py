"""What a model that predicts at every step answers to sequences of one's own: lines of tokens, or of numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.special import log_softmax, softmax

from experiments.common.prediction import STANDARD_INPUT, Input, Item, Predictor, Record, class_record, padded
from experiments.common.synthetic import read_sequence
from experiments.common.synthetic_training import TOLERANCE, StepScores
from experiments.common.text_items import numbered_lines
from rnn_jax.data import DataError
from rnn_jax.train import Trained

LARGEST = 1e9
"""Of numbers that are answers; classes are far below."""
NONE = "."
"""In the place of an answer that does not count."""


class Answered(NamedTuple):
    """A sequence and what is right after its steps."""

    inputs: np.ndarray
    """int32 `[T]`, or float32 `[T, D]`."""
    targets: np.ndarray
    """`[T]`: classes, or numbers."""
    mask: np.ndarray
    """bool `[T]`, the steps whose targets count."""


class SequencePredictor(Predictor):
    """The answer at the end of sequences, and those after each step before.

    Args:
        trained: models by the names of their tasks.
        name: of the task.
        from_end: whether steps of the same number are those as far from the end, not from the beginning.
    """

    def __init__(self, trained: Trained, name: str, *, from_end: bool = False):
        super().__init__(trained)
        self.name, self.task, self.from_end = name, trained.config.tasks[name], from_end
        self.classes = [str(k) for k in range(self.task.classes)]

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Tokens, or numbers."""
        if getattr(self.task, "tokens", 0):
            return {"inputs": Input("time, batch", "int32")}
        return {"inputs": Input(f"time, batch, {self.task.features}", "float32")}

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """Lines: a sequence, and after a tab what is right, which is read only where that is asked for."""
        if labelled and file == STANDARD_INPUT:
            raise DataError("standard input: sequences to be scored come from a file")
        for number, line in numbered_lines(file):
            text, _, answers = line.partition("\t")
            try:
                if not labelled:
                    yield Item(number, read_sequence(text, self.task))
                else:
                    answered = self._with_answers(read_sequence(text, self.task), answers)
                    yield Item(number, answered, answered)
            except ValueError as error:
                yield Item(number, error)

    def _with_answers(self, inputs: np.ndarray, text: str) -> Answered:
        """A sequence with the answers in a text: after all its steps, or after as many of the last as there are."""
        words, numbers = text.split(), not self.classes
        expected = f"numbers up to {LARGEST:g}" if numbers else f"classes from 0 to {len(self.classes) - 1}"
        wrong = DataError(
            f"answers {text[:40]!r}: expected a tab and 1 to {len(inputs)} {expected}, with blanks between them; those "
            f"after the last steps, {NONE} for one that does not count"
        )
        if not 1 <= len(words) <= len(inputs) or not set(words) - {NONE}:
            raise wrong
        words = [NONE] * (len(inputs) - len(words)) + words
        try:
            values = [0 if word == NONE else float(word) if numbers else int(word) for word in words]
        except ValueError:
            raise wrong from None
        if max(map(abs, values)) > LARGEST or any(value != value for value in values):
            raise wrong
        targets = np.array(values, np.float32 if numbers else np.int32)
        if not numbers and not (targets.min() >= 0 and targets.max() < len(self.classes)):
            raise wrong
        return Answered(inputs, targets, np.array([word != NONE for word in words]))

    def encode(self, values: Sequence[Any]) -> dict[str, np.ndarray]:
        """Sequences side by side; what follows one has no influence on it."""
        return {"inputs": padded([_inputs(value) for value in values])[0]}

    def program(self, inputs: jax.Array) -> jax.Array:
        """Sequences `[T, B, ...]` to logits `[T, B, C]`, or numbers `[T, B, 1]`, after each step."""
        return self.trained.model[self.name](inputs)

    def decode(self, values: Sequence[Any], outputs: np.ndarray) -> list[Record]:
        """Answers; where what is right is known, the loss and which of them are right, too."""
        records = []
        for k, value in enumerate(values):
            steps = outputs[: len(_inputs(value)), k].astype(np.float64)
            record = self._record(steps)
            if isinstance(value, Answered):
                record |= dict(zip(("losses", "right"), self._scores(steps, value.targets), strict=True))
            records.append(record)
        return records

    def _record(self, steps: np.ndarray) -> Record:
        """The answer after the last of some steps `[T, C]`, and those after all."""
        if not self.classes:
            return {"number": float(steps[-1, 0]), "answers": " ".join(f"{one:.3f}" for one in steps[:, 0])}
        p = softmax(steps, axis=-1)
        return class_record(self.classes, p[-1]) | {
            "answers": " ".join(map(str, p.argmax(-1))), "p": " ".join(f"{one:.2f}" for one in p.max(-1))
        }  # fmt: skip

    def _scores(self, steps: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Squared errors or nats after each step, and which answers are right."""
        if not self.classes:
            errors = steps[:, 0] - targets
            return errors**2, np.abs(errors) < TOLERANCE
        return -log_softmax(steps, axis=-1)[np.arange(len(steps)), targets], steps.argmax(-1) == targets

    def step_scores(self, labels: Sequence[Answered], records: Sequence[Record]) -> StepScores:
        """The scores of all answers, step by step."""
        longest = max(len(label.mask) for label in labels)
        sums = np.zeros((3, longest))
        for label, record in zip(labels, records, strict=True):
            begin = longest - len(label.mask) if self.from_end else 0
            rows = np.stack([record["losses"], record["right"], np.ones(len(label.mask))])
            sums[:, begin : begin + len(label.mask)] += rows * label.mask
        return StepScores(*sums)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What inputs and answers stand for."""
        tokens, features = getattr(self.task, "tokens", 0), getattr(self.task, "features", 0)
        answer = f"logits of classes 0 to {len(self.classes) - 1}" if self.classes else "a number"
        return {
            "task": self.name,
            "line": f"tokens from 0 to {tokens - 1}" if tokens else f"steps of {features} numbers, as 0.3,1 0.5,0",
            "outputs": f"float32 [time, batch, {max(1, len(self.classes))}], {answer} after each step",
            "classes": self.classes,
        }


def _inputs(value: Any) -> np.ndarray:
    return value.inputs if isinstance(value, Answered) else value

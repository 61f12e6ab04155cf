"""What every trained model does with inputs of its kind: `predict`, `evaluate --data` and `export`.

An application says in one `Predictor` how its inputs are read, made into arrays, and how arrays become answers. The
commands here are the same for all: they go through files or standard input, and give each input its own record.
"""

import abc
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from experiments.common.record_files import Format, finite_value, is_finite, records_to
from experiments.common.refusals import Refusals, in_words
from rnn_jax.checks import check_choice
from rnn_jax.interop.stablehlo import save_program
from rnn_jax.train import Trained
from rnn_jax.train.console import rounded

STANDARD_INPUT = "-"
Record = dict[str, Any]
"""What is said of one input: its id, then the answer, then what belongs to it. Values are JSON's, dicts included."""


class Item(NamedTuple):
    """One input that was read."""

    id: str | int
    """The number of its row or line, or the name of its file."""
    value: Any
    """What the predictor encodes; or the error why it cannot be."""
    label: Any = None
    """What it really is, where that was asked for."""


class Input(NamedTuple):
    """An array that a program takes."""

    shape: str
    """Sizes and names of dimensions, such as `"time, batch, 3"`."""
    dtype: str


class Predictor(abc.ABC):
    """How a trained model answers inputs of its kind.

    Attributes:
        inputs: the arrays of `program`, by their names; for `export`.
        batch_size: how many inputs of a file are answered at once. Those of standard input are, as they come.
        reads_folders: whether `read` takes a folder as a whole; else each file in it is read by itself.
    """

    inputs: Mapping[str, Input]
    batch_size: int = 128
    reads_folders: bool = False

    def __init__(self, trained: Trained):
        self.trained = trained
        self.run: Callable[..., Any] = jax.jit(self.program)

    @abc.abstractmethod
    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """The inputs in a file, or in standard input (`"-"`), as they come.

        Args:
            file: its path.
            labelled: with what each really is.

        Raises:
            ValueError, OSError: the file as a whole cannot be read; what is wrong with one input is its value.
        """

    @abc.abstractmethod
    def encode(self, values: Sequence[Any]) -> dict[str, np.ndarray]:
        """The arrays for `program` of some inputs, filled up to few shapes.

        Raises:
            ValueError: one of the inputs is not of use; the message says why.
        """

    @abc.abstractmethod
    def program(self, **arrays: Any) -> Any:
        """The model: arrays to arrays, with nothing but JAX in it, so that it can be compiled and exported."""

    @abc.abstractmethod
    def decode(self, values: Sequence[Any], outputs: Any) -> list[Record]:
        """A record for each of some inputs, of the outputs of `program`; the first entry is the answer."""

    def answer(self, values: Sequence[Any]) -> list[Record]:
        """A record for each of some inputs, without ids.

        Raises:
            ValueError: see `encode`; or an array is not finite, which a network may well turn into numbers that are.
        """
        arrays = self.encode(values)
        if not all(np.isfinite(array).all() for array in arrays.values() if np.issubdtype(array.dtype, np.floating)):
            raise ValueError("a number in it is far too large, or not finite: correct it, or take it out")
        outputs = jax.tree.map(np.asarray, self.run(**arrays))
        return self.decode(values, outputs)

    def measures(self, labels: Sequence[Any], records: Sequence[Record]) -> dict[str, Any]:
        """The scores that people of the field read, of answers to inputs whose labels are known.

        A table of counts is a dict of dicts, row by row.
        """
        raise ValueError("data=...: what is right for new data of this kind is not known, so that they have no score")

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What makes inputs into the arrays of `program` and its outputs into answers, in JSON's types."""
        return {}


def predict(
    predictor: Predictor,
    files: Sequence[str],
    *,
    format: Format = "text",
    output: Path | None = None,
    also_read: Sequence[str] = (),
) -> int:
    """Answer every input of some files or of standard input, each in a record of its own.

    An input that cannot be read or is of no use has a record with its error, which is printed too; the others are
    answered all the same.

    Args:
        predictor: what answers.
        files: to answer.
        format: of the answers.
        output: the file for them; standard output by default.
        also_read: words that may be paths of other files that are read, such as values of options.

    Returns:
        The exit code: 0, or 1 if there were such inputs, or none at all.

    Raises:
        ValueError: `output` is one of the files that are read, or lies in a folder of them.
    """
    if output is not None:
        refuse_input(
            output, [*(f for f in files if f != STANDARD_INPUT), *filter(None, also_read)], predictor.trained.run.path
        )
    answered, refusals = 0, Refusals()
    with in_words(), records_to(output, format) as write:
        for item, record in answers(predictor, files):
            if output is not None and STANDARD_INPUT in files and is_same(output, Path(str(item.id))):
                raise ValueError(f"output={str(output)!r} is a file that standard input names: name another one")
            if isinstance(item.value, Exception):
                refusals.say(item.id, item.value)
            else:
                answered += 1
            write({"id": item.id, **record})
    refusals.finish()
    if not answered and not refusals.count:
        print(f"error: files={list(files)}: there is no input in them", file=sys.stderr)
    elif refusals.count:
        print(f"error: {answered:,} inputs were answered, {refusals.count:,} could not be", file=sys.stderr)
    return int(not answered or refusals.count > 0)


def refuse_input(output: Path, files: Sequence[str], run: Path | None = None) -> None:
    """Raise ValueError where a file for answers is one of those that are read, or of a run, whatever its name."""
    wrong = f"output={str(output)!r}"
    for path in map(Path, files):
        if is_same(output, path):
            raise ValueError(f"{wrong} is one of the files to read, {path}: name another one")
        if not os.path.isdir(path):
            continue
        if output.resolve().is_relative_to(path.resolve()):
            raise ValueError(f"{wrong} lies in the folder that is read, {path}: name one outside of it")
        if output.exists() and (linked := next((one for one in path.rglob("*") if is_same(output, one)), None)):
            raise ValueError(f"{wrong} is one of the files to read, {linked}: name another one")
    if run is not None and os.path.isfile(manifest := run / "manifest.json"):
        own = json.loads(manifest.read_text("utf-8"))["files"]
        inside = output.resolve().is_relative_to((run / "checkpoints").resolve())
        if inside or any(is_same(output, run / name) for name in ("manifest.json", "metrics.jsonl", *own)):
            raise ValueError(f"{wrong} is a file of the run: name another one")


def is_same(output: Path, path: Path) -> bool:
    """Whether two paths are the same file, by another spelling or by a link of any kind."""
    try:
        return output.resolve() == path.resolve() or os.path.samefile(output, path)
    except (OSError, ValueError):  # there is no such file, or a word is none
        return False


def answers(predictor: Predictor, files: Sequence[str], *, labelled: bool = False) -> Iterator[tuple[Item, Record]]:
    """Each input of some files with its record, in their order; the value of a bad one is its error."""
    for file in files:
        waiting: list[Item] = []
        at_once = 1 if file == STANDARD_INPUT else predictor.batch_size
        for item in _read(predictor, file, labelled):
            named = item._replace(id=f"{file}: {item.id}") if len(files) > 1 and str(item.id) != file else item
            waiting.append(named)
            if len(waiting) == at_once:
                yield from _answered(predictor, waiting)
                waiting = []
        yield from _answered(predictor, waiting)


def _read(predictor: Predictor, file: str, labelled: bool) -> Iterator[Item]:
    """The inputs of a file, or of those in a folder; a file that cannot be read as a whole is one bad input."""
    try:
        if file == STANDARD_INPUT or predictor.reads_folders or not os.path.isdir(file):
            yield from predictor.read(file, labelled=labelled)
            return
        inside = list(shown_files(Path(file)))
    except (ValueError, OSError) as error:
        yield Item("standard input" if file == STANDARD_INPUT else file, error)
        return
    if not inside:
        yield Item(file, ValueError("the folder has no files"))
    for name, path in inside:
        try:
            for item in predictor.read(str(path), labelled=labelled):
                yield item._replace(id=name if str(item.id) == str(path) else f"{name}: {item.id}")
        except (ValueError, OSError) as error:
            yield Item(name, error)


def shown_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files in a folder and below, in the order of their paths, with their names there; without hidden ones."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in inside.parts):
            yield str(inside), path


def _answered(predictor: Predictor, items: Sequence[Item]) -> Iterator[tuple[Item, Record]]:
    """Items with their records; those that the predictor refuses are found one by one."""
    good = [item for item in items if not isinstance(item.value, Exception)]
    try:
        records = iter(predictor.answer([item.value for item in good]) if good else [])
    except ValueError as error:
        if len(items) > 1:
            for item in items:
                yield from _answered(predictor, [item])
            return
        items, records = [items[0]._replace(value=error)], iter(())
    for item in items:
        if isinstance(item.value, Exception):
            yield item, {"error": str(item.value)}
        elif is_finite(record := next(records)):
            yield item, record
        else:
            error = ValueError("the model gives no finite answer: is a number far too large?")
            yield item._replace(value=error), {"error": str(error)}


def evaluate_files(predictor: Predictor, files: Sequence[str], *, format: Literal["text", "json"] = "text") -> int:
    """Print the scores of a model on labelled inputs of some files.

    Returns:
        The exit code: 0, or 1 if some inputs could not be read; the scores are then those of the others.

    Raises:
        ValueError: there is no labelled input.
    """
    check_choice("format", format, ("text", "json"))
    labels, records, refusals = [], [], Refusals()
    with in_words():
        for item, record in answers(predictor, files, labelled=True):
            if isinstance(item.value, Exception):
                refusals.say(item.id, item.value)
            else:
                labels.append(item.label)
                records.append(record)
        refusals.finish()
        if not labels:
            raise ValueError(f"data={list(files)}: there is no labelled input in them that could be read")
        scores = {"inputs": len(labels), **predictor.measures(labels, records)}
    scores = finite_value(scores | ({"refused": refusals.count} if refusals.count else {}))
    print(json.dumps(scores, ensure_ascii=False, allow_nan=False) if format == "json" else scores_text(scores))
    return int(refusals.count > 0)


def scores_text(scores: Mapping[str, Any]) -> str:
    """Scores in lines, tables of counts below."""
    lines = [f"{_number(value):>10}  {name}" for name, value in scores.items() if not isinstance(value, Mapping)]
    for name, table in scores.items():
        if isinstance(table, Mapping):
            lines += ["", name, *_table(table)]
    return "\n".join(lines)


def scores_line(scores: Mapping[str, Any]) -> str:
    """Scores one after the other, as in "accuracy % 97.31, nats 0.1203"."""
    return ", ".join(f"{name} {_number(value)}" for name, value in scores.items())


def _table(table: Mapping[str, Any]) -> Iterable[str]:
    """A dict of dicts with its names beside and above, or a dict of numbers in lines."""
    rows = list(table.values())
    if not rows or not isinstance(rows[0], Mapping):
        return [f"{_number(value):>10}  {name}" for name, value in table.items()]
    columns = list(rows[0])
    cells = [["", *columns], *([name, *(_number(row[c]) for c in columns)] for name, row in table.items())]
    widths = [max(len(str(row[i])) for row in cells) for i in range(len(cells[0]))]
    return ["  ".join(str(cell).rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]


def _number(value: Any) -> str:
    if value is None:
        return "unknown"
    return rounded(value) if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def export(predictor: Predictor, output: Path) -> int:
    """Write the model of a run as a program that runs without this library, and what stands before and after it.

    `model.rnn` in the folder `output` is StableHLO with the weights inside, read by `load_program` of
    `rnn_jax.interop.stablehlo`; `preprocessing.json` describes how inputs become its arrays.
    """
    output.mkdir(parents=True, exist_ok=True)
    inputs = {name: tuple(one) for name, one in predictor.inputs.items()}
    save_program(output / "model.rnn", predictor.program, inputs)
    described = {"inputs": {name: one._asdict() for name, one in predictor.inputs.items()}}
    described |= predictor.preprocessing | described
    text = json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False)
    (output / "preprocessing.json").write_text(text + "\n", "utf-8")
    print(f"{output / 'model.rnn'}: StableHLO\n{output / 'preprocessing.json'}: what stands before and after it")
    return 0


def padded(sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sequences `[n, ...]` side by side, for few shapes: time and batch are filled up to powers of two.

    Returns:
        `[T, B, ...]`, zeros past the ends, and the lengths int32 `[B]`. Beyond the sequences the first is repeated.
    """
    steps = power_of_two(max(len(sequence) for sequence in sequences))
    filled = np.zeros((steps, power_of_two(len(sequences)), *sequences[0].shape[1:]), sequences[0].dtype)
    lengths = np.zeros(filled.shape[1], np.int32)
    for i in range(filled.shape[1]):
        sequence = sequences[i if i < len(sequences) else 0]
        filled[: len(sequence), i], lengths[i] = sequence, len(sequence)
    return filled, lengths


def stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays of one shape as `[B, ...]`, for few shapes: B is the next power of two, and the first is repeated."""
    return np.stack([*arrays, *[arrays[0]] * (power_of_two(len(arrays)) - len(arrays))])


def power_of_two(count: int) -> int:
    """The least one that is not below a number."""
    return 1 << (max(count, 1) - 1).bit_length()


def class_record(classes: Sequence[str], probabilities: np.ndarray) -> Record:
    """The likeliest class, its probability, and those of all classes."""
    best = int(probabilities.argmax())
    shares = {name: float(p) for name, p in zip(classes, probabilities, strict=True)}
    return {"class": classes[best], "probability": float(probabilities[best]), "probabilities": shares}

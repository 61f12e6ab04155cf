"""Texts and their translations: Multi30k, and one's own."""

import gzip
from pathlib import Path
from typing import NamedTuple

from rnn_jax.data import DataError, fetch, read_text
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


class ParallelTexts(NamedTuple):
    """Sentences in one language, and their translations."""

    source: list[str]
    target: list[str]


def load_parallel(name: str) -> dict[str, ParallelTexts]:
    """The parts train, validation and test of "multi30k" (English to German), or of the file at that path.

    A file has a sentence, a tab and its translation in each line; of every twenty lines the nineteenth is for
    validation and the twentieth for the test.

    Raises:
        DataError: the data cannot be had, or a line is not of this form.
    """
    if name in DATASETS:
        return load_multi30k()
    if not Path(name).exists():
        raise DataError(f"corpus={name!r} is no file, and not multi30k")
    rows = []
    for number, line in enumerate(read_text(name).removesuffix("\n").split("\n"), start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != 2 or not all(cells):
            raise DataError(f"{name}, line {number}: {line[:60]!r}: expected a sentence, a tab, and its translation")
        rows.append(cells)
    if len(rows) < 20:
        raise DataError(f"{name} has {len(rows)} lines: expected at least 20, for training, validation and test")
    chosen = {"train": range(18), "validation": (18,), "test": (19,)}
    parts = {split: [row for i, row in enumerate(rows) if i % 20 in places] for split, places in chosen.items()}
    return {split: ParallelTexts([s for s, _ in part], [t for _, t in part]) for split, part in parts.items()}


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

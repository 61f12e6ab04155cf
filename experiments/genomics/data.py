"""DNA: splice junctions, the user's own FASTA or table, and nucleotides as numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.common.keel import KEEL, load_keel
from rnn_jax.data import DataError, LabelledTexts, pad, read_labelled
from rnn_jax.data.text import read_text

SOURCES = {"splice": KEEL}
"""The data sets that have a name; any other name is the path of a file."""
SPLICE_SITES = {"EI": [31, 32], "IE": [29, 30]}
"""Places, from 1, of the GT that an intron begins with and the AG that it ends with, see `splice_junctions`."""
BASES = "ACGT"
CODES: dict[str, int] = dict(zip("ACMGRSVTWYHKDBN", range(1, 16), strict=True))
"""The letters of IUPAC (1984) for one base or several, each a sum of A = 1, C = 2, G = 4 and T = 8."""
SHARES = np.array([[code >> k & 1 for k in range(4)] for code in range(16)], np.float32)
SHARES[1:] /= SHARES[1:].sum(axis=1, keepdims=True)
"""`[16, 4]`: what a code says of the base; several are equally likely. Code 0 is padding."""


def encode_nucleotides(sequence: str, name: str = "sequence") -> np.ndarray:
    """A text of nucleotides, upper or lower case, as codes int32 `[T]` (see `CODES`); U, of RNA, is T.

    D (A, G or T), N (any), S (C or G) and R (A or G) are in the splice junctions, in 15 of their rows.

    Raises:
        DataError: it is empty, or a letter is none of these; the message names it and its place.
    """
    letters = sequence.strip().upper().replace("U", "T")
    wrong = next((i for i, letter in enumerate(letters) if letter not in CODES), None)
    if wrong is not None or not letters:
        what = "it is empty" if wrong is None else f"letter {wrong + 1} is {sequence.strip()[wrong]!r}"
        raise DataError(f"{name}: {what}; expected nucleotides, {''.join(CODES)} or U")
    return np.array([CODES[letter] for letter in letters], np.int32)


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """The other strand, read in its own direction: int `[T]`."""
    bits = [(codes >> k & 1) << (3 - k) for k in range(4)]  # A and T, C and G change places
    return sum(bits[1:], start=bits[0])[::-1]


def splice_junctions() -> LabelledTexts:
    """3,006 windows of 60 nucleotides around a junction, exon to intron (EI) or intron to exon (IE), or none (N).

    The junction is between places 30 and 31, from 1. Introns begin with GT and end with AG (Breathnach & Chambon
    1981): EI has GT at 31 and 32, IE has AG at 29 and 30.

    Noordewier, Towell & Shavlik 1991, "Training knowledge-based neural networks to recognize genes in DNA sequences";
    primates, GenBank 64.1. Of the 3,190 rows 184 are as another one, label included, and left out. One sequence remains
    twice, as IE and as N.

    Raises:
        DataError: the data cannot be had (see `fetch`).
    """
    table = load_keel("splice", symbols=True)
    rows = dict.fromkeys(zip(("".join(row) for row in table.values), table.labels, strict=True))
    classes = sorted(set(table.labels))
    texts, labels = zip(*rows, strict=True)
    return LabelledTexts(list(texts), np.array([classes.index(label) for label in labels], np.int32), classes)


def load_nucleotides(data: str) -> LabelledTexts:
    """Labelled sequences: the splice junctions (`data="splice"`), or those in the user's file.

    *.fasta, *.fa: the last word of the line with `>` is the label. Any other file is a table of labels and texts as in
    `read_labelled`.

    Raises:
        DataError: the data cannot be had or read, a sequence has no label or is none of nucleotides, or there are
            fewer than two classes.
    """
    if data in SOURCES:
        return splice_junctions()
    if Path(data).suffix.lower() not in (".fasta", ".fa"):
        labelled = read_labelled(data)
    else:
        names = [(name, *name.rpartition(" ")[2:], sequence) for name, sequence in read_fasta(data)]
        classes = sorted({label for _, label, _ in names})
        labels = np.array([classes.index(label) for _, label, _ in names], np.int32)
        labelled = LabelledTexts([sequence for *_, sequence in names], labels, classes)
        if nameless := next((name for name, *_ in names if " " not in name), None):
            raise DataError(f"{data}: >{nameless} has no label: expected >NAME LABEL")
        if len(classes) < 2:
            raise DataError(f"{data} has {len(names)} sequences with the labels {classes}: expected two different ones")
    for number, text in enumerate(labelled.texts, 1):
        encode_nucleotides(text, f"{data}, sequence {number}")
    return labelled


def read_fasta(path: str | Path) -> list[tuple[str, str]]:
    """The sequences in a FASTA file: what follows `>`, and the lines after it joined.

    Raises:
        DataError: the file cannot be read, does not begin with `>`, or a sequence is empty or none of nucleotides; the
            message gives the line.
    """
    records: list[tuple[str, list[str], int]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.startswith(">"):
            records.append((line[1:].strip(), [], number))
        elif line.strip() and not records:
            raise DataError(f"{path}, line {number}: {line[:20]!r}, expected a line >NAME first")
        elif line.strip():
            encode_nucleotides(line, f"{path}, line {number}")
            records[-1][1].append(line.strip())
    if empty := next((number for _, lines, number in records if not lines), None):
        raise DataError(f"{path}, line {empty}: no sequence follows")
    if not records:
        raise DataError(f"{path} has no sequences")
    return [(name, "".join(lines)) for name, lines, _ in records]


class Sequences(NamedTuple):
    """Sequences of nucleotides side by side."""

    codes: np.ndarray
    """int32 `[2, T, N]`: each as it stands, and its other strand."""
    lengths: np.ndarray
    """int32 `[N]`."""


def encode_sequences(texts: Sequence[str], length: int | None = None) -> Sequences:
    """Texts of nucleotides as codes, padded to a length, or to that of the longest."""
    codes = [encode_nucleotides(text) for text in texts]
    padded = [pad(strand, length) for strand in (codes, [reverse_complement(c) for c in codes])]
    return Sequences(np.stack([p.values for p in padded]), padded[0].lengths)


class NucleotideEncoder(NamedTuple):
    """What a trained model has to know of the sequences it was trained on."""

    classes: list[str]
    """Their names."""
    length: int
    """The longest sequence that it reads."""

    def encode(self, texts: Sequence[str]) -> Sequences:
        """Texts of nucleotides as codes, padded to `length`."""
        return encode_sequences(texts, self.length)

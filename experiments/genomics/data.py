"""DNA: splice junctions, the user's own sequences, and nucleotides as numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from Bio import Seq

from experiments.common.keel import KEEL, load_keel
from experiments.common.labelled import (
    LabelledTexts,
    check_classes,
    class_counts,
    odd_classes,
    of_two_classes,
    read_labelled,
)
from experiments.common.splitting import number_groups, repeated
from experiments.genomics.records import has_records, labels_in_headers, labels_in_table, read_records
from rnn_jax.data import DataError, pad

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


def load_nucleotides(
    data: str, *, label_field: str = "", labels_file: str = "", text_column: str = "", label_column: str = ""
) -> LabelledTexts:
    """Labelled sequences: the splice junctions (`data="splice"`), or those in the user's file.

    A file of FASTA, FASTQ, GenBank or EMBL has its labels in the headers or in a table; any other file is a table of
    labels and sequences as in `read_labelled`.

    Args:
        data: "splice", or the path of a file.
        label_field: see `labels_in_headers`.
        labels_file: see `labels_in_table`.
        text_column: of a table, the column with the sequences.
        label_column: the column of a table with the labels.

    Raises:
        DataError: the data cannot be had or read, a sequence has no label or is none of nucleotides, it is not clear
            what the labels are, or there are fewer than two classes or more than a tenth of the sequences.
    """
    of_records, of_tables = label_field or labels_file, text_column or (label_column and not labels_file)
    if data in SOURCES:
        if of_records or of_tables:
            raise DataError(f"data={data!r} has its own labels: leave out the options that say where yours are")
        return splice_junctions()
    if not has_records(data):
        if of_records:
            raise DataError(f"{data} is a table: --label-column says where its labels are, not a field or another file")
        labelled = read_labelled(data, text_column=text_column, label_column=label_column)
        for number, text in enumerate(labelled.texts, 1):
            encode_nucleotides(text, f"{data}, sequence {number}")
        return labelled
    if of_tables:
        raise DataError(f"{data} is no table: --label-field or --labels-file says where its labels are")
    records = read_records(data)
    for record in records.records:
        encode_nucleotides(record.sequence, f"{data}, >{record.header[:60]}")
    if labels_file:
        names, how = labels_in_table(labels_file, records, label_column)
    else:
        names, how = labels_in_headers(data, records, label_field)
    check_classes(
        data, names, "--label-field NUMBER, or --labels-file FILE with names and labels, says what the label is"
    )
    classes = sorted(set(names))
    numbers = {label: i for i, label in enumerate(classes)}
    said = [
        f"{data}: {len(names):,} sequences ({records.form}); {how}", *records.notes,
        f"classes: {class_counts(names)}", *odd_classes(names),
    ]  # fmt: skip
    labels = np.array([numbers[label] for label in names], np.int32)
    return LabelledTexts([record.sequence for record in records.records], labels, classes, said)


def canonical(sequence: str) -> str:
    """The same text for a sequence and its other strand, in whatever case, of DNA or RNA: the first in the alphabet."""
    letters = sequence.strip().upper().replace("U", "T")
    return min(letters, Seq.reverse_complement(letters))


def said_of_folds(labelled: LabelledTexts, keys: Sequence[str], fold: np.ndarray) -> list[str]:
    """Sizes of the folds, repeated sequences and lengths in lines, and what is odd about them."""
    groups, sizes, lengths = number_groups(keys), np.bincount(fold), [len(text) for text in labelled.texts]
    lines = [
        f"folds: {len(sizes)}, of {sizes.min():,} to {sizes.max():,} sequences",
        f"lengths: {min(lengths):,} to {max(lengths):,} nucleotides",
    ]
    if again := repeated(groups):
        lines.append(f"repeated: {again:,} sequences are as an earlier one or its other strand, and in the same fold")
    if lower := sum(any(letter.islower() for letter in text) for text in labelled.texts):
        lines.append(f"lower case: {lower:,} sequences have some (soft-masked); the letters are the same")
    if torn := of_two_classes(groups, labelled.labels):
        lines.append(f"note: {torn:,} different sequences have more than one label each")
    return lines


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

    def encode(self, texts: Sequence[str], names: Sequence[str] = ()) -> Sequences:
        """Texts of nucleotides as codes, padded to `length`.

        Raises:
            ValueError: some are longer: each place has a vector of its own, and further ones were not learned.
        """
        names = names or [f"sequence {i}" for i in range(1, len(texts) + 1)]
        longer = [(name, len(t.strip())) for name, t in zip(names, texts, strict=True) if len(t.strip()) > self.length]
        if longer:
            some = ", ".join(f"{name[:40]} has {count:,}" for name, count in longer[:5])
            raise ValueError(
                f"{len(longer):,} of {len(texts):,} sequences are longer than length={self.length:,}, the longest that "
                f"the model was trained on: {some}: cut them into windows of at most {self.length:,} nucleotides"
            )
        return encode_sequences(texts, self.length)

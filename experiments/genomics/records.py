"""Sequences of nucleotides in the files of the field, FASTA, FASTQ, GenBank and EMBL, and their labels."""

import io
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from Bio import SeqIO
from Bio.Seq import UndefinedSequenceError
from Bio.SeqIO.FastaIO import SimpleFastaParser
from Bio.SeqIO.QualityIO import FastqGeneralIterator

from experiments.common.columns import LABELS
from experiments.common.delimited import read_delimited
from experiments.common.text import read_file_text
from rnn_jax.data import DataError

STARTS = {">": "fasta", ";": "fasta", "LOCUS": "genbank", "ID   ": "embl", "@": "fastq"}
"""What a file of each format begins with."""
SUFFIXES = {
    ".fasta", ".fa", ".fna", ".fas", ".ffn", ".frn", ".fsa", ".mpfa", ".gb", ".gbk", ".gbff",
    ".genbank", ".embl", ".fastq", ".fq",
}  # fmt: skip
"""Of the names of files that are no tables."""


class Record(NamedTuple):
    """A sequence and what its file says of it."""

    header: str
    """The line with its name, or the name and what describes it."""
    sequence: str
    fields: dict[str, str] = {}  # noqa: RUF012
    """Of GenBank and EMBL: annotations and the qualifiers of the source."""

    @property
    def words(self) -> list[str]:
        """Of the header, the name first; bars and blanks stand between words."""
        return [word.strip(",;") for word in re.split(r"[\s|]+", self.header) if word.strip(",;")]

    @property
    def name(self) -> str:
        """The first word of the header."""
        return self.header.split()[0] if self.header.split() else ""

    def field(self, key: str) -> str | None:
        """The value of KEY=VALUE or [KEY=VALUE] in the header, or of a field."""
        found = re.search(rf"\[{re.escape(key)}=([^\]]*)\]|(?:^|[\s|;]){re.escape(key)}=([^\s|;]+)", self.header)
        return next(filter(None, found.groups()), None) if found else self.fields.get(key)


class Records(NamedTuple):
    """The sequences of a file."""

    records: list[Record]
    format: str
    form: str
    """Format, encoding and packing in words."""
    notes: list[str]


def has_records(path: str | Path) -> bool:
    """Whether a file is of sequences, by what it begins with or by its name; a file of another name is a table."""
    known = bool(SUFFIXES & {suffix.lower() for suffix in Path(path).suffixes[-2:]})
    return known or read_file_text(path).text.lstrip().startswith(tuple(STARTS))


def read_records(path: str | Path, *, empty: bool = False) -> Records:
    """The sequences of a file in FASTA, FASTQ, GenBank or EMBL, by its first letters; packed or not.

    Args:
        path: of the file.
        empty: whether a sequence may be empty.

    Raises:
        DataError: the file cannot be read, is of no such format, has no sequences, or one of them is empty.
    """
    file = read_file_text(path)
    text = file.text.replace("\r\n", "\n").replace("\r", "\n").lstrip()
    kind = next((kind for start, kind in STARTS.items() if text.startswith(start)), None)
    if kind is None and text:
        line = file.text[: len(file.text) - len(text)].count("\n") + 1
        shown = text.partition("\n")[0][:20]
        raise DataError(
            f"{path}, line {line}: {shown!r}, expected a line >NAME first (FASTA), LOCUS (GenBank) or ID (EMBL)"
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            records = list(_parse(text, kind or "fasta"))
        except (ValueError, UndefinedSequenceError, KeyError, AttributeError) as error:
            raise DataError(f"{path} is no whole {(kind or '').upper()} file: {error}") from error
    if not records:
        raise DataError(f"{path} has no sequences")
    if not empty and (bare := next((record for record in records if not record.sequence), None)):
        raise DataError(f"{path}: no sequence follows >{bare.header}")
    notes = [*file.notes, *(f"note: {path}: {' '.join(str(w.message).split())[:160]}" for w in caught[:3])]
    return Records(records, kind or "fasta", f"{(kind or '').upper()}, {file.form}", notes)


def _parse(text: str, kind: str) -> Iterator[Record]:
    if kind == "fasta":
        yield from (Record(title.strip(), sequence) for title, sequence in SimpleFastaParser(io.StringIO(text)))
    elif kind == "fastq":
        yield from (Record(title.strip(), sequence) for title, sequence, _ in FastqGeneralIterator(io.StringIO(text)))
    else:
        for record in SeqIO.parse(io.StringIO(text), kind):
            fields = {key: str(value) for key, value in record.annotations.items() if isinstance(value, str | int)}
            for feature in record.features:
                if feature.type == "source":
                    fields |= {key: str(values[0]) for key, values in feature.qualifiers.items() if values}
            yield Record(f"{record.id} {record.description}".strip(), str(record.seq), fields)


def labels_in_headers(path: str | Path, records: Records, field: str) -> tuple[list[str], str]:
    """The label of each sequence out of its header, and where it stands, in words.

    Args:
        path: of the file, for messages.
        records: its sequences.
        field: the number of the word that is the label, from 1, where the name is the first; "last"; or KEY of
            KEY=VALUE, or of an annotation. Empty: the second of the two words that each header has.

    Raises:
        DataError: a header lacks it, or without `field` is not of two words.
    """
    rows = records.records
    if not field:
        if records.format in ("genbank", "embl"):
            keys = Counter(key for record in rows for key in record.fields)
            raise DataError(
                f"{path}: --label-field KEY says which field is the label, one of {', '.join(sorted(keys)[:20])}; or "
                "--labels-file FILE has names and labels"
            )
        if nameless := next((record for record in rows if len(record.header.split()) < 2), None):
            raise DataError(
                f"{path}: >{nameless.header} has no label: expected >NAME LABEL; or --label-field says what it is, "
                "or --labels-file FILE has names and labels"
            )
        if longer := next((record for record in rows if len(record.header.split()) > 2), None):
            raise DataError(
                f"{path}: >{longer.header[:60]}: more than two words, expected >NAME LABEL, for it is not clear "
                f"which word is the label: --label-field NUMBER says it{_likely_words(rows)}; or --labels-file FILE "
                "has names and labels"
            )
        return [record.header.split()[1] for record in rows], "the label is the second word of a header"
    labels = []
    for record in rows:
        if field.isdigit() or field == "last":
            words = record.words
            place = len(words) - 1 if field == "last" else int(field) - 1
            label = words[place] if 0 <= place < len(words) else None
        else:
            label = record.field(field)
        if not label:
            raise DataError(f"{path}: >{record.header[:60]} has no label_field={field!r}: correct it, or the header")
        labels.append(label)
    return labels, f"the label is {'word ' * field.isdigit()}{field} of a header"


def each_label(path: str | Path, records: Records, field: str) -> tuple[list[str | DataError], str]:
    """As `labels_in_headers`, with what is wrong with one header in its place.

    Raises:
        DataError: no header has a label.
    """
    labels: list[str | DataError] = []
    how = ""
    for record in records.records:
        try:
            (label,), how = labels_in_headers(path, records._replace(records=[record]), field)
        except DataError as error:
            label = error
        labels.append(label)
    if not how:
        labels_in_headers(path, records, field)
    return labels, how


def _likely_words(rows: Sequence[Record]) -> str:
    """The words of headers that have few different values, in words."""
    words, found = [record.words for record in rows], []
    for place in range(1, min(map(len, words))):
        values = Counter(row[place] for row in words)
        if 2 <= len(values) <= len(rows) / 10:
            found.append(f"{place + 1} ({', '.join(sorted(values)[:3])}{', …' * (len(values) > 3)})")
    return f", such as {' or '.join(found[:4])}" if found else ""


def labels_in_table(path: str | Path, records: Records, column: str, *, every: bool = True) -> tuple[list[str], str]:
    """The label of each sequence out of a table of names and labels, and where it stands, in words.

    Args:
        path: of the table; its first row may be a header.
        records: the sequences.
        column: the name or the number, from 1, of the column with the labels, where there are more than two.
        every: whether each sequence must have one; else that of one without is empty.

    Raises:
        DataError: the table cannot be read, lacks the column, or has no label for a sequence, or two.
    """
    rows = read_delimited(path).rows
    names = {record.name for record in records.records}
    first, width = rows[0].cells, len(rows[0].cells)
    if wrong := next((row for row in rows if len(row.cells) != width or width < 2), None):
        raise DataError(f"{path}, line {wrong.line}: {len(wrong.cells)} columns, expected {max(2, width)}")
    name_column = max(range(width), key=lambda k: sum(row.cells[k] in names for row in rows))
    usual = next((i for i, cell in enumerate(first) if cell.lower() in LABELS and i != name_column), None)
    if column:
        place = first.index(column) if column in first else int(column) - 1 if column.isdigit() else width
    else:
        place = usual if usual is not None else 1 - name_column if width == 2 else width
    if not 0 <= place < width:
        raise DataError(f"{path}: --label-column says which column has the labels, one of {first}")
    found: dict[str, str] = {}
    for line, cells in rows:
        name, label = cells[name_column], cells[place]
        if name in names and not label:
            raise DataError(f"{path}, line {line}: {name} has an empty label")
        if found.setdefault(name, label) != label:
            raise DataError(f"{path}, line {line}: {name} has the label {label!r}, and {found[name]!r} before")
    missing = [name for name in names if name not in found]
    if missing and (every or len(missing) == len(names)):
        raise DataError(f"{path} has no label for {len(missing):,} of {len(names):,} sequences, such as {min(missing)}")
    return [found.get(record.name, "") for record in records.records], f"labels of {path}, column {place + 1}"

"""What trained classifiers say of new sequences."""

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.class_predictor import ClassPredictor
from experiments.common.prediction import STANDARD_INPUT, Input, Item, power_of_two
from experiments.common.reading import say
from experiments.common.text_items import header_of, is_json, read_texts, stream_texts
from experiments.genomics.data import CODES, encode_nucleotides
from experiments.genomics.records import each_label, has_records, labels_in_table, read_records
from rnn_jax.data import DataError, pad, read_lines
from rnn_jax.train import Trained


class GenomicsPredictor(ClassPredictor):
    """Class and probabilities of sequences: the mean over the models of all folds, or what that of one fold says."""

    def __init__(
        self, trained: Trained, fold: int = 0, label_field: str = "", labels_file: str = "",
        text_column: str = "", label_column: str = "",
    ):  # fmt: skip
        """See `load_nucleotides`.

        Args:
            trained: the models.
            fold: the model that was tested on this fold, from 1; 0 is the mean of all, for sequences that are new.
            label_field: what of a header is the label: the number of a word, last, or a key.
            labels_file: a table with the name and the label of each sequence.
            text_column: the column of a table that has the sequences: its name, or its number from 1.
            label_column: that of the labels.

        Raises:
            ValueError: there is no such fold.
        """
        super().__init__(trained)
        self.encoder, given = trained.preprocessor, trained.config.cross_validation
        self.classes = self.encoder.classes
        if not 0 <= fold <= given.folds:
            raise ValueError(f"fold={fold}: expected 1 to {given.folds}, or 0 for the mean of all models")
        self.params = jax.tree.map(lambda leaf: leaf[fold - 1 : fold], trained.params) if fold else trained.params
        self.both_strands, self.models = given.both_strands, 1 if fold else given.folds
        self.label_field, self.labels_file = label_field or given.label_field, labels_file
        self.table = bool(text_column)
        self.columns = {
            "text_column": text_column or given.text_column, "label_column": label_column or given.label_column
        }  # fmt: skip

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Codes of nucleotides, as many as the longest sequence of training has."""
        return {"codes": Input(f"{self.encoder.length}, batch", "int32"), "lengths": Input("batch", "int32")}

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """The sequences of FASTA, FASTQ, GenBank or EMBL, of a table, or one in each line."""
        if file == STANDARD_INPUT and not labelled:
            items = self._stream(read_lines(sys.stdin.buffer))
        elif file == STANDARD_INPUT or not has_records(file):
            items = read_texts(file, **self.columns, classes=self.classes, labelled=labelled)
        else:
            items = self._records(file, labelled)
        for item in items:
            yield item if isinstance(item.value, Exception) else item._replace(value=self._checked(item.value))

    def _stream(self, lines: Iterator[str]) -> Iterator[Item]:
        """The sequences of standard input: of a table or JSON, if the first line is of such, else see `_stream`."""
        first = next(lines, "")
        whole, column = itertools.chain([first], lines), self.columns["text_column"]
        table = self.table or is_json(first) or header_of(first, column)
        return stream_texts(whole, column, self.table) if table else _stream(whole)

    def _records(self, file: str, labelled: bool) -> Iterator[Item]:
        found, known = read_records(file, empty=True), self.classes
        say(found.notes)
        labels: Sequence[Any] = [None] * len(found.records)
        if labelled:
            labels, how = (
                labels_in_table(self.labels_file, found, self.columns["label_column"], every=False)
                if self.labels_file
                else each_label(file, found, self.label_field)
            )
            say(f"{file}: {how}")
        for number, (record, label) in enumerate(zip(found.records, labels, strict=True), 1):
            wrong = DataError(f"label {label!r} is none of the model's, {', '.join(known)}")
            if label == "":
                wrong = DataError(f"{self.labels_file} has no label for it")
            elif isinstance(label, DataError):
                wrong = label
            value = record.sequence if label is None or label in known else wrong
            yield Item(record.name or number, value, label)

    def _checked(self, sequence: str) -> np.ndarray | ValueError:
        """The codes of a sequence, or why it is of no use."""
        try:
            codes = encode_nucleotides(sequence)
        except ValueError as error:
            return error
        if len(codes) > self.encoder.length:
            return DataError(
                f"{len(codes):,} nucleotides: expected at most {self.encoder.length:,}, as many as the longest "
                "sequence of training has; cut it into windows"
            )
        return codes

    def encode(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Codes side by side."""
        filled = [*values, *[values[0]] * (power_of_two(len(values)) - len(values))]
        codes, lengths = pad(filled, self.encoder.length)
        return {"codes": codes, "lengths": lengths}

    def program(self, codes: jax.Array, lengths: jax.Array) -> jax.Array:
        """Codes `[T, B]` to probabilities `[B, C]`."""
        strands = [jnp.asarray(codes)]
        if self.both_strands:
            strands.append(other_strand(strands[0], jnp.asarray(lengths)))

        def of_one(params: Any) -> jax.Array:
            model = self.trained.rebuild(params)
            return jnp.mean(jnp.stack([jax.nn.softmax(model(one, lengths)) for one in strands]), axis=0)

        return jax.vmap(of_one)(self.params).mean(axis=0)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The codes of nucleotides and the classes."""
        return {
            "codes": CODES | {"U": CODES["T"]},
            "sequence": "letters in upper case; the codes of each, then 0 up to the length of the array",
            "lengths": "nucleotides of each sequence, 1 or more",
            "strands": "the program reads both and takes the mean" if self.both_strands else "as it stands",
            "outputs": f"float32 [batch, class], probabilities, the mean over {self.models} models",
            "classes": list(self.classes),
        }


def other_strand(codes: jax.Array, lengths: jax.Array) -> jax.Array:
    """The reverse complements of sequences int `[T, B]`, of lengths int `[B]`, padded as they are."""
    bits = [(codes >> k & 1) << (3 - k) for k in range(4)]  # A and T, C and G change places
    places = lengths[None] - 1 - jnp.arange(codes.shape[0])[:, None]
    turned = jnp.take_along_axis(sum(bits[1:], start=bits[0]), jnp.maximum(places, 0), axis=0)
    return jnp.where(places >= 0, turned, 0)


def _stream(lines: Iterator[str]) -> Iterator[Item]:
    """Sequences as they come: those of FASTA, each once the next one begins, or one in each line."""
    header, parts = None, []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text.startswith(">"):
            if header is not None:
                yield Item(header, "".join(parts))
            header, parts = (text[1:].split() or [number])[0], []
        elif header is not None:
            parts.append(text)
        else:
            yield Item(number, text)
    if header is not None:
        yield Item(header, "".join(parts))

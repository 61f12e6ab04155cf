"""Nucleotides as numbers, the splice junctions with their rule, and own files."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.genomics.data import (
    CODES,
    SHARES,
    encode_nucleotides,
    load_nucleotides,
    read_fasta,
    reverse_complement,
    splice_junctions,
)  # fmt: skip
from rnn_jax.data import DataError

FASTA = ">one EI\nACGT\nacgu\n\n>two N\nNNNN\n"


def test_letters_for_several_bases_are_shared_evenly():
    assert encode_nucleotides(" acGu\n").tolist() == encode_nucleotides("ACGT").tolist() == [1, 2, 4, 8]
    np.testing.assert_array_equal(SHARES[encode_nucleotides("ACGT")], np.eye(4))
    for letter, bases in {"D": "AGT", "S": "CG", "R": "AG", "N": "ACGT"}.items():
        expected = [(base in bases) / len(bases) for base in "ACGT"]
        np.testing.assert_allclose(SHARES[CODES[letter]], expected, rtol=1e-6)
    assert not SHARES[0].any()
    for text, message in (("ACX-", "letter 3 is 'X'"), (" ", "it is empty")):
        with pytest.raises(DataError, match=f"mine: {message}; expected nucleotides, ACMGRSVTWYHKDBN or U"):
            encode_nucleotides(text, "mine")


@given(st.text("ACGTRYSWKMBDHVN", min_size=1))
@settings(max_examples=50, deadline=None)
def test_the_other_strand(text):
    partner = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")  # IUPAC
    other = reverse_complement(encode_nucleotides(text))
    np.testing.assert_array_equal(other, encode_nucleotides(text[::-1].translate(partner)))
    np.testing.assert_array_equal(reverse_complement(other), encode_nucleotides(text))


def test_splice_junctions_and_their_rule(real_data):
    texts, labels, classes = splice_junctions()
    assert classes == ["EI", "IE", "N"] and len(texts) == 3190 - 184 and {len(text) for text in texts} == {60}
    assert len(set(zip(texts, labels.tolist(), strict=True))) == len(texts) == len(set(texts)) + 1
    for label, place, pair in ((0, 30, "GT"), (1, 28, "AG")):
        right = [text[place : place + 2] == pair for text, own in zip(texts, labels, strict=True) if own == label]
        assert np.mean(right) > 0.98


def test_ones_own_sequences(tmp_path):
    (tmp_path / "d.fa").write_text(FASTA)
    assert read_fasta(tmp_path / "d.fa") == [("one EI", "ACGTacgu"), ("two N", "NNNN")]
    texts, labels, classes = load_nucleotides(str(tmp_path / "d.fa"))
    assert (texts, labels.tolist(), classes) == (["ACGTacgu", "NNNN"], [0, 1], ["EI", "N"])
    (tmp_path / "d.tsv").write_text("EI\tACGTacgu\nN\tNNNN\n")
    for a, b in zip(load_nucleotides(str(tmp_path / "d.tsv")), (texts, labels, classes), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("d.fasta", "ACGT\n", "line 1: 'ACGT', expected a line >NAME first"),
        ("d.fasta", ">a EI\nAC\nA?GT\n", r"line 3: letter 2 is '\?'"),
        ("d.fasta", ">a EI\n>b N\nAC\n", "line 1: no sequence follows"),
        ("d.fasta", ">a EI\nAC\n>b\nAC\n", ">b has no label: expected >NAME LABEL"),
        ("d.fasta", ">a EI\nAC\n", r"has 1 sequences with the labels \['EI'\]"),
        ("d.fasta", "\n", "has no sequences"),
        ("d.tsv", "EI\tACGT\nN\tAC-T\n", "sequence 2: letter 3 is '-'"),
        ("d.csv", "EI,ACGT\nN,\n", "line 2: the text is empty"),
    ],
)
def test_wrong_files_say_where(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        load_nucleotides(str(tmp_path / name))

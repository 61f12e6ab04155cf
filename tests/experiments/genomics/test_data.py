"""Nucleotides as numbers, the splice junctions with their rule, and own files."""

import gzip

import numpy as np
import pytest
from Bio import Seq, SeqIO
from Bio.SeqRecord import SeqRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.genomics import EXPERIMENT
from experiments.genomics.data import (
    CODES,
    SHARES,
    canonical,
    encode_nucleotides,
    load_nucleotides,
    reverse_complement,
    said_of_folds,
    splice_junctions,
)
from experiments.genomics.records import read_records
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
    texts, labels, classes, _ = splice_junctions()
    assert classes == ["EI", "IE", "N"] and len(texts) == 3190 - 184 and {len(text) for text in texts} == {60}
    assert len(set(zip(texts, labels.tolist(), strict=True))) == len(texts) == len(set(texts)) + 1
    for label, place, pair in ((0, 30, "GT"), (1, 28, "AG")):
        right = [text[place : place + 2] == pair for text, own in zip(texts, labels, strict=True) if own == label]
        assert np.mean(right) > 0.98


def test_ones_own_sequences(tmp_path):
    (tmp_path / "d.fa").write_text(FASTA)
    records = read_records(tmp_path / "d.fa")
    assert [(r.header, r.sequence) for r in records.records] == [("one EI", "ACGTacgu"), ("two N", "NNNN")]
    texts, labels, classes, _ = load_nucleotides(str(tmp_path / "d.fa"))
    assert (texts, labels.tolist(), classes) == (["ACGTacgu", "NNNN"], [0, 1], ["EI", "N"])
    (tmp_path / "d.tsv").write_text("EI\tACGTacgu\nN\tNNNN\n")
    for a, b in zip(load_nucleotides(str(tmp_path / "d.tsv"))[:3], (texts, labels, classes), strict=True):
        np.testing.assert_array_equal(a, b)


def genbank(folder, count: int = 20):
    """Records with an organism each; the annotations of GenBank are upper case, sequences lower."""
    records = [
        SeqRecord(Seq.Seq(f"ACGTAC{'ACGT'[i % 4]}G"), f"X{i}", description=f"a clone, {i}", annotations={
            "molecule_type": "DNA", "organism": f"species {'ab'[i % 2]}"})
        for i in range(count)
    ]  # fmt: skip
    SeqIO.write(records, folder / "d.txt", "genbank")
    return folder / "d.txt"


@pytest.mark.parametrize("name", ["d.fna", "d.fas", "d.txt"])
def test_sequences_are_told_by_their_first_letters_and_packed_ones_by_their_first_bytes(tmp_path, name):
    text = "".join(f">s{i} {'ab'[i % 2]}\r\n{'ACGT'[i % 4]}CC\r\nGT\r\n" for i in range(20))
    (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    read = load_nucleotides(str(tmp_path / name))
    assert read.classes == ["a", "b"] and read.texts[1] == "CCCGT"
    assert "20 sequences (FASTA, UTF-8, gzip); the label is the second word of a header" in read.said[0]
    assert read.said[1] == "classes: a 10, b 10"


def test_genbank_has_its_labels_in_a_field(tmp_path):
    path = str(genbank(tmp_path))
    read = load_nucleotides(path, label_field="organism")
    assert (
        read.classes == ["species a", "species b"]
        and read.texts[1] == "ACGTACCG"
        and read.labels.tolist()[:2] == [0, 1]
    )
    with pytest.raises(DataError, match=r"--label-field KEY says which field is the label, one of .*organism"):
        load_nucleotides(path)
    with pytest.raises(DataError, match="has no label_field='strain'"):
        load_nucleotides(path, label_field="strain")


def test_descriptions_are_no_labels(tmp_path):
    ends = ["partial cds", "complete sequence"]
    headers = [f"NX_{i}.1 Some species {'promoter other'.split()[i % 2]} region, {ends[i // 2 % 2]}" for i in range(40)]
    (tmp_path / "d.fasta").write_text("".join(f">{header} [kind=k{i % 3}]\nACG\n" for i, header in enumerate(headers)))
    path = str(tmp_path / "d.fasta")
    with pytest.raises(
        DataError, match=r"NX_0\.1 Some.*more than two words.*such as 4 \(other, promoter\) or 6 \(compl"
    ):
        load_nucleotides(path)
    assert load_nucleotides(path, label_field="4").classes == ["other", "promoter"]
    assert load_nucleotides(path, label_field="kind").classes == ["k0", "k1", "k2"]
    for field, message in (("1", "40 classes in 40 rows, such as 'NX_0.1'"), ("9", "has no label_field='9'")):
        with pytest.raises(DataError, match=message):
            load_nucleotides(path, label_field=field)
    table = tmp_path / "labels.csv"
    table.write_text("label,id\n" + "".join(f"{'xy'[i % 2]},NX_{i}.1\n" for i in range(41)))
    read = load_nucleotides(path, labels_file=str(table))
    assert read.classes == ["x", "y"] and read.labels.tolist() == [0, 1] * 20
    table.write_text("NX_0.1,x\nNX_0.1,y\n")
    with pytest.raises(DataError, match=r"line 2: NX_0\.1 has the label 'y', and 'x' before"):
        load_nucleotides(path, labels_file=str(table))
    table.write_text("NX_0.1,x\n")
    with pytest.raises(DataError, match=r"no label for 39 of 40 sequences, such as NX_1\.1"):
        load_nucleotides(path, labels_file=str(table))


def test_copies_and_other_strands_are_in_one_fold(tmp_path):
    rng, config = np.random.default_rng(0), EXPERIMENT.configure({"folds": 5, "data": "d.fasta"})
    originals = ["".join(rng.choice(list("ACGT"), 20)) for _ in range(60)]
    forms = [str.lower, lambda s: s.replace("T", "U"), Seq.reverse_complement]
    texts = [form(text) for text in originals for form in (str, *forms)]
    (tmp_path / "d.fasta").write_text("".join(f">s{i} {'ab'[i // 4 % 2]}\n{text}\n" for i, text in enumerate(texts)))
    read, cross_validation = load_nucleotides(str(tmp_path / "d.fasta")), config.cross_validation
    fold = cross_validation.split(read.texts, read.labels, config.fit).fold.reshape(60, 4)
    assert (fold == fold[:, :1]).all() and len(set(fold[:, 0])) == 5
    said = said_of_folds(read, cross_validation.keys(read.texts), fold.reshape(-1))
    assert said[:2] == ["folds: 5, of 48 to 48 sequences", "lengths: 20 to 20 nucleotides"]
    assert said[2] == "repeated: 180 sequences are as an earlier one or its other strand, and in the same fold"
    assert said[3].startswith("lower case: 60 sequences have some")
    assert EXPERIMENT.configure({}).cross_validation.keys(texts) is texts, "the published folds stay as they are"


@given(st.text("ACGTRYSWKMBDHVN", min_size=1))
@settings(max_examples=50, deadline=None)
def test_both_strands_in_any_case_have_one_canonical_form(text):
    other = Seq.reverse_complement(text)
    assert canonical(text) == canonical(other) == canonical(text.lower()) in (text, other)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("d.fasta", "ACGT\n", "line 1: 'ACGT', expected a line >NAME first"),
        ("d.fasta", ">a EI\nAC\nA?GT\n", r">a EI: letter 4 is '\?'"),
        ("d.fasta", ">a EI\n>b N\nAC\n", "no sequence follows >a EI"),
        ("d.fasta", ">a EI\nAC\n>b\nAC\n", ">b has no label: expected >NAME LABEL"),
        ("d.fasta", ">a EI\nAC\n", r"has 1 rows with the labels \['EI'\]"),
        ("d.fasta", "\n", "has no sequences"),
        ("d.gb", "LOCUS\n", "has no sequences"),
        ("d.tsv", "EI\tACGT\nN\tAC-T\n", "sequence 2: letter 3 is '-'"),
        ("d.csv", "EI,ACGT\nN,\n", "line 2: the text is empty"),
    ],
)
def test_wrong_files_say_where(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        load_nucleotides(str(tmp_path / name))


def test_options_that_are_not_read_are_refused(tmp_path):
    (tmp_path / "d.fa").write_text(FASTA)
    (tmp_path / "d.tsv").write_text("EI\tACGTacgu\nN\tNNNN\n")
    for data, options, message in (
        ("splice", {"label_field": "2"}, "has its own labels"),
        (str(tmp_path / "d.tsv"), {"labels_file": "x"}, "is a table"),
        (str(tmp_path / "d.fa"), {"text_column": "x"}, "is no table"),
    ):
        with pytest.raises(DataError, match=message):
            load_nucleotides(data, **options)

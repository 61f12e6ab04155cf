"""Genomics on sequences with a planted rule: train, stop, resume, evaluate, classify, and every mistake."""

import io
import json
import sys

import numpy as np
import pytest

from experiments.cli import run_command
from experiments.genomics import EXPERIMENT
from experiments.genomics.config import CrossValidationConfig
from experiments.genomics.data import encode_nucleotides, reverse_complement
from experiments.genomics.predictor import other_strand
from experiments.inspect import inspect
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
RULE = {"donor": (6, "GT"), "acceptor": (4, "AG"), "none": (0, "")}
SMALL = (
    "--folds 3 --hidden-size 12 --embedding-size 8 --batch-size 16 --steps 120 --steps-per-dispatch 10 --dropout 0 "
    "--evaluate-every 60 --warmup-steps 5 --learning-rate 0.03 --masked 0 --pooled-dropout 0 --averaging 0"
).split()


def planted(count: int) -> str:
    """FASTA of random sequences of 12; places 7 and 8 are GT in donors, 5 and 6 AG in acceptors, and neither else."""
    rng, lines = np.random.default_rng(0), []
    for i in range(count):
        label = list(RULE)[i % 3]
        letters = rng.choice(list("ACGT"), 12)
        letters[[4, 6]] = rng.choice(list("CT"), 2)
        start, motif = RULE[label]
        letters[start : start + len(motif)] = list(motif)
        lines.append(f">{i} {label}\n{''.join(letters)}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("genomics")
    (folder / "my.fasta").write_text(planted(180))
    assert command("--data", folder / "my.fasta", "--runs", folder, "--name", "run", *SMALL) == 0
    return folder / "genomics" / "run"


def test_a_run_says_everything_about_itself(trained, capsys):
    result = json.loads((trained / "result.json").read_text())
    assert result["metric"] == "accuracy %" and result["value"] > 90 and result["baseline"]["naive Bayes"] > 70
    assert result["value"] == pytest.approx(np.mean(result["scores"]["folds"])) and result["published"] == []
    for figure in ("curves", "places"):
        assert (trained / "figures" / f"{figure}.png").stat().st_size > 5_000
    assert "of 180 wrong" in (trained / "sample.txt").read_text()
    capsys.readouterr()
    assert command("evaluate", trained) == 0
    assert f"{result['value']:7.2f}  accuracy" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_one_can_look_inside_of_the_model_of_one_fold(trained, capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(inspect, [str(trained), "--row", "1", "--steps", "10"])
    assert ended.value.code == 0 and "does not apply" not in capsys.readouterr().out
    for figure in ("gates-0", "states", "flow", "saliency"):
        assert (trained / "figures" / f"inspect-{figure}.png").stat().st_size > 5_000


def test_the_strongest_places_are_those_of_the_rule(trained):
    places = json.loads((trained / "result.json").read_text())["scores"]["places"]
    assert places["donor"] == [7, 8] and places["acceptor"] == [5, 6]


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    run = tmp_path / "genomics" / "run"
    command.interrupted(capsys, run, "--data", trained.parents[1] / "my.fasta", *SMALL)
    result, expected = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    for score in ("accuracy", "nats", "folds", "confusion", "places"):
        assert result["scores"][score] == expected["scores"][score]


@pytest.mark.exhaustive
def test_ones_own_sequences_are_classified_without_the_training_data(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(CrossValidationConfig, "load", lambda self: pytest.fail("the training data are not needed"))
    (tmp_path / "x.fa").write_text(">mine\nccccAGccaacc\n")
    capsys.readouterr()
    assert command("classify", trained, "CACACAGTACAC", "--fasta", tmp_path / "x.fa") == 0
    one, two = capsys.readouterr().out.splitlines()
    assert one.startswith("donor  ") and one.endswith("  CACACAGTACAC") and {"G7", "T8"} <= set(one.split())
    assert two.startswith("acceptor  ") and two.endswith("  mine")


@pytest.mark.exhaustive
def test_a_transformer_of_equal_size_on_both_strands(tmp_path):
    rng = np.random.default_rng(0)
    rows = ["ab"[i % 2] + "\t" + "".join(rng.choice(list("ACGT"), 8)) for i in range(16)]
    (tmp_path / "my.tsv").write_text("\n".join(rows))
    flags = ["--data", tmp_path / "my.tsv", "--runs", tmp_path, "--name", "run", "--model", "transformer"]
    settled = "--no-hold-out --steps 20 --evaluate-every 20 --hidden-size 14 --heads 1 --transformer-layers 1".split()
    assert command(*flags, *SMALL, *settled, "--both-strands") == 0
    assert json.loads((tmp_path / "genomics/run/result.json").read_text())["model"] == "transformer, 1 layers"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "2"], "folds=2: expected at least 3"),
        (["--pooling", "sum"], "pooling='sum'"),
        (["--masked", "1.5"], "masked=1.5"),
        (["--no-hold-out"], "hold_out=False leaves nothing to choose an update by"),
        (["--data", "nowhere.fasta"], "nowhere.fasta' cannot be read"),
        (["--data", "few.fasta"], "folds=10: label 'EI' has 1 different texts"),
        (["classify", "RUN"], "sequences=(): expected at least one, or --fasta FILE"),
        (["classify", "RUN", "ACGX"], "letter 4 is 'X'"),
        (["classify", "RUN", "ACGTACGTACGTA"], "1 of 1 sequences are longer than length=12"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few.fasta").write_text(">a EI\nAC\n>b N\nGT\n")
    error = command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))
    assert message in error, error


@pytest.mark.exhaustive
def test_sequences_longer_than_those_of_training_are_named(trained, tmp_path, capsys):
    (tmp_path / "x.fasta").write_text(">short\nACGTACGTACGT\n>long\nACGTACGTACGTACG\n")
    error = command.refused(capsys, "classify", trained, "--fasta", tmp_path / "x.fasta")
    assert "1 of 2 sequences are longer than length=12" in error and "long has 15: cut them into windows" in error


@pytest.mark.exhaustive
def test_new_sequences_are_answered_the_same_everywhere(trained, tmp_path, capsys):
    (good := tmp_path / "good.fasta").write_text(">one\nACACAGTACACC\n>two\nccccAGccaa\n>three\nACGUN\n")
    (bad := tmp_path / "bad.fasta").write_text(">a\nACGT\n>b\n>c\nACCA\n")
    (labelled := tmp_path / "labelled.fasta").write_text(planted(9))
    check_answers(EXPERIMENT, trained, capsys, good=good, bad=bad, refused="b", labelled=labelled, fold=2)


def test_one_sequence_without_a_label_is_refused_alone(trained, tmp_path, capsys):
    predictor = EXPERIMENT.predictor(EXPERIMENT.load(trained))
    (file := tmp_path / "some.fasta").write_text(f"{planted(4)}\n>bare\nACGT\n")
    (table := tmp_path / "labels.csv").write_text("".join(f"{i},{list(RULE)[i % 3]}\n" for i in range(4)))
    named = EXPERIMENT.predictor(EXPERIMENT.load(trained), labels_file=str(table))
    for one, error in ((predictor, ">bare has no label"), (named, "labels.csv has no label for it")):
        items = list(one.read(str(file), labelled=True))
        (wrong,) = (item for item in items if isinstance(item.value, Exception))
        assert (wrong.id, len(items)) == ("bare", 5) and error in str(wrong.value)
    file.write_text(">bare\nACGT\n")
    with pytest.raises(ValueError, match="expected >NAME LABEL"):
        list(predictor.read(str(file), labelled=True))


def test_a_table_in_standard_input_is_one(trained, monkeypatch):
    predictor = EXPERIMENT.predictor(EXPERIMENT.load(trained))
    for content in ("id,sequence\na,ACGT\nb,AC!\n", '{"id": "a", "sequence": "ACGT"}\n{"id": "b", "seq": "AC!"}\n'):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
        a, b = predictor.read("-")
        assert (a.id, a.value.tolist(), b.id) == ("a", encode_nucleotides("ACGT").tolist(), "b")
        assert isinstance(b.value, ValueError)


@pytest.mark.exhaustive
def test_each_fold_given_as_a_file_has_the_scores_of_the_result(trained, tmp_path, capsys):
    given = EXPERIMENT.load(trained).config
    texts, labels, classes, _ = given.cross_validation.load()
    fold = given.cross_validation.split(texts, labels, given.fit).fold
    result = json.loads((trained / "result.json").read_text())["scores"]["folds"]
    for k, accuracy in enumerate(result):
        rows = [f">{i} {classes[labels[i]]}\n{texts[i]}\n" for i in np.flatnonzero(fold == k)]
        (file := tmp_path / "fold.fasta").write_text("".join(rows))
        capsys.readouterr()
        assert command("evaluate", trained, "--data", file, "--fold", k + 1, "--format", "json") == 0
        scores = json.loads(capsys.readouterr().out)
        assert scores["inputs"] == len(rows) and scores["accuracy %"] == pytest.approx(accuracy)


@pytest.mark.exhaustive
def test_what_cannot_be_answered_is_said_of_each_sequence(trained, tmp_path, capsys, monkeypatch):
    (file := tmp_path / "x.fasta").write_text(">a EI\nACGT\n>b donor\nACGX\n>c donor\nACGTACGTACGTA\n>d none\nACC\n")
    assert command("evaluate", trained, "--data", file, "--format", "json") == 1
    said = capsys.readouterr()
    assert "a: label 'EI' is none of the model's, acceptor, donor, none" in said.err
    assert "b: sequence: letter 4 is 'X'" in said.err and "c: 13 nucleotides: expected at most 12" in said.err
    assert json.loads(said.out)["inputs"] == 1 and json.loads(said.out)["refused"] == 3
    assert "fold=4: expected 1 to 3" in command.refused(capsys, "predict", trained, file, "--fold", 4)
    for content, ids in ((b"ACGT\n\nAC\n", [1, 2, 3]), (b">x\nAC\nGT\n>y\n>z\nA\n", ["x", "y", "z"])):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert command("predict", trained, "--format", "json") == 1
        records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [record["id"] for record in records] == ids and "it is empty" in records[1]["error"]


def test_the_other_strand_of_padded_sequences():
    codes = np.zeros((6, 2), np.int32)
    codes[:4, 0], codes[:, 1] = encode_nucleotides("ACGN"), encode_nucleotides("AACCRT")
    turned = np.asarray(other_strand(codes, np.array([4, 6])))
    assert (turned[:4, 0] == reverse_complement(codes[:4, 0])).all() and not turned[4:, 0].any()
    assert (turned[:, 1] == reverse_complement(codes[:, 1])).all()

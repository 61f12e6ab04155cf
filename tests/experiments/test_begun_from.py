"""A run begun from another one: its parameters, a named mismatch, and the same bits however often it is interrupted."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from rnn_jax.train import Run
from rnn_jax.train.checkpoint import CheckpointError
from rnn_jax.train.loading import begun_from
from tests.experiments import tiny_study
from tests.experiments.as_user import Commands
from tests.experiments.tiny_runs import plain, scored


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run that is over, of which others begin."""
    folder = tmp_path_factory.mktemp("source")
    assert plain("--runs", folder, "--name", "source", "--scale", 3) == 0
    return folder / "tiny_study" / "source"


def weights(run) -> list[float]:
    return tiny_study.EXPERIMENT.load(run).model["w"].tolist()


def test_it_begins_with_the_best_parameters_of_the_other_run(source, tmp_path):
    words = ("--runs", tmp_path, "--learning-rate", 1e-30, "--scale", 2)
    assert plain(*words, "--name", "tuned", "--init-from", source) == 0
    tuned = tmp_path / "tiny_study" / "tuned"
    assert weights(tuned) == weights(source)
    (start,) = Run.open(tuned).read_json("manifest.json")["starts"]
    assert start["init_from"]["run"] == str(source) and start["init_from"]["id"] == Run.open(source).identity
    assert plain(*words, "--name", "anew") == 0
    (start,) = Run.open(tuned.with_name("anew")).read_json("manifest.json")["starts"]
    assert "init_from" not in start and weights(tuned.with_name("anew")) != weights(source)


def test_interrupted_at_a_checkpoint_or_before_any_it_ends_the_same(source, tmp_path, capsys):
    flags = ("--runs", tmp_path, "--init-from", source)
    for name in ("whole", "stopped", "failed"):
        run = tmp_path / "tiny_study" / name

        def fail(count, name=name):
            if name == "failed":
                raise CheckpointError("no space left on device")

        code = scored(3.0, 2.0, stop_after=1 if name == "stopped" else 0, after=fail)(*flags, "--name", name)
        assert code == {"whole": 0, "stopped": 143, "failed": 1}[name]
        if name != "whole":
            assert (run / "checkpoints").exists() is (name == "stopped")
            assert scored(3.0 if name == "failed" else 2.0, 2.0)("resume", run) == 0
            starts = Run.open(run).read_json("manifest.json")["starts"]
            assert starts[0]["init_from"] == starts[1]["init_from"]
    capsys.readouterr()
    assert weights(run) == weights(run.with_name("stopped")) == weights(run.with_name("whole"))


def test_what_it_was_begun_from_must_still_be_that(source, tmp_path, capsys):
    other = tmp_path / "tiny_study" / "other"
    shutil.copytree(source, other)

    def fail(count):
        raise CheckpointError("no space left on device")

    words = ("--runs", tmp_path, "--name", "run")
    assert scored(3.0, after=fail)(*words, "--init-from", other) == 1
    assert plain("resume", other, "--steps", 16) == 0
    run = other.with_name("run")
    said = plain.refused(capsys, "resume", run)
    assert f"begun from {other}, whose best parameters are others now" in said and "--overwrite" in said
    shutil.rmtree(other)
    assert f"begun from {other}, which is no longer there" in plain.refused(capsys, "resume", run)
    assert "init_from=" in plain.refused(capsys, *words, "--resume", "--init-from", source)


def test_parameters_that_do_not_fit_are_named(source, tmp_path, capsys):
    said = plain.refused(capsys, "--runs", tmp_path, "--degree", 3, "--init-from", source)
    assert f"init_from='{source}' has other parameters than the model to be trained" in said
    assert "w: checkpoint float32[2], model float32[4]" in said and f"--config {source}/config.json" in said
    assert not (tmp_path / "tiny_study").exists()
    assert "is not a run" in plain.refused(capsys, "--runs", tmp_path, "--init-from", tmp_path)


@pytest.mark.parametrize("place", ["vocabulary.json", "speech.json"])
def test_tokens_and_classes_that_mean_something_else_are_named(source, tmp_path, capsys, place):
    run = tmp_path / "tiny_study" / "source"
    shutil.copytree(source, run)

    def prepare(config, vocabulary="abc"):
        content = vocabulary if place == "vocabulary.json" else {"words": vocabulary, "mean": [float(len(vocabulary))]}
        return dataclasses.replace(tiny_study.prepare(config), files={place: content})

    (run / place).write_text(json.dumps(prepare(tiny_study.Config()).files[place]))
    same = dataclasses.replace(tiny_study.EXPERIMENT, prepare=prepare)
    begun, _ = begun_from(same, prepare(tiny_study.Config()), run)
    jax.tree.map(np.testing.assert_array_equal, begun.task.params, same.load(run).params)
    other = dataclasses.replace(same, prepare=lambda config: prepare(config, "abd"))
    said = Commands(other).refused(capsys, "--runs", tmp_path, "--init-from", run)
    what = "vocabulary.json" if place == "vocabulary.json" else "words in speech.json"
    assert f"has another {what} than the data to be trained on" in said

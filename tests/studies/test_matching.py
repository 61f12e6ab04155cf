"""Configs at equal parameters: the size that is nearest, sizes that do not exist, experiments without one."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.registry import load_experiment
from rnn_jax.studies.grid import make_conditions
from rnn_jax.studies.matching import match_parameters, matched_before, nearest_size
from rnn_jax.studies.study import Condition
from rnn_jax.train import FitConfig
from tests.experiments import tiny_study


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sized(FitConfig):
    """A model of `gates` square kernels."""

    gates: int
    hidden_size: int = 64


def prepare(config):
    size = config.gates * (config.hidden_size**2 + config.hidden_size)
    return SimpleNamespace(task=SimpleNamespace(params={"w": np.zeros(size)}))


def cells(*gates, **changes):
    return [Condition({"gates": gate}, Sized(gates=gate, **changes)) for gate in gates]


def test_each_gets_the_size_that_is_nearest():
    found = match_parameters(given := cells(9, 4, hidden_size=7), given[0], prepare)
    assert [cell.config.hidden_size for cell in found] == [7, 11], "no multiple of four is near enough"
    found = match_parameters(given := cells(4, 1, 2), given[0], prepare)
    assert [cell.config.hidden_size for cell in found] == [64, 128, 92]
    assert found[1].name == "gates=1, hidden_size=128" and found[2].config.gates == 2


@pytest.mark.parametrize("target", [10, 4_000, 77_777])
def test_no_other_size_is_nearer(target):
    def count(size):
        return 3 * size**2 + 17 * size + 5

    size, found = nearest_size(count, target)
    assert found == count(size)
    assert abs(found - target) == min(abs(count(other) - target) for other in range(4, 1000, 4))


def test_what_cannot_be_matched_is_told():
    with pytest.raises(ValueError, match=r"gates=9 has 54 parameters at hidden_size=2, expected 80 within 5%"):
        match_parameters(given := cells(4, 9, hidden_size=4), given[0], prepare)
    varied = [Condition({"hidden_size": 8}, Sized(gates=1, hidden_size=8))]
    with pytest.raises(ValueError, match="hidden_size varies already"):
        match_parameters(varied, varied[0], prepare)
    plain = [Condition({}, tiny_study.Config())]
    with pytest.raises(ValueError, match="this experiment has no hidden_size"):
        match_parameters(plain, plain[0], tiny_study.prepare)


def test_a_config_without_a_use_for_hidden_size_is_told():
    video = load_experiment("video")
    frames = make_conditions(video, ["task=frames"], ["frame_cell=conv_lstm,lstm"])
    for reference in frames:
        with pytest.raises(ValueError, match=r"hidden_size, .* is None in frame_cell=conv_lstm; leave"):
            match_parameters(frames, reference, prepare)
    sized = make_conditions(video, ["task=frames", "hidden_size=64"], ["frame_cell=lstm,gru"])
    assert len(match_parameters(sized, sized[0], lambda config: tiny_study.prepare(tiny_study.Config()))) == 2


def test_sizes_of_a_study_that_was_begun_are_not_sought_again(tmp_path):
    given = cells(4, 1, 2)
    assert matched_before(given, tmp_path, "command") is None
    found = match_parameters(given, given[0], prepare)
    stored = {"command": "command", "cells": [{"fields": cell.fields} for cell in found]}
    (tmp_path / "study.json").write_text(json.dumps(stored))
    assert matched_before(given, tmp_path, "command") == found
    assert matched_before(given, tmp_path, "another command") is None
    assert matched_before(given[:2], tmp_path, "command") is None
    assert matched_before([*given[1:], given[0]], tmp_path, "command") is None
    del stored["cells"][1]["fields"]["hidden_size"]
    (tmp_path / "study.json").write_text(json.dumps(stored))
    assert matched_before(given, tmp_path, "command") is None

"""A run directory keeps what it was given, refuses what would harm it, and deletes nothing of others."""

import dataclasses
import hashlib
import json
import math
import os
import platform
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import pytest

from rnn_jax.train.manifest import git_state, processor
from rnn_jax.train.run import Run, config_hash, is_begun, plain
from tests.experiments.kills import Killed


@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = 100
    learning_rate: float = 1e-3
    corpus: Path = Path("text.txt")
    sizes: tuple[int, ...] = (3, 4)


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path, "copy", "first", Config())


def test_a_run_says_everything_about_itself(run, tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_TEST_SETTING", "1")
    secret = secrets.token_hex()  # drawn anew: this file itself may be in the manifest's diff
    monkeypatch.setenv("SECRET_TOKEN", secret)
    run.write_manifest(seed=7, data={"text": "abc"})
    run.close_manifest("finished")
    manifest = json.loads((tmp_path / "copy/first/manifest.json").read_text())
    (begun,) = manifest["starts"]
    assert begun["seed"] == 7 and begun["data"] == {"text": "abc"} and begun["exit_reason"] == "finished"
    assert begun["start"] <= begun["end"] and begun["devices"][0]["count"] == 4
    assert (
        all(begun["versions"].values())
        and begun["processor"]
        and begun["matmul_precision"] == "float32"
        and "jaxlib" in begun["jax"]
    )
    assert begun["variables"]["JAX_TEST_SETTING"] == "1" and secret not in json.dumps(manifest)
    assert manifest["config_hash"] == config_hash(Config()) == config_hash(run.config)
    assert run.config == {"steps": 100, "learning_rate": 1e-3, "corpus": "text.txt", "sizes": [3, 4]}
    assert Run.open(run.path) == run


def test_processors_are_told_apart_by_more_than_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr("rnn_jax.train.manifest.CPU_INFORMATION", tmp_path / "cpuinfo")
    assert processor() == (platform.processor() or platform.machine())
    one = "cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: A: B\nstepping\t: 1\nflags\t\t: fpu vme\n"
    (tmp_path / "cpuinfo").write_text(one + "\n" + one.replace("17", "18"))
    assert processor() == "A: B (family 25, model 17, stepping 1)"
    (tmp_path / "cpuinfo").write_text("model name\t: C\n")
    assert processor() == "C"


def test_the_hash_of_a_config_is_stable_and_sees_every_field():
    canonical = b'{"corpus":"text.txt","learning_rate":0.001,"sizes":[3,4],"steps":100}'
    assert config_hash(Config()) == hashlib.sha256(canonical).hexdigest()[:12]
    others = [Config(steps=101), Config(learning_rate=2e-3), Config(corpus=Path("b")), Config(sizes=(3,))]
    assert len({config_hash(c) for c in [Config(), *others]}) == 5


def test_git_state_is_commit_and_diff_or_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state() is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    Path("a.txt").write_text("one\n")
    for command in (["init", "-q"], ["add", "a.txt"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    Path("a.txt").write_text("two\n" * 50_000)
    state = git_state()
    assert len(state["commit"]) == 40 and "+two" in state["diff"] and state["diff_is_cut"]
    monkeypatch.setenv("PATH", "")
    assert git_state() is None


def test_metrics_survive_a_torn_line_and_a_resume_drops_what_comes_again(run):
    for step in range(4):
        run.log({"step": step, "loss": jnp.float32(step / 2), "grad_norm": math.inf})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    assert [r["step"] for r in run.records()] == [0, 1, 2, 3]
    run.truncate_log(2)
    run.log({"step": 3, "loss": 9.0})
    assert run.records()[2:] == [{"step": 2, "loss": 1.0, "grad_norm": None}, {"step": 3, "loss": 9.0}]
    (run.path / "metrics.jsonl").write_text('{"st\n{"step": 1}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl is damaged"):
        run.records()
    with pytest.raises(ValueError, match="step=None"):
        run.log({"loss": 1.0})


@pytest.mark.parametrize("value", [{1: "a"}, [object()], {"a": jnp.zeros(2)}, {"a": {2, 3}}])
def test_what_json_cannot_hold_is_refused(run, value):
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        run.write_json("result.json", value)
    assert not (run.path / "result.json").exists()


def test_what_json_cannot_say_becomes_null():
    assert plain({"a": math.nan, "b": (jnp.float32(math.inf), jnp.int32(3), True)}) == {"a": None, "b": [None, 3, True]}


def test_a_failed_write_leaves_the_old_file(run, monkeypatch):
    run.write_json("result.json", {"value": 1})
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        run.write_json("result.json", {"value": 2})
    assert run.read_json("result.json") == {"value": 1}


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "/etc", ".hidden", "a b", "a\n", "é", "a\0"])
def test_names_that_are_not_names_are_refused(tmp_path, name):
    for arguments in (("copy", name), (name, "first")):
        with pytest.raises(ValueError, match="use letters, digits"):
            Run.create(tmp_path / "runs", *arguments, Config())
    assert not (tmp_path / "runs").exists()


def test_a_link_out_of_the_runs_is_refused(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "runs/copy").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="outside of"):
        Run.create(tmp_path / "runs", "copy", "first", Config())


CONTENTS: dict[str, Callable[[Run], object]] = {
    "a checkpoint": lambda run: (run.checkpoints / "5").mkdir(parents=True),
    "a damaged checkpoint": lambda run: (run.checkpoints / "5.corrupt-20260101T000000.000000Z").mkdir(parents=True),
    "a result": lambda run: run.write_json("result.json", {}),
    "metrics of another config": lambda run: (run.log({"step": 1}), run.write_json("config.json", Config(steps=7))),
    "a figure": lambda run: (run.figures / "mine.png").touch(),
    "a foreign file": lambda run: (run.path / "notes.txt").touch(),
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_run_is_not_overwritten_unasked(run, tmp_path, content):
    content(run)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"not empty; use --resume .* --overwrite"):
        Run.create(tmp_path, "copy", "first", Config())
    assert sorted(tmp_path.rglob("*")) == before


def begin(folder: Path, **options) -> Run:
    """All that is written before the first checkpoint."""
    run = Run.create(folder, "copy", "first", Config(), **options)
    run.write_json("vocabulary.json", ["a", "b"])
    run.write_manifest(seed=1)
    for step in (1, 2):
        run.log({"step": step})
    run.checkpoints.mkdir(exist_ok=True)
    (run.checkpoints / "5.orbax-checkpoint-tmp-1").mkdir()
    raise Killed


def kill_at(patch: pytest.MonkeyPatch, moment: int) -> None:
    """The end comes before or after a change of the file system; that of number `moment`, both counted."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == moment:
            raise Killed

    def watched(change: Callable) -> Callable:
        def watch(*arguments, **options):
            tick()
            found = change(*arguments, **options)
            if change.__name__ != "open":  # the file would be left open, and what comes next is a moment too
                tick()
            return found

        return watch

    for owner, name in [(Path, "mkdir"), (Path, "open"), (Path, "replace"), (Path, "unlink"), (os, "fsync"),
                        (shutil, "rmtree")]:  # fmt: skip
        patch.setattr(owner, name, watched(getattr(owner, name)))


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("over", [False, True])
def test_killed_at_any_moment_before_the_first_checkpoint_the_same_command_begins_again(tmp_path, monkeypatch, over):
    monkeypatch.setattr("rnn_jax.train.run.environment", dict)
    moments = 0
    while True:
        folder, notes = tmp_path / str(moments), tmp_path / str(moments) / "copy/first/notes.txt"
        if over:  # what is there of an earlier run is replaced
            finished = Run.create(folder, "copy", "first", Config(steps=7))
            (finished.checkpoints / "3").mkdir(parents=True)
            finished.write_json("result.json", {})
            (finished.figures / "curves.png").touch()
            notes.touch()
        moments += 1
        with pytest.raises(Killed), monkeypatch.context() as patch:
            kill_at(patch, moments)
            begin(folder, overwrite=over)
        reached_the_end = (folder / "copy/first/checkpoints/5.orbax-checkpoint-tmp-1").exists()
        if not over and is_begun(folder / "copy/first"):  # as a study asks
            Run.create(folder, "copy", "first", Config(), resume=True)
        with pytest.raises(Killed):
            begin(folder, overwrite=over)
        assert notes.exists() == over
        if reached_the_end:
            break
    assert moments > 20


def test_what_was_killed_before_it_had_a_config_says_how_to_begin(run):
    (run.path / "config.json").unlink()
    with pytest.raises(ValueError, match=r"has no config\.json: .* give the command again"):
        Run.create(run.path.parents[1], "copy", "first", Config(), resume=True)


def test_overwriting_deletes_what_the_run_wrote_and_nothing_else(run, tmp_path):
    run.write_text("sample.txt", "x")
    run.log({"step": 1})
    elsewhere = tmp_path / "elsewhere"
    for folder in (run.checkpoints / "5/state", run.checkpoints / "3.corrupt-20260101T000000.000000Z", elsewhere):
        folder.mkdir(parents=True)
    foreign = [run.path / "notes.txt", run.checkpoints / "notes.txt", run.figures / "mine.svg", elsewhere / "kept"]
    for path in [*foreign, run.figures / "curves.png"]:
        path.write_text("x")
    (run.checkpoints / "7").symlink_to(elsewhere)
    Run.create(tmp_path, "copy", "first", Config(steps=5), overwrite=True)
    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*foreign, run.path / "config.json", run.path / "manifest.json"}
    assert run.config["steps"] == 5


@pytest.mark.parametrize("choice", ["resume", "overwrite"])
def test_a_folder_that_is_not_a_run_is_left_alone(tmp_path, choice):
    folder = tmp_path / "copy/first"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="is not a run"):
        Run.create(tmp_path, "copy", "first", Config(), **{choice: True})
    assert (folder / "config.json").read_text() == "{}"


def test_in_place_of_the_folder_of_runs_one_of_them_is_asked_for(run):
    with pytest.raises(ValueError, match=rf"is not a run: .*; below it are {re.escape(str(run.path))}$"):
        Run.open(run.path.parent)


def test_resuming_with_another_config_names_each_field(run, tmp_path):
    other = Config(steps=200, learning_rate=0.5)
    with pytest.raises(ValueError) as caught:
        Run.create(tmp_path, "copy", "first", other, resume=True)
    assert "learning_rate: stored 0.001, now 0.5" in str(caught.value)
    assert "steps: stored 100, now 200" in str(caught.value) and "sizes" not in str(caught.value)
    Run.create(
        tmp_path, "copy", "first", Config(steps=200), resume=True, upgrade=lambda stored: stored | {"steps": 200}
    )
    assert run.config["steps"] == 200

"""What reading a checkpoint does to it: nothing, but that a writer sets aside what is damaged, and only that."""

import os
import resource
import shutil
import subprocess
import sys

import pytest

from rnn_jax.train.checkpoint import CheckpointError, Checkpoints
from tests.train.test_checkpoint import DAMAGES, assert_same, largest, make_state

# Orbax abandons its tasks when a file cannot be opened, and they complain when they are collected, in any test.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def checkpoints(tmp_path):
    made = Checkpoints(tmp_path / "checkpoints")
    for step in (1, 2):
        made.save(step, make_state(step), {"step": step})
    return made


@pytest.mark.exhaustive(but=4)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_whoever_only_reads_leaves_a_damaged_step_in_its_place(checkpoints, damage, caplog):
    damage(checkpoints.directory / "2")
    before = sorted(checkpoints.directory.rglob("*"))
    reading = Checkpoints(checkpoints.directory, read_only=True)
    assert reading.load(make_state(0)).step == 1
    assert "step 2 is damaged" in caplog.text and caplog.text.rstrip().endswith("; this is step 1")
    assert sorted(checkpoints.directory.rglob("*")) == before
    with pytest.raises(ValueError, match="read_only=True: step 3 is not saved"):
        reading.save(3, make_state(3), {})


@pytest.mark.exhaustive
def test_damage_is_told_in_one_line(checkpoints, tmp_path, capfd):
    """Others than the reader speak too, in threads, as long as the program runs: so it is a program of its own."""
    for name, damage in DAMAGES.items():
        shutil.copytree(checkpoints.directory, tmp_path / name)
        damage(tmp_path / name / "2")
    shutil.copytree(checkpoints.directory, tmp_path / "not asked for")
    DAMAGES["emptied"](tmp_path / "not asked for/1")
    code = (
        "import sys; from rnn_jax.train.checkpoint import Checkpoints\n"
        "from tests.train.test_checkpoint import make_state\n"
        "for folder in sys.argv[1:]: print(Checkpoints(folder, read_only=True).load(make_state(0)).step)"
    )
    folders = [*(tmp_path / name for name in DAMAGES), tmp_path / "not asked for"]
    subprocess.run([sys.executable, "-c", code, *folders], check=True)
    out, err = capfd.readouterr()
    assert out.split() == [*(["1"] * len(DAMAGES)), "2"]
    for line, folder in zip(err.splitlines(), folders[:-1], strict=True):
        assert f"{folder}: step 2 is damaged (" in line and line.endswith("); this is step 1")


def assert_left_alone(checkpoints):
    with pytest.raises(CheckpointError, match=r"2 cannot be read .* it may be whole and stays as it is"):
        checkpoints.load(make_state(0))
    assert sorted(path.name for path in checkpoints.directory.iterdir()) == ["1", "2"]


@pytest.mark.filterwarnings("ignore:coroutine.*was never awaited")
@pytest.mark.parametrize("left", [3, 5, 8])
def test_too_many_open_files_are_no_damage(checkpoints, left):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, before[1]))
    held = []
    try:
        while len(held) < highest + 20:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        for descriptor in held[len(held) - left :]:
            os.close(descriptor)
        del held[len(held) - left :]
    try:
        assert_left_alone(checkpoints)
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert checkpoints.load(make_state(0)).step == 2


@pytest.mark.parametrize("file", ["the data", "state/_METADATA", "_CHECKPOINT_METADATA"])
def test_what_the_system_does_not_let_us_read_is_no_damage(checkpoints, file):
    found = largest(checkpoints.directory / "2") if file == "the data" else checkpoints.directory / "2" / file
    found.rename(aside := checkpoints.directory.parent / "aside")
    found.symlink_to(found)  # it cannot be opened by anyone; permissions do not stop root
    assert_left_alone(checkpoints)
    aside.replace(found)
    assert checkpoints.load(make_state(0)).step == 2


@pytest.mark.parametrize("read_only", [False, True])
def test_for_a_damaged_best_step_the_newest_that_is_intact_stands_in(checkpoints, read_only, caplog):
    checkpoints.save(3, make_state(3), {}, best=True)
    for step in (4, 5):
        checkpoints.save(step, make_state(step), {})
    largest(checkpoints.directory / "3").write_bytes(b"")
    found = Checkpoints(checkpoints.directory, read_only=read_only).load(make_state(0), best=True)
    assert found.step == 5 and "step 3 is damaged" in caplog.text
    assert_same(found.state, make_state(5))
    assert (3 in checkpoints.steps()) == read_only

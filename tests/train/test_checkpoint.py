"""Whatever happens to the files, a loaded state is one that was saved: equal to the last bit, or an error."""

import gc
import logging
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from rnn_jax.train.checkpoint import CheckpointError, Checkpoints

optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))


@flax.struct.dataclass
class Average:
    params: Any
    decay: float = flax.struct.field(pytree_node=False, default=0.9)


class State(NamedTuple):
    params: dict
    optimizer: Any
    average: Average
    key: jax.Array
    other: Any


def make_state(seed: int, size: int = 30) -> State:
    key = jax.random.key(seed)
    params = {
        "embedding": {"kernel": jax.random.normal(key, (65, size))},
        "bias": jnp.full((3,), -0.0, jnp.bfloat16),
        "flags": jnp.array([True, False]),
    }
    keys = jax.random.split(jax.random.key(seed + 1, impl="rbg"), 3)
    other = ((), None, jnp.zeros((0, 4)), keys[:0], np.arange(5), jnp.int32(seed))
    return State(params, optimizer.init(params), Average(params), keys, other)


def abstract(leaf, sharding=None):
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def assert_same(state, expected):
    assert jax.tree.structure(state) == jax.tree.structure(expected)
    for (path, a), b in zip(jax.tree.leaves_with_path(state), jax.tree.leaves(expected), strict=True):
        assert (type(a), a.dtype, a.shape) == (type(b), b.dtype, b.shape), path
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), path


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    checkpoints = Checkpoints(tmp_path_factory.mktemp("template"))
    for step in (1, 2):
        checkpoints.save(step, make_state(step), {"step": step})
    return checkpoints.directory


@pytest.fixture
def checkpoints(template, tmp_path):
    return Checkpoints(shutil.copytree(template, tmp_path / "checkpoints"))


def test_a_state_comes_back_to_the_last_bit_with_its_info(tmp_path):
    info = {"config": {"sizes": (3, 4)}, "vocabulary": ["\n", "ä", "𝄞"], "best": None, "patience": 3, "rate": 0.1}
    state = make_state(5)
    checkpoints = Checkpoints(tmp_path / "a" / "b")
    checkpoints.save(5, state, info)
    for like in (state, jax.tree.map(lambda x: x if isinstance(x, np.ndarray) else abstract(x), state)):
        loaded = checkpoints.load(like)
        assert loaded.step == 5 and loaded.info == {**info, "config": {"sizes": [3, 4]}}
        assert_same(loaded.state, state)


def test_leaves_go_to_the_shardings_of_like(tmp_path):
    mesh = jax.make_mesh((4,), ("data",))
    split, copied = NamedSharding(mesh, PartitionSpec("data")), NamedSharding(mesh, PartitionSpec())
    state = {"carry": jnp.arange(8.0), "keys": jax.random.split(jax.random.key(0), 4), "free": jnp.ones(3)}
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(0, {**state, "carry": jax.device_put(state["carry"], split)}, {})
    for sharding in (split, copied):
        like = {**{name: abstract(leaf, sharding) for name, leaf in state.items()}, "free": state["free"]}
        loaded = checkpoints.load(like).state
        assert all(loaded[name].sharding.is_equivalent_to(sharding, 1) for name in ("carry", "keys"))
        assert not loaded["free"].committed
        assert_same(loaded, state)
    with pytest.raises(ValueError, match="names no devices"):
        checkpoints.load(jax.eval_shape(lambda x: x, loaded))


def test_the_newest_and_the_best_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert checkpoints.steps() == [] and checkpoints.latest_step is None and checkpoints.best_step is None
    foreign = tmp_path / "notes.txt"
    foreign.write_text("mine")
    (tmp_path / "0").mkdir()  # not written by this class: neither counted nor deleted
    for step, best in [(1, True), (2, True), (3, False), (10, False), (11, False)]:
        checkpoints.save(step, {"a": jnp.full(3, step)}, {}, best=best)
    assert checkpoints.steps() == [0, 2, 10, 11] and foreign.exists()
    assert (checkpoints.latest_step, checkpoints.best_step) == (11, 2)
    assert checkpoints.load({"a": jnp.zeros(3, jnp.int32)}, best=True).state["a"][0] == 2
    assert checkpoints.load({"a": jnp.zeros(3, jnp.int32)}, step=10).state["a"][0] == 10


def largest(folder):
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def zero_a_page(folder):
    with largest(folder).open("r+b") as file:
        file.seek(4096)
        file.write(bytes(4096))


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


DAMAGES = {
    "page zeroed": zero_a_page,
    "truncated": lambda folder: (data := largest(folder)).write_bytes(data.read_bytes()[:5000]),
    "emptied": lambda folder: largest(folder).write_bytes(b""),
    "data deleted": lambda folder: largest(folder).unlink(),
    "all data deleted": lambda folder: shutil.rmtree(folder / "state"),
    "empty directory": empty,
    "a file": lambda folder: (shutil.rmtree(folder), folder.write_text("x")),
    "_METADATA deleted": lambda folder: (folder / "state/_METADATA").unlink(),
    "_METADATA truncated": lambda folder: (folder / "state/_METADATA").write_text("{"),
    "manifest deleted": lambda folder: (folder / "state/manifest.ocdbt").unlink(),
    "record deleted": lambda folder: (folder / "_CHECKPOINT_METADATA").unlink(),
    "another step": lambda folder: (shutil.rmtree(folder), shutil.copytree(folder.with_name("1"), folder)),
}


@pytest.mark.exhaustive(but=4)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_step_is_set_aside_and_the_one_before_is_loaded(checkpoints, damage, caplog):
    damage(checkpoints.directory / "2")
    loaded = checkpoints.load(make_state(0))
    assert loaded.step == 1 and loaded.info == {"step": 1}
    assert_same(loaded.state, make_state(1))
    aside = [path.name for path in checkpoints.directory.iterdir() if path.name.startswith("2.corrupt-")]
    assert len(aside) == 1 and checkpoints.steps() == [1]
    assert [record.levelno for record in caplog.records if aside[0] in record.message] == [logging.WARNING]
    checkpoints.save(2, make_state(2), {"step": 2})
    assert checkpoints.load(make_state(0)).step == 2


@pytest.mark.slow
def test_no_flipped_bit_in_any_file_changes_what_is_loaded(template, tmp_path):
    draw = random.Random(0)
    files = [path.relative_to(template) for path in (template / "2").rglob("*") if path.is_file()]
    sizes = {file: (template / file).stat().st_size for file in files}
    detected = dict.fromkeys(files, 0)
    for file in (file for file in files if sizes[file]):
        for offset in {0, sizes[file] - 1, *(draw.randrange(sizes[file]) for _ in range(3))}:
            directory = shutil.copytree(template, tmp_path / "copy")
            data = bytearray((directory / file).read_bytes())
            data[offset] ^= 1 << draw.randrange(8)
            (directory / file).write_bytes(data)
            loaded = Checkpoints(directory).load(make_state(0))
            assert_same(loaded.state, make_state(loaded.step))
            assert loaded.info == {"step": loaded.step}
            detected[file] += loaded.step == 1
            shutil.rmtree(directory)
    # A flip may hit bytes that nobody reads and harm nothing, but five in the largest file cannot all miss.
    assert detected[max(files, key=sizes.get)] >= 1


def test_the_commit_file_says_nothing_about_the_data(checkpoints):
    (checkpoints.directory / "2/commit_success.txt").unlink()
    assert_same(checkpoints.load(make_state(0)).state, make_state(2))


def test_a_step_that_was_asked_for_has_no_substitute(checkpoints):
    checkpoints.save(3, make_state(3), {})
    largest(checkpoints.directory / "3").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"(?s)no intact step 3.*step 3 is damaged.*newest intact step is 2"):
        checkpoints.load(make_state(0), step=3)
    with pytest.raises(CheckpointError, match=r"(?s)no intact step 7.*newest intact step is 2"):
        checkpoints.load(make_state(0), step=7)
    largest(checkpoints.directory / "2").unlink()
    with pytest.raises(CheckpointError, match=r"(?s)no intact checkpoint.*step 2 is damaged"):
        checkpoints.load(make_state(0))
    with pytest.raises(CheckpointError, match="no intact checkpoint in"):
        Checkpoints(checkpoints.directory / "nowhere").load(make_state(0))


def test_another_model_is_named_leaf_by_leaf_and_nothing_is_set_aside(checkpoints):
    state = make_state(0)
    params = {"embedding": {"kernel": jnp.zeros((65, 8))}, "bias": jnp.zeros(3), "head": jnp.zeros(2)}
    with pytest.raises(CheckpointError) as caught:
        checkpoints.load(state._replace(params=params))
    assert str(caught.value).splitlines()[1:] == [
        "  params/bias: checkpoint bfloat16[3], model float32[3]",
        "  params/embedding/kernel: checkpoint float32[65,30], model float32[65,8]",
        "  params/flags: checkpoint bool[2], model has none",
        "  params/head: checkpoint has none, model float32[2]",
    ]
    with pytest.raises(CheckpointError, match=r"and 12 more$"):
        checkpoints.load({str(i): jnp.zeros(1) for i in range(22 - len(jax.tree.leaves(state)))})
    with pytest.raises(CheckpointError, match=r"key: checkpoint key<rbg>\[3\], model key<fry>\[3\]"):
        checkpoints.load(state._replace(key=jax.random.split(jax.random.key(0), 3)))
    assert checkpoints.steps() == [1, 2]


@pytest.mark.parametrize(
    "step, state, info, error, message",
    [
        (-1, {"a": np.ones(2)}, {}, ValueError, "step is -1"),
        (3, {"a": {"b": 1.0}}, {}, ValueError, r"a/b is 1\.0 \(float\)"),
        (3, {"a": {"b": np.ones(2)}, "a/b": np.ones(2)}, {}, ValueError, "two leaves"),
        (3, {"a": np.ones(2)}, {"a": object()}, ValueError, "info cannot be written as JSON"),
        (3, {"a": np.ones(2)}, {"a": float("nan")}, ValueError, "info cannot be written as JSON"),
        (3, {"a": np.ones(2)}, {1: "a"}, ValueError, "other keys or values"),
        (3, {"a": np.ones(2), "b": {"c": jnp.array([1, jnp.nan], jnp.bfloat16)}}, {}, CheckpointError, "b/c holds NaN"),
        (3, {"params": {"gain": jnp.array(jnp.inf)}}, {}, CheckpointError, "params/gain holds NaN or infinity"),
        (3, {"best": jnp.array(jnp.nan)}, {}, CheckpointError, "best holds NaN or infinity"),
        (3, {"means": jnp.array([1, -jnp.inf])}, {}, CheckpointError, "means holds NaN or infinity"),
        (2, {"a": np.ones(2)}, {}, CheckpointError, "there already.* step 2, saved before, is untouched"),
    ],
)
def test_what_cannot_be_saved_is_refused_before_anything_is_written(checkpoints, step, state, info, error, message):
    with pytest.raises(error, match=message):
        checkpoints.save(step, state, info)
    assert sorted(path.name for path in checkpoints.directory.iterdir()) == ["1", "2"]


def test_a_best_value_may_be_infinite_before_there_is_one(tmp_path):
    state = {"best": jnp.array(-jnp.inf), "params": {"a": jnp.ones(2)}}
    Checkpoints(tmp_path).save(1, state, {})
    assert Checkpoints(tmp_path).load(state).state["best"] == -jnp.inf


def test_a_part_of_a_state_is_loaded_alone(tmp_path):
    state = {"params": {"a": jnp.ones(2)}, "optimizer": {"a": jnp.zeros(2)}, "step": jnp.int32(7)}
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state, {"k": 1})
    loaded = checkpoints.load({"params": {"a": jax.ShapeDtypeStruct((2,), jnp.float32)}}, part=True)
    assert loaded.step == 1 and loaded.info == {"k": 1}
    np.testing.assert_array_equal(loaded.state["params"]["a"], 1)
    with pytest.raises(CheckpointError, match=r"optimizer/a: checkpoint .*, model has none"):
        checkpoints.load({"params": state["params"]})
    with pytest.raises(CheckpointError, match="params/b: checkpoint has none, model"):
        checkpoints.load({"params": {"b": jnp.ones(2)}}, part=True)


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match=rf"could not be written to {tmp_path}/file/checkpoints"):
        Checkpoints(tmp_path / "file/checkpoints").save(1, make_state(1), {})
    with pytest.raises(ValueError, match="keep is 0"):
        Checkpoints(tmp_path, keep=0)


# Orbax abandons the other tasks of a write that fails, and they complain when they are collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_failing_write_leaves_the_steps_before(checkpoints):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))  # every file ends here, as on a full disk
    try:
        with pytest.raises(CheckpointError, match=r"step 3 could not be written to .*; step 2, saved before, is untou"):
            checkpoints.save(3, make_state(3, size=30_000), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    gc.collect()
    assert checkpoints.steps() == [1, 2]
    assert_same(checkpoints.load(make_state(0)).state, make_state(2))
    checkpoints.save(4, make_state(4), {})
    assert sorted(path.name for path in checkpoints.directory.iterdir()) == ["2", "4"]


def start(program: str, *arguments: Any) -> subprocess.Popen:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


SAVE_FOREVER = """
import sys, itertools, jax.numpy as jnp
from rnn_jax.train.checkpoint import Checkpoints
checkpoints = Checkpoints(sys.argv[1])
first = (checkpoints.latest_step or 0) + 1
for step in itertools.count(first):
    checkpoints.save(step, {"a": jnp.full((300, 1000), step)}, {"step": step})
    print(step, flush=True)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_whole_steps(tmp_path):
    draw, like = random.Random(1), {"a": jnp.zeros((300, 1000), jnp.int32)}
    checkpoints = Checkpoints(tmp_path)
    for _ in range(3):
        process = start(SAVE_FOREVER, tmp_path)
        finished = int(process.stdout.readline())
        time.sleep(draw.uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
        finished = max([finished, *map(int, process.communicate()[0].split())])
        loaded = checkpoints.load(like)
        assert loaded.step >= finished and loaded.info == {"step": loaded.step}
        assert (loaded.state["a"] == loaded.step).all()
        assert not list(tmp_path.glob("*.corrupt*"))
    checkpoints.save(loaded.step + 1, like, {})
    assert {path.name for path in tmp_path.iterdir()} == {str(step) for step in checkpoints.steps()}


TWO_PROCESSES = """
import sys, pathlib, resource, jax, jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P
from jax.experimental.multihost_utils import sync_global_devices
from rnn_jax.train import checkpoint
rank, port, directory = int(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
jax.config.update("jax_num_cpu_devices", 2)
jax.distributed.initialize(f"localhost:{port}", 2, rank)
mesh = jax.make_mesh((4,), ("batch",))
whole = np.arange(8 * 40_000.0, dtype=np.float32).reshape(8, -1)
def put(spec):
    return jax.make_array_from_callback(whole.shape, NamedSharding(mesh, spec), lambda index: whole[index])
state = {"params": put(P()), "carry": put(P("batch")), "step": jnp.int32(3)}
checkpoints = checkpoint.Checkpoints(directory)
def check(step):
    loaded = checkpoints.load(state)
    assert loaded.step == step, loaded.step
    for name, array in loaded.state.items():
        assert array.sharding == state[name].sharding, name
        assert all((a.data == b.data).all() for a, b in zip(array.addressable_shards, state[name].addressable_shards))
for step in (1, 2):
    checkpoints.save(step, state, {})
check(2)
if rank == 0:
    (directory / "2/state/manifest.ocdbt").unlink()
sync_global_devices("damaged")
check(1)
checkpoint.BARRIER_SECONDS = 2
def refused(step):
    try:
        checkpoints.save(step, state, {})
    except checkpoint.CheckpointError:
        print("refused", flush=True)
refused(1)
if rank == 0:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
refused(3)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
check(1)
checkpoints.save(4, state, {})
check(4)
print("done", flush=True)
"""


@pytest.mark.exhaustive
@pytest.mark.slow
def test_two_processes_save_load_fall_back_and_fail_together(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    processes = [start(TWO_PROCESSES, rank, port, tmp_path) for rank in (0, 1)]
    try:
        outputs = [process.communicate()[0].split() for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [output[-3:] for output in outputs] == [["refused", "refused", "done"]] * 2

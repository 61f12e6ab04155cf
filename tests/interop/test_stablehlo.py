"""A saved step gives in another process, without this library, what it gave here."""

import functools
import hashlib
import json
import subprocess
import sys
import zipfile

import chex
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_jax
from rnn_jax.interop.stablehlo import load_program, load_step, save_program, save_step

STACK = rnn_jax.Stack([rnn_jax.LSTM(3, 4), rnn_jax.GRU(4, 5)])
X = jax.ShapeDtypeStruct((3,), jnp.float32)


@pytest.fixture(scope="module", autouse=True)
def symbolic_sizes_are_no_integers():
    """A step is saved for any number of rows; the checks of shapes know numbers alone."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def params():
    return STACK.init(jax.random.key(0))


@pytest.fixture(scope="module")
def saved(params, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "step.rnn"
    save_step(path, functools.partial(STACK, params), STACK.initial_carry, X)
    return path


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("batch", [1, 7])
def test_a_loaded_step_streams_like_the_cell(saved, params, batch):
    step = load_step(saved)
    xs = jax.random.normal(jax.random.key(1), (5, batch, 3))
    carry, ys = step.initial_carry(batch), []
    for x in xs:
        carry, y = step(carry, x)
        ys.append(y)
    wanted = jax.jit(functools.partial(rnn_jax.unroll, STACK))(params, xs)
    chex.assert_trees_all_close((jnp.stack(ys), carry), (wanted.ys, jax.tree.leaves(wanted.carry)), atol=1e-6)


@pytest.mark.exhaustive
def test_another_process_needs_jax_alone(saved, params, tmp_path):
    xs = np.asarray(jax.random.normal(jax.random.key(1), (2, 3)))
    np.save(tmp_path / "x.npy", xs)
    reader = f"""
import json, sys, zipfile
import numpy as np
from jax import export
with zipfile.ZipFile({str(saved)!r}) as archive:
    step = export.deserialize(bytearray(archive.read("step.stablehlo")))
    starts = json.loads(archive.read("metadata.json"))["initial_carry"]
x = np.load({str(tmp_path / "x.npy")!r})
carry = [np.tile(np.asarray(start["value"], start["dtype"]), (2, 1)) for start in starts]
print(json.dumps(np.asarray(step.call(carry, x)[1]).tolist()))
assert "rnn_jax" not in sys.modules
"""
    said = subprocess.run([sys.executable, "-c", reader], capture_output=True, text=True, check=True).stdout
    wanted = jax.jit(STACK)(params, STACK.initial_carry((2,)), xs)[1]
    np.testing.assert_allclose(json.loads(said), wanted, atol=1e-6)


def test_a_language_model_is_saved_like_a_cell(tmp_path):
    embedding = jax.random.normal(jax.random.key(0), (11, 3))
    params = STACK.init(jax.random.key(1))

    def step(carry, token):
        return STACK(params, carry, embedding[token])

    save_step(tmp_path / "model.rnn", step, STACK.initial_carry, jax.ShapeDtypeStruct((), jnp.int32))
    loaded = load_step(tmp_path / "model.rnn")
    tokens = jnp.array([3, 10], jnp.int32)
    chex.assert_trees_all_close(
        loaded(loaded.initial_carry(2), tokens)[1], jax.jit(step)(STACK.initial_carry((2,)), tokens)[1], atol=1e-6
    )


def test_wrong_inputs_and_damaged_files_are_named(saved, tmp_path):
    step = load_step(saved)
    with pytest.raises(ValueError, match=r"x is float32\[2, 4\]: this step takes float32\[batch, 3\]"):
        step(step.initial_carry(2), jnp.ones((2, 4)))
    with pytest.raises(ValueError, match="x is int32"):
        step(step.initial_carry(2), jnp.ones((2, 3), jnp.int32))
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(ValueError, match=r"text': not a file written by save_step"):
        load_step(tmp_path / "text")
    with zipfile.ZipFile(saved) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}

    def rewritten(**changed):
        with zipfile.ZipFile(tmp_path / "changed", "w") as archive:
            for name, content in contents.items():
                archive.writestr(name, changed.get(name.partition(".")[0], content))
        return tmp_path / "changed"

    flipped = bytearray(contents["step.stablehlo"])
    flipped[len(flipped) // 2] ^= 1
    with pytest.raises(ValueError, match=r"step\.stablehlo does not match its SHA-256"):
        load_step(rewritten(step=bytes(flipped)))
    later = json.dumps(json.loads(contents["metadata.json"]) | {"format": 2})
    with pytest.raises(ValueError, match="has format 2: this version reads 1"):
        load_step(rewritten(metadata=later))


LINEAR = [rnn_jax.MinGRU(3, 4), rnn_jax.S5(3, 4), rnn_jax.MLSTM(3, 4)]
GUARDED = [(LINEAR[0], "auto"), (LINEAR[1], "associative"), (LINEAR[2], "sequential"), (STACK, "auto")]
OTHERS = [(cell, method) for cell in LINEAR for method in ("auto", "sequential", "associative")]


@pytest.mark.parametrize(
    ("cell", "method"),
    [*GUARDED, *(pytest.param(*one, marks=pytest.mark.exhaustive) for one in OTHERS if one not in GUARDED)],
    ids=str,
)
def test_a_sequence_of_any_size_is_exported(cell, method):
    params = cell.init(jax.random.key(0))

    def run(xs, lengths):
        unroll = functools.partial(rnn_jax.unroll, cell, params, xs, lengths=lengths, method=method)
        return unroll().ys, unroll(reverse=True, checkpoint_every=16).ys

    def exported(sizes):
        length, batch = jax.export.symbolic_shape(sizes)
        shapes = (jax.ShapeDtypeStruct((length, batch, 3), jnp.float32), jax.ShapeDtypeStruct((batch,), jnp.int32))
        return jax.export.export(jax.jit(run))(*shapes)

    any_size, any_rows = exported("t, b"), exported("70, b")
    for steps, rows in ((1, 1), (70, 2), (70, 17)):
        xs = np.random.default_rng(0).normal(size=(steps, rows, 3)).astype(np.float32)
        lengths = np.arange(rows, dtype=np.int32) % (steps + 1)
        wanted = jax.jit(run)(xs, lengths)
        for program in (any_size, any_rows) if steps == 70 else (any_size,):
            chex.assert_trees_all_close(program.call(xs, lengths), wanted, rtol=1e-4, atol=1e-5)


def test_a_carry_in_the_place_of_its_function_is_refused(params, tmp_path):
    with pytest.raises(ValueError, match=r"initial_carry has type tuple: expected a function .* cell.initial_carry"):
        save_step(tmp_path / "step.rnn", functools.partial(STACK, params), STACK.initial_carry(()), X)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_with_other_bytes_is_refused_or_the_same_step(saved, tmp_path_factory, data):
    file, whole = tmp_path_factory.getbasetemp() / "other.rnn", saved.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1) | st.integers(len(whole) - 300, len(whole) - 1))
    changed = bytes([data.draw(st.integers(0, 255))])
    file.write_bytes(
        whole[:place] + data.draw(st.sampled_from([b"", changed + whole[place + 1 :], whole[place + 1 :]]))
    )
    try:
        step = load_step(file)
    except ValueError as error:
        assert str(error).startswith(f"path={str(file)!r}")
    else:
        wanted = load_step(saved)
        assert step.metadata == wanted.metadata


STEP = {"format": 1, "x": {"shape": [3], "dtype": "float32"}, "initial_carry": [], "sha256": ""}
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "metadata",
    ["", "null", "[]", "1", "{}", DEEP, '{"format": null}', STEP, STEP | {"x": None}, STEP | {"initial_carry": [{}]}],
    ids=lambda one: str(one)[:20],
)
@pytest.mark.parametrize("program", [b"", b"garbage", b"\xff" * 1000, "whole"], ids=lambda one: str(one)[:8])
def test_what_is_no_step_is_told(saved, tmp_path, metadata, program):
    if program == "whole":
        program = zipfile.ZipFile(saved).read("step.stablehlo")
    if isinstance(metadata, dict):
        metadata = json.dumps(metadata | {"sha256": hashlib.sha256(program).hexdigest()})
    with zipfile.ZipFile(tmp_path / "step.rnn", "w") as archive:
        archive.writestr("metadata.json", metadata)
        archive.writestr("step.stablehlo", program)
    with pytest.raises(ValueError, match=r"^path='.*step.rnn'"):
        load_step(tmp_path / "step.rnn")


def test_a_program_takes_any_length_and_batch_size_and_names_what_does_not_fit(tmp_path):
    cell = rnn_jax.GRU(3, 5)
    params = cell.init(jax.random.key(0))

    def model(inputs, lengths):
        return rnn_jax.unroll(cell, params, inputs, lengths=lengths)[1]

    file = tmp_path / "model.rnn"
    save_program(file, model, {"inputs": ("time, batch, 3", "float32"), "lengths": ("batch", "int32")})
    program = load_program(file)
    for steps, batch in ((1, 1), (7, 4)):
        xs = jax.random.normal(jax.random.key(steps), (steps, batch, 3))
        lengths = jnp.arange(batch, dtype=jnp.int32)
        np.testing.assert_allclose(program(inputs=xs, lengths=lengths), model(xs, lengths), rtol=1e-5, atol=1e-6)
    fitting = {"inputs": np.zeros((7, 4, 3), np.float32), "lengths": np.zeros(4, np.int32)}
    wrong = [
        {"inputs": fitting["inputs"]},
        {**fitting, "lengths": np.zeros(4, np.int16)},
        {**fitting, "inputs": np.zeros((7, 4, 2), np.float32)},
        {**fitting, "lengths": np.zeros(5, np.int32)},
    ]
    for arrays in wrong:
        with pytest.raises(ValueError, match=r"takes inputs float32\[time, batch, 3\], lengths int32\[batch\]"):
            program(**arrays)
    with pytest.raises(ValueError, match="not a file written by save_step"):
        load_step(file)

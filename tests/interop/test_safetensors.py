import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_jax
from rnn_jax.interop.safetensors import load_cell, load_safetensors, read_metadata, save_safetensors
from tests.interop import parity

needs_safetensors = pytest.mark.skipif(not parity.installed("safetensors"), reason="safetensors is not installed")
CELL = rnn_jax.GRU(2, 3)
KINDS = {"lstm", "clockwork", "cayley", "conv_lstm", "lru", "s6", "mlstm"}
"""Cells whose parameters or options are of different kinds."""
COMPOSITE = rnn_jax.Stack(
    [
        rnn_jax.Bidirectional(rnn_jax.Zoneout(rnn_jax.LSTM(2, 3), (0.1, 0.2)), merge="sum"),
        rnn_jax.Residual(rnn_jax.RecurrentDropout(rnn_jax.GRU(3, 3), 0.5)),
    ]
)


@needs_safetensors
@pytest.mark.parametrize(
    "cell",
    [
        *(
            pytest.param(kind(3, 4), marks=[pytest.mark.exhaustive] * (name not in KINDS))
            for name, kind in rnn_jax.CELLS.items()
        ),
        COMPOSITE,
    ],
    ids=str,
)
def test_every_cell_and_its_params_come_back(cell, tmp_path):
    params = parity.random_params(cell)
    save_safetensors(tmp_path / "cell.safetensors", params, cell=cell)
    parity.assert_equal(load_cell(tmp_path / "cell.safetensors"), (cell, params))
    parity.assert_equal(load_safetensors(tmp_path / "cell.safetensors"), params)
    assert [file.name for file in tmp_path.iterdir()] == ["cell.safetensors"]


@needs_safetensors
def test_dtypes_and_shapes_are_kept_however_arrays_lie_in_memory(tmp_path, x64):
    names = (
        "bool uint8 int8 int16 int32 uint32 int64 float16 bfloat16 float32 float64 float8_e4m3fn float8_e5m2 complex64"
    )
    params = {name: np.arange(6).reshape(2, 3).astype(jnp.dtype(name)) for name in names.split()}
    params |= {"transposed": np.arange(6.0).reshape(2, 3).T, "cut": np.arange(9.0)[::2], "one": np.float32(3),
               "none": np.zeros((0, 2)), "swapped": np.arange(3, dtype=">f4")}  # fmt: skip
    save_safetensors(tmp_path / "file", {"group": params})
    params["swapped"] = params["swapped"].astype("float32")
    parity.assert_equal(load_safetensors(tmp_path / "file"), {"group": jax.tree.map(jnp.asarray, params)})


@needs_safetensors
def test_what_jax_would_cut_is_refused(tmp_path):
    save_safetensors(tmp_path / "file", {"a": np.zeros(2)})
    with pytest.raises(ValueError, match="a is float64, which JAX would cut to float32: set jax_enable_x64"):
        load_safetensors(tmp_path / "file")


@needs_safetensors
def test_the_state_of_a_model_comes_back_with_its_numbers_as_keys(tmp_path):
    class Model(nnx.Module):
        def __init__(self, rngs):
            self.layers = nnx.List([nnx.Linear(2, 3, rngs=rngs), nnx.Linear(3, 1, rngs=rngs)])

    model, other = Model(nnx.Rngs(0)), Model(nnx.Rngs(1))
    like = nnx.to_pure_dict(nnx.state(other, nnx.Param))
    save_safetensors(tmp_path / "file", nnx.to_pure_dict(nnx.state(model, nnx.Param)))
    nnx.update(other, load_safetensors(tmp_path / "file", like))
    parity.assert_equal(nnx.to_pure_dict(nnx.state(other)), nnx.to_pure_dict(nnx.state(model)))
    assert set(load_safetensors(tmp_path / "file")["layers"]) == {"0", "1"}


@needs_safetensors
def test_another_program_reads_it_and_its_metadata(tmp_path):
    from safetensors import safe_open

    params = parity.random_params(CELL)
    save_safetensors(tmp_path / "file", params, {"task": "speech"}, cell=CELL)
    with safe_open(tmp_path / "file", framework="numpy") as file:
        assert file.metadata() == read_metadata(tmp_path / "file")
        np.testing.assert_array_equal(file.get_tensor("recurrent.bias"), params["recurrent"]["bias"])
    metadata = read_metadata(tmp_path / "file")
    assert metadata["task"] == "speech" and metadata["rnn_jax"] == rnn_jax.__version__


@needs_safetensors
def test_every_leaf_that_differs_is_named(tmp_path):
    params = parity.random_params(CELL)
    params["recurrent"]["bias"] = params["recurrent"]["bias"].astype(jnp.bfloat16)
    params["more"] = jnp.zeros(2)
    del params["input"]["kernel"]
    save_safetensors(tmp_path / "file", params)
    like = parity.random_params(rnn_jax.GRU(2, 4))
    with pytest.raises(ValueError) as error:
        load_safetensors(tmp_path / "file", like)
    for part in (
        "input.kernel float32[2, 12] is missing",
        "more float32[2] is not in like",
        "input.bias is float32[9], expected float32[12]",
        "recurrent.bias is bfloat16[3], expected float32[4]",
        "recurrent.kernel is float32[3, 9], expected float32[4, 12]",
    ):
        assert part in str(error.value)
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), parity.random_params(CELL))
    save_safetensors(tmp_path / "file", params)
    parity.assert_equal(load_safetensors(tmp_path / "file", CELL), params)  # the dtypes of a cell are free
    with pytest.raises(ValueError, match=r"input.bias is bfloat16\[9\], expected float32\[9\]"):
        load_safetensors(tmp_path / "file", parity.random_params(CELL))


@needs_safetensors
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"a.b": jnp.zeros(1)}, "params has the key 'a.b': expected text without dots"),
        ({"a": {"": jnp.zeros(1)}}, "params.a has the key '': expected text"),
        (
            {"a": {1: jnp.zeros(1), "1": jnp.zeros(1)}},
            "params.a has the key 1: expected text .* tells it from the others",
        ),
        ({"a": {None: jnp.zeros(1)}}, "params.a has the key None"),
        ({"a": {}}, "params.a is empty"),
        ({"a": (jnp.zeros(1),)}, "params.a has type tuple: expected nested dicts of arrays"),
        ({"a": 1.0}, "params.a has type float"),
        ({"a": jax.random.key(0)}, "params.a has type PRNGKeyArray"),
        (jnp.zeros(1), "params is ArrayImpl: expected nested dicts"),
        ({"a": np.zeros(1, "<U3")}, "params cannot be written"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_by_name(tmp_path, params, message):
    with pytest.raises(ValueError, match=message):
        save_safetensors(tmp_path / "file", params)
    assert not list(tmp_path.iterdir())


@needs_safetensors
def test_metadata_and_cells_that_do_not_fit_are_refused(tmp_path, shapes_unchecked):
    params = parity.random_params(CELL)
    for metadata in ({"epoch": 3}, {3: "epoch"}, {"rnn_jax": "mine"}):
        with pytest.raises(ValueError, match=r"metadata.*expected text"):
            save_safetensors(tmp_path / "file", params, metadata)
    with pytest.raises(ValueError, match="params of LSTM"):
        save_safetensors(tmp_path / "file", params, cell=rnn_jax.LSTM(2, 3))
    save_safetensors(tmp_path / "file", params)
    with pytest.raises(ValueError, match="no description of a cell: build it, and use load_safetensors"):
        load_cell(tmp_path / "file")
    for cell, told in (('{"type": "os.system"}', "is not a cell of rnn_jax"), ('{"type": "GRU", "heart": 1}', "heart"),
                       ("[" * 100_000, "recursion"), ("{", "Expecting"), ("[]", "it says")):  # fmt: skip
        save_safetensors(tmp_path / "file", params, {"cell": cell})
        with pytest.raises(ValueError, match=f"describes a cell that cannot be built .*{told}"):
            load_cell(tmp_path / "file")


@needs_safetensors
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_has_other_numbers(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    save_safetensors(file, parity.random_params(CELL), cell=CELL)
    whole = file.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytes([data.draw(st.integers(0, 255))])
    file.write_bytes(
        whole[:place] + data.draw(st.sampled_from([b"", changed + whole[place + 1 :], whole[place + 1 :]]))
    )
    try:
        load_cell(file)
    except ValueError as error:
        assert str(error).startswith(f"path={str(file)!r}")


@needs_safetensors
def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ValueError, match="there is no such file"):
        load_safetensors(tmp_path / "file")


def test_without_the_package_its_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for call in (lambda: save_safetensors(tmp_path / "file", {}), lambda: load_safetensors(tmp_path / "file")):
        with pytest.raises(ImportError, match=r'safetensors is not installed: pip install .*\[interop\]"'):
            call()

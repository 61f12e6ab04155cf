"""ONNX models against onnxruntime and against the operators' own tests in the package onnx, and there and back."""

import importlib
import random
import warnings

import jax
import numpy as np
import pytest

import rnn_jax
from rnn_jax.interop.onnx import from_onnx, to_onnx
from rnn_jax.testing import quick_jit
from tests.interop import parity
from tests.interop.onnx_models import GRU, LSTM, model_of, needs_onnx, weights_in

needs_onnxruntime = pytest.mark.skipif(
    not parity.installed("onnx") or not parity.installed("onnxruntime"), reason="onnxruntime is not installed"
)
KINDS = [rnn_jax.Elman, rnn_jax.GRU, rnn_jax.GRUResetBefore, rnn_jax.LSTM, rnn_jax.PeepholeLSTM, rnn_jax.CoupledLSTM]


def random_cell(draw: random.Random, kind, size: int):
    options = {"bias": draw.random() < 0.7}
    if kind is rnn_jax.Elman:
        options["activation"] = draw.choice(["tanh", "relu"])
    if kind is rnn_jax.CoupledLSTM:
        options["peepholes"] = draw.random() < 0.5
    return kind(size, draw.randint(1, 5), **options)


def random_layer(draw: random.Random, kind, size: int):
    cell = random_cell(draw, kind, size)
    if draw.random() < 0.5:
        other = random_cell(draw, draw.choice(KINDS), size) if draw.random() < 0.4 else None
        same_size = other is None or other.hidden_size == cell.hidden_size
        merge = draw.choice(["concat", "sum", "mul", "ave"]) if same_size and draw.random() < 0.4 else "concat"
        cell = rnn_jax.Bidirectional(cell, None if other == cell else other, merge=merge)
    return rnn_jax.Residual(cell) if cell.output_size == cell.input_size and draw.random() < 0.5 else cell


def configuration(seed: int):
    """A cell and what its model is to have; each kind comes first in one of six seeds."""
    draw = random.Random(seed)
    layers = [random_layer(draw, KINDS[seed % len(KINDS)], draw.randint(1, 4))]
    for _ in range(draw.choice([0, 0, 1, 2])):
        layers.append(random_layer(draw, draw.choice(KINDS), layers[-1].output_size))
    options = {name: draw.random() < 0.5 for name in ("lengths", "initial_carry", "reverse")}
    return layers[0] if len(layers) == 1 else rnn_jax.Stack(layers), options | {"opset": draw.choice([14, 17, 18, 22])}


def run_model(model, *arrays):
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {one.name: np.asarray(a) for one, a in zip(session.get_inputs(), arrays, strict=True)})


@needs_onnxruntime
@pytest.mark.parametrize("seed", [pytest.param(i, marks=[pytest.mark.exhaustive] * (i >= 6)) for i in range(30)])
def test_a_model_gives_in_onnxruntime_what_unroll_gives_here(seed):
    cell, options = configuration(seed)
    params = parity.random_params(cell)
    model = to_onnx(cell, params, **options)
    rng = np.random.default_rng(seed)
    for steps, batch in ((1, 1), (6, 4)):
        xs = rng.normal(size=(steps, batch, cell.input_size)).astype(np.float32)
        carry = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), cell.initial_carry((batch,)))
        lengths = rng.permutation(np.arange(batch) % steps + 1).astype(np.int32)
        given = {"lengths": lengths} if options["lengths"] else {}
        given |= {"carry": carry} if options["initial_carry"] else {}
        wanted = quick_jit(
            lambda params, xs, given: rnn_jax.unroll(cell, params, xs, reverse=options["reverse"], **given)
        )(params, xs, given)
        found = run_model(model, xs, *jax.tree.leaves(given.get("lengths")), *jax.tree.leaves(given.get("carry")))
        parity.assert_close(found, [wanted.ys, *jax.tree.leaves(wanted.carry)], 1e-5)


@needs_onnx
@pytest.mark.parametrize("seed", [pytest.param(i, marks=[pytest.mark.exhaustive] * (i >= 10)) for i in range(30)])
def test_cells_and_params_go_there_and_back(seed, tmp_path):
    cell, options = configuration(seed)
    params = parity.random_params(cell)
    model = to_onnx(cell, params, tmp_path / "model.onnx", **options)
    parity.assert_equal(from_onnx(tmp_path / "model.onnx", reverse=options["reverse"]), (cell, params))
    carry = [f"carry{'.' * bool(path)}{path}" for path in by_path(cell.initial_carry((1,)))]
    inputs = ["xs"] + ["lengths"] * options["lengths"]
    inputs += [f"initial_{name}" for name in carry if options["initial_carry"]]
    assert [one.name for one in model.graph.input] == inputs
    assert [one.name for one in model.graph.output] == ["ys", *carry]
    assert [opset.version for opset in model.opset_import] == [options["opset"]]


def by_path(tree):
    paths = jax.tree_util.tree_leaves_with_path(tree)
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in paths]


@needs_onnx
def test_what_is_random_in_training_is_left_out_and_starting_values_do_not_matter():
    inner = rnn_jax.LSTM(2, 3, longest=50, peepholes=True)
    cell = rnn_jax.Stack([rnn_jax.RecurrentDropout(inner, 0.5), rnn_jax.IRNN(3, 3)], dropout=0.3)
    params = parity.random_params(cell)
    same = rnn_jax.Stack([rnn_jax.PeepholeLSTM(2, 3), rnn_jax.Elman(3, 3, activation="relu")])
    parity.assert_equal(from_onnx(to_onnx(cell, params)), (same, params))


@pytest.mark.exhaustive(but=1)
@needs_onnx
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_the_dtype_is_kept(dtype, x64):
    params = jax.tree.map(lambda leaf: leaf.astype(dtype), parity.random_params(GRU))
    model = to_onnx(GRU, params)
    assert {one.data_type for one in model.graph.initializer} == {10 if dtype == "float16" else 11, 7}  # and int64
    parity.assert_equal(from_onnx(model), (GRU, params))


NODE_TESTS = [
    f"test_{name}"
    for name in """
    lstm_defaults lstm_with_initial_bias lstm_with_peepholes lstm_batchwise lstm_reverse lstm_bidirectional
    gru_defaults gru_with_initial_bias gru_seq_length gru_batchwise gru_reverse gru_bidirectional
    simple_rnn_defaults simple_rnn_with_initial_bias rnn_seq_length simple_rnn_batchwise simple_rnn_reverse
    simple_rnn_bidirectional
    """.split()
]
"""All that the package onnx has for the three operators, and all of them pass; those in reverse with reverse=True."""


def node_tests():
    """The package's test cases by name; a model has weights as inputs, which are stored in it here."""
    from onnx.backend.test.case import node

    for name in ("lstm", "gru", "rnn"):
        importlib.import_module(f"onnx.backend.test.case.node.{name}")
    cases = {case.name: case for case in node._NodeTestCases}
    return {name: case for name, case in cases.items() if case.model.graph.node[0].op_type in ("LSTM", "GRU", "RNN")}


@needs_onnx
def test_all_of_the_packages_tests_are_here():
    assert set(node_tests()) == set(NODE_TESTS)


@pytest.mark.exhaustive(but=2)
@needs_onnx
@pytest.mark.parametrize("name", NODE_TESTS)
def test_the_packages_tests_of_an_operator(name):
    import onnx

    case = node_tests()[name]
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    ((inputs, outputs),) = case.data_sets
    given = dict(zip([one.name for one in model.graph.input], inputs, strict=True))
    for weight in ("W", "R", "B", "P"):
        if weight in given:
            model.graph.initializer.append(onnx.numpy_helper.from_array(given[weight], weight))
    node = model.graph.node[0]
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    reverse, layout = name.endswith("reverse"), attributes.get("layout", 0)
    if reverse:
        with pytest.raises(ValueError, match=rf"{node.op_type} .* runs backward, and nothing forward beside it"):
            from_onnx(model)
    cell, params = from_onnx(model, reverse=reverse)
    carry = None
    if "initial_h" in given:
        carry = rnn_jax.LSTMCarry(given["initial_h"][0], given["initial_c"][0])
    lengths = given.get("sequence_lens")
    carry, ys = rnn_jax.unroll(
        cell, params, given["X"], carry, lengths=lengths, reverse=reverse, time_axis=layout, method="sequential"
    )
    count = 2 if name.endswith("bidirectional") else 1
    ys = np.moveaxis(ys.reshape(*ys.shape[:2], count, -1), 2, 2 if layout else 1)
    leaves = jax.tree.leaves(carry)
    parts = len(leaves) // count
    found = {"Y": ys} | {
        name: np.stack(leaves[i::parts], axis=1 if layout else 0) for i, name in enumerate(("Y_h", "Y_c")[:parts])
    }
    for output, wanted in zip([one.name for one in model.graph.output], outputs, strict=True):
        np.testing.assert_allclose(found[output], wanted, rtol=1e-5, atol=1e-6, err_msg=output)


@needs_onnx
def test_what_pytorch_writes_between_layers_is_read():
    """Batches first, initial states that are slices of one input or zeros of a shape that is computed, two layers."""
    cell = rnn_jax.Stack([rnn_jax.Bidirectional(LSTM), rnn_jax.Bidirectional(rnn_jax.LSTM(6, 3))])
    params = parity.random_params(cell)
    model = model_of(
        """
        (float[batch, time, 2] input, float[4, batch, 3] h0) => (float[batch, time, 6] output, float[4, batch, 3] hn)
        <int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4}, int64[1] one = {1}, int64[1] three = {3},
         int64[3] side = {0, 0, -1}>
        {
            xs = Transpose <perm = [1, 0, 2]> (input)
            h_0 = Slice (h0, zero, two, zero)
            h_1 = Slice (h0, two, four, zero)
            shape = Shape (input)
            batch = Gather <axis = 0> (shape, zero)
            sizes = Concat <axis = 0> (two, batch, three)
            c = ConstantOfShape (sizes)
            Y0, Yh0, Yc0 = LSTM <direction = "bidirectional", hidden_size = 3>
                (xs, layer_0_W, layer_0_R, layer_0_B, , h_0, c)
            t0 = Transpose <perm = [0, 2, 1, 3]> (Y0)
            ys0 = Reshape (t0, side)
            dropped, mask = Dropout (ys0)
            Y1, Yh1 = LSTM <direction = "bidirectional", hidden_size = 3>
                (dropped, layer_1_W, layer_1_R, layer_1_B, , h_1, c)
            t1 = Transpose <perm = [0, 2, 1, 3]> (Y1)
            ys1 = Reshape (t1, side)
            output = Transpose <perm = [1, 0, 2]> (ys1)
            hn = Concat <axis = 0> (Yh0, Yh1)
        }
        """,
        **weights_in(cell, params),
    )
    parity.assert_equal(from_onnx(model), (cell, params))


@pytest.mark.exhaustive(but=2)
@needs_onnx
@pytest.mark.skipif(not parity.installed("torch"), reason="PyTorch is not installed")
@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {"bidirectional": True, "bias": False}),
        ("GRU", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
        ("RNN", {"nonlinearity": "relu", "num_layers": 2}),
    ],
)
def test_a_model_that_pytorch_exported_is_the_cell_of_its_module(kind, options, carried, tmp_path):
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = getattr(torch.nn, kind)(2, 3, **options)

        def forward(self, xs, *states):
            return self.layers(xs, *([states if kind == "LSTM" else states[0]] if states else []))

    model = Model().eval()
    count = options.get("num_layers", 1) * (2 if "bidirectional" in options else 1)
    states = [torch.zeros(count, 4, 3)] * (2 if kind == "LSTM" else 1) if carried else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.zeros(4, 4, 2), *states), str(tmp_path / "model.onnx"), dynamo=False,
            input_names=["xs"], dynamic_axes={"xs": {0: "first", 1: "second"}},
        )  # fmt: skip
    parity.assert_equal(from_onnx(tmp_path / "model.onnx"), rnn_jax.interop.torch.from_torch(model.layers))


@needs_onnx
def test_two_operators_of_keras_become_two_directions_and_weights_may_be_made_of_constants():
    cell = rnn_jax.Bidirectional(GRU, rnn_jax.GRUResetBefore(2, 3), merge="sum")
    params = parity.random_params(cell)
    weights = weights_in(cell, params)
    weights |= {"halves_0": weights.pop("forward_B")[:, :9], "halves_1": np.zeros((1, 9), np.float32)}
    weights["halves_1"][:, 6:] = params["forward"]["recurrent"]["bias"]
    weights["flat"] = weights.pop("backward_W")[0]
    model = model_of(
        """
        (float[time, batch, 2] xs) => (float[time, batch, 3] ys)
        <int64[1] zero = {0}, int64[1] one = {1}>
        {
            B = Concat <axis = 1> (halves_0, halves_1)
            W = Unsqueeze (flat, zero)
            Y0 = GRU <linear_before_reset = 1, hidden_size = 3> (xs, forward_W, forward_R, B)
            Y1 = GRU <direction = "reverse", hidden_size = 3> (xs, W, backward_R, backward_B)
            ys0 = Squeeze (Y0, one)
            ys1 = Squeeze (Y1, one)
            ys = Add (ys0, ys1)
        }
        """,
        **weights,
    )
    parity.assert_equal(from_onnx(model), (cell, params))


@needs_onnx
def test_older_operators_are_read():
    params = parity.random_params(LSTM)
    text = """(float[time, batch, 2] xs) => (float[time, batch, 3] ys)
    { Y = LSTM <hidden_size = 3> (xs, W, R, B) ys = Squeeze <axes = [1]> (Y) }"""
    parity.assert_equal(from_onnx(model_of(text, opset=9, **weights_in(LSTM, params))), (LSTM, params))

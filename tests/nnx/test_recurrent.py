"""The Flax layer is `unroll` over its own parameters, and a model can be split into pure parameters and back."""

import warnings

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import rnn_jax
from rnn_jax.nnx import Fixed, Recurrent, functional

CELL = rnn_jax.Stack([rnn_jax.LSTM(2, 3), rnn_jax.Elman(3, 2)], dropout=0.5)
XS = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)


@pytest.mark.exhaustive
def test_a_layer_is_unroll_over_its_params():
    layer = Recurrent(CELL, rngs=nnx.Rngs(0))
    params = nnx.to_pure_dict(nnx.state(layer, nnx.Param))["params"]
    chex.assert_trees_all_equal_shapes_and_dtypes(params, CELL.init(jax.random.key(0)))
    chex.assert_trees_all_equal(params, layer.pure_params())
    for options in (
        {"lengths": np.array([1, 2, 3]), "resets": np.eye(3, 4, dtype=bool), "time_axis": 1, "key": 1},
        {"carry": CELL.initial_carry((4,)), "reverse": True, "checkpoint_every": 2, "method": "sequential"},
    ):
        # One key object each: a key is used once.
        keyed = [options | {"key": jax.random.key(1)} if "key" in options else options for _ in range(2)]
        chex.assert_trees_all_equal(layer(XS, **keyed[0]), rnn_jax.unroll(CELL, params, XS, **keyed[1]))
    carry = layer.initial_carry((4,), jnp.float32)
    chex.assert_trees_all_equal(layer.step(carry, XS[0]), CELL(params, carry, XS[0]))


def test_parameters_come_from_the_params_stream_in_the_dtype_asked_for():
    streams = nnx.Rngs(params=1), nnx.Rngs(params=1, default=9), nnx.Rngs(params=2)
    first, same, other = (Recurrent(CELL, rngs=rngs).pure_params() for rngs in streams)
    chex.assert_trees_all_equal(first, same)
    assert (first["layer_0"]["input"]["kernel"] != other["layer_0"]["input"]["kernel"]).any()
    low = Recurrent(rnn_jax.IRNN(2, 3), param_dtype=jnp.bfloat16, rngs=nnx.Rngs(0)).pure_params()
    assert {leaf.dtype for leaf in jax.tree.leaves(low)} == {jnp.dtype("bfloat16")}


def test_functional_splits_a_model_and_builds_it_again():
    class Model(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            self.recurrent = Recurrent(rnn_jax.IRNN(2, 3), rngs=rngs)
            self.out = nnx.Linear(3, 1, rngs=rngs)

        def __call__(self, xs):
            return self.out(self.recurrent(xs).ys)

    model = Model(nnx.Rngs(0))
    params, rebuild = functional(model)
    assert params.keys() == {"recurrent", "out"} and params["recurrent"].keys() == {"params"}
    with jax.checking_leaks():
        gradients = jax.jit(jax.grad(lambda params: jnp.square(rebuild(params)(XS)).sum()))(params)
    chex.assert_trees_all_equal_shapes_and_dtypes(gradients, params)
    assert all(np.any(leaf) for leaf in jax.tree.leaves(gradients))
    np.testing.assert_array_equal(rebuild(params)(XS), model(XS))
    moved = rebuild(jax.tree.map(jnp.zeros_like, params))
    assert not moved(XS).any() and model(XS).any() and rebuild(params)(XS).any()


def test_what_is_never_trained_is_no_parameter():
    cell = rnn_jax.Stack([rnn_jax.EchoState(2, 3), rnn_jax.LSTM(3, 2)])
    layer = Recurrent(cell, rngs=nnx.Rngs(0))
    fixed, trained = nnx.to_pure_dict(nnx.state(layer, Fixed)), nnx.to_pure_dict(nnx.state(layer, nnx.Param))
    assert fixed["params"].keys() == {"layer_0"} and trained["params"].keys() == {"layer_1"}
    params, rebuild = functional(layer)
    chex.assert_trees_all_equal_shapes(layer.pure_params(), cell.init(jax.random.key(0)))
    zeros = rebuild(jax.tree.map(jnp.zeros_like, params)).pure_params()
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(zeros["layer_1"]))
    chex.assert_trees_all_equal(zeros["layer_0"], layer.pure_params()["layer_0"])
    optimizer = nnx.Optimizer(layer, optax.chain(optax.add_decayed_weights(0.5), optax.sgd(0.1)), wrt=nnx.Param)
    optimizer.update(layer, nnx.grad(lambda layer: layer(XS).ys.sum())(layer))
    moved = layer.pure_params()
    chex.assert_trees_all_equal(moved["layer_0"], zeros["layer_0"])
    assert np.any(moved["layer_1"]["recurrent"]["kernel"] != params["params"]["layer_1"]["recurrent"]["kernel"])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            lambda rngs: nnx.Dropout(0.5, rngs=rngs),
            r"model\.layer\.rngs\.key would draw .* rngs=nnx\.Rngs\(key",
        ),
        (lambda rngs: nnx.BatchNorm(3, rngs=rngs), r"model\.layer\.mean would never change.*: nnx\.LayerNorm"),
        (lambda rngs: nnx.MultiHeadAttention(1, 3, dropout_rate=0.1, rngs=rngs), r"model\.layer\.rngs\.key would draw"),
    ],
)
def test_what_a_call_would_change_is_not_frozen_without_a_word(layer, message):
    class Model(nnx.Module):
        def __init__(self, rngs):
            self.recurrent, self.layer = Recurrent(rnn_jax.IRNN(2, 3), rngs=rngs), layer(rngs)

        def __call__(self, xs):
            return self.layer(self.recurrent(xs).ys)

    model = Model(nnx.Rngs(0))
    with pytest.raises(ValueError, match=message):
        functional(model)
    model.eval()  # nothing is drawn, nothing is counted: the function is the model
    params, rebuild = functional(model)
    if not isinstance(model.layer, nnx.MultiHeadAttention):
        np.testing.assert_array_equal(rebuild(params)(XS), model(XS))


@pytest.mark.exhaustive
def test_training_a_dropout_without_a_key_is_warned_of():
    layer = Recurrent(rnn_jax.Stack([rnn_jax.GRU(2, 3), rnn_jax.GRU(3, 3)], dropout=0.5), rngs=nnx.Rngs(0))

    def loss(layer, key=None):
        return layer(XS, key=key).ys.sum()

    with pytest.warns(
        UserWarning, match=r"through Stack.* without key: .* nothing is dropped; in training give the la"
    ):
        nnx.grad(loss)(layer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(XS)  # as it is evaluated
        nnx.grad(loss)(layer, jax.random.key(0))
        nnx.grad(loss)(Recurrent(rnn_jax.GRU(2, 3), rngs=nnx.Rngs(0)))


def test_rngs_are_no_seed(shapes_unchecked):
    with pytest.raises(ValueError, match=r"rngs=0: expected flax.nnx.Rngs, such as nnx.Rngs\(0\)"):
        Recurrent(rnn_jax.GRU(2, 3), rngs=0)


def test_a_variable_that_a_call_may_change_is_not_frozen_without_a_word():
    class Counts(nnx.Module):
        def __init__(self, variable):
            self.recurrent = Recurrent(rnn_jax.IRNN(2, 3), rngs=nnx.Rngs(0))
            self.calls = variable(jnp.zeros(()))

        def __call__(self, xs):
            return self.recurrent(xs).ys + self.calls[...]

    with pytest.raises(
        ValueError, match=r"model.calls is a Variable, which a call may change .*nnx.Fixed if it is const"
    ):
        functional(Counts(nnx.Variable))
    model = Counts(Fixed)
    params, rebuild = functional(model)
    np.testing.assert_array_equal(rebuild(params)(XS), model(XS))


def test_a_key_that_a_module_keeps_is_told_with_a_remedy_that_it_has():
    class Keeps(nnx.Module):
        def __init__(self, rngs):
            self.recurrent, self.rngs = Recurrent(rnn_jax.IRNN(2, 3), rngs=rngs), rngs

    with pytest.raises(ValueError, match=r"model.rngs.* would draw the same numbers .*rnn_jax.dropout$"):
        functional(Keeps(nnx.Rngs(0)))

    class Idle(nnx.Module):
        def __init__(self, rngs):
            self.recurrent, self.dropout = Recurrent(rnn_jax.IRNN(2, 3), rngs=rngs), nnx.Dropout(0.0, rngs=rngs)

    functional(Idle(nnx.Rngs(0)))


def test_a_dropout_without_a_key_of_its_own_is_drawn_anew_with_every_key():
    class Model(nnx.Module):
        def __init__(self, rngs):
            self.recurrent, self.dropout = Recurrent(rnn_jax.IRNN(2, 3), rngs=rngs), nnx.Dropout(0.5)

        def __call__(self, xs, key):
            return self.dropout(self.recurrent(xs).ys, rngs=nnx.Rngs(key))

    params, rebuild = functional(Model(nnx.Rngs(0)))
    first, second = (rebuild(params)(XS, jax.random.key(seed)) for seed in (0, 1))
    assert np.any((first == 0) != (second == 0))

"""The layers are the pure `unroll`, values and gradients, under every transformation of NNX."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import rnn_jax
from rnn_jax.nnx import RNN, CarryState, Recurrent, StatefulRNN, functional

CELL = rnn_jax.GRU(2, 3)
DEEP = rnn_jax.Stack([rnn_jax.LSTM(2, 3), rnn_jax.GRU(3, 3)])
NOISY = rnn_jax.Stack([rnn_jax.GRU(2, 3), rnn_jax.GRU(3, 3)], dropout=0.5)
XS = np.random.default_rng(0).normal(size=(4, 5, 2)).astype(np.float32)
LENGTHS = np.array([5, 0, 3, 4])
close = functools.partial(chex.assert_trees_all_close, rtol=1e-5, atol=1e-6)


@functools.partial(jax.jit, static_argnames=("cell", "reverse"))
def pure(params, xs=XS, cell=CELL, **options):
    """The outputs of `unroll`, batch first."""
    return rnn_jax.unroll(cell, params, xs, time_axis=1, **options).ys


def params_of(layer):
    return layer.recurrent.pure_params()


def loss(layer, xs=XS):
    return jnp.square(layer(xs)).sum()


def gradient_of(state):
    """The gradient as the tree of the cell's params."""
    return nnx.to_pure_dict(state)["recurrent"]["params"]


@pytest.mark.exhaustive
def test_a_layer_returns_what_flax_returns():
    flax = nnx.RNN(nnx.GRUCell(2, 3, rngs=nnx.Rngs(0)))
    cell, params = rnn_jax.interop.flax.from_nnx(flax)
    layer = RNN(cell, rngs=nnx.Rngs(1))
    for variable, leaf in zip(
        jax.tree.leaves(layer.recurrent.params, is_leaf=lambda v: isinstance(v, nnx.Variable)),
        jax.tree.leaves(params),
        strict=True,
    ):
        variable[...] = leaf
    close(layer(XS), flax(XS))
    time_first = XS.swapaxes(0, 1)
    close(layer(time_first, time_major=True), flax(time_first, time_major=True))
    some = LENGTHS.clip(1)
    ours = layer(XS, seq_lengths=some, return_carry=True)
    theirs = flax(XS, seq_lengths=some, return_carry=True)
    assert isinstance(ours, tuple)
    close(jax.tree.leaves(ours[0]), jax.tree.leaves(theirs[0]))
    valid = np.arange(5)[None, :, None] < some[:, None, None]
    close(ours[1], np.where(valid, theirs[1], 0))
    close(layer(XS, reverse=True), flax(XS, reverse=True, keep_order=True))


def test_options_go_to_unroll():
    layer = RNN(CELL, rngs=nnx.Rngs(0))
    params, resets = params_of(layer), np.eye(4, 5, dtype=bool)
    carry = CELL.initial_carry((4,))
    options = {"reverse": True, "resets": resets}
    close(layer(XS, seq_lengths=LENGTHS, initial_carry=carry, **options), pure(params, lengths=LENGTHS, **options))
    close(RNN(CELL, rngs=nnx.Rngs(0), reverse=True, return_carry=True)(XS)[1], pure(params, reverse=True))
    close(layer(XS[0]), rnn_jax.unroll(CELL, params, XS[0]).ys)
    with pytest.raises(ValueError, match=r"method='associative': GRU can use 'sequential'"):
        RNN(CELL, method="associative", rngs=nnx.Rngs(0))(XS)


def test_it_fits_a_sequential():
    rngs = nnx.Rngs(0)
    model = nnx.Sequential(nnx.Linear(2, 2, rngs=rngs), RNN(CELL, rngs=rngs), nnx.Linear(3, 1, rngs=rngs))
    with jax.numpy_rank_promotion("allow"):
        first, _, last = model.layers
        close(model(XS), last(pure(params_of(model.layers[1]), first(XS))))


def test_gradients_under_jit_and_remat_are_those_of_the_pure_function():
    layer = RNN(CELL, rngs=nnx.Rngs(0))
    wanted = jax.grad(lambda params: jnp.square(pure(params)).sum())(params_of(layer))
    close(gradient_of(nnx.grad(loss)(layer)), wanted)
    value, gradient = nnx.jit(nnx.value_and_grad(loss))(layer)
    close(gradient_of(gradient), wanted)
    close(value, jnp.square(pure(params_of(layer))).sum())
    again = nnx.remat(lambda layer, xs: layer(xs))
    close(gradient_of(nnx.grad(lambda layer: jnp.square(again(layer, XS)).sum())(layer)), wanted)


@pytest.mark.exhaustive
def test_models_side_by_side_are_each_of_them():
    @nnx.split_rngs(splits=3)
    @nnx.vmap
    def make(rngs):
        return RNN(CELL, rngs=rngs)

    layers = make(nnx.Rngs(0))
    params = params_of(layers)
    ys = nnx.vmap(lambda layer, xs: layer(xs), in_axes=(0, None))(layers, XS)
    close(ys, jax.vmap(pure, (0, None))(params, XS))
    gradient = nnx.grad(lambda layers: jnp.square(nnx.vmap(lambda layer: layer(XS))(layers)).sum())(layers)
    close(gradient_of(gradient), jax.vmap(jax.grad(lambda params: jnp.square(pure(params)).sum()))(params))


@pytest.mark.exhaustive
def test_a_scan_over_layers_is_a_stack():
    @nnx.split_rngs(splits=3)
    @nnx.vmap
    def make(rngs):
        return RNN(rnn_jax.GRU(2, 2), rngs=rngs)

    @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
    def deep(xs, layer):
        return layer(xs)

    layers = make(nnx.Rngs(0))
    params = [jax.tree.map(lambda a, i=i: a[i], params_of(layers)) for i in range(3)]
    stack, stacked = rnn_jax.Stack([rnn_jax.GRU(2, 2)] * 3), {f"layer_{i}": one for i, one in enumerate(params)}
    close(deep(XS, layers), pure(stacked, cell=stack))
    gradient = nnx.grad(lambda layers: jnp.square(deep(XS, layers)).sum())(layers)
    wanted = jax.grad(lambda params: jnp.square(pure(params, cell=stack)).sum())(stacked)
    close(gradient_of(gradient), jax.tree.map(lambda *leaves: jnp.stack(leaves), *wanted.values()))


def test_an_optimizer_makes_the_updates_of_optax():
    layer, transformation = RNN(CELL, rngs=nnx.Rngs(0)), optax.sgd(0.1, momentum=0.9)
    params = params_of(layer)
    state = transformation.init(params)
    optimizer = nnx.Optimizer(layer, transformation, wrt=nnx.Param)
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(2):
            optimizer.update(layer, nnx.grad(loss)(layer))
            gradient = jax.grad(lambda params: jnp.square(pure(params)).sum())(params)
            updates, state = transformation.update(gradient, state)
            params = optax.apply_updates(params, updates)
    close(params_of(layer), params)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "make",
    [RNN, pytest.param(functools.partial(StatefulRNN, batch_shape=(4,)), marks=pytest.mark.exhaustive)],
    ids=["RNN", "StatefulRNN"],
)
def test_dropout_follows_train_and_eval_and_the_stream_of_the_layer(make):
    model = make(NOISY, rngs=nnx.Rngs(0, dropout=1))
    stream, params = nnx.Rngs(0, dropout=1).dropout.fork(), params_of(model)

    def run(layer):
        if isinstance(layer, StatefulRNN):
            layer.reset()
        return layer(XS)

    first, second = run(model), run(model)
    close(first, pure(params, cell=NOISY, key=stream()))
    close(second, pure(params, cell=NOISY, key=stream()))
    assert np.any(first != second)
    model.eval()
    close(run(model), pure(params, cell=NOISY))
    model.train()
    close(nnx.jit(run)(model), pure(params, cell=NOISY, key=stream()))
    close(run(model), pure(params, cell=NOISY, key=stream()))  # the stream went on in the compiled call
    nnx.grad(lambda model: jnp.square(run(model)).sum())(model)  # no warning: a key is drawn


def test_keys_come_from_the_argument_first_and_streams_are_for_train_mode():
    layer = Recurrent(NOISY, keep_rngs=True, rngs=nnx.Rngs(0))
    params, xs = layer.pure_params(), XS.swapaxes(0, 1)
    layer.eval()
    close(layer(xs, rngs=nnx.Rngs(3)).ys, rnn_jax.unroll(NOISY, params, xs).ys)
    close(layer(xs, key=jax.random.key(5)).ys, rnn_jax.unroll(NOISY, params, xs, key=jax.random.key(5)).ys)
    layer.train()
    wanted = rnn_jax.unroll(NOISY, params, xs, key=nnx.Rngs(3).dropout()).ys
    close(layer(xs, rngs=nnx.Rngs(3)).ys, wanted)
    close(layer(xs, rngs=nnx.Rngs(3).dropout).ys, wanted)
    assert Recurrent(CELL, keep_rngs=True, rngs=nnx.Rngs(0)).rngs is None  # nothing to draw
    assert Recurrent(NOISY, rngs=nnx.Rngs(0)).rngs is None
    with pytest.raises(ValueError, match=r"rngs has the streams \['params'\]: expected dropout or default among them"):
        RNN(NOISY, rngs=nnx.Rngs(params=0))
    with pytest.raises(ValueError, match=r"model\.recurrent\.rngs\.key would draw .*: make it with keep_rngs=False"):
        functional(RNN(NOISY, rngs=nnx.Rngs(0)))
    functional(RNN(NOISY, keep_rngs=False, rngs=nnx.Rngs(params=0)))


@pytest.mark.exhaustive
def test_a_stateful_layer_goes_on_from_call_to_call_and_begins_anew_when_told():
    layer = StatefulRNN(DEEP, (4,), rngs=nnx.Rngs(0))
    whole = pure(params_of(layer), cell=DEEP)
    close(np.concatenate([layer(XS[:, :2]), layer(XS[:, 2:4]), layer.step(XS[:, 4])[:, None]], axis=1), whole)
    close(layer.current_carry(), rnn_jax.unroll(DEEP, params_of(layer), XS, time_axis=1).carry)
    layer.reset(np.array([True, False, False, True]))
    again = layer(XS[:, :1])
    close(again[::3], whole[::3, :1])
    assert np.all(again[1:3] != whole[1:3, :1])
    layer.reset()
    close(nnx.jit(lambda layer, xs: layer(xs))(layer, XS[:, :3]), whole[:, :3])
    close(layer(XS[:, 3:]), whole[:, 3:])  # a compiled call keeps the carry too
    layer.reset()
    assert len(jax.tree.leaves(nnx.state(layer, CarryState))) == 3
    time_first = StatefulRNN(DEEP, (4,), time_major=True, rngs=nnx.Rngs(0))
    close(time_first(XS.swapaxes(0, 1)), whole.swapaxes(0, 1))
    one = StatefulRNN(DEEP, rngs=nnx.Rngs(0))
    close(np.stack([one.step(x) for x in XS[0]]), whole[0])


def test_a_gradient_of_a_stateful_layer_is_that_of_its_piece():
    layer = StatefulRNN(CELL, (4,), rngs=nnx.Rngs(0))
    params = params_of(layer)
    layer(XS[:, :2])
    carry = layer.current_carry()
    gradient = nnx.grad(lambda layer: jnp.square(layer(XS[:, 2:])).sum())(layer)
    wanted = jax.grad(lambda params: jnp.square(pure(params, XS[:, 2:], carry=carry)).sum())(params)
    close(gradient_of(gradient), wanted)
    close(layer.current_carry(), rnn_jax.unroll(CELL, params, XS, time_axis=1).carry)  # the gradient's call counts


def test_a_learned_carry_is_where_layers_begin():
    cell = rnn_jax.LearnedCarry(rnn_jax.Clockwork(2, 3))
    layer = StatefulRNN(cell, (4,), rngs=nnx.Rngs(0))
    gradient = nnx.grad(lambda layer: (layer.reset(), jnp.square(layer(XS)).sum())[1])(layer)
    nnx.Optimizer(layer, optax.sgd(1.0), wrt=nnx.Param).update(layer, gradient)
    learned = params_of(layer)["initial"]
    assert isinstance(learned, rnn_jax.ClockworkCarry) and np.all(learned.hidden != 0) and learned.time is None
    layer.reset()
    close(layer.current_carry().hidden, jnp.broadcast_to(learned.hidden, (4, 3)))
    params, rebuild = functional(Recurrent(cell, rngs=nnx.Rngs(0)))
    chex.assert_trees_all_equal_structs(rebuild(params).pure_params(), params_of(layer))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: StatefulRNN(rnn_jax.Bidirectional(CELL), rngs=nnx.Rngs(0)), "a Bidirectional cell cannot be streamed"),
        (lambda: StatefulRNN(CELL, (3,), rngs=nnx.Rngs(0))(XS), r"inputs has batch dims \(4,\): expected \(3,\), the"),
        (lambda: StatefulRNN(CELL, (3,), rngs=nnx.Rngs(0)).step(XS[:, 0]), r"x has batch dims \(4,\): expected \(3,\)"),
        (lambda: functional(StatefulRNN(CELL, rngs=nnx.Rngs(0))), r"model\.carry.* is a CarryState, which a call may"),
        (lambda: RNN(CELL, rngs=nnx.Rngs(0))(XS[..., :1]), r"inputs has shape \(4, 5, 1\): expected \[\.\.\., 2\]"),
    ],
)
def test_what_cannot_be_is_told(use, message):
    with pytest.raises(ValueError, match=message):
        use()

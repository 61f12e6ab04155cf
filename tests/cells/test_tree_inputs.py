"""A cell that reads a tree of arrays, as an agent does: it goes wherever a cell goes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.cells.base import HiddenCell, dense
from rnn_jax.testing import assert_cell_contract


@dataclasses.dataclass(frozen=True)
class Agent(HiddenCell):
    """A network that sees a picture and feels its speed."""

    hidden_size: int
    input_size: int = 6

    @property
    def input_shape(self):
        return {"picture": (2, 2), "speed": (2,)}

    def init(self, key, param_dtype=jnp.float32):
        return rnn_jax.initializers.gated_kernels(key, self.input_size, self.hidden_size, 1, param_dtype)

    def project(self, params, xs):
        picture = xs["picture"].reshape(*xs["picture"].shape[:-2], 4)
        return dense(jnp.concatenate([picture, xs["speed"]], axis=-1), **params["input"])

    def step(self, params, carry, z):
        hidden = jnp.tanh(z.astype(carry.dtype) + dense(carry, params["recurrent"]["kernel"]))
        return hidden, hidden.astype(z.dtype)


CELL = Agent(3)


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", ["core", pytest.param("rest", marks=pytest.mark.exhaustive)])
def test_contract(part):
    assert_cell_contract(CELL, part=part)


def observations(leading, seed=0):
    random = np.random.default_rng(seed)
    return {
        "picture": random.normal(size=(*leading, 2, 2)).astype(np.float32),
        "speed": random.normal(size=(*leading, 2)).astype(np.float32),
    }


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("whole", [rnn_jax.Stack([CELL, rnn_jax.GRU(3, 2)]), rnn_jax.Bidirectional(CELL)], ids=str)
def test_in_composites_with_lengths_and_time_second(whole):
    params, xs, lengths = whole.init(jax.random.key(0)), observations((4, 5)), [0, 5, 2, 4]
    carry, ys = rnn_jax.unroll(whole, params, xs, lengths=lengths, time_axis=1)
    for row, length in enumerate(lengths):
        alone = jax.tree.map(lambda a, row=row, length=length: a[row, :length], xs)
        wanted = rnn_jax.unroll(whole, params, alone)
        np.testing.assert_allclose(ys[row, :length], wanted.ys, atol=1e-6)
        for a, b in zip(jax.tree.leaves(carry), jax.tree.leaves(wanted.carry), strict=True):
            np.testing.assert_allclose(a[row], b, atol=1e-6)


def test_as_a_layer():
    from flax import nnx

    layer = rnn_jax.nnx.Recurrent(CELL, rngs=nnx.Rngs(0))
    assert layer(observations((5, 2))).ys.shape == (5, 2, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda xs: xs["speed"], r"xs is PyTreeDef\(\*\): expected PyTreeDef\(\{'picture': \*, 'speed': \*\}\)"),
        (
            lambda xs: xs | {"speed": xs["speed"][..., :1]},
            r"xs\['speed'\] has shape \(5, 2, 1\): expected \[\.\.\., 2\]",
        ),
        (
            lambda xs: xs | {"speed": xs["speed"][:4]},
            r"xs has leading dims .*speed.*\(4, 2\).*expected the same of all",
        ),
        (lambda xs: xs | {"speed": [[0.0, 1.0]]}, "xs is PyTreeDef"),
    ],
)
def test_other_trees_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        rnn_jax.unroll(CELL, CELL.init(jax.random.key(0)), change(observations((5, 2))))

"""A joint distribution of bits that depends on a state: a neural autoregressive distribution estimator.

Larochelle & Murray 2011, "The neural autoregressive distribution estimator"; with biases that are linear in a recurrent
state, the RNN-NADE of Boulanger-Lewandowski et al. 2012, arXiv:1206.6392.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_size
from rnn_jax.typing import Array, Bool, DType, Float, Key, Num

LEVELS = (5, 6, 10, 16)
"""Of how many states of the hidden units all bits are scored at once: the first that is enough for all vectors."""


class NADE(nnx.Module):
    """p(bits | state) = Π_k p(bit k | bits before it, state), bit 0 first.

        b(u) = U u + b,    c(u) = Z u + c                       of the state u
        a_k  = c(u) + Σ_{i<k} bit_i W_i
        p(bit k = 1 | bits before it, u) = σ(b(u)_k + V_k · σ(a_k))

    Calling it gives the logits of these K conditional probabilities, of which `rnn_jax.losses.binary_cross_entropy`
    makes the exact negative log likelihood of the bits together.

    Args:
        state_size: F, features of the state.
        bits: K.
        hidden_size: M, hidden units.
        bias_init: of b, a Flax initializer; zeros by default.
        dtype: of the computation; parameters are float32, and so are the logits.
        rngs: the stream `params` (or `default`) draws the parameters.

    Raises:
        ValueError: a size is below 1.
    """

    def __init__(
        self,
        state_size: int,
        bits: int,
        hidden_size: int = 128,
        *,
        bias_init: Callable[..., Any] = nnx.initializers.zeros,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        for name, size in (("state_size", state_size), ("bits", bits), ("hidden_size", hidden_size)):
            check_size(name, size)
        self.visible = nnx.Linear(state_size, bits, bias_init=bias_init, dtype=dtype, rngs=rngs)
        self.hidden = nnx.Linear(state_size, hidden_size, dtype=dtype, rngs=rngs)
        draw = nnx.initializers.lecun_normal()
        self.encode = nnx.Param(draw(rngs.params(), (bits, hidden_size), jnp.float32))
        self.decode = nnx.Param(draw(rngs.params(), (hidden_size, bits), jnp.float32))
        self.dtype = dtype

    def __call__(
        self, state: Float[Array, "*B F"], bits: Num[Array, "*B K"] | Bool[Array, "*B K"]
    ) -> Float[jax.Array, "*B K"]:
        """Logits float32 `[..., K]` of each bit, given those before it.

        The hidden units change only after a one: where no bit has more than n ones before it, n + 1 states of them are
        all that there is, and not K. If that is within `LEVELS`, two matrix products score them all (on a CPU 8 times
        as fast as K states at once, and 3 times as fast as a scan with 4 ones in 88 bits); else one bit follows the
        other. Steps of a sequence are scored apart, each with as many states as its own vectors need.

        Args:
            state: `[..., F]`; the first of several leading dims is gone through step by step.
            bits: `[..., K]`, 0 or 1.
        """
        each = (*self._biases(state), jnp.asarray(bits, self.dtype))
        logits = jax.lax.map(lambda step: self._score(*step), each) if each[0].ndim > 2 else self._score(*each)
        return logits.astype(jnp.float32)

    def _score(self, visible: jax.Array, hidden: jax.Array, bits: jax.Array) -> jax.Array:
        before = jnp.cumsum(bits.astype(jnp.int32), axis=-1) - bits.astype(jnp.int32)
        encode, decode = self._kernels()

        def at_once(levels: int) -> Callable[[], jax.Array]:
            def score() -> jax.Array:
                level = jnp.arange(levels, dtype=jnp.int32).reshape(*(1,) * (before.ndim - 1), levels, 1)
                seen = jnp.where(before[..., None, :] < level, bits[..., None, :], 0)  # [..., levels, K]: so many ones
                scores = jax.nn.sigmoid(hidden[..., None, :] + seen @ encode) @ decode
                return visible + jnp.where(before[..., None, :] == level, scores, 0).sum(-2)

            return score

        def in_turn() -> jax.Array:
            return self._in_turn(visible, hidden, jnp.moveaxis(bits, -1, 0), lambda logit, bit: bit)[0]

        # Recomputed in the backward pass: else each would also fill up what those that were not taken would have kept.
        branches = [jax.checkpoint(branch) for branch in (*map(at_once, LEVELS), in_turn)]
        taken = (before.max(initial=0) >= jnp.array(LEVELS, jnp.int32)).sum()
        return jax.lax.switch(taken, branches)

    def sample(self, key: Key, state: Float[Array, "*B F"], temperature: float = 1.0) -> Bool[jax.Array, "*B K"]:
        """Bits drawn one after the other.

        Args:
            key: a typed key.
            state: `[..., F]`.
            temperature: divides the logits; 0 takes each bit that is likelier on than off after those before it.
        """
        visible, hidden = self._biases(state)
        uniform = jax.random.uniform(key, (visible.shape[-1], *visible.shape[:-1]))

        def draw(logit: jax.Array, uniform: jax.Array) -> jax.Array:
            logit = logit.astype(jnp.float32)
            on = uniform < jax.nn.sigmoid(logit / temperature) if temperature else logit > 0
            return on.astype(self.dtype)

        return self._in_turn(visible, hidden, uniform, draw)[1] > 0

    def _in_turn(
        self, visible: jax.Array, hidden: jax.Array, inputs: jax.Array, choose: Callable[..., jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        """Logits and bits `[..., K]`; a bit is what `choose` makes of its logit and of its input, of `[K, ...]`."""
        encode, decode = self._kernels()

        def advance(a: jax.Array, each: Any) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            bias, w, v, given = each
            logit = bias + jax.nn.sigmoid(a) @ v
            bit = choose(logit, given)
            return a + bit[..., None] * w.reshape(*(1,) * bit.ndim, -1), (logit, bit)

        each = (jnp.moveaxis(visible, -1, 0), encode, decode.T, inputs)
        _, found = jax.lax.scan(advance, hidden, each)
        return jnp.moveaxis(found[0], 0, -1), jnp.moveaxis(found[1], 0, -1)

    def _biases(self, state: Array) -> tuple[jax.Array, jax.Array]:
        state = jnp.asarray(state, self.dtype)
        return self.visible(state), self.hidden(state)

    def _kernels(self) -> tuple[jax.Array, jax.Array]:
        return jnp.asarray(self.encode[...], self.dtype), jnp.asarray(self.decode[...], self.dtype)

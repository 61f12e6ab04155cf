"""M²RNN: a recurrent network whose state is a matrix, as large as that of linear attention, and not linear.

    Zₜ = tanh(Hₜ₋₁ W + kₜ vₜᵀ)
    Hₜ = fₜ Hₜ₋₁ + (1 − fₜ) Zₜ
    yₜ = Hₜᵀ qₜ + w_r ⊙ vₜ              for each head; H is [K, V], W is [V, V]

    fₜ = exp(−A softplus(w_fᵀ xₜ + b_f)),    one number for each head

Mishra, Tan, Stoica, Gonzalez & Dao 2026, arXiv:2603.14360. Each row of H is a plain recurrent network, all of one
recurrent kernel W, and the key says how much of the value each of them reads: it can track states as such a network
can, with K times the memory.

The forget gate and the initial values are those of the first author's code (github.com/open-lm-engine/lm-engine), where
A, above zero, and b_f are those of Mamba-2: W starts as the identity, w_r as one, A uniform in 0 … 16, and b_f so that
softplus(b_f) is log-uniform in 0.001 … 0.1. Its clipping of the gradient of H in the loop is left out, and so is what
belongs to the block around the cell: the convolution before q, k and v, the output gate, the normalisation and the last
linear layer. q, k, v and the forget gate are columns of one product, in this order, heads side by side within each; its
kernel starts Glorot-uniform.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import Cell, along_last, dense, widened
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_divisor, check_size
from rnn_jax.typing import Array, DType, Float, Inputs, Key, Output, Params

MISHRA_2026 = Paper(
    key="mishra2026m2rnn",
    authors="Mishra, Mayank and Tan, Shawn and Stoica, Ion and Gonzalez, Joseph and Dao, Tri",
    title="M²RNN: Non-linear RNNs with matrix-valued states for scalable language modeling",
    year=2026,
    arxiv="2603.14360",
)


class M2RNNInputs(NamedTuple):
    """q and k `[..., heads, K]`, v `[..., heads, V]`, and log f `[..., heads]`, which is float32 or wider."""

    query: Float[jax.Array, "*B N K"]
    key: Float[jax.Array, "*B N K"]
    value: Float[jax.Array, "*B N V"]
    log_forget: Float[jax.Array, "*B N"]


def m2rnn_update(
    state: Float[jax.Array, "*B N K V"], z: M2RNNInputs, kernel: Float[Array, "N V V"]
) -> Float[jax.Array, "*B N K V"]:
    """Hₜ from Hₜ₋₁, in its dtype."""
    key, value = z.key.astype(state.dtype)[..., None], z.value.astype(state.dtype)[..., None, :]
    moved = jnp.einsum("...nkv,nvw->...nkw", state, jnp.asarray(kernel, state.dtype))
    new = jnp.tanh(moved + key * value)
    return new + jnp.exp(z.log_forget).astype(state.dtype)[..., None, None] * (state - new)


@dataclasses.dataclass(frozen=True)
class M2RNN(Cell):
    """Matrix-to-matrix recurrent network; equations and source at the top of this file.

    Carry: Hₜ `[B, N, K, H / N]`, N heads. Params: `input.kernel [D, 2 N K + H + N]`, `recurrent.kernel [N, V, V]` (W)
    with V = H / N, `forget.log_rate [N]` (log A), `forget.bias [N]` (b_f), `skip.weight [H]` (w_r).
    Parameters: (2 N K + H + N) D + H² / N + H + 2 N.

    Args:
        input_size: D.
        hidden_size: H.
        heads: N, a divisor of H.
        key_size: K, of one head; None is H / N.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    papers = (MISHRA_2026,)

    def __post_init__(self):
        super().__post_init__()
        check_divisor("heads", self.heads, self.hidden_size)
        if self.key_size is None:
            object.__setattr__(self, "key_size", self.hidden_size // self.heads)
        check_size("key_size", self.key_size)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, rate_key, bias_key = jax.random.split(key, 3)
        heads, value_size, keys = self.heads, self.hidden_size // self.heads, self.heads * (self.key_size or 0)
        sizes = (keys, keys, self.hidden_size, heads)
        kernel = initializers.columns(initializers.glorot_uniform, input_key, self.input_size, sizes, param_dtype)
        # Not from 0 itself, whose logarithm is not finite.
        rate = jax.random.uniform(rate_key, (heads,), minval=1e-3, maxval=16.0)
        return {
            "input": {"kernel": kernel},
            "recurrent": {"kernel": jnp.tile(jnp.eye(value_size, dtype=param_dtype), (heads, 1, 1))},
            "forget": {
                "log_rate": jnp.log(rate).astype(param_dtype),
                "bias": initializers.softplus_bias(bias_key, heads, 0.001, 0.1, param_dtype),
            },
            "skip": {"weight": jnp.ones(self.hidden_size, param_dtype)},
        }

    def initial_carry(
        self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32
    ) -> Float[jax.Array, "*B N K V"]:
        value_size = self.hidden_size // self.heads
        return jnp.zeros((*batch_shape, self.heads, self.key_size or 0, value_size), dtype)

    def project(self, params: Params, xs: Inputs) -> M2RNNInputs:
        products, keys = dense(xs, **params["input"]), self.heads * (self.key_size or 0)
        ends = [keys, 2 * keys, 2 * keys + self.hidden_size]
        query, key, value, forget = jnp.split(products, ends, axis=-1)
        forget, batch = widened(forget), products.shape[:-1]
        pace = jax.nn.softplus(forget + along_last(params["forget"]["bias"], forget))
        rate = jnp.exp(along_last(params["forget"]["log_rate"], forget))
        query, key = (part.reshape(*batch, self.heads, self.key_size or 0) for part in (query, key))
        value = value.reshape(*batch, self.heads, self.hidden_size // self.heads)
        return M2RNNInputs(query, key, value, -rate * pace)

    def step(self, params: Params, carry: Any, z: M2RNNInputs) -> tuple[Any, Output]:
        state = m2rnn_update(carry, z, params["recurrent"]["kernel"])
        read = jnp.einsum("...nk,...nkv->...nv", z.query.astype(state.dtype), state).astype(z.value.dtype)
        read, value = (part.reshape(*part.shape[:-2], self.hidden_size) for part in (read, z.value))
        return state, read + along_last(params["skip"]["weight"], value) * value

"""The block-diagonal linear recurrent unit: the input chooses how the units of a block are mixed.

    hᵢ,ₜ = Σⱼ aᵢⱼ,ₜ hⱼ,ₜ₋₁ + aᵢ₀,ₜ vᵢ,ₜ,    yₜ = hₜ        for each block, i and j from 1 to m

    vₜ = W_vᵀ xₜ,    aᵢⱼ,ₜ = exp(ãᵢⱼ,ₜ) / Σₗ exp(ãᵢₗ,ₜ),  l from 0 to m,    ãₜ = W_aᵀ xₜ + b_a

A row of gates, that of the input among them, sums to one: no unit is ever larger than the largest v so far (proposition
1). Between the corners of this simplex lie all maps of m units to m units, permutations among them: with blocks of
three the state can follow S₃, with blocks of five S₅. With m = 1 it is a gated average, unit by unit.

BD-LRU, Dubinin, Orvieto & Effenberger 2026, arXiv:2602.12021, and the authors' code, whose softmax this is; there the
L1 norm of a row is also made one after a sigmoid, a relu or a tanh. The linear layer behind the state is left to the
block around a cell.

The first units of all blocks stand side by side in h, then the second ones. Columns of the one input product: v, then
ã by source j from 0 on, each for all i. All of W_v, W_a and b_a starts uniform in ±D^-½, as in that code.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import dense, widened
from rnn_jax.cells.linear.base import LinearCell
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_divisor
from rnn_jax.typing import DType, Float, Inputs, Key, Output, Params, Projected

DUBININ_2026 = Paper(
    key="dubinin2026improved",
    authors="Dubinin, Igor and Orvieto, Antonio and Effenberger, Felix",
    title="Improved state mixing in higher-order and block diagonal linear recurrent networks",
    year=2026,
    arxiv="2602.12021",
)

BlockState = Float[jax.Array, "*B M N"]
"""The M units of N blocks, the first units of all blocks first."""


class BlockMap(NamedTuple):
    """hᵢ,ₜ = Σⱼ transitionⱼᵢ hⱼ,ₜ₋₁ + updateᵢ for each of N blocks: `[..., M, M, N]` and `[..., M, N]`."""

    transition: Float[jax.Array, "*B M M N"]
    update: BlockState


def mixed(transition: Float[jax.Array, "*#B M M N"], state: Float[jax.Array, "*#B M N"]) -> BlockState:
    """Σⱼ transitionⱼᵢ stateⱼ: a sum of few products of long vectors, written out, which XLA makes one loop of."""
    parts = [transition[..., j, :, :] * state[..., j, None, :] for j in range(state.shape[-2])]
    return functools.reduce(jnp.add, parts)


class BlockDiagonalCell(LinearCell):
    """A linear cell whose carry is N small vectors `[B, M, N]`, mapped one by one; `elements` gives a `BlockMap`."""

    def apply(self, element: BlockMap, carry: BlockState) -> BlockState:
        transition, update = (part.astype(carry.dtype) for part in element)
        return mixed(transition, carry) + update

    def combine(self, first: BlockMap, second: BlockMap) -> BlockMap:
        transition = jnp.sum(first.transition[..., :, None, :] * second.transition[..., None, :, :, :], axis=-3)
        return BlockMap(transition, mixed(second.transition, first.update) + second.update)

    def identity(self, element: BlockMap) -> BlockMap:
        size = element.transition.shape[-2]
        one = jnp.eye(size, dtype=element.transition.dtype)[..., None]
        one = one.reshape((1,) * (element.transition.ndim - one.ndim) + one.shape)
        return BlockMap(jnp.broadcast_to(one, element.transition.shape), jnp.zeros_like(element.update))


@dataclasses.dataclass(frozen=True)
class BlockLRU(BlockDiagonalCell):
    """Block-diagonal linear recurrent unit; equations and source at the top of this file.

    Carry: hₜ `[B, M, H / M]`. Params: `input.kernel [D, (M + 2) H]`, `gates.bias [(M + 1) H]` (b_a).
    Parameters: D (M + 2) H + (M + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
        block_size: M, units of a block (m); by default four, or fewer if H is no multiple of it.
    """

    input_size: int
    hidden_size: int
    block_size: int | None = dataclasses.field(default=None, kw_only=True)
    papers = (DUBININ_2026,)

    def __post_init__(self):
        super().__post_init__()
        if self.block_size is None:
            object.__setattr__(self, "block_size", math.gcd(4, self.hidden_size))
        check_divisor("block_size", self.block_size, self.hidden_size)

    @property
    def units(self) -> int:
        """M."""
        return self.block_size or 0

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, bias_key = jax.random.split(key)
        gates, bound = (self.units + 1) * self.hidden_size, self.input_size**-0.5
        shape = (self.input_size, self.hidden_size + gates)
        return {
            "input": {"kernel": jax.random.uniform(kernel_key, shape, param_dtype, -bound, bound)},
            "gates": {"bias": jax.random.uniform(bias_key, (gates,), param_dtype, -bound, bound)},
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> BlockState:
        return jnp.zeros((*batch_shape, self.units, self.hidden_size // self.units), dtype)

    def project(self, params: Params, xs: Inputs) -> Projected:
        bias = jnp.asarray(params["gates"]["bias"], xs.dtype)
        return dense(xs, params["input"]["kernel"], jnp.concatenate([jnp.zeros(self.hidden_size, bias.dtype), bias]))

    def elements(self, params: Params, z: Projected) -> BlockMap:
        z = widened(z)
        z = z.reshape(*z.shape[:-1], self.units + 2, self.units, self.hidden_size // self.units)
        gates = jax.nn.softmax(z[..., 1:, :, :], axis=-3)
        return BlockMap(gates[..., 1:, :, :], gates[..., 0, :, :] * z[..., 0, :, :])

    def read(self, params: Params, carry: BlockState, z: Projected) -> Output:
        return carry.reshape(*carry.shape[:-2], self.hidden_size).astype(z.dtype)

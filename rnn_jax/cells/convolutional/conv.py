"""Convolutional LSTM and GRU: states are images, and convolutions stand where those cells have products.

ConvLSTM, with * the convolution and ⊙ pointwise; the terms with P only with peepholes:

    iₜ = σ(Wᵢ * xₜ + bᵢ + Uᵢ * hₜ₋₁ + Pᵢ ⊙ cₜ₋₁)        gₜ = tanh(W_g * xₜ + b_g + U_g * hₜ₋₁)
    fₜ = σ(W_f * xₜ + b_f + U_f * hₜ₋₁ + P_f ⊙ cₜ₋₁)     cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
    oₜ = σ(Wₒ * xₜ + bₒ + Uₒ * hₜ₋₁ + Pₒ ⊙ cₜ)           hₜ = oₜ ⊙ tanh(cₜ),    yₜ = hₜ

Shi et al. 2015, arXiv:1506.04214, equation 3, where the peepholes are; they are off by default, as in most code since.

ConvGRU:

    rₜ = σ(W_r * xₜ + b_r + U_r * hₜ₋₁)        nₜ = tanh(W_n * xₜ + b_n + U_n * (rₜ ⊙ hₜ₋₁))
    zₜ = σ(W_z * xₜ + b_z + U_z * hₜ₋₁)        hₜ = (1 − zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁,    yₜ = hₜ

Ballas, Yao, Pal & Courville 2015, arXiv:1511.06432, section 3, with the reset before the product as there. Their update
gate is 1 − zₜ; here it keeps, as in the GRU of this library, which ConvGRU becomes where the space is one pixel.

Arrays are [..., *spatial, channels] with 1 to 3 spatial dims. Convolutions are padded with zeros to keep the size, and
as in deep learning everywhere they are correlations: kernels are not flipped. Gates stand side by side in the last axis
of a kernel, in the order i, f, g, o and r, z, n.
"""

import dataclasses
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import Cell, GatedCell, along_last, interpolate, sigmoid
from rnn_jax.cells.gated.lstm import LSTMCarry, lstm_gate
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_size
from rnn_jax.typing import Array, DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

SHI_2015 = Paper(
    key="shi2015convolutional",
    authors="Shi, Xingjian and Chen, Zhourong and Wang, Hao and Yeung, Dit-Yan and Wong, Wai-kin and Woo, Wang-chun",
    title="Convolutional LSTM network: a machine learning approach for precipitation nowcasting",
    year=2015,
    booktitle="Advances in Neural Information Processing Systems",
    arxiv="1506.04214",
)
BALLAS_2015 = Paper(
    key="ballas2015delving",
    authors="Ballas, Nicolas and Yao, Li and Pal, Chris and Courville, Aaron",
    title="Delving deeper into convolutional networks for learning video representations",
    year=2015,
    arxiv="1511.06432",
)


def convolve(x: Inputs, kernel: Float[Array, "*window D H"], bias: Float[Array, "H"] | None = None) -> Output:
    """`x [..., *spatial, in]` with a kernel `[*window, in, out]`, in the dtype of `x`, for any leading dims.

    On a CPU it is one matrix product of all neighbourhoods: XLA's own gradient of a convolution, once it is fused with
    an update of the parameters, takes there some forty times as long.
    """
    x, kernel = jnp.asarray(x), jnp.asarray(kernel, x.dtype)
    leading = x.shape[: x.ndim - kernel.ndim + 1]
    images = x.reshape(math.prod(leading), *x.shape[len(leading) :])
    y = jax.lax.platform_dependent(images, kernel, cpu=_product_of_neighbourhoods, default=_convolution)
    y = y.reshape(*leading, *y.shape[1:])
    return y if bias is None else y + along_last(bias, y)


def _convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    spatial = "XYZ"[: kernel.ndim - 2]
    names = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    return jax.lax.conv_general_dilated(x, kernel, (1,) * len(spatial), "SAME", dimension_numbers=names)


def _product_of_neighbourhoods(x: jax.Array, kernel: jax.Array) -> jax.Array:
    window, sizes = kernel.shape[:-2], x.shape[1:-1]
    padded = jnp.pad(x, [(0, 0), *(((k - 1) // 2, k // 2) for k in window), (0, 0)])
    shifted = [
        padded[:, *(slice(first, first + size) for first, size in zip(at, sizes, strict=True))]
        for at in itertools.product(*map(range, window))
    ]
    return jnp.concatenate(shifted, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


def conv_gru_step(
    hidden: Hidden, z: Float[jax.Array, "*B 3*H"], kernel: Float[Array, "*window H 3*H"]
) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z [..., *spatial, 3 H]` and the recurrent kernel `[*window, H, 3 H]`."""
    size = hidden.shape[-1]
    z_gates, z_new = z[..., : 2 * size], z[..., 2 * size :]
    gates = sigmoid(z_gates + convolve(hidden, kernel[..., : 2 * size]).astype(z.dtype))
    reset, update = jnp.split(gates, 2, axis=-1)
    candidate = convolve(reset.astype(hidden.dtype) * hidden, kernel[..., 2 * size :])
    return interpolate(hidden, update, jnp.tanh(z_new + candidate.astype(z.dtype)))


class _ConvCell(Cell):
    """What both share: the space, one convolution of the input, and initial kernels."""

    spatial_shape: Any
    kernel_size: int

    def __post_init__(self):
        super().__post_init__()
        check_size("kernel_size", self.kernel_size)
        shape = self.spatial_shape
        if not isinstance(shape, tuple | list) or not 1 <= len(shape) <= 3:
            raise ValueError(f"spatial_shape={shape!r}: expected a tuple of 1 to 3 sizes, such as (64, 64)")
        for size in shape:
            check_size("spatial_shape", size)
        object.__setattr__(self, "spatial_shape", tuple(shape))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (*self.spatial_shape, self.input_size)

    def project(self, params: Params, xs: Inputs) -> Projected:
        return convolve(xs, **params["input"])

    def zeros(self, batch_shape: tuple[int, ...], dtype: DType) -> Hidden:
        """A state before the first step."""
        return jnp.zeros((*batch_shape, *self.spatial_shape, self.hidden_size), dtype)

    def kernels(self, key: Key, gates: int, param_dtype: DType) -> Params:
        """The kernels of as many gates side by side, each drawn apart."""
        window = (self.kernel_size,) * len(self.spatial_shape)

        def draw(initializer, key: jax.Array, size: int) -> jax.Array:
            shape = (*window, size, self.hidden_size)
            return jnp.concatenate([initializer(k, shape, param_dtype) for k in jax.random.split(key, gates)], axis=-1)

        input_key, recurrent_key = jax.random.split(key)
        return {
            "input": {"kernel": draw(initializers.glorot_uniform, input_key, self.input_size)},
            "recurrent": {"kernel": draw(initializers.orthogonal, recurrent_key, self.hidden_size)},
        }


@dataclasses.dataclass(frozen=True)
class ConvLSTM(_ConvCell, GatedCell):
    """Convolutional LSTM; equations and sources at the top of this file. S stands for the spatial shape.

    Carry: `LSTMCarry(hidden [B, S, H], cell [B, S, H])`.
    Params: `input.kernel [K, K, D, 4 H]`, `input.bias [4 H]`, `recurrent.kernel [K, K, H, 4 H]` in two dims, and
    `peephole.kernel [S, 3 H]` with peepholes. Parameters: 4 (K² D + K² H + 1) H.

    The input kernel starts Glorot-uniform, the recurrent one orthogonal, peepholes and biases but b_f as zero.

    Args:
        input_size: D, channels of the input.
        hidden_size: H, channels of the states.
        spatial_shape: the sizes of the 1 to 3 spatial dims.
        kernel_size: K, of every spatial dim.
        peepholes: whether the gates see the cell state.
        forget_bias: what the forget gate's bias starts as.
    """

    input_size: int
    hidden_size: int
    spatial_shape: Any = dataclasses.field(default=(4, 4), kw_only=True)
    kernel_size: int = dataclasses.field(default=3, kw_only=True)
    peepholes: bool = dataclasses.field(default=False, kw_only=True)
    forget_bias: float = dataclasses.field(default=1.0, kw_only=True)
    papers = (SHI_2015,)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = self.kernels(key, 4, param_dtype)
        starts = (0.0, self.forget_bias, 0.0, 0.0)
        params["input"]["bias"] = initializers.gate_bias(starts, self.hidden_size, param_dtype)
        if self.peepholes:
            params["peephole"] = {"kernel": jnp.zeros((*self.spatial_shape, 3 * self.hidden_size), param_dtype)}
        return params

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> LSTMCarry:
        return LSTMCarry(self.zeros(batch_shape, dtype), self.zeros(batch_shape, dtype))

    def recur(self, params: Params, carry: LSTMCarry) -> Product:
        return convolve(carry.hidden, params["recurrent"]["kernel"])

    def gate(self, params: Params, carry: LSTMCarry, z: Projected, r: Product) -> tuple[LSTMCarry, Output]:
        if self.peepholes:
            maps = jnp.split(jnp.asarray(params["peephole"]["kernel"]), 3, axis=-1)
            params = params | {"peephole": dict(zip("ifo", maps, strict=True))}
        return lstm_gate(params, carry, z, r)

    def output(self, carry: LSTMCarry) -> Output:
        return carry.hidden


@dataclasses.dataclass(frozen=True)
class ConvGRU(_ConvCell):
    """Convolutional GRU; equations and sources at the top of this file. S stands for the spatial shape.

    Carry: hₜ `[B, S, H]`. Params: `input.kernel [K, K, D, 3 H]`, `input.bias [3 H]`, `recurrent.kernel [K, K, H, 3 H]`
    in two dims. Parameters: 3 (K² D + K² H + 1) H.

    The input kernel starts Glorot-uniform, the recurrent one orthogonal, the bias as zero.

    Args:
        input_size: D, channels of the input.
        hidden_size: H, channels of the state.
        spatial_shape: the sizes of the 1 to 3 spatial dims.
        kernel_size: K, of every spatial dim.
    """

    input_size: int
    hidden_size: int
    spatial_shape: Any = dataclasses.field(default=(4, 4), kw_only=True)
    kernel_size: int = dataclasses.field(default=3, kw_only=True)
    papers = (BALLAS_2015,)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = self.kernels(key, 3, param_dtype)
        params["input"]["bias"] = jnp.zeros(3 * self.hidden_size, param_dtype)
        return params

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Hidden:
        return self.zeros(batch_shape, dtype)

    def step(self, params: Params, carry: Hidden, z: Projected) -> tuple[Hidden, Output]:
        return conv_gru_step(carry, z, params["recurrent"]["kernel"])

    def output(self, carry: Hidden) -> Output:
        return carry

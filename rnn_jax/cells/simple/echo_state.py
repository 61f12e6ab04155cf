"""The echo state network: a random reservoir that is never trained; what reads from it is.

    hₜ = (1 − a) hₜ₋₁ + a tanh(Wᵀ xₜ + Uᵀ hₜ₋₁),    yₜ = hₜ

Jaeger 2001, "The echo state approach to analysing and training recurrent neural networks", GMD report 148; leaky units:
Jaeger, Lukoševičius, Popovici & Siewert 2007, Neural Networks 20(3). Without feedback from the readout, which is a
linear layer of your own over the outputs.

`trainable` says that no parameter may change, and no gradient reaches one. The spectral radius of U is set when U is
drawn: below 1, the reservoir nearly always forgets where it started, the sooner the smaller it is.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, HiddenCell, block_dense, dense, interpolate
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_number
from rnn_jax.typing import DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

JAEGER_2001 = Paper(
    key="jaeger2001echo",
    authors="Jaeger, Herbert",
    title='The "echo state" approach to analysing and training recurrent neural networks',
    year=2001,
    journal="GMD Report 148, German National Research Center for Information Technology",
)
JAEGER_2007 = Paper(
    key="jaeger2007optimization",
    authors="Jaeger, Herbert and Lukoševičius, Mantas and Popovici, Dan and Siewert, Udo",
    title="Optimization and applications of echo state networks with leaky-integrator neurons",
    year=2007,
    journal="Neural Networks 20(3)",
)


def echo_state_gate(hidden: Hidden, z: Hidden, r: Hidden, leak: float) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z` and the recurrent product `r`, all `[..., H]`."""
    new = jnp.tanh(z + r.astype(z.dtype))
    return interpolate(hidden, jnp.full_like(new, 1 - leak), new)


def gelfand_radius(matrix: Float[jax.Array, "H H"], squarings: int = 24) -> Float[jax.Array, ""]:
    """The largest absolute eigenvalue of `[H, H]` by Gelfand's formula, lim ‖Mᵏ‖^(1/k), at k = 2^squarings.

    Eigenvalues themselves are not to be had on every device.
    """

    def square(i: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        power, logarithm = state
        norm = jnp.linalg.norm(power)
        power = power / norm
        return power @ power, logarithm + jnp.log(norm) / 2.0 ** i.astype(norm.dtype)

    return jnp.exp(jax.lax.fori_loop(0, squarings, square, (matrix, jnp.zeros((), matrix.dtype)))[1])


def reservoir(key: Key, size: int, density: float, radius: float) -> Float[jax.Array, "{size} {size}"]:
    """A random kernel `[H, H]` with the spectral radius `radius`: each unit reads a share `density` of the units.

    It reads one at least: there is always a cycle then, so that no draw has a spectral radius of zero.
    """
    value_key, place_key = jax.random.split(key)
    count = max(round(density * size), 1)
    kept = jnp.argsort(jax.random.uniform(place_key, (size, size)), axis=0) < count
    kernel = jnp.where(kept, jax.random.uniform(value_key, (size, size), minval=-1.0), 0.0)
    return radius / gelfand_radius(kernel) * kernel


@dataclasses.dataclass(frozen=True)
class EchoState(HiddenCell, GatedCell):
    """Echo state network with leaky units; equations and sources at the top of this file.

    Carry: hₜ `[B, H]`. Params, never trained: `input.kernel [D, H]`, `recurrent.kernel [H, H]`. Parameters: (D + H) H.

    The input kernel is uniform in ±input_scale; so are the recurrent one's entries other than zero, before they are
    scaled to the spectral radius.

    Args:
        input_size: D.
        hidden_size: H.
        spectral_radius: of the recurrent kernel.
        leak: a, above 0 and at most 1; small for slow signals.
        density: the share of units that a unit reads, above 0 and at most 1.
        input_scale: the largest weight of an input.
        heads: N, a divisor of H: reservoirs of H / N units side by side, each with this spectral radius; with more than
            one the recurrent kernel is `[N, H / N, H / N]`.
    """

    input_size: int
    hidden_size: int
    spectral_radius: float = dataclasses.field(default=0.9, kw_only=True)
    leak: float = dataclasses.field(default=1.0, kw_only=True)
    density: float = dataclasses.field(default=1.0, kw_only=True)
    input_scale: float = dataclasses.field(default=1.0, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (JAEGER_2001, JAEGER_2007)
    additive = True

    def __post_init__(self):
        super().__post_init__()
        check_number("spectral_radius", self.spectral_radius, above=0)
        check_number("leak", self.leak, above=0, most=1)
        check_number("density", self.density, above=0, most=1)
        check_number("input_scale", self.input_scale, above=0)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, recurrent_key = jax.random.split(key)
        shape, scale = (self.input_size, self.hidden_size), self.input_scale
        size = self.hidden_size // self.heads
        recurrent = initializers.in_heads(
            lambda key: reservoir(key, size, self.density, self.spectral_radius), recurrent_key, self.heads
        )
        return {
            "input": {"kernel": jax.random.uniform(input_key, shape, param_dtype, -scale, scale)},
            "recurrent": {"kernel": recurrent.astype(param_dtype)},
        }

    def trainable(self, params: Params) -> Params:
        return jax.tree.map(lambda _: False, params)

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, jax.lax.stop_gradient(params["input"]["kernel"]))

    def recur(self, params: Params, carry: Hidden) -> Product:
        return block_dense(carry, jax.lax.stop_gradient(params["recurrent"]["kernel"]))

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return echo_state_gate(carry, z, r, self.leak)

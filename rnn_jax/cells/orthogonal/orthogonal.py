"""Networks with a recurrent matrix that is orthogonal for any parameters: it neither shrinks nor stretches gradients.

    hₜ = modReLU(Vᵀ xₜ + Q hₜ₋₁),    modReLU(u) = sign(u) relu(|u| + b),    yₜ = hₜ

    Q = exp(A)                         ExpRNN: the matrix exponential reaches every rotation
    Q = (I + A)⁻¹ (I − A) Λ            CayleyRNN: every orthogonal matrix, with the right fixed diagonal Λ of ±1

A is skew-symmetric. ExpRNN: Lezcano-Casado & Martínez-Rubio 2019, arXiv:1901.08428. CayleyRNN, there scoRNN: Helfrich,
Willmott & Ye 2018, arXiv:1707.09520. modReLU: Arjovsky, Shah & Bengio 2016, arXiv:1511.06464, here on real numbers.

Kernels are (in, out): the kernel is Qᵀ, made of Aᵀ = −A.

A starts as blocks [[0, s], [−s, 0]] along the diagonal, one for each pair of units, which Q rotates against each
other: "cayley", s = −tan(θ / 2) with θ uniform in 0 … π/2 (Helfrich et al.), or "henaff", s uniform in ±π (Henaff,
Szlam & LeCun 2016, arXiv:1602.06662).
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax import initializers
from rnn_jax.cells.base import along_last
from rnn_jax.cells.orthogonal.skew import SkewCell
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_choice, check_number
from rnn_jax.typing import Array, DType, Float, Hidden, Key, Output, Params, Product, Projected

LEZCANO_2019 = Paper(
    key="lezcano2019cheap",
    authors="Lezcano-Casado, Mario and Martínez-Rubio, David",
    title="Cheap orthogonal constraints in neural networks: a simple parametrization of the orthogonal and unitary "
    "group",
    year=2019,
    booktitle="International Conference on Machine Learning",
    arxiv="1901.08428",
)
HELFRICH_2018 = Paper(
    key="helfrich2018orthogonal",
    authors="Helfrich, Kyle E. and Willmott, Devin and Ye, Qiang",
    title="Orthogonal recurrent neural networks with scaled Cayley transform",
    year=2018,
    booktitle="International Conference on Machine Learning",
    arxiv="1707.09520",
)
ROTATIONS = ("cayley", "henaff")


def modrelu(u: Hidden, bias: Float[Array, "H"]) -> Hidden:
    """sign(u) relu(|u| + b), b `[H]`; at u = 0 it is zero."""
    bias = along_last(bias, u)
    # Without a product of sign and magnitude: u = 0 has the gradient of its neighbours, NaN stays NaN.
    return jnp.where(jnp.abs(u) + bias <= 0, jnp.zeros_like(u), u + bias * jnp.sign(u))


def rotations(key: Key, size: int, kind: str, dtype: DType = jnp.float32) -> Float[jax.Array, "{size}*({size}-1)//2"]:
    """The numbers `[H (H − 1) / 2]` above the diagonal of A that rotate pairs of units; see the top of this file."""
    pairs = max(size // 2, 1)
    if kind == "henaff":
        angles = jax.random.uniform(key, (pairs,), minval=-np.pi, maxval=np.pi)
    else:
        angles = -jnp.tan(jax.random.uniform(key, (pairs,), maxval=np.pi / 2) / 2)
    rows, columns = np.triu_indices(size, 1)
    paired = (rows % 2 == 0) & (columns == rows + 1)
    return jnp.where(paired, angles[np.minimum(rows // 2, pairs - 1)], 0.0).astype(dtype)


class _Orthogonal(SkewCell):
    """What both share: modReLU over one recurrent product."""

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        y = modrelu(z + r.astype(z.dtype), params["modrelu"]["bias"])
        return y.astype(carry.dtype), y


@dataclasses.dataclass(frozen=True)
class ExpRNN(_Orthogonal):
    """Orthogonal network by the matrix exponential; equations and sources at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `recurrent.skew [H (H − 1) / 2]`, `modrelu.bias [H]`.
    Parameters: D H + H (H + 1) / 2.

    The input kernel starts normal with variance 2 / D, b uniform in ±0.01, as in the authors' code.

    Args:
        input_size: D.
        hidden_size: H.
        skew_init: what A starts as, "cayley" or "henaff".
    """

    input_size: int
    hidden_size: int
    skew_init: str = dataclasses.field(default="cayley", kw_only=True)
    papers = (LEZCANO_2019,)

    def __post_init__(self):
        super().__post_init__()
        check_choice("skew_init", self.skew_init, ROTATIONS)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, skew_key, bias_key = jax.random.split(key, 3)
        kernel = jax.random.normal(input_key, (self.input_size, self.hidden_size), param_dtype)
        return {
            "input": {"kernel": (2 / self.input_size) ** 0.5 * kernel},
            "recurrent": {"skew": rotations(skew_key, self.hidden_size, self.skew_init, param_dtype)},
            "modrelu": {"bias": jax.random.uniform(bias_key, (self.hidden_size,), param_dtype, -0.01, 0.01)},
        }

    def kernel(self, skew: Float[jax.Array, "H H"]) -> Float[jax.Array, "H H"]:
        return jax.scipy.linalg.expm(skew.T)


@dataclasses.dataclass(frozen=True)
class CayleyRNN(_Orthogonal):
    """Orthogonal network by the scaled Cayley transform (scoRNN); equations and sources at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `recurrent.skew [H (H − 1) / 2]`, `modrelu.bias [H]`.
    Parameters: D H + H (H + 1) / 2.

    The input kernel starts Glorot-uniform, b as zero, A as "cayley".

    Args:
        input_size: D.
        hidden_size: H.
        negative: the share of −1 in Λ, 0 to 1; they come last, rounded to whole units.
    """

    input_size: int
    hidden_size: int
    negative: float = dataclasses.field(default=0.5, kw_only=True)
    papers = (HELFRICH_2018,)

    def __post_init__(self):
        super().__post_init__()
        check_number("negative", self.negative, least=0, most=1)

    @property
    def signs(self) -> Float[np.ndarray, "H"]:
        """The diagonal of Λ, `[H]`."""
        count = round(self.negative * self.hidden_size)
        return np.where(np.arange(self.hidden_size) < self.hidden_size - count, 1.0, -1.0)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, skew_key = jax.random.split(key)
        shape = (self.input_size, self.hidden_size)
        return {
            "input": {"kernel": initializers.glorot_uniform(input_key, shape, param_dtype)},
            "recurrent": {"skew": rotations(skew_key, self.hidden_size, "cayley", param_dtype)},
            "modrelu": {"bias": jnp.zeros(self.hidden_size, param_dtype)},
        }

    def kernel(self, skew: Float[jax.Array, "H H"]) -> Float[jax.Array, "H H"]:
        one = jnp.eye(self.hidden_size, dtype=skew.dtype)
        return jnp.asarray(self.signs[:, None], skew.dtype) * jnp.linalg.solve(one - skew, one + skew)

"""The independently recurrent network: each unit remembers itself alone, and layers mix the units.

    hₜ = φ(Wᵀ xₜ + b + u ⊙ hₜ₋₁),    yₜ = hₜ

Li et al. 2018, arXiv:1803.04831, section 3: φ = relu, or tanh. A unit's gradient over n steps of relu is uⁿ, so |u|
should not be much above one: for sequences of T steps the authors clip it to 2^(1/T) after each training step, which is
left to the training loop.

u starts uniform in (0, 1), so that the units remember for different times. For the last layer of a task that only needs
the output of the last step, the authors start it close to one (github.com/Sunnydreamrain/IndRNN_Theano_Lasagne):
`recurrent_range=(0.99, 1.01)`. W starts Glorot-uniform, b as zero.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, HiddenCell, along_last
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.simple.elman import ACTIVATIONS, elman_gate
from rnn_jax.checks import check_choice
from rnn_jax.typing import DType, Hidden, Key, Output, Params, Product, Projected

LI_2018 = Paper(
    key="li2018independently",
    authors="Li, Shuai and Li, Wanqing and Cook, Chris and Zhu, Ce and Gao, Yanbo",
    title="Independently recurrent neural network (IndRNN): Building a longer and deeper RNN",
    year=2018,
    booktitle="Computer Vision and Pattern Recognition",
    arxiv="1803.04831",
)


@dataclasses.dataclass(frozen=True)
class IndRNN(HiddenCell, GatedCell):
    """Independently recurrent network; equation and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `input.bias [H]`, `recurrent.weight [H]` (u).
    Parameters: (D + 2) H.

    Args:
        input_size: D.
        hidden_size: H.
        activation: "relu" or "tanh".
        recurrent_range: (low, high) of the uniform distribution that u starts from.

    Raises:
        ValueError: `recurrent_range` is not two numbers in order.
    """

    input_size: int
    hidden_size: int
    activation: str = dataclasses.field(default="relu", kw_only=True)
    recurrent_range: Sequence[float] = dataclasses.field(default=(0.0, 1.0), kw_only=True)
    papers = (LI_2018,)
    additive = True

    def __post_init__(self):
        super().__post_init__()
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        object.__setattr__(self, "recurrent_range", tuple(self.recurrent_range))
        if len(self.recurrent_range) != 2 or not self.recurrent_range[0] <= self.recurrent_range[1]:
            raise ValueError(f"recurrent_range={self.recurrent_range}: expected (low, high) with low <= high")

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, recurrent_key = jax.random.split(key)
        kernel = initializers.glorot_uniform(input_key, (self.input_size, self.hidden_size), param_dtype)
        weight = jax.random.uniform(recurrent_key, (self.hidden_size,), param_dtype, *self.recurrent_range)
        return {
            "input": {"kernel": kernel, "bias": jnp.zeros(self.hidden_size, param_dtype)},
            "recurrent": {"weight": weight},
        }

    def recur(self, params: Params, carry: Hidden) -> Product:
        return along_last(params["recurrent"]["weight"], carry) * carry

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return elman_gate(carry, z, r, self.activation)

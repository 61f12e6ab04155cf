"""The liquid-resistance liquid-capacitance state space model: a nonlinear cell whose units do not see one another.

    hₜ = hₜ₋₁ + Δt σ(εₜ) ⊙ (−σ(fₜ) ⊙ hₜ₋₁ + e ⊙ tanh(gₜ)),    yₜ = hₜ

    pₜ = σ(a ⊙ (xₜ − μ)),    qₜ = σ(b ⊙ (hₜ₋₁ − ν))
    fₜ = l + W_fᵀ pₜ + u_f ⊙ qₜ,    gₜ = l + W_gᵀ pₜ + u_g ⊙ qₜ,    εₜ = c ⊙ hₜ₋₁ + d

A unit is a leaky membrane: σ(f) is its conductance, e tanh(g) what drives it, and σ(ε) its elastance, one over the
capacitance. A unit reads all inputs, through synapses that open around μ, but of the state itself alone: the derivative
of a step by the carry is diagonal, and Newton's method takes each of its iterations as one scan of numbers.

LrcSSM, Farsang, Hasani, Rus & Grosu 2025, arXiv:2505.21717: an explicit Euler step of that paper's diagonal model, here
as in the authors' code, where ε depends on the state alone, l is shared by f and g, and a synapse has one slope and one
centre for all units. The paper's ε may also read the input. Left out are the symmetric elastance, the complex version,
and the layers around the cell.

All start uniform in ±H^-½, as in that code. The input product has the columns of f, then those of g.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import GatedCell, HiddenCell, along_last, dense, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_number
from rnn_jax.typing import DType, Hidden, Inputs, Key, Output, Params, Product, Projected

FARSANG_2025 = Paper(
    key="farsang2025scaling",
    authors="Farsang, Mónika and Hasani, Ramin and Rus, Daniela and Grosu, Radu",
    title="Scaling up liquid-resistance liquid-capacitance networks for efficient sequence modeling",
    year=2025,
    arxiv="2505.21717",
)


def lrc_gate(params: Params, hidden: Hidden, z: Projected, r: Product, dt: float) -> tuple[Hidden, Output]:
    """hₜ and yₜ from what the input adds to f and g, `z [..., 2 H]`, and what the two σ of h take, `r [..., 2 H]`."""
    cell, r = params["recurrent"], r.astype(z.dtype)
    synapse, elastance = (sigmoid(part) for part in jnp.split(r, 2, axis=-1))
    own = along_last(cell["synapse"], z) * jnp.concatenate([synapse, synapse], axis=-1)
    conductance, drive = jnp.split(z + own, 2, axis=-1)
    step = (dt * elastance).astype(hidden.dtype)
    leak, drive = sigmoid(conductance), along_last(cell["reversal"], z) * jnp.tanh(drive)
    hidden = hidden + step * (drive.astype(hidden.dtype) - leak.astype(hidden.dtype) * hidden)
    return hidden, hidden.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class LrcSSM(HiddenCell, GatedCell):
    """Liquid-resistance liquid-capacitance state space model; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `sensory.slope`, `sensory.centre` `[D]` (a, μ), `input.kernel [D, 2 H]` (W_f, W_g),
    `input.bias [H]` (l), `recurrent.slope`, `recurrent.centre` `[H]` (b, ν), `recurrent.synapse [2 H]` (u_f, u_g),
    `recurrent.reversal [H]` (e), `elastance.weight`, `elastance.bias` `[H]` (c, d). Parameters: 2 D (H + 1) + 8 H.

    Args:
        input_size: D.
        hidden_size: H.
        dt: Δt, the step size; with one, at most, h stays within max(|h₀|, |e| / σ(f)).
    """

    input_size: int
    hidden_size: int
    dt: float = dataclasses.field(default=1.0, kw_only=True)
    papers = (FARSANG_2025,)

    def __post_init__(self):
        super().__post_init__()
        check_number("dt", self.dt, above=0)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        inputs, units, bound = self.input_size, self.hidden_size, self.hidden_size**-0.5
        shapes = {
            "sensory": {"slope": (inputs,), "centre": (inputs,)},
            "input": {"kernel": (inputs, 2 * units), "bias": (units,)},
            "recurrent": {"slope": (units,), "centre": (units,), "synapse": (2 * units,), "reversal": (units,)},
            "elastance": {"weight": (units,), "bias": (units,)},
        }
        leaves, tree = jax.tree.flatten(shapes, is_leaf=lambda shape: isinstance(shape, tuple))
        keys = jax.random.split(key, len(leaves))
        drawn = (jax.random.uniform(k, s, param_dtype, -bound, bound) for k, s in zip(keys, leaves, strict=True))
        return tree.unflatten(drawn)

    def project(self, params: Params, xs: Inputs) -> Projected:
        xs = jnp.asarray(xs)
        slope, centre = (along_last(params["sensory"][name], xs) for name in ("slope", "centre"))
        bias = params["input"]["bias"]
        return dense(sigmoid(slope * (xs - centre)), params["input"]["kernel"], jnp.concatenate([bias, bias]))

    def recur(self, params: Params, carry: Hidden) -> Product:
        cell, elastance = params["recurrent"], params["elastance"]
        slope, centre = along_last(cell["slope"], carry), along_last(cell["centre"], carry)
        weight, bias = along_last(elastance["weight"], carry), along_last(elastance["bias"], carry)
        return jnp.concatenate([slope * (carry - centre), weight * carry + bias], axis=-1)

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return lrc_gate(params, carry, z, r, self.dt)

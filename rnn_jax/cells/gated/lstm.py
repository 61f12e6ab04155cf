"""Long short-term memory: a cell state behind an input, a forget and an output gate.

    iₜ = σ(Wᵢᵀ xₜ + bᵢ + Uᵢᵀ hₜ₋₁)        gₜ = tanh(W_gᵀ xₜ + b_g + U_gᵀ hₜ₋₁)
    fₜ = σ(W_fᵀ xₜ + b_f + U_fᵀ hₜ₋₁)      cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
    oₜ = σ(Wₒᵀ xₜ + bₒ + Uₒᵀ hₜ₋₁)        hₜ = oₜ ⊙ tanh(cₜ),    yₜ = hₜ

Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000. b_f starts at one, so that the cell
remembers before it has learned to: Jozefowicz, Zaremba & Sutskever 2015, section 4; or, with `longest`, for as long as
the task needs: Tallec & Ollivier 2018, arXiv:1804.11188. Options change the equations:

    peepholes    pᵢ ⊙ cₜ₋₁, p_f ⊙ cₜ₋₁, pₒ ⊙ cₜ inside the gates; Gers, Schraudolph & Schmidhuber 2002
    coupled      fₜ = 1 − iₜ and no forget gate; CIFG in Greff et al. 2017
    without      iₜ, fₜ or oₜ = 1, gₜ without its tanh, or hₜ = oₜ ⊙ cₜ: NIG, NFG, NOG, NIAF, NOAF in Greff et al. 2017
    layer_norm   LN(Wᵀ xₜ) + LN(Uᵀ hₜ₋₁) + b inside the gates, tanh(LN(cₜ)); Ba, Kiros & Hinton 2016, equations 20 to 22
    LSTMP        hₜ = Pᵀ (oₜ ⊙ tanh(cₜ)); Sak, Senior & Beaufays 2014

Gates stand side by side in the order i, f, g, o, as in PyTorch, those that an option removes left out. One bias instead
of PyTorch's two, and of the paper's three under layer_norm, which only ever appear as their sum.
"""

import dataclasses
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import Cell, GatedCell, along_last, block_dense, dense, sigmoid, squash, widened
from rnn_jax.cells.gated.lstm_papers import BA_2016, GERS_2000, GERS_2002, GREFF_2017, HOCHREITER_1997, SAK_2014
from rnn_jax.checks import check_size
from rnn_jax.typing import Array, DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

PARTS = ("input_gate", "forget_gate", "output_gate", "input_activation", "output_activation")


class LSTMCarry(NamedTuple):
    """hₜ and cₜ, each `[B, H]`, in PyTorch's order; hₜ is `[B, P]` behind a projection."""

    hidden: Hidden
    cell: Hidden


def lstm_gate(
    params: Params,
    carry: LSTMCarry,
    z: Projected,
    r: Float[jax.Array, "*B G"],
    gates: str = "ifgo",
    coupled: bool = False,
    linear: tuple[str, ...] = (),
) -> tuple[LSTMCarry, Output]:
    """(hₜ, cₜ) and yₜ from the projected input `z` and the recurrent product `r`, both `[..., len(gates) H]`.

    Args:
        params: its groups `peephole` and `norm` are used where they are there.
        carry: (hₜ₋₁, cₜ₋₁).
        z: projected input, normalised where there is a `norm`.
        r: recurrent product.
        gates: which gates there are, in their order.
        coupled: whether the forget gate is 1 − iₜ.
        linear: "g", "c" or both: where the tanh is left out.
    """
    norm, peephole = params.get("norm", {}), params.get("peephole", {})
    r = r.astype(z.dtype)
    a = z + (layer_norm(r, norm["recurrent"]) if norm else r)
    inputs = dict(zip(gates, jnp.split(a, len(gates), axis=-1), strict=True))
    squashed = dict(zip(gates, squash(a, "".join("t" if name == "g" else "s" for name in gates)), strict=True))

    def gate(name: str, cell: jax.Array) -> jax.Array:
        if name not in inputs:
            return jnp.ones_like(inputs["g"])
        if not peephole:
            return squashed[name]
        return sigmoid(inputs[name] + along_last(peephole[name], z) * cell.astype(z.dtype))

    i = gate("i", carry.cell)
    f = 1 - i if coupled else gate("f", carry.cell)
    update = i * (inputs if "g" in linear else squashed)["g"]
    cell = f.astype(carry.cell.dtype) * carry.cell + update.astype(carry.cell.dtype)
    read = cell.astype(z.dtype)
    if norm:
        read = layer_norm(read, norm["cell"], norm["cell_bias"])
    y = gate("o", cell) * (read if "c" in linear else jnp.tanh(read))
    return LSTMCarry(y.astype(carry.hidden.dtype), cell), y


def layer_norm(x: Hidden, scale: Float[Array, "H"], bias: Float[Array, "H"] | None = None) -> Hidden:
    """`x` with mean 0 and variance 1 over the last axis, then scaled and shifted; Ba et al. 2016, equation 4."""
    wide = widened(x)
    centred = wide - wide.mean(axis=-1, keepdims=True)
    normal = centred * jax.lax.rsqrt((centred * centred).mean(axis=-1, keepdims=True) + 1e-5)
    normal = normal * along_last(scale, wide)
    return (normal if bias is None else normal + along_last(bias, wide)).astype(x.dtype)


@dataclasses.dataclass(frozen=True)
class _LSTM(Cell):
    """The fields and the initial values that LSTM and LSTMP share."""

    input_size: int
    hidden_size: int
    forget_bias: float = dataclasses.field(default=1.0, kw_only=True)
    bias: bool = dataclasses.field(default=True, kw_only=True)
    peepholes: bool = dataclasses.field(default=False, kw_only=True)
    coupled: bool = dataclasses.field(default=False, kw_only=True)
    layer_norm: bool = dataclasses.field(default=False, kw_only=True)
    without: tuple[str, ...] = dataclasses.field(default=(), kw_only=True)
    longest: int | None = dataclasses.field(default=None, kw_only=True)
    heads: ClassVar[int] = 1
    papers = (HOCHREITER_1997, GERS_2000)

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "without", tuple(self.without))
        for part in self.without:
            if part not in PARTS:
                raise ValueError(f"without={self.without!r}: expected a tuple of {', '.join(map(repr, PARTS))}")
        initializers.check_longest_of_cell(self.longest, self.bias)
        if self.coupled and {"input_gate", "forget_gate"} & set(self.without):
            raise ValueError(f"coupled=True with without={self.without!r}: the coupled gates cannot be left out")

    @property
    def gates(self) -> str:
        """The gates that there are, of i, f, g, o."""
        absent = {part[0] for part in self.without if part.endswith("gate")} | ({"f"} if self.coupled else set())
        return "".join(gate for gate in "ifgo" if gate not in absent)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        size, count = self.hidden_size, len(self.gates)
        params = initializers.gated_kernels(key, self.input_size, size, count, param_dtype, heads=self.heads)
        if self.bias:
            starts = {"f": self.forget_bias, "i": -self.forget_bias if self.coupled else 0.0}
            params["input"]["bias"] = initializers.gate_bias(
                tuple(starts.get(gate, 0.0) for gate in self.gates), size, param_dtype
            )
        if self.longest is not None:
            forget = initializers.chrono(jax.random.fold_in(key, 1), size, self.longest, param_dtype)
            chrono = {"f": forget, "i": -forget}
            params["input"]["bias"] = jnp.concatenate([chrono.get(gate, jnp.zeros_like(forget)) for gate in self.gates])
        if self.peepholes:
            params["peephole"] = {gate: jnp.zeros(size, param_dtype) for gate in self.gates if gate != "g"}
        if self.layer_norm:
            params["norm"] = {
                "input": jnp.ones(count * size, param_dtype),
                "recurrent": jnp.ones(count * size, param_dtype),
                "cell": jnp.ones(size, param_dtype),
                "cell_bias": jnp.zeros(size, param_dtype),
            }
        return params

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> LSTMCarry:
        hidden = jnp.zeros((*batch_shape, self.output_size), dtype)
        return LSTMCarry(hidden, jnp.zeros((*batch_shape, self.hidden_size), dtype))

    def project(self, params: Params, xs: Inputs) -> Projected:
        if not self.layer_norm:
            return dense(xs, **params["input"])
        return layer_norm(dense(xs, params["input"]["kernel"]), params["norm"]["input"], params["input"].get("bias"))

    def recur(self, params: Params, carry: LSTMCarry) -> Product:
        return block_dense(carry.hidden, params["recurrent"]["kernel"])

    def gate(self, params: Params, carry: LSTMCarry, z: Projected, r: Product) -> tuple[LSTMCarry, Output]:
        linear = tuple(c for c, part in zip("gc", PARTS[3:], strict=True) if part in self.without)
        return lstm_gate(params, carry, z, r, self.gates, self.coupled, linear)

    def output(self, carry: LSTMCarry) -> Output:
        return carry.hidden


@dataclasses.dataclass(frozen=True)
class LSTM(_LSTM, GatedCell):
    """Long short-term memory; equations and sources at the top of this file.

    Carry: `LSTMCarry(hidden [B, H], cell [B, H])`.
    Params: `input.kernel [D, 4 H]`, `input.bias [4 H]`, `recurrent.kernel [H, 4 H]`; with options
    `peephole.{i, f, o} [H]`, `norm.{input, recurrent} [4 H]`, `norm.{cell, cell_bias} [H]`.
    Parameters: 4 (D + H + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
        forget_bias: what the forget gate's bias starts as; when coupled, the input gate starts at its negative.
        bias: whether there is a bias.
        peepholes: whether the gates see the cell state; their weights start at zero.
        coupled: whether the forget gate is one minus the input gate.
        layer_norm: whether input, hidden and cell state are normalised inside the gates.
        without: parts left out, any of "input_gate", "forget_gate", "output_gate", "input_activation",
            "output_activation".
        longest: the longest dependence to expect, in steps: the forget gate's bias starts by `initializers.chrono`,
            the input gate's as its negative, whatever forget_bias says.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, 4 H / N]`.

    Raises:
        ValueError: an unknown part, coupled without one of the gates that it couples, longest without biases, or heads
            with layer_norm.
    """

    heads: int = dataclasses.field(default=1, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        if self.heads > 1 and self.layer_norm:
            raise ValueError(f"heads={self.heads} with layer_norm=True, which is over all units: leave one of them")

    @property
    def additive(self) -> bool:
        return not self.layer_norm


@dataclasses.dataclass(frozen=True)
class LSTMP(_LSTM):
    """LSTM whose hidden state is a projection of what its output gate lets through; Sak, Senior & Beaufays 2014.

    The paper's second, non-recurrent projection is a dense layer on the outputs, and left to the model. Its peepholes
    are an option here. Equal to PyTorch's `proj_size`.

    Carry: `LSTMCarry(hidden [B, P], cell [B, H])`.
    Params: as in `LSTM`, but `recurrent.kernel [P, 4 H]`, and `projection.kernel [H, P]`.
    Parameters: 4 (D + P + 1) H + H P.

    Args:
        input_size: D.
        hidden_size: H.
        projection_size: P, from 1 to H, also the size of the outputs; a quarter of H by default, as in the paper's
            larger models.

    Other arguments are those of `LSTM`.
    """

    projection_size: int | None = dataclasses.field(default=None, kw_only=True)
    papers = (SAK_2014, *_LSTM.papers)

    def __post_init__(self):
        super().__post_init__()
        if self.projection_size is None:
            object.__setattr__(self, "projection_size", max(1, self.hidden_size // 4))
        check_size("projection_size", self.projection_size)
        if self.output_size > self.hidden_size:
            raise ValueError(f"projection_size={self.projection_size}: expected at most hidden_size={self.hidden_size}")

    @property
    def output_size(self) -> int:
        return self.projection_size or 0

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        own_key, recurrent_key, projection_key = jax.random.split(key, 3)
        params = super().init(own_key, param_dtype)
        shape = (self.output_size, self.hidden_size)
        kernel = initializers.per_gate(initializers.orthogonal, recurrent_key, shape, len(self.gates), param_dtype)
        projection = initializers.glorot_uniform(projection_key, shape[::-1], param_dtype)
        return params | {"recurrent": {"kernel": kernel}, "projection": {"kernel": projection}}

    def step(self, params: Params, carry: LSTMCarry, z: Projected) -> tuple[LSTMCarry, Output]:
        after, y = self.gate(params, carry, z, self.recur(params, carry))
        y = dense(y, params["projection"]["kernel"])
        return LSTMCarry(y.astype(carry.hidden.dtype), after.cell), y


@dataclasses.dataclass(frozen=True)
class PeepholeLSTM(LSTM):
    """LSTM whose gates see the cell state; Gers, Schraudolph & Schmidhuber 2002. Arguments as in `LSTM`.

    Parameters: 4 (D + H + 1) H + 3 H.
    """

    peepholes: bool = dataclasses.field(default=True, kw_only=True)
    papers = (GERS_2002, *_LSTM.papers)


@dataclasses.dataclass(frozen=True)
class CoupledLSTM(LSTM):
    """LSTM whose forget gate is one minus its input gate (CIFG); Greff et al. 2017. Arguments as in `LSTM`.

    Parameters: 3 (D + H + 1) H.
    """

    coupled: bool = dataclasses.field(default=True, kw_only=True)
    papers = (GREFF_2017, *_LSTM.papers)


@dataclasses.dataclass(frozen=True)
class LayerNormLSTM(LSTM):
    """LSTM with layer normalisation inside the gates; Ba, Kiros & Hinton 2016. Arguments as in `LSTM`.

    Parameters: 4 (D + H + 1) H + 10 H.
    """

    layer_norm: bool = dataclasses.field(default=True, kw_only=True)
    papers = (BA_2016, *_LSTM.papers)

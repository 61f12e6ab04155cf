"""One direction of an operator as a cell: its attributes, and its weights by the names of their inputs.

    W [gates · H, D]   the input kernel, transposed         B [2 · gates · H]   the input's bias, then the recurrent one
    R [gates · H, H]   the recurrent kernel, transposed     P [3 · H]           peepholes of i, o, f

    LSTM   as `LSTM`, with its options peepholes and coupled: fₜ = 1 − iₜ when input_forget=1, the weights of f being
           there and unread. Gates i, o, f, c; here i, f, g, o, and i, g, o when coupled.
    GRU    Hₜ = (1 − zₜ) ⊙ hₜ + zₜ ⊙ Hₜ₋₁ as here, with the reset after the product when linear_before_reset=1 (`GRU`)
           and before it when 0 (`GRUResetBefore`). Gates z, r, h; here r, z, n.
    RNN    Hₜ = φ(W xₜ + R Hₜ₋₁ + b) with φ tanh or relu: `Elman`, `IRNN`.

The two biases only ever appear as their sum, but for the recurrent one of h in a GRU with linear_before_reset=1, which
is `recurrent.bias` here: on the way in they are added, on the way out the recurrent ones are zero.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells import GRU, IRNN, LSTM, Cell, CoupledLSTM, Elman, GRUResetBefore, PeepholeLSTM
from rnn_jax.interop.entries import Entries, check_cell, check_option, read_entries
from rnn_jax.typing import Array, Params

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
"""How many gates the weights of an operator have."""

_ACTIVATIONS = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh")}
_CELLS = (Elman, IRNN, LSTM, PeepholeLSTM, CoupledLSTM, GRU, GRUResetBefore)
_REMEDY = "; stablehlo.save_program writes any cell, as a program for JAX"


def operator_of(cell: Any) -> tuple[str, dict[str, Any]]:
    """The operator that computes what a cell computes, and its attributes for one direction.

    Raises:
        ValueError: there is none.
    """
    check_cell(cell, "ONNX", _CELLS, options=("peepholes", "coupled"), remedy=_REMEDY)
    if isinstance(cell, Elman):
        return "RNN", {"activations": [cell.activation.capitalize()]}
    if isinstance(cell, LSTM):
        return "LSTM", {"input_forget": 1} if cell.coupled else {}
    return "GRU", {"linear_before_reset": int(isinstance(cell, GRU))}


def cell_of(
    owner: str, operator: str, attributes: Mapping[str, Any], activations: list[str], shapes: dict[str, tuple[int, ...]]
) -> Cell:
    """The cell that one direction of an operator computes.

    Args:
        owner: names the operator in messages.
        operator: "LSTM", "GRU" or "RNN".
        attributes: those given, without the ones that concern axes and directions.
        activations: of this direction, in lower case; none for the default ones.
        shapes: of the weights of one direction, by the names of their inputs.

    Raises:
        ValueError: the sizes do not fit each other, or no cell has the activations.
    """
    (rows, input_size), (_, hidden_size) = shapes["W"], shapes["R"]
    if attributes.get("hidden_size", hidden_size) != hidden_size or rows != GATES[operator] * hidden_size:
        raise ValueError(
            f"{owner} has hidden_size={attributes.get('hidden_size', 'not given')} and weights W {list(shapes['W'])}, "
            f"R {list(shapes['R'])} in each direction: expected W [{GATES[operator]} * hidden_size, input_size] and "
            f"R [{GATES[operator]} * hidden_size, hidden_size]"
        )
    bias = "B" in shapes
    if operator == "RNN":
        (activation,) = activations or ["tanh"]
        check_option(owner, "activations", activation, ("tanh", "relu"))
        return Elman(input_size, hidden_size, activation=activation, bias=bias)
    wanted = _ACTIVATIONS[operator]
    check_option(owner, "activations", tuple(activations) or wanted, (wanted,))
    if operator == "GRU":
        kind = GRU if attributes.get("linear_before_reset", 0) else GRUResetBefore
        return kind(input_size, hidden_size, bias=bias)
    if attributes.get("input_forget", 0):
        return CoupledLSTM(input_size, hidden_size, bias=bias, peepholes="P" in shapes)
    return (PeepholeLSTM if "P" in shapes else LSTM)(input_size, hidden_size, bias=bias)


def weights_of(cell: Any, params: Params) -> Entries:
    """The weights of one direction by the names of their inputs; B and P only where the cell has them."""
    here, there = _orders(cell)
    inputs, recurrent = params["input"], params["recurrent"]
    entries = {
        "W": _reordered(inputs["kernel"], here, there).T,
        "R": _reordered(recurrent["kernel"], here, there).T,
    }
    if "bias" in inputs:
        second = jnp.zeros_like(inputs["bias"])
        if "bias" in recurrent:
            second = second.at[2 * cell.hidden_size :].set(recurrent["bias"])
        entries["B"] = jnp.concatenate([_reordered(bias, here, there) for bias in (inputs["bias"], second)])
    if "peephole" in params:
        peephole = params["peephole"]
        entries["P"] = jnp.concatenate([peephole.get(gate, jnp.zeros_like(peephole["i"])) for gate in "iof"])
    return entries


def params_of(source: str, cell: Any, weights: Mapping[str, Any]) -> Params:
    """The params of a cell from the weights of one direction.

    Raises:
        ValueError: weights are missing, left over or misshapen, or cannot keep their dtype in JAX.
    """
    entries = read_entries(source, weights, cell, weights_of)
    here, there = _orders(cell)
    kernel, recurrent_kernel = (_reordered(entries[name].T, there, here) for name in "WR")
    params: Params = {"input": {"kernel": kernel}, "recurrent": {"kernel": recurrent_kernel}}
    if "B" in entries:
        bias, second = (_reordered(part, there, here) for part in jnp.split(entries["B"], 2))
        if isinstance(cell, GRU):
            params["recurrent"]["bias"] = second[2 * cell.hidden_size :]
            second = second.at[2 * cell.hidden_size :].set(0)
        params["input"]["bias"] = bias + second
    if "P" in entries:
        parts = zip("iof", jnp.split(entries["P"], 3), strict=True)
        params["peephole"] = {gate: part for gate, part in parts if gate in cell.gates}
    return params


def _orders(cell: Any) -> tuple[str, str]:
    """The gates here and there, by the letters of here."""
    if isinstance(cell, LSTM):
        return cell.gates, "iofg"
    return ("h", "h") if isinstance(cell, Elman) else ("rzn", "zrn")


def _reordered(array: Array, found: str, wanted: str) -> jax.Array:
    """The blocks of the last axis in another order; zeros where a wanted one is not there."""
    parts = dict(zip(found, jnp.split(array, len(found), axis=-1), strict=True))
    return jnp.concatenate([parts.get(gate, jnp.zeros_like(parts[found[0]])) for gate in wanted], axis=-1)

"""What the gates of a cell do along a sequence, by the names that they have in its equations.

| cells | gates |
|---|---|
| LSTM, LSTMP, their peephole, coupled and layer-norm forms | i, f, g, o, those that an option removes left out |
| GRU, GRUResetBefore | r, z, n |
| MGU | f, n |
| UGRNN | g, c |
| JANET | f, g |
| cells that are linear and pointwise in their carry (minGRU, minLSTM, RG-LRU, ...; LRU, S5, S4D) | keep, the part (of a complex state the modulus) that is kept |

Your own cell has gates where it has a method `named_gates(params, carry, z)` that returns a dict of arrays.
"""  # noqa: E501

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.analysis.figures import HEAT, SIGNED, draws, facets, panel_width, save_figure, step_ticks
from rnn_jax.cells import GRU, JANET, LSTM, LSTMP, MGU, UGRNN, ComplexDiagonalCell, DiagonalCell, GRUResetBefore
from rnn_jax.cells.base import Cell, along_last, dense, sigmoid
from rnn_jax.cells.gated.lstm import layer_norm
from rnn_jax.typing import Carry, Params
from rnn_jax.unroll import Trace

Gates = dict[str, jax.Array]


def named_gates(cell: Cell, params: Params, carry: Carry, z: Any) -> Gates:
    """The gates of a step, each `[..., H]`, for any leading dims; `{}` where the cell has none with a name.

    Args:
        cell: a cell, no Stack and no Bidirectional.
        params: its parameters, prepared.
        carry: what enters the step.
        z: the projected input.
    """
    own = getattr(cell, "named_gates", None)
    if own is not None:
        return own(params, carry, z)
    of = next((GATES[kind] for kind in type(cell).__mro__ if kind in GATES), None)
    return {} if of is None else of(cell, params, carry, z)


def gates_of(trace: Trace) -> Gates:
    """The gates of a cell along a sequence, each `[T, B, H]`."""
    return named_gates(trace.cell, trace.params, trace.carries, trace.z)


def saturated(gate: np.ndarray) -> tuple[float, float]:
    """The parts of all values below 0.1 and above 0.9: shut and open, Karpathy et al. 2015, arXiv:1506.02078, 4.2."""
    return float(np.mean(gate < 0.1)), float(np.mean(gate > 0.9))


@draws
def draw_gates(gates: Mapping[str, np.ndarray], steps: Sequence[str], file: Path, title: str, units: int = 64) -> None:
    """Draw gates over time: a panel for each, a row for each unit, those that are open longest first.

    Args:
        gates: name -> values `[T, H]`.
        steps: a short text for each step, or none.
        file: a .png to write.
        title: above the figure.
        units: how many rows are shown, at most.
    """
    width = panel_width(max(len(values) for values in gates.values()))
    title += "\na row for each unit, the one with the highest mean at the top"
    figure, panels = facets(
        len(gates), 1.3 + 0.8 / len(gates), columns=1, width=width, title=title, x="step", y="units", sharex=True
    )
    images = {}
    for axes, (name, values) in zip(panels, gates.items(), strict=True):
        order = np.argsort(-values.mean(axis=0), kind="stable")
        order = order[np.unique(np.linspace(0, len(order) - 1, units).astype(int))]
        signed = bool(values.min() < 0)
        image = axes.imshow(
            values[:, order].T, vmin=-1 if signed else 0, vmax=1, cmap=SIGNED if signed else HEAT, aspect="auto"
        )
        axes.set(title=name, yticks=[], ylabel="units")
        images.setdefault(signed, (image, []))[1].append(axes)
    step_ticks(panels[-1], steps)
    for signed, (image, those) in images.items():
        figure.colorbar(image, ax=those, label="candidate" if signed else "gate (1: open)")
    save_figure(figure, file)


def _parts(a: jax.Array, names: str) -> dict[str, jax.Array]:
    return dict(zip(names, jnp.split(a, len(names), axis=-1), strict=True))


def _lstm(cell: Any, params: Params, carry: Any, z: jax.Array) -> Gates:
    r, peephole = cell.recur(params, carry).astype(z.dtype), params.get("peephole", {})
    inputs = _parts(z + (layer_norm(r, params["norm"]["recurrent"]) if cell.layer_norm else r), cell.gates)
    after, _ = cell.step(params, carry, z)
    gates = {}
    for name, a in inputs.items():
        if name == "g":
            gates[name] = a if "input_activation" in cell.without else jnp.tanh(a)
            continue
        if name in peephole:
            a = a + along_last(peephole[name], a) * (after if name == "o" else carry).cell.astype(a.dtype)
        gates[name] = sigmoid(a)
    if cell.coupled:
        gates["f"] = 1 - gates["i"]
    return {name: gates[name] for name in "ifgo" if name in gates}


def _gru(cell: Any, params: Params, carry: jax.Array, z: jax.Array) -> Gates:
    z_parts, r_parts = _parts(z, "rzn"), _parts(cell.recur(params, carry).astype(z.dtype), "rzn")
    reset, update = sigmoid(z_parts["r"] + r_parts["r"]), sigmoid(z_parts["z"] + r_parts["z"])
    return {"r": reset, "z": update, "n": jnp.tanh(z_parts["n"] + reset * r_parts["n"])}


def _reset_before(names: str):
    """Gates of cells whose candidate reads the state behind the first gate; the last name is the candidate."""

    def gates_of_step(cell: Any, params: Params, carry: jax.Array, z: jax.Array) -> Gates:
        del cell
        inputs, kernels = _parts(z, names), _parts(jnp.asarray(params["recurrent"]["kernel"]), names)
        gates = {name: sigmoid(inputs[name] + dense(carry, kernels[name]).astype(z.dtype)) for name in names[:-1]}
        behind = gates[names[0]].astype(carry.dtype) * carry
        candidate = dense(behind, kernels[names[-1]]).astype(z.dtype)
        return gates | {names[-1]: jnp.tanh(inputs[names[-1]] + candidate)}

    return gates_of_step


def _sum_of_both(names: str):
    """Gates of cells that read the input and the product as their sum: a sigmoid, then a tanh."""

    def gates(cell: Any, params: Params, carry: jax.Array, z: jax.Array) -> Gates:
        a = _parts(z + cell.recur(params, carry).astype(z.dtype), names)
        return {names[0]: sigmoid(a[names[0]]), names[1]: jnp.tanh(a[names[1]])}

    return gates


def _keep(cell: Any, params: Params, carry: jax.Array, z: jax.Array) -> Gates:
    return {"keep": jnp.broadcast_to(cell.elements(params, z).decay, carry.shape)}


def _keep_complex(cell: Any, params: Params, carry: Any, z: jax.Array) -> Gates:
    decay = cell.elements(params, z).decay
    return {"keep": jnp.broadcast_to(jnp.hypot(decay.real, decay.imaginary), carry.real.shape)}


GATES: dict[type, Any] = {
    LSTM: _lstm,
    LSTMP: _lstm,
    GRU: _gru,
    GRUResetBefore: _reset_before("rzn"),
    MGU: _reset_before("fn"),
    UGRNN: _sum_of_both("gc"),
    JANET: _sum_of_both("fg"),
    DiagonalCell: _keep,
    ComplexDiagonalCell: _keep_complex,
}

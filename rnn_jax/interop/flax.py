"""Weights to and from the cells of Flax, `flax.nnx` and `flax.linen`; what maps to what stands in README.md.

    cell, params = from_nnx(module)                    cell, params = from_linen(module, variables)
    nnx.update(module, to_nnx(cell, params))           module.apply(to_linen(cell, params), carry, x)

The GRUCell of NNX computes n = tanh(W_n x + b_n + r ⊙ U_n h), without the bias c_n that stands beside U_n h in Linen,
PyTorch and `GRU`: on the way in it is zero, on the way out it must be. Flax cells always have biases: those of a cell
without become zeros. The carry of an LSTM is (cell, hidden) there, (hidden, cell) here. The dtype of the weights is
kept; that of the computation follows the inputs.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from flax.traverse_util import flatten_dict, unflatten_dict

from rnn_jax.cells import GRU, IRNN, LSTM, Cell, Elman
from rnn_jax.compose import Bidirectional
from rnn_jax.interop.entries import Entries, check_cell, check_option, check_params, read_entries
from rnn_jax.typing import Params

_CELLS = {"SimpleCell": Elman, "LSTMCell": LSTM, "OptimizedLSTMCell": LSTM, "GRUCell": GRU}
_GATES: dict[type[Any], tuple[str, ...]] = {Elman: ("",), IRNN: ("",), LSTM: ("i", "f", "g", "o"), GRU: ("r", "z", "n")}


def from_nnx(module: Any) -> tuple[Cell, Params]:
    """The cell and the params that compute what an NNX module computes.

    Args:
        module: a `SimpleCell` (tanh or relu), `LSTMCell`, `OptimizedLSTMCell` or `GRUCell`, an `nnx.RNN` of one, or
            an `nnx.Bidirectional` of two of those.

    Raises:
        ValueError: the module is of another type (a subclass may compute something else) or has an option that no
            cell has; the message names it.
    """
    if type(module) is nnx.Bidirectional:
        check_option("Bidirectional", "merge_fn", module.merge_fn, (nnx.Bidirectional.merge_fn,))
        forward, forward_params = from_nnx(module.forward_rnn)
        backward, backward_params = from_nnx(module.backward_rnn)
        cell = Bidirectional(forward, None if backward == forward else backward)
        return cell, {"forward": forward_params, "backward": backward_params}
    if type(module) is nnx.RNN:
        check_option("RNN", "reverse", module.reverse, (False,), "; give reverse=True to unroll instead")
        return from_nnx(module.cell)
    kind, options = _read_options(nnx, module)
    cell = kind(module.in_features, module.hidden_features, **options)
    found = flatten_dict(nnx.to_pure_dict(nnx.state(module, nnx.Param)), sep=".")
    apart = isinstance(module, nnx.LSTMCell)
    entries = read_entries(type(module).__name__, found, cell, lambda cell, params: _write_nnx(cell, params, apart))
    return cell, _read(cell, {name.replace("if_.", "if."): array for name, array in entries.items()}, apart)


def to_nnx(cell: Cell, params: Params, *, optimized: bool = True) -> dict[str, Any]:
    """The state, as nested dict for `nnx.update`, of the NNX cell that computes what `cell` computes.

    Args:
        cell: an `Elman`, `LSTM` or `GRU` for the cell of that kind (for an `nnx.RNN` update its `.cell`), or a
            `Bidirectional` of two, for `nnx.Bidirectional`.
        params: its parameters, not traced.
        optimized: an LSTM for `OptimizedLSTMCell`; False for `LSTMCell`.

    Raises:
        ValueError: NNX has no such cell, `params` are not its params, or the recurrent bias of a GRU is not zero.
    """
    check_params(cell, params)
    if isinstance(cell, Bidirectional):
        forward, backward = cell.directions
        return {
            "forward_rnn": {"cell": to_nnx(forward, params["forward"], optimized=optimized)},
            "backward_rnn": {"cell": to_nnx(backward, params["backward"], optimized=optimized)},
        }
    entries = _write_nnx(cell, params, apart=not optimized)
    if isinstance(cell, GRU) and cell.bias and np.any(params["recurrent"]["bias"]):
        raise ValueError(f"params: recurrent.bias is {params['recurrent']['bias']}: expected 0, nnx.GRUCell has none")
    return unflatten_dict(entries, sep=".")


def from_linen(module: Any, variables: Mapping[str, Any]) -> tuple[Cell, Params]:
    """The cell and the params that compute what a Linen cell computes with `variables`.

    Args:
        module: a `SimpleCell` (tanh or relu), `LSTMCell`, `OptimizedLSTMCell` or `GRUCell`.
        variables: what `module.init` gave, `{"params": ...}`; the cell of a `linen.RNN` has its params in "cell".

    Raises:
        ValueError: the module is of another type or has an option that no cell has, or entries of `variables` are
            missing, left over or misshapen; the message names them.
    """
    kind, options = _read_options(linen, module)
    found: Mapping[str, Any] = flatten_dict(dict(variables.get("params", {})), sep=".")
    sizes = [len(array) for name, array in found.items() if name.startswith("i") and np.ndim(array) == 2]
    cell = kind(sizes[0] if sizes else 1, module.features, **options)
    return cell, _read(cell, read_entries("variables['params']", found, cell, _write_apart), apart=True)


def to_linen(cell: Cell, params: Params) -> dict[str, Any]:
    """The variables `{"params": ...}` of the Linen cell that computes what `cell` computes.

    Args:
        cell: an `Elman`, `LSTM` or `GRU`; an LSTM's are right for `LSTMCell` and `OptimizedLSTMCell`.
        params: its parameters.

    Raises:
        ValueError: Linen has no such cell, or `params` are not its params.
    """
    check_params(cell, params)
    return {"params": unflatten_dict(_write_apart(cell, params), sep=".")}


def _read_options(library: Any, module: Any) -> tuple[type[Any], dict[str, Any]]:
    owner = type(module).__name__
    kind = _CELLS.get(owner)
    if kind is None or type(module) is not getattr(library, owner):
        raise ValueError(
            f"module is a {type(module).__module__}.{owner}: expected exactly one of {library.__name__}."
            f"{', '.join(_CELLS)}{', RNN, Bidirectional' if library is nnx else ''}"
        )
    activations = {"tanh": linen.tanh, "relu": linen.relu} if kind is Elman else {"tanh": linen.tanh}
    check_option(owner, "activation_fn", module.activation_fn, activations.values())
    check_option(owner, "gate_fn", getattr(module, "gate_fn", linen.sigmoid), (linen.sigmoid,))
    check_option(owner, "residual", getattr(module, "residual", False), (False,))
    check_option(owner, "carry_init", module.carry_init, (None, linen.initializers.zeros_init()))
    if kind is not Elman:
        return kind, {}
    return kind, {"activation": next(name for name, fn in activations.items() if fn is module.activation_fn)}


def _write_nnx(cell: Cell, params: Params, apart: bool) -> Entries:
    if isinstance(cell, LSTM) and apart:
        return {name.replace("if.", "if_."): array for name, array in _write_apart(cell, params).items()}
    return _write(cell, params, ("dense_i", "dense_h"), ("",))


def _write_apart(cell: Cell, params: Params) -> Entries:
    """One kernel for each gate."""
    entries = _write(cell, params, ("i", "h"), _GATES.get(type(cell), ()))
    if isinstance(cell, GRU):
        entries["hn.bias"] = params["recurrent"].get("bias", jnp.zeros_like(entries["in.bias"]))
    return entries


def _write(cell: Cell, params: Params, sides: tuple[str, str], gates: tuple[str, ...]) -> Entries:
    check_cell(cell, "Flax", _GATES)
    kernel, recurrent_kernel = params["input"]["kernel"], params["recurrent"]["kernel"]
    leaves = {
        (sides[0], "kernel"): kernel,
        (sides[1], "kernel"): recurrent_kernel,
        (sides[isinstance(cell, LSTM)], "bias"): params["input"].get("bias", jnp.zeros_like(kernel[0])),
    }
    return {
        f"{side}{gate}.{name}": part
        for (side, name), array in leaves.items()
        for gate, part in zip(gates, jnp.split(array, len(gates), axis=-1), strict=True)
    }


def _read(cell: Cell, entries: Entries, apart: bool) -> Params:
    sides, gates = (("i", "h"), _GATES[type(cell)]) if apart else (("dense_i", "dense_h"), ("",))

    def join(side: str, name: str) -> jax.Array:
        return jnp.concatenate([entries[f"{side}{gate}.{name}"] for gate in gates], axis=-1)

    bias = join(sides[isinstance(cell, LSTM)], "bias")
    params = {
        "input": {"kernel": join(sides[0], "kernel"), "bias": bias},
        "recurrent": {"kernel": join(sides[1], "kernel")},
    }
    if isinstance(cell, GRU):
        params["recurrent"]["bias"] = entries.get("hn.bias", jnp.zeros(cell.hidden_size, bias.dtype))
    return params

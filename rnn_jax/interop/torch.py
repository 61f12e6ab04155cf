"""Weights to and from PyTorch: nn.RNN, nn.LSTM, nn.GRU and their one-step cells; see README.md for what maps to what.

    cell, params = from_torch(module)
    module.load_state_dict(to_torch(cell, params))

PyTorch has two biases, `bias_ih` and `bias_hh`, that only ever appear as their sum; here there is one. On the way in
they are added, on the way out ours is `bias_ih` and `bias_hh` is zero. The exception is the recurrent bias of a GRU's
n, which the reset gate multiplies: it is `recurrent.bias` here. `batch_first` is no matter of weights: use
`unroll(..., time_axis=1)`. The dtype is kept.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells import GRU, IRNN, LSTM, LSTMP, Cell, Elman
from rnn_jax.compose import Bidirectional, Stack
from rnn_jax.extras import optional_imports
from rnn_jax.interop.entries import Entries, check_cell, check_option, check_params, read_entries
from rnn_jax.typing import Params


def from_torch(module: Any) -> tuple[Cell, Params]:
    """The cell and the params that compute what a PyTorch module computes.

    Args:
        module: an `nn.RNN`, `nn.LSTM` or `nn.GRU`, or an `nn.RNNCell`, `nn.LSTMCell` or `nn.GRUCell`.

    Returns:
        The bare cell for one layer in one direction, a `Bidirectional` for two directions, a `Stack` of these for
        more layers; and its params, copied.

    Raises:
        ValueError: the module is of another type (a subclass may compute something else), or its state dict has
            entries that are missing or left over.
    """
    cell = _cell_of(module)
    return cell, params_from_state_dict(cell, module.state_dict())


def params_from_state_dict(cell: Cell, state_dict: Mapping[str, Any]) -> Params:
    """Params of `cell` from the entries of a PyTorch module; needs no PyTorch where they are NumPy or JAX arrays.

    Args:
        cell: an `Elman`, `LSTM`, `LSTMP` or `GRU`, a `Bidirectional` of one, or a `Stack` of either.
        state_dict: tensors or arrays by name: `weight_ih_l0`, …, or `weight_ih`, … as the one-step cells have them.
            With JAX arrays this can be differentiated.

    Raises:
        ValueError: entries are missing, left over or misshapen (all of them are named), an array is float64 while
            JAX has no float64, or PyTorch has no module for `cell`.
    """
    single_step = "weight_ih" in state_dict
    _check_cell(cell, single_step)
    suffix = "" if single_step else "_l0"
    found = {name: _array(tensor) for name, tensor in state_dict.items()}
    entries = read_entries("state_dict", found, cell, lambda cell, params: _write(cell, params, suffix))
    return _read(cell, entries, suffix)


def state_dict_from_params(cell: Cell, params: Params, *, single_step: bool = False) -> Entries:
    """`to_torch` in JAX arrays, for where there is no PyTorch; the same arguments and errors."""
    _check_cell(cell, single_step)
    check_params(cell, params)
    return _write(cell, params, "" if single_step else "_l0")


def to_torch(cell: Cell, params: Params, *, single_step: bool = False) -> dict[str, Any]:
    """The state dict, in tensors on the CPU, of the PyTorch module that computes what `cell` computes.

    Args:
        cell: an `Elman`, `LSTM`, `LSTMP` or `GRU`, a `Bidirectional` of one, or a `Stack` of either whose layers
            are alike.
        params: its parameters.
        single_step: name the entries as `nn.LSTMCell` and its kin do, without `_l0`.

    Raises:
        ValueError: PyTorch has no module for `cell`, or `params` are not its params.
    """
    state_dict = state_dict_from_params(cell, params, single_step=single_step)
    return {name: _tensor(array) for name, array in state_dict.items()}


def _cell_of(module: Any) -> Cell:
    with optional_imports():
        from torch import nn

    kinds = {nn.RNN: Elman, nn.RNNCell: Elman, nn.LSTM: LSTM, nn.LSTMCell: LSTM, nn.GRU: GRU, nn.GRUCell: GRU}
    kind = kinds.get(type(module))
    if kind is None:
        raise ValueError(
            f"module has type {type(module).__module__}.{type(module).__qualname__}: "
            f"expected exactly one of torch.nn.{', '.join(k.__name__ for k in kinds)}"
        )
    options: dict[str, Any] = {"bias": module.bias}
    if kind is Elman:
        options["activation"] = module.nonlinearity
    if getattr(module, "proj_size", 0):
        kind, options = LSTMP, options | {"projection_size": module.proj_size}

    def layer(input_size: int) -> Cell:
        cell = kind(input_size, module.hidden_size, **options)
        return Bidirectional(cell) if getattr(module, "bidirectional", False) else cell

    layers = [layer(module.input_size)]
    for _ in range(1, getattr(module, "num_layers", 1)):
        layers.append(layer(layers[-1].output_size))
    return layers[0] if len(layers) == 1 else Stack(layers, dropout=float(module.dropout))


def _check_cell(cell: Cell, single_step: bool) -> None:
    layers = cell.layers if isinstance(cell, Stack) else (cell,)
    directions = [layer.directions if isinstance(layer, Bidirectional) else (layer,) for layer in layers]
    kinds = set()
    for layer in layers:
        if isinstance(layer, Bidirectional):
            check_option("cell", "merge", layer.merge, ("concat",))
    for part in (part for parts in directions for part in parts):
        check_cell(part, "PyTorch", (Elman, IRNN, LSTM, LSTMP, GRU))
        options = (getattr(part, name, None) for name in ("hidden_size", "bias", "activation", "projection_size"))
        kinds.add((Elman if isinstance(part, Elman) else type(part), *options))
    if len(kinds) > 1 or len({len(parts) for parts in directions}) > 1:
        raise ValueError(f"cell={cell}: a PyTorch module has the same cell in all layers and directions")
    if single_step and (len(layers) > 1 or len(directions[0]) > 1):
        raise ValueError(f"cell={cell}: PyTorch's one-step cells have one layer and one direction")


def _write(cell: Cell, params: Params, suffix: str) -> Entries:
    if isinstance(cell, Stack):
        layers = [_write(layer, params[f"layer_{i}"], f"_l{i}") for i, layer in enumerate(cell.layers)]
        return {name: array for entries in layers for name, array in entries.items()}
    if isinstance(cell, Bidirectional):
        forward, backward = cell.directions
        entries = _write(forward, params["forward"], suffix)
        return entries | _write(backward, params["backward"], f"{suffix}_reverse")
    entries = {"weight_ih": params["input"]["kernel"].T, "weight_hh": params["recurrent"]["kernel"].T}
    if "bias" in params["input"]:
        entries["bias_ih"] = params["input"]["bias"]
        entries["bias_hh"] = jnp.zeros_like(entries["bias_ih"])
    if isinstance(cell, GRU) and "bias" in params["recurrent"]:
        entries["bias_hh"] = entries["bias_hh"].at[2 * cell.hidden_size :].set(params["recurrent"]["bias"])
    if "projection" in params:
        entries["weight_hr"] = params["projection"]["kernel"].T
    return {name + suffix: array for name, array in entries.items()}


def _read(cell: Cell, entries: Entries, suffix: str) -> Params:
    if isinstance(cell, Stack):
        return {f"layer_{i}": _read(layer, entries, f"_l{i}") for i, layer in enumerate(cell.layers)}
    if isinstance(cell, Bidirectional):
        forward, backward = cell.directions
        return {
            "forward": _read(forward, entries, suffix),
            "backward": _read(backward, entries, f"{suffix}_reverse"),
        }
    kernel, recurrent_kernel = entries["weight_ih" + suffix].T, entries["weight_hh" + suffix].T
    params = {"input": {"kernel": kernel}, "recurrent": {"kernel": recurrent_kernel}}
    if "bias_ih" + suffix in entries:
        recurrent_bias = entries["bias_hh" + suffix]
        if isinstance(cell, GRU):
            params["recurrent"]["bias"] = recurrent_bias[2 * cell.hidden_size :]
            recurrent_bias = recurrent_bias.at[2 * cell.hidden_size :].set(0)
        params["input"]["bias"] = entries["bias_ih" + suffix] + recurrent_bias
    if "weight_hr" + suffix in entries:
        params["projection"] = {"kernel": entries["weight_hr" + suffix].T}
    return params


def _array(tensor: Any) -> Any:
    """A tensor as NumPy array, anything else as it is. NumPy takes no bfloat16 from PyTorch, only its bits."""
    if not hasattr(tensor, "detach"):
        return tensor
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":
        with optional_imports():
            import torch

        return tensor.view(torch.int16).numpy().view(jnp.bfloat16)
    return tensor.numpy()


def _tensor(array: jax.Array) -> Any:
    with optional_imports():
        import torch

    if array.dtype == jnp.bfloat16:
        return torch.tensor(np.asarray(array).view(np.int16)).view(torch.bfloat16)
    return torch.tensor(np.asarray(array))

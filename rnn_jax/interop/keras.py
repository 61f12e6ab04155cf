"""Weights to and from Keras 3, on any of its backends; what maps to what stands in README.md.

    cell, params = from_keras(layer)
    layer.set_weights(to_keras(cell, params))

Gates of a GRU are z, r, h there and r, z, n here; its two biases become one, but for the recurrent one of h. Batches
come first in Keras: use `unroll(..., time_axis=1)`, which gives all outputs and the final carry, whatever
`return_sequences` and `return_state` say. The dtype of the weights is kept; that of the computation follows the inputs.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells import GRU, IRNN, LSTM, Cell, Elman, GRUResetBefore
from rnn_jax.compose import MERGES, Bidirectional, Stack
from rnn_jax.extras import optional_imports
from rnn_jax.interop.entries import check_cell, check_option, check_params, read_entries
from rnn_jax.typing import Params

_SHARED = {"stateful": (False,), "dropout": (0.0,), "recurrent_dropout": (0.0,)}
_GATED = _SHARED | {"activation": ("tanh",), "recurrent_activation": ("sigmoid",)}
_OPTIONS = {"SimpleRNN": _SHARED | {"activation": ("tanh", "relu")}, "LSTM": _GATED, "GRU": _GATED}
"""By layer: options and their supported values. All others concern shapes, starting values, training, or speed."""


def from_keras(layer: Any) -> tuple[Cell, Params]:
    """The cell and the params that compute what a Keras layer computes.

    Args:
        layer: a built `SimpleRNN` (tanh or relu), `LSTM`, `GRU` or `Bidirectional`, or a `Sequential` or a list of
            these. Its dropout, if any, must be set to 0; `Stack` and `RecurrentDropout` have theirs.

    Raises:
        ValueError: the layer is of another type (a subclass may compute something else), is not built, or has an
            option that no cell has; the message names it.
    """
    with optional_imports():
        import keras

    if type(layer) is keras.Sequential or isinstance(layer, list | tuple):
        layers = list(layer.layers if isinstance(layer, keras.Sequential) else layer)
        cells = [_cell_of(part) for part in layers]
        for i, below in enumerate(layers[:-1]):
            check_option(f"layer {i}", "return_sequences", below.return_sequences, (True,))
        cell: Cell = Stack(cells)
    else:
        layers = [layer]
        cell = _cell_of(layer)
    weights = [keras.ops.convert_to_numpy(weight.value) for part in layers for weight in part.weights]
    return cell, params_from_weights(cell, weights)


def params_from_weights(cell: Cell, weights: Sequence[Any]) -> Params:
    """Params of `cell` from the list that `layer.get_weights()` gives; needs no Keras.

    Args:
        cell: an `Elman`, `LSTM`, `GRU` or `GRUResetBefore`, a `Bidirectional` of these, or a `Stack`.
        weights: arrays in Keras's order. With JAX arrays this can be differentiated.

    Raises:
        ValueError: there are too many or too few arrays or one is misshapen, an array is float64 while JAX has no
            float64, or Keras has no layer for `cell`.
    """
    entries = read_entries("weights", _numbered(weights), cell, lambda cell, params: _numbered(_write(cell, params)))
    return _read(cell, iter([entries[name] for name in _numbered(weights)]))


def weights_from_params(cell: Cell, params: Params) -> list[jax.Array]:
    """`to_keras` in JAX arrays; the same arguments and errors."""
    check_params(cell, params)
    return _write(cell, params)


def to_keras(cell: Cell, params: Params) -> list[np.ndarray]:
    """The arrays for `set_weights` of the Keras layer that computes what `cell` computes.

    Args:
        cell: an `Elman`, `LSTM`, `GRU` or `GRUResetBefore`, a `Bidirectional` of these, or a `Stack`, whose layers'
            arrays follow one another as in a `Sequential`.
        params: its parameters.

    Raises:
        ValueError: Keras has no layer for `cell`, or `params` are not its params.
    """
    return [np.asarray(array) for array in weights_from_params(cell, params)]


def _cell_of(layer: Any, go_backwards: bool = False) -> Cell:
    with optional_imports():
        import keras

    known = {getattr(keras.layers, name): name for name in (*_OPTIONS, "Bidirectional")}
    kind = known.get(type(layer))
    if isinstance(layer, keras.layers.Masking):
        raise ValueError(
            f"Masking {layer.name!r} masks by values and has no weights: leave it out, and give unroll lengths="
        )
    if kind is None:
        raise ValueError(
            f"layer is a {type(layer).__module__}.{type(layer).__name__}: "
            f"expected exactly one of keras.layers.{', '.join(known.values())}, or keras.Sequential"
        )
    owner = f"{kind} {layer.name!r}"
    if not layer.built:
        raise ValueError(f"{owner} has no weights yet: call it once, or call its build((batch, time, features))")
    if kind == "Bidirectional":
        check_option(owner, "merge_mode", layer.merge_mode, tuple(MERGES))
        forward, backward = _cell_of(layer.forward_layer), _cell_of(layer.backward_layer, go_backwards=True)
        return Bidirectional(forward, None if backward == forward else backward, merge=layer.merge_mode)
    config = layer.get_config()
    for option, supported in _OPTIONS[kind].items():
        check_option(owner, option, config[option], supported)
    remedy = "; give reverse=True to unroll instead"
    check_option(owner, "go_backwards", config["go_backwards"], (go_backwards,), remedy)
    sizes = layer.cell.kernel.shape[0], layer.units
    if kind == "SimpleRNN":
        return Elman(*sizes, activation=config["activation"], bias=layer.use_bias)
    if kind == "LSTM":
        return LSTM(*sizes, bias=layer.use_bias)
    return (GRU if config["reset_after"] else GRUResetBefore)(*sizes, bias=layer.use_bias)


def _write(cell: Cell, params: Params) -> list[jax.Array]:
    if isinstance(cell, Stack):
        return [array for i, layer in enumerate(cell.layers) for array in _write(layer, params[f"layer_{i}"])]
    if isinstance(cell, Bidirectional):
        forward, backward = cell.directions
        return _write(forward, params["forward"]) + _write(backward, params["backward"])
    check_cell(cell, "Keras", (Elman, IRNN, LSTM, GRU, GRUResetBefore))
    inputs, recurrent = params["input"], params["recurrent"]
    weights = [inputs["kernel"], recurrent["kernel"]] + ([inputs["bias"]] if "bias" in inputs else [])
    if isinstance(cell, GRU | GRUResetBefore):
        weights = [_swap_first_gates(array) for array in weights]
    if isinstance(cell, GRU) and cell.bias:
        others = jnp.zeros(2 * cell.hidden_size, recurrent["bias"].dtype)
        weights[2] = jnp.stack([weights[2], jnp.concatenate([others, recurrent["bias"]])])
    return weights


def _read(cell: Any, weights: Iterator[jax.Array]) -> Params:
    """The params of `cell` from the next of the arrays."""
    if isinstance(cell, Stack):
        return {f"layer_{i}": _read(layer, weights) for i, layer in enumerate(cell.layers)}
    if isinstance(cell, Bidirectional):
        forward, backward = cell.directions
        return {"forward": _read(forward, weights), "backward": _read(backward, weights)}
    swap = _swap_first_gates if isinstance(cell, GRU | GRUResetBefore) else lambda array: array
    params = {"input": {"kernel": swap(next(weights))}, "recurrent": {"kernel": swap(next(weights))}}
    if cell.bias:
        bias = next(weights)
        if isinstance(cell, GRU):
            others = 2 * cell.hidden_size
            params["recurrent"]["bias"] = bias[1, others:]
            bias = bias[0].at[:others].add(bias[1, :others])
        params["input"]["bias"] = swap(bias)
    return params


def _swap_first_gates(array: jax.Array) -> jax.Array:
    """From z, r, h to r, z, n, and back."""
    first, second, candidate = jnp.split(array, 3, axis=-1)
    return jnp.concatenate([second, first, candidate], axis=-1)


def _numbered(weights: Sequence[Any]) -> dict[str, Any]:
    return {f"weights[{i}]": weight for i, weight in enumerate(weights)}

"""A cell, or cells of cells, as an ONNX model of the operators LSTM, GRU and RNN."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

import rnn_jax
from rnn_jax.cells import Cell, describe
from rnn_jax.compose import Bidirectional, RecurrentDropout, Residual, Stack
from rnn_jax.interop.entries import check_params
from rnn_jax.interop.files import library, replace_file
from rnn_jax.interop.onnx.operators import operator_of, weights_of
from rnn_jax.typing import Params

OLDEST = 14
"""The first opset whose LSTM, GRU and RNN are those of today."""

_MERGES = {"sum": "Add", "mul": "Mul", "ave": "Mean"}


def to_onnx(
    cell: Cell,
    params: Params,
    path: str | Path | None = None,
    *,
    lengths: bool = False,
    initial_carry: bool = False,
    reverse: bool = False,
    opset: int = OLDEST,
) -> Any:
    """The ONNX model that computes `unroll(cell, params, xs, ...)`, for any number of time steps and rows.

    Inputs are `xs [time, batch, D]`, then, if asked for, `lengths [batch]` (int32) and the leaves of the initial carry
    `[batch, H]`; outputs are `ys [time, batch, H]` and the leaves of the final carry. Leaves stand in the order of
    `jax.tree.leaves`, named by their paths: `initial_carry.0.forward.hidden`, `carry.0.forward.hidden`; of a carry that
    is one array, `initial_carry` and `carry`. Batch-first arrays are to be transposed before and after.

    Args:
        cell: an `Elman`, `IRNN`, `GRU`, `GRUResetBefore`, or an `LSTM` with or without peepholes and coupled gates; a
            `Bidirectional`, a `Residual` or a `Stack` of these and of one another. Dropout, also `RecurrentDropout`, is
            left out, as outside training.
        params: its parameters, all float32, float64 or float16.
        path: where to write the model; one that is there is replaced.
        lengths: whether lengths are an input. Outputs past them are zero, final carries are those of the last steps; of
            a row of length 0 onnxruntime gives a carry of zeros, where `unroll` gives the one that it was given.
        initial_carry: whether the initial carry is an input; else it is zero.
        reverse: for `unroll(..., reverse=True)`.
        opset: the version of ONNX's operators, 14 or newer.

    Returns:
        The model, an `onnx.ModelProto`.

    Raises:
        ImportError: the package onnx is not installed.
        ValueError: ONNX has no operator for a cell, `params` are not those of `cell` or have other dtypes, or the
            opset is not known. Resets are no input of these operators: cut sequences at their resets.
    """
    onnx = library("onnx")
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST <= opset <= newest:
        raise ValueError(f"opset={opset}: expected {OLDEST} to {newest}, the newest that onnx {onnx.__version__} knows")
    check_params(cell, params)
    dtypes = {str(leaf.dtype) for leaf in jax.tree.leaves(params)}
    if len(dtypes) > 1 or not dtypes <= {"float32", "float64", "float16"}:
        raise ValueError(
            f"params have dtypes {', '.join(sorted(dtypes))}: expected float32, float64 or float16, the same in all; "
            "convert them with jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params)"
        )
    graph = _Graph(onnx, dtypes.pop(), lengths, initial_carry)
    ys = graph.add(cell, params, "xs", "", "", reverse)
    graph.node("Identity", [ys], "ys")
    number, data = graph.dtype, onnx.helper.make_tensor_value_info
    inputs = [data("xs", number, ["time", "batch", cell.input_size])]
    inputs += [data("lengths", onnx.TensorProto.INT32, ["batch"])] if lengths else []
    inputs += [data(f"initial_{name}", number, ["batch", size]) for name, size in graph.carry if initial_carry]
    outputs = [data("ys", number, ["time", "batch", cell.output_size])]
    outputs += [data(name, number, ["batch", size]) for name, size in graph.carry]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, type(cell).__name__, inputs, outputs, list(graph.constants.values())),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
        producer_name="rnn_jax",
        producer_version=rnn_jax.__version__,
    )
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)
    onnx.helper.set_model_props(model, {"cell": json.dumps(describe(cell))})
    if path is not None:
        replace_file(path, model.SerializeToString())
    return model


class _Graph:
    """The nodes and constants of a model that is being written, and the leaves of its carry."""

    def __init__(self, onnx: Any, dtype: str, lengths: bool, initial_carry: bool):
        self._onnx = onnx
        self._lengths = lengths
        self._initial_carry = initial_carry
        self.dtype = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.carry: list[tuple[str, int]] = []

    def node(self, operator: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> str:
        """Add a node, and give the name of its first output."""
        made = self._onnx.helper.make_node(
            operator, list(inputs), list(outputs), f"{outputs[0]}.{operator}", **attributes
        )
        self.nodes.append(made)
        return outputs[0]

    def constant(self, name: str, value: Any) -> str:
        """Add a constant, once for a name, and give the name."""
        if name not in self.constants:
            self.constants[name] = self._onnx.numpy_helper.from_array(np.asarray(value), name)
        return name

    def add(self, cell: Any, params: Params, xs: str, path: str, carry: str, reverse: bool) -> str:
        """Add a cell, and give the name of its outputs.

        Args:
            cell: the cell, or the cells of cells.
            params: its parameters.
            xs: the name of its inputs.
            path: of its params, ends in a dot where there is something.
            carry: of its carry, begins with a dot where there is something.
            reverse: whether it runs from the last step to the first.
        """
        if isinstance(cell, Stack):
            for i, layer in enumerate(cell.layers):
                xs = self.add(layer, params[f"layer_{i}"], xs, f"{path}layer_{i}.", f"{carry}.{i}", reverse)
            return xs
        if isinstance(cell, RecurrentDropout):
            return self.add(cell.cell, params, xs, path, carry, reverse)
        if isinstance(cell, Residual):
            ys = self.add(cell.cell, params, xs, path, carry, reverse)
            return self.node("Add", [ys, xs], f"{ys}.residual")
        if not isinstance(cell, Bidirectional):
            return self._operator([cell], [params], xs, [path], [carry], "reverse" if reverse else "forward")
        cells = [part.cell if isinstance(part, RecurrentDropout) else part for part in cell.directions]
        both = [params["forward"], params["backward"]]
        paths, carries = [f"{path}forward.", f"{path}backward."], [f"{carry}.forward", f"{carry}.backward"]
        if cell.merge == "concat" and not reverse and _alike(*cells):
            return self._operator(cells, both, xs, paths, carries, "bidirectional")
        ys = [
            self.add(part, own, xs, path, carry, backward != reverse)
            for part, own, path, carry, backward in zip(cells, both, paths, carries, (False, True), strict=True)
        ]
        if cell.merge == "concat":
            return self.node("Concat", ys, f"{path}outputs", axis=-1)
        return self.node(_MERGES[cell.merge], ys, f"{path}outputs")

    def _operator(
        self, cells: list[Any], params: list[Params], xs: str, paths: list[str], carries: list[str], direction: str
    ) -> str:
        """One operator for one direction or for both, and the nodes that make its axes those of here."""
        operator, attributes = operator_of(cells[0])
        attributes = {
            name: value * len(cells) if name == "activations" else value for name, value in attributes.items()
        }
        size = cells[0].hidden_size
        path = paths[0] if len(cells) == 1 else paths[0].removesuffix("forward.")
        entries = [weights_of(cell, own) for cell, own in zip(cells, params, strict=True)]
        weights = {
            name: self.constant(path + name, np.stack([np.asarray(entry[name]) for entry in entries]))
            for name in entries[0]
        }
        states = {"h": ".hidden", "c": ".cell"} if operator == "LSTM" else {"h": ""}
        starts = [self._initial(path, letter, [c + leaf for c in carries]) for letter, leaf in states.items()]
        inputs = [xs, weights["W"], weights["R"], weights.get("B", ""), "lengths" if self._lengths else "", *starts]
        inputs += [weights["P"]] if "P" in weights else []
        finals = [f"{path}Y_{letter}" for letter in states]
        attributes |= {"direction": direction, "hidden_size": size}
        ys = self.node(operator, _trimmed(inputs), f"{path}Y", *finals, **attributes)
        for i, carry in enumerate(carries):
            for final, leaf in zip(finals, states.values(), strict=True):
                self.node(
                    "Gather", [final, self.constant(f"direction_{i}", np.int64(i))], f"carry{carry}{leaf}", axis=0
                )
                self.carry.append((f"carry{carry}{leaf}", size))
        if len(cells) == 1:
            return self.node("Squeeze", [ys, self.constant("axis_1", np.array([1]))], f"{path}outputs")
        ys = self.node("Transpose", [ys], f"{path}Y.batch_before_directions", perm=[0, 2, 1, 3])
        return self.node(
            "Reshape", [ys, self.constant("directions_side_by_side", np.array([0, 0, -1]))], f"{path}outputs"
        )

    def _initial(self, path: str, letter: str, leaves: list[str]) -> str:
        """The input initial_h or initial_c of an operator, from the leaves of the carry; none where it is zero."""
        if not self._initial_carry:
            return ""
        axis = self.constant("axis_0", np.array([0]))
        parts = [
            self.node("Unsqueeze", [f"initial_carry{leaf}", axis], f"initial_carry{leaf}.direction") for leaf in leaves
        ]
        return parts[0] if len(parts) == 1 else self.node("Concat", parts, f"{path}initial_{letter}", axis=0)


def _alike(forward: Any, backward: Any) -> bool:
    """Whether one operator can run both directions: starting values aside, they are the same cell.

    The activations of an RNN could differ; that is left to two operators, as all else that does.
    """
    if isinstance(forward, Stack | Bidirectional | Residual) or isinstance(backward, Stack | Bidirectional | Residual):
        return False
    same = ("hidden_size", "bias", "peepholes")
    sizes = [[getattr(cell, name, None) for name in same] for cell in (forward, backward)]
    return operator_of(forward) == operator_of(backward) and sizes[0] == sizes[1]


def _trimmed(inputs: list[str]) -> list[str]:
    """Without the optional inputs at the end that are not given."""
    while not inputs[-1]:
        inputs = inputs[:-1]
    return inputs

"""Pages about what goes on in a trained model: each draws its figure and returns what it says in words.

A page that has nothing to show of a model raises `NotApplicable`, with the reason.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.analysis.automata import extract_automaton
from rnn_jax.analysis.gates import draw_gates, gates_of, saturated
from rnn_jax.analysis.gradient_flow import draw_gradient_flow, mean_gradient_norms, until_nan
from rnn_jax.analysis.saliency import draw_steps, integrated_gradients, saliency
from rnn_jax.analysis.states import draw_states, principal_components, state_vectors
from rnn_jax.analysis.text_patterns import draw_pattern_units, pattern_units, text_patterns
from rnn_jax.analysis.tracing import NotApplicable, check_traces, layer_inputs, trace_layers, trace_names
from rnn_jax.unroll import Trace

Score = Callable[[], jax.Array]
"""A scalar of a model that holds `rnn_jax.nnx.Recurrent` layers, such as the loss of a batch."""


def gates_page(
    traces: Sequence[Trace], file: Path, *, row: int = 0, steps: Sequence[str] = (), shown: int = 100
) -> str:
    """The gates of every cell along one sequence; a figure for each cell, the file's name with its number.

    Args:
        traces: of `trace_layers`.
        file: a .png to write.
        row: of the batch, counted around where it has fewer.
        steps: a short text for each step, or none.
        shown: steps, at most.
    """
    check_traces(traces)
    lines = []
    for i, (name, trace) in enumerate(zip(trace_names(traces), traces, strict=True)):
        length = min(shown, _length(trace, row))
        gates = {gate: _row(_rows(values, trace), row)[:length] for gate, values in gates_of(trace).items()}
        if not gates:
            continue
        draw_gates(gates, steps[:length], file.with_stem(f"{file.stem}-{i}"), f"gates of {name}, row {row}")
        every = {g: saturated(a) for g, values in gates_of(trace).items() if (a := _valid(values, trace)).min() >= 0}
        text = ", ".join(f"{g} {low:.0%} below 0.1 and {high:.0%} above 0.9" for g, (low, high) in every.items())
        lines.append(f"{name}: {text}")
    if not lines:
        raise NotApplicable(
            f"{', '.join(trace_names(traces))}: no gates with a name (rnn_jax/analysis/gates.py lists them)"
        )
    return "\n".join(lines)


def states_page(traces: Sequence[Trace], file: Path) -> str:
    """The states of the last cell in their first two principal components, coloured by the step."""
    check_traces(traces)
    trace = traces[-1]
    states = _rows(state_vectors(trace), trace)
    valid = (
        np.ones(states.shape[:2], bool) if trace.valid is None else np.asarray(trace.valid).reshape(states.shape[:2])
    )
    projection = principal_components(states[valid])
    points = np.full((*states.shape[:2], 2), np.nan)
    points[valid] = projection.points
    step = np.broadcast_to(np.arange(len(states))[:, None], states.shape[:2])
    name = type(trace.cell).__name__
    draw_states(projection._replace(points=points), step, file, f"states of the last cell, {name}", "step")
    return f"{sum(projection.shares):.0%} of the variance of {states.shape[-1]} numbers lies in two directions"


def flow_page(score: Score, file: Path, update: int) -> str:
    """The norm of the gradient of the score by the carry that enters each step of each cell.

    It is the mean over the rows that have the step; what is past the end of the longest is left out.
    """
    norms = jax.jit(lambda: mean_gradient_norms(score))()
    if not norms:
        raise NotApplicable("the model has no recurrent layer")
    flows = {name: until_nan(np.asarray(found)) for name, found in norms.items()}
    draw_gradient_flow({name: {update: norms} for name, norms in flows.items()}, file, "does the gradient reach back?")
    return "; ".join(f"{n}: {f[0]:.2g} at the first step, {f[-1]:.2g} at the last" for n, f in flows.items())


def saliency_page(
    score: Score, file: Path, *, row: int = 0, steps: Sequence[str] = (), shown: int = 100, extra: Any = None
) -> str:
    """Which steps a score rests on: saliency and integrated gradients of what the first layer reads, against zeros.

    Args:
        score: a scalar.
        file: a .png to write.
        row: of the batch, counted around where it has fewer.
        steps: a short text for each step, or none.
        shown: steps, at most.
        extra: further measures to draw, name -> `[T]`.
    """
    inputs, of_inputs = layer_inputs(score)

    @jax.jit
    def measure(xs: jax.Array) -> dict[str, jax.Array]:
        added = integrated_gradients(of_inputs, xs, jnp.zeros_like(xs)).sum(-1)
        return {"saliency": saliency(of_inputs, xs), "integrated gradients": added}

    rows: dict[str, np.ndarray] = {}
    length = min(shown, _length(trace_layers(score)[1][0], row))
    for name, values in measure(inputs).items():
        rows[name] = np.asarray(values).reshape(len(inputs), -1)
        rows[name] = _row(rows[name], row)[:length]
    draw_steps(rows | (extra or {}), steps[:length], file, f"what the score rests on, row {row}")
    names = steps or tuple(map(str, range(len(inputs))))
    order = np.argsort(-np.abs(rows["integrated gradients"]), kind="stable")[:6]
    return "by integrated gradients: " + ", ".join(
        f"{names[i]!r} {rows['integrated gradients'][i]:+.2g}" for i in order
    )


def pattern_units_page(text: str, traces: Sequence[Trace], file: Path, *, patterns: int = 4, shown: int = 400) -> str:
    """Which unit of any layer tracks which pattern of a text.

    Args:
        text: N characters.
        traces: of `trace_layers`, of a model that reads them as one row.
        file: a .png to write.
        patterns: how many are drawn.
        shown: characters drawn.
    """
    units = np.concatenate([_rows(trace.ys, trace)[:, 0] for trace in traces], axis=-1)
    tracking = pattern_units(units, text_patterns(text))
    if not tracking:
        raise NotApplicable(f"the text {text[:20]!r} has no pattern")
    best = dict(list(tracking.items())[:patterns])
    draw_pattern_units(text[:shown], units[:shown], best, file, f"units that track the text, of {units.shape[1]}")
    return "\n".join(f"{name}: unit {unit}, correlation {score:+.2f}" for name, (unit, score) in tracking.items())


def automaton_page(model: Callable[[Any], jax.Array], task: Any, key: jax.Array, length: int, count: int = 1000) -> str:
    """The automaton that a model of a task of states has become, from half of some sequences, tested on the others.

    Args:
        model: from tokens `[T, B]` to scores of the classes `[T, B, C]`.
        task: has `tokens`, how many inputs there are, and `sample(key, count, length)`, which gives `inputs`,
            `targets` and `mask`, each `[T, B]`.
        key: typed, draws sequences.
        length: of them.
        count: of them.
    """
    if not getattr(task, "tokens", 0):
        raise NotApplicable("the inputs are no tokens")
    sample = task.sample(key, count, length + 1)
    scores, traces = trace_layers(lambda: model(sample.inputs))
    check_traces(traces)
    # What enters a step is the state after the step before.
    states = np.concatenate([_rows(state_vectors(trace), trace)[1:] for trace in traces], axis=-1)
    inputs, predictions, targets = (np.asarray(a)[:-1] for a in (sample.inputs, scores.argmax(-1), sample.targets))
    mask, half = np.asarray(sample.mask)[:-1], count // 2
    train = (states[:, :half], inputs[:, :half], predictions[:, :half])
    automaton = extract_automaton(*train, mask=mask[:, :half], tokens=task.tokens)
    outputs = automaton.run(inputs[:, half:])
    held_out = mask[:, half:]
    agreement = np.mean((outputs == predictions[:, half:])[held_out])
    accuracy, network = (np.mean((a == targets[:, half:])[held_out]) for a in (outputs, predictions[:, half:]))
    small = len(automaton.outputs) <= 40
    text = f"{len(automaton.outputs)} states; on other sequences of {length} steps it says what the network says in "
    text += f"{agreement:.2%} of the answers, and is right in {accuracy:.2%} (the network: {network:.2%})"
    return text + ("\n" + automaton.table() if small else "")


def _rows(values: Any, trace: Trace) -> np.ndarray:
    """`[T, B, ...]` with one batch dim, however many there were, and one of features."""
    values = np.asarray(values)
    return values.reshape(len(values), int(np.prod(values.shape[1 : trace.leading], dtype=int)), -1)


def _row(rows: np.ndarray, row: int) -> np.ndarray:
    """One row of `[T, B, ...]`: `[T, ...]`."""
    return rows[:, row % rows.shape[1]]


def _length(trace: Trace, row: int) -> int:
    """How many steps a row has, counted around as in `_row`."""
    if trace.valid is None:
        return len(trace.xs)
    valid = _row(np.asarray(trace.valid).reshape(len(trace.xs), -1), row)
    if not valid.any():
        raise NotApplicable(f"row {row} has no steps")
    return int(np.flatnonzero(valid)[-1]) + 1


def _valid(values: Any, trace: Trace) -> np.ndarray:
    return np.asarray(values) if trace.valid is None else np.asarray(values)[np.asarray(trace.valid)]

"""What goes wrong with gradients, found while a training runs: exploding, vanishing, and the clip that would help.

`--diagnose` of every experiment. Nothing of it enters the training: it looks at the metrics of all updates, and at each
evaluation at one gradient that it takes by itself, so that the numbers of a run are bitwise the same with and without.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

from rnn_jax.analysis.figures import GREY, draws, facets, label_lines, save_figure
from rnn_jax.analysis.gradient_flow import mean_gradient_norms, until_nan
from rnn_jax.train.optimizer import OptimizerConfig, make_optimizer
from rnn_jax.train.parallel import batch_sharding, data_mesh
from rnn_jax.train.run import Run
from rnn_jax.train.state import Batch, Loss, TrainState

SPIKE = 10.0
"""A gradient norm this many times the median of its time explodes."""
GROWTH = 100.0
"""So does a gradient that grows this much on its way through the first half of a sequence."""
VANISHED = 1e-4
"""A gradient has vanished when this part of its largest norm is left at the first step."""


class Diagnosis:
    """Watches one training; `fit` tells it of updates and evaluations.

    Args:
        loss: of the task.
        config: of the run; its optimizer is made again, to see how far an update goes.
        steps: updates of the run.
        key: typed, for what is random in the loss.
        run: where diagnosis.json goes.
    """

    def __init__(self, loss: Loss, config: OptimizerConfig, steps: int, key: jax.Array, run: Run):
        self.clip_norm, self.run = config.clip_norm, run
        self.records: list[dict[str, Any]] = []
        self._norms: list[float] = []
        optimizer = make_optimizer(config, steps)

        def measure(state: TrainState, batches: Batch) -> dict[str, Any]:
            batch = jax.tree.map(lambda leaf: leaf[-1], batches)

            def score(params: Any) -> jax.Array:
                return loss(params, state.carry, batch, jax.random.fold_in(key, state.step))[0]

            gradients = jax.grad(score)(state.params)
            updates, _ = optimizer.update(gradients, state.optimizer, state.params)
            trees = {"gradient": gradients, "update": updates, "parameter": state.params}
            flow = mean_gradient_norms(lambda: score(state.params))
            return {"groups": {kind: group_norms(tree) for kind, tree in trees.items()}, "flow": flow}

        self._measure = jax.jit(measure, out_shardings=batch_sharding(data_mesh(), None))

    def resume(self, step: int) -> None:
        """Take up the records of the run so far, up to `step`."""
        if (self.run.path / "diagnosis.json").exists():
            self.records = [r for r in self.run.read_json("diagnosis.json")["records"] if r["step"] <= step]

    def note(self, norms: Sequence[float]) -> None:
        """Take note of the global gradient norms of some updates, before they were clipped."""
        self._norms += [float(norm) for norm in norms]

    def examine(self, step: int, state: TrainState, batches: Batch) -> list[str]:
        """Look at a state after `step` updates, by the last one of stacked batches; what there is to say, line by line.

        Nothing is kept of `state`, and nothing of it is changed.
        """
        measured = jax.tree.map(np.asarray, self._measure(state, batches))
        kinds, flow = measured["groups"], measured["flow"]
        record: dict[str, Any] = {
            "step": step,
            "updates": update_norms(self._norms, self.clip_norm),
            "groups": {g: {kind: float(kinds[kind][g]) for kind in kinds} for g in kinds["gradient"]},
            "flow": {name: [float(f"{norm:.4g}") for norm in until_nan(norms)] for name, norms in flow.items()},
        }
        record["says"] = verdicts(record, self.clip_norm)
        self._norms = []
        self.records = [*self.records, record]
        self.run.write_json("diagnosis.json", {"clip_norm": self.clip_norm, "records": self.records})
        return [f"diagnosis, update {step}: {text}" for text in [summary(record), *record["says"]]]

    def last_words(self) -> str:
        """What there is to say of the updates since the last evaluation, where a training has broken off; or ""."""
        found = update_norms(self._norms, self.clip_norm)
        return "; ".join(_spikes(found, self.clip_norm)) if found else ""


def group_norms(tree: Any) -> dict[str, jax.Array]:
    """The norm of each group of a tree, of the arrays that stand beside each other in one dict."""
    groups: dict[str, list[Any]] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        inner = path[:-1] if len(path) > 1 else path
        groups.setdefault(jax.tree_util.keystr(inner, simple=True, separator="."), []).append(leaf)
    return {name: optax.global_norm(leaves) for name, leaves in groups.items()}


def update_norms(norms: Sequence[float], clip_norm: float) -> dict[str, Any]:
    """How the gradient norms of updates are distributed, and the share of them that were clipped; `{}` for none."""
    if not norms:
        return {}
    known = np.array([norm for norm in norms if np.isfinite(norm)] or [np.nan])
    return {
        "count": len(norms),
        "infinite": int(np.sum(~np.isfinite(norms))),
        "clipped": float(np.mean(~(np.array(norms) <= clip_norm))),
        **{name: float(np.quantile(known, q)) for name, q in (("median", 0.5), ("high", 0.9), ("largest", 1.0))},
    }


def verdicts(record: Mapping[str, Any], clip_norm: float) -> list[str]:
    """What is wrong, a sentence each, and what would help.

    Args:
        record: `updates` as of `update_norms`, `groups` (name -> norms of gradient, update and parameter) and `flow`
            (cell -> norms of the gradient by the carry that enters each step, `[T]`).
        clip_norm: of the training.
    """
    said = _spikes(record["updates"], clip_norm) if record["updates"] else []
    for name, norms in record["flow"].items():
        flow = np.array(norms[::-1] if name.endswith("backward") else norms, float)
        largest = float(flow.max(initial=0))
        if len(flow) < 2 or not largest:
            continue
        first, middle, what = float(flow[0]), float(flow[len(flow) // 2]), f"{name}, {len(flow)} steps"
        if first > GROWTH * middle > 0:
            said.append(
                f"exploding: {what}: the gradient grows by {first / middle:.1g} from the middle to the first step; an "
                "orthogonal or smaller recurrent kernel, a gated cell or shorter sequences would help, and clip_norm "
                "against single updates"
            )
        elif first < VANISHED * largest:
            said.append(
                f"vanishing: {what}: {first / largest:.1g} of the gradient is left at the first step; what lies so far "
                "back is not learned. Gates that start open, an orthogonal or linear recurrence or shorter sequences "
                "would help"
            )
    still = [name for name, norms in record["groups"].items() if norms["gradient"] == 0]
    if still:
        said.append(f"vanishing: no gradient at all in {', '.join(still)}")
    return said


def summary(record: Mapping[str, Any]) -> str:
    """The state of a training in a line."""
    groups = record["groups"]
    text = f"largest gradient in {max(groups, key=lambda g: groups[g]['gradient'])}" if groups else "no parameters"
    ratios = [n["update"] / n["parameter"] for n in groups.values() if n["parameter"] > 0]
    if any(ratios):
        text += f", update / parameter {min(ratios):.1g} to {max(ratios):.1g}"
    norms = record["updates"]
    if norms:
        text += f"; gradient norms {norms['median']:.2g} (median), {norms['largest']:.2g} (largest)"
        text += f", {norms['clipped']:.0%} of {norms['count']} updates clipped"
    return text


@draws
def draw_diagnosis(records: Sequence[Mapping[str, Any]], clip_norm: float, file: Path) -> None:
    """Draw gradient norms and their clip, the length of updates by group, and the gradient's way through time.

    Args:
        records: of diagnosis.json.
        clip_norm: of the training.
        file: a .png to write.
    """
    groups, cells = list(records[-1]["groups"]), list(records[-1]["flow"])
    figure, panels = facets(2 + bool(cells), 2.6 + 0.09 * len(groups), columns=1)
    trained = [r for r in records if r["updates"]]
    for name, words in (("median", "median"), ("high", "90 % of updates below"), ("largest", "largest")):
        norms = [r["updates"][name] for r in trained]
        panels[0].semilogy([r["step"] for r in trained], norms, marker="o", label=words)
    panels[0].axhline(clip_norm, linestyle="--", color=GREY, label=f"clip_norm {clip_norm:g}")
    panels[0].set(title="gradient norms of the updates since the evaluation before", xlabel="update", ylabel="norm")
    for group in groups:
        points = [(r["step"], r["groups"][group]) for r in records if r["groups"][group]["update"] > 0]
        lengths = [n["update"] / n["parameter"] if n["parameter"] else np.nan for _, n in points]
        panels[1].semilogy([step for step, _ in points], lengths, marker="o", label=group)
    panels[1].set(title="how far an update goes", xlabel="update", ylabel="norm of update / of parameters")
    for i, name in enumerate(cells):
        ends = ((records[0], ":"), (records[-1], "-")) if len(records) > 1 else ((records[0], "-"),)
        for record, look in ends:
            flow = np.array(record["flow"][name], float)
            label = f"{name}, after {record['step']} updates"
            panels[2].semilogy(np.where(flow > 0, flow, np.nan), look, color=f"C{i}", label=label)
        panels[2].set(title="does the gradient reach back?", xlabel="step t", ylabel="norm of dL/dh at step t")
    for axes in panels:
        label_lines(axes, 36)
    save_figure(figure, file)


def _spikes(norms: Mapping[str, Any], clip_norm: float) -> list[str]:
    times = norms["largest"] / norms["median"] if norms["median"] else 0.0
    if not norms["infinite"] and not times > SPIKE:
        return []
    helping = float(f"{norms['high']:.2g}")
    what = f"{norms['infinite']} infinite gradients, " * bool(norms["infinite"])
    what += f"the largest of {norms['count']} gradient norms, {norms['largest']:.2g}, is {times:.2g} times their median"
    if not helping < clip_norm:
        return [f"exploding: {what}; clip_norm={clip_norm:g} cuts it"]
    return [f"exploding: {what}; the clip_norm that would help: {helping:g} (it is {clip_norm:g})"]

"""Several studies of the same configs, on different tasks: what is better over all of them, and at which cost?"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.analysis.figures import BLUE, GREY, INK, ORANGE, draws, new_figure, save_figure, wrapped
from rnn_jax.extras import optional_imports
from rnn_jax.studies.markup import markdown_code, markdown_table, markdown_text
from rnn_jax.studies.statistics import holm, paired_test
from rnn_jax.studies.tables import higher_is_better, metric, metrics, number, summarise, values

NOTE = (
    "Rank: of the mean in each study, averaged. Score: each study's values are scaled so that its worst mean is 0 and "
    "its best 1; the IQM over all runs, in brackets its 95 % interval, seeds resampled inside each study with the "
    "scale held fixed: it speaks of these tasks only. Better: the probability that a run is better than one of the "
    "reference in the same study, averaged. p: two-sided paired test over the tasks, a pair being the mean scores of "
    "both on one (signed ranks, which cannot give less than 0.05 below 6 tasks), corrected for the number of rows: it "
    "speaks of further tasks of this kind. Time and memory: a run's against the reference's, the geometric mean over "
    "studies."
)


def overview(
    studies: Mapping[str, Mapping[str, Any]], spent: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """A row for each config that all studies share.

    Args:
        studies: what study.json of each holds, by the study's name.
        spent: what `study_tables.costs` found in each.

    Returns:
        Dicts with what `study_tables.summarise` gives of the scaled values, and `means`, one for each study in its own
        unit, `rank`, `seconds` and `bytes`, relative to the reference.

    Raises:
        ValueError: the studies have other configs, another reference, or a config without a finished run, or one of
            them has several metrics.
    """
    found = {name: _labelled(study) for name, study in studies.items()}
    (first, names), *others = ((name, list(cells)) for name, cells in found.items())
    for name, labels in others:
        if set(labels) != set(names):
            raise ValueError(
                f"{name} has the configs {', '.join(labels)}, {first} {', '.join(names)}: expected the same"
            )
    references = {
        name: next(label for label, cell in found[name].items() if cell["name"] == study["reference"])
        for name, study in studies.items()
    }
    if len(set(references.values())) > 1:
        raise ValueError(f"the references differ: {references}; give all studies the same with --reference")
    for name, cells in found.items():
        if len(several := metrics(studies[name])) > 1:
            raise ValueError(f"{name} has several metrics: {', '.join(several)}; make a study of each")
        if empty := [label for label, cell in cells.items() if not values(cell)]:
            raise ValueError(f"{name}: no run of {', '.join(empty)} has finished; the study's command goes on with it")
    means = {name: {label: _mean(cell) for label, cell in cells.items()} for name, cells in found.items()}
    strata: dict[str, list[dict[str, float]]] = {label: [] for label in names}
    for name, study in studies.items():
        low, high = min(means[name].values()), max(means[name].values())
        worst, best = (low, high) if higher_is_better(study) else (high, low)
        for label in names:
            strata[label].append(
                {seed: (value - worst) / ((best - worst) or 1.0) for seed, value in values(found[name][label]).items()}
            )
    reference = references[first]
    ranks = np.mean([_ranks([means[n][label] for label in names], higher_is_better(studies[n])) for n in found], 0)
    rows = summarise(strata, {}, reference, True)
    # Runs of one task are no independent witnesses for another: the tasks are what is paired. By signed ranks (Demšar
    # 2006), since scores from 0 to 1 are no normal ones: of two configs each differs by 1 from the other on every task.
    scores = {label: [float(np.mean(list(stratum.values()))) for stratum in each] for label, each in strata.items()}
    tested = [
        math.nan if row["name"] == reference else paired_test(scores[row["name"]], scores[reference], "wilcoxon")
        for row in rows
    ]
    for row, rank, p, corrected in zip(rows, ranks, tested, holm(tested), strict=True):
        label = row["name"]
        row |= {"p": p, "p holm": corrected}
        row |= {"means": {name: means[name][label] for name in found}, "rank": float(rank)}
        for cost in ("seconds", "bytes"):
            own, others = ([spent[n][found[n][one]["name"]][cost] for n in found] for one in (label, reference))
            row[cost] = _ratio(own, others)
    return rows


def overview_markdown(
    studies: Mapping[str, Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    question: str,
    command: str,
    figure: str,
) -> str:
    """The rows of `overview` as Markdown: the means of each study, the best in bold, then what holds over all."""
    heads = ["", *(markdown_text(f"{name}, {metric(study)}") for name, study in studies.items())]
    best = {
        name: (max if higher_is_better(study) else min)(row["means"][name] for row in rows)
        for name, study in studies.items()
    }
    shown = [[markdown_text(row["name"]), *(_bold(v, v == best[n]) for n, v in row["means"].items())] for row in rows]
    over = ["", "rank", "score", "better", "p, Holm", "time", "memory"]
    judged = [
        [markdown_text(row["name"]), f"{row['rank']:.1f}", f"{row['iqm']:.2f}{_interval(row['iqm interval'])}",
         number(row["better"], 2), number(row["p holm"], 2), *(number(row[cost], 3) for cost in ("seconds", "bytes"))]
        for row in rows
    ]  # fmt: skip
    said = markdown_code(command)
    parts = [
        f"# {markdown_text(question)}",
        markdown_table(heads, shown),
        said,
        markdown_table(over, judged),
        said,
        NOTE,
    ]
    return "\n\n".join([*parts, f"![{figure}]({figure})", said]) + "\n"


@draws
def draw_overview(rows: Sequence[Mapping[str, Any]], question: str, file: Path) -> None:
    """The score of each config with its interval, the best at the top, beside the time and the memory of a run."""
    rows = sorted(rows, key=lambda row: -row["iqm"])
    figure = new_figure(1.3 + 0.27 * len(rows), title=question)
    score, *others = figure.subplots(1, 3, sharey=True, width_ratios=(3, 2, 2))
    for place, row in enumerate(rows):
        low, high = row["iqm interval"]
        score.hlines(place, low, high, color=BLUE, alpha=0.45, linewidth=5)
        score.plot(row["iqm"], place, "D", color=BLUE)
        for axes, cost in zip(others, ("seconds", "bytes"), strict=True):
            axes.hlines(place, 1, row[cost], color=GREY, linewidth=1)
            axes.plot(row[cost], place, "o", color=ORANGE)
    score.set_yticks(range(len(rows)), [wrapped(row["name"], 32) for row in rows])
    score.set(xlabel="score, 0 the worst, 1 the best\n(bar: 95 % interval)", ylim=(len(rows) - 0.4, -0.6))
    for axes, cost in zip(others, ("time", "memory"), strict=True):
        axes.axvline(1, color=INK, linewidth=0.8)
        axes.set(xscale="log", xlabel=f"{cost} of a run,\nthe reference's = 1")
        low, high = axes.get_xlim()
        ticks = [tick for tick in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16) if low <= tick <= high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    save_figure(figure, file)


def _labelled(study: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The cells of a study by what they are in every study: a width that only makes them equally large is no part."""

    def labels(ignored: str) -> list[str]:
        fields = [{n: v for n, v in cell["fields"].items() if n != ignored} for cell in study["cells"]]
        return [
            str(one["set"]) if [*one] == ["set"] else ", ".join(f"{n}={v}" for n, v in one.items()) for one in fields
        ]

    short = labels("hidden_size")
    return dict(zip(short if len(set(short)) == len(short) else labels(""), study["cells"], strict=True))


def _mean(cell: Mapping[str, Any]) -> float:
    return float(np.mean(list(values(cell).values())))


def _ranks(means: Sequence[float], higher: bool) -> np.ndarray:
    with optional_imports():
        from scipy.stats import rankdata

    return rankdata([-mean if higher else mean for mean in means])


def _ratio(values: Sequence[int | float | None], others: Sequence[int | float | None]) -> float:
    """The geometric mean of the quotients; NaN where anything is unknown."""
    logs = [math.log(a) - math.log(b) if a and b else math.nan for a, b in zip(values, others, strict=True)]
    return math.exp(float(np.mean(logs)))


def _interval(ends: Sequence[float]) -> str:
    return "" if math.isnan(ends[0]) else f" [{ends[0]:.2f}, {ends[1]:.2f}]"


def _bold(value: float, best: bool) -> str:
    return f"**{number(value)}**" if best else number(value)

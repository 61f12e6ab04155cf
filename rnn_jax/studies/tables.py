"""A study as tables: one row for each cell, and one for each value of a varied field, over all values of the others."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rnn_jax.studies import statistics
from rnn_jax.studies.markup import latex_text, markdown_code, markdown_table, markdown_text, one_line

HEAD = ("n", "mean", "median", "IQM", "p", "p, Holm", "better", "parameters")
NOTE = (
    "n seeds; in brackets 95 % intervals, seeds resampled inside each config (bootstrap-t for the mean, percentiles "
    "expanded for n for the IQM; below 5 seeds Student's for the mean alone); p: two-sided paired test against the "
    "reference, pairs of equal seeds (signed ranks, the t test below 6 pairs), and corrected for the number of rows; "
    "better: the probability that a run of the row is better than one of the reference."
)

EQUAL = "unless the metric is at its limit, what distinguishes them does not reach the model"


def cell_rows(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row of statistics for each cell of what study.json holds; see `summarise`. No tests if metrics differ."""
    scores = {cell["name"]: [values(cell)] for cell in study["cells"]}
    params = {
        cell["name"]: {one["params"] for one in cell["seeds"].values() if "params" in one} for cell in study["cells"]
    }
    rows = summarise(scores, params, study["reference"], higher_is_better(study))
    untested = dict.fromkeys(("p", "p holm", "better"), math.nan) if len(metrics(study)) > 1 else {}
    return [row | untested for row in rows]


def field_rows(study: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    """A row for each value of a field, over all cells that have it: a stratum is a choice of the other fields.

    Only strata that every value has runs in are taken, so that all rows compare the same; without any, or if metrics
    differ, no rows.
    """
    if len(metrics(study)) > 1:
        return []
    reference = next(cell for cell in study["cells"] if cell["name"] == study["reference"])
    found: dict[Any, dict[str, dict[str, float]]] = {}
    for cell in study["cells"]:
        others = repr({name: value for name, value in cell["fields"].items() if name != field})
        if field in cell["fields"] and values(cell):
            found.setdefault(cell["fields"][field], {})[others] = values(cell)
    if len(found) < 2 or reference["fields"][field] not in found:
        return []
    shared = [others for others in next(iter(found.values())) if all(others in strata for strata in found.values())]
    if len(shared) < 2:
        return []
    scores = {f"{field}={value}": [strata[others] for others in shared] for value, strata in found.items()}
    return summarise(scores, {}, f"{field}={reference['fields'][field]}", higher_is_better(study))


def summarise(
    scores: Mapping[str, Sequence[Mapping[str, float]]],
    params: Mapping[str, set[int]],
    reference: str,
    higher: bool,
) -> list[dict[str, Any]]:
    """Statistics of some rows.

    Args:
        scores: of each row its strata, each a value for each seed.
        params: of each row how many parameters its runs have.
        reference: the row that the others are tested against.
        higher: whether higher is better.

    Returns:
        Dicts with `name`, `n`, `mean`, `mean interval`, `median`, `median interval`, `iqm`, `iqm interval`, `p`,
        `p holm`, `better`, `params`; what cannot be computed is NaN, an interval a pair.
    """
    rows = []
    for name, strata in scores.items():
        row: dict[str, Any] = {"name": name, "n": sum(map(len, strata)), "params": sorted(params.get(name, ()))}
        usable = [list(stratum.values()) for stratum in strata if stratum]
        for aggregate in statistics.AGGREGATES:
            known = bool(usable)
            row[aggregate] = getattr(statistics, aggregate)(usable) if known else math.nan
            nothing = (math.nan, math.nan)
            row[f"{aggregate} interval"] = statistics.bootstrap_interval(usable, aggregate) if known else nothing
        row["p"] = row["better"] = math.nan
        others = scores[reference]
        pairs = [(a[s], b[s]) for a, b in zip(strata, others, strict=True) for s in a if s in b]
        if name != reference and pairs:
            row["p"] = statistics.paired_test([a for a, _ in pairs], [b for _, b in pairs])
            row["better"] = statistics.probability_of_improvement(
                usable, [list(stratum.values()) for stratum in others], higher
            )
        rows.append(row)
    for row, corrected in zip(rows, statistics.holm([row["p"] for row in rows]), strict=True):
        row["p holm"] = corrected
    return rows


def values(cell: Mapping[str, Any]) -> dict[str, float]:
    """The value of each finished seed of a cell."""
    return {seed: one["value"] for seed, one in cell["seeds"].items() if one.get("value") is not None}


def higher_is_better(study: Mapping[str, Any]) -> bool:
    """Whether a higher value is better; False while nothing has finished."""
    return any(one.get("higher_is_better", False) for cell in study["cells"] for one in cell["seeds"].values())


def metrics(study: Mapping[str, Any]) -> list[str]:
    """What finished runs are measured by: one metric, unless a field that varies is one that says it."""
    return sorted({one["metric"] for cell in study["cells"] for one in cell["seeds"].values() if "metric" in one})


def metric(study: Mapping[str, Any]) -> str:
    """The metric with an arrow to where it is better."""
    if len(names := metrics(study)) > 1:
        return ", ".join(names)
    return f"{', '.join(names) or 'nothing finished'} {'↑' if higher_is_better(study) else '↓'}"


def markdown(study: Mapping[str, Any], figures: Sequence[str] = ()) -> str:
    """The tables of a study as Markdown, its failures, and under each what makes it again.

    Args:
        study: what study.json holds.
        figures: to show, as paths from where the text will be.
    """
    said = markdown_code(study["command"])
    parts = [
        f"# {markdown_text(study['question'])}",
        markdown_text(f"{metric(study)}, reference: {study['reference']}"),
    ]
    for title, rows in _tables(study):
        cells = [[markdown_text(name), *numbers] for name, *numbers in map(_cells, rows)]
        parts += [markdown_table([markdown_text(title), *HEAD], cells), said]
    parts.append(NOTE)
    if told := remarks(study):
        parts.append("\n".join(f"* {markdown_text(line)}" for line in told))
    parts += [f"![{figure}]({figure})\n\n{said}" for figure in figures]
    return "\n\n".join(parts) + "\n"


def latex(study: Mapping[str, Any]) -> str:
    """The tables of a study as LaTeX, for the package booktabs."""
    parts = ["% needs \\usepackage{booktabs}"]
    for title, rows in _tables(study):
        lines = [f"\\begin{{tabular}}{{l{'r' * len(HEAD)}}}", "\\toprule"]
        lines += [" & ".join(map(latex_text, [title, *HEAD])) + r" \\", "\\midrule"]
        lines += [" & ".join(map(latex_text, _cells(row))) + r" \\" for row in rows]
        lines += ["\\bottomrule", "\\end{tabular}", "", f"{{\\footnotesize\\texttt{{{latex_text(study['command'])}}}}}"]
        parts.append("\n".join(lines))
    parts.append("\n".join(f"% {one_line(line)}" for line in [metric(study), NOTE, *remarks(study)]))
    return "\n\n".join(parts) + "\n"


def remarks(study: Mapping[str, Any]) -> list[str]:
    """What a reader must know beside the numbers: failures, layouts, cells that do not differ, mixed versions."""
    lines = []
    if len(names := metrics(study)) > 1:
        lines.append(f"metrics differ ({'; '.join(names)}): no tests, make a study of each to have them")
    for cell in study["cells"]:
        lines += [f"{cell['name']}: {note}" for note in cell.get("notes", ())]
        for seed, one in cell["seeds"].items():
            if one["state"] != "done":
                lines.append(f"{cell['name']}, seed {seed} {one['state']}: {' '.join(one.get('message', '-').split())}")
    for field, what in (("versions", "sets of versions"), ("processors", "kinds of processors")):
        if (count := len(study.get(field, ()))) > 1:
            lines.append(f"the runs were made with {count} {what}, see study.json")
    return lines + [f"{', '.join(names)}: equal with every seed; {EQUAL}" for names in equal_cells(study)]


def equal_cells(study: Mapping[str, Any]) -> list[list[str]]:
    """Names of cells that have the same values and numbers of parameters with all their seeds."""
    groups: dict[str, list[str]] = {}
    for cell in study["cells"]:
        found = {s: (one["value"], one["params"]) for s, one in cell["seeds"].items() if one.get("value") is not None}
        if found:
            groups.setdefault(repr(found), []).append(cell["name"])
    return [names for names in groups.values() if len(names) > 1]


def costs(results: Mapping[str, Sequence[Mapping[str, Any]]], memory: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """What the runs of each cell cost: `runs`, the mean of their `seconds`, `bytes` of memory, `device`; None: unknown.

    Args:
        results: the results of the runs of each cell, by its name.
        memory: of one update of one seed in each cell, in bytes, by its name.
    """
    return {
        name: {
            "runs": len(runs),
            "seconds": None if math.isnan(each := seconds_a_run(runs)) else each,
            "bytes": memory.get(name),
            "device": ", ".join(sorted({run["device"] for run in runs})),
        }
        for name, runs in results.items()
    }


def costs_markdown(study: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> str:
    """What `costs` found, as Markdown; unlike the tables, not the same if the study is run again.

    Args:
        study: what study.json holds.
        found: of each cell, by its name.
    """
    rows = []
    for name, one in found.items():
        each = one["seconds"]
        spent = ("", "") if each is None else (f"{each:.1f}", f"{each * one['runs']:.1f}")
        needed = "" if one["bytes"] is None else f"{one['bytes'] / 1e6:.1f}"
        rows.append([markdown_text(name), str(one["runs"]), *spent, needed, markdown_text(one["device"])])
    said = (
        "Seeds that were trained side by side share the seconds of all; updates, evaluations and checkpoints count. "
        "Memory is what XLA plans for the loss of one batch of one seed and its gradient, beside parameters and batch."
    )
    heads = ("config", "runs", "seconds a run", "seconds", "memory, MB", "device")
    return "\n\n".join([markdown_table(heads, rows), markdown_code(study["command"]), said]) + "\n"


def seconds_a_run(results: Sequence[Mapping[str, Any]]) -> float:
    """The mean over runs; NaN for none."""
    return sum(run["seconds"] for run in results) / len(results) if results else math.nan


def _tables(study: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Titles and rows: of the cells, then of each field if more than one varies."""
    fields = list(dict.fromkeys(field for cell in study["cells"] for field in cell["fields"]))
    tables = [("config", cell_rows(study))]
    if len(fields) > 1:
        tables += [(f"{field}, over the others", rows) for field in fields if (rows := field_rows(study, field))]
    return tables


def _cells(row: Mapping[str, Any]) -> list[str]:
    """A row as the words of a table; all of them determined by the numbers alone."""

    def around(aggregate: str) -> str:
        low, high = row[f"{aggregate} interval"]
        return number(row[aggregate]) + (f" [{number(low)}, {number(high)}]" if not math.isnan(low) else "")

    sizes = row["params"]
    size = "" if not sizes else f"{sizes[0]:,}" + (f"-{sizes[-1]:,}" if len(sizes) > 1 else "")
    tests = [number(row["p"], 2), number(row["p holm"], 2), number(row["better"], 2)]
    return [row["name"], str(row["n"]), around("mean"), number(row["median"]), around("iqm"), *tests, size]


def number(value: float, digits: int = 4) -> str:
    """A value for a table; NaN is a dash."""
    return "–" if math.isnan(value) else f"{value:#.{digits}g}".rstrip(".")

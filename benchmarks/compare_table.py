"""The comparison of libraries as text and as a figure, drawn from a result file."""

from pathlib import Path
from typing import Any

from benchmarks.peers import METHODS, PEERS
from benchmarks.results import Row
from benchmarks.timing import Ratio, geometric_mean, ratio

NOT_OTHERS_ON_JAX = ("torch", "split", *METHODS)
TITLES = {
    "forward": "Forward",
    "training": "Training, 8 updates in one dispatch",
    "single": "Training, 8 updates in 8 dispatches",
    "streaming": "Streaming, one step of one sequence",
    "compile": "Compiling the training program",
    "memory": "Memory at the peak of training",
}


def summary(rows: list[Row]) -> str:
    """One case in a line."""
    ours = _ours(rows)
    own = f"{ours['median'] * 1e3:.3g} ms" if "median" in ours else f"{ours['bytes'] / 1e6:.3g} MB"
    return f"rnn_jax {own}; " + ", ".join(f"{name} {ratio}" for name, ratio in ratios(rows).items())


def ratios(rows: list[Row]) -> dict[str, Ratio]:
    """Of one case: each library's time or bytes over those of rnn_jax."""
    ours = _ours(rows)
    if "bytes" in ours:
        found = {row["program"]: row["bytes"] / ours["bytes"] for row in rows if row is not ours}
        return {name: Ratio(value, value, value) for name, value in found.items()}
    return {name: Ratio(**ratio) for name, ratio in ours["ratios"].items()}


def table(stored: dict[str, Any]) -> str:
    """Markdown: geometric means over cases, then a table for each measure."""
    cases = _cases(stored)
    names = [name for name in PEERS[1:] if any(row["program"] == name for row in stored["rows"])]
    own = stored.get("processes") == "own"
    lines = [
        "Each library ran in a process of its own, in turns." if own else "All libraries ran in one process, in turns.",
        *(['`rnn_jax` is `unroll` with `method="auto"`, beside it are its methods.'] if own else []),
        "Time or memory of each library over that of rnn_jax: above 1, rnn_jax is faster or smaller. Geometric means "
        "over the cases; the fastest JAX library is chosen case by case.",
        "",
        f"| measure | cases | {' | '.join(names)} | fastest other on JAX |",
        "|---|---|" + "---|" * (len(names) + 1),
    ]
    for measure in (m for m in TITLES if m in cases):
        found = [ratios(rows) for rows in cases[measure].values()]
        means = [_mean([r[name].value for r in found if name in r]) for name in names]
        fastest = [_fastest_on_jax(r) for r in found]
        means.append(_mean([ratio.value for _, ratio in filter(None, fastest)]))
        lines.append(f"| {measure} | {len(found)} | {' | '.join(means)} |")
    lines += _split_line(cases)
    for measure in (m for m in TITLES if m in cases):
        lines += ["", f"**{TITLES[measure]}**", "", f"| case | rnn_jax | {' | '.join(names)} | fastest other on JAX |"]
        lines.append("|---|---|" + "---|" * (len(names) + 1))
        lines += [_line(rows, names) for rows in cases[measure].values()]
    return "\n".join(lines)


def _split_line(cases: dict[str, dict[str, list[Row]]]) -> list[str]:
    """What rnn_jax gains where it may use all devices, as PyTorch uses all cores."""
    found = []
    for measure in ("forward", "training"):
        both = []
        for rows in cases.get(measure, {}).values():
            seconds = {row["program"]: row["seconds"] for row in rows}
            if {"torch", "split"} <= seconds.keys():
                both.append(ratio(seconds["torch"], seconds["split"]).value)
        if both:
            found.append(f"{measure} {_mean(both)} (least {min(both):.2f})")
    if not found:
        return []
    return ["", f"`split` is rnn_jax with the rows split over all devices. PyTorch's time over it: {', '.join(found)}."]


def figure(stored: dict[str, Any], path: Path) -> None:
    """Ratios of forward and training with their intervals, a point for each case and library."""
    from matplotlib.figure import Figure

    cases = {measure: found for measure, found in _cases(stored).items() if measure in ("forward", "training")}
    if not cases:
        return
    longest = max(len(found) for found in cases.values())
    drawing = Figure(figsize=(5.5 * len(cases), 1.5 + 0.45 * longest), layout="constrained")
    for axes, (measure, found) in zip(drawing.subplots(1, len(cases), squeeze=False)[0], cases.items(), strict=True):
        for i, name in enumerate(PEERS[1:]):
            points = [(place, ratios(rows)[name]) for place, rows in enumerate(found.values()) if name in ratios(rows)]
            if not points:
                continue
            values = [ratio.value for _, ratio in points]
            errors = [[r.value - r.low for _, r in points], [r.high - r.value for _, r in points]]
            heights = [-place - 0.09 * (i - len(PEERS) / 2) for place, _ in points]
            axes.errorbar(values, heights, xerr=errors, fmt="o", markersize=4, label=name, color=f"C{i}")
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_yticks([-place for place in range(len(found))], [_title(rows) for rows in found.values()], fontsize=8)
        axes.set_xlabel("time over that of rnn_jax, 95 % interval")
        axes.set_title(f"{TITLES[measure]}\n{stored['environment']['device']}", fontsize=10)
    drawing.legend(*drawing.axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    drawing.savefig(path, dpi=120, metadata={"Software": None})


def _cases(stored: dict[str, Any]) -> dict[str, dict[str, list[Row]]]:
    """Rows by measure and case."""
    cases: dict[str, dict[str, list[Row]]] = {}
    for row in stored["rows"]:
        cases.setdefault(row["measure"], {}).setdefault(row["case"], []).append(row)
    return cases


def _ours(rows: list[Row]) -> Row:
    return next(row for row in rows if row["program"] == "rnn_jax")


def _title(rows: list[Row]) -> str:
    return f"{rows[0]['cell']} {rows[0]['shape']}"


def _fastest_on_jax(found: dict[str, Ratio]) -> tuple[str, Ratio] | None:
    on_jax = [(name, ratio) for name, ratio in found.items() if name not in NOT_OTHERS_ON_JAX]
    return min(on_jax, key=lambda pair: pair[1].value, default=None)


def _mean(values: list[float]) -> str:
    return f"{geometric_mean(values):.2f}" if values else ""


def _line(rows: list[Row], names: list[str]) -> str:
    ours, found = _ours(rows), ratios(rows)
    fastest = _fastest_on_jax(found)
    if "bytes" in ours:
        own, text = f"{ours['bytes'] / 1e6:.3g} MB", {name: f"{ratio.value:.2f}" for name, ratio in found.items()}
    else:
        own = f"{ours['median'] * 1e3:.3g} ± {ours['spread'] / 2 * 1e3:.2g} ms"
        text = {name: str(ratio) for name, ratio in found.items()}
    cells = [text.get(name, "") for name in names] + ["" if fastest is None else f"{fastest[0]} {text[fastest[0]]}"]
    return f"| {_title(rows)} | {own} | {' | '.join(cells)} |"

"""The comparison of libraries as text and as a figure, drawn from a result file."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import METHODS, PEERS
from benchmarks.results import Row
from benchmarks.timing import Ratio, geometric_mean, ratio
from rnn_jax.analysis.figures import INK, SIGNED, draws, new_figure, save_figure

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


@draws
def figure(stored: dict[str, Any], path: Path) -> None:
    """Times of forward and training over those of rnn_jax: a row for each case, a column for each program."""
    cases = {measure: found for measure, found in _cases(stored).items() if measure in ("forward", "training")}
    if not cases:
        return
    named = {_title(rows): None for found in cases.values() for rows in found.values()}
    programs = [name for name in PEERS[1:] if any(row["program"] == name for row in stored["rows"])]
    title = f"Time over that of rnn_jax, on {stored['environment']['device']}: above 1, rnn_jax is faster"
    drawing = new_figure(1.9 + 0.19 * len(named), width=4.2 + 0.31 * len(programs) * len(cases), title=title)
    panels = drawing.subplots(1, len(cases), squeeze=False, sharey=True)[0]
    for axes, (measure, found) in zip(panels, cases.items(), strict=True):
        values = np.full((len(named), len(programs)), np.nan)
        for rows in found.values():
            place = list(named).index(_title(rows))
            for name, one in ratios(rows).items():
                values[place, programs.index(name)] = one.value
                unsure = one.low <= 1 <= one.high
                axes.text(
                    programs.index(name), place, f"{one.value:.2f}" if one.value < 9.95 else f"{one.value:.0f}",
                    ha="center", va="center", fontsize=6.5, style="italic" if unsure else "normal",
                    color="white" if abs(np.log2(one.value)) > 2.6 else INK,
                )  # fmt: skip
        image = axes.imshow(np.log2(values), cmap=SIGNED, vmin=-4, vmax=4, aspect="auto")
        axes.set_xticks(range(len(programs)), programs, rotation=60, ha="right", rotation_mode="anchor")
        axes.set_title(TITLES[measure])
        axes.set_yticks(range(len(named)), list(named), fontsize=7.5)
    bar = drawing.colorbar(image, ax=list(panels), ticks=[-4, -2, 0, 2, 4], fraction=0.05)
    bar.ax.set_yticklabels(["1/16", "1/4", "1", "4", "16"])
    drawing.supxlabel("italic: the 95 % interval holds 1; empty: not measured", fontsize=8)
    save_figure(drawing, path)


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

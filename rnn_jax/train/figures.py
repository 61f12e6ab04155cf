"""Figures of a run. matplotlib comes with the extra `experiments` and is imported when a figure is drawn."""

from pathlib import Path
from typing import Any


def draw_curves(records: list[dict[str, Any]], file: Path, *, title: str, unit: str, lines: dict[str, float]) -> None:
    """Training and validation loss against the update, with published or baseline figures as horizontal lines.

    Args:
        records: the run's metrics: dicts with `step` and `loss` or `validation_loss`.
        file: a .png to write.
        title: above the figure.
        unit: of the loss.
        lines: names and values of the horizontal lines.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for metric, marker in (("loss", ""), ("validation_loss", "o")):
        points = [(r["step"], r[metric]) for r in records if r.get(metric) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), label=metric.replace("_", " "), marker=marker, linewidth=1)
    for i, (name, value) in enumerate(lines.items()):
        axes.axhline(value, linestyle="--", linewidth=1, color=f"C{i + 2}", label=f"{name} {value:.3f}")
    axes.set(title=title, xlabel="update", ylabel=unit)
    axes.legend(fontsize="small")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)

"""How far beyond the lengths it was trained at a model goes on being right."""

from collections.abc import Mapping
from pathlib import Path

from rnn_jax.analysis.figures import draws, save_figure


@draws
def draw_lengths(
    curves: Mapping[str, Mapping[int, float]], file: Path, *, title: str, trained: int, majority: Mapping[str, float]
) -> None:
    """Draw accuracy against length.

    Args:
        curves: name -> length -> accuracy in %.
        file: a .png to write.
        title: above the figure.
        trained: the greatest length in training; a line is drawn there.
        majority: name -> accuracy in % of the commonest answer, dotted in the colour of the curve.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for i, (name, curve) in enumerate(curves.items()):
        lengths, values = zip(*sorted(curve.items()), strict=True)
        axes.plot(lengths, values, "o-" if len(lengths) < 20 else "-", color=f"C{i}", linewidth=1, label=name)
        axes.axhline(majority[name], color=f"C{i}", linestyle=":", linewidth=1)
    axes.axvline(trained, color="grey", linestyle="--", linewidth=1, label="longest in training")
    axes.set(title=title, xlabel="length", ylabel="accuracy, %", ylim=(-2, 102))
    axes.legend(fontsize="small", loc="lower right")
    save_figure(figure, file)

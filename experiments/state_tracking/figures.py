"""How far beyond the lengths it was trained at a model goes on being right."""

from collections.abc import Mapping
from pathlib import Path

from rnn_jax.analysis.figures import GREY, draws, label_lines, new_figure, save_figure


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
    figure = new_figure(3.6, title=title)
    axes = figure.subplots()
    for i, (name, curve) in enumerate(curves.items()):
        lengths, values = zip(*sorted(curve.items()), strict=True)
        look = {"marker": "o" if len(lengths) < 20 else "", "linewidth": 1.0}
        axes.plot(lengths, values, color=f"C{i}", label=name.replace("_", " "), **look)
        axes.axhline(majority[name], color=f"C{i}", linestyle=":", linewidth=1)
    axes.axvspan(0, trained, color=GREY, alpha=0.15, linewidth=0, label="lengths in training")
    axes.plot([], [], ":", color=GREY, label="always the commonest answer")
    axes.set(xlabel="length", ylabel="accuracy, %", ylim=(-2, 102), xlim=(0, None))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[-2:], labels[-2:], loc="outside lower center", ncols=2)
    label_lines(axes)
    save_figure(figure, file)

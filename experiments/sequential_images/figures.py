"""Pictures with what they were taken for."""

from pathlib import Path

import numpy as np


def draw_pictures(
    pixels: np.ndarray, labels: np.ndarray, found: np.ndarray, file: Path, title: str, count: int = 16
) -> None:
    """Draw pictures that were taken for another class, the surest first, and below them some that were not.

    Args:
        pixels: uint8 `[N, height, width]`.
        labels: int `[N]`.
        found: p(class) `[N, C]`.
        file: a .png to write.
        title: above the figure.
        count: of pictures, half of them wrong where there are so many.
    """
    from matplotlib.figure import Figure

    taken, sure = found.argmax(axis=1), found.max(axis=1)
    order = np.lexsort((-sure, taken == labels))
    wrong = int((taken != labels).sum())
    shown = [*order[: min(wrong, count // 2)], *order[wrong:][:: max(1, (len(labels) - wrong) // count)]][:count]
    columns = count // 2
    figure = Figure(figsize=(1.3 * columns, 4.2), layout="constrained")
    figure.suptitle(f"{title}: label, what it was taken for, p", fontsize="medium")
    for panel in (panels := figure.subplots(2, columns).ravel()):
        panel.axis("off")
    for panel, i in zip(panels, shown, strict=False):
        panel.imshow(pixels[i], cmap="gray_r")
        colour = "black" if taken[i] == labels[i] else "firebrick"
        panel.set_title(f"{labels[i]}, {taken[i]}, {sure[i]:.2f}", fontsize="small", color=colour)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)

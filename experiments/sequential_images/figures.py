"""Pictures with their labels and predictions."""

from pathlib import Path

import numpy as np

from rnn_jax.analysis.figures import INK, ORANGE, draws, new_figure, save_figure


@draws
def draw_pictures(
    pixels: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, file: Path, title: str, count: int = 16
) -> None:
    """Draw pictures with a wrong prediction, the most confident first, and below them some with a right one.

    Args:
        pixels: uint8 `[N, height, width]`.
        labels: int `[N]`.
        probabilities: p(class) `[N, C]`.
        file: a .png to write.
        title: above the figure.
        count: of pictures, half of them wrong where there are so many.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    order = np.lexsort((-confidence, predicted == labels))
    wrong = int((predicted != labels).sum())
    shown = [*order[: min(wrong, count // 2)], *order[wrong:][:: max(1, (len(labels) - wrong) // count)]][:count]
    columns = count // 2
    figure = new_figure(3.2, title=f"{title}: taken for (its probability), and the label where that is another")
    for panel in (panels := figure.subplots(2, columns).ravel()):
        panel.axis("off")
    for panel, i in zip(panels, shown, strict=False):
        panel.imshow(pixels[i], cmap="gray_r")
        right = predicted[i] == labels[i]
        text = f"{predicted[i]} ({confidence[i]:.2f})" + ("" if right else f"\nis {labels[i]}")
        panel.set_title(text, fontsize=8, color=INK if right else ORANGE)
    save_figure(figure, file)

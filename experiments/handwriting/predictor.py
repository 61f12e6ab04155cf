"""What a trained recogniser reads in new drawings."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.common.prediction import STANDARD_INPUT, Item, padded
from experiments.common.reading import say
from experiments.common.recognising import RecogniserPredictor
from experiments.common.recordings import Recording
from experiments.common.text import open_unpacked
from experiments.handwriting.data import as_recording
from experiments.handwriting.formats import drawings_in, drawings_of_lines
from experiments.handwriting.strokes import FEATURES, as_features
from rnn_jax.data import DataError, read_lines
from rnn_jax.train import Trained


class HandwritingPredictor(RecogniserPredictor):
    """The sign, or the signs, of drawings."""

    reads_folders = True

    term = "label"

    def __init__(self, trained: Trained, beam: int | None = None, downwards: bool = False, upwards: bool = False):
        """See above.

        Args:
            trained: the model.
            beam: of the search in a model of several signs, 8 if not given; 0 is greedy.
            downwards: y grows downwards in the files. Without this flag and the next one it grows as in the file of
                training; of InkML and QuickDraw it is known.
            upwards: y grows upwards in the files.
        """
        super().__init__(trained, beam)
        if downwards and upwards:
            raise ValueError("downwards=True, upwards=True: y grows one way in a file; leave one of them out")
        self.asked = downwards if downwards or upwards else None
        self.usual = trained.config.downwards

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """The drawings of a file or a folder, see `drawings_in`; in standard input one a line, as JSON."""
        if file == STANDARD_INPUT:
            drawings = drawings_of_lines(read_lines(open_unpacked(sys.stdin.buffer)), "standard input")
        else:
            drawings = drawings_in(file)
        told = self.asked is None or self.asked == self.usual
        for name, drawing in drawings:
            if isinstance(drawing, DataError):
                yield Item(name or file, drawing)
                continue
            if not told and not drawing.down:
                told = True
                way = "down" if self.asked else "up"
                say(f"note: y grows {way}wards in {file}, and the other way in the file of training")
            try:
                words = self.known(drawing.words) if labelled else ()
                flip = (drawing.down or self.usual) if self.asked is None else self.asked
                (prepared,) = self.trained.config.prepared([as_recording(name, drawing, downwards=flip)])
                yield Item(name, prepared, words)
            except DataError as error:
                yield Item(name, error)

    def encode(self, values: Sequence[Recording]) -> dict[str, np.ndarray]:
        """Prepared drawings to features."""
        features, lengths = padded([d.signal for d in as_features(values, self.trained.config.several)])
        return {"features": features, "lengths": lengths}

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How strokes become features."""
        config = self.trained.config
        several = (
            "strokes are gathered into signs from left to right, by their least x: one belongs to the sign before it "
            "if the widths that they cover overlap by a third of the narrower one at least, and not by less than 0; "
            "those of a sign are joined in the order in which they were written"
        )
        sizes = (
            "all is moved and divided by one number, so that y of the whole drawing goes from 0 to 1; x is counted "
            "from the left edge of each sign"
            if config.several
            else "x and y are each stretched to go from 0 to 1"
        )
        return {
            "drawing": {
                "orientation": "x to the right, y upwards",
                "signs": several if config.several else "all strokes are joined to one",
                "points": config.points,
                "resampling": "each sign to so many points at equal distances along it, the first and the last among "
                              "them, by linear interpolation; one of just so many points stays as it is",
                "scale": sizes,
                "features": list(FEATURES),
                "rules": "a step is the difference from the point before, 0 for the first of a drawing, also from one "
                         "sign to the next, before x is counted from each sign's edge; cosine and sine are its "
                         "direction, 0 where it is 0; the last feature is 1 at the first point of each sign, else 0; "
                         "a size of less than 1e-3 of the larger one counts as so much",
            },
            **super().preprocessing,
        }  # fmt: skip

"""What trained classifiers say of new inputs, whatever these are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.common.measures import classification_measures
from experiments.common.prediction import Predictor, Record, class_record


class ClassPredictor(Predictor):
    """Class and probabilities of each input; `program` gives probabilities `[B, C]`.

    Attributes:
        classes: their names.
    """

    classes: Sequence[str]

    def decode(self, values: Sequence[Any], outputs: np.ndarray) -> list[Record]:
        """Probabilities to classes."""
        return [class_record(self.classes, row) for row in outputs[: len(values)]]

    def measures(self, labels: Sequence[str], records: Sequence[Record]) -> dict[str, Any]:
        """Accuracy, F1 and a table of confusions."""
        return classification_measures(self.classes, labels, records)

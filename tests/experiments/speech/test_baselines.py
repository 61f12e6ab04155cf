"""The nearest recording, on features and on sound."""

import numpy as np

from experiments.common.recordings import Recording
from experiments.speech.baselines import nearest_recording
from rnn_jax.data.features import LogMel


def test_the_nearest_recording_by_mean_and_deviation():
    rng = np.random.default_rng(0)

    def series(word: str, length: int) -> Recording:
        values = rng.normal(scale=1 if word == "still" else 5, size=(length, 2))
        return Recording((values.astype(np.float32),), (word,))

    training, test = ([series(word, length) for word in ("still", "wild") * 10] for length in (60, 90))
    assert nearest_recording(training, test, None) == {"nearest recording": 100.0}
    wrong = [Recording(recording.segments, ("wild",)) for recording in test]
    assert nearest_recording(training, wrong, None) == {"nearest recording": 50.0}


def test_the_nearest_recording_of_sound():
    def tone(frequency: float, samples: int) -> Recording:
        wave = np.sin(2 * np.pi * frequency * np.arange(samples) / 8000).astype(np.float32)
        return Recording((wave,), ("low" if frequency < 1000 else "high",))

    training = [tone(300, 2000), tone(2000, 2400)]
    assert nearest_recording(training, [tone(2100, 2200), tone(280, 1900)], LogMel()) == {"nearest recording": 100.0}

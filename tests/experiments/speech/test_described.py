"""What preprocessing.json says of sound is enough to make its features."""

from types import SimpleNamespace

import numpy as np

from experiments.speech.predictor import SpeechPredictor
from rnn_jax.data.features import LogMel


def described(front: LogMel) -> dict:
    """What the predictor of a run with this front says of it."""
    predictor = SpeechPredictor.__new__(SpeechPredictor)
    vars(predictor).update(front=front, channel=None, one_word=True, words=["a", "b"], trained=SimpleNamespace())
    return predictor.preprocessing["sound"]


def features_of(samples: np.ndarray, sound: dict) -> np.ndarray:
    """By the words of the description, in plain NumPy."""
    window, hop, rate, bands = (sound[name] for name in ("window", "hop", "rate", "bands"))
    w = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    points = 2 ** int(np.ceil(np.log2(window)))
    frames = [samples[t : t + window] * w for t in range(0, len(samples) - window + 1, hop)]
    power = np.abs(np.fft.rfft(frames, points)) ** 2 / (w**2).sum()
    mel = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (sound["lowest"], rate / 2)), bands + 2)
    c, f = 700 * (10 ** (mel / 2595) - 1), np.arange(points // 2 + 1) * rate / points
    weights = [
        np.maximum(0, np.minimum((f - c[k]) / (c[k + 1] - c[k]), (c[k + 2] - f) / (c[k + 2] - c[k + 1])))
        for k in range(bands)
    ]
    logs = np.log(sound["floor"] + power @ np.array(weights).T)
    steps = len(logs) // sound["stack"]
    return logs[: steps * sound["stack"]].reshape(steps, -1)


def test_a_stranger_reproduces_features_of_sound():
    front = LogMel(bands=20, window=180, hop=70, stack=2, lowest=80.0)
    sound = described(front)
    for word in ("filters", "logarithm", "frames", "steps"):
        assert isinstance(sound[word], str)
    waves = np.random.default_rng(0).uniform(-1, 1, 2000).astype(np.float32)
    np.testing.assert_allclose(features_of(waves, sound), np.asarray(front(waves)), rtol=1e-3, atol=1e-3)

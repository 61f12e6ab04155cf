"""Log-mel features: against the formulas in float64, and the same frame by frame."""

import jax
import numpy as np
import pytest
import scipy.fft
import scipy.signal

from rnn_jax.data.features import LogMel


def reference(wave, mel: LogMel) -> np.ndarray:
    """The definition, one frame and one band at a time, in float64."""
    points = 2 ** int(np.ceil(np.log2(mel.window)))
    hann = scipy.signal.get_window("hann", mel.window)
    corners = np.linspace(2595 * np.log10(1 + mel.lowest / 700), 2595 * np.log10(1 + mel.rate / 1400), mel.bands + 2)
    corners = 700 * (10 ** (corners / 2595) - 1)
    frames = []
    for start in range(0, len(wave) - mel.window + 1, mel.hop):
        power = np.abs(scipy.fft.rfft(wave[start : start + mel.window] * hann, points)) ** 2 / np.sum(hann**2)
        frequencies = scipy.fft.rfftfreq(points, 1 / mel.rate)
        bands = [np.interp(frequencies, corners[b : b + 3], [0, 1, 0], 0, 0) @ power for b in range(mel.bands)]
        frames.append(np.log(np.array(bands) + mel.floor))
    steps = len(frames) // mel.stack
    return np.array(frames[: steps * mel.stack]).reshape(steps, -1)


@pytest.mark.parametrize("mel", [LogMel(), LogMel(16000, 26, 400, 160, 1, 0.0), LogMel(window=256, hop=100, stack=2)])
def test_features_are_those_of_the_formulas(mel):
    waves = np.random.default_rng(0).normal(size=(4001, 2)).astype(np.float32) * 0.1
    features = jax.jit(mel)(waves)
    assert features.shape == (mel.steps(4001), 2, mel.size) and features.dtype == np.float32
    for row in range(2):
        np.testing.assert_allclose(features[:, row], reference(waves[:, row].astype(np.float64), mel), atol=2e-4)
    np.testing.assert_allclose(jax.jit(mel)(waves[:, 0]), features[:, 0], atol=1e-5)


def test_a_tone_is_in_its_band():
    mel = LogMel(stack=1)
    tone = np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000).astype(np.float32)
    assert np.unique(np.argmax(mel(tone), axis=-1)) == np.argmax(mel.filters[32])  # 1000 Hz is frequency 32 of 128


def test_steps_stand_alone():
    mel = LogMel()
    run = jax.jit(mel)
    wave = np.random.default_rng(1).normal(size=2500).astype(np.float32)
    whole = run(wave)
    for t in range(len(whole)):
        start = t * mel.step_hop
        np.testing.assert_allclose(run(wave[start : start + mel.step_samples])[0], whole[t], rtol=1e-5, atol=1e-5)
    assert mel.steps(len(wave)) == len(whole) == (len(wave) - mel.step_samples) // mel.step_hop + 1
    assert [mel.steps(n) for n in (0, 359, 360, 599, 600)] == [0, 0, 1, 1, 2]


def test_silence_has_finite_features_and_gradients():
    mel = LogMel()
    gradient = jax.jit(jax.grad(lambda wave: (mel(wave).sum(), mel(wave)), has_aux=True))
    slopes, features = gradient(np.zeros(1000, np.float32))
    np.testing.assert_allclose(features, np.log(1e-7), rtol=1e-6)
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"bands": 0}, "bands=0"), ({"lowest": 5000.0}, "lowest=5000"), ({"floor": 0.0}, "floor=0"),
     ({"bands": 100}, "bands=100: some have no frequency")],
)  # fmt: skip
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        LogMel(**wrong)


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="waves has 300 samples: expected at least 360"):
        LogMel()(np.zeros(300, np.float32))

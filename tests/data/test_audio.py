"""Wav files as people have them: every format, rate and number of channels, and every way to be broken."""

import io
import struct

import numpy as np
import pytest
from scipy.io import wavfile

from rnn_jax.data import DataError
from rnn_jax.data.audio import read_wav

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)


def wav(samples, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue()


@pytest.mark.parametrize(
    ("samples", "tolerance"),
    [
        ((TONE * 32768).astype(np.int16), 1e-4),
        ((TONE * 2**31).astype(np.int32), 1e-6),
        ((TONE * 128 + 128).round().astype(np.uint8), 0.01),
        (TONE.astype(np.float32), 1e-7),
        (TONE, 1e-7),
    ],
    ids=lambda x: getattr(getattr(x, "dtype", None), "name", ""),
)
def test_every_sample_format_has_the_same_scale(samples, tolerance):
    wave = read_wav(wav(samples), 8000)
    assert wave.dtype == np.float32
    np.testing.assert_allclose(wave, TONE, atol=tolerance)


def test_24_bits_as_recorders_write_them(tmp_path):
    numbers = (TONE * 2**23).astype(np.int32)
    data = b"".join(int(n).to_bytes(3, "little", signed=True) for n in numbers)
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, 8000, 24000, 3, 24,
                         b"data", len(data))  # fmt: skip
    (tmp_path / "24.wav").write_bytes(header + data)
    np.testing.assert_allclose(read_wav(tmp_path / "24.wav", 8000), TONE, atol=1e-6)


def test_channels_are_averaged():
    both = np.stack([TONE, -TONE / 2], axis=1).astype(np.float32)
    np.testing.assert_allclose(read_wav(wav(both), 8000), TONE / 4, atol=1e-6)


@pytest.mark.parametrize("rate", [16000, 44100, 11025, 4000])
def test_other_rates_are_converted(rate):
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)
    wave = read_wav(wav(tone, rate), 8000)
    assert wave.dtype == np.float32 and abs(len(wave) - 8000) <= 1
    np.testing.assert_allclose(wave[200:-200], TONE[200:7800], atol=0.005)  # the ends ring


def test_silence_is_a_recording():
    assert not read_wav(wav(np.zeros(800, np.int16)), 8000).any()


GOOD = wav((TONE * 32768).astype(np.int16))
MU_LAW = GOOD[:20] + struct.pack("<H", 7) + GOOD[22:]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"no wav file: it begins with b''.*ffmpeg"),
        (b"ID3\x04" + bytes(100), "no wav file"),
        (GOOD[:30], "truncated"),
        (GOOD[:5000], "truncated"),
        (GOOD[:5001], "truncated"),
        (GOOD[:36], "truncated or not understood"),
        (MU_LAW, r"MULAW.*ffmpeg"),
        (GOOD[:22] + struct.pack("<H", 0) + GOOD[24:], "truncated or not understood"),
        (GOOD[:24] + bytes(8) + GOOD[32:], "sample rate of 0"),
        (wav(np.zeros(0, np.int16)), "empty or too short: 0 samples"),
        (wav(np.full(800, np.nan, np.float32)), "no finite numbers"),
    ],
)
def test_broken_files_say_what_is_wrong(content, message):
    with pytest.raises(DataError, match=message):
        read_wav(content, 8000)


def test_a_chunk_of_a_program_of_its_own_is_skipped():
    extra = b"abcd" + struct.pack("<I", 4) + b"note"
    content = b"RIFF" + struct.pack("<I", len(GOOD) - 8 + len(extra)) + GOOD[8:36] + extra + GOOD[36:]
    np.testing.assert_array_equal(read_wav(content, 8000), read_wav(GOOD, 8000))


def test_too_short_and_missing_files_are_named(tmp_path):
    (tmp_path / "short.wav").write_bytes(wav(np.zeros(100, np.int16)))
    with pytest.raises(DataError, match=r"short\.wav.*100 samples at 8000 Hz, at least 360"):
        read_wav(tmp_path / "short.wav", 8000, shortest=360)
    with pytest.raises(DataError, match=r"nowhere\.wav.*cannot be read: No such file"):
        read_wav(tmp_path / "nowhere.wav", 8000)

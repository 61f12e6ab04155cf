"""Sound as people have it: every format, scale, rate and number of channels, and every way to be broken."""

import io
import struct

import numpy as np
import pytest
import soundfile
from scipy.io import wavfile

from experiments.common.sound import read_sound
from rnn_jax.data import DataError

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
    wave = read_sound(wav(samples), 8000)
    assert wave.dtype == np.float32
    np.testing.assert_allclose(wave, TONE, atol=tolerance)


def test_24_bits_as_recorders_write_them(tmp_path):
    numbers = (TONE * 2**23).astype(np.int32)
    data = b"".join(int(n).to_bytes(3, "little", signed=True) for n in numbers)
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, 8000, 24000, 3, 24,
                         b"data", len(data))  # fmt: skip
    (tmp_path / "24.wav").write_bytes(header + data)
    np.testing.assert_allclose(read_sound(tmp_path / "24.wav", 8000), TONE, atol=1e-6)


def test_channels_are_averaged():
    both = np.stack([TONE, -TONE / 2], axis=1).astype(np.float32)
    np.testing.assert_allclose(read_sound(wav(both), 8000), TONE / 4, atol=1e-6)


@pytest.mark.parametrize("rate", [16000, 44100, 11025, 4000])
def test_other_rates_are_converted(rate):
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)
    wave = read_sound(wav(tone, rate), 8000)
    assert wave.dtype == np.float32 and abs(len(wave) - 8000) <= 1
    np.testing.assert_allclose(wave[200:-200], TONE[200:7800], atol=0.005)  # the ends ring


def test_silence_is_a_recording():
    assert not read_sound(wav(np.zeros(800, np.int16)), 8000).any()


GOOD = wav((TONE * 32768).astype(np.int16))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"no sound that can be read: it begins with b''.*ffmpeg"),
        (b"words, many words", "no sound that can be read"),
        (GOOD[:30], "truncated"),
        (GOOD[:5000], "truncated"),
        (GOOD[:5001], "truncated"),
        (GOOD[:36], "truncated: it has no samples"),
        (GOOD[:22] + struct.pack("<H", 0) + GOOD[24:], "no sound that can be read"),
        (GOOD[:24] + bytes(8) + GOOD[32:], "no sound that can be read|sample rate of 0"),
        (wav(np.zeros(0, np.int16)), "empty or too short: 0 samples"),
        (wav(np.full(800, np.nan, np.float32)), "no finite numbers"),
    ],
)
def test_broken_files_say_what_is_wrong(content, message):
    with pytest.raises(DataError, match=message):
        read_sound(content, 8000)


def test_a_chunk_of_a_program_of_its_own_is_skipped():
    extra = b"abcd" + struct.pack("<I", 4) + b"note"
    content = b"RIFF" + struct.pack("<I", len(GOOD) - 8 + len(extra)) + GOOD[8:36] + extra + GOOD[36:]
    np.testing.assert_array_equal(read_sound(content, 8000), read_sound(GOOD, 8000))


def test_too_short_and_missing_files_are_named(tmp_path):
    (tmp_path / "short.wav").write_bytes(wav(np.zeros(100, np.int16)))
    with pytest.raises(DataError, match=r"short\.wav.*100 samples at 8000 Hz, at least 360"):
        read_sound(tmp_path / "short.wav", 8000, shortest=360)
    with pytest.raises(DataError, match=r"nowhere\.wav.*cannot be read: No such file"):
        read_sound(tmp_path / "nowhere.wav", 8000)


@pytest.mark.parametrize(("riff", "data"), [(0xFFFFFFFF, 0xFFFFFFFF), (0, 0), (36, 0), (0x7FFFF024, 0x7FFFF000)])
def test_a_file_out_of_a_pipe_has_all_its_samples(riff, data):
    content = GOOD[:4] + struct.pack("<I", riff) + GOOD[8:40] + struct.pack("<I", data) + GOOD[44:]
    np.testing.assert_array_equal(read_sound(content, 8000), read_sound(GOOD, 8000))
    listed = b"LIST" + struct.pack("<I", 4) + b"INFO"  # as ffmpeg writes it before the samples
    with_list = content[:36] + listed + content[36:]
    np.testing.assert_array_equal(read_sound(with_list, 8000), read_sound(GOOD, 8000))


@pytest.mark.parametrize(
    ("format", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 0.01),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "ULAW", 0.05),
        ("WAV", "IMA_ADPCM", 0.05),
        ("WAVEX", "PCM_16", 1e-4),
        ("WAVEX", "FLOAT", 1e-6),
        ("RF64", "PCM_16", 1e-4),
        ("FLAC", "PCM_16", 1e-4),
        ("AIFF", "PCM_16", 1e-4),
        ("OGG", "VORBIS", 0.05),
    ],
)
def test_every_format(tmp_path, format, subtype, tolerance):
    soundfile.write(tmp_path / "a", TONE, 8000, subtype, format=format)
    wave = read_sound(tmp_path / "a", 8000)
    np.testing.assert_allclose(wave[100:7900], TONE[100:7900], atol=tolerance)


def test_mp3(tmp_path):
    soundfile.write(tmp_path / "a.mp3", TONE, 8000)
    spectrum = np.abs(np.fft.rfft(read_sound(tmp_path / "a.mp3", 8000)[:8000]))
    assert spectrum.argmax() in range(435, 446)


def test_what_an_estimate_says_of_the_length_does_not_matter(tmp_path):
    soundfile.write(tmp_path / "a.mp3", np.tile(TONE, 4), 8000)
    content = (tmp_path / "a.mp3").read_bytes()
    assert len(read_sound(content[: len(content) // 2], 8000)) > 8000


def test_a_cut_flac_is_truncated(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.random.default_rng(0).normal(size=80_000) * 0.1, 8000)
    content = (tmp_path / "a.flac").read_bytes()
    with pytest.raises(DataError, match=r"truncated|no sound that can be read"):
        read_sound(content[: len(content) // 2], 8000)


def heard(content: bytes, **options) -> tuple[np.ndarray, list[str]]:
    said = []
    wave = read_sound(content, 8000, note=lambda words, _: said.append(words), **options)
    return wave, said


@pytest.mark.parametrize(("bits", "dtype"), [(15, np.float32), (15, np.float64), (23, np.float32), (31, np.float64)])
def test_floats_of_the_size_of_integers_are_the_same_sound(bits, dtype):
    whole = np.round(0.9 * TONE * 2**bits)
    usual = read_sound(wav((whole / 2**bits).astype(np.float32)), 8000)
    wave, said = heard(wav(whole.astype(dtype)))
    np.testing.assert_allclose(wave, usual, atol=1e-7)
    assert said == [f"samples are floats of the size of integers: divided by {2**bits:,}"]
    np.testing.assert_allclose(heard(wav((whole + 0.25).astype(dtype)))[0], usual, atol=1e-4)  # resampled, say


def test_floats_a_little_beyond_1_stay():
    wave, said = heard(wav((4 * TONE).astype(np.float32)))
    assert np.abs(wave).max() == np.float32(2) and said == []
    with pytest.raises(DataError, match=r"samples of up to 5e\+11: expected"):
        heard(wav(1e12 * TONE))


def test_channels_that_cancel_each_other_are_refused_and_one_can_be_taken():
    wave = (TONE * 30000).astype(np.int16)
    for both in ([wave, -wave], [wave, -wave + 3], [wave, wave, -2 * wave]):
        content = wav(np.stack(both, axis=1))
        with pytest.raises(DataError, match=r"channels that cancel each other.* say --channel 1"):
            read_sound(content, 8000)
        np.testing.assert_array_equal(read_sound(content, 8000, channel=1), read_sound(wav(wave), 8000))
    np.testing.assert_array_equal(read_sound(wav(np.stack([wave, 0 * wave], 1)), 8000, channel=2), 0 * TONE)
    noises = np.random.default_rng(0).normal(size=(8000, 8)).astype(np.float32) * 0.1
    assert read_sound(wav(noises), 8000).any()
    with pytest.raises(DataError, match="has 8 channels: expected --channel 1 to 8, not 9"):
        read_sound(wav(noises), 8000, channel=9)


def test_silence_is_noted():
    assert heard(wav(np.zeros(800, np.int16)))[1] == ["nothing but silence"]
    assert heard(wav(np.zeros((800, 2), np.float32)))[1] == ["nothing but silence"]

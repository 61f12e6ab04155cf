"""Read sound: wav in all its forms, flac, ogg and mp3, by soundfile, which is imported when a file is read."""

import io
import math
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.common.reading import Note
from rnn_jax.data.download import DataError

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff")
"""Of files of sound."""
ADVICE = "convert it, for example with `ffmpeg -i INPUT -c:a pcm_s16le OUTPUT.wav`"
_ENDLESS = 0x7FFF0000
"""A wav file that says it is this large was written into a pipe: its size was not known as its header was written."""
_MOST = 10_000
"""Samples in a byte at most, which flac has of silence."""


def ignore(words: str, name: str) -> None:
    """A `Note` that says nothing."""


def read_sound(
    source: str | Path | bytes, rate: int, *, shortest: int = 1, channel: int | None = None, note: Note = ignore
) -> np.ndarray:
    """Return a file of sound as one channel at the wanted sample rate.

    Integer samples are scaled to −1 … 1. Floats are taken as they are, unless they are of the size of integers: whole
    numbers beyond 1, or beyond 16, are divided by the full scale of 16, 24 or 32 bits, and it is noted. Several
    channels are averaged. Another rate is converted by `scipy.signal.resample_poly`. Silence is a recording like any
    other, and is noted.

    Args:
        source: path of the file, or its content.
        rate: samples per second of the result.
        shortest: the fewest samples that the result may have.
        channel: which of several is taken, from 1 on, in place of their mean.
        note: told of what is odd.

    Returns:
        float32 `[S]`.

    Raises:
        DataError: the file cannot be read, is no sound, is truncated, has no samples or some that are no numbers or of
            no known scale, lasts too short, lacks the channel, or its channels cancel each other.
    """
    from scipy.signal import resample_poly

    named, name = ("the sound", "") if isinstance(source, bytes) else (f"path={str(source)!r}", str(source))
    try:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise DataError(f"{named} cannot be read: {error.strerror}; a file of sound is expected") from error
    found, samples, floating = _decode(_with_size(content, named), named)
    if not np.isfinite(samples).all():
        raise DataError(f"{named} has samples that are no finite numbers: record or convert it again")
    if floating and (scale := _full_scale(samples, named)) > 1:
        samples = samples / np.float32(scale)
        note(f"samples are floats of the size of integers: divided by {scale:,}", name)
    wave = _one_channel(samples, channel, named)
    if len(wave) and not wave.any():
        note("nothing but silence", name)
    if found != rate and len(wave):
        common = math.gcd(found, rate)
        wave = resample_poly(wave, rate // common, found // common).astype(np.float32)
    if len(wave) < max(shortest, 1):
        raise DataError(
            f"{named} is empty or too short: {len(wave)} samples at {rate} Hz, at least {max(shortest, 1)} are expected"
        )
    return wave


def _decode(content: bytes, named: str) -> tuple[int, np.ndarray, bool]:
    """The sample rate, the samples float32 `[S, channels]`, and whether the file has them as floats."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if (frames := file.frames) > _MOST * len(content):
                raise DataError(f"{named} does not say how long it is, as out of a pipe, or it is damaged; {ADVICE}")
            samples = file.read(dtype="float32", always_2d=True)
            counted = file.format not in ("MP3", "MPEG", "OGG")  # which know it by estimation
            rate, floating = file.samplerate, file.subtype in ("FLOAT", "DOUBLE")
    except DataError:
        raise
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        begins = f"it begins with {content[:12]!r}"
        raise DataError(f"{named} is no sound that can be read: {begins} ({error}); {ADVICE}") from error
    if counted and len(samples) < frames:
        raise DataError(
            f"{named} is truncated: it should have {frames:,} samples, and {len(samples):,} can be read; record or "
            "copy it again"
        )
    if rate < 1:
        raise DataError(f"{named} has a sample rate of {rate}: expected at least 1 Hz; {ADVICE}")
    return rate, samples, floating


class _Chunk(NamedTuple):
    """Of a RIFF file: where its size stands, and what it says."""

    place: int
    size: int


def _with_size(content: bytes, named: str) -> bytes:
    """A wav file whose header says how large it is, though it may have come out of a pipe; other files stay.

    soundfile reads what there is of a file that ends too early; it is refused here.
    """
    if content[:4] not in (b"RIFF", b"RIFX") or content[8:12] != b"WAVE":
        return content
    order = "<" if content[:4] == b"RIFF" else ">"
    data = _data_chunk(content, order)
    if data is None:
        raise DataError(f"{named} is truncated: it has no samples after its header; record or copy it again")
    there, riff = len(content) - data.place - 4, struct.unpack_from(f"{order}I", content, 4)[0]
    endless = data.size >= _ENDLESS or (data.size == 0 and riff != len(content) - 8)
    if data.size <= there and not endless:
        return content
    if not endless:
        raise DataError(
            f"{named} is truncated: its header speaks of {data.size:,} bytes of samples, and there are {there:,}; "
            "record or copy it again"
        )
    whole, samples = (struct.pack(f"{order}I", size) for size in (len(content) - 8, there))
    return content[:4] + whole + content[8 : data.place] + samples + content[data.place + 4 :]


def _data_chunk(content: bytes, order: str) -> _Chunk | None:
    place = 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from(f"{order}4sI", content, place)
        if name == b"data":
            return _Chunk(place + 4, size)
        place += 8 + size + size % 2
    return None


def _full_scale(samples: np.ndarray, named: str) -> int:
    """What floating samples are to be divided by; 1 where they are of the usual size."""
    peak = float(np.abs(samples).max(initial=0))
    # 16, or 24 dB above full scale, is beyond what any recorder leaves above it.
    if peak <= 1 or (peak <= 16 and (samples != np.round(samples)).any()):
        return 1
    scale = next((2**bits for bits in (15, 23, 31) if peak <= 1.5 * 2**bits), 0)
    if not scale:
        raise DataError(f"{named} has samples of up to {peak:.3g}: expected −1 … 1; {ADVICE}")
    return scale


def _one_channel(samples: np.ndarray, channel: int | None, named: str) -> np.ndarray:
    """One of the channels `[S, C]`, or their mean: `[S]`."""
    count = samples.shape[1]
    if channel is not None:
        if not 1 <= channel <= count:
            raise DataError(f"{named} has {count} channels: expected --channel 1 to {count}, not {channel}")
        return samples[:, channel - 1]
    if count == 1:
        return samples[:, 0]
    wave = samples.mean(axis=1)
    powers, left = (samples.astype(np.float64) ** 2).mean(axis=0), float((wave.astype(np.float64) ** 2).mean())
    # Of channels that have nothing in common 1 / C is left, of opposite ones next to nothing.
    if powers.size and powers.max() > 0 and left < 1e-3 * powers.mean():
        raise DataError(
            f"{named} has {count} channels that cancel each other, as of opposite sign: their mean is silence; "
            "say --channel 1 to take the first"
        )
    return wave

"""Read wav files. scipy comes with the extra `experiments` and is imported when a file is read."""

import io
import math
import struct
import warnings
from pathlib import Path

import numpy as np

from rnn_jax.data.download import DataError

_BROKEN = (ValueError, struct.error, UnboundLocalError, ZeroDivisionError, OverflowError)


def read_wav(source: str | Path | bytes, rate: int, *, shortest: int = 1) -> np.ndarray:
    """Return a wav file as one channel at the wanted sample rate.

    Several channels are averaged. Integer samples are scaled to −1 … 1, floats are taken as they are; another rate is
    converted by `scipy.signal.resample_poly`. Silence is a recording like any other.

    Args:
        source: path of the file, or its content.
        rate: samples per second of the result.
        shortest: the fewest samples that the result may have.

    Returns:
        float32 `[S]`.

    Raises:
        DataError: the file cannot be read, is no wav file, is truncated, has no samples, a sample format other than
            PCM or float, samples that are no numbers, or lasts too short.
    """
    from scipy.signal import resample_poly

    named = "the wav file" if isinstance(source, bytes) else f"path={str(source)!r}"
    try:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise DataError(f"{named} cannot be read: {error.strerror}; a wav file is expected") from error
    found, samples = _decode(content, named)
    if samples.dtype.kind == "f":
        wave = samples.astype(np.float32)
    else:  # 8 bits and fewer are unsigned
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        wave = ((samples.astype(np.float64) - (half if samples.dtype.kind == "u" else 0)) / half).astype(np.float32)
    if wave.ndim == 2:
        wave = wave.mean(axis=1)
    if not np.isfinite(wave).all():
        raise DataError(f"{named} has samples that are no finite numbers: record or convert it again")
    if found != rate and len(wave):
        common = math.gcd(found, rate)
        wave = resample_poly(wave, rate // common, found // common).astype(np.float32)
    if len(wave) < max(shortest, 1):
        raise DataError(
            f"{named} is empty or too short: {len(wave)} samples at {rate} Hz, at least {max(shortest, 1)} are expected"
        )
    return wave


def _decode(content: bytes, named: str) -> tuple[int, np.ndarray]:
    """The sample rate of a wav file and its samples `[S]` or `[S, channels]`, in the type that they are stored in."""
    from scipy.io import wavfile

    advice = "Convert it, for example with `ffmpeg -i INPUT -c:a pcm_s16le OUTPUT.wav`"
    if content[:4] not in (b"RIFF", b"RIFX", b"RF64") or content[8:12] != b"WAVE":
        raise DataError(f"{named} is no wav file: it begins with {content[:12]!r}. {advice}")
    with warnings.catch_warnings():
        # scipy only warns where a file ends before its header says so.
        warnings.simplefilter("error", wavfile.WavFileWarning)
        warnings.filterwarnings("ignore", "Chunk .non-data. not understood", wavfile.WavFileWarning)
        try:
            rate, samples = wavfile.read(io.BytesIO(content))
        except wavfile.WavFileWarning as warning:
            raise DataError(f"{named} is truncated: {warning} Record or copy it again") from warning
        except _BROKEN as error:
            raise DataError(f"{named} is truncated or not understood: {error}. {advice}") from error
    if rate < 1:
        raise DataError(f"{named} has a sample rate of {rate}: expected at least 1 Hz. {advice}")
    return rate, samples

"""Texts: the user's own files, their parts and their lines."""

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from rnn_jax.data.download import DataError


def read_text(path: str | Path) -> str:
    """Return the text of a UTF-8 file, exactly as it stands but for a byte order mark at its start.

    Raises:
        DataError: the file is missing, unreadable, empty or not UTF-8; in the last case the message gives the place of
            the first wrong byte and a command that converts the file.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"path={str(path)!r} cannot be read: {error.strerror}; a UTF-8 file is expected") from error
    text = decode(content, f"path={str(path)!r}").removeprefix("\ufeff")
    if not text:
        raise DataError(f"path={str(path)!r} is empty; a text file with at least one character is expected")
    return text


def decode(content: bytes, name: str) -> str:
    """The text of UTF-8 bytes.

    Raises:
        DataError: they are not UTF-8; the message begins with `name`.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        guess = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "ISO-8859-1"
        raise DataError(
            f"{name} is not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}, line {line}. Convert it, "
            f"for example with `iconv -f {guess} -t UTF-8 FILE > converted.txt`"
        ) from error


def split(text: str, fractions: tuple[float, ...] = (0.9, 0.1)) -> tuple[str, ...]:
    """Cut a text into contiguous parts in their order.

    Args:
        text: the text.
        fractions: the share of each part, positive, with sum 1. Boundaries are rounded down, so (0.9, 0.1) is the
            official split of tinyshakespeare into training and validation text.

    Raises:
        ValueError: the fractions are not such shares.
    """
    if not fractions or min(fractions) <= 0 or not math.isclose(sum(fractions), 1):
        raise ValueError(f"fractions={fractions} must be positive shares with sum 1, such as (0.9, 0.1)")
    # Rounding first keeps 0.7 + 0.1 of ten characters at eight: in binary the sum is a little less than 0.8.
    ends = [math.floor(round(len(text) * math.fsum(fractions[:k]), 6)) for k in range(len(fractions) + 1)]
    return tuple(text[start:end] for start, end in pairwise(ends))


def split_lines(text: str) -> list[str]:
    """The lines of a text. Only a line feed ends one: captions hold characters that `str.splitlines` would cut at."""
    return [line.strip() for line in text.removesuffix("\n").split("\n")]


def read_lines(stream: Iterable[bytes], name: str = "standard input") -> Iterator[str]:
    """The lines of a stream of bytes as text, as they come.

    Raises:
        DataError: a line is not UTF-8.
    """
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise DataError(f"{name}, line {number}: byte 0x{line[error.start]:02x} is not UTF-8") from error

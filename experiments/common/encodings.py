"""Files as their owners have them: packed or not, in any encoding; what was told from the bytes is said."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

from charset_normalizer import from_bytes

from rnn_jax.data.download import DataError

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""What a file begins with that says its encoding itself."""
OLD = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "shift_jis", "gb18030", "big5", "euc_kr"]
"""Encodings without such a mark, the most common ones; the first is taken where a text is as good in it."""
SAMPLE = 50_000  # bytes that are looked at


class Decoded(NamedTuple):
    """A text, and how it was read."""

    text: str
    """Without a mark at its beginning."""
    encoding: str
    """In Python's name for it."""
    note: str
    """What had to be guessed, in words; empty where nothing had."""


def read_bytes(path: str | Path) -> bytes:
    """The content of a file; unpacked, where its first bytes say that it is one file packed by gzip or zip.

    Raises:
        DataError: it cannot be read, is damaged or empty, or is an archive of several files.
    """
    name = f"path={str(path)!r}"
    try:
        content = Path(path).read_bytes()
        if content.startswith(GZIP):
            content = gzip.decompress(content)
        elif content.startswith(ZIP):
            with zipfile.ZipFile(io.BytesIO(content)) as members:
                files = [member for member in members.namelist() if not member.endswith("/")]
                if len(files) != 1:
                    raise DataError(f"{name} is an archive of {len(files)} files: unpack it, and name one of them")
                content = members.read(files[0])
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise DataError(f"{name} is damaged: {error}; pack it again, or give the file itself") from error
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}; a text file is expected") from error
    if not content:
        raise DataError(f"{name} is empty; a text file with at least one character is expected")
    return content


def decode_any(content: bytes, name: str) -> Decoded:
    """The text of bytes: UTF-8, UTF-16, or one of the encodings before them, which is then said in a note.

    Args:
        content: of a text file.
        name: of the file, for messages.

    Raises:
        DataError: it is no text in any of them.
    """
    encoding = next((known for mark, known in MARKS.items() if content.startswith(mark)), "") or _without_mark(content)
    try:
        return Decoded(content.decode(encoding or "utf-8"), encoding or "utf-8", "")
    except UnicodeDecodeError as error:
        if encoding:
            raise DataError(f"{name} is damaged: it begins as {encoding}, and byte {error.start} is none") from error
        first = error.start
    if found := _guess(content[max(0, first - 1000) : first + SAMPLE]):
        try:
            line, text = content.count(b"\n", 0, first) + 1, content.decode(found)
            return Decoded(text, found, f"{name} is not UTF-8 (line {line}): it was read as {found}")
        except UnicodeDecodeError:
            pass
    line = content.count(b"\n", 0, first) + 1
    raise DataError(
        f"{name} is not UTF-8: byte 0x{content[first]:02x} at offset {first}, line {line}, and no text in another "
        "encoding that is known. Convert it, for example with `iconv -f ISO-8859-1 -t UTF-8 FILE > converted.txt`"
    )


def open_unpacked(stream: Any) -> Iterable[bytes]:
    """A binary stream of lines of UTF-8, as they come, from one that may be packed by gzip or be in UTF-16."""
    begun = stream if hasattr(stream, "peek") else io.BufferedReader(stream)
    first = begun.peek(2)[:2]
    if first == GZIP:
        return open_unpacked(io.BufferedReader(gzip.GzipFile(fileobj=begun)))
    if MARKS.get(first) == "utf-16":
        return _Recoded(begun)
    return begun


class _Recoded:
    """Lines of UTF-16 as lines of UTF-8."""

    def __init__(self, stream: IO[bytes]):
        self._text = io.TextIOWrapper(stream, "utf-16", newline="\n")

    def __iter__(self):
        return (line.encode() for line in self._text)


def _without_mark(content: bytes) -> str:
    """UTF-16 that says it only by its zeros: every second byte of a text that is mostly ASCII."""
    some = content[:1000]
    if len(some) < 4 or not 0.4 < some.count(0) / len(some) < 0.6:
        return ""
    return "utf-16-le" if some[1::2].count(0) > some[::2].count(0) else "utf-16-be"


def _guess(sample: bytes) -> str:
    """The encoding that a piece of text is most likely in; "" where it is none of them."""
    found = from_bytes(sample, cp_isolation=OLD)
    best = found.best()
    if best is None:
        return ""
    same = {best.encoding, *best.could_be_from_charset}
    same |= {match.encoding for match in found if match.chaos <= best.chaos and match.coherence >= best.coherence}
    return next(encoding for encoding in [*OLD, best.encoding] if encoding in same)

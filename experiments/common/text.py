"""Text files as people have them: in the encoding in which they were saved, packed or not."""

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

from rnn_jax.data import DataError
from rnn_jax.data.text import decode

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
"""Byte order marks, the codec that each stands for, and its name."""

PACKERS: dict[bytes, tuple[str, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"BZh": ("bzip2", bz2.decompress),
    b"\xfd7zXZ\x00": ("xz", lzma.decompress),
}
"""The first bytes of packed files."""

LATIN = ("cp1252", "latin_1", "cp1250", "cp1254", "mac_roman", "cp850")
"""Encodings of one byte a letter in which texts in Latin script are still found."""

OTHER = (
    "cp1251", "koi8_r", "iso8859_5", "cp1253", "cp1255", "cp1256", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr",
)  # fmt: skip
"""Those of other scripts."""


class FileText(NamedTuple):
    """The text of a file, and how it was written there."""

    text: str
    encoding: str
    """Its name, such as UTF-8."""
    packed: str = ""
    """How it was packed: gzip, bzip2, xz or zip; empty where it was not."""
    guessed: bool = False
    """Whether nothing in the file says its encoding."""

    @property
    def form(self) -> str:
        """Encoding and packing in words."""
        return ", ".join(filter(None, (self.encoding, self.packed)))

    @property
    def warning(self) -> str:
        """What the user has to look at; empty where there is nothing."""
        remedy = "if letters come out wrong, convert the file with `iconv -f ENCODING -t UTF-8`"
        warning = f"the file is not UTF-8, and read as {self.encoding}, by what its letters look like; {remedy}"
        return warning if self.guessed else ""

    @property
    def notes(self) -> list[str]:
        """The same as lines to print."""
        return [f"note: {self.warning}"] if self.guessed else []


def read_file_text(path: str | Path) -> FileText:
    """The text of a file: UTF-8, UTF-16 or UTF-32 by its mark, else an older encoding by its letters; packed or not.

    Line ends are as they stand in the file. What a packed file is, its first bytes say, whatever its name.

    Raises:
        DataError: the file cannot be read or unpacked, is empty, is no text, or is UTF-8 with a few wrong bytes.
    """
    name = f"path={str(path)!r}"
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}; a text file is expected") from error
    content, packed = unpack(content, name)
    text, encoding, guessed = decode_text(content, name)
    if not text:
        raise DataError(f"{name} is empty; a text file with at least one character is expected")
    return FileText(text, encoding, packed, guessed)


def unpack(content: bytes, name: str) -> tuple[bytes, str]:
    """What is in packed bytes, and how they were packed: gzip, bzip2, xz or zip; "" where they were not.

    Raises:
        DataError: the bytes are damaged, or hold several files; the message begins with `name`.
    """
    packed, unpacked = "", content
    try:
        for mark, (packer, unpacker) in PACKERS.items():
            if content.startswith(mark):
                packed = packer
                unpacked = unpacker(content)
        if content.startswith(b"PK\x03\x04"):
            packed = "zip"
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                unpacked = archive.read(_only_member(archive.namelist(), name))
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} begins as a {packed} file, but is damaged: {error}; copy it once more") from error
    if unpacked[257:262] == b"ustar":
        raise DataError(f"{name} is an archive (tar) of files: unpack it, and name one of them")
    return unpacked, packed


def _only_member(names: list[str], name: str) -> str:
    files = [one for one in names if not one.endswith("/") and not one.startswith("__MACOSX/")]
    if "[Content_Types].xml" in files:
        raise DataError(f"{name} is a document of an office program: save it as text, a table as CSV (UTF-8)")
    if len(files) != 1:
        raise DataError(f"{name} is a zip archive of {len(files)} files, {', '.join(files[:5])}: unpack it, name one")
    return files[0]


def decode_text(content: bytes, name: str) -> tuple[str, str, bool]:
    """The text of bytes, the name of their encoding, and whether that is a guess.

    Raises:
        DataError: they are no text, or almost UTF-8: then the message names the first wrong byte and its line.
    """
    for mark, codec, encoding in MARKS:
        if content.startswith(mark):
            return _decode(content, codec, encoding, name), encoding, False
    if b"\0" in content:
        ends = {"utf-16-le": content[1:4096:2].count(0), "utf-16-be": content[:4096:2].count(0)}
        codec = max(ends, key=lambda one: ends[one])
        # Letters of Latin have one zero byte of two, always the same one of them.
        if ends[codec] <= 0.7 * len(content[:4096:2]) or min(ends.values()) > 0.1 * ends[codec]:
            raise DataError(
                f"{name} has a zero byte at offset {content.index(0)}: it is no text; UTF-16 needs a byte order mark"
            )
        return _decode(content, codec, "UTF-16 without a mark", name), "UTF-16 without a mark", True
    try:
        return content.decode("utf-8"), "UTF-8", False
    except UnicodeDecodeError:
        right = content.decode("utf-8", errors="ignore")
        wrong = content.decode("utf-8", errors="replace").count("\ufffd") - right.count("\ufffd")
        # In the encodings of one byte a letter, hardly any two bytes in a row are a letter of UTF-8.
        if len(right) - len(right.encode("ascii", "ignore")) > wrong:
            decode(content, name)  # says which byte is wrong
        codec = _guess(content, name)
        return _decode(content, codec, codec, name), codec.replace("latin_1", "ISO-8859-1"), True


def _guess(content: bytes, name: str) -> str:
    """The encoding by the letters; Western European where nothing else is likelier."""
    from charset_normalizer import from_bytes

    lines = re.split(rb"[\r\n]+", content[: 2**24])
    telling = b"\n".join(line for line in lines if not line.isascii())[: 2**17] or content[-(2**17) :]
    runs = re.findall(rb"[\x80-\xff]+", telling)
    # In Latin script most letters beyond ASCII stand alone, in others they stand side by side.
    alone = sum(len(run) == 1 for run in runs) > len(runs) / 2
    found = from_bytes(telling, cp_isolation=list(LATIN if alone else OTHER))
    best = found.best()
    if not alone and best is not None:
        return best.encoding
    western = next((match for match in found if {"cp1252", "latin_1"} & set(match.could_be_from_charset)), None)
    if best is not None and (western is None or best.coherence > western.coherence + 0.1):
        return best.encoding
    for codec in ("cp1252", "latin_1"):
        if _fits(content, codec) and (western is not None or codec == "cp1252"):
            return codec
    raise DataError(f"{name} is no text in an encoding that is known: convert it to UTF-8")


def _fits(content: bytes, codec: str) -> bool:
    try:
        content.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _decode(content: bytes, codec: str, encoding: str, name: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        raise DataError(f"{name} begins as {encoding}, but is damaged at byte {error.start}: {error.reason}") from error


def open_unpacked(stream: Any) -> Iterable[bytes]:
    """A binary stream of lines of UTF-8, as they come, from one that may be packed by gzip or be in UTF-16."""
    begun = stream if hasattr(stream, "peek") else io.BufferedReader(stream)
    first = begun.peek(2)[:2]
    if first == b"\x1f\x8b":
        return open_unpacked(io.BufferedReader(gzip.GzipFile(fileobj=begun)))
    if first in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return _Recoded(begun)
    return begun


class _Recoded:
    """Lines of UTF-16 as lines of UTF-8."""

    def __init__(self, stream: IO[bytes]):
        self._text = io.TextIOWrapper(stream, "utf-16", newline="\n")

    def __iter__(self):
        return (line.encode() for line in self._text)


def normal_form(text: str) -> str:
    """What makes two texts the same: their words in lower case; of a text without words, all of it."""
    return " ".join(re.findall(r"\w+", text.casefold())) or text

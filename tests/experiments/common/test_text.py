"""Text files in every encoding and packing, and what is no text."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from experiments.common.text import normal_form, read_file_text
from rnn_jax.data import DataError

TEXT = "Der Müller grüßt Frau Käthe Schön, die über die Straße läuft: „naïve“?\r\nDas wäre schön – für 5 €.\n"


def zipped(**files: str) -> bytes:
    with zipfile.ZipFile(stream := io.BytesIO(), "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return stream.getvalue()


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "cp1252"])
def test_the_same_text_in_every_encoding(tmp_path, codec):
    (tmp_path / "own.txt").write_bytes(TEXT.encode(codec))
    file = read_file_text(tmp_path / "own.txt")
    assert file.text == TEXT and not file.packed
    guessed = codec in ("cp1252", "utf-16-le", "utf-16-be")
    assert file.guessed == guessed == any(note.startswith("note: the file is not UTF-8") for note in file.notes)


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("ärger", "latin_1"),
        ("pos\tle café est très bon\nneg\tdéjà vu, pas très drôle\n" * 20, "latin_1"),
        ("Съешь же ещё этих мягких французских булок, да выпей чаю. " * 5, "cp1251"),
        ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。" * 5, "shift_jis"),
    ],
)
def test_older_encodings_are_told_by_their_letters(tmp_path, text, codec):
    (tmp_path / "own.txt").write_bytes(text.encode(codec))
    assert read_file_text(tmp_path / "own.txt").text == text


@pytest.mark.parametrize(
    ("content", "packed"),
    [
        (gzip.compress(TEXT.encode()), "gzip"),
        (bz2.compress(TEXT.encode()), "bzip2"),
        (lzma.compress(TEXT.encode()), "xz"),
        (zipped(a_txt=TEXT), "zip"),
        (gzip.compress(TEXT.encode("utf-16")), "gzip"),
    ],
)
def test_packed_files_are_told_by_their_first_bytes(tmp_path, content, packed):
    (tmp_path / "own.txt").write_bytes(content)
    file = read_file_text(tmp_path / "own.txt")
    assert (file.text, file.packed) == (TEXT, packed) and packed in file.form


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (("naïve, schön, wäre, größer\n" * 20).encode() + b"na\xefve", "not UTF-8: byte 0xef at offset 642, line 21"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", "zero byte at offset 7: it is no text"),
        (gzip.compress(TEXT.encode() * 50)[:60], "begins as a gzip file, but is damaged"),
        (zipped(a_txt="a", b_txt="b"), r"zip archive of 2 files, a\.txt, b\.txt: unpack it"),
        ("text".encode("utf-16") + b"\0", "begins as UTF-16, but is damaged"),
    ],
    ids=["nothing", "a mark", "almost UTF-8", "a program", "cut gzip", "two files", "cut UTF-16"],
)
def test_what_is_no_text_is_refused(tmp_path, content, message):
    (tmp_path / "own.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_file_text(tmp_path / "own.txt")


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"absent\.txt' cannot be read: No such file"):
        read_file_text(tmp_path / "absent.txt")


def test_the_same_words_are_the_same_text():
    assert normal_form("It's  FINE!") == "it s fine" == normal_form("it s fine") and normal_form("...") == "..."

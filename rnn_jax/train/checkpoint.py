"""Checkpoints that are whole or not there: written by Orbax, checked by digest, never silently wrong.

Orbax writes a step under a temporary name and renames it when it is complete, so a killed process leaves no half step.
Three things it does not do, and this file does: notice a flipped bit in array data (a SHA-256 of every leaf), refuse a
leaf of another dtype (the trees are compared before loading), and look further when the newest step is damaged.
"""

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import tensorstore
from jaxtyping import PyTree
from orbax.checkpoint import v1

from rnn_jax.train.agreement import anywhere, in_writer, is_writer, together
from rnn_jax.train.leaves import differences, digest, may_be_saved, named_leaves, place, to_host, type_name

ocp: Any = v1  # its annotations are stricter than what it takes
log = logging.getLogger(__name__)

STEP = re.compile(r"0|[1-9][0-9]*")
BARRIER_SECONDS = 300  # how long processes wait for one that is still writing, or has failed to
RECORD_FILE = "_CHECKPOINT_METADATA"  # Orbax's name for the file with `custom_metadata`
LEFTOVER = re.compile(r"[0-9]+\.(orbax-checkpoint-tmp.*|deleting)")
MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
"""What the system says of a checkpoint that lacks a file; of anything else that it says, the files may be whole."""


class CheckpointError(Exception):
    """A checkpoint that cannot be written, or cannot be loaded as it was asked for."""


class NoneIntact(CheckpointError):
    """There is no checkpoint to load, or each is damaged."""


class Loaded(NamedTuple):
    """What a checkpoint gives back: its step, the state, the JSON saved beside it, the damaged steps it stands for."""

    step: int
    state: PyTree
    info: dict
    damaged: tuple[int, ...] = ()


class Checkpoints:
    """The checkpoints of one run, `directory/STEP/`: the newest `keep` steps and the best one.

    A state is any pytree of arrays: typed PRNG keys, NamedTuples, optax states and zero-size arrays included. Saving is
    synchronous: when `save` returns, the step is on disk. With several processes all of them call every method,
    `directory` is one that they share, and process 0 writes. One run at a time saves to a directory; any number may
    load from it, which is why `save`, not the constructor, removes what a killed process left half written.

    Args:
        directory: created at the first save.
        keep: how many of the newest steps stay, beside the newest one saved with `best=True`; at least 1.
        read_only: nothing is saved, and a damaged step stays where it is.

    Raises:
        ValueError: `keep` is less than 1.
    """

    def __init__(self, directory: Path, *, keep: int = 2, read_only: bool = False):
        if keep < 1:
            raise ValueError(f"keep is {keep}; it must be at least 1, or no checkpoint would stay")
        self.directory = Path(directory).absolute()
        self.keep = keep
        self.read_only = read_only

    def steps(self) -> list[int]:
        """The steps on disk, oldest first. Whether they are intact is found out by `load`."""
        if not self.directory.is_dir():
            return []
        return sorted(int(path.name) for path in self.directory.iterdir() if STEP.fullmatch(path.name))

    @property
    def ever_saved(self) -> bool:
        """Whether a step was ever complete here, intact or not, set aside or not."""
        return bool(self.steps()) or any(self.directory.glob("*.corrupt-*"))

    @property
    def latest_step(self) -> int | None:
        """The newest step on disk, or None."""
        return max(self.steps(), default=None)

    @property
    def best_step(self) -> int | None:
        """The newest step saved with `best=True`, or None."""
        return max((step for step, record in self._records().items() if record["best"]), default=None)

    def save(self, step: int, state: PyTree, info: dict, *, best: bool = False) -> None:
        """Write `state` and `info` as `step`, then delete the steps that are no longer kept.

        Args:
            step: how many training steps the state has seen. Each step is saved once.
            state: a pytree of arrays, all of them finite; scalars beside `params` may be infinite, as the best loss so
                far is at first.
            info: what JSON gives back as it was (tuples come back as lists): counters, configuration, vocabulary.
            best: whether this is the best state so far. Only the newest best step is kept.

        Raises:
            ValueError: `step` is not an int from 0, a leaf is not an array, or `info` does not survive JSON.
            CheckpointError: a leaf holds NaN, or an infinity that it may not, the step is there already, or it could
                not be written, as on a full disk. The steps saved before are untouched.
        """
        if self.read_only:
            raise ValueError(f"read_only=True: step {step} is not saved to {self.directory}")
        if not isinstance(step, int) or step < 0:
            raise ValueError(f"step is {step!r}; it must be an int from 0, such as int(state.step)")
        leaves = named_leaves(state)
        arrays = {path: to_host(leaf) for path, leaf in leaves.items() if leaf.size}  # Orbax refuses empty arrays.
        if not_finite := [path for path, array in arrays.items() if not may_be_saved(path, array)]:
            raise CheckpointError(f"step {step} is not saved: {not_finite[0]} holds NaN or infinity{self._untouched()}")
        record = {
            "step": step,
            "best": best,
            "info": _checked_info(info),
            "leaves": {path: type_name(leaf) for path, leaf in leaves.items()},
            "digests": {path: digest(array) for path, array in arrays.items()},
        }
        try:
            in_writer(lambda: self._prepare(step))
            together(lambda: self._write(step, arrays, json.dumps(record)))
        except Exception as error:
            message = f"step {step} could not be written to {self.directory}: {_reason(error)}{self._untouched()}"
            raise CheckpointError(message) from error
        in_writer(self._delete_old)

    def load(self, like: PyTree, step: int | None = None, *, best: bool = False, part: bool = False) -> Loaded:
        """Load the newest intact step, or the one that is asked for.

        A step is damaged if a file is missing or what is in it fails its format or a digest. It is renamed to
        `STEP.corrupt-<UTC time>`, unless this is read only, with a warning that says why, and the next older one is
        tried. For the best, the newest step that is intact stands in. A step asked for by number has no substitute:
        the error names the newest intact step. What cannot be read for another reason is left as it is.

        Args:
            like: the state wanted, as arrays or `jax.ShapeDtypeStruct`s. Its shardings are used; NumPy stays NumPy.
            step: this step instead of the newest.
            best: the newest step saved with `best=True` instead of the newest.
            part: let `like` be a part of the state, such as `{"params": params}`, and leave the rest aside.

        Raises:
            ValueError: both `step` and `best` are given, or a leaf of `like` is not an array.
            NoneIntact: there is no such intact step.
            CheckpointError: it holds other leaves, shapes or dtypes than `like`, or cannot be read though it may be
                whole: no permission, too many open files.
        """
        if step is not None and best:
            raise ValueError(f"step={step} and best=True ask for two checkpoints; give one of them")
        wanted = named_leaves(like)
        types = {path: type_name(leaf) for path, leaf in wanted.items()}
        damaged = {}
        for candidate, record in self._candidates(step, best, damaged):
            stored = {path: name for path, name in record["leaves"].items() if path in types or not part}
            if lines := differences(stored, types):
                raise CheckpointError("\n  ".join([f"{self.directory}/{candidate} is of another model", *lines]))
            arrays = self._attempt(self._arrays, candidate, damaged)
            if arrays is not None:
                if damaged and self.read_only:
                    log.warning("%s: %s; this is step %s", self.directory, "; ".join(damaged.values()), candidate)
                leaves = [place(arrays.get(path), leaf) for path, leaf in wanted.items()]
                state = jax.tree.unflatten(jax.tree.structure(like), leaves)
                return Loaded(candidate, state, record["info"], tuple(damaged))
        lines = [f"no intact {'checkpoint' if step is None else f'step {step}'} in {self.directory}", *damaged.values()]
        if step is not None:
            others = reversed(self.steps())
            tried = {}
            intact = next((other for other in others if self._attempt(self._arrays, other, tried) is not None), None)
            lines.extend(tried.values())
            lines.append(f"the newest intact step is {intact}; load(like, step=...) takes one by its number")
        raise NoneIntact("\n  ".join(lines))

    def _candidates(self, step: int | None, best: bool, damaged: dict[int, str]) -> Iterator[tuple[int, dict]]:
        """The steps to be tried, each with its record: the newest first, but those saved as the best before others."""
        others = []
        for candidate in reversed(self.steps()):
            if step in (None, candidate) and (record := self._attempt(self._record, candidate, damaged)) is not None:
                if best and not record["best"]:
                    others.append((candidate, record))
                else:
                    yield candidate, record
        yield from others

    def _prepare(self, step: int) -> None:
        if step in self.steps():
            raise FileExistsError("it is there already; save a step once, and rewind a run into a new directory")
        self.directory.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()

    def _write(self, step: int, arrays: dict[str, np.ndarray], record: str) -> None:
        context = ocp.Context()
        context.asynchronous.timeout_secs = BARRIER_SECONDS
        context.array.saving.use_compression = False  # Weights shrink by a tenth, and saving takes half the time.
        try:
            metadata = {"record": record, "sha256": hashlib.sha256(record.encode()).hexdigest()}
            with context:
                ocp.save(self.directory / str(step), arrays, custom_metadata=metadata)
        except BaseException:
            self._remove_leftovers()
            raise

    def _delete_old(self) -> None:
        records = self._records()
        best = [step for step in records if records[step]["best"]]
        for old in records.keys() - {*list(records)[-self.keep :], *best[-1:]}:
            # Renamed first: a step that was half deleted by a killed process would pass for a damaged one.
            (self.directory / str(old)).rename(self.directory / f"{old}.deleting")
        self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        for path in self.directory.iterdir():
            if LEFTOVER.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)

    def _record(self, step: int) -> dict:
        """What `save` noted about a step; any Exception means that it is damaged."""
        # Orbax's own `metadata` opens every array for it, and of a damaged one that nobody asked for it makes a noise.
        stored = json.loads((self.directory / str(step) / RECORD_FILE).read_bytes())["custom_metadata"]
        if stored["sha256"] != hashlib.sha256(stored["record"].encode()).hexdigest():
            raise ValueError("the record does not match its digest")
        record = json.loads(stored["record"])
        if record["step"] != step:
            raise ValueError(f"the record is that of step {record['step']}")
        return record

    def _records(self) -> dict[int, dict]:
        """The readable records, oldest first."""
        records = {}
        for step in self.steps():
            with contextlib.suppress(Exception):
                records[step] = self._record(step)
        return records

    def _arrays(self, step: int) -> dict[str, np.ndarray]:
        """The arrays of a step, on the host; any Exception means that it is damaged."""
        digests = self._record(step)["digests"]
        _read_through(self.directory / str(step) / "state", digests)
        with _alone():
            arrays = ocp.load(self.directory / str(step))
        for path, expected in digests.items():
            if digest(arrays[path]) != expected:
                raise ValueError(f"{path} does not match its digest")
        return arrays

    def _attempt(self, read: Callable[[int], dict], step: int, damaged: dict[int, str]) -> dict | None:
        """`read(step)`, or None if a process found the step damaged, after it was set aside.

        Raises:
            CheckpointError: it could not be read, but may be whole.
        """
        try:
            return together(lambda: read(step))
        except Exception as error:
            passing = _passing_error(error) or _unreadable(self.directory / str(step))
            reason = _reason(passing or error)
            if anywhere(passing is not None):
                advice = "it may be whole and stays as it is: mend that and try again, or move the folder away"
                raise CheckpointError(f"{self.directory}/{step} cannot be read ({reason}); {advice}") from error
        if self.read_only:
            damaged[step] = f"step {step} is damaged ({reason})"
            return None
        name = f"{step}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        try:
            in_writer(lambda: (self.directory / str(step)).rename(self.directory / name))
            outcome = f"set aside as {name}" if is_writer() else "set aside"
        except Exception as error:
            outcome = f"left in place ({_reason(error)})"
        damaged[step] = f"step {step} is damaged ({reason}), {outcome}"
        log.warning("%s: %s", self.directory, damaged[step])
        return None

    def _untouched(self) -> str:
        return "" if self.latest_step is None else f"; step {self.latest_step}, saved before, is untouched"


def _read_through(folder: Path, names: Iterable[str]) -> None:
    """Raise what TensorStore says of the first of these arrays in an Orbax folder that cannot be read.

    Orbax opens all arrays at once and closes its event loop at the first error; the others, arriving at a closed loop,
    each print a traceback that no one can catch. So what would fail fails here, one by one.
    """
    for name in names:
        store = {"driver": "ocdbt", "base": f"file://{folder}/", "path": f"{name}/"}
        tensorstore.open({"driver": "zarr3", "kvstore": store}).result().read().result()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Orbax without its barriers, to read in one process what another may fail to read, and without its log.

    Of a damaged file it logs a traceback, whether it needs the file or not; whoever reads here says what is damaged.
    """
    context = ocp.Context()
    context.multiprocessing.primary_host = jax.process_index()
    context.multiprocessing.active_processes = {jax.process_index()}
    of_orbax = logging.getLogger("absl")
    level = of_orbax.level
    of_orbax.setLevel(logging.CRITICAL)
    try:
        with context:
            yield
    finally:
        of_orbax.setLevel(level)


def _passing_error(error: BaseException | None) -> BaseException | None:
    """An error of reading, or what led to it, that says nothing about the files, as that too many are open."""
    while error is not None:
        # TensorStore has words only: "… Too many open files [os_error_code='24']".
        numbers = [int(found) for found in re.findall(r"os_error_code='(\d+)'", str(error))]
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError) and error.errno is not None:
            numbers.append(error.errno)
        if isinstance(error, MemoryError) or any(number not in MISSING for number in numbers):
            return error
        error = error.__cause__ or error.__context__
    return None


def _unreadable(folder: Path) -> BaseException | None:
    """Why a file cannot be opened that is there: Orbax says of some of them only that they are no checkpoint."""

    def fail(error: OSError) -> None:
        raise error

    try:
        for parent, _, files in os.walk(folder, onerror=fail):
            for file in files:
                with open(os.path.join(parent, file), "rb") as opened:
                    opened.read(1)
    except OSError as error:
        return _passing_error(error)
    return None


def _reason(error: BaseException) -> str:
    """The first line of an error, without TensorStore's specification of the array."""
    return f"{type(error).__name__}: {error}".splitlines()[0].split(" [tensorstore_spec")[0][:400]


def _checked_info(info: dict) -> dict:
    """`info`, if JSON gives it back as it was."""
    try:
        back = json.loads(json.dumps(info, allow_nan=False))
        same = jax.tree.leaves_with_path(back) == jax.tree.leaves_with_path(info)
    except (TypeError, ValueError) as error:
        raise ValueError(f"info cannot be written as JSON: {error}; use str keys and plain finite values") from error
    if not same:
        raise ValueError("info comes back from JSON with other keys or values; use str keys and plain finite values")
    return info

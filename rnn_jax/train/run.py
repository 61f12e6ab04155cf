"""The directory of one run, `RUNS/EXPERIMENT/NAME/`, which says everything about it.

    config.json  manifest.json  metrics.jsonl  checkpoints/  figures/*.png  result.json

Every JSON file is replaced as a whole, so that a killed process leaves the old one or the new one. With several
processes all of them hold the same `Run` and call the same methods; process 0 writes.
"""

import dataclasses
import hashlib
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from rnn_jax.train.agreement import in_writer, is_writer
from rnn_jax.train.checkpoint import CheckpointError, Checkpoints
from rnn_jax.train.fields import flatten
from rnn_jax.train.manifest import environment

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
CHECKPOINT = re.compile(r"[0-9]+(\..+)?")


@dataclasses.dataclass(frozen=True)
class Run:
    """A run directory. `Run.create` begins or resumes one, `Run.open` looks at one that is there.

    Attributes:
        path: of the directory.
        trusted: whether it is to be used though it is no longer what was trained.
    """

    path: Path
    trusted: bool = dataclasses.field(default=False, compare=False)

    @classmethod
    def create(
        cls,
        runs: Path,
        experiment: str,
        name: str,
        config: Any,
        *,
        resume: bool = False,
        overwrite: bool = False,
        may_differ: Collection[str] = (),
        upgrade: Callable[[dict[str, Any]], dict[str, Any]] = lambda values: values,
    ) -> "Run":
        """Begin the run `runs/experiment/name`, or go on with it.

        What a process has left that ended before its first checkpoint is no obstacle: the same config begins again, and
        where nothing was logged yet, any.

        Args:
            runs: the folder of all runs.
            experiment: letters, digits, `.`, `_` and `-`, not beginning with a dot; so is `name`.
            name: of this run.
            config: a dataclass; config.json has its fields and those of its parts, by name.
            resume: go on with the run that is there.
            overwrite: delete what a run has left there, and nothing else.
            may_differ: fields of `config` that a run which is resumed may have stored with other values.
            upgrade: from what an earlier version wrote into config.json to the fields of today, to compare them.

        Raises:
            ValueError: a name is not allowed or leads out of `runs`; the directory is not empty and neither `resume`
                nor `overwrite` was asked for; it is not a run; its config differs from `config`; or JSON cannot hold a
                value of `config`.
        """
        check_storable(config)
        path = cls.place(runs, experiment, name)
        if resume and overwrite:
            raise ValueError("resume=True and overwrite=True contradict each other; give one of them")
        run = cls(path)

        def prepare() -> None:
            if resume:
                same = {field: value for field, value in plain(config).items() if field in may_differ}
                _refuse_differences(path, upgrade(cls.open(path).config) | same, plain(config))
                run._note_configs(run.config, plain(config))
            elif path.exists():
                if not run._is_as_good_as_empty(plain(config)):
                    if not overwrite:
                        remedy = "use --resume to go on with it, --overwrite to replace it"
                        raise ValueError(f"{path} is not empty; {remedy}")
                    cls.open(path)  # what is no run is not replaced
                run._delete_files()
            path.mkdir(parents=True, exist_ok=True)
            if not resume:
                write_atomically(
                    path / "manifest.json", to_json(_empty_manifest(experiment, name) | {"configs": [config]})
                )
            run.figures.mkdir(exist_ok=True)
            run.write_json("config.json", config)

        in_writer(prepare)
        return run

    @staticmethod
    def place(runs: Path, experiment: str, name: str) -> Path:
        """Where the run `runs/experiment/name` is or will be.

        Raises:
            ValueError: a name is not allowed or leads out of `runs`.
        """
        root = Path(runs).resolve()
        path = (root / _checked_name(experiment) / _checked_name(name)).resolve()
        if not path.is_relative_to(root):
            raise ValueError(f"{root / experiment / name} is a link to {path}, which is outside of {root}")
        return path

    @classmethod
    def open(cls, path: Path) -> "Run":
        """The run that is at `path`.

        Raises:
            ValueError: there is no run of this package.
        """
        run = cls(Path(path).resolve())
        try:
            known = run.read_json("manifest.json")["program"] == "rnn_jax"
        except (OSError, ValueError, KeyError, TypeError):
            known = False
        if not known:
            below = sorted(run.path.glob("*/manifest.json"), key=lambda file: file.stat().st_mtime, reverse=True)
            named = [str(Path(path) / file.parent.name) for file in below]
            said = f"; below it are {', '.join(named[:3])}{' and others' * (len(named) > 3)}" if named else ""
            raise ValueError(f"{path} is not a run: it has no manifest.json written by rnn_jax{said}")
        return run

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def figures(self) -> Path:
        """The folder of the figures."""
        return self.path / "figures"

    @property
    def config(self) -> dict[str, Any]:
        """The content of config.json.

        Raises:
            ValueError: it is not there.
        """
        try:
            return self.read_json("config.json")
        except FileNotFoundError:
            raise ValueError(
                f"{self.path} has no config.json: its process ended before it had begun; give the command again that "
                "was to begin it"
            ) from None

    @property
    def identity(self) -> str | None:
        """What tells the checkpoints of this run from those of another; None in a run of an earlier version."""
        return self.read_json("manifest.json").get("id")

    @property
    def module(self) -> str:
        """The module of the experiment that it is of; nothing is imported.

        Runs of earlier versions, all of them of the folder experiments, name only the experiment.
        """
        manifest = self.read_json("manifest.json")
        named = [start["module"] for start in manifest["starts"] if "module" in start]
        return named[-1] if named else f"experiments.{manifest['experiment']}"

    @property
    def exit_reason(self) -> str | None:
        """Why the newest process that trained it has ended, or None if none has, or was killed."""
        starts = self.read_json("manifest.json")["starts"]
        return starts[-1]["exit_reason"] if starts else None

    @property
    def begun_from(self) -> dict[str, Any] | None:
        """Which run's parameters it began with, as `--init-from` has noted it; None if with its own."""
        starts = self.read_json("manifest.json")["starts"]
        return starts[-1].get("init_from") if starts else None

    def read_json(self, file: str) -> Any:
        """The content of one of the run's JSON files."""
        return json.loads((self.path / _checked_name(file)).read_text("utf-8"))

    def write_json(self, file: str, content: Any) -> None:
        """Write `content`, which may hold dataclasses, paths and NumPy scalars; NaN and infinity become null."""
        self.write_text(file, to_json(content))

    def write_text(self, file: str, text: str) -> None:
        """Write a text file into the run directory."""
        if is_writer():
            manifest = self.read_json("manifest.json")
            if _checked_name(file) not in manifest["files"]:
                manifest["files"].append(file)
                write_atomically(self.path / "manifest.json", to_json(manifest))
            write_atomically(self.path / file, text)

    def write_manifest(self, **facts: Any) -> None:
        """Note that this process starts or resumes the run: `environment()`, and facts such as `seed` and `data`."""
        if is_writer():
            manifest = self.read_json("manifest.json")
            begun = {"start": _now(), "end": None, "exit_reason": None, **facts, **environment()}
            manifest |= {"config_hash": config_hash(self.config), "configs": [self.config]}
            manifest["starts"].append(begun)
            write_atomically(self.path / "manifest.json", to_json(manifest))

    def _note_configs(self, *configs: dict[str, Any]) -> None:
        """Note what config.json may hold: the old config or the new one, should the process be killed in between."""
        manifest = self.read_json("manifest.json") | {"configs": configs}
        write_atomically(self.path / "manifest.json", to_json(manifest))

    def check_own(self, step: int, info: Mapping[str, Any]) -> None:
        """Raise a CheckpointError if what was saved beside a step says that it is of another run."""
        own, other = self.identity, info.get("run")
        if other not in (None, own) and own is not None and not self.trusted:
            raise CheckpointError(
                f"step {step} in {self.checkpoints} is of another run: {other}, this is {own}; take it away with: "
                f"mv {self.checkpoints / str(step)} {self.path.with_name(f'step-{step}-of-{other}')}, or say "
                "--trust-changes"
            )

    def close_manifest(self, reason: str) -> None:
        """Note the time and the reason of the end of what `write_manifest` began."""
        self.note(end=_now(), exit_reason=reason)

    def note(self, **facts: Any) -> None:
        """Add facts to what `write_manifest` began."""
        if is_writer():
            manifest = self.read_json("manifest.json")
            manifest["starts"][-1] |= facts
            write_atomically(self.path / "manifest.json", to_json(manifest))

    def log(self, metrics: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl.

        Raises:
            ValueError: `metrics` has no int under "step".
        """
        if not isinstance(metrics.get("step"), int):
            raise ValueError(f"metrics has step={metrics.get('step')!r}; it must be an int, such as int(state.step)")
        if is_writer():
            with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(to_json(metrics, indent=None))

    def records(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, without a last one that a killed process left unfinished.

        Raises:
            ValueError: another line is damaged.
        """
        file = self.path / "metrics.jsonl"
        lines = file.read_text("utf-8", "replace").split("\n")[:-1] if file.exists() else []
        try:
            return [json.loads(line) for line in lines]
        except ValueError as error:
            raise ValueError(f"{file} is damaged: {error}; mend or delete the line") from error

    def truncate_log(self, step: int) -> None:
        """Drop the lines after `step`, which a resumed run computes again, and an unfinished last line."""
        if is_writer():
            kept = [to_json(record, indent=None) for record in self.records() if record["step"] <= step]
            write_atomically(self.path / "metrics.jsonl", "".join(kept))

    def _files(self) -> list[str]:
        """The names of the files that were written with `write_text`."""
        known = (self.path / "manifest.json").exists()
        return Run.open(self.path).read_json("manifest.json")["files"] if known else []

    def _is_as_good_as_empty(self, config: dict[str, Any]) -> bool:
        """Whether here is nothing but what comes before the first checkpoint, and metrics of this very config only."""
        ours = {"manifest.json", *self._files()}
        ours |= {f".{file}.tmp" for file in ours | {"metrics.jsonl"}} | {"figures", "checkpoints", "metrics.jsonl"}
        found = {entry.name for entry in self.path.iterdir()}
        if not found <= ours or "result.json" in found or Checkpoints(self.checkpoints).ever_saved:
            return False
        if self.figures.is_dir() and any(self.figures.iterdir()):
            return False
        return "metrics.jsonl" not in found or ("config.json" in found and self.config == config)

    def _delete_files(self) -> None:
        """Delete what a run writes, but the manifest, by which a run is known as one: it is replaced."""
        folders = [folder for folder in (self.checkpoints, self.figures) if not folder.is_symlink()]
        inside = [entry for folder in folders if folder.is_dir() for entry in folder.iterdir()]
        for entry in inside:
            if entry.parent == self.checkpoints and CHECKPOINT.fullmatch(entry.name) and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.parent == self.figures and entry.suffix == ".png":
                entry.unlink()
        for file in ("metrics.jsonl", *map(_checked_name, self._files())):
            (self.path / file).unlink(missing_ok=True)
            (self.path / f".{file}.tmp").unlink(missing_ok=True)


def _refuse_differences(path: Path, stored: dict[str, Any], config: dict[str, Any]) -> None:
    if fields := [f for f in {**stored, **config} if stored.get(f) != config.get(f)]:
        lines = [f"{f}: stored {stored.get(f)!r}, now {config.get(f)!r}" for f in fields]
        remedy = "resume with the stored values, or begin a run of another name"
        raise ValueError("\n  ".join([f"config differs from {path / 'config.json'}; {remedy}", *lines]))


def is_begun(path: Path) -> bool:
    """Whether there is a run at `path` to go on with, and not only what `Run.create` begins again with."""
    return (path / "config.json").exists()


def check_storable(config: Any) -> None:
    """Raise a ValueError if a config has a number that config.json cannot give back."""
    for name, value in flatten(config).items():
        numbers = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise ValueError(
                f"{name}={value!r} cannot be kept in config.json: use finite numbers, however large (1e30)"
            )


def config_hash(config: Any) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a config (a dataclass or what config.json holds)."""
    text = json.dumps(plain(config), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def to_json(content: Any, indent: int | None = 2) -> str:
    """Strict JSON with a line end; see `plain`."""
    return json.dumps(plain(content), indent=indent, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """A value as JSON knows it: paths are strings, scalar arrays numbers, NaN and infinity None, dataclasses dicts.

    The dict of a dataclass has the fields of its parts beside its own, see `rnn_jax.train.fields`.

    Raises:
        ValueError: a value or a key has no counterpart in JSON.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: plain(item) for name, item in flatten(value).items()}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"the keys {list(value)!r:.80} cannot be written as JSON; use str")
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "dtype") and getattr(value, "shape", None) == ():
        value = np.asarray(value).item()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    raise ValueError(f"{value!r:.80} ({type(value).__name__}) cannot be written as JSON; use plain values")


def write_atomically(path: Path, text: str) -> None:
    """Replace a file as a whole: a reader sees the old content or the new one, also after a crash."""
    unfinished = path.with_name(f".{path.name}.tmp")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _checked_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"name {name!r}: use letters, digits, '.', '_' and '-', and no dot at the beginning")
    return name


def _empty_manifest(experiment: str, name: str) -> dict[str, Any]:
    identity = secrets.token_hex(8)
    return {"program": "rnn_jax", "experiment": experiment, "run": name, "id": identity, "files": [], "starts": []}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

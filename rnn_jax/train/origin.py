"""What a run was made of, config, data, modules of the user, and whether that is what is there now."""

import functools
from collections.abc import Mapping
from pathlib import Path
from types import EllipsisType
from typing import Any

from rnn_jax.data.sources import file_digest
from rnn_jax.train.run import Run, config_hash


def refuse_changes(
    run: Run,
    data: Mapping[str, str],
    modules: Mapping[str, Mapping[str, str]],
    fused: Mapping[str, str] | EllipsisType | None = ...,
) -> list[str]:
    """The lines that say what is no longer as it was when the run was last trained.

    Args:
        run: whose manifest says how it was.
        data: SHA-256 of what is there now of the data, by name; what it does not name is not compared.
        modules: see `user_modules`.
        fused: by what fused loops are built now, see `rnn_jax.unroll.fused_build`; not compared by default.

    Raises:
        ValueError: there is such a line, and the run is not one to be trusted nevertheless.
    """
    lines = _config_changes(run)
    then = run.read_json("manifest.json")["starts"][-1:]
    for start in then:
        stored = start.get("data", {})
        for name in data.keys() & stored.keys():
            if data[name] != stored[name]:
                lines.append(_data_words(name, stored[name], data[name]))
        for name in modules.keys() & start.get("modules", {}).keys():
            if modules[name]["sha256"] != start["modules"][name]["sha256"]:
                lines.append(f"module {name}: its source has changed; manifest.json has what it was")
        if fused is not ... and fused != start.get("fused"):
            lines.append(f"fused loops: {_built(start.get('fused'))} then, {_built(fused)} now")
    if lines and not run.trusted:
        remedy = (
            "put them back, begin another run with another --name, or say --trust-changes to go on with what is there "
            "now"
        )
        raise ValueError("\n  ".join([f"{run.path} was trained with something else; {remedy}", *lines]))
    return lines


def refuse_changed_files(run: Run, config: Mapping[str, Any]) -> None:
    """Refuse files of the user that a config names and that are no longer what the run was last trained with.

    That is before they are read, for what has changed may be none that can be.

    Raises:
        ValueError: there is such a file, and the run is not one to be trusted nevertheless.
    """
    if run.trusted or not (run.path / "manifest.json").exists():
        return
    for start in run.read_json("manifest.json")["starts"][-1:]:
        refuse_changes(run, files_now(config, start.get("data", {})), {})


def refuse_other_data(folder: Path) -> None:
    """Refuse a folder of runs, some of which were trained with files that are no longer what they were.

    What is compared must have been trained with the same data: what is missing is not trained with others.

    Args:
        folder: runs are `folder/runs/EXPERIMENT/NAME`.

    Raises:
        ValueError: a file has changed; the message names it, the run and the remedy.
    """
    for manifest in sorted(folder.glob("runs/*/*/manifest.json")):
        try:
            run = Run.open(manifest.parent)
            stored = {name: digest for start in run.read_json("manifest.json")["starts"][-1:]
                      for name, digest in start.get("data", {}).items()}  # fmt: skip
            now = files_now(run.config, stored)
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
        ):  # damaged, which is said where it is used
            continue
        lines = [_data_words(name, stored[name], now[name]) for name in now if now[name] != stored[name]]
        if lines:
            remedy = "put the data back, or name another folder with --study; nothing was written"
            raise ValueError(
                "\n  ".join([f"{run.path} was trained with other data than are there now: {remedy}", *lines])
            )


def _data_words(name: str, then: str, now: str) -> str:
    return f"data {name}: SHA-256 {then[:12]}… then, {now[:12]}… now: the file is not the one that was trained with"


def files_now(config: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, str]:
    """The SHA-256 of the user's files that a config names, or that are in a folder which it names, now.

    Files of catalogued data sets are compared with their digests wherever they are read.
    """
    found = {}
    for value in config.values():
        if isinstance(value, str | Path) and str(value):
            path = Path(value)
            for name in data:
                file = path if path.name == name else path / name
                if file.is_file():
                    found[name] = _digest_now(file, (found_at := file.stat()).st_mtime_ns, found_at.st_size)
    return found


@functools.lru_cache(maxsize=64)
def _digest_now(file: Path, changed: int, size: int) -> str:
    return file_digest(file)


def _built(by: Mapping[str, str] | None) -> str:
    return "none" if by is None else f"by {by['version']} for a processor with features {by['features']}"


def _config_changes(run: Run) -> list[str]:
    now, manifest = run.config, run.read_json("manifest.json")
    known = manifest.get("configs", [])
    if not known:  # of an earlier version
        return ["config.json was edited"] if manifest.get("config_hash") not in (None, config_hash(now)) else []
    if now in known:
        return []
    then = known[-1]
    return [
        f"config.json has {name}={now.get(name)!r}, and had {then.get(name)!r}"
        for name in {**then, **now}
        if then.get(name) != now.get(name) or (name in then) != (name in now)
    ]

"""Attacks on runs and studies: killed at random moments, their files damaged. What goes on ends as if nothing had been.

    python -m tests.experiments.attacks --kills 200 --damages 500 --study-damages 100

Processes are forked from one that has imported everything and started nothing, so that each costs a second. A kill may
come at any moment, the first and the last ones among them; the same commands that a user would type go on. A file is
flipped in one bit, cut, emptied, deleted, or replaced by that of another run; then the run is evaluated, and resumed,
or the command of the study given again. Each must give what it gives without the damage, or end with a message that is
no traceback.
"""

import dataclasses
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax
import tyro

from experiments import cli
from experiments.ablate import ablate
from experiments.memory import EXPERIMENT

SMALL = (
    "--task adding --length 4 --cell gru --hidden-size 4 --held-out 64 --batch-size 32 --steps 40 --patience 0 "
    "--steps-per-dispatch 5 --evaluate-every 10 --warmup-steps 5 --learning-rate 0.02 --cpu-devices 1"
).split()
TOLD = ("damaged", "cannot be read", "are of two runs")
TIMED = ("seconds", "updates_per_second", "seconds_per_update")


def train(words: list[str]) -> None:
    cli.main(EXPERIMENT, words)


def study(words: list[str]) -> None:
    cli.run_command(ablate, words)


def started(log: Path, *arguments: object, program: Callable[[list[str]], None] = train) -> int:
    """The process id of an own process with this command; what it says goes into `log`."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        program([str(argument) for argument in arguments])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(pid: int) -> int:
    """The exit code of a process, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def outcome(run: Path) -> tuple[object, list[object]]:
    """What a run has found, but for its times."""

    def untimed(record: dict) -> dict:
        return {name: value for name, value in record.items() if name not in TIMED}

    lines = (run / "metrics.jsonl").read_text().splitlines()
    return untimed(json.loads((run / "result.json").read_text())), [untimed(json.loads(line)) for line in lines]


def killed_after(pid: int, seconds: float) -> int:
    """The exit code of a process that is killed then, unless it has ended before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    return ended(pid)


def killed_at_random(folder: Path, kills: int, seed: int) -> list[str]:
    """Faults found by so many kills."""
    draw, log, faults = random.Random(seed), folder / "log", []
    takes = 0.0
    for name in ("compiled", "whole"):  # the second finds its programs compiled, as all others do
        begun = time.monotonic()
        assert ended(started(log, "--runs", folder, "--name", name, *SMALL)) == 0, log.read_text()
        takes = time.monotonic() - begun
    wanted = outcome(folder / "memory/whole")
    done = number = 0  # a run that ended before its kill is none
    while done < kills:
        number += 1
        name, run = f"killed-{number}", folder / f"memory/killed-{number}"
        for kill in range(draw.randint(1, 5)):
            pid = started(log, *command(folder, name, run))
            # A third in the first moments of a directory's life, a third near the end.
            window = draw.choice([(0.0, takes), (0.0, 0.4 * takes), (0.7 * takes, 1.05 * takes)])
            code = killed_after(pid, draw.uniform(*window))
            done += code == -signal.SIGKILL
            if code not in (-signal.SIGKILL, 0):
                faults.append(f"{name}, kill {kill}: exit code {code}: {last(log)}")
                break
        code = ended(started(log, *command(folder, name, run)))
        if code:
            faults.append(f"{name}: exit code {code}: {last(log)}")
        elif outcome(run) != wanted:
            faults.append(f"{name}: ended with another result")
        shutil.rmtree(run, ignore_errors=True)
    return faults


def command(folder: Path, name: str, run: Path) -> list[object]:
    """What a user types: the first command again until there is something to resume."""
    if any((run / "checkpoints").glob("[0-9]*")) or (run / "result.json").exists():
        return ["resume", run]
    return ["--runs", folder, "--name", name, *SMALL]


def flip(data: bytes, draw: random.Random, _: bytes) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]


DAMAGES: dict[str, Callable[[bytes, random.Random, bytes], bytes | None]] = {
    "flipped": flip,
    "cut": lambda data, draw, _: data[: draw.randrange(len(data))],
    "emptied": lambda data, draw, _: b"",
    "deleted": lambda data, draw, _: None,
    "swapped": lambda data, draw, other: other,
}


def damaged(folder: Path, damages: int, seed: int) -> list[str]:
    """Faults found by so many damages, each of one file of a run."""
    draw, log, faults = random.Random(seed), folder / "log", []
    stopped, other, whole = (folder / "memory" / name for name in ("stopped", "other", "whole"))
    for run, steps in ((stopped, "20"), (other, "20"), (whole, "40")):
        options = [*SMALL[: SMALL.index("--steps")], "--steps", steps, *SMALL[SMALL.index("--steps") + 2 :]]
        seeded = ["--seed", "1"] if run is other else []
        if not run.exists():
            code = ended(started(log, "--runs", folder, "--name", run.name, *options, *seeded))
            assert code == 0, log.read_text()
    commands = {"evaluate": ["evaluate"], "resume": ["resume"]}
    wanted = {name: said(log, words, stopped, folder / "copy") for name, words in commands.items()}
    files = sorted(path.relative_to(stopped) for path in stopped.rglob("*") if path.is_file() and path.suffix != ".png")
    cases = [(file, kind) for file in files for kind in DAMAGES]
    for file, kind in draw.sample(cases, min(damages, len(cases))):
        data, twin = (stopped / file).read_bytes(), other / file
        after = DAMAGES[kind](data, draw, twin.read_bytes() if twin.exists() else b"?") if data else b"?"
        for name, words in commands.items():
            code, text = said(log, words, stopped, folder / "copy", file, after)
            if "Traceback" in text or code < 0:
                faults.append(f"{file} {kind}, {name}: {code}: {text.splitlines()[-1:]}")
            elif code == 0 and scores(text) != scores(wanted[name][1]) and not any(word in text for word in TOLD):
                faults.append(f"{file} {kind}, {name}: another outcome without a word: {text[-300:]!r}")
    return faults


def study_damaged(folder: Path, damages: int, seed: int) -> list[str]:
    """Faults found by so many damages, each of one file of a study beside its runs' checkpoints."""
    draw, log, faults = random.Random(seed), folder / "log", []
    whole, copy = folder / "study", folder / "study-copy"
    flags = [
        f"{name.removeprefix('--').replace('-', '_')}={value}"
        for name, value in zip(SMALL[::2], SMALL[1::2], strict=True)
    ]
    words = ["memory", "--vary", "hidden_size=3,4", "--seeds", "2", "--layout", "single"]
    words += [word for flag in flags if not flag.startswith("hidden_size") for word in ("--set", flag)]
    code = ended(started(log, *words, "--study", whole, program=study))
    assert code == 0, log.read_text()
    wanted = (whole / "table.md").read_text()
    files = [path.relative_to(whole) for path in whole.rglob("*") if path.is_file() and path.suffix != ".png"]
    files = sorted(file for file in files if "checkpoints" not in file.parts)
    cases = [(file, kind) for file in files for kind in DAMAGES]
    for file, kind in draw.sample(cases, min(damages, len(cases))):
        data, twin = (whole / file).read_bytes(), draw.choice([one for one in files if one.suffix == file.suffix])
        after = DAMAGES[kind](data, draw, (whole / twin).read_bytes()) if data else b"?"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(whole, copy)
        (copy / file).unlink()
        if after is not None:
            (copy / file).write_bytes(after)
        code = ended(started(log, *words, "--study", copy, program=study))
        text = log.read_text(errors="replace")
        if "Traceback" in text or code < 0:
            faults.append(f"{file} {kind}, study: {code}: {text.splitlines()[-1:]}")
        elif code == 0 and (copy / "table.md").read_text() != wanted and not any(word in text for word in TOLD):
            faults.append(f"{file} {kind}, study: another table without a word: {text[-300:]!r}")
    return faults


def said(
    log: Path, words: list[str], run: Path, copy: Path, file: Path | None = None, data: bytes | None = None
) -> tuple[int, str]:
    """Exit code and standard output of a command on a copy of a run, one file of which is exchanged."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    if file is not None:
        (copy / file).unlink()
        if data is not None:
            (copy / file).write_bytes(data)
    code = ended(started(log, *words, copy))
    return code, log.read_text(errors="replace")


def scores(text: str) -> list[str]:
    """The lines with scores."""
    return [line for line in text.splitlines() if line.startswith("    ")]


def last(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-3:])


@dataclasses.dataclass(frozen=True)
class Attack:
    """How much is tried."""

    kills: int = 200
    """Kills at random moments."""
    damages: int = 500
    """Damages of one file of a run each."""
    study_damages: int = 100
    """Damages of one file of a study each."""
    seed: int = 0
    """Of the moments and places."""


def main(attack: Attack) -> int:
    """Attack, and say what was found."""
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", f"{folder}/programs")  # compiling is most of what a run takes
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        for name, found in (
            ("kills", lambda: killed_at_random(Path(folder), attack.kills, attack.seed)),
            ("damages", lambda: damaged(Path(folder), attack.damages, attack.seed)),
            ("study_damages", lambda: study_damaged(Path(folder), attack.study_damages, attack.seed)),
        ):
            new = found()
            print(f"{name}: {getattr(attack, name)} tried, {len(new)} faults", flush=True)
            faults += new
    print("\n".join(faults))
    return min(len(faults), 1)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Attack)))

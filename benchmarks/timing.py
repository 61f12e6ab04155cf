"""How every benchmark measures: programs in turns, ratios with intervals, rows kept as they come.

    seconds = interleaved({"rnn_jax": ours, "torch": theirs}, repeats=20)
    print(ratio(seconds["torch"], seconds["rnn_jax"]))         # 1.52 [1.47, 1.58]

Absolute times on a shared machine mean little. What one round measures was measured under the same load, so a ratio is
taken over rounds, and its interval by resampling whole rounds.
"""

import functools
import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from rnn_jax.extras import DISTRIBUTION

PACKAGES = (
    "rnn_jax",
    "jax",
    "jaxlib",
    "flax",
    "dm-haiku",
    "equinox",
    "keras",
    "torch",
    "numpy",
    "darts",
    "neuralforecast",
)
PAUSE = 0.02  # seconds; OpenMP's threads, PyTorch's among them, spin for a while after their work
Program = Callable[[], object]


class Ratio(NamedTuple):
    """A ratio of medians and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def interleaved(
    programs: Mapping[str, Program], repeats: int, calls: int = 1, warm: bool = False
) -> dict[str, list[float]]:
    """Seconds of one call of each program, measured in rounds.

    Every round calls every program. The order rotates from round to round, and every second round goes backwards, so
    that none always follows the same other one. A first round that is not counted compiles and warms up, unless all
    are `warm`, as `affordable` leaves them.

    Args:
        programs: what to call, by name. JAX arrays in a result are waited for; a program of another library returns
            when its work is done.
        repeats: rounds.
        calls: calls of a program in one round, for programs of microseconds; the seconds are those of one call.
        warm: whether every program has been called before.

    Returns:
        For each name the seconds of each round.
    """
    for program in programs.values() if not warm else ():
        jax.block_until_ready(program())

    timers = {name: functools.partial(seconds_of, program, calls) for name, program in programs.items()}
    return in_turns(timers, repeats)


def seconds_of(program: Program, calls: int) -> float:
    """The seconds of one call, of so many in a row, the last of which is waited for."""
    result, began = None, time.perf_counter()
    for _ in range(calls):
        result = program()
    jax.block_until_ready(result)
    return (time.perf_counter() - began) / calls


def in_turns(timers: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """As `interleaved`, of what takes its own time, as a process does."""
    seconds: dict[str, list[float]] = {name: [] for name in timers}
    for turn in range(repeats):
        for name in order(list(timers), turn):
            time.sleep(PAUSE)
            seconds[name].append(timers[name]())
    return seconds


def affordable(programs: Mapping[str, Program], seconds: float, calls: int = 1, least: int = 5, most: int = 31) -> int:
    """How many rounds of `interleaved` fit in so many seconds, at least and at most so many. Calls every program."""
    for program in programs.values():
        jax.block_until_ready(program())  # compiles
    began = time.perf_counter()
    for program in programs.values():
        for _ in range(calls):
            jax.block_until_ready(program())
        if time.perf_counter() - began > seconds:
            return least
    return rounds_within(seconds, time.perf_counter() - began + PAUSE * len(programs), least, most)


def rounds_within(seconds: float, one: float, least: int = 5, most: int = 31) -> int:
    """How many rounds of `one` second each fit in so many seconds, at least and at most so many."""
    return max(least, min(most, int(seconds / one)))


def order(names: Sequence[str], turn: int) -> list[str]:
    """The names in the order of round `turn`: each is first as often as any other, and neighbours change sides."""
    start = (turn // 2) % len(names)
    rotated = [*names[start:], *names[:start]]
    return rotated[::-1] if turn % 2 else rotated


def ratio(a: Sequence[float], b: Sequence[float], resamples: int = 2000) -> Ratio:
    """Median of `a` over median of `b`, with a 95 % bootstrap interval that resamples rounds, the same for both.

    Raises:
        ValueError: `a` and `b` are not of the same rounds.
    """
    if len(a) != len(b) or len(a) == 0:
        raise ValueError(f"a has {len(a)} rounds, b has {len(b)}: expected the same rounds of one `interleaved`")
    first, second = np.asarray(a), np.asarray(b)
    rounds = np.random.default_rng(0).integers(len(a), size=(resamples, len(a)))
    ratios = np.median(first[rounds], axis=1) / np.median(second[rounds], axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Ratio(float(np.median(first) / np.median(second)), float(low), float(high))


def spread(seconds: Sequence[float]) -> float:
    """The distance between the quartiles."""
    low, high = np.quantile(seconds, [0.25, 0.75])
    return float(high - low)


def geometric_mean(values: Sequence[float]) -> float:
    """The mean that treats a ratio and its inverse alike."""
    return float(np.exp(np.mean(np.log(values))))


def rows(case: str, seconds: Mapping[str, Sequence[float]], reference: str) -> list[dict[str, Any]]:
    """What `interleaved` measured as rows of a result file.

    The row of `reference` holds, for each other program, that program's time over its own: above 1, it is faster.
    """
    measured = []
    for program, times in seconds.items():
        row: dict[str, Any] = {
            "case": case,
            "program": program,
            "median": float(np.median(times)),
            "spread": spread(times),
            "seconds": list(times),
        }
        if program == reference:
            others = [other for other in seconds if other != reference]
            row["ratios"] = {other: ratio(seconds[other], times)._asdict() for other in others}
        measured.append(row)
    return measured


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_name() -> str:
    """The kind of device that JAX computes on, as a file name: "cpu-2-cores-avx512", "nvidia-h100"."""
    device = jax.devices()[0]
    if device.platform != "cpu":
        words = re.findall(r"[a-z0-9]+", device.device_kind.lower())
        kind = [word for word in words if not re.fullmatch(r"\d+gb|hbm\d*e?|sxm\d*|pcie|nvl", word)]
        return "-".join(kind)
    information = Path("/proc/cpuinfo")
    flags = information.read_text() if information.exists() else ""
    vectors = next((f"-{name}" for name, flag in (("avx512", "avx512f"), ("avx2", "avx2")) if flag in flags), "")
    return f"cpu-{cores()}-cores{vectors or '-' + platform.machine().lower()}"


def environment() -> dict[str, Any]:
    """Versions, device, threads and the settings that change what is computed; nothing that names a machine."""
    return {
        "device": device_name(),
        "cores": cores(),
        "python": platform.python_version(),
        "versions": {package: version for package in PACKAGES if (version := _version(package)) is not None},
        "variables": {k: v for k, v in sorted(os.environ.items()) if re.match(r"XLA_|JAX_|OMP_|MKL_|KERAS_", k)},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(DISTRIBUTION if package == "rnn_jax" else package)
    except metadata.PackageNotFoundError:
        return None

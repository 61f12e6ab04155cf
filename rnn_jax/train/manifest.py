"""Where and with what a run was computed: what a reader needs to run it again, and nothing private."""

import collections
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from rnn_jax.extras import DISTRIBUTION

PACKAGES = {"rnn_jax": DISTRIBUTION} | {
    name: name for name in ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
}
"""By the name that a manifest tells, the name of the distribution."""

LONGEST_DIFF = 100_000  # characters
CPU_INFORMATION = Path("/proc/cpuinfo")  # Linux only
NUMBERS = {"cpu family": "family", "model": "model", "stepping": "stepping"}


def environment() -> dict[str, Any]:
    """Command, versions, devices, settings and source of this process, as JSON can hold them.

    Of the environment variables only those that change what JAX computes are told: the others may hold secrets.
    """
    config: Any = jax.config  # its attributes are made at run time
    devices = collections.Counter((device.platform, device.device_kind) for device in jax.devices())
    return {
        "command": [os.path.basename(sys.executable), *sys.orig_argv[1:]],
        "python": platform.python_version(),
        "versions": {name: _version(distribution) for name, distribution in PACKAGES.items()},
        "devices": [{"platform": p, "kind": kind, "count": count} for (p, kind), count in devices.items()],
        "processor": processor(),
        "processes": jax.process_count(),
        "jax": jax.print_environment_info(return_string=True),
        "matmul_precision": config.jax_default_matmul_precision,
        "x64": config.jax_enable_x64,
        "variables": {name: value for name, value in sorted(os.environ.items()) if _is_told(name)},
        "git": git_state(),
    }


def processor() -> str:
    """The processor's name, and on Linux its family, model and stepping, for names such as "AMD EPYC" say too little.

    The same program on another processor may round otherwise: XLA chooses vector widths and block sizes by it.
    """
    try:
        lines = CPU_INFORMATION.read_text(errors="replace").partition("\n\n")[0].splitlines()
    except OSError:
        lines = []
    known = {key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}
    name = known.get("model name") or platform.processor() or platform.machine()
    numbers = [f"{short} {known[key]}" for key, short in NUMBERS.items() if key in known]
    return f"{name} ({', '.join(numbers)})" if numbers else name


def user_modules(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Source and digest of the modules that values such as "my_cells:Leaky" name: git may know nothing of them."""
    modules = {}
    for value in values.values():
        name = value.partition(":")[0] if isinstance(value, str) else ""
        file = getattr(sys.modules.get(name), "__file__", None)
        if ":" in str(value) and file:
            source = Path(file).read_text("utf-8", errors="replace")
            modules[name] = {"sha256": hashlib.sha256(source.encode()).hexdigest(), "source": source}
    return modules


def git_state() -> dict[str, Any] | None:
    """Commit and uncommitted changes of the working directory, or None outside a checkout or without git."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    diff = _git("diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color") or ""
    cut = len(diff) > LONGEST_DIFF
    return {"commit": commit.strip(), "diff": diff[:LONGEST_DIFF], "diff_is_cut": cut}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _is_told(name: str) -> bool:
    return name.startswith(("JAX_", "XLA_")) or name in ("CUDA_VISIBLE_DEVICES", "PYTHONHASHSEED")

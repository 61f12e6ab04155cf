"""The strictest JAX the tests can have: no silent promotion of types or ranks, four CPU devices, checked shapes."""

import os
from pathlib import Path

import jax
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
jax.config.update("jax_default_matmul_precision", "float32")

# Shapes and types at public functions are checked while the tests run, and only then.
install_import_hook("rnn_jax", "beartype.beartype")


def pytest_configure(config):
    cache = Path(config.cache.mkdir("jax"))
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def pytest_terminal_summary(terminalreporter):
    """Say at the end of the run what tests noted with `record_property("note", ...)`."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = {tuple(pair) for report in reports for pair in getattr(report, "user_properties", ())}
    for _, note in sorted(pair for pair in properties if pair[0] == "note"):
        terminalreporter.write_line(note)


def pytest_make_parametrize_id(val):
    """Cells are named by what they are; functions keep pytest's names, for their text holds an address."""
    from rnn_jax import Cell  # not before the hook above

    return str(val) if isinstance(val, Cell) else None


@pytest.fixture
def x64():
    """Double precision for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def real_data():
    """The folder of real data sets; tests that need it say so when it is not there."""
    folder = os.environ.get("RNN_JAX_DATA")
    if not folder:
        pytest.skip("RNN_JAX_DATA is not set: the real data sets are not at hand")
    return Path(folder)

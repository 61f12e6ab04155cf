"""The strictest JAX the tests can have: no silent promotion of types or ranks, four CPU devices, checked shapes.

Without more being said the exhaustive ones are left out, and programs are compiled with less care, for most of the time
goes into small programs that run once. The words of RNN_JAX_TESTS change that: `all`, every test runs, and random keys
that are used twice are searched for; `optimised`, programs are compiled as for users.
"""

import ctypes
import gc
import os
import shutil
import sys
from collections import Counter
from importlib.metadata import version
from inspect import isfunction
from pathlib import Path

WORDS = os.environ.get("RNN_JAX_TESTS", "").split()
if unknown := {*WORDS} - {"all", "optimised"}:
    raise ValueError(f"RNN_JAX_TESTS={' '.join(WORDS)}: expected the words all, optimised or both, got {unknown}")
ALL = "all" in WORDS
KEYS = (
    "decoding", "models", "nnx", "test_compose.py", "train", "unroll", "experiments/test_guards.py",
    "experiments/test_conformance.py",
)  # fmt: skip
"""Where random keys that are used twice are looked for: what draws, and every application's loss. Elsewhere the search
would find the same and cost each test a quarter more; the contract of a cell looks at the cell's own."""
if "optimised" not in WORDS:
    # On tests/unroll these take 62 CPU seconds where the defaults take 144. Processes that tests start inherit them.
    QUICK = [
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
        "--xla_cpu_parallel_codegen_split_count=1",
    ]
    if version("jaxlib").startswith("0.10."):  # later ones know it no more, and end the process
        QUICK.append("--xla_cpu_use_fusion_emitters=false")
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *QUICK]).strip()

if folder := os.environ.get("RNN_JAX_DATA"):
    os.environ["RNN_JAX_DATA"] = os.path.abspath(folder)  # tests run in folders of their own

import jax  # noqa: E402
import jaxtyping  # noqa: E402
import pytest  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "float32")


def jaxtyped(*, typechecker):
    """Checks functions of modules and classes. Those inside of functions are made anew with each call of these, and to
    write the check of one takes longer than most of them run: a third of the time of all tests."""

    def checked(function):
        nested = isfunction(function) and "<locals>" in function.__qualname__
        return function if nested else of_jaxtyping(function, typechecker=typechecker)

    return checked


# Shapes and types at public functions are checked while the tests run, and only then.
of_jaxtyping, jaxtyping.jaxtyped = jaxtyping.jaxtyped, jaxtyped
install_import_hook("rnn_jax", "beartype.beartype")


def pytest_configure(config):
    # Small programs are the same in many files: to keep all of them takes an eighth off the first run.
    cache = config.cache.mkdir("jax")
    if not hasattr(config, "workerinput") and len(os.listdir(cache)) > PROGRAMS:
        shutil.rmtree(cache)
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def pytest_collection_finish():
    """What is imported stays: looking through it for garbage, over and over, takes a tenth of the time of all tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_collection_modifyitems(config, items):
    """Leave the exhaustive ones out: with `but=n`, all cases of the test except for its first n."""
    if ALL:
        return
    kept, left, cases = [], [], Counter()
    for item in items:
        function = item.nodeid.partition("[")[0]
        allowed = [marker.kwargs.get("but", 0) for marker in item.iter_markers("exhaustive")]
        runs = all(cases[function] < count for count in allowed)
        cases[function] += runs
        (kept if runs else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


PROGRAMS = 50_000
"""Programs on the disk, half a gigabyte, with which a run begins anew; `make test` leaves some ten thousand."""
LIMIT = 1.2e9
"""Bytes of a process at which it forgets its compiled programs."""


@pytest.fixture(scope="module", autouse=True)
def compiled_programs_end_with_their_file():
    """Without this each process keeps all programs of all files, and grows to five gigabytes."""
    yield
    forget_programs()


@pytest.fixture(scope="module", autouse=True)
def keys_are_used_once(request):
    file = request.path.relative_to(Path(__file__).parent).as_posix()
    jax.config.update("jax_debug_key_reuse", ALL and file.startswith(KEYS))


@pytest.fixture
def shapes_unchecked():
    """For sizes that are symbols, and arguments that the checks of types would refuse before the library does."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def compiled_programs_take_little_memory():
    """A file may have hundreds of programs."""
    yield
    pages = Path("/proc/self/statm")
    if pages.exists() and int(pages.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") > LIMIT:
        forget_programs()


def forget_programs() -> None:
    """Drop what is compiled, and give its memory back."""
    jax.clear_caches()
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def pytest_terminal_summary(terminalreporter):
    """Say at the end of the run what was left out, and what tests noted with `record_property("note", ...)`."""
    if not ALL:
        terminalreporter.write_line("exhaustive tests were left out: `make test-all` runs them too")
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
def part():
    """Of the contract of cells what is checked: all of it at once where every test runs."""
    return "all" if ALL else "core"


@pytest.fixture
def real_data():
    """The folder of real data sets; tests that need it say so when it is not there."""
    folder = os.environ.get("RNN_JAX_DATA")
    if not folder:
        pytest.skip("RNN_JAX_DATA is not set: the real data sets are not at hand")
    return Path(folder)

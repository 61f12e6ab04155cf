"""Whatever is wrong with the compiler or the folder of libraries: it is said, and the values are the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnn_jax.native import build
from rnn_jax.unroll.fused import no_compiler

pytestmark = pytest.mark.skipif(bool(no_compiler()), reason=no_compiler())

TEXT = """
#include <cstdint>
extern "C" int64_t answer() { return 42; }
"""
ASK = f"""
from rnn_jax.native import build
build.FLAGS = ("-shared", "-fPIC", "-O0")
print(build.build({TEXT!r}).answer())
"""
RUN = """
import jax, jax.numpy as jnp, rnn_jax
cell = rnn_jax.GRU(2, 4)
xs = jnp.ones((32, 16, 2))
print(float(rnn_jax.unroll(cell, cell.init(jax.random.key(0)), xs).ys.sum().round(3)))
print(rnn_jax.fused_report(cell))
"""


def start(program, **environment):
    environment = {name: value for name, value in (os.environ | environment).items() if value is not None}
    command = [sys.executable, "-c", program]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def said(program, **environment):
    process = start(program, **environment)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out, err


@pytest.fixture(scope="module")
def by_scan():
    return said(RUN, RNN_JAX_FUSED="off")[0].splitlines()[0]


@pytest.mark.exhaustive
def test_off_is_off(by_scan):
    out, err = said(RUN, RNN_JAX_FUSED="off")
    assert "compiler: none; RNN_JAX_FUSED is off" in out and not err


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("compiler", "message"),
    [
        ("/no/such/compiler", "/no/such/compiler is not there"),
        ("false", "false does not work"),
        ("{folder}/broken", "failed: loop.cc:1:1: error: no"),
        ("{folder}/idle", "failed: it ended well and made no library"),
    ],
)
def test_without_a_compiler_it_is_a_scan_and_that_is_said_once(compiler, message, tmp_path, by_scan):
    broken = tmp_path / "broken"
    broken.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo broken 1.0 && exit 0\necho "loop.cc:1:1: error: no" >&2\nexit 1\n'
    )
    (idle := tmp_path / "idle").write_bytes(b'#!/bin/sh\n[ "$1" = --version ] && echo "i\351dle 1.0"\nexit 0\n')
    for program in (broken, idle):
        program.chmod(0o755)
    out, err = said(RUN, CXX=compiler.format(folder=tmp_path), RNN_JAX_FUSED_CACHE=str(tmp_path / "libraries"))
    assert out.splitlines()[0] == by_scan
    assert err.count(message) == 1 and len(err.splitlines()) == 1, err
    report = out.split("\n", 1)[1]
    assert message in report  # which says what happened, too


@pytest.mark.exhaustive
def test_a_switch_is_on_or_off():
    assert "expected on or off" in start(RUN, RNN_JAX_FUSED="bogus", CXX="c++").communicate()[1]


@pytest.mark.exhaustive
def test_a_folder_that_cannot_be_written_is_replaced(tmp_path, by_scan):
    (tmp_path / "file").write_text("")
    out, err = said(RUN, RNN_JAX_FUSED_CACHE=str(tmp_path / "file/libraries"))
    assert out.splitlines()[0] == by_scan and "libraries of fused loops are not kept" in err


def test_nothing_is_loaded_that_others_may_have_written(tmp_path):
    folder = tmp_path / "libraries"
    folder.mkdir()
    folder.chmod(0o777)
    out, err = said(ASK, RNN_JAX_FUSED_CACHE=str(folder))
    assert out == "42\n" and "others may write to it" in err and not list(folder.iterdir())


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a file away")
def test_a_library_of_another_user_is_not_loaded(tmp_path):
    said(ASK, RNN_JAX_FUSED_CACHE=str(tmp_path))
    (library,) = tmp_path.glob("*.so")
    os.chown(library, 65534, 65534)
    process = start(ASK, RNN_JAX_FUSED_CACHE=str(tmp_path))
    assert "is another user's: it is not loaded" in process.communicate()[1]


@pytest.mark.exhaustive
def test_the_second_process_builds_nothing(tmp_path):
    assert said(ASK, RNN_JAX_FUSED_CACHE=str(tmp_path))[0] == "42\n"
    (library,) = tmp_path.glob("*.so")
    before = library.stat().st_mtime_ns
    assert said(ASK, RNN_JAX_FUSED_CACHE=str(tmp_path))[0] == "42\n"
    assert library.stat().st_mtime_ns == before
    assert {library, library.with_suffix(".sha256")} == set(tmp_path.iterdir())
    assert tmp_path.stat().st_mode & 0o777 == 0o700


# Of one cut off within its pages the loader dies.
@pytest.mark.exhaustive
@pytest.mark.parametrize("left", [5000, *(pytest.param(n, marks=pytest.mark.exhaustive) for n in (0, 4))])
def test_a_damaged_library_is_built_anew(tmp_path, left):
    said(ASK, RNN_JAX_FUSED_CACHE=str(tmp_path))
    (library,) = tmp_path.glob("*.so")
    library.write_bytes(library.read_bytes()[:left])
    assert said(ASK, RNN_JAX_FUSED_CACHE=str(tmp_path)) == ("42\n", "")
    library.with_suffix(".sha256").unlink()
    assert said(ASK, RNN_JAX_FUSED_CACHE=str(tmp_path)) == ("42\n", "")


@pytest.mark.exhaustive
def test_two_builds_at_once_and_a_killed_one_do_no_harm(tmp_path):
    killed = start(ASK, RNN_JAX_FUSED_CACHE=str(tmp_path))
    others = [start(ASK, RNN_JAX_FUSED_CACHE=str(tmp_path)) for _ in range(2)]
    killed.kill()
    killed.communicate()
    assert [process.communicate() for process in others] == [("42\n", "")] * 2
    assert len(list(tmp_path.glob("*.so"))) == 1
    for left in tmp_path.glob("building-*"):
        os.utime(left, (0, 0))
    next(tmp_path.glob("*.so")).unlink()
    said(ASK, RNN_JAX_FUSED_CACHE=str(tmp_path))
    assert not list(tmp_path.glob("building-*")), "what a killed build has left is removed later"


def test_another_processor_has_another_library(monkeypatch, tmp_path):
    monkeypatch.setenv("RNN_JAX_FUSED_CACHE", str(tmp_path))
    here = build.library_path(TEXT)
    monkeypatch.setattr(build, "processor", lambda: "another")
    assert build.library_path(TEXT) != here

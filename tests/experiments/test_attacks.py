"""The attacks in short: some kills and damages, none of which may go through in silence."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    "short",
    [
        "--kills 1 --damages 2 --study-damages 1",
        pytest.param("--kills 6 --damages 8 --study-damages 4", marks=pytest.mark.exhaustive),
    ],
)
def test_some_attacks(short):
    attack = [sys.executable, "-m", "tests.experiments.attacks", *short.split()]
    found = subprocess.run(attack, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert found.returncode == 0 and found.stdout.count(" 0 faults") == 3, found.stdout + found.stderr

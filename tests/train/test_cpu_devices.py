import os
import subprocess
import sys

import jax
import pytest

from rnn_jax.train.parallel import start_cpu_devices

COUNT = "import jax; from rnn_jax.train.parallel import start_cpu_devices as s; s(3); print(jax.device_count())"


@pytest.mark.exhaustive(but=1)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, "3"),
        ({"JAX_NUM_CPU_DEVICES": "2"}, "2"),
        ({"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}, "4"),
    ],
)
def test_the_environment_goes_before_the_setting(environment, wanted):
    own = {name: value for name, value in os.environ.items() if name not in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS")}
    found = subprocess.run([sys.executable, "-c", COUNT], env=own | environment, capture_output=True, text=True)
    assert found.stdout.strip() == wanted, found.stderr


def test_jax_that_has_started_stays_as_it_is():
    before = jax.device_count()
    start_cpu_devices(before + 1)
    assert jax.device_count() == before


STARTED = """
import jax
from rnn_jax.train.parallel import start_cpu_devices
jax.devices()  # as a module does that computes while it is imported
start_cpu_devices(1)
start_cpu_devices(3)
"""


@pytest.mark.exhaustive
def test_jax_that_has_started_with_other_devices_is_told():
    own = {name: value for name, value in os.environ.items() if name not in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS")}
    found = subprocess.run([sys.executable, "-c", STARTED], env=own, capture_output=True, text=True)
    assert "ValueError: cpu_devices=3: JAX has started with 1 already" in found.stderr, found.stderr

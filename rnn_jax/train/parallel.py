"""Data parallelism with JAX's own sharding: one mesh over all devices, the batch axis split over it, the rest copied.

One device is a mesh of one, so there is no second code path. Several processes (a cluster, or several on one machine)
each call `join_processes` before anything else of JAX; every process computes the same batches and keeps its part.
"""

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

HEARTBEAT_SECONDS = 60
"""After so long without a sign of life of a process, as where its machine has no power, the others end."""
CUT_OFF = ("Gloo", "Connection closed by peer", "Connection reset by peer", "UNAVAILABLE", "heartbeat")
"""What JAX says, among other things, where a process is gone."""


def join_processes(address: str) -> None:
    """Join the other processes of a run.

    Args:
        address: "auto" where JAX finds out by itself (Slurm, Open MPI, Kubernetes, TPU pods), or
            "HOST:PORT/PROCESS/COUNT", such as "localhost:1234/0/2" for the first of two.

    Raises:
        ValueError: address is neither, or PROCESS is not less than COUNT.
    """
    if address == "auto":
        jax.distributed.initialize(heartbeat_timeout_seconds=HEARTBEAT_SECONDS)
        return
    host, *numbers = address.split("/")
    if ":" not in host or len(numbers) != 2 or not all(n.isdigit() for n in numbers):
        raise ValueError(f"distributed={address!r}: expected 'auto' or HOST:PORT/PROCESS/COUNT")
    process, count = map(int, numbers)
    if process >= count:
        raise ValueError(f"distributed={address!r}: expected HOST:PORT/PROCESS/COUNT, PROCESS below COUNT")
    jax.distributed.initialize(
        coordinator_address=host,
        num_processes=count,
        process_id=process,
        heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
    )


def check_alike(facts: Mapping[str, Any]) -> None:
    """See to it that all processes of a run were begun alike; else each would train a model of its own.

    Args:
        facts: what has to be the same in all of them, by name.

    Raises:
        ValueError: something is not, in every process; the message names it.
    """
    if jax.process_count() == 1:
        return
    names = sorted(facts)
    lines = ["\n".join(names), *(f"{name}={facts[name]!r}" for name in names)]
    if not _same_everywhere(lines[:1])[0]:
        differ = ["which fields or data sets there are"]
    else:
        same = _same_everywhere(lines[1:])
        differ = [line for line, alike in zip(lines[1:], same, strict=True) if not alike]
    if differ:
        raise ValueError(
            f"distributed: the processes differ in {', '.join(differ)} (here): give all of them one command and the "
            "same data"
        )


def _same_everywhere(lines: list[str]) -> list[bool]:
    """Of each line, as many in all processes, whether it is the same in all."""
    from jax.experimental.multihost_utils import process_allgather  # which one process does not need

    digests = np.array([list(hashlib.sha256(line.encode()).digest()) for line in lines], np.uint8)
    everywhere = np.asarray(process_allgather(digests))  # [process, line, 32]
    return (everywhere == everywhere[:1]).all(axis=(0, 2)).tolist()


@contextlib.contextmanager
def ending_with_others(note: Callable[[str], None], remedy: str) -> Iterator[None]:
    """End this process, in one line, where it finds that another one of its run is gone.

    At once: at its usual end a process waits for the others, a dead one among them, and then says a page about it.

    Args:
        note: is told why.
        remedy: how to go on.
    """
    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:  # which of them depends on what was computed
        if jax.process_count() == 1 or not any(sign in str(error) for sign in CUT_OFF):
            raise
        said = "another process of this run has ended or cannot be reached"
        note(said)
        print(f"error: {said}; {remedy}", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(1)


def start_cpu_devices(count: int) -> None:
    """Let the CPU be so many devices. XLA runs the small products of a loop on one core: two devices use two.

    Nothing changes where the environment says how many devices a CPU has.

    Raises:
        ValueError: JAX has started already, with another number of CPU devices.
    """
    # JAX's own default is −1, and it refuses the option beside the older flag of XLA.
    config: Any = jax.config  # its attributes are made at run time
    if config.jax_num_cpu_devices != -1 or "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:  # it has started
        started = jax.local_device_count()
        if jax.default_backend() == "cpu" and started != count:
            raise ValueError(
                f"cpu_devices={count}: JAX has started with {started} already, as it does when a module computes while "
                'it is imported; move that under `if __name__ == "__main__":`, or say '
                f"cpu_devices={started}"
            ) from None


def data_mesh() -> Mesh:
    """All devices of all processes along one axis, `batch`."""
    return jax.make_mesh((jax.device_count(),), ("batch",), axis_types=(AxisType.Auto,))


def batch_sharding(mesh: Mesh, axis: int | None) -> NamedSharding:
    """Split `axis` over the mesh; None copies the whole array to every device."""
    return NamedSharding(mesh, PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, "batch"))


def place(array: Any, sharding: NamedSharding) -> jax.Array:
    """An array that every process holds whole, as one global array; each device takes its part.

    Raises:
        ValueError: the split axis cannot be divided by the number of devices.
    """
    array = np.asarray(array)
    devices, axis = sharding.mesh.size, len(sharding.spec) - 1
    if axis >= 0 and array.shape[axis] % devices:
        raise ValueError(
            f"batch_size={array.shape[axis]} cannot be divided by {devices} devices: "
            f"use a multiple of {devices}, or fewer devices (on a CPU: cpu_devices)"
        )
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

"""Compiled programs: shared, so that what one seed has compiled the next one takes; and what they need."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

from rnn_jax.train.replica import Task
from rnn_jax.train.seeds import key_for


@contextmanager
def share_compiled_programs() -> Iterator[None]:
    """Keep compiled programs in a temporary folder, so that the same program is compiled once for all seeds.

    Every seed has closures of its own, for its evaluation say, and JAX compiles each of them; on disk they are known by
    what they compute. Nothing changes where the environment or the program names a folder already. Call it before
    anything is compiled.
    """
    config: Any = jax.config  # its attributes are made at run time
    if config.jax_compilation_cache_dir:
        yield
        return
    before = config.jax_persistent_cache_min_compile_time_secs
    with tempfile.TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        try:
            yield
        finally:
            jax.config.update("jax_compilation_cache_dir", None)
            jax.config.update("jax_persistent_cache_min_compile_time_secs", before)


def update_bytes(task: Task) -> int:
    """The memory that XLA plans for what is between the first batch and the gradient, on one device."""
    arguments = (task.params, task.carry, task.batch(0), key_for(0, "training"))
    analysis: Any = jax.jit(jax.grad(task.loss, has_aux=True)).lower(*arguments).compile().memory_analysis()
    return analysis.temp_size_in_bytes

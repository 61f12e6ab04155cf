"""Compiled programs that are shared: what one seed has compiled, the next one takes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax


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

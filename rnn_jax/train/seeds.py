"""Every random number of a run follows from (seed, purpose, step): nothing is stored, so nothing has to be restored."""

import zlib

import jax


def key_for(seed: int, purpose: str) -> jax.Array:
    """The typed key of one purpose ("init", "dropout", ...) in the run of one seed.

    Raises:
        ValueError: seed is not an int from 0 to 2³² − 1.
    """
    check_seed(seed)
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(purpose.encode()))


def check_seed(seed: int) -> None:
    """Raise a ValueError unless `seed` is an int from 0 to 2³² − 1. Needs no device, unlike making a key."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed!r}: expected an int from 0 to 2**32 - 1")

"""The leaves of a pytree under names and on the host: what a checkpoint writes, compares, checks and puts back."""

import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree


def named_leaves(tree: PyTree) -> dict[str, Any]:
    """The arrays of a tree by their path, such as `params/embedding/kernel`, in the order of `jax.tree.leaves`.

    Raises:
        ValueError: a leaf is not an array of numbers, booleans or PRNG keys, or two leaves have the same path.
    """
    named = {}
    for keys, leaf in jax.tree.leaves_with_path(tree):
        path = jax.tree_util.keystr(keys, simple=True, separator="/") or "state"
        if not _is_array(leaf):
            kind = type(leaf).__name__
            raise ValueError(f"{path} is {leaf!r:.60} ({kind}); a state holds arrays only, so use jnp.asarray")
        if path in named:
            raise ValueError(f"two leaves have the path {path}; rename a key that contains '/'")
        named[path] = leaf
    return named


def type_name(leaf: Any) -> str:
    """Dtype and shape as in `float32[65,128]`; a PRNG key names its implementation, as in `key<fry>[]`."""
    return f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"


def differences(stored: dict[str, str], wanted: dict[str, str], limit: int = 10) -> list[str]:
    """A line for each leaf whose type differs between checkpoint and model; beyond `limit` only how many more."""
    paths = [path for path in {**stored, **wanted} if stored.get(path) != wanted.get(path)]
    lines = [f"{p}: checkpoint {stored.get(p, 'has none')}, model {wanted.get(p, 'has none')}" for p in paths[:limit]]
    if len(paths) > limit:
        lines.append(f"and {len(paths) - limit} more")
    return lines


def to_host(leaf: Any) -> np.ndarray:
    """A whole leaf as a NumPy array, also where its shards are spread over processes; of a PRNG key, its data."""
    if _is_key(leaf):
        leaf = jax.random.key_data(leaf)
    if isinstance(leaf, jax.Array) and not (leaf.is_fully_addressable or leaf.is_fully_replicated):
        leaf = multihost_utils.process_allgather(leaf, tiled=True)
    return np.asarray(leaf)


def place(array: np.ndarray | None, like: Any) -> Any:
    """A host array as a leaf in the manner of `like`: a key where it is one, with its sharding, NumPy if it is NumPy.

    `None` stands for an array of size zero.

    Raises:
        ValueError: JAX would change the dtype, as it does with float64 unless `jax_enable_x64` is set; or the sharding
            of `like` names no devices, as that of `jax.eval_shape` under an explicit mesh.
    """
    if array is None:
        data = jax.eval_shape(jax.random.key_data, like) if _is_key(like) else like
        array = np.zeros(data.shape, data.dtype)
    if isinstance(like, np.ndarray | np.generic):
        return array
    # What JAX may move stays free to move: after an array tied to its device, jit compiles again or refuses a mesh.
    sharding = like.sharding if getattr(like, "committed", True) else None
    if isinstance(getattr(sharding, "mesh", None), jax.sharding.AbstractMesh):
        raise ValueError(f"{sharding} names no devices; give arrays or concrete shardings as like")
    if sharding is None:
        placed = jnp.asarray(array)
    else:
        placed = jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
    if placed.dtype != array.dtype:
        raise ValueError(f"{array.dtype} would become {placed.dtype}; set jax_enable_x64 to load this checkpoint")
    return jax.random.wrap_key_data(placed, impl=_key_impl(like)) if _is_key(like) else placed


def digest(array: np.ndarray) -> str:
    """SHA-256 over dtype, shape and bytes, in hexadecimal."""
    sha = hashlib.sha256(type_name(array).encode())
    sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def may_be_saved(path: str, array: np.ndarray) -> bool:
    """Whether an array holds no NaN and no infinity, but that a scalar which is no parameter may be infinite."""
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        return True
    if array.ndim == 0 and "params" not in path.split("/"):
        return not np.isnan(array)
    return bool(np.all(np.isfinite(array)))


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _is_array(leaf: Any) -> bool:
    kinds = (jnp.number, jnp.bool_, jax.dtypes.prng_key)
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype") and any(jnp.issubdtype(leaf.dtype, k) for k in kinds)


def _key_impl(like: Any) -> Any:
    # `key_impl` takes no ShapeDtypeStruct, but it takes a tracer of one.
    found = []
    jax.eval_shape(lambda key: found.append(jax.random.key_impl(key)), like)
    return found[0]

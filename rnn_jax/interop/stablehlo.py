"""A trained step as one file that runs without this library: StableHLO, for any batch size, the weights inside.

    step = functools.partial(cell, params)
    save_step("step.rnn", step, cell.initial_carry, jax.ShapeDtypeStruct((8,), jnp.float32))

    step = load_step("step.rnn")                     # elsewhere: needs JAX, not the code that built the step
    carry = step.initial_carry(batch=32)
    carry, y = step(carry, x)                        # x [32, 8]

The file is a zip archive of the program, which later versions of JAX read for at least half a year by their promise,
and of metadata.json, which says what it takes, where it starts, what made it, and its SHA-256. JAX needs the package
flatbuffers for it: `pip install "rnn-jax-lab[export]"`.
"""

import hashlib
import importlib.metadata
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

import rnn_jax
from rnn_jax.typing import Array, Carry

FORMAT = 1


def save_step(
    path: str | Path,
    step: Callable[[Carry, Any], tuple[Carry, Any]],
    initial_carry: Callable[[tuple[int, ...]], Carry],
    x: jax.ShapeDtypeStruct,
    *,
    platforms: tuple[str, ...] = ("cpu", "cuda", "tpu"),
) -> None:
    """Write a step, with the parameters that it closes over, to a file.

    Args:
        path: of the file; one that is there is replaced.
        step: `(carry, x) -> (carry, y)` for one batch dim, such as `functools.partial(cell, params)`.
        initial_carry: the carry for a batch shape, such as `cell.initial_carry`; the same for every row.
        x: shape and dtype of one row of the input, without the batch dim.
        platforms: where the file is to run.

    Raises:
        ValueError: `initial_carry` is no function.
    """
    if not callable(initial_carry):
        raise ValueError(
            f"initial_carry has type {type(initial_carry).__name__}: expected a function of the batch shape, such as "
            "cell.initial_carry; for a carry of your own, lambda batch_shape: ..., which gives it for any"
        )
    (batch,) = export.symbolic_shape("batch")
    leaves, structure = jax.tree.flatten(initial_carry(()))

    def flat_step(leaves: list[jax.Array], x: jax.Array) -> tuple[list[jax.Array], Any]:
        # Plain lists, so that the reader needs no type of this library, no LSTMCarry.
        carry, y = step(structure.unflatten(leaves), x)
        return jax.tree.leaves(carry), y

    rows = [jax.ShapeDtypeStruct((batch, *a.shape), a.dtype) for a in (*leaves, x)]
    program = bytes(export.export(jax.jit(flat_step), platforms=platforms)(rows[:-1], rows[-1]).serialize())
    metadata = {
        "format": FORMAT,
        "x": {"shape": list(x.shape), "dtype": str(x.dtype)},
        "initial_carry": [{"value": np.asarray(a, float).tolist(), "dtype": str(a.dtype)} for a in leaves],
        "platforms": list(platforms),
        "versions": {name: importlib.metadata.version(name) for name in ("jax", "jaxlib")}
        | {"rnn_jax": rnn_jax.__version__},
        "sha256": hashlib.sha256(program).hexdigest(),
    }
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps(metadata))
        archive.writestr("step.stablehlo", program)
    partial.replace(path)


class Step:
    """A loaded step. Carries are lists of arrays, opaque to the caller.

    Attributes:
        metadata: the file's metadata.json.
    """

    def __init__(self, metadata: dict[str, Any], step: export.Exported):
        self.metadata = metadata
        self._step = jax.jit(step.call)

    def initial_carry(self, batch: int = 1) -> list[jax.Array]:
        """The carry before the first step, for `batch` rows."""
        rows = [jnp.asarray(leaf["value"], leaf["dtype"]) for leaf in self.metadata["initial_carry"]]
        return [jnp.broadcast_to(row, (batch, *row.shape)) for row in rows]

    def __call__(self, carry: list[jax.Array], x: Array) -> tuple[list[jax.Array], Any]:
        """One step: x `[B, ...]` to the next carry and the output.

        Raises:
            ValueError: x has another shape or dtype than the step was saved for.
        """
        wanted = self.metadata["x"]
        if list(x.shape[1:]) != wanted["shape"] or x.ndim == 0 or str(x.dtype) != wanted["dtype"]:
            expected = ", ".join(["batch", *map(str, wanted["shape"])])
            raise ValueError(f"x is {x.dtype}{list(x.shape)}: this step takes {wanted['dtype']}[{expected}]")
        return self._step(carry, x)


def load_step(path: str | Path) -> Step:
    """Read a step that `save_step` wrote.

    Raises:
        ValueError: the file is not such a file, is damaged, or was written by a later version.
    """
    named, remedy = f"path={str(path)!r}", "copy the file again, or write it again with save_step"
    content = Path(path).read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            metadata = json.loads(archive.read("metadata.json"))
            program = archive.read("step.stablehlo")
    except Exception as error:  # of which zipfile and its decompressors have many
        raise ValueError(f"{named}: not a file written by save_step, or damaged ({error}); {remedy}") from error
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        found = metadata.get("format") if isinstance(metadata, dict) else metadata
        raise ValueError(f"{named} has format {found!r:.40}: this version reads {FORMAT}")
    if hashlib.sha256(program).hexdigest() != metadata.get("sha256"):
        raise ValueError(f"{named}: step.stablehlo does not match its SHA-256; {remedy}")
    try:
        step = Step(metadata, export.deserialize(bytearray(program)))
        shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in step.initial_carry()]
        x = jax.ShapeDtypeStruct((1, *metadata["x"]["shape"]), jnp.dtype(metadata["x"]["dtype"]))
        jax.eval_shape(step, shapes, x)
    except ImportError:
        raise
    except Exception as error:  # of which readers of StableHLO have many, too
        raise ValueError(f"{named}: holds no step that can be read here ({error}); {remedy}") from error
    return step

"""A trained model as one file that runs without this library: StableHLO, for any batch size, the weights inside.

A whole model, from arrays to arrays, for any length too where its shapes say so:

    save_program("model.rnn", model, {"inputs": ("time, batch, 8", "float32"), "lengths": ("batch", "int32")})

    program = load_program("model.rnn")              # elsewhere: needs JAX, not the code that built the model
    ys = program(inputs=xs, lengths=lengths)         # xs [T, B, 8]

One step of it, for what comes as it is asked for:

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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

import rnn_jax
from rnn_jax.interop.files import library, replace_file
from rnn_jax.typing import Array, Carry
from rnn_jax.unroll import automatic

T = TypeVar("T")

FORMAT = 1

STEP, PROGRAM = "step.stablehlo", "program.stablehlo"
"""The program in a file of one step, and in one of a whole model."""


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
    exported = export.export(jax.jit(flat_step), platforms=platforms)(rows[:-1], rows[-1])
    start = [{"value": np.asarray(a, float).tolist(), "dtype": str(a.dtype)} for a in leaves]
    _write(path, STEP, exported, x={"shape": list(x.shape), "dtype": str(x.dtype)}, initial_carry=start)


def save_program(
    path: str | Path,
    program: Callable[..., Any],
    inputs: Mapping[str, tuple[str, str]],
    *,
    platforms: tuple[str, ...] = ("cpu", "cuda", "tpu"),
) -> None:
    """Write a function of arrays, with the parameters that it closes over, to a file.

    Args:
        path: of the file; one that is there is replaced.
        program: from arrays, by their names, to a pytree of arrays.
        inputs: shape and dtype of each array, such as `("time, batch, 8", "float32")`; a name stands for any size, the
            same one in all arrays.
        platforms: where the file is to run.

    Raises:
        ValueError: the program asks for one size where a name allows any; the message is JAX's.
    """
    names = {name.strip() for shape, _ in inputs.values() for name in shape.split(",")}
    scope = export.SymbolicScope([f"{name} >= 1" for name in sorted(names) if name.isidentifier()])
    shapes = {
        name: jax.ShapeDtypeStruct(export.symbolic_shape(shape, scope=scope), jnp.dtype(dtype))
        for name, (shape, dtype) in inputs.items()
    }

    def of_dict(arrays: dict[str, jax.Array]) -> Any:
        with automatic("sequential"):  # native loops are of the machine that built them
            return program(**arrays)

    exported = export.export(jax.jit(of_dict), platforms=platforms)(shapes)
    _write(path, PROGRAM, exported, inputs={name: list(one) for name, one in inputs.items()})


def _write(path: str | Path, member: str, exported: export.Exported, **facts: Any) -> None:
    """Write an exported function and facts about it as one file, all of it or nothing."""
    library("flatbuffers")
    content = bytes(exported.serialize())
    metadata = {
        "format": FORMAT,
        **facts,
        "platforms": list(exported.platforms),
        "versions": {name: importlib.metadata.version(name) for name in ("jax", "jaxlib")}
        | {"rnn_jax": rnn_jax.__version__},
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps(metadata))
        archive.writestr(member, content)
    replace_file(path, whole.getvalue())


class Program:
    """A loaded program.

    Attributes:
        metadata: the file's metadata.json.
    """

    def __init__(self, metadata: dict[str, Any], program: export.Exported):
        self.metadata = metadata
        self._program = jax.jit(program.call)

    def __call__(self, **arrays: Array) -> Any:
        """The outputs for arrays by their names.

        Raises:
            ValueError: an array is missing, not known, or has another shape or dtype than the program was saved for.
        """
        wanted = self.metadata["inputs"]
        found = {name: f"{array.dtype}[{', '.join(map(str, array.shape))}]" for name, array in arrays.items()}
        expected = ", ".join(f"{name} {dtype}[{shape}]" for name, (shape, dtype) in wanted.items())
        refusal = f"arrays={found}: this program takes {expected}"
        fits = arrays.keys() == wanted.keys() and all(str(a.dtype) == wanted[name][1] for name, a in arrays.items())
        if not fits:
            raise ValueError(refusal)
        try:
            return self._program({name: jnp.asarray(array) for name, array in arrays.items()})
        except (ValueError, TypeError) as error:  # of shapes that do not fit each other
            raise ValueError(f"{refusal}: {error}") from error


def load_program(path: str | Path) -> Program:
    """Read a program that `save_program` wrote.

    Raises:
        ValueError: the file is not such a file, is damaged, or was written by a later version.
    """
    return _read(path, PROGRAM, Program, "save_program")


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

    def tried(metadata: dict[str, Any], exported: export.Exported) -> Step:
        step = Step(metadata, exported)
        shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in step.initial_carry()]
        x = jax.ShapeDtypeStruct((1, *metadata["x"]["shape"]), jnp.dtype(metadata["x"]["dtype"]))
        jax.eval_shape(step, shapes, x)
        return step

    return _read(path, STEP, tried, "save_step")


def _read(path: str | Path, member: str, make: Callable[[dict[str, Any], export.Exported], T], writer: str) -> T:
    """What `make` makes of a file that `writer` wrote."""
    named, remedy = f"path={str(path)!r}", f"copy the file again, or write it again with {writer}"
    content = Path(path).read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            metadata = json.loads(archive.read("metadata.json"))
            program = archive.read(member)
    except Exception as error:  # of which zipfile and its decompressors have many
        raise ValueError(f"{named}: not a file written by {writer}, or damaged ({error}); {remedy}") from error
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        found = metadata.get("format") if isinstance(metadata, dict) else metadata
        raise ValueError(f"{named} has format {found!r:.40}: this version reads {FORMAT}")
    library("flatbuffers")
    if hashlib.sha256(program).hexdigest() != metadata.get("sha256"):
        raise ValueError(f"{named}: {member} does not match its SHA-256; {remedy}")
    try:
        return make(metadata, export.deserialize(bytearray(program)))
    except Exception as error:  # of which readers of StableHLO have many, too
        raise ValueError(f"{named}: holds nothing that can be read here ({error}); {remedy}") from error

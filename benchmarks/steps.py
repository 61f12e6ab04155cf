"""What a step of each cell costs beside its matrix products.

    python -m benchmarks.steps                      # all cells; goes on where it was stopped
    python -m benchmarks.steps --cells lstm gru

Forward, step by step, H = D = 256, B = 32, T = 100. Three programs in turns: the whole forward pass; the part of it
that does not depend on the carry (preparation of the weights, input projection); and the recurrent products alone, the
same ones in the same number, each fed with the result of the one before it, in a loop without gates. The time of a
step, forward less projection, over that of its products says what gates and memory cost: 1 would be nothing.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import rnn_jax
from benchmarks.results import Results, result_file
from benchmarks.timing import Ratio, affordable, interleaved, rows

SIZE, BATCH, LENGTH = 256, 32, 100
LIMIT = 1.5
WITHOUT = "no product with weights: bound by memory"
_SLICES = "gates on slices of what the loop has just read: XLA's CPU compiler does not vectorise them"
_SMALL = "one small product: reading and writing the carry, and what is pointwise, weigh as much"
REASONS: dict[str, str] = {
    "peephole_lstm": _SLICES,
    "lstmp": _SLICES,
    "mgu": _SLICES,
    "rhn": _SLICES + "; two layers of gates a step",
    "lem": _SLICES,
    "slstm": _SLICES + "; its gates take three exponentials and a maximum",
    "fastgrnn": _SMALL,
    "antisymmetric": _SMALL,
    "exprnn": _SMALL,
    "cayley": _SMALL,
    "echo_state": _SMALL,
    "clockwork": _SMALL + "; every module is computed at every step, then held or taken by its clock",
    "s4d": "each channel's states are read by weights of its own: a matrix-vector product, bound by memory",
}
"""Why a cell's step costs more than LIMIT times its products."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        cells: names in `rnn_jax.CELLS`.
        seconds: how long about the rounds of one cell take.
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
    """

    cells: tuple[str, ...] = tuple(rnn_jax.CELLS)
    seconds: float = 5.0
    output: Path | None = None
    fresh: bool = False


class Product(NamedTuple):
    """One product of a step with weights: an equation of its jaxpr, and which operand is the data."""

    equation: Any
    data: int

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Of data, weights and result."""
        operands = [variable.aval.shape for variable in self.equation.invars]
        return operands[self.data], operands[1 - self.data], self.equation.outvars[0].aval.shape

    @property
    def terms(self) -> int:
        """How many terms there are in the sum of each result."""
        kernel = self.shapes[1]
        if self.equation.primitive.name == "conv_general_dilated":
            return math.prod(kernel[:-1])
        contracted = self.equation.params["dimension_numbers"][0][1 - self.data]
        return math.prod(kernel[axis] for axis in contracted)

    def __str__(self) -> str:
        name = {"dot_general": "x", "conv_general_dilated": "*"}[self.equation.primitive.name]
        return name.join(str(list(shape)).replace(" ", "") for shape in self.shapes[:2])


def main(config: Config) -> None:
    results = Results(config.output or result_file("steps"), "steps", config.fresh)
    for name in config.cells:
        if name in results:
            continue
        cell = rnn_jax.CELLS[name](SIZE, SIZE)
        found = products(cell)
        programs = _programs(cell, found)
        seconds = interleaved(programs, affordable(programs, config.seconds), warm=True)
        # What one round took is subtracted within the round; then `ratio` sees the step as one more program.
        seconds["step"] = [a - b for a, b in zip(seconds["forward"], seconds["projection"], strict=True)]
        kept = {program: seconds[program] for program in ("step", "products") if program in seconds}
        measured = rows(name, kept | {"projection": seconds["projection"]}, reference="step")
        measured[0]["products"] = [str(product) for product in found]
        results.add(measured)
        print(f"{name}: {_line(measured[0])}", flush=True)
    print(table(results.stored))


def products(cell: rnn_jax.Cell) -> list[Product]:
    """The products of `cell.step` with weights. Products of data with data, as in matrix memories, are not among them.

    The jaxpr of the step is read twice: dims that change with the batch size are dims of data.
    """
    once, again = (list(_product_equations(_step_jaxpr(cell, batch))) for batch in (BATCH, BATCH + 1))
    found = []
    for equation, other in zip(once, again, strict=True):
        is_data = [a.aval.shape != b.aval.shape for a, b in zip(equation.invars, other.invars, strict=True)]
        if sum(is_data) == 1:
            found.append(Product(equation, is_data.index(True)))
    return found


def _step_jaxpr(cell: rnn_jax.Cell, batch: int) -> Any:
    params = jax.eval_shape(lambda: cell.prepare(cell.init(jax.random.key(0))))
    carry = jax.eval_shape(lambda: cell.initial_carry((batch,)))
    z = jax.eval_shape(cell.project, params, jax.ShapeDtypeStruct((batch, *cell.input_shape), jnp.float32))
    return jax.make_jaxpr(cell.step)(params, carry, z).jaxpr


def _product_equations(jaxpr: Any) -> Iterator[Any]:
    """Products and convolutions of a jaxpr and of those inside it."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            yield equation
        for value in equation.params.values():
            for inner in value if isinstance(value, list | tuple) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    repeats = equation.params["length"] if equation.primitive.name == "scan" else 1
                    yield from list(_product_equations(inner)) * repeats


def _programs(cell: rnn_jax.Cell, found: list[Product]) -> dict[str, Callable[[], object]]:
    random = np.random.default_rng(0)
    params = cell.init(jax.random.key(0))
    xs = jnp.asarray(random.normal(size=(LENGTH, BATCH, *cell.input_shape)), jnp.float32)
    forward = jax.jit(lambda params, xs: rnn_jax.unroll(cell, params, xs, method="sequential").ys)
    projection = jax.jit(lambda params, xs: cell.project(cell.prepare(params), xs))
    programs: dict[str, Callable[[], object]] = {
        "forward": lambda: forward(params, xs),
        "projection": lambda: projection(params, xs),
    }
    if found:
        chain, start, weights = products_alone(found, random)
        chained = jax.jit(chain)
        programs["products"] = lambda: chained(start, weights)
    return programs


def products_alone(found: list[Product], random: np.random.Generator) -> tuple[Callable, jax.Array, list[jax.Array]]:
    """A loop over LENGTH steps of nothing but the products, with its start and its weights.

    The weights are scaled so that the data keep their size: numbers that die out would be slow, and so would infinity.
    """
    shapes = [product.shapes for product in found]
    following = [data for data, *_ in shapes[1:] + shapes[:1]]
    weights = []
    for product, (_, kernel, result), after in zip(found, shapes, following, strict=True):
        pieces = max(1.0, math.prod(result) / math.prod(after))
        weights.append(jnp.asarray(random.normal(size=kernel) / math.sqrt(product.terms * pieces), jnp.float32))

    def step(data: jax.Array, weights: list[jax.Array]) -> jax.Array:
        for product, kernel, after in zip(found, weights, following, strict=True):
            operands = (data, kernel) if product.data == 0 else (kernel, data)
            data = _folded(product.equation.primitive.bind(*operands, **product.equation.params), after)
        return data

    def chain(start: jax.Array, weights: list[jax.Array]) -> jax.Array:
        return jax.lax.fori_loop(0, LENGTH, lambda _, data: step(data, weights), start)

    return chain, jnp.asarray(random.normal(size=shapes[0][0]), jnp.float32), weights


def _folded(result: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """All of `result` in an array of another size: pieces of that size are added, a result that is smaller repeats."""
    size = math.prod(shape)
    flat = jnp.tile(result.ravel(), math.ceil(size / result.size))
    if result.size > size:
        flat = jnp.pad(flat, (0, -result.size % size)).reshape(-1, size).sum(0)
    return flat[:size].reshape(shape)


def table(stored: dict[str, Any]) -> str:
    """Markdown: the time of a step over that of its products, cell by cell."""
    lines = ["| cell | products of a step | step, µs | step / products | above 1.5: why |", "|---|---|---|---|---|"]
    for row in (row for row in stored["rows"] if row["program"] == "step"):
        relative = step_over_products(row)
        reason = WITHOUT if relative is None else REASONS.get(row["case"], "") if relative.value > LIMIT else ""
        lines.append(
            f"| `{row['case']}` | {' · '.join(row['products'])} | {row['median'] / LENGTH * 1e6:.3g} "
            f"| {relative or ''} | {reason} |"
        )
    return "\n".join(lines)


def step_over_products(row: dict[str, Any]) -> Ratio | None:
    """What the row of a step says the other way round; None where there are no products."""
    stored = row["ratios"].get("products")
    return stored and Ratio(1 / stored["value"], 1 / stored["high"], 1 / stored["low"])


def _line(row: dict[str, Any]) -> str:
    return f"step {row['median'] / LENGTH * 1e6:.3g} µs, over its products {step_over_products(row) or 'none'}"


if __name__ == "__main__":
    main(tyro.cli(Config))

"""Known faults of some versions of jaxlib are not in this one, where the library would meet them.

All is computed in a process of its own, on one device, by programs compiled as for users: tests are compiled in haste.
"""

import functools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.unroll import methods_of

ROOT = Path(__file__).parent.parent
MANY = 32_769
"""Numbers from which on products were split among threads, and reductions of them lost a part."""


@pytest.fixture(scope="module")
def found():
    """What `main` computes: errors relative to the largest number, and ratios of times."""
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | {"JAX_NUM_CPU_DEVICES": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("name", ["product", "seeds", "gradient"])
def test_numbers_are_those_of_float64(found, name):
    errors = {case: error for case, error in found.items() if case.startswith(name)}
    assert len(errors) > 1 and max(errors.values()) < 1e-4, errors


def test_the_time_of_a_scan_grows_with_its_length(found):
    ratios = {case: ratio for case, ratio in found.items() if case.startswith("four times the steps")}
    assert len(ratios) > 1 and max(ratios.values()) < 8, ratios


def main() -> None:
    print(json.dumps(products() | seeds() | times() | gradients()))


def products() -> dict[str, float]:
    """Matrices by vectors, side by side, and what is made of the products."""
    random, errors = np.random.default_rng(0), {}
    for size, short in ((MANY, 4), (2 * MANY, 1)):
        arrays = [random.normal(size=(3, *shape)) for shape in ((size, short), (short,), (size,))]
        tall, x, y = (array.astype(np.float32).astype(np.float64) for array in arrays)
        product = np.einsum("snk,sk->sn", tall, x)
        cases = {
            "sum": (lambda a, x, y: (a @ x).sum(), product.sum(1)),
            "mean of squares": (lambda a, x, y: jnp.square(a @ x).mean(), np.square(product).mean(1)),
            "largest": (lambda a, x, y: (a @ x).max(), product.max(1)),
            "by a vector": (lambda a, x, y: (a @ x) @ y, (product * y).sum(1)),
            "long sum": (lambda a, x, y: (y @ a).sum(), np.einsum("snk,sn->s", tall, y)),
            "gradient": (
                lambda a, x, y: jax.grad(lambda x: jnp.square(a @ x).sum() / 2)(x),
                np.einsum("snk,sn->sk", tall, product),
            ),
        }
        for name, (function, wanted) in cases.items():
            given = (jnp.asarray(array, jnp.float32) for array in (tall, x, y))
            scale = max(abs(wanted).max(), size**0.5) if "sum" in name or "vector" in name else None  # may be near zero
            errors[f"product of {size}: {name}"] = apart(jax.jit(jax.vmap(function))(*given), wanted, scale)
    return errors


def elman() -> tuple[rnn_jax.Elman, dict, dict]:
    """A cell, and parameters of three seeds in float64 and in float32."""
    cell, random = rnn_jax.Elman(3, 4), np.random.default_rng(1)
    shapes = jax.eval_shape(cell.init, jax.random.key(0))
    given = jax.tree.map(lambda leaf: (0.4 * random.normal(size=(3, *leaf.shape))).astype(np.float32), shapes)
    return cell, jax.tree.map(np.float64, given), jax.tree.map(jnp.asarray, given)


def states(params: dict, xs: np.ndarray) -> np.ndarray:
    """Of an Elman cell, for each seed, by NumPy: `[S, T, H]`."""
    kernel, recurrent = params["input"]["kernel"], params["recurrent"]["kernel"]
    zs = np.einsum("td,sdh->tsh", xs, kernel) + params["input"]["bias"]
    hs, h = [], np.zeros(zs.shape[1:])
    for z in zs:
        h = np.tanh(z + np.einsum("sh,shk->sk", h, recurrent))
        hs.append(h)
    return np.stack(hs, 1)


def seeds() -> dict[str, float]:
    """Parameters of several seeds side by side, through `unroll` and a reduction over many steps."""
    cell, wide, params = elman()
    xs = np.random.default_rng(2).normal(size=(MANY, 3)).astype(np.float32)
    hs, errors = states(wide, np.float64(xs)), {}
    squares = np.square(hs).mean((1, 2))

    def outputs(params, method):
        return rnn_jax.unroll(cell, params, xs, method=method).ys

    for method in ways(cell):
        ys = functools.partial(outputs, method=method)
        errors[f"seeds {method}: outputs"] = apart(jax.jit(jax.vmap(ys))(params), hs)
        mean = jax.vmap(lambda params, ys=ys: jnp.square(ys(params)).mean())
        errors[f"seeds {method}: mean"] = apart(jax.jit(mean)(params), squares)
    return errors


def gradients() -> dict[str, float]:
    """Of a sum of squares over a long sequence, for all parameters, by a scan and by `unroll`."""
    cell, wide, params = elman()
    xs = np.random.default_rng(3).normal(size=(5000, 3)).astype(np.float32)
    hs = states(wide, np.float64(xs))
    recurrent = wide["recurrent"]["kernel"]
    back, dzs = np.zeros(hs[:, 0].shape), np.zeros(hs.shape)
    for t in reversed(range(len(xs))):
        dzs[:, t] = (2 * hs[:, t] + back) * (1 - hs[:, t] ** 2)
        back = np.einsum("sk,shk->sh", dzs[:, t], recurrent)
    before = np.concatenate([np.zeros_like(hs[:, :1]), hs[:, :-1]], 1)
    wanted = {
        "input": {"kernel": np.einsum("td,sth->sdh", xs, dzs), "bias": dzs.sum(1)},
        "recurrent": {"kernel": np.einsum("sth,stk->shk", before, dzs)},
    }

    def scanned(params):
        def step(h, x):
            h = jnp.tanh(x @ params["input"]["kernel"] + params["input"]["bias"] + h @ params["recurrent"]["kernel"])
            return h, h

        return jax.lax.scan(step, jnp.zeros(4), xs)[1]

    def unrolled(method):
        return lambda params: rnn_jax.unroll(cell, params, xs, method=method).ys

    errors, programs = {}, {"scan": scanned} | {method: unrolled(method) for method in ways(cell)}
    for name, ys in programs.items():
        given = jax.jit(jax.grad(lambda params, ys=ys: jnp.square(ys(params)).sum()))
        for seed in range(3):
            one, reference = (jax.tree.map(lambda leaf, seed=seed: leaf[seed], tree) for tree in (params, wanted))
            errors[f"gradient {name} {seed}"] = max(jax.tree.leaves(jax.tree.map(apart, given(one), reference)))
    return errors


def times() -> dict[str, float]:
    """The time of 200,000 steps with small outputs over that of 50,000."""

    def scan(xs):
        return jax.lax.scan(lambda h, x: (0.9 * h + x, h), jnp.zeros(xs.shape[1:]), xs)[1]

    cell, _, params = elman()
    params = jax.tree.map(lambda leaf: leaf[0], params)

    def unrolled(xs):
        return rnn_jax.unroll(cell, params, xs, method="sequential").ys

    cases = {"number": (scan, ()), "gradient": (jax.grad(lambda xs: scan(xs).sum()), ()), "unroll": (unrolled, (3,))}
    ratios = {}
    for name, (function, shape) in cases.items():
        compiled, least = jax.jit(function), {}
        for length in (50_000, 200_000):
            xs = jnp.ones((length, *shape))
            compiled(xs).block_until_ready()
            least[length] = min(seconds(compiled, xs) for _ in range(4))
        ratios[f"four times the steps: {name}"] = least[200_000] / least[50_000]
    return ratios


def seconds(function, *args) -> float:
    began = time.perf_counter()
    jax.block_until_ready(function(*args))
    return time.perf_counter() - began


def ways(cell: rnn_jax.Cell) -> list[str]:
    return ["sequential"] + ["fused"] * ("fused" in methods_of(cell))


def apart(given, wanted, scale: float | None = None) -> float:
    """The largest difference, in parts of the largest number."""
    return float(np.abs(np.asarray(given, np.float64) - wanted).max() / (scale or np.abs(wanted).max()))


if __name__ == "__main__":
    main()

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from benchmarks import steps
from benchmarks.results import FOLDER, read
from benchmarks.timing import rows


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("lstm", ["[32,8]x[8,32]"]),
        ("gru_reset_before", ["[32,8]x[8,16]", "[32,8]x[8,8]"]),
        ("slstm", ["[32,8]x[8,32]"]),
        ("mlstm", []),  # its products are of data with data
        ("indrnn", []),
    ],
)
def test_the_products_of_a_step_are_those_with_weights(name, shapes):
    found = steps.products(rnn_jax.CELLS[name](8, 8))
    assert [str(product) for product in found] == shapes


@pytest.mark.parametrize("name", ["lstm", "gru_reset_before", "lstmp"])
def test_the_loop_makes_the_same_products_and_keeps_the_data_alive(name):
    found = steps.products(rnn_jax.CELLS[name](16, 16))
    chain, start, weights = steps.products_alone(found, np.random.default_rng(0))
    inside = [str(eqn) for eqn in steps._product_equations(jax.make_jaxpr(chain)(start, weights).jaxpr)]
    assert len(inside) == steps.LENGTH * len(found)
    size = float(jnp.sqrt(jnp.mean(jnp.square(jax.jit(chain)(start, weights)))))
    assert 1e-30 < size < 1e30


def test_a_slow_cell_is_listed_with_its_reason(monkeypatch):
    monkeypatch.setattr(steps, "REASONS", {"slow": "because"})
    measured = [
        row | {"products": ["a"]}
        for name, times in (("slow", [4.0]), ("fast", [2.0]))
        for row in rows(name, {"step": times, "products": [2.0]}, reference="step")
    ]
    lines = steps.table({"rows": measured}).splitlines()[2:]
    assert lines == [
        "| `slow` | a | 4e+04 | 2.00 [2.00, 2.00] | because |",
        "| `fast` | a | 2e+04 | 1.00 [1.00, 1.00] |  |",
    ]


def test_every_slow_cell_in_the_results_has_a_reason():
    for path in FOLDER.glob("*-steps.json"):
        found = {row["case"]: steps.step_over_products(row) for row in read(path)["rows"] if row["program"] == "step"}
        slow = {name for name, relative in found.items() if relative is not None and relative.value > steps.LIMIT}
        assert slow <= steps.REASONS.keys(), f"{path.name}: write in benchmarks/steps.py why"

"""What the docstrings promise is so, and the table of the cells is the one that the code draws."""

import inspect
import json
import re

import jax
import pytest

import rnn_jax
from rnn_jax.cells import table


def promised_parameters(cell):
    """The formula of a cell's docstring, worked out for its sizes and default options."""
    letters = {"D": cell.input_size, "H": cell.hidden_size}
    for base in reversed(type(cell).__mro__):
        for name, letter in re.findall(r"^ +(\w+): ([A-Z])[.,; ]", base.__doc__ or "", re.MULTILINE):
            value = getattr(cell, name, None)
            letters[letter] = len(value) if isinstance(value, tuple) else value
    formula = table.parameter_formula(type(cell)).replace("²", "^2").replace("−", "-")
    formula = re.sub(r"(?<=[\w)]) +(?=[\w(])", " * ", formula).replace("^", "**")
    return eval(formula, {"__builtins__": {}}, letters)


@pytest.mark.parametrize(
    "sizes", [(8, 6), *(pytest.param(sizes, marks=pytest.mark.exhaustive) for sizes in ((3, 4), (1, 1)))]
)
@pytest.mark.parametrize("name", rnn_jax.CELLS)
def test_parameter_formulas(name, sizes):
    cell = rnn_jax.CELLS[name](*sizes)
    params = jax.eval_shape(cell.init, jax.random.key(0))
    assert rnn_jax.count_parameters(params) == promised_parameters(cell)


@pytest.mark.parametrize("name", rnn_jax.CELLS)
def test_every_cell_has_its_equations_and_its_paper(name, capsys):
    cell = rnn_jax.CELLS[name]
    assert "ₜ" in inspect.getmodule(cell).__doc__, "the module's docstring has no equations"
    assert "Carry" in cell.__doc__ or "Arguments as in" in cell.__doc__
    for paper in cell.papers:
        assert 1940 < paper.year < 2030 and "," in paper.authors and paper.title
        assert not paper.arxiv or re.fullmatch(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}", paper.arxiv)
    assert rnn_jax.citation(cell).count("@") >= 1
    assert f"title = {{{{{cell.papers[0].title}}}}}" in capsys.readouterr().out


def test_a_stack_cites_its_layers_once_each(capsys):
    stack = rnn_jax.Stack([rnn_jax.LSTM(2, 3), rnn_jax.Bidirectional(rnn_jax.GRU(3, 3)), rnn_jax.GRU(6, 3)])
    rnn_jax.citation(stack)
    keys = re.findall(r"@\w+{(\w+),", capsys.readouterr().out)
    assert keys[0] == "hochreiter1997long" and len(keys) == len(set(keys)) and "cho2014learning" in keys


def test_a_cell_without_a_paper_says_so():
    class Own(rnn_jax.Elman):
        papers = ()

    with pytest.raises(ValueError, match="cell=Own: it names no paper"):
        rnn_jax.citation(Own)


@pytest.mark.exhaustive
def test_cells_stand_by_family_and_year():
    text = table.tables(("gru", "elman", "lru", "lstm", "s4d", "s6"))
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert headings == ["## Gated", "## Simple", "## Linear"]
    assert [row[0] for row in rows] == ["| `lstm`", "| `gru`", "| `elman`", "| `s4d`", "| `lru`", "| `s6`"]
    assert rows[1][1:6] == ["`GRU`", "2014", "Cho et al., arXiv:1406.1078", "3 (D + H + 1) H + H", "256"]


def test_state_tracking_is_told_from_studies_alone(tmp_path):
    def condition(name, *values):
        return {"fields": {"set": name}, "seeds": {str(i): {"value": value} for i, value in enumerate(values)}}

    cells = [
        condition("s6", 0.009),
        condition("s6 [-1, 1]", 0.9, 1.0),
        condition("lstm", -0.001),
        condition("elman", None),
        condition("transformer", 0.5),
    ]
    assert table.state_tracking(tmp_path) == {}
    (tmp_path / "state-tracking-s3").mkdir()
    (tmp_path / "state-tracking-s3" / "study.json").write_text(json.dumps({"cells": cells}))
    assert table.state_tracking(tmp_path) == {"S3": {"s6": "0.01, 0.95 [-1, 1]", "lstm": "0.00"}}


CASES = [("training", 4096, 16), ("training", 4096, 1), ("training", 256, 1), ("forward", 4096, 1)]


def test_speeds_are_those_of_the_fastest_method_beside_a_gru_step_by_step(tmp_path):
    programs, rows = {"associative": 2.0, "sequential": 1.0, "gru": 3.5, "gru auto": 0.5}, []
    for work, length, batch in CASES:
        case = f"{work} s6 T{length} B{batch}"
        found = [{"case": case, "program": name, "median": median * batch} for name, median in programs.items()]
        rows += [found[0] | {"work": work, "cell": "s6", "length": length, "batch": batch}, *found[1:]]
    assert table.speeds_beside_gru(tmp_path) == {}
    (tmp_path / "cpu-linear.json").write_text(json.dumps({"rows": rows}))
    assert table.speeds_beside_gru(tmp_path) == {"s6": "B = 1: 3.5, B = 16: 3.5"}


@pytest.mark.exhaustive
def test_the_table_in_the_readme_is_current(tmp_path):
    copy = tmp_path / "README.md"
    copy.write_text(table.README.read_text())
    table.write(copy)
    assert copy.read_text() == table.README.read_text(), "run `python -m rnn_jax.cells.table`"

"""Names that others have chosen, in tables and figures of a study: shown as they are, whatever is in them."""

import html
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rnn_jax.analysis.figures import draws, save_figure
from rnn_jax.studies.crossings import crossings_markdown
from rnn_jax.studies.figures import draw_field, draw_validation, draw_values
from rnn_jax.studies.markup import latex_text, markdown_code, markdown_text, one_line
from rnn_jax.studies.overview import overview, overview_markdown
from rnn_jax.studies.tables import HEAD, costs, costs_markdown, latex, markdown
from rnn_jax.train.figures import draw_curves

NASTY = r"$x$y;a$b;$\frac{$;_x_;a|b;`a``;[a](b);<b>&amp;;* x\;[x;%;{;\input{x};~^;--;![a](../b)".split(";")
NASTY += ["a\nb\r\n\n# c", "a\x00\u2028b", "x  \n| y |"]
PIECES = st.lists(st.sampled_from([*NASTY, *"$_|\\`*[]<>{}#&%~^!-+.1 \n"])).map("".join)
NAMES = st.sampled_from(NASTY) | PIECES | st.text(max_size=12)


def study(name: str):
    """A study whose names, question, command, messages and metric all hold a name."""
    cells = [
        {"name": f"{name}{i}", "fields": {name or "x": i}, "notes": [name],
         "seeds": {"0": {"state": "done", "metric": name, "value": i / 4, "params": 3},
                   "1": {"state": "failed", "message": name}}}
        for i in range(1, 4)
    ]  # fmt: skip
    return {"question": name, "command": name, "reference": f"{name}1", "cells": cells, "experiment": "_tiny"}


def tables(text: str) -> list[list[list[str]]]:
    """Tables of Markdown, as cells of what a reader sees."""
    rendered = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    assert not re.search(r"<(img|a|script|b)\b(?! src=\"figures)", rendered), rendered
    rows = [re.findall(r"<tr>(.*?)</tr>", one, re.S) for one in re.findall(r"<table>(.*?)</table>", rendered, re.S)]
    plain = [[re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in one] for one in rows]
    return [[[html.unescape(re.sub("<[^>]+>", "", cell)).strip() for cell in row] for row in one] for one in plain]


@settings(max_examples=50, deadline=None)
@given(NAMES)
@example("`")
def test_words_in_markdown_are_what_they_were(name):
    rendered = MarkdownIt("commonmark", {"html": False}).render(f"x{markdown_text(name)}x")
    assert html.unescape(re.fullmatch(r"<p>(.*)</p>\n", rendered)[1]) == f"x{one_line(name)}x"
    if one_line(name):
        code = MarkdownIt("commonmark").render(f"x {markdown_code(name)}")
        assert html.unescape(re.fullmatch(r"<p>x <code>(.*)</code></p>\n", code)[1]) == one_line(name)


@settings(max_examples=15, deadline=None)
@given(NAMES)
def test_tables_have_a_row_for_each_config_whatever_its_name(name):
    found, seen = study(name), [one_line(f"{name}{i}") for i in range(1, 4)]
    (rows,) = tables(markdown(found, ["figures/values.png"]))
    assert [row[0] for row in rows] == ["config", *seen] and {len(row) for row in rows} == {1 + len(HEAD)}
    spent = costs({cell["name"]: [{"seconds": 1.0, "device": name}] for cell in found["cells"]}, {})
    (rows,) = tables(costs_markdown(found, spent))
    assert [row[0] for row in rows[1:]] == seen and {len(row) for row in rows} == {6}
    tables(crossings_markdown(found, spent))
    both = {"one": found, f"two{name}": found}
    text = overview_markdown(both, overview(both, {one: spent for one in both}), name, name, "figures/overview.png")
    assert {len(row) for row in tables(text)[0]} == {3} and len(set(text.split("\n\n")[:2])) == 2, "a title once"


@settings(max_examples=50, deadline=None)
@given(NAMES)
def test_latex_has_a_row_for_each_config_and_nothing_to_run(name):
    page = latex(study(name))
    body = re.search(r"\\midrule\n(.*)\n\\bottomrule", page, re.S)[1].split("\n")
    assert len(body) == 3 and all(line.endswith(r" \\") and not re.match(r"\[|\*", line) for line in body)
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {len(HEAD)}
    known = r"\\text(backslash|asciitilde|asciicircum|less|greater|bar)\{\}|\\[&%$#_{}]|-\{\}-|\{[\[*]\}"
    left = re.sub(known, "", latex_text(name))
    assert not re.search(r"[\\&%$#_{}~^<>|\n]", left), left
    assert all(line.startswith("%") for line in page.rstrip().split("\n\n")[-1].split("\n"))


@pytest.mark.exhaustive
@settings(max_examples=8, deadline=None)
@given(NAMES)
@example("a\nb\r\n\n# c")
@example(r"$\frac{$")
@example("a long name of many words, " * 12)
@example("a\n" * 30)
def test_figures_show_names_as_they_are(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("figures")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a letter that the font has not
        draw_values(study(name), folder / "values.png")
        draw_field(study(name), name or "x", {f"{name}{i}": 1.0 for i in range(1, 4)}, folder / "field.png")
        records = {name + "1": [[{"step": i, f"validation {name}": 1.0} for i in range(2)]]}
        draw_validation(records, folder / "curves.png", name)
        draw_curves([], folder / "loss.png", title=name, unit=name, lines={f"zero {name}": 1.0})
    assert {file.stem for file in folder.iterdir()} == {"values", "field", "curves", "loss"}


def test_ticks_of_a_logarithmic_axis_stay_formulas(tmp_path):
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.loglog([1, 1000], [1, 1000], label="$x$")
    axes.set_yticks([1, 10], ["$a$", "$b"])
    axes.set_title("$y$")
    axes.legend()
    for ending in ("png", "svg"):
        save_figure(figure, tmp_path / "new" / f"a.{ending}")
    assert axes.xaxis.get_major_ticks()[1].label1.get_parse_math()
    words = [axes.title, axes.get_legend().get_texts()[0], axes.yaxis.get_major_ticks()[0].label1]
    assert not any(text.get_parse_math() for text in words)


def test_a_figure_that_fails_is_a_warning():
    @draws
    def draw(file: Path) -> None:
        raise KeyError("nothing")

    with pytest.warns(RuntimeWarning, match="no figure a/b.png: KeyError: 'nothing'"):
        draw(Path("a/b.png"))

"""Pages of applications have what was found, how it is run, the form of one's own data, read from where it stands."""

import importlib
import re
import sys

import pytest

from experiments.published import remarks
from experiments.registry import FOLDER, experiment_names
from experiments.report import read_results, value_text
from experiments.standing import further_scores

DOCS = FOLDER.parent / "docs"


@pytest.fixture(scope="module")
def applications():
    sys.path.insert(0, str(DOCS))
    yield importlib.import_module("applications")
    sys.path.remove(str(DOCS))


@pytest.mark.parametrize("name", experiment_names())
def test_a_page_has_every_result_and_every_command_and_its_figures_exist(applications, name):
    page = applications.page_of(name)
    file = FOLDER / "results" / f"{name}.json"
    for row in read_results(file)["results"] if file.exists() else []:
        assert f"### {row['task']}" in page and value_text(row) in page
        plain = page.replace("\\", "")
        assert all(f"published: {one['who']}" in plain for one in row["published"])
        assert all(remark in plain for remark in remarks(f"{name}/{row['task']}"))
        assert all(score in plain and text in page for score, text in further_scores(row).items())
    for line in re.findall(rf"(?m)^    (python -m experiments\.{name}.*?)(?:  |$)", applications.docstring_of(name)):
        assert re.search(rf"(?m)^{re.escape(line)}$", page), line
    for figure in re.findall(r"(?m)^```\{figure\} (\S+)", page):
        assert (DOCS / "applications" / figure).resolve().exists(), figure
    assert not file.exists() or "{figure}" in page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("forecasting", "--known-future price,offer"),
        ("predictive_maintenance", "--unit machine"),
        ("sentiment", "--label-column"),
        ("music_generation", 'read_midi("song.mid"'),
        ("video", "--films FOLDER"),
    ],
)
def test_the_form_of_ones_own_data_is_that_of_the_experiments_page_and_of_this_application_alone(
    applications, name, words
):
    for other in experiment_names():
        assert (words in "\n".join(applications.own_data(other))) == (other == name), other


def test_what_a_command_does_stands_above_it_also_where_it_took_two_lines(applications):
    block = "    run FILE   answers, or\n               more\n    go"
    assert applications.as_shell(block) == "# answers, or more\nrun FILE\ngo"


def test_every_head_of_own_data_names_an_application():
    text = (FOLDER / "README.md").read_text().split("\n## Your own data\n")[1].split("\n## ")[0]
    heads = re.findall(r"(?m)^\*\*[A-Z][^*]+\*\*(?: \(([^)]*)\))?", text)
    named = {name for head in heads for name in re.findall(r"`(\w+)[` ]", head)}
    assert len(heads) > 8 and named <= set(experiment_names()) and "" not in heads[:-1], heads

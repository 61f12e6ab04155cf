"""What every application keeps: one object, configs that come back, help for each flag, commands that stay true."""

import ast
import dataclasses
import inspect
import itertools
import json
import re
import shlex
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from experiments import ablate as ablation
from experiments.cli import commands_of, run_command
from experiments.registry import experiment_names, load_experiment
from rnn_jax.studies.tables import latex, markdown
from rnn_jax.train import FitConfig, fit_config, flatten
from rnn_jax.train.fields import default_values, field_types
from tests.experiments.as_user import Commands

ROOT = Path(__file__).parents[2]
NAMES = experiment_names()
every_experiment = pytest.mark.parametrize("name", NAMES)


def config_types(name: str) -> dict[str, type]:
    found = load_experiment(name).Config
    return dict(found) if isinstance(found, Mapping) else {"": found}


TYPES = [
    pytest.param(name, one, id=f"{name}-{task}".strip("-"))
    for name in NAMES
    for task, one in config_types(name).items()
]
every_config = pytest.mark.parametrize(("name", "config_type"), TYPES)


def example(name: str, config_type: type):
    values = default_values(config_type)
    table = {"csv": "my.csv", "target": "load"} if values.get("task") == "own" else {}  # these have no default
    return load_experiment(name).configure(values | table)


@every_experiment
def test_it_is_one_object_that_its_folder_names(name):
    experiment = load_experiment(name)
    assert (experiment.module, experiment.name) == (f"experiments.{name}", name)
    assert "?" in experiment.question
    assert "evaluate" in [command.__name__ for command in experiment.commands]
    assert f"python -m experiments.{name}" in experiment.page


@every_experiment
def test_it_answers_new_inputs_and_its_own_tests_hold_the_answers_to_what_all_keep(name, capsys):
    experiment = load_experiment(name)
    assert {"predict", "evaluate", "export"} <= commands_of(experiment).keys()
    assert re.search(rf"python -m experiments.{name} predict RUN", experiment.page)
    tests = (ROOT / "tests" / "experiments" / name).glob("test_*.py")
    assert any("check_answers(" in file.read_text() for file in tests)
    for command in ("predict", "evaluate", "export"):
        assert Commands(experiment)(command, "--help") == 0
        page = capsys.readouterr().out
        assert "Args:" not in page and ("--data" in page or command != "evaluate")
    assert Commands(experiment)("predict") == 2  # which run?


@every_experiment
def test_a_command_on_a_run_shows_run_in_its_usage_and_data_of_ones_own_are_flags(name, capsys):
    experiment = load_experiment(name)
    for word, function in commands_of(experiment).items():
        if next(iter(inspect.signature(function).parameters)) in ("trained", "run", "runs"):
            assert Commands(experiment)(word, "--help") == 0
            assert " RUN" in capsys.readouterr().out.partition("\n\n")[0]
    values = [re.sub("[A-Z,]+", "1", word) for word in experiment.own_data.split()]
    assert bool(values) is (name not in ("gradient_flow", "memory", "state_tracking"))
    if values:
        config = Commands(experiment).config(*values)
        assert set(flatten(config)) >= {word[2:].replace("-", "_") for word in values if word.startswith("--")}


@every_config
def test_a_config_comes_back_from_its_fields(name, config_type, tmp_path):
    config, experiment = example(name, config_type), load_experiment(name)
    assert type(config) is config_type and isinstance(fit_config(config), FitConfig)
    stored = json.loads(json.dumps(flatten(config), default=str))
    assert experiment.configure(experiment.upgrade(stored)) == config and hash(config) == hash(
        experiment.configure(stored)
    )
    file = tmp_path / "config.json"
    file.write_text(json.dumps(stored))
    if experiment.default == "train":
        assert Commands(experiment).config("--config", file) == config


several_tasks = pytest.mark.parametrize("name", [name for name in NAMES if len(config_types(name)) > 1])


@several_tasks
def test_help_shows_all_tasks_and_how_to_see_the_flags_of_another(name, tmp_path, capsys):
    (file := tmp_path / "some.json").write_text('{"steps": 10, "evaluate_every": 10}')
    tasks = list(config_types(name))
    for words in (["--help"], ["-h"], ["train", "--help"], ["--help", "--config", file]):
        assert Commands(load_experiment(name))(*words) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert f"--task {{{','.join(tasks)}}}" in said and f"--task {tasks[-1]} --help shows" in said
    for task, one in config_types(name).items():
        assert Commands(load_experiment(name))("--task", task, "--help") == 0
        said = capsys.readouterr().out
        assert all(f"--{field.replace('_', '-')}" in said for field in field_types(one))


@several_tasks
def test_a_task_of_a_flag_goes_with_a_file_of_none_or_of_any_task(name, tmp_path):
    experiment, file = load_experiment(name), tmp_path / "some.json"
    for task, other in itertools.product(config_types(name), [None, *config_types(name)]):
        file.write_text(json.dumps({"steps": 10, "evaluate_every": 10} | ({"task": other} if other else {})))
        needed = ["--csv", "my.csv", "--target", "load"] if task == "own" else []
        config = Commands(experiment).config("--config", file, "--task", task, *needed, "--steps", 20)
        assert (config.task, fit_config(config).steps, fit_config(config).evaluate_every) == (task, 20, 10)


@pytest.mark.exhaustive
@several_tasks
def test_a_task_of_a_flag_goes_with_a_file_of_an_earlier_version(name, tmp_path):
    experiment, file, types = load_experiment(name), tmp_path / "old.json", config_types(name)
    every = {n: v for one in types.values() for n, v in flatten(example(name, one)).items()}
    every |= dict.fromkeys(every.keys() & {"csv", "target"}, "")
    for task, other in itertools.permutations(types, 2):
        stored = every | flatten(example(name, types[task])) | {"task": other}
        # The fields of one's own data say the task; a config of a task that has all fields is as one of today.
        if "own" not in (task, other) and experiment.upgrade(stored) != stored:
            file.write_text(json.dumps(stored))
            assert Commands(experiment).config("--config", file, "--task", task) == example(name, types[task])


def documented(config_type: type) -> set[str]:
    """The fields of a dataclass, of its bases and of its parts that have a docstring."""
    found = set()
    for one in config_type.__mro__:
        if dataclasses.is_dataclass(one):
            body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0].body
            for field, after in itertools.pairwise(body):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(after, ast.Expr)
                    and isinstance(after.value, ast.Constant)
                ):
                    found.add(field.target.id)
    for field in dataclasses.fields(config_type):
        if dataclasses.is_dataclass(part := type(field.default)):
            found |= documented(part)
    return found


@every_config
def test_each_flag_has_a_sentence_that_helps(name, config_type):
    assert set(field_types(config_type)) <= documented(config_type)
    assert len([one for one in config_type.__mro__ if dataclasses.is_dataclass(one)]) <= 3, "a chain of base classes"


@every_config
def test_a_wrong_value_is_named(name, config_type, capsys):
    task = {"task": value} if (value := default_values(config_type).get("task")) else {}
    words = [word for field, value in task.items() for word in (f"--{field}", value)]
    needed = ["--csv", "my.csv", "--target", "load"] if task == {"task": "own"} else []
    assert "steps=0" in Commands(load_experiment(name)).refused(capsys, *words, *needed, "--steps", "0")


RESULTS = [
    pytest.param(file.stem, row, id=f"{file.stem}-{row['task']}-{row['model']}")
    for file in sorted((ROOT / "experiments" / "results").glob("*.json"))
    for row in json.loads(file.read_text())["results"]
]


@pytest.mark.parametrize(("name", "row"), RESULTS)
def test_the_command_of_a_result_asks_for_the_config_of_the_result(name, row):
    program, *words = shlex.split(row["command"].removeprefix("python -m ").replace("SEED", "0"))
    assert program == f"experiments.{name}"
    experiment = load_experiment(name)
    config = Commands(experiment).config(*words)
    # A result may be older than some of the fields, which then have their defaults.
    stored = default_values(experiment.config_type(row["config"])) | row["config"] | {"seed": 0}
    assert experiment.configure(experiment.upgrade(stored)) == config


STUDIES = sorted((ROOT / "experiments" / "studies").glob("*/study.json"))


@pytest.mark.parametrize("file", STUDIES, ids=[file.parent.name for file in STUDIES])
def test_the_command_of_a_study_asks_for_its_conditions(file, monkeypatch, capsys):
    stored = json.loads(file.read_text())
    seen = []

    class Asked(Exception):
        pass

    def study(path, experiment, conditions, seeds, layout, about):
        seen.append((experiment.name, conditions, list(seeds), layout, about["command"]))
        raise Asked

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(ablation, "Study", study)
    monkeypatch.setattr(ablation, "match_parameters", lambda conditions, *_: conditions)
    program, *words = shlex.split(stored["command"].removeprefix("python -m "))
    assert program == "experiments.ablate"
    with pytest.raises(Asked):
        run_command(ablation.ablate, words)
    ((experiment, conditions, seeds, layout, command),) = seen
    assert (experiment, seeds, layout, command) == (
        stored["experiment"], stored["seeds"], stored["layout"], stored["command"],
    )  # fmt: skip
    for condition, cell in zip(conditions, stored["cells"], strict=True):
        sizes = {"hidden_size": cell["fields"]["hidden_size"]} if "hidden_size" in cell["fields"] else {}
        assert condition.fields | sizes == cell["fields"]


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("file", STUDIES, ids=[file.parent.name for file in STUDIES])
def test_the_tables_of_a_study_are_those_of_its_values(file):
    stored, table = json.loads(file.read_text()), file.with_name("table.md").read_text()
    figures = re.findall(r"^!\[(.+)\]\(\1\)$", table, re.MULTILINE)
    assert figures and all((file.parent / figure).exists() for figure in figures)
    assert table == markdown(stored, figures) and file.with_name("table.tex").read_text() == latex(stored)


def blocks() -> list[str]:
    pages = [ROOT / "README.md", *(ROOT / "experiments").rglob("*.md")]
    generated = {"_build", "api", "applications"}
    pages += [page for page in (ROOT / "docs").rglob("*.md") if not generated & set(page.parts)]
    lines = [
        line
        for page in pages
        for line in re.findall(r"^\s*(python -m experiments\.[^`#\n]*)", page.read_text().replace("\\\n", " "), re.M)
    ]
    pages = [load_experiment(name).page for name in NAMES]
    lines += [line for page in pages for line in re.findall(r"^    (python -m experiments\..*?)(?:  |$)", page, re.M)]
    return sorted({line.strip().removesuffix(" &") for line in lines if "NAME" not in line and "--help" not in line})


@pytest.mark.parametrize("line", blocks())
def test_what_a_page_tells_to_type_is_a_command(line):
    program, *words = shlex.split(line.removeprefix("python -m experiments."))
    words = [re.sub(r"^my_cells:.*", "gru", word) for word in words]  # a file that the reader writes
    if program not in NAMES:
        assert (ROOT / "experiments" / f"{program}.py").exists()
        return
    experiment = load_experiment(program)
    if words and not words[0].startswith("-"):
        assert words[0] in commands_of(experiment), line
    elif "best.json" not in line and experiment.default == "train":
        Commands(experiment).config(*words)

"""Experiments by their names: what is said of a name that stands for none."""

import pytest

from experiments.registry import load_experiment


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder with a package of a user's, as `python -m` is called in it."""
    for name, text in (("gauge", ""), ("scale", "EXPERIMENT = dict(a=1)")):
        (tmp_path / "user_lab" / name).mkdir(parents=True)
        (tmp_path / "user_lab" / name / "__init__.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sentimant", "did you mean sentiment[?] expected one of "),
        ("scale", "did you mean user_lab.scale[?] expected one of "),
        ("user_lab.scael", "did you mean user_lab.scale[?] "),
        ("gauge", "'gauge': expected one of "),
        ("nothing_of_this_name", ": expected one of .*, or a module of yours"),
        ("user_lab.gauge", "the module user_lab.gauge was found, but has no EXPERIMENT: expected EXPERIMENT = "),
        ("user_lab.scale", "the module user_lab.scale was found, but has EXPERIMENT={'a': 1}: expected EXPERIMENT = "),
    ],
)
@pytest.mark.usefixtures("lab")
def test_what_is_no_experiment_is_told(name, message):
    with pytest.raises(ValueError, match=f"experiment=.*{message}"):
        load_experiment(name)

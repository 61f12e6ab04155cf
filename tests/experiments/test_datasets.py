"""The records of data sets: complete, and on the page."""

import importlib
import re
from pathlib import Path

import pytest

import experiments
from rnn_jax.data import Dataset

FOLDER = Path(experiments.__file__).parent


def records() -> dict[str, Dataset]:
    """The records of all applications by the name of the data set; each stands in one module."""
    found: dict[str, Dataset] = {}
    for file in sorted(FOLDER.rglob("*.py")):
        if re.search(r"^\w+ = Dataset\(", file.read_text(), re.M):
            path = file.relative_to(FOLDER.parent).with_suffix("")
            for value in vars(importlib.import_module(".".join(path.parts))).values():
                if isinstance(value, Dataset):
                    assert found.setdefault(value.name, value) is value, f"two records of {value.name}"
    return found


RECORDS = records()


def test_the_page_names_every_data_set_and_no_other():
    table = (FOLDER / "README.md").read_text().partition("## Data sets\n")[2].partition("\n## ")[0]
    names = [name for row in re.findall(r"^\|(.*?)\|", table, re.M) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(names) == sorted(RECORDS)


@pytest.mark.parametrize("dataset", RECORDS.values(), ids=RECORDS)
def test_a_record_is_complete(dataset):
    assert dataset.licence and dataset.citation and dataset.split and dataset.files
    assert len({file.name for file in dataset.files}) == len(dataset.files)
    for file in dataset.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size > 0
        commit = getattr(file, "commit", "0" * 40)
        assert re.fullmatch("[0-9a-f]{40}", commit), "a branch may move"

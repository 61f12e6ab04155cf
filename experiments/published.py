"""What others have reached on the tasks of the experiments, what was to be reached here, and remarks on results.

published.json, remarks.json and goals.json: which runs, results and tables go by. A key of remarks.json may be a
pattern, such as forecasting/etth1-*.
"""

import fnmatch
import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "published.json"
REMARKS = Path(__file__).parent / "remarks.json"
GOALS = Path(__file__).parent / "goals.json"


def published(task: str) -> list[dict[str, Any]]:
    """What is published about a task.

    Args:
        task: EXPERIMENT/TASK, as in `experiments/results`.

    Returns:
        Dicts with `who`, `value` (of the task's metric) and `source`; none of a task that nobody has published about.
    """
    return [dict(one) for one in _everything(FILE).get(task, [])]


def remarks(task: str) -> list[str]:
    """What is to be known before the results of a task are compared, in sentences.

    Args:
        task: EXPERIMENT/TASK, as in `experiments/results`.
    """
    said = _everything(REMARKS).items()
    return [remark for tasks, remarks in said if fnmatch.fnmatchcase(task, tasks) for remark in remarks]


def goal(task: str) -> tuple[float, str] | None:
    """What a result of a task is to reach, for some set after earlier results, and what was tried if it is missed.

    Args:
        task: EXPERIMENT/TASK, as in `experiments/results`.
    """
    found = _everything(GOALS).get(task)
    return (found["goal"], found.get("tried", "")) if found else None


def values_of(known: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Values by who reached them; of one name the last."""
    return {one["who"]: one["value"] for one in known}


@functools.cache
def _everything(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text("utf-8"))

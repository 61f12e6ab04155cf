"""How a task stands: the models that were trained on it, what is published about it, the baselines of the same runs."""

import dataclasses
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

UNKNOWN = "not recorded"
"""In the place of a processor of which the run's manifest says nothing."""


@dataclasses.dataclass(frozen=True)
class Standing:
    """A task and all that is known of it.

    Attributes:
        experiment: whose task it is.
        task: its name.
        rows: one for each model: `model`, `metric`, `higher_is_better`, `mean`, `std`, `n`, `params`, `seconds`,
            `baselines`, `published`, `command`; see `experiments.report collect`.
    """

    experiment: str
    task: str
    rows: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """EXPERIMENT/TASK."""
        return f"{self.experiment}/{self.task}"

    @property
    def metric(self) -> str:
        """What a score is."""
        return self.rows[0]["metric"]

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is the better one."""
        return self.rows[0]["higher_is_better"]

    @property
    def ranked(self) -> list[dict[str, Any]]:
        """The rows, the best model first."""
        return sorted(self.rows, key=lambda row: row["mean"], reverse=self.higher_is_better)

    @property
    def published(self) -> list[dict[str, Any]]:
        """What is published about any of the models: dicts with `who`, `value` and `source`, the best first."""
        every = {(one["who"], one["value"], one["source"]): one for row in self.rows for one in row["published"]}
        return sorted(every.values(), key=lambda one: one["value"], reverse=self.higher_is_better)

    @property
    def baselines(self) -> dict[str, float]:
        """The baselines of all runs by name, the best first; of one name the best, as some learn from less."""
        every = [item for row in self.rows for item in row["baselines"].items()]
        best: dict[str, float] = {}
        for name, value in sorted(every, key=lambda item: item[1], reverse=self.higher_is_better):
            best.setdefault(name, value)
        return best

    @property
    def others(self) -> list[float]:
        """The values of all that the models are compared with."""
        return [one["value"] for one in self.published] + list(self.baselines.values())

    def best(self, values: Iterable[float]) -> float | None:
        """The best of some scores, None of none."""
        return (max if self.higher_is_better else min)(values, default=None)


def standings(experiment: str, rows: Iterable[dict[str, Any]]) -> list[Standing]:
    """The tasks of an experiment, in the order of their names."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["task"], row["metric"]), []).append(row)
    return [Standing(experiment, task, same) for (task, _), same in sorted(found.items())]


def slug(text: str) -> str:
    """A text in small letters, digits and hyphens, for names of files and places of a page."""
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")


def is_transformer(row: dict[str, Any]) -> bool:
    """Whether a result is that of a transformer."""
    return row["config"].get("model") == "transformer"


def mean_baselines(each: Sequence[Mapping[str, float]], weights: Sequence[int]) -> dict[str, float]:
    """The means of baselines over runs, as a seed may divide the data, too; of those that every run has.

    Args:
        each: the baselines of a run, or their means over several.
        weights: of how many runs they are.
    """
    shared = [name for name in each[0] if all(name in one for one in each)]
    found = {}
    for name in shared:
        values = [one[name] for one in each]
        total = math.fsum(value * weight for value, weight in zip(values, weights, strict=True))
        found[name] = values[0] if len(set(values)) == 1 else total / sum(weights)
    return found


def over_seeds(values: Sequence[float]) -> dict[str, Any]:
    """What a row says of the values of its seeds: their `mean`, deviation `std`, which one alone has not, and `n`."""
    spread = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "std": spread, "n": len(values)}


def spread_text(row: dict[str, Any]) -> str:
    """Mean ± half of its 95 % interval over seeds, after Student 1908."""
    return rounded(row["mean"], half_width(row["std"], row["n"]))


def rounded(mean: float, spread: float | None) -> str:
    """A mean ± what it may be off by, both to the digit that this leaves certain."""
    if not spread:
        return number_text(mean) + (" ± 0" if spread == 0 else "")
    if 0 < abs(mean) < 1e-3:
        return f"{mean:.1e} ± {spread:.1e}"
    digits = 2 if f"{spread:e}"[0] == "1" else 1  # of the spread: 0.15 or 0.3
    decimals = max(0, digits - 1 - math.floor(math.log10(spread)))
    return f"{mean:.{decimals}f} ± {spread:.{decimals}f}"


def half_width(deviation: float | None, n: int) -> float | None:
    """Half of the 95 % interval of a mean over n seeds by their deviation; None of one seed."""
    from scipy.stats import t as student

    return None if deviation is None else deviation * float(student.isf(0.025, n - 1)) / math.sqrt(n)


def further_scores(row: dict[str, Any]) -> dict[str, str]:
    """Further scores of a result by their names: means ± half of their 95 % intervals over the seeds that have them.

    Of scores that are intervals themselves, the means of both ends.
    """
    each = row.get("scores", [])
    found = {}
    for name in dict.fromkeys(name for scores in each for name in scores):
        of_seeds = [scores[name] for scores in each if name in scores]
        values = [value for value in of_seeds if isinstance(value, int | float)]
        if values:
            found[name] = spread_text(over_seeds(values))
        if pairs := [value for value in of_seeds if _is_interval(value)]:
            found[name] = f"[{', '.join(number_text(statistics.fmean(ends)) for ends in zip(*pairs, strict=True))}]"
    return found


FURTHER = ("further score", "model", "mean over seeds")


def further_rows(rows: Iterable[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """What `FURTHER` heads: each further score of each result."""
    return [(name, row["model"], value) for row in rows for name, value in further_scores(row).items()]


def _is_interval(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(end, int | float) for end in value)


def value_text(row: dict[str, Any]) -> str:
    """Mean ± half of its 95 % interval over seeds, and their number, in brackets."""
    return f"{spread_text(row)} ({row['n']})"


def device_text(row: dict[str, Any]) -> str:
    """What a result was computed on: the device, and the processors that are known, as these round differently."""
    processors = dict.fromkeys(one for one in row.get("processors", []) if one != UNKNOWN)
    return "; ".join([row["device"], *processors])


def number_text(value: float) -> str:
    """A value of which no spread is known: three digits at least, or powers of ten where it is next to zero."""
    size = abs(value)
    form = ".2f" if size >= 10 else ".3f" if size >= 0.1 or not size else ".4f" if size >= 1e-3 else ".1e"
    return f"{value:{form}}"

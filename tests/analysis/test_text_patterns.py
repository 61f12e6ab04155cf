"""Patterns of a text that was counted by hand, and units that were made to track them."""

import numpy as np
import pytest

from rnn_jax.analysis.text_patterns import correlations, draw_pattern_units, pattern_units, text_patterns

TEXT = 'He said "Oh (a)!"\nI do'


def test_patterns_counted_by_hand():
    found = text_patterns(TEXT)
    assert found["place in the line"].tolist() == [*range(1, 18), 0, 1, 2, 3, 4]
    assert "".join(c for c, inside in zip(TEXT, found["in quotes"], strict=True) if inside) == '"Oh (a)!"'
    assert "".join(c for c, inside in zip(TEXT, found["in brackets"], strict=True) if inside) == "(a)"
    assert "".join(c for c, first in zip(TEXT, found["first letter of a word"], strict=True) if first) == "HsOaId"
    assert found["place in the word"].tolist()[:7] == [1, 2, 0, 1, 2, 3, 4]
    assert "digit" not in found, "what does not occur has no correlation"
    assert text_patterns("") == {} and text_patterns("a)]b")["place in the word"].tolist() == [1, 0, 0, 1]


def test_units_that_track_a_pattern_are_found(tmp_path):
    rng = np.random.default_rng(0)
    text = TEXT * 20
    patterns = text_patterns(text)
    states = rng.normal(size=(len(text), 6))
    states[:, 4] = 3 - 2 * patterns["in quotes"]
    states[:, 1] = patterns["place in the line"] + 2 * rng.normal(size=len(text))
    states[:, 5] = 7.0
    found = pattern_units(states, patterns)
    assert next(iter(found)) == "in quotes" and found["in quotes"] == (4, pytest.approx(-1))
    assert found["place in the line"].unit == 1
    wanted = [np.corrcoef(states[:, i], patterns["vowel"])[0, 1] for i in range(5)]
    np.testing.assert_allclose(correlations(states, patterns["vowel"]), [*wanted, 0])
    with pytest.raises(ValueError, match="pattern has 3 steps: expected 440"):
        correlations(states, np.ones(3))
    shown = dict(list(found.items())[:2])
    draw_pattern_units("$" + text[:150], states[:151], shown, tmp_path / "text.png", "title")
    assert (tmp_path / "text.png").stat().st_size > 10_000

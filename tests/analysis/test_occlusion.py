"""Occlusion of a score that is known: a sum of weights loses exactly the weights of what is taken out."""

import numpy as np
import pytest

from rnn_jax.analysis import occlusion


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_a_linear_score_loses_the_weights_of_each_part(batch_size):
    weights = np.array([0.5, 10.0, 1.0, -2.0, 4.0])
    shapes = set()

    def score(tokens, lengths):
        shapes.add(tokens.shape)
        return (weights[tokens] * (np.arange(len(tokens))[:, None] < lengths)).sum(0)

    tokens = np.array([2, 3, 4, 2], np.int32)
    found = occlusion(score, tokens, [(0, 1), (1, 3), (3, 4), (1, 2)], 0, batch_size=batch_size)
    np.testing.assert_allclose(found, [0.5, (-2 + 4) - 2 * 0.5, 0.5, -2.5])
    assert shapes == {(4, batch_size)}, "another shape is another compilation"
    assert occlusion(score, tokens, [], 0).shape == (0,)


@pytest.mark.parametrize("span", [(0, 0), (2, 5), (-1, 2)])
def test_parts_outside_of_the_sequence_are_refused(span):
    with pytest.raises(ValueError, match="is not inside of a sequence of 4 steps"):
        occlusion(lambda tokens, lengths: lengths, np.arange(4), [span], 0)

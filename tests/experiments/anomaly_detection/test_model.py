"""Networks of series: what each is trained and validated on, and that its loss is that of its own series."""

import jax
import numpy as np
import pytest
from scipy.stats import norm

from experiments.anomaly_detection.model import predictor_losses, training_batches
from tests.experiments.anomaly_detection.small_series import CONFIG


def test_rows_to_train_and_to_validate_on(detected):
    features = detected.features
    training, validation = training_batches([features[0], features[1]._replace(training_rows=40)], 3)
    for s, n in enumerate((60, 40)):
        known = np.isfinite(features[s].series.values[:n])
        for batch, first, last in ((training, 4, 0.8 * n), (validation, 0.8 * n, n)):
            step = np.arange(n)
            np.testing.assert_array_equal(batch["weights"][s, :n], known & (step >= first) & (step < last))
            assert not batch["weights"][s, n:].any()
            rows = np.flatnonzero(batch["weights"][s])
            expected = [features[s].rows[t].value - features[s].rows[t].known for t in rows]
            np.testing.assert_allclose(batch["targets"][s, rows], expected, rtol=1e-6)
            np.testing.assert_array_equal(batch["inputs"][s, rows], [features[s].rows[t].inputs for t in rows])


@pytest.mark.exhaustive
def test_each_network_has_the_likelihood_of_its_own_series(detected):
    features, params, rebuild, detections = detected
    batch = training_batches(features, 3)[1]
    losses = jax.jit(lambda params: predictor_losses(CONFIG.model, rebuild, params, batch))(params)
    for s, (one, detection) in enumerate(zip(features, detections, strict=True)):
        rows = np.flatnonzero(batch["weights"][s])
        values = detection.prediction[rows], detection.high[rows]
        mean, high = (np.array([one.scaling.to_unit(x) for x in xs]) for xs in values)
        targets = [one.rows[t].value for t in rows]
        expected = -norm.logpdf(targets, mean, (high - mean) / 1.645).mean()
        np.testing.assert_allclose(losses[s], expected, rtol=1e-4)

    def loss_of_first(params):
        return predictor_losses(CONFIG.model, rebuild, params, batch, jax.random.key(0))[0]

    gradient = jax.jit(jax.grad(loss_of_first))(params)
    assert all(np.asarray(leaf[0]).any() and not np.asarray(leaf[1]).any() for leaf in jax.tree.leaves(gradient))

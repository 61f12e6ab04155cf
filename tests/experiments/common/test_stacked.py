"""Models side by side are the same as alone."""

import jax
import numpy as np
from flax import nnx

from experiments.common.stacked import stack_params
from rnn_jax.nnx import functional


def test_models_side_by_side_are_as_alone():
    def build(key):
        return functional(nnx.Linear(3, 2, rngs=nnx.Rngs(params=key)))

    params, rebuild = stack_params(build, jax.random.key(0), 4)
    xs = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    together = jax.vmap(lambda p, x: rebuild(p)(x))(params, xs)
    for k, key in enumerate(jax.random.split(jax.random.key(0), 4)):
        alone, _ = build(key)
        np.testing.assert_allclose(together[k], rebuild(alone)(xs[k]), rtol=1e-6)
    assert len(np.unique(params["kernel"])) == 4 * 6

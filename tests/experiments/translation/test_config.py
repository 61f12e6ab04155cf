"""Both models of a config have as many parameters."""

import jax

from experiments.translation import EXPERIMENT


def test_the_transformer_is_as_large():
    sizes = []
    for model in ("recurrent", "transformer"):
        config = EXPERIMENT.configure({"model": model})
        made = jax.eval_shape(lambda key, config=config: config.model.encoder_decoder(5000, key), jax.random.key(0))
        sizes.append(sum(leaf.size for leaf in jax.tree.leaves(made)))
    assert abs(sizes[1] - sizes[0]) <= 0.05 * sizes[0] and sizes[0] > 1_000_000

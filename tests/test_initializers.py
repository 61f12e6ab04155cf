import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax import initializers


def test_chrono_spreads_the_memory_of_the_units_evenly_up_to_the_longest_dependence():
    memory = 1 + np.exp(initializers.chrono(jax.random.key(0), 4000, 50))
    assert memory.min() >= 2 and memory.max() <= 50
    counts, _ = np.histogram(memory, bins=4, range=(2, 50))
    np.testing.assert_allclose(counts, 1000, atol=150)
    assert initializers.chrono(jax.random.key(0), 3, 2).tolist() == [0, 0, 0]
    half = initializers.chrono(jax.random.key(0), 4000, 50, jnp.bfloat16)
    assert half.dtype == jnp.bfloat16 and len(np.unique(np.asarray(half, np.float32))) > 200


@pytest.mark.parametrize("longest", [1, 2.5, True])
def test_chrono_refuses_what_is_no_time(longest):
    with pytest.raises(ValueError, match=f"longest={longest}: expected an int of at least 2"):
        initializers.check_longest(longest)


def test_gates_that_read_the_input_alone_have_no_recurrent_kernel():
    params = initializers.gated_kernels(jax.random.key(0), 3, 4, 3, recurrent_gates=2)
    assert jax.tree.map(jnp.shape, params) == {"input": {"kernel": (3, 12)}, "recurrent": {"kernel": (4, 8)}}

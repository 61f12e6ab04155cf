import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def usual_promotion():
    """What experiments call of Flax and optax promotes types, and Flax's attention ranks, too."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield

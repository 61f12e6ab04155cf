import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def standard_promotion():
    """Optax multiplies Python floats with integer counters, which the strict promotion of the other tests refuses."""
    with jax.numpy_dtype_promotion("standard"):
        yield

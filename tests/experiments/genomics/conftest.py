"""Three small models of nucleotides side by side."""

import jax
import pytest

from tests.experiments.genomics.small_sequences import CONFIG


@pytest.fixture(scope="module")
def stacked():
    """The stacked parameters of three models, and the way from those of one to it."""
    return CONFIG.models(2, 8)


@pytest.fixture(scope="module")
def model(stacked):
    params, rebuild = stacked
    return rebuild(jax.tree.map(lambda leaf: leaf[0], params))

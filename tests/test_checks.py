"""What a message says about a name that is none."""

import jax
import jax.numpy as jnp
import pytest

from rnn_jax import GRU, load_run, make_cell, unroll
from rnn_jax.checks import check_choice, nearest


def test_the_nearest_name_is_asked_for_whatever_its_case_and_its_hyphens():
    names = ("hidden_size", "learning_rate", "GRU")
    assert nearest("hiden-size", names) == "did you mean 'hidden_size'? "
    assert nearest("Learning Rate", names) == "did you mean 'learning_rate'? "
    assert nearest("gru", names) == "did you mean 'GRU'? "
    assert nearest("zebra", names) == nearest(["gru"], names) == nearest("gru", ()) == ""


def test_choices_cells_and_methods_are_looked_up_so():
    cell = GRU(2, 3)
    with pytest.raises(ValueError, match=r"kind='dep': did you mean 'deep'[?] expected one of 'small', 'deep'"):
        check_choice("kind", "dep", ("small", "deep"))
    with pytest.raises(ValueError, match=r"cell='lsmt' is unknown: did you mean 'lstm'[?]"):
        make_cell("lsmt", 2, 3)
    with pytest.raises(ValueError, match=r"method='asociative': did you mean 'associative'[?] expected 'auto', one of"):
        unroll(cell, cell.init(jax.random.key(0)), jnp.ones((4, 2)), method="asociative")


def test_a_run_is_named_by_a_path(shapes_unchecked):
    with pytest.raises(ValueError, match="path=3: expected the path of a run's directory"):
        load_run(3)

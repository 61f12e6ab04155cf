"""Automata out of networks that were built by hand to be ones, and out of noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.analysis.automata import Automaton, extract_automaton
from tests.analysis.hand_built import PARITY, RUNS, built

RNG = np.random.default_rng(0)
# What is said at 0 and 1, and at 2 and 3, is the same: outputs alone do not tell the state.
COUNTER = Automaton(0, np.array([[0, 1], [1, 2], [2, 3], [3, 0]]), np.array([0, 0, 1, 1]))


def network(automaton, inputs):
    """The states of a network that is the automaton."""
    cell, params, first = built(automaton)
    carry = jnp.broadcast_to(first[None], (inputs.shape[1], len(first)))
    return np.asarray(rnn_jax.unroll(cell, params, jax.nn.one_hot(jnp.asarray(inputs), 2), carry).ys)


@pytest.mark.parametrize(("automaton", "states"), [(PARITY, 2), (RUNS, 4), (COUNTER, 4)])
def test_the_automaton_of_a_network_is_found_and_small(automaton, states):
    inputs, held_out = RNG.integers(0, 2, (12, 40)), RNG.integers(0, 2, (50, 20))
    hidden, said = network(automaton, inputs), automaton.run(inputs)
    assert (hidden.sum(-1) == 1).all(), "one unit is on"
    noisy = hidden + 0.05 * RNG.normal(size=hidden.shape)
    for seen in (hidden, noisy):
        found = extract_automaton(seen, inputs, said)
        assert found.transitions.shape == (states, 2)
        assert found.agreement(held_out, automaton.run(held_out)) == 1
    assert found.table(("zero", "one")).splitlines()[0].split() == ["state", "output", "zero", "one"]
    assert found.table().count("\n") == states and f">{found.start}" in found.table()


def test_states_without_information_have_no_automaton():
    inputs = RNG.integers(0, 2, (20, 30))
    said = COUNTER.run(inputs)
    found = extract_automaton(RNG.normal(size=(20, 30, 3)), inputs, said, most=8)
    held_out = RNG.integers(0, 2, (20, 500))
    assert 0.4 < found.agreement(held_out, COUNTER.run(held_out)) < 0.6
    constant = extract_automaton(np.ones((20, 30, 3)), inputs, np.ones_like(inputs), tokens=3)
    assert constant.transitions.tolist() == [[0, 0, 0]] and constant.outputs.tolist() == [1]


def test_what_is_said_where_nothing_is_asked_is_no_matter():
    inputs, held_out = RNG.integers(0, 2, (12, 200)), RNG.integers(0, 2, (50, 20))
    hidden, said = network(COUNTER, inputs), COUNTER.run(inputs)
    asked = np.broadcast_to(np.arange(12)[:, None] % 2 == 0, inputs.shape)
    found = extract_automaton(hidden, inputs, np.where(asked, said, RNG.integers(0, 2, said.shape)), mask=asked)
    assert len(found.outputs) < 16, "one state for what is asked and what is not, one after each input"
    even = slice(0, None, 2)
    assert (found.run(held_out)[even] == COUNTER.run(held_out)[even]).all()


def test_minimal_automata_do_the_same():
    for _ in range(20):
        large = Automaton(0, RNG.integers(0, 8, (8, 2)), RNG.integers(0, 2, 8))
        small, words = large.minimal(), RNG.integers(0, 2, (30, 50))
        assert small.agreement(words, large.run(words)) == 1
        assert len(small.outputs) == len(small.minimal().outputs) <= 8
    assert len(RUNS.minimal().outputs) == 4


def test_mistakes_are_named():
    states, inputs = np.zeros((3, 2, 1)), np.zeros((3, 2), int)
    with pytest.raises(ValueError, match=r"outputs \[2, 3\]: expected \[T, B, H\], \[T, B\], \[T, B\]"):
        extract_automaton(states, inputs, inputs.T)
    with pytest.raises(ValueError, match="inputs from -1"):
        extract_automaton(states, inputs - 1, inputs)

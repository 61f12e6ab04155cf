"""Networks that were built by hand to be automata."""

import itertools

import jax.numpy as jnp
import numpy as np

import rnn_jax
from rnn_jax.analysis.automata import Automaton

PARITY = Automaton(0, np.array([[0, 1], [1, 0]]), np.array([0, 1]))
# Three ones in a row are a trap, 3. State 4, the start, is a copy of 0.
RUNS = Automaton(4, np.array([[4, 1], [0, 2], [4, 3], [3, 3], [0, 1]]), np.array([0, 0, 0, 1, 0]))


def built(automaton):
    """An Elman cell with one unit for each pair of a state and an input, its params, and the carry of the start."""
    states, tokens = automaton.transitions.shape
    pairs = list(itertools.product(range(states), range(tokens)))
    cell = rnn_jax.Elman(tokens, len(pairs), activation="relu")
    kernel = jnp.asarray([[float(x == token) for _, x in pairs] for token in range(tokens)])
    recurrent = jnp.asarray([[float(automaton.transitions[at] == p) for p, _ in pairs] for at in pairs])
    params = {"input": {"kernel": kernel, "bias": jnp.full(len(pairs), -1.0)}, "recurrent": {"kernel": recurrent}}
    first = [automaton.transitions[at] == automaton.start for at in pairs].index(True)
    return cell, params, jnp.zeros(len(pairs)).at[first].set(1)

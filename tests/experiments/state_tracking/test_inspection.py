"""The automaton of each network."""

from types import SimpleNamespace

import jax
from flax import nnx

import rnn_jax
from experiments.state_tracking.data import EvenPairs, Parity
from experiments.state_tracking.inspection import pages
from rnn_jax.nnx import Recurrent
from rnn_jax.train import Run, Trained


def test_each_network_has_become_an_automaton(tmp_path):
    layer = Recurrent(rnn_jax.Elman(2, 3), rngs=nnx.Rngs(0))
    config = SimpleNamespace(tasks={"parity": Parity(), "even_pairs": EvenPairs()}, longest=6)

    def rebuild(params):
        return {name: lambda inputs, s=s: layer(jax.nn.one_hot(inputs, 2)).ys * s for name, s in params.items()}

    trained = Trained(Run(tmp_path), config, rebuild, {"parity": 2.0, "even_pairs": 1.0})
    automata = pages(trained, 0, 100)
    assert list(automata) == ["automaton of parity", "automaton of even_pairs"]
    assert "on other sequences of 6 steps" in automata["automaton of parity"]()
    assert "on other sequences of 4 steps" in pages(trained, 0, 4)["automaton of even_pairs"]()

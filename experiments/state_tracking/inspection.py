"""What `inspect` shows of a trained model beyond what it shows of every run: the automaton that it has become."""

import functools
from collections.abc import Callable

from rnn_jax.analysis.inspection import automaton_page
from rnn_jax.train import Trained, key_for


def pages(trained: Trained, row: int, steps: int) -> dict[str, Callable[[], str]]:
    """The automaton of each network, from sequences of new draws, as long as `steps` and training allow."""
    del row
    key, length = key_for(0, "inspect"), min(steps, trained.config.longest)
    return {
        f"automaton of {name}": functools.partial(automaton_page, trained.model[name], task, key, length)
        for name, task in trained.config.tasks.items()
    }

"""Words of a stream of samples, each as soon as it is recognised."""

from collections.abc import Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.recogniser import Recogniser
from rnn_jax.models.ctc import CTCModel
from rnn_jax.nnx import functional
from rnn_jax.typing import Array, Carry, Params


def stream_words(model: Recogniser, chunks: Iterable[np.ndarray], words: Sequence[str]) -> Iterator[str]:
    """The words of a stream of samples, each as soon as greedy decoding has it; equal to those of the whole.

    Args:
        model: a CTC model that reads in one direction.
        chunks: float32 `[n]` one after the other, of any length.
        words: its vocabulary.

    Raises:
        ValueError: the model has no frontend, or cannot be streamed.
    """
    if not isinstance(model.head, CTCModel) or model.frontend is None:
        raise ValueError("only a model of strings of words can be streamed")
    params, rebuild = functional(model)
    frontend, carry, before = model.frontend, model.head.initial_carry((1,)), 0

    @jax.jit
    def advance(params: Params, carry: Carry, samples: Array) -> tuple[Carry, jax.Array]:
        model = rebuild(params)
        assert isinstance(model.head, CTCModel)
        carry, logits = model.head.step(carry, model.standardised(frontend(samples[:, None]))[0])
        return carry, jnp.argmax(logits[0])

    waiting = np.zeros(0, np.float32)
    for chunk in chunks:
        waiting = np.append(waiting, chunk.astype(np.float32))
        while len(waiting) >= frontend.step_samples:
            carry, label = advance(params, carry, waiting[: frontend.step_samples])
            waiting = waiting[frontend.step_hop :]
            if int(label) not in (0, before):
                yield words[int(label) - 1]
            before = int(label)

"""What one does with a language model over characters: score a text, and write one."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from rnn_jax.data import CharTokenizer, evaluation_rows
from rnn_jax.decoding import stream_tokens
from rnn_jax.losses import token_cross_entropy
from rnn_jax.models import LanguageModel
from rnn_jax.typing import Params


def make_text_score(
    rebuild: Callable[[Params], LanguageModel], tokens: np.ndarray, *, rows: int = 64
) -> Callable[[Params], float]:
    """A function from parameters to the mean nats per token of a text, compiled once.

    The text is read in `rows` parallel parts, each warmed up on the 256 tokens before it; every token but the first
    of the text is scored exactly once.

    Args:
        rebuild: from `rnn_jax.nnx.functional`.
        tokens: the text, int32 `[N]`.
        rows: how many parts.
    """
    batches = evaluation_rows(tokens, batch_size=rows, length=256, context=256)

    @jax.jit
    def score(params: Params, batches: dict[str, Any]) -> jax.Array:
        model = rebuild(params)

        def chunk(carry, batch):
            carry, logits = model(batch["inputs"], carry)
            return carry, token_cross_entropy(logits, batch["targets"], batch["weights"])

        _, (nats, count) = jax.lax.scan(chunk, model.initial_carry((rows,)), batches)
        return nats.sum() / count.sum()

    return lambda params: float(score(params, batches))


def sample_text(
    model: LanguageModel, tokenizer: CharTokenizer, prompt: str, key: jax.Array, **sampling: Any
) -> Iterator[str]:
    """The characters that a model writes after a prompt, one at a time, without end.

    Args:
        model: of characters.
        tokenizer: of the model.
        prompt: at least one character, all of them known to the tokenizer.
        key: a typed key.
        sampling: `temperature`, `top_k` and `top_p` of `rnn_jax.decoding.sample_token`.

    Raises:
        ValueError: the prompt is empty or has unknown characters, or a sampling parameter is out of range.
    """
    tokens = stream_tokens(type(model).step, model, model.initial_carry(), tokenizer.encode(prompt), key, **sampling)
    return (tokenizer.decode([token]) for token in tokens)

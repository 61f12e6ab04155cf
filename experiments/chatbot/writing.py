"""How well replies are written: perplexity, by an encoder-decoder and by n-gram models of the same tokens."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.chatbot.baselines import ngram_perplexity
from experiments.chatbot.batches import PAIR_AXES, TurnTokenizer, in_parts
from experiments.chatbot.conversation import generate_replies
from experiments.chatbot.data import Pair
from rnn_jax.data import BEGIN
from rnn_jax.models import EncoderDecoder, TransformerEncoderDecoder, target_nats
from rnn_jax.typing import Params

Rebuild = Callable[[Params], EncoderDecoder | TransformerEncoderDecoder]


class WritingTask:
    """The task writing: its loss, its validation and its test.

    Args:
        rebuild: from `rnn_jax.nnx.functional` of an encoder-decoder.
        tokenizer: of the turns.
        parts: the pairs of "train", "validation" and "test".
    """

    metric, higher_is_better, monitor, buckets = "perplexity", False, "validation_loss", 2

    def __init__(self, rebuild: Rebuild, tokenizer: TurnTokenizer, parts: dict[str, list[Pair]]):
        self.rebuild, self.tokenizer, self.parts = rebuild, tokenizer, parts
        self.encoded = {
            name: [(tokenizer.context(pair.context), tokenizer.reply(pair.reply)) for pair in pairs]
            for name, pairs in parts.items()
        }
        self._perplexity = make_perplexity(rebuild, tokenizer.longest)

    def loss(self, model: Any, batch: dict[str, Any], key: jax.Array) -> jax.Array:
        """Nats per token of a training batch."""
        nats, count = target_nats(model, teacher_forced(batch), key)
        return nats / count

    def validate(self, params: Params) -> dict[str, float]:
        """Nats per token and perplexity of the validation pairs."""
        perplexity = self._perplexity(params, self.encoded["validation"])
        return {"validation_loss": math.log(perplexity), "validation_perplexity": perplexity}

    def test(self, params: Params) -> tuple[float, dict[str, float], dict[str, float], str]:
        """The perplexity of the test pairs, that of n-gram models, more scores, and examples.

        The baseline is an n-gram model of whichever text, with or without contexts, gives it the better perplexity.
        """
        train, test, size = self.encoded["train"], self.encoded["test"], len(self.tokenizer.tokenizer)
        both = {
            name: [ngram_perplexity(train, test, size, order, contexts=contexts) for contexts in (False, True)]
            for name, order in (("unigram", 1), ("3-gram", 3))
        }
        others = [(test[i - 1][0], reply) for i, (_, reply) in enumerate(test)]
        scores = {
            "3-gram, replies only": both["3-gram"][0], "3-gram, with contexts": both["3-gram"][1],
            "with the context of another pair": self._perplexity(params, others),
            "tokens scored": sum(len(reply) for _, reply in test),
        }  # fmt: skip
        value = self._perplexity(params, test)
        return value, {name: min(values) for name, values in both.items()}, scores, self.examples(params)

    def examples(self, params: Params, count: int = 10) -> str:
        """Some test contexts with the true reply and the written one."""
        respond, pairs, shown = generate_replies(self.rebuild(params), self.tokenizer), self.parts["test"], []
        for pair in pairs[:: max(1, len(pairs) // count)][:count]:
            written, score = respond(pair.context)
            shown += [f"{' / '.join(pair.context)[-90:]}", f"    true             {pair.reply[:80]}"]
            shown += [f"    written  {score:6.2f}  {written[:80]}"]
        return "\n".join(shown) + "\n"


def teacher_forced(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch of `PairBatches` as `target_nats` reads it: a context is a source, a reply with its end a target."""
    replies = jnp.asarray(batch["replies"])
    return {
        "source": batch["contexts"], "source_lengths": batch["context_lengths"],
        "inputs": jnp.concatenate([jnp.full_like(replies[:1], BEGIN), replies[:-1]]),
        "targets": replies, "target_lengths": batch["reply_lengths"],
    }  # fmt: skip


def make_perplexity(rebuild: Rebuild, longest: int, *, rows: int = 32) -> Callable[..., float]:
    """A function of parameters and pairs to the perplexity of the replies, exp(nats per token), compiled once.

    The pairs are tokens int `[n]`, n ≥ 1, of contexts and replies; each token of a reply is scored once, its end too.

    Args:
        rebuild: from `rnn_jax.nnx.functional` of an encoder-decoder.
        longest: tokens of a context and of a reply, at most; all are padded to so many.
        rows: pairs at once.
    """
    score = jax.jit(lambda params, batch: target_nats(rebuild(params), teacher_forced(batch)))

    def perplexity(params: Params, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
        contexts, replies = ([pair[side] for pair in pairs] for side in (0, 1))
        context_parts = in_parts(contexts, rows, longest, filler=contexts[0])
        reply_parts = in_parts(replies, rows, longest, filler=replies[0][:0])
        sums = np.zeros(2)
        for context, reply in zip(context_parts, reply_parts, strict=True):
            batch = dict(zip(list(PAIR_AXES), (*context, *reply), strict=False))
            sums += [float(value) for value in score(params, batch)]
        return math.exp(sums[0] / sums[1])

    return perplexity

"""How well replies are written: perplexity, by an encoder-decoder, n-gram models of the same tokens, and by both."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.chatbot.baselines import ngram_perplexity
from experiments.chatbot.batches import PAIR_AXES, TurnTokenizer, in_parts
from experiments.chatbot.conversation import generate_replies
from experiments.chatbot.data import Pair
from experiments.chatbot.mixture import NGrams, best_share, mixed
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
        ngram: the order of the n-grams that the network is mixed with, 0 for none.
    """

    metric, higher_is_better, monitor, buckets = "perplexity", False, "validation_loss", 2

    def __init__(self, rebuild: Rebuild, tokenizer: TurnTokenizer, parts: dict[str, list[Pair]], ngram: int = 0):
        self.rebuild, self.tokenizer, self.parts = rebuild, tokenizer, parts
        self.encoded = {
            name: [(tokenizer.context(pair.context), tokenizer.reply(pair.reply)) for pair in pairs]
            for name, pairs in parts.items()
        }
        self._perplexity = make_perplexity(rebuild, tokenizer.longest)
        self.ngrams = None
        if ngram:
            self.ngrams = NGrams([reply for _, reply in self.encoded["train"]], len(tokenizer.tokenizer), ngram)
            self._weigh = make_weigh(rebuild, self.ngrams, tokenizer.longest, self.encoded["validation"])

    def loss(self, model: Any, batch: dict[str, Any], key: jax.Array) -> jax.Array:
        """Nats per token of a training batch."""
        nats, count = target_nats(model, teacher_forced(batch), key)
        return nats / count

    def validate(self, params: Params) -> dict[str, float]:
        """Nats per token and perplexity of the validation pairs; with n-grams, and the network's share among them."""
        if self.ngrams:
            share, nats = self._weigh(params)
            return {"validation_loss": nats, "validation_perplexity": math.exp(nats), "network_share": share}
        perplexity = self._perplexity(params, self.encoded["validation"])
        return {"validation_loss": math.log(perplexity), "validation_perplexity": perplexity}

    def mixed(self, params: Params) -> tuple["WritingTask", float]:
        """The task of the network mixed with n-grams, and its share among them; itself where there are none."""
        if not self.ngrams:
            return self, 1.0
        share, _ = self._weigh(params)
        return WritingTask(mixed(self.rebuild, self.ngrams, share), self.tokenizer, self.parts), share

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
        return (
            self.perplexity(params),
            {name: min(values) for name, values in both.items()},
            scores,
            self.examples(params),
        )

    def perplexity(self, params: Params) -> float:
        """That of the test pairs."""
        return self._perplexity(params, self.encoded["test"])

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


def make_weigh(
    rebuild: Rebuild, ngrams: NGrams, longest: int, pairs: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Callable[[Params], tuple[float, float]]:
    """A function of parameters to the best share of the network among n-grams for some pairs, and nats per token."""

    @jax.jit
    def of_network(params: Params, batch: dict[str, Any]) -> jax.Array:
        model = rebuild(params)
        return _chances(jax.nn.softmax(model(batch["source"], batch["source_lengths"], batch["inputs"])), batch)

    @jax.jit
    def of_ngrams(batch: dict[str, Any]) -> jax.Array:
        return _chances(ngrams(ngrams.histories(batch["inputs"])), batch)

    batches = [teacher_forced(batch) for batch in reply_batches(pairs, longest)]
    scored = [np.arange(longest)[:, None] < np.asarray(batch["target_lengths"]) for batch in batches]

    def tokens(chances: Iterable[jax.Array]) -> np.ndarray:
        return np.concatenate([np.asarray(a, np.float64)[s] for a, s in zip(chances, scored, strict=True)])

    known = tokens(map(of_ngrams, batches))
    return lambda params: best_share(tokens(of_network(params, batch) for batch in batches), known)


def _chances(probabilities: jax.Array, batch: dict[str, Any]) -> jax.Array:
    """Of probabilities `[T, B, V]` those of the targets `[T, B]`."""
    return jnp.take_along_axis(probabilities, batch["targets"][..., None], axis=-1)[..., 0]


def reply_batches(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], longest: int, rows: int = 32
) -> Iterator[dict[str, Any]]:
    """Batches of one shape, see `PairBatches`, of tokens int `[n]` of contexts and replies; the last is filled up."""
    contexts, replies = ([pair[side] for pair in pairs] for side in (0, 1))
    context_parts = in_parts(contexts, rows, longest, filler=contexts[0])
    reply_parts = in_parts(replies, rows, longest, filler=replies[0][:0])
    for context, reply in zip(context_parts, reply_parts, strict=True):
        yield dict(zip(list(PAIR_AXES), (*context, *reply), strict=False))


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
        sums = np.zeros(2)
        for batch in reply_batches(pairs, longest, rows):
            sums += [float(value) for value in score(params, batch)]
        return math.exp(sums[0] / sums[1])

    return perplexity

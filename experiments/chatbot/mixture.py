"""A network that writes, mixed with an n-gram model of the replies that it was trained on.

    p(w | context, h) = λ p_network(w | context, h) + (1 − λ) p_n-gram(w | h)

What is said often is said in the same words, which n-grams know by heart and a network only nearly; Mikolov et al. 2010
(Interspeech) mix the two in this way. λ is chosen on validation pairs: on those of training, n-grams know everything.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.ngram import count_orders, gram_codes
from rnn_jax.data import BEGIN, END
from rnn_jax.typing import Array, Params

SHARES = np.linspace(0.0, 1.0, 101)
"""What is tried for λ."""


class Order(NamedTuple):
    """The n-grams of one order, by the n − 1 tokens before their last one; see `experiments.common.ngram`."""

    contexts: Array
    """Sorted codes of the tokens before, int32 `[C]`."""
    starts: Array
    """Where the last tokens of each begin, and where the last ones end, int32 `[C + 1]`."""
    tokens: Array
    """The last tokens, int32 `[G]`."""
    values: Array
    """What each has of itself, max(c − D, 0) / c(h), float32 `[G]`."""
    rest: Array
    """What each context leaves to shorter ones, D · N(h) / c(h), float32 `[C]`."""


class NGrams:
    """An n-gram model of replies, as arrays that programs of JAX read; see `experiments.common.ngram`.

    Args:
        replies: tokens int `[n]` of each; before its first are ends.
        vocabulary_size: V.
        order: n.

    Raises:
        ValueError: order is below 1, or V to the power n − 1 does not fit 31 bits.
    """

    def __init__(self, replies: Sequence[np.ndarray], vocabulary_size: int, order: int):
        if order < 1 or vocabulary_size ** (order - 1) >= 2**31:
            raise ValueError(f"ngram={order} with {vocabulary_size} tokens: expected 1 to {_highest(vocabulary_size)}")
        self.size, self.order = vocabulary_size, order
        before = np.full(order - 1, END)
        codes = [gram_codes(np.concatenate([before, reply]), vocabulary_size, order) for reply in replies]
        self.orders = []
        for found in count_orders(np.concatenate(codes), vocabulary_size, order):
            starts = np.append(np.searchsorted(found.grams, found.contexts * vocabulary_size), len(found.grams))
            totals = np.repeat(found.totals, np.diff(starts))
            own = np.maximum(found.counts - found.discount, 0) / totals
            rest = found.discount * found.followers / found.totals
            last = found.grams % vocabulary_size
            self.orders.append(
                Order(*(a.astype(np.int32) for a in (found.contexts, starts, last)), *map(np.float32, (own, rest)))
            )

    def __call__(self, history: Array) -> jax.Array:
        """The probabilities `[..., V]` of what follows the last tokens int `[..., order - 1]`."""
        history = jnp.asarray(history)
        follow = self._follow
        for _ in history.shape[:-1]:
            follow = jax.vmap(follow)
        return follow(history)

    def _follow(self, history: jax.Array) -> jax.Array:
        probabilities = jnp.full(self.size, 1 / self.size)
        for n, (contexts, starts, tokens, values, rest) in enumerate(map(_on_device, self.orders), 1):
            code = jnp.int32(0)
            for token in history[self.order - n :]:
                code = code * self.size + token.astype(jnp.int32)
            at = jnp.minimum(jnp.searchsorted(contexts, code), len(contexts) - 1)
            most = int(np.diff(self.orders[n - 1].starts).max())
            places = starts[at] + jnp.arange(most)
            own = jnp.where(places < starts[at + 1], values[jnp.minimum(places, len(values) - 1)], 0.0)
            seen = jnp.zeros(self.size).at[tokens[jnp.minimum(places, len(tokens) - 1)]].add(own)
            probabilities = jnp.where(contexts[at] == code, seen + rest[at] * probabilities, probabilities)
        return probabilities

    def begin(self, rows: int) -> jax.Array:
        """The history int32 `[rows, order - 1]` before a reply."""
        return jnp.full((rows, self.order - 1), END, jnp.int32)

    def histories(self, inputs: Array) -> jax.Array:
        """The history int32 `[T, B, order - 1]` after each token that a decoder reads, `[T, B]`, begin being first."""
        inputs = jnp.asarray(inputs, jnp.int32)
        read = jnp.where(inputs == BEGIN, END, inputs)
        padded = jnp.concatenate([jnp.full((self.order - 2, inputs.shape[1]), END), read]) if self.order > 1 else read
        steps = [padded[i : i + inputs.shape[0]] for i in range(self.order - 1)]
        return jnp.stack(steps, axis=-1) if steps else jnp.zeros((*inputs.shape, 0), jnp.int32)


def _on_device(order: Order) -> Order:
    return Order(*map(jnp.asarray, order))


def _highest(size: int) -> int:
    return next(n for n in range(1, 33) if size**n >= 2**31)


class MixedCarry(NamedTuple):
    """What a mixed writer remembers."""

    network: Any
    """The carry of the network's decoder."""
    history: jax.Array
    """The last tokens, int32 `[B, order - 1]`."""


class MixedWriter:
    """An encoder-decoder mixed with n-grams; it is called and steps as the encoder-decoder does.

    Args:
        network: an `EncoderDecoder` or a `TransformerEncoderDecoder`.
        ngrams: of the replies of training.
        share: λ, of the network.
    """

    def __init__(self, network: Any, ngrams: NGrams, share: float):
        self.network, self.ngrams, self.share = network, ngrams, share

    def __repr__(self):
        return f"{type(self).__name__}({type(self.network).__name__}, {self.ngrams.order}-grams, share={self.share:g})"

    def __call__(
        self, source: Array, source_lengths: Array, inputs: Array, *, key: jax.Array | None = None
    ) -> jax.Array:
        """The logarithms of probabilities float32 `[T, B, V]` of what follows each of the inputs `[T, B]`."""
        return self._mix(self.network(source, source_lengths, inputs, key=key), self.ngrams.histories(inputs))

    def encode(self, source: Array, lengths: Array) -> Any:
        """As the network does."""
        return self.network.encode(source, lengths)

    def start(self, memory: Any, steps: int = 0) -> MixedCarry:
        """The carry before the first token."""
        carry = self.network.start(memory, steps)
        return MixedCarry(carry, self.ngrams.begin(jax.tree.leaves(carry)[0].shape[0]))

    def step(self, memory: Any, carry: MixedCarry, token: Array) -> tuple[MixedCarry, jax.Array]:
        """One token int `[B]` to the next carry and the logarithms of probabilities float32 `[B, V]`."""
        network, logits = self.network.step(memory, carry.network, token)
        read = jnp.where(token == BEGIN, END, token).astype(jnp.int32)
        history = jnp.concatenate([carry.history, read[:, None]], axis=1)[:, 1:]
        return MixedCarry(network, history), self._mix(logits, history)

    def _mix(self, logits: jax.Array, history: jax.Array) -> jax.Array:
        return jnp.log(self.share * jax.nn.softmax(logits) + (1 - self.share) * self.ngrams(history))


def mixed(rebuild: Callable[[Params], Any], ngrams: NGrams | None, share: float) -> Callable[[Params], Any]:
    """From parameters to the network mixed with n-grams, or to the network alone where there are none."""
    return (lambda params: MixedWriter(rebuild(params), ngrams, share)) if ngrams else rebuild


def best_share(network: np.ndarray, ngrams: np.ndarray) -> tuple[float, float]:
    """The λ of `SHARES` with the fewest nats per token, and these, by what both give each token, `[N]`."""
    with np.errstate(divide="ignore"):  # a probability may underflow
        nats = [-np.log(share * network + (1 - share) * ngrams).mean() for share in SHARES]
    best = int(np.argmin(nats))
    return float(SHARES[best]), float(nats[best])

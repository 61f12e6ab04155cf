"""Sampling: from logits to a token, and one token after the other."""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.typing import Array, Carry, Float, Int, Key

Step = Callable[[Any, Carry, jax.Array], tuple[Carry, jax.Array]]


def sample_token(
    key: Key, logits: Float[Array, "*B V"], temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> Int[jax.Array, "*B"]:
    """Draw a token from logits.

    Args:
        key: a typed key.
        logits: `[..., V]`.
        temperature: divides the logits; 0 takes the likeliest token.
        top_k: keep only the k likeliest tokens; 0 keeps all.
        top_p: keep the likeliest tokens that together reach this probability (the likeliest always stays); 1 keeps
            all. Holtzman et al. 2019, arXiv:1904.09751.

    Returns:
        int32 `[...]`.

    Raises:
        ValueError: a parameter is out of range.
    """
    logits = jnp.asarray(logits, jnp.float32)
    size = logits.shape[-1]
    check_sampling(temperature, top_k, top_p)
    if top_k > size:
        raise ValueError(f"top_k={top_k}: expected 0 (all) to {size}, the size of the vocabulary")
    if temperature == 0:
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)
    logits = logits / temperature
    if top_k and top_k < size:
        smallest = jax.lax.top_k(logits, top_k)[0][..., -1:]
        logits = jnp.where(logits < smallest, -jnp.inf, logits)
    if top_p < 1:
        ordered = jnp.flip(jnp.sort(logits, axis=-1), axis=-1)
        probabilities = jax.nn.softmax(ordered, axis=-1)
        # A token stays if those before it do not reach top_p yet; the first always does.
        stays = jnp.cumsum(probabilities, axis=-1) - probabilities < top_p
        smallest = jnp.min(jnp.where(stays, ordered, jnp.inf), axis=-1, keepdims=True)
        logits = jnp.where(logits < smallest, -jnp.inf, logits)
    return jax.random.categorical(key, logits, axis=-1).astype(jnp.int32)


def check_sampling(temperature: float, top_k: int, top_p: float) -> None:
    """Raise a ValueError unless the parameters of `sample_token` are in their ranges."""
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature={temperature}: expected a number of at least 0")
    if top_k < 0:
        raise ValueError(f"top_k={top_k}: expected 0 (all) or how many of the likeliest tokens stay")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p}: expected a probability above 0 and up to 1")


def stream_tokens(
    step: Step,
    params: Any,
    carry: Carry,
    prompt: Int[Array, "n"],
    key: Key,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Iterator[int]:
    """Read a prompt, then draw tokens for ever, each fed back as the next input.

    The same `step` is compiled once, whatever the parameters and the key.

    Args:
        step: one token to the next carry and logits `[V]`: `(params, carry, token) -> (carry, logits)`.
        params: of the model, a pytree; a Flax model is one, and its class has the step.
        carry: where to start, without batch dims.
        prompt: int `[n]`, at least one token.
        key: a typed key; token i is drawn with `fold_in(key, i)`.
        temperature: see `sample_token`.
        top_k: see `sample_token`.
        top_p: see `sample_token`.

    Raises:
        ValueError: the prompt is empty, or a parameter is out of range.
    """
    if len(prompt) == 0:
        raise ValueError("prompt is empty: expected at least one token to start from")
    check_sampling(temperature, top_k, top_p)

    read, sampling = jax.jit(step), (temperature, top_k, top_p)

    def stream(carry: Carry) -> Iterator[int]:
        carry, logits = read(params, carry, jnp.int32(prompt[0]))
        for token in prompt[1:]:
            carry, logits = read(params, carry, jnp.int32(token))
        for i in itertools.count():
            carry, logits, token = _draw(step, sampling, params, carry, logits, key, jnp.int32(i))
            yield int(token)

    return stream(carry)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _draw(
    step: Step, sampling: tuple[Any, ...], params: Any, carry: Carry, logits: jax.Array, key: jax.Array, i: jax.Array
) -> tuple[Carry, jax.Array, jax.Array]:
    token = sample_token(jax.random.fold_in(key, i), logits, *sampling)
    return *step(params, carry, token), token

"""What a network of any library can do in a benchmark, and how all that run on JAX do it.

Training is the same work everywhere: from xs `[T, B, D]` and targets `[T, B, H]` the mean over T and B of the summed
squared errors, its gradients for the weights and for the inputs, and one step of gradient descent on the weights. A
dispatch makes several updates, each with inputs of its own; the last one's input gradient is part of the result, so
that no compiler leaves it out.
"""

import abc
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.timing import Program
from rnn_jax import Cell
from rnn_jax.typing import Params

RATE = 1e-3


class Unavailable(Exception):
    """Why a library is not measured."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Peer(abc.ABC):
    """A library's network for one cell.

    Arrays go in and come out time-major; what a library wants otherwise is put so before any time is taken.

    Attributes:
        cell: the cell of rnn_jax that computes the same: not for all the one that was asked for.
        params: its parameters; zero where the library has no such weight.
        devices: among how many it splits the rows of a batch.
    """

    cell: Cell
    params: Params
    devices: int = 1

    @abc.abstractmethod
    def results(self, xs: jax.Array, targets: jax.Array) -> dict[str, Any]:
        """Outputs, and the loss's gradients as those of `params` and of xs, to be compared between libraries."""

    @abc.abstractmethod
    def forward(self, xs: jax.Array) -> Program:
        """A program that computes the outputs."""

    @abc.abstractmethod
    def training(self, xs: jax.Array, targets: jax.Array, single: bool) -> Program:
        """A program that makes one update for each of xs `[N, T, B, D]`: in one dispatch, or in N if `single`."""

    @abc.abstractmethod
    def streaming(self, x: jax.Array) -> Program:
        """A program that makes one step of one sequence from x `[1, D]` and waits for the output."""

    @abc.abstractmethod
    def compiled(self, xs: jax.Array, targets: jax.Array) -> jax.stages.Compiled | None:
        """The program of `training` in one dispatch, traced and compiled anew if JAX's caches are clear.

        None where nothing is compiled.
        """

    @abc.abstractmethod
    def memory(self, xs: jax.Array, targets: jax.Array) -> int | None:
        """Bytes at the peak of `training` in one dispatch, inputs and weights among them; None if it cannot be told."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class JaxPeer(Peer):
    """A network as pure functions of its own weights.

    Attributes:
        weights: any pytree of arrays.
        pull: from gradients of `weights` to those of `params`, zero where the library has no such weight.
        apply: `(weights, xs) -> ys`.
        step: `(weights, carry, x) -> (carry, y)` for x `[1, D]`.
        start: the carry of one sequence.
        time_axis: where xs and ys of `apply` have time: 0 or 1.
    """

    weights: Any
    pull: Callable[[Any], Params]
    apply: Callable[[Any, jax.Array], jax.Array]
    step: Callable[[Any, Any, jax.Array], tuple[Any, jax.Array]]
    start: Any
    time_axis: int = 0

    def results(self, xs: jax.Array, targets: jax.Array) -> dict[str, Any]:
        xs, targets = self._laid_out(xs), self._laid_out(targets)
        ys = jax.jit(self.apply)(self.weights, xs)
        of_weights, of_xs = jax.jit(jax.grad(self.loss, (0, 1)))(self.weights, xs, targets)
        return {"ys": self._laid_out(ys), "params": self.pull(of_weights), "xs": self._laid_out(of_xs)}

    def forward(self, xs: jax.Array) -> Program:
        return functools.partial(jax.jit(self.apply), self.weights, self._laid_out(xs))

    def training(self, xs: jax.Array, targets: jax.Array, single: bool) -> Program:
        xs, targets = jax.vmap(self._laid_out)(xs), self._laid_out(targets)
        many = jax.jit(self.updates, donate_argnums=0)
        batches = list(xs[:, None]) if single else [xs]
        state = jax.tree.map(jnp.copy, (self.weights, xs[0]))

        def program() -> object:
            nonlocal state
            losses = None
            for batch in batches:
                state, losses = many(state, batch, targets)
            return state, losses

        return program

    def streaming(self, x: jax.Array) -> Program:
        step = jax.jit(self.step, donate_argnums=1)
        carry = jax.tree.map(jnp.copy, self.start)

        def program() -> object:
            nonlocal carry
            carry, y = step(self.weights, carry, x)
            return y.block_until_ready()

        return program

    def compiled(self, xs: jax.Array, targets: jax.Array) -> jax.stages.Compiled:
        shapes = jax.eval_shape(
            lambda xs, targets: (jax.vmap(self._laid_out)(xs), self._laid_out(targets)), xs, targets
        )
        state = (self.weights, jax.eval_shape(lambda xs: xs[0], shapes[0]))
        return jax.jit(self.updates, donate_argnums=0).lower(state, *shapes).compile()

    def memory(self, xs: jax.Array, targets: jax.Array) -> int:
        sizes: Any = self.compiled(xs, targets).memory_analysis()
        ends = sizes.argument_size_in_bytes + sizes.output_size_in_bytes - sizes.alias_size_in_bytes
        return ends + sizes.temp_size_in_bytes

    def updates(self, state: Any, xs: jax.Array, targets: jax.Array) -> tuple[Any, jax.Array]:
        """One update for each of xs; state is the weights and the last gradient of the inputs."""

        def update(state: Any, xs: jax.Array) -> tuple[Any, jax.Array]:
            weights, _ = state
            loss, (of_weights, of_xs) = jax.value_and_grad(self.loss, (0, 1))(weights, xs, targets)
            return (jax.tree.map(lambda w, g: w - RATE * g, weights, of_weights), of_xs), loss

        return jax.lax.scan(update, state, xs)

    def loss(self, weights: Any, xs: jax.Array, targets: jax.Array) -> jax.Array:
        """The mean over T and B of the squared errors, summed over H."""
        return jnp.square(self.apply(weights, xs) - targets).sum(-1).mean()

    def _laid_out(self, a: jax.Array) -> jax.Array:
        """From time-major to what the library wants, and back."""
        return jnp.swapaxes(a, 0, 1) if self.time_axis else a


def mapped(to_weights: Callable[[Params], Any], params: Params) -> tuple[Any, Callable[[Any], Params]]:
    """The weights for `params`, and the way back for gradients: the transpose of the map's derivative."""
    weights, pull = jax.vjp(to_weights, params)
    return weights, lambda gradients: pull(gradients)[0]


def without_candidate_bias(params: Params) -> Params:
    """Params of a GRU whose recurrent bias of n, which not all libraries have, is zero."""
    return params | {"recurrent": params["recurrent"] | {"bias": jnp.zeros_like(params["recurrent"]["bias"])}}

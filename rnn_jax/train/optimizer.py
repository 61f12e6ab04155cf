"""The optimizer of a run: clipping, AdamW or SGD, a learning-rate schedule, and an average of the parameters; optax."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from rnn_jax.checks import check_choice, check_number, check_rate, check_size
from rnn_jax.typing import Params

SCHEDULES = ("cosine", "linear", "constant")
OPTIMIZERS = ("adamw", "sgd")


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """How parameters are updated.

    Raises:
        ValueError: a value is out of range.
    """

    optimizer: str = "adamw"
    """adamw (Loshchilov & Hutter 2017, arXiv:1711.05101) or sgd."""
    learning_rate: float = 2e-3
    """The highest learning rate of the schedule."""
    schedule: str = "cosine"
    """How the learning rate falls after the warm-up: cosine, linear or constant."""
    warmup_steps: int = 100
    """Updates over which the learning rate rises from zero; a training of no more than these only rises."""
    final_fraction: float = 0.01
    """The last learning rate as a fraction of the highest."""
    weight_decay: float = 0.0
    """Decoupled weight decay (adamw)."""
    momentum: float = 0.9
    """Adam's b1, or the momentum of sgd."""
    clip_norm: float = 1.0
    """Gradients of a larger global norm are scaled down to this one (Pascanu et al. 2013, arXiv:1211.5063)."""
    averaging: float = 0.0
    """Decay of a running average of the parameters, which is evaluated and kept in their place; 0 for none."""

    def __post_init__(self):
        check_rate("averaging", self.averaging)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_rate("momentum", self.momentum)
        check_number("learning_rate", self.learning_rate, above=0)
        if not self.clip_norm > 0:  # infinity clips nothing
            raise ValueError(f"clip_norm={self.clip_norm!r}: expected a number above 0")
        check_number("warmup_steps", self.warmup_steps, least=0)
        check_number("weight_decay", self.weight_decay, least=0)
        check_number("final_fraction", self.final_fraction, least=0, most=1)


def make_schedule(config: OptimizerConfig, steps: int) -> optax.Schedule:
    """The learning rate as a function of the update, for a run of `steps` updates."""
    check_size("steps", steps)
    warmup = min(config.warmup_steps, steps)
    peak, rest = config.learning_rate, max(steps - warmup, 1)
    fall = {
        "cosine": lambda: optax.cosine_decay_schedule(peak, rest, config.final_fraction),
        "linear": lambda: optax.linear_schedule(peak, peak * config.final_fraction, rest),
        "constant": lambda: optax.constant_schedule(peak),
    }[config.schedule]()
    return optax.join_schedules([optax.linear_schedule(0.0, peak, max(warmup, 1)), fall], [warmup])


def make_optimizer(config: OptimizerConfig, steps: int) -> optax.GradientTransformation:
    """Clipping, then the optimizer, and the average of the parameters if there is one, for a run of `steps` updates."""
    schedule = make_schedule(config, steps)
    update = {
        "adamw": lambda: optax.adamw(schedule, b1=config.momentum, b2=0.99, weight_decay=config.weight_decay),
        "sgd": lambda: optax.sgd(schedule, momentum=config.momentum or None),
    }[config.optimizer]()
    average = [average_params(config.averaging)] if config.averaging else []
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), update, *average)


class AverageState(NamedTuple):
    """Parameters averaged over the updates so far, and how many these are, int32."""

    average: Params
    count: jax.Array


def average_params(decay: float) -> optax.GradientTransformation:
    """Leave the updates as they are and average the parameters that they lead to; it comes last in a chain.

    aₜ = dₜ aₜ₋₁ + (1 − dₜ) θₜ, dₜ = min(decay, t / (t + 9)): the first parameters are soon forgotten. After Polyak &
    Juditsky 1992, "Acceleration of stochastic approximation by averaging".
    """

    def init(params: Params) -> AverageState:
        # A copy, for a state that is donated may hold no buffer twice.
        return AverageState(jax.tree.map(jnp.copy, params), jnp.int32(0))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, AverageState]:
        count = state.count + 1
        kept = jnp.minimum(decay, count / (count + 9.0)).astype(jnp.float32)
        after = optax.apply_updates(params, updates)
        average = jax.tree.map(lambda a, new: (a + (1 - kept) * (new - a)).astype(a.dtype), state.average, after)
        return updates, AverageState(average, count)

    return optax.GradientTransformation(init, update)

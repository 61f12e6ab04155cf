"""Several networks as one: trained side by side from initial values of their own, they answer together.

Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using deep ensembles",
arXiv:1612.01474.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_size
from rnn_jax.losses import Total
from rnn_jax.models.config import SequenceConfig
from rnn_jax.models.gaussian import Normal
from rnn_jax.typing import Float, Key

Model = TypeVar("Model", bound=nnx.Module)


class Ensemble(nnx.Module):
    """Models of one kind, called as each of them is.

    Args:
        members: two or more.
        together: what they say together out of what each says, such as `mean_probabilities` or `mixture`.

    Raises:
        ValueError: there are fewer members.
    """

    def __init__(self, members: Sequence[nnx.Module], together: Callable[[Sequence[Any]], Any]):
        if len(members) < 2:
            raise ValueError(f"members: {len(members)} of them; expected two or more")
        self.members, self.together = nnx.List(members), together

    def __call__(self, *inputs: Any, key: Key | None = None) -> Any:
        """What they say together.

        Args:
            inputs: of each member.
            key: a typed key: training, with a dropout of its own for each.
        """
        keys = _keys(key, len(self.members))
        return self.together([member(*inputs, key=own) for member, own in zip(self.members, keys, strict=True)])


def loss_of_each(model: Any, loss: Callable[[Any, Key | None], Total], key: Key | None = None) -> Total:
    """The loss of a model; in training the mean over the members of an ensemble, each of which learns by itself.

    Gradients of an ensemble are √K times those of the mean over its K members: their norm is then that of one member
    (root mean square), and clipping by a norm does to each member what it would do to it alone. What is left, a factor
    of 1/√K, makes no difference to Adam.

    Args:
        model: a model, or an `Ensemble` of such models.
        loss: of a model and a typed key: the sum and the count of a batch.
        key: a typed key: training. Without, an ensemble is scored by what its members say together.
    """
    if key is None or not isinstance(model, Ensemble):
        return loss(model, key)
    keys = _keys(key, len(model.members))
    sums, counts = zip(*(loss(member, own) for member, own in zip(model.members, keys, strict=True)), strict=True)
    total = jnp.stack(sums).mean()
    fixed = jax.lax.stop_gradient(total)
    return fixed + math.sqrt(len(sums)) * (total - fixed), jnp.stack(counts).mean()


def _keys(key: Key | None, count: int) -> list[Any]:
    return [None] * count if key is None else list(jax.random.split(key, count))


def mean_probabilities(logits: Sequence[Float[jax.Array, "*B V"]]) -> Float[jax.Array, "*B V"]:
    """The logarithms of the mean of the probabilities that members give to classes, logits as well: `[..., V]`."""
    log_probabilities = jnp.stack([jax.nn.log_softmax(one.astype(jnp.float32)) for one in logits])
    return jax.nn.logsumexp(log_probabilities, axis=0) - math.log(len(logits))


def mixture(normals: Sequence[Normal]) -> Normal:
    """The normal distributions with mean and deviation of the even mixture of those of members.

    The variance is the mean of the members' variances, and that of their means: where they disagree, it is larger.
    """
    means, stds = (jnp.stack(values) for values in zip(*normals, strict=True))
    return Normal(means.mean(axis=0), jnp.sqrt((stds**2).mean(axis=0) + means.var(axis=0)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnsembleConfig(SequenceConfig):
    """Layers of one network, or of several beside each other.

    Raises:
        ValueError: a value is out of range.
    """

    members: int = 1
    """Networks that are trained side by side from initial values of their own and answer together."""

    def __post_init__(self):
        check_size("members", self.members)
        super().__post_init__()

    @property
    def summary(self) -> str:
        """The model in a few words."""
        return f"{self.members} of {super().summary}" if self.members > 1 else super().summary

    def ensemble(
        self, build: Callable[[Key], Model], key: Key, together: Callable[[Sequence[Any]], Any]
    ) -> Model | Ensemble:
        """One network, or an `Ensemble` of so many, the first of which is the one that there would be alone.

        Args:
            build: from a typed key to a network.
            key: a typed key.
            together: see `Ensemble`.
        """
        if self.members == 1:
            return build(key)
        return Ensemble([build(jax.random.fold_in(key, i) if i else key) for i in range(self.members)], together)

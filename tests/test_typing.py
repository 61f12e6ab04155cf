"""Every public function says its shapes, by letters of one legend, and in tests a wrong one fails where it enters."""

import collections.abc
import importlib
import inspect
import pkgutil
import re
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import AbstractArray, TypeCheckError

import rnn_jax
import rnn_jax.typing
from rnn_jax.cells.gated.gru import gru_gate
from rnn_jax.decoding import ctc_greedy, sample_token
from rnn_jax.losses import pinball_loss, token_cross_entropy
from rnn_jax.models import LanguageModel

GRU = rnn_jax.GRU(2, 3)
PACKAGES = ("cells", "unroll", "models", "decoding")
MODULES = ("compose", "nnx", "losses", "metrics")


def ones(*shape):
    return jnp.ones(shape)


def key():
    return jax.random.key(0)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: rnn_jax.dense(ones(4, 2), ones(3, 5)), "kernel"),
        (lambda: rnn_jax.dense(ones(4, 2), ones(2, 5), ones(4)), "bias"),
        (lambda: gru_gate(ones(4, 3), ones(4, 9), ones(4, 6)), "r"),
        (lambda: gru_gate(ones(4, 3), ones(9), ones(4, 9)), "z"),
        (lambda: GRU.step(GRU.init(key()), ones(4, 3), ones(5, 9)), "z"),
        (lambda: GRU.init(jax.random.PRNGKey(0)), "key"),
        (lambda: GRU.project(GRU.init(key()), jnp.ones((4, 2), int)), "xs"),
        (lambda: rnn_jax.dropout(jax.random.split(key()), ones(4, 2), 0.5), "key"),
        (lambda: token_cross_entropy(ones(4, 2, 5), jnp.ones((4, 3), int)), "targets"),
        (lambda: token_cross_entropy(ones(4, 2, 5), jnp.ones((4, 2), int), ones(4)), "weights"),
        (lambda: pinball_loss(ones(4, 2, 3), np.ones((4, 1)), (0.1, 0.5, 0.9)), "targets"),
        (lambda: LanguageModel(5, 2, GRU, rngs=nnx.Rngs(0))(ones(4, 2)), "tokens"),
        (lambda: ctc_greedy(ones(4, 2, 5), np.ones(4, int)), "lengths"),
        (lambda: sample_token(key(), jnp.ones(5, int)), "logits"),
    ],
)
def test_a_wrong_shape_fails_where_it_enters(call, argument):
    for run in (call, jax.jit(call)):
        with pytest.raises(TypeCheckError, match=rf"typechecking parameter '{argument}'"):
            run()


def test_what_a_users_cell_gives_is_checked_where_it_enters_ours():
    class Wide(rnn_jax.Elman):
        def recur(self, params, carry):
            return jnp.broadcast_to(super().recur(params, carry)[:, None], (4, 1, 3))

    cell = Wide(2, 3)
    with pytest.raises(TypeCheckError, match="typechecking parameter 'r'"):
        rnn_jax.unroll(cell, cell.init(key()), ones(5, 4, 2))


def public_functions():
    """The name and the signature of each public function and method of the modules."""
    names = [f"rnn_jax.{name}" for name in MODULES]
    for package in (importlib.import_module(f"rnn_jax.{name}") for name in PACKAGES):
        names += [package.__name__, *(m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))]
    for module in map(importlib.import_module, names):
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
                continue
            members = vars(thing).items() if inspect.isclass(thing) else [("", thing)]
            for member, function in members:
                if member.startswith("_") and member != "__call__":
                    continue
                if isinstance(function, property | classmethod | staticmethod):
                    function = getattr(function, "fget", None) or function.__func__
                if inspect.isroutine(function) or hasattr(function, "__wrapped__"):
                    yield f"{module.__name__}.{name}.{member}".rstrip("."), inspect.signature(function)


def arrays(annotation):
    """What an annotation says of arrays: types, and the shapes of those that have one."""
    origin = typing.get_origin(annotation)
    if origin is collections.abc.Callable:
        return []
    if origin is typing.Annotated:
        return [annotation.__metadata__[0]]
    if inspect.isclass(annotation) and issubclass(annotation, AbstractArray):
        return [annotation.dim_str]
    if annotation in (jax.Array, np.ndarray):
        return [annotation]
    return [found for part in typing.get_args(annotation) for found in arrays(part)]


def test_every_public_function_says_its_shapes_by_the_legend():
    legend = re.findall(r"(?:^    |   )\*?(\w+)  +(?=\w)", rnn_jax.typing.__doc__, re.MULTILINE)
    bare, unknown, functions = set(), {}, 0
    for name, signature in public_functions():
        functions += 1
        annotations = {n: p.annotation for n, p in signature.parameters.items() if n not in ("self", "cls")}
        for argument, annotation in (annotations | {"return": signature.return_annotation}).items():
            place = f"{name}: {argument}"
            if annotation is inspect.Parameter.empty and argument != "return":
                bare.add(place)
            for shape in arrays(annotation):
                if not isinstance(shape, str):
                    bare.add(place)
                    continue
                letters = re.findall(r"[A-Za-z_]\w*", re.sub(r"\{.*?\}", "", shape))
                for letter in set(letters) - {*legend, "_"}:
                    unknown.setdefault(letter, place)
    assert functions > 400 and not bare and not unknown, (bare, unknown)

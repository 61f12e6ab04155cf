"""The API reference has every public name, once, and each of them says what it is; no Sphinx is needed."""

import importlib
import inspect
import pkgutil
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

import rnn_jax

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def reference():
    sys.path.insert(0, str(DOCS))
    yield importlib.import_module("reference")
    sys.path.remove(str(DOCS))


@pytest.fixture(scope="module")
def documented(reference):
    """The full name of each entry, of all pages."""
    text = "\n".join(reference.pages().values())
    return re.findall(r"(?m)^(?:\.\. auto(?:class|function):: |```\{py:data\} )(rnn_jax\S+)", text)


def value_of(name: str):
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def public_names() -> list[str]:
    """All of every `__all__`, wherever it stands."""
    found = [f"rnn_jax.{name}" for name in rnn_jax.__all__]
    for info in pkgutil.walk_packages(rnn_jax.__path__, "rnn_jax."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            found += [f"{info.name}.{name}" for name in getattr(importlib.import_module(info.name), "__all__", ())]
    return found


def test_no_public_name_is_missing_and_what_stands_in_two_modules_stands_once(documented):
    values = {id(value_of(name)) for name in documented}
    missing = [name for name in public_names() if name not in documented and id(value_of(name)) not in values]
    assert not missing, f"not in the API reference: {missing}"
    things = [value_of(name) for name in documented]
    twice = Counter(id(thing) for thing in things if inspect.isclass(thing) or inspect.isroutine(thing))
    assert [name for name in documented if twice[id(value_of(name))] > 1 and "typing" not in name] == []
    assert len(documented) == len(set(documented))


def test_modules_without_a_list_of_names_are_there_too(documented):
    for name in ("losses.token_cross_entropy", "metrics.accuracy", "studies.statistics.holm", "interop.torch.to_torch"):
        assert f"rnn_jax.{name}" in documented


def test_every_public_class_and_function_says_what_it_is(documented):
    things = {name: value_of(name) for name in documented if "typing" not in name}
    for name, thing in things.items():
        if inspect.isclass(thing) or inspect.isroutine(thing):
            words = thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__
            assert words and not words.startswith(f"{thing.__name__}("), f"{name} has no docstring of its own"


def test_a_value_without_words_is_refused(reference):
    with pytest.raises(ValueError, match=r"rnn_jax\.data\.SPECIALS is public: expected a string below"):
        reference.text_below("SPECIALS", "rnn_jax.data")

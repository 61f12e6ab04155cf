"""Configs of parts: one name for each field, whatever part it is in."""

import dataclasses
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_jax.train import flatten, make_config, replace_fields
from rnn_jax.train.fields import default_values, field_types, read_field, read_pairs
from rnn_jax.train.run import config_hash, plain


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    cell: str = "gru"
    size: int = 16

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"size={self.size}: expected at least 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    steps: int = 100
    rate: float = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    task: Literal["a", "b"] = "a"
    data: Path | None = None
    tags: tuple[str, ...] = ()
    model: Model = Model(size=8)
    training: Training = dataclasses.field(default_factory=lambda: Training(steps=5))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flat:
    task: str = "a"
    data: Path | None = None
    tags: tuple[str, ...] = ()
    cell: str = "gru"
    size: int = 8
    steps: int = 5
    rate: float = 0.1


def test_a_composed_config_has_the_fields_of_a_flat_one():
    assert flatten(Config()) == vars(Flat()) == default_values(Config)
    assert list(field_types(Config)) == ["task", "data", "tags", "cell", "size", "steps", "rate"]
    assert plain(Config()) == plain(Flat()) and config_hash(Config()) == config_hash(Flat())


@given(
    st.fixed_dictionaries(
        {},
        optional={"task": st.sampled_from("ab"), "size": st.integers(1, 99), "steps": st.integers(), "cell": st.text()},
    )
)
def test_values_come_back_from_whatever_part_they_went_to(values):
    config = make_config(Config, values)
    assert flatten(config) == flatten(Config()) | values
    assert replace_fields(Config(), **values) == config and make_config(Config, flatten(config)) == config


def test_parts_keep_the_defaults_that_they_were_given():
    assert make_config(Config, {"rate": 0.5}).training == Training(steps=5, rate=0.5)


def test_fields_that_there_are_not_and_values_that_a_part_refuses_are_named():
    with pytest.raises(ValueError, match="field 'width' is not known: expected one of cell, data,"):
        make_config(Config, {"width": 3})
    with pytest.raises(ValueError, match=r"field 'Steps' is not known: did you mean 'steps'[?] expected one of cell"):
        make_config(Config, {"Steps": 3})
    with pytest.raises(ValueError, match="field 'model' is not known"):
        replace_fields(Config(), model=Model())
    with pytest.raises(ValueError, match="size=0: expected at least 1"):
        replace_fields(Config(), size=0)


def test_one_name_for_two_fields_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Twice:
        steps: int = 1
        training: Training = Training()

    with pytest.raises(ValueError, match="Twice has the field steps twice: rename one"):
        field_types(Twice)


@pytest.mark.parametrize(
    ("field", "word", "value"),
    [
        ("task", "b", "b"),
        ("data", "a/b", Path("a/b")),
        ("data", "none", None),
        ("size", "3", 3),
        ("rate", 3, 3.0),
        ("tags", ["x", "y"], ("x", "y")),
    ],
)
def test_words_become_values_of_the_fields_type(field, word, value):
    found = read_field(Config, field, word)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("field", "word", "message"),
    [
        ("task", "c", "task='c': expected 'a' or 'b'"),
        ("size", "many", "size='many': expected int"),
        ("size", True, "size=True: expected int"),
        ("depth", 1, "field 'depth' is not known"),
    ],
)
def test_words_of_another_type_are_refused(field, word, message):
    with pytest.raises(ValueError) as refused:
        read_field(Config, field, word)
    assert message in str(refused.value)


def test_pairs_may_have_an_empty_value_but_no_empty_name():
    assert read_pairs("learning-rate=1,means=") == {"learning_rate": "1", "means": ""}
    for text in ("means", "=1", "", "a=1,,b=2"):
        with pytest.raises(ValueError, match="expected FIELD=VALUE"):
            read_pairs(text)

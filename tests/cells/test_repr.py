"""A cell prints as the call that makes it: sizes, and what is not the default."""

import dataclasses

import rnn_jax
from rnn_jax import GRU, LSTM, Bidirectional, Elman, Stack, Zoneout
from rnn_jax.cells import CELLS, make_cell


def test_every_cell_prints_as_the_call_that_makes_it():
    for name in CELLS:
        cell = make_cell(name, 8, 16)
        assert eval(repr(cell), vars(rnn_jax)) == cell
        assert repr(cell).startswith(f"{type(cell).__name__}(input_size=8, hidden_size=16")


def test_only_what_is_not_the_default_is_shown_at_any_depth():
    assert repr(LSTM(8, 16)) == "LSTM(input_size=8, hidden_size=16)"
    assert repr(GRU(8, 16, heads=4)) == "GRU(input_size=8, hidden_size=16, heads=4)"
    stack = Stack([Zoneout(LSTM(8, 16), 0.1), Bidirectional(GRU(16, 4))], dropout=0.5)
    assert eval(repr(stack), vars(rnn_jax)) == stack
    assert repr(stack) == (
        f"Stack(layers=({stack.layers[0]!r}, Bidirectional(forward=GRU(input_size=16, hidden_size=4))), dropout=0.5)"
    )


def test_a_cell_of_the_user_prints_so_too_unless_it_says_how():
    @dataclasses.dataclass(frozen=True)
    class Leaky(Elman):
        leak: float = 0.5
        names: tuple[str, ...] = dataclasses.field(default_factory=tuple)

    @dataclasses.dataclass(frozen=True)
    class Named(Leaky):
        def __repr__(self):
            return "a cell"

    @dataclasses.dataclass(frozen=True)
    class Child(Named):
        size: int = 0

    assert (repr(Leaky(2, 3)), repr(Leaky(2, 3, leak=0.1))) == (
        "Leaky(input_size=2, hidden_size=3)",
        "Leaky(input_size=2, hidden_size=3, leak=0.1)",
    )
    assert repr(Leaky(2, 3, leak=1)) == "Leaky(input_size=2, hidden_size=3, leak=1)"
    assert repr(Named(2, 3)) == repr(Child(2, 3)) == "a cell"

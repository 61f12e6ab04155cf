"""Every target is the answer for the sequence so far, worked out anew by plain Python."""

import itertools

import jax
import numpy as np
import pytest

from experiments.state_tracking.data import CycleNavigation, Dyck, EvenPairs, GroupWords, ModularArithmetic, Parity
from experiments.state_tracking.listops import ListOps


def drawn(task, batch, length):
    sample = jax.jit(task.sample, static_argnums=(1, 2))(jax.random.key(0), batch, length)
    inputs, targets, counted = (np.asarray(x) for x in sample)
    assert inputs.min() >= 0 and inputs.max() < task.tokens and targets.min() >= 0 and targets.max() < task.classes
    return inputs, targets, counted


def value(tokens):
    """Of a formula, by Python's own arithmetic."""
    return eval("".join("01234+-*"[token] for token in tokens)) % 5


def open_bracket(kinds):
    def answer(tokens):
        stack = []
        for token in tokens:
            if token < kinds:
                stack.append(token + 1)
            else:
                assert stack.pop() == token - kinds + 1, "closed by a bracket of another kind"
        assert len(stack) <= 3
        return stack[-1] if stack else 0

    return answer


ANSWERS = [
    (Parity(), lambda tokens: sum(tokens) % 2),
    (EvenPairs(), lambda tokens: sum(a != b for a, b in itertools.pairwise(tokens)) % 2),
    (CycleNavigation(), lambda tokens: sum(token - 1 for token in tokens) % 5),
    (ModularArithmetic(), value),
    (Dyck(kinds=3, depth=3), open_bracket(3)),
]


@pytest.mark.parametrize(("task", "answer"), ANSWERS, ids=[type(task).__name__ for task, _ in ANSWERS])
def test_each_target_is_the_answer_so_far(task, answer):
    inputs, targets, counted = drawn(task, 12, 25)
    assert counted.any(axis=0).all() and len(np.unique(targets[counted])) == task.classes
    for t, b in zip(*np.nonzero(counted), strict=True):
        assert targets[t, b] == answer(inputs[: t + 1, b].tolist())


@pytest.mark.parametrize(("group", "size"), [("S3", 6), ("A4", 12), ("S5", 120), ("A5", 60)])
def test_words_over_groups_multiply(group, size):
    task = GroupWords(group)
    assert task.tokens == task.classes == size
    degree = int(group[1])
    elements = list(itertools.permutations(range(degree)))
    if group[0] == "A":
        elements = [p for p in elements if round(np.linalg.det(np.eye(degree)[list(p)])) == 1]
    inputs, targets, _ = drawn(task, 3, 20)
    for b in range(3):
        product = np.eye(degree)
        for t in range(20):
            product = product @ np.eye(degree)[list(elements[inputs[t, b]])]
            np.testing.assert_array_equal(np.eye(degree)[list(elements[targets[t, b]])], product)


def work_out(tokens):
    """The value of a list and the rest of the tokens, by recursion."""
    operator, *rest = tokens
    assert 10 <= operator < 14
    values = []
    while rest[0] != 14:
        if rest[0] < 10:
            values.append(rest.pop(0))
        else:
            inner, rest = work_out(rest)
            values.append(inner)
    median = sorted(values)[(len(values) - 1) // 2]
    return [max(values), min(values), median, sum(values) % 10][operator - 10], rest[1:]


@pytest.mark.parametrize("length", [3, 4, 10, 60])
def test_lists_are_whole_and_have_their_value(length):
    inputs, targets, counted = drawn(ListOps(depth=4), 60, length)
    deepest = 0
    for b in range(60):
        found, rest = work_out(inputs[:, b].tolist())
        assert rest == [] and found == targets[-1, b]
        deepest = max(deepest, np.cumsum(np.where(inputs[:, b] == 14, -1, inputs[:, b] >= 10)).max())
    assert counted.sum() == 60 and counted[-1].all() and deepest == (1 if length < 6 else min(4, length // 3 + 1))


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="group='S4'"):
        GroupWords("S4")
    with pytest.raises(ValueError, match="depth=0"):
        Dyck(depth=0)
    with pytest.raises(ValueError, match="length=2: expected at least 3"):
        ListOps().sample(jax.random.key(0), 1, 2)

"""Every target is the answer for the sequence so far, worked out anew by plain Python."""

import itertools

import jax
import numpy as np
import pytest

from experiments.state_tracking.data import CycleNavigation, Dyck, EvenPairs, GroupWords, ModularArithmetic, Parity


def drawn(task, batch, length):
    sample = jax.jit(task.sample, static_argnums=(1, 2))(jax.random.key(0), batch, length)
    inputs, targets, mask = (np.asarray(x) for x in sample)
    assert inputs.min() >= 0 and inputs.max() < task.tokens and targets.min() >= 0 and targets.max() < task.classes
    return inputs, targets, mask


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
    inputs, targets, mask = drawn(task, 12, 25)
    assert mask.any(axis=0).all() and len(np.unique(targets[mask])) == task.classes
    for t, b in zip(*np.nonzero(mask), strict=True):
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


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="group='S4'"):
        GroupWords("S4")
    with pytest.raises(ValueError, match="depth=0"):
        Dyck(depth=0)

"""Finite automata out of networks that have learned one: cluster hidden states, count the ways between clusters.

Omlin & Giles 1996, "Extraction of rules from discrete-time recurrent neural networks", Neural Networks 9(1); clusters
by k-means as in Wang et al. 2018, arXiv:1709.10380, among the hidden states that have the same output, for these alone
can be one state, after the same input, which is most of what sets hidden states apart; then states that cannot be told
apart are joined (Moore 1956).
"""

import dataclasses

import numpy as np

from rnn_jax.extras import optional_imports


@dataclasses.dataclass(frozen=True)
class Automaton:
    """A Moore machine: an output in each state, and a next state for each input.

    Attributes:
        start: the state before the first input.
        transitions: int `[S, V]`, the next state.
        outputs: int `[S]`; −1 for a start that is never come back to.
    """

    start: int
    transitions: np.ndarray
    outputs: np.ndarray

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """The outputs after each input, int `[T, ...]` to `[T, ...]`."""
        state = np.full(inputs.shape[1:], self.start)
        outputs = np.empty(inputs.shape, int)
        for t, tokens in enumerate(inputs):
            state = self.transitions[state, tokens]
            outputs[t] = self.outputs[state]
        return outputs

    def agreement(self, inputs: np.ndarray, outputs: np.ndarray) -> float:
        """The part of all steps whose output is the same."""
        return float(np.mean(self.run(inputs) == outputs))

    def minimal(self) -> "Automaton":
        """The automaton without states that are not reached or cannot be told from others."""
        reached = {self.start}
        while len(reached) < len(reached := reached | {int(s) for r in reached for s in self.transitions[r]}):
            pass
        states = sorted(reached)
        classes = np.zeros(len(self.outputs), int)
        classes[states] = np.unique(self.outputs[states], return_inverse=True)[1]
        while True:
            rows = np.column_stack([classes[states], classes[self.transitions[states]]])
            refined = np.zeros_like(classes)
            refined[states] = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
            if len(np.unique(refined[states])) == len(np.unique(classes[states])):
                break
            classes = refined
        members = [next(s for s in states if classes[s] == c) for c in range(int(classes[states].max()) + 1)]
        transitions, outputs = classes[self.transitions[members]], self.outputs[members]
        start = int(classes[self.start])
        # A start with no output of its own is any state that goes the same ways.
        if outputs[start] < 0 and not (transitions == start).any():
            same = [s for s in range(len(outputs)) if s != start and (transitions[s] == transitions[start]).all()]
            if same:
                return Automaton(same[0], transitions, outputs).minimal()
        return Automaton(start, transitions, outputs)

    def table(self, names: tuple[str, ...] = ()) -> str:
        """The automaton as text: a line for each state, with its output and where each input leads."""
        names = names or tuple(map(str, range(self.transitions.shape[1])))
        lines = ["state  output  " + "  ".join(f"{name:>4}" for name in names)]
        for state, row in enumerate(self.transitions):
            output = "-" if self.outputs[state] < 0 else str(self.outputs[state])
            here = f"{'>' if state == self.start else ' '}{state}"
            lines.append(f"{here:>5}  {output:>6}  " + "  ".join(f"{after:>4}" for after in row))
        return "\n".join(lines)


def extract_automaton(
    states: np.ndarray,
    inputs: np.ndarray,
    outputs: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    tokens: int = 0,
    most: int = 48,
    enough: float = 0.999,
) -> Automaton:
    """The smallest automaton found that does what a network does.

    Numbers of clusters of each input and output are tried from 1 on, until the outputs are those of the network.

    Args:
        states: the hidden state after each step, `[T, B, H]`.
        inputs: int `[T, B]`, from 0 on.
        outputs: of the network after each step, int `[T, B]`, from 0 on.
        mask: bool `[T, B]`, the steps whose outputs count; all by default.
        tokens: V; one more than the largest input by default.
        most: clusters of an input and an output, at most.
        enough: the agreement at which no more clusters are tried.

    Raises:
        ValueError: the arrays do not belong together, or hold no numbers from 0 on.
    """
    if states.shape[:2] != inputs.shape or outputs.shape != inputs.shape:
        raise ValueError(
            f"states {list(states.shape)}, inputs {list(inputs.shape)}, outputs {list(outputs.shape)}: expected "
            "[T, B, H], [T, B], [T, B]"
        )
    if inputs.min() < 0 or outputs.min() < 0:
        raise ValueError(f"inputs from {inputs.min()}, outputs from {outputs.min()}: expected numbers from 0 on")
    tokens = tokens or int(inputs.max()) + 1
    mask = np.ones(inputs.shape, bool) if mask is None else mask
    outputs = np.where(mask, outputs, outputs.max() + 1)  # where none counts, that is the output
    points = np.asarray(states, np.float64).reshape(-1, states.shape[-1])
    kinds = (outputs * tokens + inputs).ravel()
    members = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    classes = [(here, _spread(points[here], most)) for here in members]
    best, best_agreement = None, -1.0
    for count in _growing(max(len(centres) for _, centres in classes)):
        clusters, several = np.zeros(len(points), int), 0
        for here, centres in classes:
            clusters[here] = several + _cluster(points[here], centres[:count])
            several += len(centres[:count])
        automaton = _count(clusters.reshape(inputs.shape), inputs, outputs, several, tokens)
        agreement = automaton.agreement(inputs, outputs)
        if agreement > best_agreement:
            best, best_agreement = automaton, agreement
        if agreement >= enough:
            break
    assert best is not None
    return best.minimal()


def _growing(most: int) -> list[int]:
    """Half as many again from count to count, from 1 to `most`."""
    counts = [1]
    while counts[-1] < most:
        counts.append(min(most, max(counts[-1] + 1, counts[-1] * 3 // 2)))
    return counts


def _spread(points: np.ndarray, most: int) -> np.ndarray:
    """Points far from each other, each as far as can be from those before: where k-means begins."""
    chosen = [0]
    distance = ((points - points[0]) ** 2).sum(axis=1)
    scale = distance.max()
    while len(chosen) < most and distance.max() > 1e-6 * scale:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen]


def _cluster(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    with optional_imports():
        from scipy.cluster.vq import kmeans2

    return kmeans2(points, centres, minit="matrix", missing="warn")[1]


def _count(clusters: np.ndarray, inputs: np.ndarray, outputs: np.ndarray, count: int, tokens: int) -> Automaton:
    """Each cluster's commonest output and, for each input, its commonest next cluster; the start is a state more."""
    before = np.concatenate([np.full((1, inputs.shape[1]), count), clusters[:-1]])
    ways = np.zeros((count + 1, tokens, count), int)
    np.add.at(ways, (before, inputs, clusters), 1)
    output_counts = np.zeros((count + 1, int(outputs.max()) + 1), int)
    np.add.at(output_counts, (clusters, outputs), 1)
    transitions = ways.argmax(axis=2)
    # Where an input never occurred, the automaton stays; from the start it goes where that input mostly leads.
    unseen = ways.sum(axis=2) == 0
    stay = np.broadcast_to(np.arange(count + 1)[:, None], transitions.shape)
    stay = np.where(stay == count, ways.sum(axis=0).argmax(axis=1)[None], stay)
    transitions = np.where(unseen, stay, transitions)
    return Automaton(count, transitions, np.append(output_counts[:count].argmax(axis=1), -1))

"""In which order the operations of a step are written down, so that few values wait for their use at a time."""

from collections.abc import Mapping, Sequence

from rnn_jax.native.graph import Graph


class Order:
    """Nodes and sinks, one after another: `steps` has whether it is a sink, and its number.

    A sink takes a node to a place. What it needs comes right before it, and what can be done with values at hand, that
    nobody else waits for, right after. The next sink is one that needs the fewest operations more.

    Args:
        graph: of the nodes.
        sinks: the node of each sink.
        stops: nodes that are read, not worked out.
        before: leaves that must have been read before a sink writes over them.
    """

    def __init__(self, graph: Graph, sinks: Sequence[int], stops: frozenset[int], before: Mapping[int, Sequence[int]]):
        self.graph, self.sinks, self.stops = graph, sinks, stops
        self.steps: list[tuple[bool, int]] = []
        self.done: set[int] = set()
        self.readers: dict[int, list[int]] = {}
        nodes = graph.reached(sinks, stops)
        self.uses = dict.fromkeys(nodes, 0)
        for number in nodes:
            for arg in self._args(number):
                self.readers.setdefault(arg, []).append(number)
                self.uses[arg] += 1
        for node in sinks:
            self.uses[node] += 1
        waiting = list(range(len(sinks)))
        while waiting:
            sink = min(waiting, key=lambda i: self._missing(sinks[i]))
            waiting.remove(sink)
            for number in (sinks[sink], *before.get(sink, ())):
                self._emit(number)
            self.steps.append((True, sink))
            self._used(sinks[sink])

    def _args(self, number: int) -> tuple[int, ...]:
        return () if number in self.stops else self.graph.nodes[number].args

    def _missing(self, number: int) -> int:
        """How many operations are left to do for a node."""
        found, waiting = set(), [number]
        while waiting:
            if (one := waiting.pop()) not in found and one not in self.done:
                found.add(one)
                waiting += self._args(one)
        return len(found)

    def _emit(self, number: int) -> None:
        waiting = [number]
        while waiting:
            one = waiting[-1]
            missing = [arg for arg in self._args(one) if arg not in self.done]
            if one in self.done or not missing:
                waiting.pop()
                if one not in self.done:
                    self._write(one)
            else:
                waiting += reversed(missing)

    def _write(self, number: int) -> None:
        self.done.add(number)
        self.steps.append((False, number))
        for arg in self._args(number):
            self._used(arg)

    def _used(self, number: int) -> None:
        """A value has been used once more; if it waits for one use alone, and all else is there, that one is next."""
        self.uses[number] -= 1
        if self.uses[number] == 1:
            for reader in self.readers.get(number, ()):
                if reader not in self.done and all(
                    arg in self.done or not self._args(arg) for arg in self._args(reader)
                ):
                    self._emit(reader)

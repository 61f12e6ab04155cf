"""A program in a process of its own, which works when it is told to: threads of one library then disturb no other's."""

import multiprocessing
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.timing import Program, seconds_of
from benchmarks.worker import rest


class Alone:
    """A program that another process makes and runs.

    Args:
        make: from the arguments to the program; a function of a module, which the other process imports.
        arguments: of it, that can be pickled.
        variables: of that process's environment, set before anything is imported there.
    """

    def __init__(self, make: Callable[..., Program], *arguments: Any, variables: Mapping[str, str] | None = None):
        context = multiprocessing.get_context("spawn")
        self.ours, theirs = context.Pipe()
        before, own = dict(os.environ), dict(variables or {})
        os.environ.update(own)  # a spawned process has them from its first import on
        try:
            self.process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
            self.process.start()
        finally:
            for name in own:
                os.environ.pop(name)
                os.environ.update({name: before[name]} if name in before else {})
        theirs.close()

    def first(self) -> Any:
        """What the program gave when it was run for the first time, as NumPy arrays.

        Raises:
            Exception: that which ended the process.
        """
        return self._answer()

    def seconds(self) -> float:
        """The seconds of one call."""
        self.ours.send("turn")
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self.ours.close()
        self.process.join(5)
        self.process.kill()

    def _answer(self) -> Any:
        try:
            answer = self.ours.recv()
        except EOFError:
            self.process.join()
            raise RuntimeError(f"a process ended with exit code {self.process.exitcode}") from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(pipe: Any, make: Callable[..., Program], arguments: tuple[Any, ...]) -> None:
    try:
        program = make(*arguments)
        found = np.asarray(program())
    except Exception as error:
        pipe.send(error)
        return
    rest()
    pipe.send(found)
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        seconds = seconds_of(program, 1)
        rest()
        pipe.send(seconds)

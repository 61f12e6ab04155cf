"""Functions under other signatures, of which flags are made."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any


def signed(command: Callable[..., Any], parameters: Sequence[inspect.Parameter], page: str | None = None) -> Any:
    """A function with other parameters in its signature, and another docstring if one is given."""

    @functools.wraps(command)
    def other(*positional: Any, **named: Any) -> Any:
        return command(*positional, **named)

    del vars(other)["__wrapped__"]
    vars(other)["__signature__"] = inspect.Signature(parameters)
    other.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    other.__doc__ = page or other.__doc__
    return other


def options_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The arguments of a function after its first one, by name alone."""
    _, *parameters = inspect.signature(function, eval_str=True).parameters.values()
    return {p.name: p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters}


def with_options(
    command: Callable[..., Any], options: dict[str, inspect.Parameter], *described: Callable[..., Any]
) -> Callable[..., Any]:
    """A command that takes further arguments, in place of its `**options`.

    Args:
        command: takes them by their names.
        options: the arguments.
        described: functions whose docstrings describe them.
    """
    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.kind is not p.VAR_KEYWORD]
    text, _, entries = (inspect.getdoc(command) or "").partition("\n\nArgs:\n")
    for function in described:
        page = inspect.getdoc(function.__init__ if isinstance(function, type) else function) or ""
        entries += "\n" + page.partition("\n\nArgs:\n")[2].partition("\n\n")[0]
    page = f"{text}\n\nArgs:\n{entries.strip(chr(10))}" if entries.strip() else text
    return signed(command, [*own, *options.values()], page)

"""What is read of a user's files, and what is said of it before training."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import jax
from tqdm import tqdm

from rnn_jax.data.download import DataError

S = TypeVar("S")
T = TypeVar("T")
Note = Callable[[str, str], None]
"""Called with what is odd about a file, in words that are the same for all such files, and the file's name."""


def say(lines: str | Iterable[str]) -> None:
    """Print lines where a run says how it goes; one process of several does."""
    if jax.process_index() == 0:
        for line in [lines] if isinstance(lines, str) else lines:
            print(line, file=sys.stderr)


def read_each(
    items: Sequence[S], read: Callable[[S, Note], T], *, what: str = "files", skip_unreadable: bool = False
) -> list[tuple[S, T]]:
    """Read each of many files; those that cannot be read are named all at once.

    Args:
        items: files, or whatever `read` takes.
        read: from an item to what is in it; raises DataError where it cannot. What is odd it says by its second
            argument: one line is printed for all files of which the same is odd.
        what: the items are, for messages.
        skip_unreadable: leave out what cannot be read, and print a list of it at the end.

    Returns:
        The items that could be read, each with what is in it, in their order.

    Raises:
        DataError: some cannot be read, and are not to be skipped, or none can be read.
    """
    found: list[tuple[S, T]] = []
    faults: list[str] = []
    odd: dict[str, list[str]] = {}
    note: Note = lambda words, name: odd.setdefault(words, []).append(name)  # noqa: E731
    # Only of many files, and on a terminal.
    for item in tqdm(items, desc=what, leave=False, delay=2, disable=None):
        try:
            found.append((item, read(item, note)))
        except DataError as error:
            faults.append(str(error))
    listed = "\n  ".join([f"{len(faults):,} of {len(items):,} {what} cannot be read", *faults])
    if faults and not (skip_unreadable and found):
        one = faults[0] if len(items) == 1 else listed
        raise DataError(one if len(faults) == len(items) else f"{listed}\nmend them, or say --skip-unreadable")
    for words, names in odd.items():
        more = f" and {len(names) - 3:,} more" * (len(names) > 3)
        say(f"note: {', '.join(names[:3])}{more}: {words}")
    if faults:
        say(f"note: {listed}\n  they are left out, for --skip-unreadable")
    return found


def counted(labels: Iterable[str], most: int = 12) -> str:
    """Labels with their numbers, the commonest first: `yes 20, no 3`, of many the first and how many more there are."""
    counts = Counter(labels).most_common()
    more = f", and {len(counts) - most:,} more" * (len(counts) > most)
    return ", ".join(f"{label} {count:,}" for label, count in counts[:most]) + more


def describe_parts(what: str, parts: Mapping[str, Sequence[str]]) -> list[str]:
    """How many things each part has, and of which classes; notes on classes that a part lacks.

    Args:
        what: the things are, such as "recordings".
        parts: the label of each thing, by the part's name, training being the first.
    """
    total = [label for labels in parts.values() for label in labels]
    sizes = ", ".join(f"{len(labels):,} {part}" for part, labels in parts.items())
    lines = [f"{len(total):,} {what}: {sizes}", f"{len(set(total)):,} classes: {counted(total)}"]
    for part, labels in parts.items():
        if lacking := sorted(set(total) - set(labels)):
            more = ", ..." * (len(lacking) > 8)
            lines.append(f"note: the {part} part has none of {', '.join(lacking[:8])}{more}")
    by_case: dict[str, set[str]] = {}
    for label in set(total):
        by_case.setdefault(label.casefold(), set()).add(label)
    lines += [f"note: {' and '.join(sorted(same))} differ in case only" for same in by_case.values() if len(same) > 1]
    return lines


def refuse_unseen(source: str, parts: Mapping[str, Iterable[str]], remedy: str) -> None:
    """See to it that the training part has all that the other parts have.

    Args:
        source: of the data, for the message.
        parts: labels or words, by the part's name, training being the first.
        remedy: what to do, for the message.

    Raises:
        DataError: another part has one that is not in the training part.
    """
    training, *others = parts
    known = set(parts[training])
    for part in others:
        if unseen := sorted(set(parts[part]) - known):
            more = ", ..." * (len(unseen) > 8)
            which = f"{', '.join(unseen[:8])}{more}, which the {training} part lacks"
            raise DataError(f"{source}: the {part} part has {which}; {remedy}")


def refuse_one_class(source: str, labels: Iterable[str]) -> None:
    """See to it that there is something to tell apart.

    Raises:
        DataError: all labels are the same.
    """
    if len(classes := set(labels)) < 2:
        raise DataError(f"{source} has {len(classes)} class, {', '.join(classes)}: expected at least two to tell apart")

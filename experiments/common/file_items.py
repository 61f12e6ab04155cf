"""Files to be answered, each an input: one, all in a folder, or those whose names come in standard input."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments.common.prediction import STANDARD_INPUT, Item, shown_files
from experiments.common.reading import say
from rnn_jax.data import DataError, read_lines


def read_files(
    file: str,
    suffixes: Sequence[str],
    read: Callable[[Path], Any],
    *,
    what: str,
    labelled: bool = False,
    classes: Sequence[str] = (),
) -> Iterator[Item]:
    """The input in each of some files.

    Args:
        file: the path of one; of a folder, which stands for all below it, in the order of their names; or `"-"` for
            those that standard input names, one a line, as they come.
        suffixes: how the names of such files end, in a folder.
        read: from a path to what is in it; raises DataError where it cannot.
        what: the files are, for messages.
        labelled: each with its class, which is the name of the folder that it lies in.
        classes: that there can be.

    Raises:
        DataError: a folder has no such file, or labels are asked for of standard input.
    """
    if labelled and file == STANDARD_INPUT:
        raise DataError(f"standard input: {what} with their classes come from a folder FOLDER/CLASS/FILE")
    if file != STANDARD_INPUT and Path(file).is_dir():
        others = [name for name, path in shown_files(Path(file)) if path.suffix.lower() not in suffixes]
        if others:
            more = f" and {len(others) - 5:,} more" * (len(others) > 5)
            say(f"note: {file}: no {what} by their names, and left out: {', '.join(others[:5])}{more}")
    for name, path in files_in(file, suffixes, what):
        label = path.resolve().parent.name if labelled else None
        try:
            if labelled and label not in classes:
                known = ", ".join(classes)
                raise DataError(f"it lies in the folder {label!r}, which is none of the model's classes, {known}")
            yield Item(name, read(path), label)
        except DataError as error:
            yield Item(name, error, label)


def files_in(file: str, suffixes: Sequence[str], what: str) -> Iterator[tuple[str, Path]]:
    """Names and paths of the files that a word of the command line stands for; arguments are those of `read_files`."""
    if file == STANDARD_INPUT:
        for line in read_lines(sys.stdin.buffer):
            if name := line.strip():
                yield name, Path(name)
        return
    if not (folder := Path(file)).is_dir():
        yield file, folder
        return
    found = [(name, path) for name, path in shown_files(folder) if path.suffix.lower() in suffixes]
    if not found:
        raise DataError(f"{file} has no {what}: expected files whose names end in {', '.join(suffixes)}")
    yield from found

"""Pieces of HTML: tables that become lists where the window is narrow, folds, figures. All text is escaped here."""

import html
import shutil
import urllib.parse
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.report_page.captions import Caption
from experiments.standing import slug


def escaped(text: object) -> str:
    """Text as HTML that is never markup."""
    return html.escape(str(text))


def anchor(*names: str) -> str:
    """What a link to a part of the page says after its #."""
    return slug("-".join(names))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of cells that are HTML; the first of each row names it.

    In a narrow window each row is a block, in which a cell shows the head of its column (`data-head`). The roles keep
    it a table for screen readers also there.
    """
    top = "".join(f'<th role="columnheader" scope="col">{escaped(head)}</th>' for head in heads)
    body = "".join(f'<tr role="row">{"".join(map(_cell, heads, row, range(len(row))))}</tr>\n' for row in rows)
    return (
        f'<table role="table" class="{kind}"><thead role="rowgroup"><tr role="row">{top}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{body}</tbody></table>\n'
    )


def _cell(head: str, text: str, column: int) -> str:
    if not column:
        return f'<th role="rowheader" scope="row">{text}</th>'
    empty = "" if text else ' class="empty"'
    return f'<td role="cell" data-head="{escaped(head)}"{empty}>{text}</td>'


def fold(name: str, title: str, note: str, body: str, kind: str = "") -> str:
    """Something that opens when it is pressed. A link to `#name` opens it, too: the name stands inside of it."""
    said = f' <span class="note">{note}</span>' if note else ""
    inside = f'<div class="inside" id="{name}">' if name else '<div class="inside">'
    return f'<details class="{kind}"><summary><b>{title}</b>{said}</summary>\n{inside}\n{body}</div></details>\n'


def command(text: str) -> str:
    """A command, which may be long."""
    return f"<pre><code>{escaped(text)}</code></pre>\n"


def figure(address: str, caption: Caption, of: str = "") -> str:
    """A picture with what is to be seen on it; `of` says whose it is."""
    whose = f", {escaped(of)}" if of else ""
    alt = escaped(f"{caption.title}{f', {of}' if of else ''}: {caption.text}".removesuffix(": "))
    said = f" {escaped(caption.text)}" if caption.text else ""
    return (
        f'<figure><img loading="lazy" src="{address}" alt="{alt}">'
        f"<figcaption><b>{escaped(caption.title)}</b>{whose}.{said}</figcaption></figure>\n"
    )


def figures(pictures: Iterable[str]) -> str:
    """Pictures side by side."""
    every = "".join(pictures)
    return f'<div class="figures">\n{every}</div>\n' if every else ""


def is_inside(file: Path, source: Path) -> bool:
    """Whether a file is below a folder, wherever links and `..` lead: a study that was received reads nothing else."""
    return "\0" not in str(file) and file.is_file() and file.resolve().is_relative_to(source.resolve())


def copied(file: Path, source: Path, folder: Path, place: str) -> str:
    """Copy a figure from below `source` to a place beside the page; its address there."""
    inside = file.resolve().relative_to(source.resolve())
    address = Path("figures", place, inside)
    (folder / address).parent.mkdir(parents=True, exist_ok=True)
    (folder / address).unlink(missing_ok=True)  # which may be a link to what is not to be written
    shutil.copy(file, folder / address)
    return html.escape(urllib.parse.quote(address.as_posix()))

"""What others have named (columns, sets, messages) in Markdown and LaTeX: shown as they are, and never markup."""

import re
from collections.abc import Iterable, Sequence

LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--",
         "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}  # fmt: skip


def one_line(text: str) -> str:
    """Text without line ends, and with a blank in the place of what cannot be printed."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def markdown_text(text: str) -> str:
    """Text for Markdown, also inside of a table; an underscore inside of a word needs no escape."""
    return re.sub(r"[\\`*\[<>#&|~!$]|(?<![^\W_])_|_(?![^\W_])", lambda found: "\\" + found[0], one_line(text))


def markdown_code(text: str) -> str:
    """Text as code of Markdown, fenced by more backticks than it has in a row."""
    line = one_line(text)
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown."""
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def latex_text(text: str) -> str:
    """Text for LaTeX. What would be an option of the line before, at its beginning, is put into braces."""
    line = one_line(text)
    escaped = re.sub(r"[\\~^–<>|]|[&%$#_{}]", lambda found: LATEX.get(found[0], "\\" + found[0]), line)
    escaped = re.sub(r"^[\[*]", lambda found: f"{{{found[0]}}}", escaped)
    return escaped.replace("--", "-{}-") if "python -m" in line else escaped

"""Studies and benchmarks: their own Markdown as folds, each picture with its caption, each command once."""

import ast
import html
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from markdown_it import MarkdownIt

from experiments.report_page.captions import Caption, words
from experiments.report_page.elements import anchor, command, copied, escaped, figure, fold, is_inside, table

COMMAND = re.compile(r"<p><code>(python -m .*?)</code></p>\n?", re.DOTALL)
PICTURE = re.compile(r'<img src="([^"]+)"[^>]*>')


def study_fold(study: Path, folder: Path, place: str, caption: Callable[[str], Caption], badge: str = "") -> str:
    """A study: its tables and figures, then what it costs, then the commands that make it again."""
    pages = sorted(study.glob("*.md"), key=lambda file: (file.name != "table.md", file.name))
    texts = []
    for file in pages:
        if is_inside(file, study):
            text = file.read_text("utf-8", errors="replace")
            texts.append(text if text.startswith("# ") else f"## {words(file.stem)}\n\n{text}")
    body = markdown("\n\n".join(texts), study, folder, place, caption)
    titles = re.findall(r"<h1>(.*?)</h1>", body)
    body = re.sub(r"<h1>.*?</h1>\n?", "", body)
    title = titles[0] if titles else escaped(study.name)
    return fold(anchor(place), title, f"{badge}{escaped(study.name)}", body, "study")


def benchmark_folds(text: str, source: Path, folder: Path, caption: Callable[[str], Caption]) -> str:
    """A fold for each section of the benchmarks' results."""
    parts = re.split(r"^### (.*)$", text, flags=re.MULTILINE)
    folds = []
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        name, _, device = title.partition(" on ")
        module = source / f"{name.strip('`')}.py"
        measured = f"<p>{escaped(first_paragraph(module))}</p>\n"
        said = command(f"python -m benchmarks.{module.stem}")
        rendered = markdown(body, source, folder, "benchmarks", lambda _, name=module.stem: caption(name))
        inside = f"{measured}{rendered}<h4>Command</h4>\n{said}"
        folds.append(fold("", escaped(module.stem), escaped(device), inside, "benchmark"))
    return "".join(folds)


def first_paragraph(module: Path) -> str:
    """What a module says of itself first; it is not imported."""
    said = ast.get_docstring(ast.parse(module.read_text("utf-8"))) if module.is_file() else ""
    return (said or "").split("\n\n")[0].replace("\n", " ")


def markdown(text: str, source: Path, folder: Path, place: str, caption: Callable[[str], Caption]) -> str:
    """Markdown as HTML; pictures are copied, those that are not below `source` left out, commands said once, last."""

    def picture(found: re.Match[str]) -> str:
        file = source / urllib.parse.unquote(html.unescape(found[1]))
        if not is_inside(file, source):
            return ""
        return figure(copied(file, source, folder, place), caption(file.stem))

    rendered = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    said = dict.fromkeys(COMMAND.findall(rendered))
    rendered = re.sub(r"<table>.*?</table>", again, COMMAND.sub("", rendered), flags=re.DOTALL)
    rendered = PICTURE.sub(picture, rendered).replace("<p><figure>", "<figure>").replace("</figure>\n</p>", "</figure>")
    rendered = re.sub(r"<(/?)h[23]>", r"<\1h4>", rendered)
    return rendered + "".join(f"<h4>Command</h4>\n<pre><code>{one}</code></pre>\n" for one in said)


def again(found: re.Match[str]) -> str:
    """A table of Markdown as one that becomes a list where the window is narrow."""
    parts = re.findall(r"<th(?: [^>]*)?>(.*?)</th>", found[0], re.DOTALL)
    heads = [re.sub("<.*?>", "", html.unescape(head)) for head in parts]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in found[0].split("<tr>")[2:]]
    return table([html.unescape(re.sub("<.*?>", "", head)) for head in heads], rows)

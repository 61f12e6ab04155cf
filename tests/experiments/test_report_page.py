"""The page of all results: whole, with every figure at hand, and sorted by a real browser where there is one."""

import html.parser
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments import page

VOID = {"meta", "img", "br", "hr", "link", "input"}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


class Document(html.parser.HTMLParser):
    """Checks that every element is closed in its order; collects tables as rows of texts, and addresses."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tables, self.sources, self.links, self.ids = [], [], [], [], []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.sources += [attributes["src"]] if tag == "img" else []
        self.links += [attributes["href"]] if tag == "a" else []
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in VOID or self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "new"
    page.build(folder)
    return folder


def test_the_page_is_whole_and_its_figures_are_there(folder):
    document = Document((folder / "index.html").read_text())
    assert len(document.tables) > 5 and document.sources and document.links
    for source in document.sources:
        assert (folder / source).stat().st_size > 1000, source
    assert {link.removeprefix("#") for link in document.links if link.startswith("#")} <= set(document.ids)
    head, *rows = document.tables[0]
    assert tuple(head) == page.HEADS
    (row,) = (row for row in rows if row[0] == "text_generation/tinyshakespeare" and row[1] == "gru 1 x 512")
    assert row[3].startswith("1.486") and row[-1].startswith("python -m experiments.text_generation --")


def test_what_a_run_says_is_never_markup():
    row = {
        "task": "<b>", "model": "<i>", "metric": "a & b", "higher_is_better": True, "mean": 1.0, "std": None, "n": 1,
        "params": 12345, "seconds": [1, 4], "baselines": {"<u>": 2.0}, "published": [], "command": "x > y",
    }  # fmt: skip
    document = Document(page.page({"<Results>": page.results_table([("<e>", row)])}))
    assert document.tables[0][1] == [
        "<e>/<b>", "<i>", "a & b ↑", "1.000\N{NO-BREAK SPACE}(1)", "12,345", "2", "<u> 2.000", "", "x > y",
    ]  # fmt: skip


def test_a_study_is_drawn_from_its_pages(tmp_path):
    study = tmp_path / "studies" / "cells"
    (study / "figures").mkdir(parents=True)
    (study / "table.md").write_text(
        "| cell | value |\n|---|---|\n| gru | 1 |\n\n![curves](figures/curves.png)\n\n<script>"
    )
    (study / "figures" / "curves.png").write_bytes(b"png")
    document = Document(page.page({"Study": page.written(study, tmp_path / "out")}))
    assert document.tables == [[["cell", "value"], ["gru", "1"]]]
    assert document.sources == ["figures/cells/figures/curves.png"]
    assert (tmp_path / "out" / "figures" / "cells" / "figures" / "curves.png").read_bytes() == b"png"


def test_a_study_reads_and_writes_nothing_outside(tmp_path):
    study, out = tmp_path / "studies" / "cells", tmp_path / "out"
    (study / "figures").mkdir(parents=True)
    for file in (tmp_path / "secret.png", study / "figures" / "a b.png", tmp_path / "mine.png"):
        file.write_bytes(b"secret" if file.stem == "secret" else b"png")
    (study / "link.png").symlink_to(tmp_path / "secret.png")
    (study / "costs.md").symlink_to(tmp_path / "secret.png")
    (study / "up").symlink_to(tmp_path)
    outside = [
        "../../secret.png",
        str(tmp_path / "secret.png"),
        "link.png",
        "up/secret.png",
        "figures/../../../secret.png",
    ]
    outside += ["%2e%2e/%2e%2e/secret.png", "nothing.png", "figures", "https://x.example/a.png", "a%00b.png", ".."]
    shown = "\n".join(f"![x]({address})" for address in outside)
    (study / "table.md").write_text(f"{shown}\n\n![y](<figures/a b.png>)\n\n![z](figures/../figures/a%20b.png)")
    (out / "figures" / "cells" / "figures").mkdir(parents=True)
    (out / "figures" / "cells" / "figures" / "a b.png").symlink_to(tmp_path / "mine.png")
    (tmp_path / "mine.png").write_bytes(b"mine")
    document = Document(page.page({"Study": page.written(study, out)}))
    assert [source for source in document.sources if source] == ["figures/cells/figures/a%20b.png"] * 2
    assert "secret" not in page.written(study, out) and (tmp_path / "mine.png").read_bytes() == b"mine"
    assert [file.read_bytes() for file in out.rglob("*") if file.is_file()] == [b"png"]
    (study / "poem.txt").symlink_to(tmp_path / "secret.png")
    assert page.examples(study, out) == '<div class="figures">\n</div>\n'


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here: the page is not opened in a browser")
def test_a_browser_sorts_its_tables(folder, tmp_path):
    def shown(view: str) -> list[list[str]]:
        flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync"
        command = [BROWSER, *flags.split(), f"--user-data-dir={tmp_path}", "--dump-dom"]
        address = f"{Path(folder / 'index.html').as_uri()}{view}"
        done = subprocess.run([*command, address], capture_output=True, text=True, check=True)
        return Document(done.stdout).tables[0][1:]

    as_written = shown("")
    parameters = [int(row[4].replace(",", "")) for row in as_written]
    assert parameters != sorted(parameters), "sorted already: the next line would show nothing"
    assert [int(row[4].replace(",", "")) for row in shown("#sort=1,5,ascending")] == sorted(parameters)
    models = [row[1] for row in as_written]
    assert [row[1] for row in shown("#sort=1,2,descending")] == sorted(models, reverse=True)

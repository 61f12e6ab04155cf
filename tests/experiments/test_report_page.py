"""The page of all results: whole, with every figure at hand, and read by a real browser where there is one."""

import html
import html.parser
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments import page
from experiments.published import published, remarks
from experiments.report import RESULTS, read_results
from experiments.report_page.captions import study_caption, words
from experiments.report_page.documents import study_fold
from experiments.report_page.elements import escaped
from experiments.report_page.overview import HEADS, overview, row, scale
from experiments.report_page.tasks import examples, task_fold
from experiments.standing import further_scores, number_text, spread_text, standings

VOID = {"meta", "img", "br", "hr", "link", "input"}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync"
ROOT = Path(__file__).parent.parent.parent


class Document(html.parser.HTMLParser):
    """Checks that every element is closed in its order; collects tables as rows of texts, addresses, words."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tables, self.pictures, self.links, self.ids, self.captions = [], [], [], [], [], []
        self.outside, self.words = [], ""
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.pictures += [attributes] if tag == "img" else []
        self.links += [attributes["href"]] if tag == "a" else []
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.outside += [v for k, v in attrs if k in ("src", "href", "srcset") and "://" in v]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "figcaption":
            self.captions.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass  # of drawings

    def handle_endtag(self, tag):
        assert tag in VOID or self.open.pop() == tag

    def handle_data(self, data):
        if {"script", "style", "title"} & set(self.open):
            return
        self.words += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data
        if "figcaption" in self.open:
            self.captions[-1] += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "new"
    page.build(folder)
    return folder


@pytest.mark.exhaustive
def test_the_page_is_whole_and_its_figures_are_there(folder):
    text = (folder / "index.html").read_text()
    document = Document(text)
    assert len(document.tables) > 5 and document.links
    for picture in document.pictures:
        assert (folder / picture["src"]).stat().st_size > 1000, picture
    assert {link.removeprefix("#") for link in document.links} <= set(document.ids)
    assert len(set(document.ids)) == len(document.ids)
    assert not document.outside and "@import" not in text and "url(" not in text
    head, *rows = document.tables[0]
    assert tuple(head) == HEADS
    (one,) = (one for one in rows if "tinyshakespeare" in one[0])
    (task,) = standings("text_generation", read_results(RESULTS / "text_generation.json")["results"])
    best = task.ranked[0]
    assert "nats/char ↓ lower is better" in one[0] and one[1] == best["model"]
    assert one[2].replace("\N{NO-BREAK SPACE}", " ").startswith(f"{spread_text(best)} (best)")
    assert str(min(row["value"] for row in published(task.name))) in one[4]
    assert number_text(best["baselines"]["5-gram"]) in one[5]
    assert all(remark in text for remark in map(escaped, remarks(task.name)))
    assert all(escaped(name) in text for name in further_scores(best))


def test_every_committed_figure_is_shown_with_words_and_every_command_once(folder):
    document = Document((folder / "index.html").read_text())
    shown = {Path(picture["src"]).name for picture in document.pictures}
    files = [*page.RESULTS.rglob("*.*"), *page.STUDIES.glob("*/figures/*.*")]
    assert {file.name for file in files if file.suffix in (".png", ".gif")} <= shown
    for file in page.RESULTS.glob("*/*.txt"):
        assert file.read_text().strip()[:40] in document.words
    assert len(document.captions) == len(document.pictures) > 50
    for picture, caption in zip(document.pictures, document.captions, strict=True):
        assert len(caption) > 15 and len(picture["alt"]) > 5, picture
        assert Path(picture["src"]).name not in caption and not re.search(r"[a-z]-[a-z]+-[a-z]", caption), caption
    for results in page.RESULTS.glob("*.json"):
        for one in json.loads(results.read_text())["results"]:
            assert len(re.findall(re.escape(one["command"]) + r"\s", document.words)) == 1, one["command"]
    for study in page.STUDIES.glob("*/study.json"):
        assert document.words.count(json.loads(study.read_text())["command"]) == 1


RESULT = {
    "experiment": "<e>", "task": "<b>", "model": "<i>", "metric": "a & b", "higher_is_better": True, "mean": 1.0,
    "std": None, "n": 1, "params": 12345, "seconds": [1, 4], "baselines": {"<u>": 2.0}, "published": [],
    "command": "x > y", "config": {}, "device": "cpu",
}  # fmt: skip


def test_what_a_run_says_is_never_markup(tmp_path):
    (task,) = standings("<e>", [RESULT])
    text = task_fold(task, "task", lambda one: (tmp_path, "place", []), tmp_path)
    document = Document(
        page.page({"<Results>": page.task_section([task], "task", lambda one: (tmp_path, "", []), tmp_path)})
    )
    assert document.tables[0][1][:2] == ["<e> <b> a & b ↑ higher is better", "<i>"]
    assert Document(text).tables == [
        [
            ["model", "score", "seeds", "parameters", "seconds a run", "device"],
            ["<i>", "1.000", "1", "12,345", "2", "cpu"],
        ],
        [["compared with", "score", "source"], ["<u>", "2.000 (best)", "baseline, of the same runs"]],
    ]
    assert "x > y" in document.words


@pytest.mark.parametrize("higher", [False, True])
def test_on_a_strip_the_right_is_better_and_what_is_next_to_equal_is_together(higher):
    place = scale([1.0, 2.0, 4.0], higher)
    assert (place(1.0) < place(2.0) < place(4.0)) == higher and abs(place(1.0) - place(4.0)) > 100
    close = scale([98.7, 97.7], higher)
    assert 10 < abs(close(98.7) - close(97.7)) < 30
    assert scale([0.0, 0.0], higher)(0.0) > 0 and scale([-2.0, 0.0], higher)(-2.0) > 0
    tiny = scale([1e-6, 1e-3, 1.0], False)
    assert abs((tiny(1e-6) + tiny(1.0)) / 2 - tiny(1e-3)) < 1e-9, "a logarithmic scale"


def test_a_task_without_anything_beside_it_has_no_strip():
    (task,) = standings("some", [RESULT | {"baselines": {}}])
    assert row(task, "task")[3:] == ["", "", ""]


def test_a_study_is_drawn_from_its_pages(tmp_path):
    study = tmp_path / "studies" / "cells"
    (study / "figures").mkdir(parents=True)
    said = "`python -m experiments.ablate some --vary 'a=1,2'`"
    (study / "table.md").write_text(
        "# Which <cell>?\n\n| cell | p, *Holm* |\n|---|---|\n| gru | 1 |\n\n![curves](figures/curves.png)\n\n<script>"
        f"\n\n{said}\n\n![](figures/hidden_size.png)\n\n{said}\n"
    )
    (study / "costs.md").write_text(f"{said}\n\nlittle")
    for name in ("curves", "hidden_size"):
        (study / "figures" / f"{name}.png").write_bytes(b"png")
    document = Document(study_fold(study, tmp_path / "out", "studies/cells", study_caption))
    assert document.tables == [[["cell", "p, Holm"], ["gru", "1"]]]
    assert [picture["src"] for picture in document.pictures] == [
        f"figures/studies/cells/figures/{name}.png" for name in ("curves", "hidden_size")
    ]
    assert document.captions[0].startswith("Validation along training. The interquartile mean")
    assert document.captions[1].startswith("Along hidden size.") and "<script>" in document.words
    assert document.words.count("python -m experiments.ablate some --vary 'a=1,2'") == 1
    assert document.words.strip().startswith("Which <cell>? cells") and "Costs" in document.words
    assert (tmp_path / "out" / "figures" / "studies" / "cells" / "figures" / "curves.png").read_bytes() == b"png"


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
    copies = out / "figures" / "studies" / "cells" / "figures"
    copies.mkdir(parents=True)
    (copies / "a b.png").symlink_to(tmp_path / "mine.png")
    (tmp_path / "mine.png").write_bytes(b"mine")
    text = study_fold(study, out, "studies/cells", study_caption)
    addresses = [picture["src"] for picture in Document(text).pictures]
    assert addresses == ["figures/studies/cells/figures/a%20b.png"] * 2
    assert "secret" not in text and (tmp_path / "mine.png").read_bytes() == b"mine"
    assert [file.read_bytes() for file in out.rglob("*") if file.is_file()] == [b"png"]
    (study / "poem.txt").symlink_to(tmp_path / "secret.png")
    found = [("link", study / "link.png"), ("poem", study / "poem.txt")]
    assert "".join(examples([RESULT], lambda one: (study, "own", found), out)) == ""


def dump(address: str, profile: Path) -> str:
    """What a page has become in a browser."""
    command = [
        str(BROWSER),
        *FLAGS.split(),
        "--allow-file-access-from-files",
        f"--user-data-dir={profile}",
        "--dump-dom",
    ]
    return subprocess.run([*command, address], capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.exhaustive
@pytest.mark.skipif(BROWSER is None, reason="no Chromium here: the page is not opened in a browser")
def test_a_browser_sorts_its_tables(tmp_path):
    tasks = standings("some", [RESULT | {"task": str(i), "model": model} for i, model in enumerate("bca")])
    (tmp_path / "index.html").write_text(page.page({"Overview": overview(tasks, "task")}))
    address = (tmp_path / "index.html").as_uri()
    for way in ("ascending", "descending"):
        _, *rows = Document(dump(f"{address}#sort=1,2,{way}", tmp_path / "profile")).tables[0]
        assert [one[1] for one in rows] == sorted("abc", reverse=way == "descending")


MEASURE = """<body><script>
const widths = [1280, 400], found = [];
function measure(page, width, open) {
  const root = page.documentElement, view = root.clientWidth;
  const scores = [...page.querySelectorAll(".overview .score")].map(one => {
    const box = one.getBoundingClientRect();
    return [one.textContent, box.left, box.right, box.height];
  });
  const every = [...page.body.querySelectorAll("*")];
  const wider = every.filter(one => one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1);
  const names = wider.map(one => `${one.tagName} ${one.className} ${one.textContent.slice(0, 60)}`);
  found.push({width, open, page: root.scrollWidth, view, height: root.scrollHeight, scores, wider: names});
}
for (const width of widths) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `border: 0; width: ${width}px; height: 900px`;
  frame.sandbox = "allow-same-origin"; // without scripts: the page is read as it was written
  frame.src = "index.html";
  frame.onload = () => {
    const page = frame.contentDocument;
    measure(page, width, false);
    page.querySelectorAll("details").forEach(one => { one.open = true; });
    measure(page, width, true);
    if (found.length === 2 * widths.length) document.body.textContent = JSON.stringify(found);
  };
  document.body.append(frame);
}
</script>"""


def seen(folder: Path, profile: Path) -> list[dict]:
    """Asserts that on screens of two widths all scores can be read and nothing scrolls sideways; what was measured."""
    (folder / "measure.html").write_text(MEASURE)
    found = json.loads(html.unescape(re.sub("<.*?>", "", dump((folder / "measure.html").as_uri(), profile))))
    assert sorted((view["width"], view["open"]) for view in found) == [
        (w, o) for w in (400, 1280) for o in (False, True)
    ]
    for view in found:
        size = f"{view['width']} px, folds {'open' if view['open'] else 'closed'}"
        for text, left, right, height in view["scores"]:
            assert 0 <= left < right <= view["view"] and height > 10, f"{size}: {text} is not on the screen"
        assert view["page"] == view["view"], f"{size}: the page is {view['page']} px wide"
        assert not view["wider"], f"{size}: {view['wider'][:5]}"
    return found


@pytest.mark.exhaustive
@pytest.mark.skipif(BROWSER is None, reason="no Chromium here: the page is not opened in a browser")
def test_on_wide_and_narrow_screens_all_scores_are_seen_and_nothing_scrolls_sideways(folder, tmp_path):
    tasks = len(Document((folder / "index.html").read_text()).tables[0]) - 1
    for view in seen(folder, tmp_path):
        assert len(view["scores"]) > 2 * tasks, "the score of each task and of what it is compared with"
        assert view["height"] > (60_000 if view["open"] else 2_000), f"{view['width']} px: was anything laid out?"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here: the page is not opened in a browser")
def test_neither_long_names_nor_long_numbers_push_a_score_off_the_screen(tmp_path):
    long = {
        "task": "every" * 12,
        "model": "gated_deltaproduct" * 4,
        "metric": "perplexity" * 8,
        "baselines": {"b" * 90: 2},
    }
    numbers = {"mean": -1234.56789, "std": 1e-4, "n": 8}
    (tmp_path / "index.html").write_text(
        page.page({"Overview": overview(standings("e", [RESULT | long | numbers]), "task")})
    )
    assert {text for view in seen(tmp_path, tmp_path / "profile") for text, *_ in view["scores"]} >= {"2.000 (best)"}


def test_make_report_takes_ones_own():
    def said(*words):
        command = ["make", "--dry-run", "report", *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert re.search(r"-m experiments\.page\s*$", said(), re.MULTILINE)  # within a make, make says more after it
    assert '-m experiments.page --runs "my runs" --studies "studies"' in said("RUNS=my runs", "STUDIES=studies")


def test_figures_that_are_not_known_are_named_by_their_words():
    assert words("loss_by-speaker 2") == "Loss by speaker 2" and words("--") == "Figure"

"""The overview: a row for each task, the best model beside the best of what it is compared with."""

import math
from collections.abc import Callable, Iterable, Sequence

from experiments.report_page.elements import anchor, escaped, table
from experiments.standing import Standing, number_text, spread_text

HEADS = ("task", "best model", "score", "beside the others", "best published", "best baseline")
WIDTH, HEIGHT, EDGE = 168, 30, 8
MIDDLE = HEIGHT / 2
LEAST_SPAN = 0.1
"""Of the largest value: a strip is no narrower, so that what is next to equal does not look far apart."""
DECADES = 2
"""Errors that differ by more powers of ten than this are drawn on a logarithmic scale."""


def overview(tasks: Sequence[Standing], prefix: str, badge: str = "") -> str:
    """The table, and in a sentence what it comes to."""
    return (
        f"<p>{tally(tasks)}</p>\n<p class='legend'>{LEGEND}</p>\n"
        f"{table(HEADS, (row(task, prefix, badge) for task in tasks), 'overview')}"
    )


def row(task: Standing, prefix: str, badge: str = "") -> list[str]:
    """The cells of a task, as HTML."""
    best = task.ranked[0]
    top = task.best([best["mean"], *task.others])
    way = "higher is better" if task.higher_is_better else "lower is better"
    arrow = "↑" if task.higher_is_better else "↓"
    link = f'<a href="#{link_name(prefix, task)}">{escaped(task.task)}</a>'
    seeds = f"{best['n']} seed{'s' * (best['n'] != 1)}"
    published = [(one["who"], str(one["value"]), one["value"]) for one in task.published]
    baselines = [(name, number_text(value), value) for name, value in task.baselines.items()]
    return [
        f'<small class="of">{badge}{escaped(task.experiment)}</small> {link} '
        f'<small class="metric">{escaped(task.metric)} <span class="way">{arrow} {way}</span></small>',
        escaped(best["model"]),
        f"{marked(spread_text(best), best['mean'] == top)} <small>{seeds}</small>",
        strip(task),
        best_of(published, top),
        best_of(baselines, top),
    ]


def link_name(prefix: str, task: Standing) -> str:
    """What links say to open a task's fold."""
    return anchor(prefix, task.experiment, task.task, task.metric)


def best_of(found: Sequence[tuple[str, str, float]], top: float | None) -> str:
    """The first of some names, texts and values, and those that are level with it."""
    if not found:
        return ""
    names = ", ".join(escaped(name) for name, _, value in found if value == found[0][2])
    return f"{marked(found[0][1], found[0][2] == top)} <small>{names}</small>"


def marked(text: str, best: bool) -> str:
    """A score, which does not break; the best of a row is bold, and said to be."""
    said = escaped(text).replace(" ", "&nbsp;")
    return (
        f'<b class="score">{said}<span class="hidden"> (best)</span></b>'
        if best
        else f'<span class="score">{said}</span>'
    )


def tally(tasks: Iterable[Standing]) -> str:
    """How many tasks are led by what."""
    ahead = published = baseline = alone = 0
    for task in tasks:
        mean = task.ranked[0]["mean"]
        if not task.others:
            alone += 1
        elif task.best([mean, *task.others]) == mean:
            ahead += 1
        elif task.published and task.published[0]["value"] == task.best(task.others):
            published += 1
        else:
            baseline += 1
    total = ahead + published + baseline + alone
    words = [
        f"By its mean, the best model leads or is level in {ahead} of {total} task{'s' * (total != 1)}",
        f"a published result leads in {published}" if published else "",
        f"a simple baseline leads in {baseline}" if baseline else "",
        f"{alone} {'has' if alone == 1 else 'have'} nothing to be compared with" if alone else "",
    ]
    return f"{'; '.join(filter(None, words))}."


def strip(task: Standing) -> str:
    """The best score, all published ones and all baselines on one line, of which the right is the better end."""
    best, published = task.ranked[0]["mean"], [one["value"] for one in task.published]
    baselines = list(task.baselines.values())
    if not task.others:
        return ""
    place = scale([best, *published, *baselines], task.higher_is_better)
    marks = [f'<line class="axis" x1="2" x2="{WIDTH - 2}" y1="{MIDDLE}" y2="{MIDDLE}"/>']
    marks += [tick(place(value)) for value in baselines]
    marks += [diamond(place(value)) for value in published]
    marks.append(dot(place(best)))
    said = [f"here {number_text(best)}", span("published", published), span("baselines", baselines)]
    text = escaped(f"{'; '.join(filter(None, said))}. Further right is better.")
    return (
        f'<svg role="img" aria-label="{text}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f"<title>{text}</title>{''.join(marks)}</svg>"
    )


def scale(values: Sequence[float], higher_is_better: bool) -> Callable[[float], float]:
    """From a value to its place on a strip."""
    low, high = min(values), max(values)
    decades = math.log10(high / low) if low > 0 else 0.0
    turned = math.log10 if decades > DECADES and not higher_is_better else float
    start, end = turned(low), turned(high)
    least = LEAST_SPAN * max(abs(low), abs(high)) if turned is float else 1.0
    if end - start < least:
        start, end = (start + end - least) / 2, (start + end + least) / 2

    def place(value: float) -> float:
        share = (turned(value) - start) / ((end - start) or 1.0)
        return EDGE + (WIDTH - 2 * EDGE) * (share if higher_is_better else 1 - share)

    return place


def span(name: str, values: Sequence[float]) -> str:
    """Some values in words."""
    if not values:
        return ""
    ends = dict.fromkeys(number_text(value) for value in (min(values), max(values)))
    return f"{name} {' to '.join(ends)}"


def dot(x: float) -> str:
    """The mark of the best model, on the line."""
    return f'<circle class="here" cx="{x:.1f}" cy="{MIDDLE}" r="5"/>'


def diamond(x: float) -> str:
    """The mark of a published result, above the line."""
    return f'<path class="published" d="M{x:.1f} {MIDDLE - 13}l4.5 4.5l-4.5 4.5l-4.5 -4.5z"/>'


def tick(x: float) -> str:
    """The mark of a baseline, below the line."""
    return f'<path class="baseline" d="M{x:.1f} {MIDDLE + 4}v9"/>'


def _key(mark: str, words: str) -> str:
    axis = f'<line class="axis" x1="0" x2="16" y1="{MIDDLE}" y2="{MIDDLE}"/>'
    drawn = f'<svg aria-hidden="true" viewBox="0 0 16 {HEIGHT}" width="16" height="{HEIGHT}">{axis}{mark}</svg>'
    return f'<span class="key">{drawn}{words}</span>'


LEGEND = (
    _key(dot(8), "the best model")
    + _key(diamond(8), "published")
    + _key(tick(8), "baseline")
    + '<span class="key">On each line the right end is the better one; bold is the best of a row.</span>'
)

"""Each application on tiny data of one's own, and the parts that it divides them into as they come out of its code.

Genomics is not here: it has folds in place of parts.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from experiments.common.recordings import Recording
from experiments.common.series import Series
from experiments.forecasting.panel import Panel
from experiments.predictive_maintenance.engines import Engine
from experiments.registry import load_experiment
from experiments.video import captions, frames
from experiments.video.data import VIDEOS, Digits
from tests.experiments.anomaly_detection.test_commands import table
from tests.experiments.chatbot.test_commands import LINES
from tests.experiments.forecasting.test_commands import write_table
from tests.experiments.handwriting.test_commands import make_file as write_drawings
from tests.experiments.music_generation.test_commands import make_folder as write_music
from tests.experiments.predictive_maintenance.test_commands import write_engines
from tests.experiments.sentiment.test_commands import ROWS
from tests.experiments.sequential_images.test_commands import write_images
from tests.experiments.speech.test_commands import make_folder as write_sounds
from tests.experiments.translation.test_commands import make_pairs
from tests.experiments.video.test_commands import make_tracks

Visit = Callable[[str, Any], Any]
"""From the name of a part and what is in it to what is to be in it."""

HOLD_OUT = ("training", "validation", "test")
SMALL = {"hidden_size": 4, "layers": 1, "batch_size": 4, "dropout": 0.0, "steps": 20, "evaluate_every": 10,
         "steps_per_dispatch": 5}  # fmt: skip


class Tiny(NamedTuple):
    """An application on tiny data.

    Attributes:
        fields: of its config, but for those of `write`.
        write: puts the data into a folder, and says which fields name them.
        divide: while the patch lasts, each part that the application gets is what a function makes of it.
        parts: that it has.
    """

    fields: Mapping[str, Any]
    write: Callable[[Path], Mapping[str, Any]]
    divide: Callable[[pytest.MonkeyPatch, Visit], None]
    parts: tuple[str, ...] = HOLD_OUT


def around(patch: pytest.MonkeyPatch, owner: Any, name: str, then: Callable[..., Any]) -> None:
    """A function gives what `then` makes of what it gave, and of its arguments."""
    original = getattr(owner, name)
    patch.setattr(owner, name, lambda *a, **k: then(original(*a, **k), *a, **k))


def module(name: str, part: str = "commands") -> Any:
    """A module of an application."""
    load_experiment(name)
    return __import__(f"experiments.{name}.{part}", fromlist=[part])


def visited(parts: Mapping[str, Any], visit: Visit) -> dict[str, Any]:
    """All parts of a dict; the one that is called train is the training part."""
    return {part: visit({"train": "training"}.get(part, part), content) for part, content in parts.items()}


def dict_of(owner: Callable[[], Any], name: str) -> Callable[[pytest.MonkeyPatch, Visit], None]:
    """Parts as a function gives them in a dict, or in the first place of a tuple."""

    def divide(patch: pytest.MonkeyPatch, visit: Visit) -> None:
        def then(found, *_, **__):
            return visited(found, visit) if isinstance(found, dict) else found._replace(parts=visited(found[0], visit))

        around(patch, owner(), name, then)

    return divide


def replaced(whole: Sequence[Any], parts: Mapping[str, list[Any]], visit: Visit) -> list[Any]:
    """What is divided later on, each item as it is in its part."""
    new = {id(a): b for part, items in parts.items() for a, b in zip(items, visit(part, items), strict=True)}
    return [new[id(one)] for one in whole]


def sentiment(patch: pytest.MonkeyPatch, visit: Visit) -> None:
    around(
        patch, module("sentiment"), "load_labelled", lambda found, *_: found._replace(texts=visited(found[0], visit))
    )


def engines(patch: pytest.MonkeyPatch, visit: Visit) -> None:
    commands = module("predictive_maintenance")
    hold_out = commands.hold_out_engines

    def then(found, *_):
        parts = dict(zip(("training", "validation"), hold_out(found[0]), strict=True))
        return replaced(found[0], parts, visit), visit("test", found[1]), found[2]

    around(patch, commands, "load_engines", then)


def corpus(patch: pytest.MonkeyPatch, visit: Visit) -> None:
    def then(found, *_):
        parts, said = found
        return type(parts)(**visited(parts._asdict(), visit)), said

    around(patch, module("text_generation"), "split_corpus", then)


def signs(patch: pytest.MonkeyPatch, visit: Visit) -> None:
    signs = module("video", "signs")
    split = signs.stratified_split

    def then(found, *_):
        rest, test = split(Series(found.values, found.labels), 0.5, 0)
        training, validation = split(rest, 1 / 6, 0)
        parts = {"training": training.values, "validation": validation.values, "test": test.values}
        return found._replace(values=replaced(found.values, parts, visit))

    around(patch, signs, "load_tracks", then)


def digits(patch: pytest.MonkeyPatch, visit: Visit) -> None:
    """Each part has digits of its own, drawn at random."""
    drawn = np.random.default_rng(1).random((3, 10, 8, 8)).astype(np.float32)
    own = {part: Digits(images, np.arange(10)) for part, images in zip(HOLD_OUT, drawn, strict=True)}
    for one in (frames, captions):
        patch.setattr(one, "load_digits", lambda: visited(own, visit))
    for part in VIDEOS:
        patch.setitem(VIDEOS, part, 6)


class Steps(NamedTuple):
    """Some steps of series."""

    times: np.ndarray
    values: tuple[np.ndarray, ...]


def panel(patch: pytest.MonkeyPatch, visit: Visit) -> None:
    def then(found: Panel, *_):
        bounds = {"training": (0, found.validation), "validation": (found.validation, found.test)}
        bounds["test"] = (found.test, len(found.times))
        parts = [
            visit(part, Steps(found.times[a:b], (found.target[:, a:b], found.inputs[:, a:b])))
            for part, (a, b) in bounds.items()
        ]
        target, inputs = (np.concatenate(values, axis=1) for values in zip(*(p.values for p in parts), strict=True))
        return dataclasses.replace(found, target=target, inputs=inputs)

    around(patch, module("forecasting", "tasks").OwnConfig, "panel", then)


def watched(patch: pytest.MonkeyPatch, visit: Visit) -> None:
    """Of each series the rows that are learned from, and those that are watched."""

    def then(found, *_):
        learned, watched = (
            visit(part, [Steps(one.times[rows], (one.values[rows],)) for one in found])
            for part, rows in (("training", slice(0, 200)), ("test", slice(200, None)))
        )
        return [
            one._replace(values=np.concatenate([a.values[0], b.values[0]]))
            for one, a, b in zip(found, learned, watched, strict=True)
        ]

    around(patch, module("anomaly_detection"), "load_series", then)


def drawn(name: str, **purposes: str) -> Callable[[pytest.MonkeyPatch, Visit], None]:
    """Parts that are drawn by keys, each for a purpose."""
    parts = {purpose: part for part, purpose in purposes.items()}

    def divide(patch: pytest.MonkeyPatch, visit: Visit) -> None:
        def then(key, seed, purpose):
            return visit(parts[purpose], key) if purpose in parts else key

        around(patch, module(name), "key_for", then)

    return divide


def written(name: str, content: Callable[[], str], field: str) -> Callable[[Path], Mapping[str, Any]]:
    """A file with some text, that a field names."""

    def write(folder: Path) -> Mapping[str, Any]:
        (folder / name).write_text(content())
        return {field: str(folder / name)}

    return write


def made(name: str, make: Callable[[Path], Any], field: str) -> Callable[[Path], Mapping[str, Any]]:
    """A file, or with an empty name the folder itself, that a function fills."""

    def write(folder: Path) -> Mapping[str, Any]:
        make(folder / name)
        return {field: str(folder / name)}

    return write


def random_text() -> str:
    return "".join(np.random.default_rng(0).choice(list("abcde "), 800))


CHATBOT = {"embedding_size": 4, "longest": 12, "subwords": 80, "heads": 1, "transformer_layers": 1}
PAIRS = written("own.tsv", lambda: "\n".join(LINES), "data")
SYNTHETIC = {"training": "training data", "validation": "validation data", "test": "test data"}

TINY: dict[str, Tiny] = {
    "anomaly_detection": Tiny(
        {"learn": 200, "ahead": 3, "short": 10},
        written("own.csv", lambda: "\n".join(table()), "csv"), watched, ("training", "test"),
    ),
    "chatbot-ranking": Tiny(CHATBOT, PAIRS, dict_of(lambda: module("chatbot"), "split_conversations")),
    "chatbot-writing": Tiny(CHATBOT | {"ngram": 1}, PAIRS, dict_of(lambda: module("chatbot"), "split_conversations")),
    "forecasting": Tiny(
        {"target": "load", "horizon": 3, "window": 8, "season": 8, "conformal": "split"},
        made("own.csv", lambda path: write_table(path, hours=300), "csv"), panel,
    ),
    "gradient_flow": Tiny(
        {"length": 6}, lambda folder: {}, drawn("gradient_flow", training="batches", validation="validation"),
        ("training", "validation"),
    ),
    "handwriting-digits": Tiny(
        {"points": 4}, made("own.json", lambda path: write_drawings(path, strings=False), "data"),
        dict_of(lambda: module("handwriting", "config").HandwritingConfig, "parts"),
    ),
    "handwriting-strings": Tiny(
        {"points": 4}, made("own.json", lambda path: write_drawings(path, strings=True), "data"),
        dict_of(lambda: module("handwriting", "config").HandwritingConfig, "parts"),
    ),
    "memory": Tiny(
        {"task": "adding", "length": 5, "held_out": 16}, lambda folder: {}, drawn("memory", **SYNTHETIC),
        ("training", "validation"),
    ),
    "music_generation": Tiny(
        {"longest": 12}, made("", write_music, "data"), dict_of(lambda: module("music_generation"), "load_music")
    ),
    "predictive_maintenance": Tiny({"cap": 20, "subset": "OWN"}, made("", write_engines, "data"), engines),
    "sentiment": Tiny(
        {"embedding_size": 4, "heads": 1, "transformer_layers": 1, "longest": 20, "gram_count": 2},
        written("own.tsv", lambda: "\n".join(ROWS), "data"), sentiment,
    ),
    "sequential_images": Tiny(
        {"pixels": 6}, made("", write_images, "data"),
        dict_of(lambda: module("sequential_images", "config").Config, "images"),
    ),
    "speech-digits": Tiny(
        {}, made("", lambda path: write_sounds(path, strings=False), "data"),
        dict_of(lambda: module("speech", "config").SoundConfig, "parts"),
    ),
    "speech-strings": Tiny(
        {}, made("", lambda path: write_sounds(path, strings=True), "data"),
        dict_of(lambda: module("speech", "config").SoundConfig, "parts"),
    ),
    "state_tracking": Tiny(
        {"task": "even_pairs", "longest": 6, "test_length": 14, "held_out": 16, "batch_size": 32, "hidden_size": 8},
        lambda folder: {},
        drawn("state_tracking", **SYNTHETIC), ("training", "validation"),
    ),
    "text_generation": Tiny(
        {"embedding_size": 4, "length": 8, "hold_out_test": True}, written("own.txt", random_text, "corpus"), corpus
    ),
    "translation": Tiny(
        {"embedding_size": 4, "vocabulary_size": 60},
        made("own.tsv", lambda path: make_pairs(path, 100, 9), "corpus"),
        dict_of(lambda: module("translation"), "load_parallel"),
    ),
    "video-captions": Tiny({"embedding_size": 4}, lambda folder: {}, digits),
    "video-frames": Tiny({"channels": 2, "frames": 5, "patch": 8, "hidden_size": None}, lambda folder: {}, digits),
    "video-libras": Tiny({}, made("own.csv", make_tracks, "data"), signs),
}  # fmt: skip
"""By the name of the application, with a dash and the task where it has several that read their data apart."""


def other(content: Any) -> Any:
    """Content of the same form that is not the same: what would do harm if it were read."""
    if isinstance(content, str):
        return content[::-1]
    if isinstance(content, jax.Array):
        return jax.random.fold_in(content, 1)
    if isinstance(content, Recording):
        return dataclasses.replace(content, segments=other(content.segments))
    if isinstance(content, Engine):
        return dataclasses.replace(content, sensors=other(content.sensors))
    if isinstance(content, list) and all(isinstance(one, Recording) for one in content):
        words = [content[k - 1].words for k in range(len(content))]  # those of the one before
        return [dataclasses.replace(other(one), words=said) for one, said in zip(content, words, strict=True)]
    if isinstance(content, tuple | list):
        parts = map(other, content)
        return type(content)(*parts) if hasattr(content, "_fields") else type(content)(parts)
    if np.issubdtype(content.dtype, np.floating):
        return (1 - 2 * content).astype(content.dtype)
    if content.dtype == np.uint8:  # pixels, or keys of a piano
        return content.max(initial=1) - content
    return np.roll(content, 1) if np.issubdtype(content.dtype, np.integer) else content  # labels, and times


def fingerprint(content: Any) -> Any:
    """Equal for content that is equal bit for bit."""
    if isinstance(content, jax.Array) and jax.dtypes.issubdtype(content.dtype, jax.dtypes.prng_key):
        return fingerprint(np.asarray(jax.random.key_data(content)))
    if isinstance(content, np.ndarray | jax.Array):
        array = np.asarray(content)
        return array.shape, str(array.dtype), array.tobytes()
    if isinstance(content, Recording):
        return fingerprint(content.segments)
    if isinstance(content, Engine):
        return fingerprint(content.sensors)
    if isinstance(content, Mapping):
        return tuple((key, fingerprint(value)) for key, value in content.items())
    if isinstance(content, tuple | list):
        return tuple(map(fingerprint, content))
    return repr(content)


def examples(content: Any) -> list[Any]:
    """What a part has that no other part may have: its texts, pictures, recordings, engines, moments, or its key."""
    if isinstance(content, str):
        return [content[i : i + 20] for i in range(len(content) - 19)]
    if isinstance(content, Steps):
        return fingerprint(list(content.times))
    if isinstance(content, Digits):
        return [fingerprint(one) for one in content[0]]
    if isinstance(content, list):
        return [
            moment for one in content for moment in (examples(one) if isinstance(one, Steps) else [fingerprint(one)])
        ]
    if isinstance(content, tuple):  # pictures with labels, or sources with targets
        return [fingerprint(one) for one in zip(*content, strict=True)]
    return [fingerprint(content)]

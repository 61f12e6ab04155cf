"""Videos to sentences: training batches, films of the user's, and the task."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.common.file_items import files_in
from experiments.common.keel import KEEL
from experiments.common.named_rows import read_named_rows
from experiments.common.reading import describe_parts, read_each, refuse_one_class
from experiments.common.splitting import TENTHS, number_groups, split_groups
from experiments.video.config import CaptionsConfig
from experiments.video.data import (
    FILMS,
    MOST_PASSAGES,
    PASSAGE,
    SIZE,
    VIDEOS,
    Digits,
    captioned_video,
    load_digits,
    read_film,
)
from experiments.video.figures import draw_filmstrip, write_gif
from experiments.video.readers import make_reader
from experiments.video.task import VideoTask
from rnn_jax.data.download import DataError
from rnn_jax.data.parallel import PARALLEL_AXES, ParallelBatches, teacher_forcing
from rnn_jax.data.sources import digests, file_digest
from rnn_jax.data.vocabulary import Words
from rnn_jax.models import make_generate, make_nats_per_token, target_nats
from rnn_jax.nnx import functional
from rnn_jax.typing import Params

LONGEST = MOST_PASSAGES * PASSAGE
"""Frames, and words with the end, of a captioned video at most."""


@dataclasses.dataclass(frozen=True, eq=False)
class CaptionBatches:
    """Endless batches of captioned videos, batch i a pure function of (seed, i).

    Attributes:
        digits: to draw from.
        words: of the captions.
        batch_size: B.
        seed: non-negative.
    """

    digits: Digits
    words: Words
    batch_size: int
    seed: int

    def batch(self, i: int) -> dict[str, np.ndarray]:
        """Batch i, as `rnn_jax.data.parallel.teacher_forcing` gives it: `source` is float32 `[S, B, 24, 24]`."""
        rng = np.random.default_rng([self.seed, i])
        videos, captions = zip(*(captioned_video(self.digits, rng) for _ in range(self.batch_size)), strict=True)
        return teacher_forcing(videos, [self.words.encode(caption) for caption in captions], LONGEST)


def caption_words(digits: Digits) -> Words:
    """The words that captions have, from a thousand of them."""
    rng = np.random.default_rng(0)
    return Words.fit(captioned_video(digits, rng)[1] for _ in range(1000))


def thinned(film: np.ndarray, longest: int) -> np.ndarray:
    """So many frames of a film `[T, ...]` at most, at equal distances, the first and the last among them."""
    return film if len(film) <= longest else film[np.linspace(0, len(film) - 1, longest).round().astype(int)]


def read_captions(folder: str) -> Iterator[tuple[str, Path, str]]:
    """Name, path and caption of each film in a folder.

    Args:
        folder: with `captions.csv`, a table with the columns file and caption; or with a folder for each label, which
            is the caption of all films in it; or such a table itself.

    Raises:
        DataError: the table cannot be read, a caption is empty, or there are no films.
    """
    table = Path(folder) if Path(folder).is_file() else Path(folder) / "captions.csv"
    if table.is_file():
        _, rows = read_named_rows(table, ("file", "caption"), (), "the columns file and caption")
        for number, row in rows:
            if not row["caption"]:
                raise DataError(f"{table}, line {number}: the caption is empty: fill it in or remove the row")
            yield row["file"], table.parent / row["file"], row["caption"]
        return
    labelled = [(name, path) for name, path in files_in(folder, FILMS, "films") if len(Path(name).parts) == 2]
    if not labelled:
        raise DataError(f"{folder} has neither captions.csv nor films in folders: expected FOLDER/LABEL/FILE")
    for name, path in labelled:
        yield name, path, path.parent.name


def exact_captions(predictions: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> float:
    """The % of captions that are right, token for token."""
    return 100 * float(np.mean([np.array_equal(a, b) for a, b in zip(predictions, targets, strict=True)]))


class CaptionTask(VideoTask):
    """What happens in a video, in words: digits that move, one after the other; or films of the user's."""

    axes = PARALLEL_AXES
    unit = "nats/word"
    monitor, higher_is_better = "validation_exact", True

    batches: CaptionBatches | ParallelBatches

    def __init__(self, config: CaptionsConfig):
        if config.films:
            self._read_films(config)
            return
        digits = load_digits()
        self.words = caption_words(digits["training"])
        self.facts, self.digests = {"words": self.words.to_json()}, digests(KEEL)
        self.batches = CaptionBatches(digits["training"], self.words, config.batch_size, config.fit.seed)
        rng = np.random.default_rng(0)
        self.validation, self.held_out = (
            [captioned_video(digits[part], rng) for _ in range(count)] for part, count in VIDEOS.items()
        )
        self.drawn = True

    def _read_films(self, config: CaptionsConfig) -> None:
        """The films of a folder with their captions, in three parts; copies of a film are in one."""
        listed = list(read_captions(config.films))
        found = read_each(listed, lambda one, note: thinned(read_film(one[1], SIZE), config.longest), what="films")
        pairs = [(film, caption) for (_, _, caption), film in found]
        groups = number_groups([film.tobytes() for film, _ in pairs])
        try:
            parts = split_groups(groups.tolist(), number_groups([caption for _, caption in pairs]))
        except ValueError as error:
            raise DataError(f"the films of {config.films} cannot be divided: {error}") from error
        training, self.validation, self.held_out = ([pairs[k] for k in parts[part]] for part in TENTHS)
        refuse_one_class(config.films, [caption for _, caption in training])
        self.words = Words.fit(caption for _, caption in training)
        self.digests = {name: file_digest(path) for name, path, _ in listed}
        sources, targets = self.encoded(training)
        group = config.fit.steps_per_dispatch
        self.batches = ParallelBatches(sources, targets, config.batch_size, config.fit.seed, group=group, buckets=2)
        self.summary = describe_parts("films", {n: [pairs[k][1] for k in chosen] for n, chosen in parts.items()})
        longest = max(len(film) for film, _ in pairs)
        self.summary = [*self.summary, f"the longest has {longest} frames of {SIZE} x {SIZE} pixels that are read"]
        self.facts, self.drawn = {"words": self.words.to_json()}, False

    @staticmethod
    def build(config: CaptionsConfig, facts: dict[str, Any], key: jax.Array) -> Any:
        words = Words.from_json(facts["words"])
        reader = make_reader(config.reader, config.look_every)
        return config.model.encoder_decoder(len(words), key, make_reader=reader)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        return self.batches.batch(i)

    def loss(self, model: Any, batch: dict[str, Any], key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        return target_nats(model, batch, key)

    def make_validate(self, rebuild: Callable[[Params], Any]) -> Callable[[Params], dict[str, float]]:
        videos, targets = self.encoded(self.validation)
        generate, nats_per_token = make_generate(rebuild, beams=1), make_nats_per_token(rebuild)
        return lambda params: {
            "validation_exact": exact_captions(generate(params, videos), targets),
            "validation_loss": nats_per_token(params, videos, targets),
        }

    def encoded(self, pairs: Sequence[tuple[np.ndarray, str]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The videos and the tokens of captioned videos."""
        return [video for video, _ in pairs], [self.words.encode(caption) for _, caption in pairs]

    def test(self, model: Any, figures: Path) -> tuple[dict[str, Any], str]:
        params, rebuild = functional(model)
        videos, targets = self.encoded(self.held_out)
        predictions = make_generate(rebuild, beams=1)(params, videos)
        texts = [(self.words.decode(a), self.words.decode(b)) for a, b in zip(predictions, targets, strict=True)]
        order = sorted(range(len(texts)), key=lambda k: texts[k][0] == texts[k][1])
        lines = [f"{sum(a != b for a, b in texts)} of {len(texts)} wrong"]
        for k in [*order[:10], *order[-10:]]:
            lines.append(f"< {texts[k][0]}" + (f"\n= {texts[k][1]}" if texts[k][0] != texts[k][1] else ""))
        for name, k in (("wrong", order[0]), ("right", order[-1])):
            if (texts[k][0] == texts[k][1]) == (name == "right"):
                draw_filmstrip({"": videos[k]}, figures / f"{name}.png", title=texts[k][0])
                write_gif(videos[k], figures / f"{name}.gif")
        by_length = {}
        for count in range(1, MOST_PASSAGES + 1) if self.drawn else ():
            chosen = [k for k, video in enumerate(videos) if len(video) == count * PASSAGE]
            exact = exact_captions([predictions[k] for k in chosen], [targets[k] for k in chosen])
            by_length[f"{count} digits"] = exact
        return {
            "metric": "exact captions %", "value": exact_captions(predictions, targets), "higher_is_better": True,
            "baseline": {}, "scores": by_length,
        }, "\n".join(lines) + "\n"  # fmt: skip

"""Videos to sentences: what reads frames for an encoder-decoder, training batches, and the task."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.common.keel import KEEL
from experiments.video.config import CaptionsConfig
from experiments.video.data import (
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
from experiments.video.task import VideoTask
from rnn_jax.cells.convolutional.conv import convolve
from rnn_jax.data.parallel import PARALLEL_AXES, teacher_forcing
from rnn_jax.data.sources import digests
from rnn_jax.data.vocabulary import Words
from rnn_jax.models import make_generate, target_nats
from rnn_jax.nnx import functional
from rnn_jax.typing import Array, Params

LONGEST = MOST_PASSAGES * PASSAGE
"""Frames, and words with the end, of a captioned video at most."""


class FrameReader(nnx.Module):
    """A vector for each frame: two convolutions with max-pooling tell where something is, a third one what it is.

    The features of the third are the largest found anywhere, so that a digit looks the same wherever it is.

    Args:
        embedding_size: E.
        rngs: draws the parameters.
        channels: of the first convolution; each of the others has twice as many as the one before.
        size: rows and columns of a frame, a multiple of 4.
    """

    def __init__(self, embedding_size: int, rngs: nnx.Rngs, *, channels: int = 16, size: int = SIZE):
        self.first = nnx.Conv(1, channels, (3, 3), rngs=rngs)
        self.second = nnx.Conv(channels, 2 * channels, (3, 3), rngs=rngs)
        self.third = nnx.Conv(2 * channels, 4 * channels, (3, 3), rngs=rngs)
        self.where = nnx.Linear(2 * channels * (size // 4) ** 2, embedding_size, rngs=rngs)
        self.what = nnx.Linear(4 * channels, embedding_size, rngs=rngs)

    def __call__(self, frames: Array) -> jax.Array:
        """Frames `[S, B, rows, columns]`, from 0 to 1, to vectors `[S, B, E]`."""
        frames = jnp.asarray(frames)
        xs = frames.reshape(-1, *frames.shape[2:], 1)
        for convolution in (self.first, self.second):
            xs = nnx.max_pool(_convolved(convolution, xs), (2, 2), (2, 2))
        what = self.what(_convolved(self.third, xs).max(axis=(1, 2)))
        where = self.where(xs.reshape(len(xs), -1))
        return (what + where).reshape(*frames.shape[:2], -1)


def _convolved(convolution: nnx.Conv, xs: jax.Array) -> jax.Array:
    assert convolution.bias is not None
    return jax.nn.relu(convolve(xs, convolution.kernel[...], convolution.bias[...]))


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


def exact_captions(predictions: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> float:
    """The % of captions that are right, token for token."""
    return 100 * float(np.mean([np.array_equal(a, b) for a, b in zip(predictions, targets, strict=True)]))


class CaptionTask(VideoTask):
    """What happens in a video, in words: digits that move, one after the other."""

    axes = PARALLEL_AXES
    unit = "nats/word"
    monitor, higher_is_better = "validation_exact", True

    def __init__(self, config: CaptionsConfig):
        digits = load_digits()
        self.words = caption_words(digits["training"])
        self.facts, self.digests = {"words": self.words.to_json()}, digests(KEEL)
        self.batches = CaptionBatches(digits["training"], self.words, config.batch_size, config.fit.seed)
        rng = np.random.default_rng(0)
        self.validation, self.held_out = (
            [captioned_video(digits[part], rng) for _ in range(count)] for part, count in VIDEOS.items()
        )

    @staticmethod
    def build(config: CaptionsConfig, facts: dict[str, Any], key: jax.Array) -> Any:
        words = Words.from_json(facts["words"])
        return config.model.encoder_decoder(len(words), key, make_reader=FrameReader)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        return self.batches.batch(i)

    def loss(self, model: Any, batch: dict[str, Any], key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        return target_nats(model, batch, key)

    def make_validate(self, rebuild: Callable[[Params], Any]) -> Callable[[Params], dict[str, float]]:
        videos, targets = self.encoded(self.validation)
        generate = make_generate(rebuild, beams=1)
        return lambda params: {"validation_exact": exact_captions(generate(params, videos), targets)}

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
        for count in range(1, MOST_PASSAGES + 1):
            chosen = [k for k, video in enumerate(videos) if len(video) == count * PASSAGE]
            exact = exact_captions([predictions[k] for k in chosen], [targets[k] for k in chosen])
            by_length[f"{count} digits"] = exact
        return {
            "metric": "exact captions %", "value": exact_captions(predictions, targets), "higher_is_better": True,
            "baseline": {}, "scores": by_length,
        }, "\n".join(lines) + "\n"  # fmt: skip

    @staticmethod
    def watch(model: Any, facts: dict[str, Any], file: Path) -> Iterator[str]:
        params, rebuild = functional(model)
        (tokens,) = make_generate(rebuild, beams=1, rows=1)(params, [read_film(file, SIZE)])
        yield Words.from_json(facts["words"]).decode(tokens)

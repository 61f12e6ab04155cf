"""Three tasks of video: which sign a hand makes, what the next frame is, and what happens, in words."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.common.keel import KEEL
from experiments.common.series import Series
from experiments.video.captions import CaptionBatches, FrameReader, caption_words, exact_captions
from experiments.video.data import FRAME_AXES, MOST_PASSAGES, PASSAGE, SIZE, BouncingBatches, captioned, load_digits
from experiments.video.figures import draw_filmstrip, draw_tracks, side_by_side, write_gif
from experiments.video.films import read_gif
from experiments.video.frames import FrameModel, build_frame_model, frame_nats, roll_out
from experiments.video.model import VideoSettings, VideoTask
from experiments.video.signs import SignModel, nearest_track, track_scale
from experiments.video.tracks import load_tracks, read_tracks, stratified_split
from rnn_jax.cells import make_cell
from rnn_jax.data.parallel import PARALLEL_AXES
from rnn_jax.data.sources import digests
from rnn_jax.data.vocabulary import Words
from rnn_jax.losses import token_cross_entropy
from rnn_jax.metrics import accuracy, classification_scores
from rnn_jax.models.classifier import Classifier
from rnn_jax.models.config import build_matched
from rnn_jax.models.text_classifier import BATCH_AXES, TextBatches, make_probabilities
from rnn_jax.models.translation import make_writer, target_nats
from rnn_jax.nnx import functional
from rnn_jax.typing import Params

VIDEOS = {"validation": 200, "test": 1000}
"""Of digits; they are the same in every run."""


class SignTask(VideoTask):
    """Tracks to signs: halves of each sign for training and test, by the seed; a sixth of the first for validation."""

    axes = BATCH_AXES | {"scale": None}
    monitor, higher_is_better = "validation_accuracy", True

    def __init__(self, settings: VideoSettings, seed: int, group: int, hold_out: bool = True):
        super().__init__(settings, seed, group, hold_out)
        training, self.held = stratified_split(load_tracks(settings.data), 0.5, seed)
        self.known, self.validation = training, training
        if hold_out:
            self.known, self.validation = stratified_split(training, 1 / 6, seed)
        classes = sorted(set(training.labels))
        self.facts = {"classes": classes, "scale": track_scale(self.known.values).tolist()}
        self.digests = digests(KEEL if settings.data == "libras" else settings.data)
        labels = self.numbers(self.known)
        self.batches = TextBatches(self.known.values, labels, settings.batch_size, seed, group=group, buckets=2)

    def numbers(self, tracks: Series) -> np.ndarray:
        """The number of each label, int32 `[N]`."""
        return np.array([self.facts["classes"].index(label) for label in tracks.labels], np.int32)

    @staticmethod
    def build(settings: VideoSettings, facts: dict[str, Any], key: jax.Array) -> SignModel:
        scale = np.array(facts["scale"])

        def build(settings: VideoSettings) -> SignModel:
            rngs = nnx.Rngs(params=key)
            classifier = Classifier(
                settings.layer(scale.size, rngs), len(facts["classes"]), pooling=settings.pooling,
                dropout_rate=settings.pooled_dropout, dtype=jnp.dtype(settings.dtype), rngs=rngs,
            )  # fmt: skip
            return SignModel(classifier, scale, variation=settings.variation)

        return build_matched(settings, build)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        # Not a constant of the loss, for it differs from seed to seed, and they are to share a program.
        return self.batches.batch(i) | {"scale": np.array(self.facts["scale"], np.float32)}

    def loss(self, model: SignModel, batch: dict[str, Any], key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        logits = model(batch["tokens"], batch["lengths"], scale=batch["scale"], key=key)
        return token_cross_entropy(logits, batch["labels"])

    def validator(self, rebuild: Callable[[Params], SignModel]) -> Callable[[Params], dict[str, float]]:
        probabilities, labels = make_probabilities(rebuild, self.validation.values), self.numbers(self.validation)

        def validate(params: Params) -> dict[str, float]:
            scores = classification_scores(probabilities(params), labels)
            return {"validation_loss": scores["nats"], "validation_accuracy": scores["accuracy"]}

        return validate

    def test(self, model: SignModel, figures: Path) -> tuple[dict[str, Any], str]:
        params, rebuild = functional(model)
        found, labels = make_probabilities(rebuild, self.held.values)(params), self.numbers(self.held)
        scores, classes = classification_scores(found, labels), self.facts["classes"]
        near = nearest_track(self.known.values, self.held.values, self.numbers(self.known))
        best = found.argmax(axis=1)
        wrong, right = np.flatnonzero(best != labels), np.flatnonzero(best == labels)
        shown = [*wrong[:5], *right[:: max(1, len(right) // 5)][:5]]
        names = [f"{classes[labels[k]]}\ntaken for {classes[best[k]]}" for k in shown]
        draw_tracks([self.held.values[k] for k in shown], names, figures / "signs.png")
        lines = [f"{len(wrong)} of {len(labels)} wrong"]
        for k in [*wrong, *right[:10]]:
            mark = "right" if best[k] == labels[k] else "WRONG"
            lines.append(f"{mark}  {classes[labels[k]]:20s} taken for {classes[best[k]]:20s} p {found[k].max():.2f}")
        return {
            "metric": "accuracy %", "value": scores["accuracy"], "higher_is_better": True,
            "baseline": {"nearest track": 100 * accuracy(near, labels)}, "scores": scores,
        }, "\n".join(lines) + "\n"  # fmt: skip

    @staticmethod
    def watch(model: SignModel, facts: dict[str, Any], file: Path) -> Iterator[str]:
        tracks, dims = read_tracks(file, labelled=False), len(facts["scale"][0])
        if tracks.values[0].shape[1] != dims:
            raise ValueError(f"{file} has {tracks.values[0].shape[1]} coordinates: the model was trained on {dims}")
        params, rebuild = functional(model)
        for number, row in enumerate(make_probabilities(rebuild, tracks.values)(params), 1):
            yield f"track {number}: {facts['classes'][int(row.argmax())]}, p {row.max():.2f}"


class FrameTask(VideoTask):
    """The next frame of two digits that bounce: one frame ahead, and the second half imagined from the first."""

    axes = FRAME_AXES

    def __init__(self, settings: VideoSettings, seed: int, group: int, hold_out: bool = True):
        super().__init__(settings, seed, group, hold_out)
        self.facts, self.digests, digits = {}, digests(KEEL), load_digits()
        self.batches = BouncingBatches(digits["training"], settings.batch_size, seed, settings.frames)
        self.validation, self.held = (
            BouncingBatches(digits[part], count, 0, settings.frames).batch(0)["frames"]
            for part, count in VIDEOS.items()
        )

    @staticmethod
    def build(settings: VideoSettings, facts: dict[str, Any], key: jax.Array) -> FrameModel:
        spatial = len(make_cell(settings.frame_cell, 1, 1).input_shape) > 1
        size = settings.channels if spatial else settings.hidden_size
        options = {"patch": settings.patch, "kernel_size": settings.kernel_size}
        return build_frame_model(settings.frame_cell, size, settings.layers, SIZE, key, **options)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        return self.batches.batch(i)

    def loss(self, model: FrameModel, batch: dict[str, Any], key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        return frame_nats(model, batch["frames"])

    def validator(self, rebuild: Callable[[Params], FrameModel]) -> Callable[[Params], dict[str, float]]:
        expect = in_parts(lambda params, frames: jax.nn.sigmoid(rebuild(params)(frames)))
        seen = self.validation
        return lambda params: {"validation_loss": squared_error(expect(params, seen)[1:-1], seen[2:])}

    def test(self, model: FrameModel, figures: Path) -> tuple[dict[str, Any], str]:
        params, rebuild = functional(model)
        half, held = self.settings.frames // 2, self.held
        expected = in_parts(lambda params, frames: jax.nn.sigmoid(rebuild(params)(frames)))(params, held)
        imagined = in_parts(lambda p, given: roll_out(rebuild(p), given, len(held) - half))(params, held[:half])
        errors = ((expected[1:-1] - held[2:]) ** 2).sum(axis=(0, 2, 3))
        lines = ["squared error per frame of each test video, from the best to the worst"]
        lines += [f"  video {k + 1:3d}  {errors[k] / (len(held) - 2):7.3f}" for k in np.argsort(errors)]
        for name, k in (("best", int(errors.argmin())), ("worst", int(errors.argmax()))):
            strip = {
                "seen": held[2:, k], "expected, one ahead": expected[1:-1, k],
                "imagined": np.concatenate([np.zeros_like(held[2:half, k]), imagined[:, k]]),
            }  # fmt: skip
            draw_filmstrip(strip, figures / f"{name}.png", title=f"{name} test video: {self.settings.summary}", first=3)
        write_gif(side_by_side([held[half:, 0], imagined[:, 0]]), figures / "imagined.gif")
        scores = {
            "second half imagined": squared_error(imagined, held[half:]),
            "last frame given copied": squared_error(np.broadcast_to(held[half - 1], held[half:].shape), held[half:]),
        }
        return {
            "metric": "squared error/frame", "value": squared_error(expected[1:-1], held[2:]),
            "higher_is_better": False, "scores": scores,
            "baseline": {"last frame copied": squared_error(held[1:-1], held[2:])},
        }, "\n".join(lines) + "\n"  # fmt: skip

    @staticmethod
    def watch(model: FrameModel, facts: dict[str, Any], file: Path) -> Iterator[str]:
        given = read_gif(file, SIZE)[:, None]
        video = np.concatenate([given, np.asarray(roll_out(model, given, 8))])[:, 0]
        out = file.with_name(file.stem + "-continued.gif")
        write_gif(video, out)
        yield f"{out}: {len(given)} frames given, 8 imagined"


class CaptionTask(VideoTask):
    """What happens in a video, in words: digits that move, one after the other."""

    axes = PARALLEL_AXES
    monitor, higher_is_better = "validation_exact", True

    def __init__(self, settings: VideoSettings, seed: int, group: int, hold_out: bool = True):
        super().__init__(settings, seed, group, hold_out)
        digits = load_digits()
        self.words = caption_words(digits["training"])
        self.facts, self.digests = {"words": self.words.to_json()}, digests(KEEL)
        self.batches = CaptionBatches(digits["training"], self.words, settings.batch_size, seed)
        rng = np.random.default_rng(0)
        self.validation = [captioned(digits["validation"], rng) for _ in range(VIDEOS["validation"])]
        self.held = [captioned(digits["test"], rng) for _ in range(VIDEOS["test"])]

    @staticmethod
    def build(settings: VideoSettings, facts: dict[str, Any], key: jax.Array) -> Any:
        return settings.encoder_decoder(len(Words.from_json(facts["words"])), key, make_reader=FrameReader)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        return self.batches.batch(i)

    def loss(self, model: Any, batch: dict[str, Any], key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        return target_nats(model, batch, key)

    def validator(self, rebuild: Callable[[Params], Any]) -> Callable[[Params], dict[str, float]]:
        videos, wanted = [v for v, _ in self.validation], [self.words.encode(said) for _, said in self.validation]
        write = make_writer(rebuild, beams=1)
        return lambda params: {"validation_exact": exact_captions(write(params, videos), wanted)}

    def test(self, model: Any, figures: Path) -> tuple[dict[str, Any], str]:
        params, rebuild = functional(model)
        videos, wanted = [v for v, _ in self.held], [self.words.encode(said) for _, said in self.held]
        written = make_writer(rebuild, beams=1)(params, videos)
        texts = [(self.words.decode(a), self.words.decode(b)) for a, b in zip(written, wanted, strict=True)]
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
            by_length[f"{count} digits"] = exact_captions([written[k] for k in chosen], [wanted[k] for k in chosen])
        return {
            "metric": "exact captions %", "value": exact_captions(written, wanted), "higher_is_better": True,
            "baseline": {}, "scores": by_length,
        }, "\n".join(lines) + "\n"  # fmt: skip

    @staticmethod
    def watch(model: Any, facts: dict[str, Any], file: Path) -> Iterator[str]:
        params, rebuild = functional(model)
        (written,) = make_writer(rebuild, beams=1, rows=1)(params, [read_gif(file, SIZE)])
        yield Words.from_json(facts["words"]).decode(written)


def in_parts(run: Callable[[Params, Any], jax.Array], rows: int = 100) -> Callable[[Params, np.ndarray], np.ndarray]:
    """A compiled function over videos `[T, B, ...]`, of which it takes so many at once."""
    compiled = jax.jit(run)

    def run_all(params: Params, videos: np.ndarray) -> np.ndarray:
        starts = range(0, videos.shape[1], rows)
        return np.concatenate([np.asarray(compiled(params, videos[:, i : i + rows])) for i in starts], axis=1)

    return run_all


def squared_error(expected: Any, seen: Any) -> float:
    """The mean over frames `[..., rows, columns]` of the summed squared error of their pixels."""
    return float(((np.asarray(expected) - np.asarray(seen)) ** 2).sum(axis=(-2, -1)).mean())


TASKS: dict[str, type[VideoTask]] = {"libras": SignTask, "frames": FrameTask, "captions": CaptionTask}

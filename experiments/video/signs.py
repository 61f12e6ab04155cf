"""Which sign a hand makes: a classifier of tracks, their variation in training, and the task."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.common.keel import KEEL
from experiments.common.reading import describe_parts, refuse_one_class
from experiments.common.series import Series
from experiments.common.splitting import number_groups, repeated
from experiments.published import published
from experiments.video.config import LibrasConfig, TrackClassifierConfig
from experiments.video.figures import draw_tracks
from experiments.video.task import VideoTask
from experiments.video.tracks import Tracks, load_tracks, stratified_split
from rnn_jax.data.batches import LABELLED_AXES, LabelledBatches
from rnn_jax.data.sources import digests
from rnn_jax.losses import token_cross_entropy
from rnn_jax.metrics import accuracy, classification_scores
from rnn_jax.models.classifier import Classifier, make_probabilities
from rnn_jax.models.config import build_matched
from rnn_jax.nnx import Fixed, functional
from rnn_jax.typing import Array, Params


class SignModel(nnx.Module):
    """p(sign | track): where the track is, measured from its own centre, and how fast it moves, to a classifier.

    Args:
        classifier: of inputs `[T, B, 2 D]`.
        scale: deviations over the training part, `[2, D]`: of positions, and of velocities.
        variation: of the tracks in training, see `vary_tracks`; 0 for none.
    """

    def __init__(self, classifier: Classifier, scale: Array, *, variation: float = 0.0):
        self.classifier, self.variation = classifier, variation
        self.scale = Fixed(jnp.asarray(scale, jnp.float32))

    def __call__(
        self, tracks: Array, lengths: Array, *, scale: Array | None = None, key: jax.Array | None = None
    ) -> jax.Array:
        """Score tracks.

        Args:
            tracks: `[T, B, D]`.
            lengths: int `[B]`, at least 1; what lies after them has no influence.
            scale: deviations in place of the model's own.
            key: a typed key: training, with variation and dropout.

        Returns:
            Logits float32 `[B, C]`.
        """
        tracks, lengths = jnp.asarray(tracks, jnp.float32), jnp.asarray(lengths)
        position_scale, velocity_scale = self.scale[...] if scale is None else jnp.asarray(scale, jnp.float32)
        if key is not None:
            vary_key, key = jax.random.split(key)
            tracks = vary_tracks(vary_key, tracks, lengths, self.variation)
        positions, velocities = positions_and_velocities(tracks, lengths)
        features = [positions / position_scale[None, None], velocities / velocity_scale[None, None]]
        return self.classifier(jnp.concatenate(features, axis=-1), lengths, key=key)


def positions_and_velocities(tracks: jax.Array, lengths: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of tracks `[T, B, D]`: positions from the mean one on, and steps since the frame before; zero after the end."""
    valid = (jnp.arange(tracks.shape[0])[:, None] < lengths[None])[..., None]
    mean = jnp.where(valid, tracks, 0.0).sum(0) / lengths[:, None].astype(tracks.dtype)
    positions = jnp.where(valid, tracks - mean[None], 0.0)
    steps = jnp.diff(tracks, axis=0, prepend=tracks[:1])
    return positions, jnp.where(valid, steps, 0.0)


def track_scale(tracks: Sequence[np.ndarray]) -> np.ndarray:
    """Deviations of positions and of velocities over tracks float32 `[t, D]`, as `SignModel` takes them: `[2, D]`."""
    positions = np.concatenate([track - track.mean(axis=0) for track in tracks])
    velocities = np.concatenate([np.diff(track, axis=0) for track in tracks])
    return np.sqrt(np.stack([(positions**2).mean(axis=0), (velocities**2).mean(axis=0)]) + 1e-8)


def vary_tracks(key: jax.Array, tracks: jax.Array, lengths: jax.Array, strength: float) -> jax.Array:
    """Other sizes, slants and timings of tracks `[T, B, D]`, drawn apart for each row; lengths stay.

    At strength 1, deviations are: of the logarithm of each coordinate's size 0.15, of the angle in a plane 8 degrees
    (where D is 2), and of the time at which a position is reached 10 % of the length in the middle of the track,
    falling to nothing at its ends.

    Args:
        key: a typed key.
        tracks: positions.
        lengths: int `[B]`.
        strength: scales every change; 0 for none.
    """
    if not strength:
        return tracks
    size_key, angle_key, time_key = jax.random.split(key, 3)
    length, batch, dims = tracks.shape
    last = (lengths - 1).astype(tracks.dtype)[None]  # [1, B]
    steps = jnp.arange(length, dtype=tracks.dtype)[:, None]
    # Two slow waves that are zero at both ends; so bounded, time never runs backwards: 2 π 0.15 < 1.
    waves = 0.1 * jnp.clip(strength * jax.random.normal(time_key, (2, batch)), -1.5, 1.5)
    time = steps / jnp.maximum(last, 1.0)
    warped = time + waves[:1] * jnp.sin(jnp.pi * time) + 0.5 * waves[1:] * jnp.sin(2 * jnp.pi * time)
    frames = jnp.clip(warped, 0.0, 1.0) * last
    left = jnp.clip(jnp.floor(frames), 0, jnp.maximum(last - 1, 0)).astype(jnp.int32)
    rest = (frames - left.astype(tracks.dtype))[..., None]
    right = jnp.minimum(left + 1, (lengths - 1)[None])
    at = lambda index: jnp.take_along_axis(tracks, index[..., None], axis=0)  # noqa: E731
    tracks = at(left) * (1 - rest) + at(right) * rest
    tracks = tracks * jnp.exp(0.15 * strength * jax.random.normal(size_key, (1, batch, dims)))
    if dims == 2:
        angle = jnp.deg2rad(8.0) * strength * jax.random.normal(angle_key, (1, batch))
        x, y = tracks[..., 0], tracks[..., 1]
        tracks = jnp.stack([jnp.cos(angle) * x - jnp.sin(angle) * y, jnp.sin(angle) * x + jnp.cos(angle) * y], axis=-1)
    return tracks


def nearest_track(training: Sequence[np.ndarray], test: Sequence[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """The label of the training track that is nearest to each test track, without learning: int `[N]`.

    Near: by the Euclidean distance between positions from the mean one on, tracks being stretched to one length.

    Args:
        training: `[t, D]` each.
        test: likewise.
        labels: int `[M]`, of the training tracks.
    """
    longest = max(len(track) for track in training)
    near, far = (np.stack([_stretched(track, longest) for track in tracks]) for tracks in (training, test))
    squares = (far**2).sum(axis=1)[:, None] - 2 * far @ near.T + (near**2).sum(axis=1)
    return labels[squares.argmin(axis=1)]


def _stretched(track: np.ndarray, length: int) -> np.ndarray:
    """A track from its mean position on, at so many equal times: `[length D]`."""
    times = np.linspace(0, len(track) - 1, length)
    steps = np.arange(len(track))
    columns = [np.interp(times, steps, column - column.mean()) for column in track.T]
    return np.concatenate(columns)


class SignTask(VideoTask):
    """Tracks to signs: halves of each sign for training and test, by the seed; a sixth of the first for validation."""

    axes = LABELLED_AXES | {"scale": None}
    unit = "nats"
    monitor, higher_is_better = "validation_accuracy", True

    def __init__(self, config: LibrasConfig):
        seed, group = config.fit.seed, config.fit.steps_per_dispatch
        tracks = load_tracks(config.data)
        training, self.held_out = stratified_split(Series(tracks.values, tracks.labels), 0.5, seed)
        self.training, self.validation = training, training
        if config.fit.hold_out:
            self.training, self.validation = stratified_split(training, 1 / 6, seed)
        classes = sorted(set(training.labels))
        refuse_one_class(config.data, classes)
        scale = track_scale(self.training.values).tolist()
        self.facts = {"classes": classes, "scale": scale, "columns": tracks.columns}
        self.summary = self.describe(tracks)
        self.digests = digests(KEEL if config.data == "libras" else config.data)
        self.published = published(f"video/{config.data}")
        labels = self.class_numbers(self.training)
        self.batches = LabelledBatches(self.training.values, labels, config.batch_size, seed, group=group, buckets=2)

    def describe(self, tracks: Tracks) -> list[str]:
        """What has been read, in a few lines."""
        validation = {} if self.validation is self.training else {"validation": self.validation.labels}
        parts = {"training": self.training.labels, **validation, "test": self.held_out.labels}
        lines = describe_parts("tracks", parts)
        longest = max(range(len(tracks.values)), key=lambda k: len(tracks.values[k]))
        lines.append(
            f"coordinates {', '.join(tracks.columns) or tracks.values[0].shape[1]}; the longest track, "
            f"{tracks.names[longest]}, has {len(tracks.values[longest])} frames"
        )
        if count := repeated(number_groups([value.tobytes() for value in tracks.values])):
            lines.append(f"note: {count:,} tracks are copies of others; copies are in one part")
        return [*lines, *tracks.notes]

    def class_numbers(self, tracks: Series) -> np.ndarray:
        """The number of the class of each track, int32 `[N]`."""
        return np.array([self.facts["classes"].index(label) for label in tracks.labels], np.int32)

    @staticmethod
    def build(config: LibrasConfig, facts: dict[str, Any], key: jax.Array) -> SignModel:
        scale = np.array(facts["scale"])

        def build(model: TrackClassifierConfig) -> SignModel:
            rngs = nnx.Rngs(params=key)
            classifier = Classifier(
                model.layer(scale.size, rngs), len(facts["classes"]), pooling=model.pooling,
                dropout_rate=model.pooled_dropout, dtype=jnp.dtype(model.dtype), rngs=rngs,
            )  # fmt: skip
            return SignModel(classifier, scale, variation=model.variation)

        return build_matched(config.model, build)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        # Not a constant of the loss, for it differs from seed to seed, and they are to share a program.
        return self.batches.batch(i) | {"scale": np.array(self.facts["scale"], np.float32)}

    def loss(self, model: SignModel, batch: dict[str, Any], key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        logits = model(batch["inputs"], batch["lengths"], scale=batch["scale"], key=key)
        return token_cross_entropy(logits, batch["labels"])

    def make_validate(self, rebuild: Callable[[Params], SignModel]) -> Callable[[Params], dict[str, float]]:
        predict, labels = make_probabilities(rebuild, self.validation.values), self.class_numbers(self.validation)

        def validate(params: Params) -> dict[str, float]:
            scores = classification_scores(predict(params), labels)
            return {"validation_loss": scores["nats"], "validation_accuracy": scores["accuracy"]}

        return validate

    def test(self, model: SignModel, figures: Path) -> tuple[dict[str, Any], str]:
        params, rebuild = functional(model)
        tracks, labels = self.held_out.values, self.class_numbers(self.held_out)
        probabilities = make_probabilities(rebuild, tracks)(params)
        scores, classes = classification_scores(probabilities, labels), self.facts["classes"]
        nearest = nearest_track(self.training.values, tracks, self.class_numbers(self.training))
        best = probabilities.argmax(axis=1)
        wrong, right = np.flatnonzero(best != labels), np.flatnonzero(best == labels)
        shown = [*wrong[:5], *right[:: max(1, len(right) // 5)][:5]]
        titles = [f"{classes[labels[k]]}\ntaken for {classes[best[k]]}" for k in shown]
        draw_tracks([tracks[k] for k in shown], titles, figures / "signs.png")
        lines = [f"{len(wrong)} of {len(labels)} wrong"]
        for k in [*wrong, *right[:10]]:
            mark, p = "right" if best[k] == labels[k] else "WRONG", probabilities[k].max()
            lines.append(f"{mark}  {classes[labels[k]]:20s} taken for {classes[best[k]]:20s} p {p:.2f}")
        return {
            "metric": "accuracy %", "value": scores["accuracy"], "higher_is_better": True,
            "baseline": {"nearest track": 100 * accuracy(nearest, labels)}, "scores": scores,
        }, "\n".join(lines) + "\n"  # fmt: skip

"""What a movement means: a classifier of tracks, and the changes in training that leave the meaning what it is."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from rnn_jax.models.classifier import Classifier
from rnn_jax.nnx import Fixed
from rnn_jax.typing import Array


class SignModel(nnx.Module):
    """p(sign | track): where the track is, measured from its own centre, and how fast it moves, to a classifier.

    Args:
        classifier: of inputs `[T, B, 2 D]`.
        scale: deviations over the training part, `[2, D]`: of places, and of speeds.
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
        place_scale, speed_scale = self.scale[...] if scale is None else jnp.asarray(scale, jnp.float32)
        if key is not None:
            vary_key, key = jax.random.split(key)
            tracks = vary_tracks(vary_key, tracks, lengths, self.variation)
        places, speeds = places_and_speeds(tracks, lengths)
        features = [places / place_scale[None, None], speeds / speed_scale[None, None]]
        return self.classifier(jnp.concatenate(features, axis=-1), lengths, key=key)


def places_and_speeds(tracks: jax.Array, lengths: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of tracks `[T, B, D]`: places from the mean place on, and the way since the frame before; zero after the end."""
    valid = (jnp.arange(len(tracks))[:, None] < lengths[None])[..., None]
    mean = jnp.where(valid, tracks, 0.0).sum(0) / lengths[:, None].astype(tracks.dtype)
    places = jnp.where(valid, tracks - mean[None], 0.0)
    ways = jnp.diff(tracks, axis=0, prepend=tracks[:1])
    return places, jnp.where(valid, ways, 0.0)


def track_scale(tracks: Sequence[np.ndarray]) -> np.ndarray:
    """The deviations of places and of speeds over tracks float32 `[t, D]`, as `SignModel` takes them: `[2, D]`."""
    places = np.concatenate([track - track.mean(axis=0) for track in tracks])
    speeds = np.concatenate([np.diff(track, axis=0) for track in tracks])
    return np.sqrt(np.stack([(places**2).mean(axis=0), (speeds**2).mean(axis=0)]) + 1e-8)


def vary_tracks(key: jax.Array, tracks: jax.Array, lengths: jax.Array, strength: float) -> jax.Array:
    """Other sizes, slants and timings of tracks `[T, B, D]`, drawn apart for each row; lengths stay.

    At strength 1, deviations are: of the logarithm of each coordinate's size 0.15, of the angle in a plane 8 degrees
    (where D is 2), and of the time at which a place is reached 10 % of the length in the middle of the track, falling
    to nothing at its ends.

    Args:
        key: a typed key.
        tracks: places.
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
    part = steps / jnp.maximum(last, 1.0)
    bent = part + waves[:1] * jnp.sin(jnp.pi * part) + 0.5 * waves[1:] * jnp.sin(2 * jnp.pi * part)
    places = jnp.clip(bent, 0.0, 1.0) * last
    left = jnp.clip(jnp.floor(places), 0, jnp.maximum(last - 1, 0)).astype(jnp.int32)
    rest = (places - left.astype(tracks.dtype))[..., None]
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

    Near: by the Euclidean distance between places from the mean place on, tracks being stretched to one length.

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
    """A track from its mean place on, at so many equal times: `[length D]`."""
    times = np.linspace(0, len(track) - 1, length)
    steps = np.arange(len(track))
    columns = [np.interp(times, steps, column - column.mean()) for column in track.T]
    return np.concatenate(columns)

"""Signs: what stays the same when a track is moved, padding, variation in training, and the nearest track."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.video import EXPERIMENT
from experiments.video.signs import SignTask, nearest_track, positions_and_velocities, track_scale, vary_tracks

RNG = np.random.default_rng(0)
TRACKS = RNG.normal(size=(9, 3, 2)).astype(np.float32).cumsum(axis=0)
LENGTHS = np.array([9, 5, 1], np.int32)
FACTS = {"classes": ["a", "b", "c"], "scale": [[1.0, 2.0], [0.5, 0.25]]}


def test_positions_and_velocities_are_those_of_the_valid_part():
    positions, velocities = positions_and_velocities(jnp.asarray(TRACKS), jnp.asarray(LENGTHS))
    for row, length in enumerate(LENGTHS):
        track = TRACKS[:length, row]
        np.testing.assert_allclose(positions[:length, row], track - track.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(velocities[1:length, row], np.diff(track, axis=0), atol=1e-6)
        assert not np.asarray(velocities[0, row]).any()
        assert not np.asarray(positions[length:, row]).any() and not np.asarray(velocities[length:, row]).any()


def test_the_scale_is_the_deviation_over_all_tracks():
    tracks = [TRACKS[:n, row] for row, n in enumerate((9, 5, 4))]
    centred = np.concatenate([t - t.mean(axis=0) for t in tracks])
    steps = np.concatenate([t[1:] - t[:-1] for t in tracks])
    np.testing.assert_allclose(track_scale(tracks), [centred.std(axis=0), np.sqrt((steps**2).mean(axis=0))], rtol=1e-5)


def test_neither_the_position_of_a_track_nor_padding_has_influence():
    model = SignTask.build(EXPERIMENT.configure({"hidden_size": 4, "heads": 1}), FACTS, jax.random.key(0))
    wanted = model(TRACKS, LENGTHS)
    garbage = TRACKS.copy()
    garbage[5:, 1] = garbage[1:, 2] = 1e3
    np.testing.assert_allclose(model(garbage + np.float32(0.5), LENGTHS), wanted, atol=1e-4)
    assert np.abs(np.asarray(model(2 * TRACKS, LENGTHS) - wanted)).max() > 1e-3


def test_variation_keeps_ends_lengths_and_the_order_of_time():
    time = jnp.broadcast_to(jnp.arange(50.0)[:, None, None], (50, 400, 2))
    lengths = jnp.full(400, 40)
    varied = np.asarray(vary_tracks(jax.random.key(0), time, lengths, 1.0))[:40]
    # A track that is its own time: sizes and angles only scale it, so that its differences all have one sign.
    assert (np.diff(varied, axis=0) * np.sign(varied[-1:]) > -1e-4).all()
    np.testing.assert_allclose(varied[0], 0.0, atol=1e-5)
    sizes = np.linalg.norm(varied[-1], axis=-1) / (39 * np.sqrt(2))
    assert abs(np.log(sizes).std() - 0.15 / np.sqrt(2)) < 0.02
    angles = np.arctan2(varied[-1, :, 1], varied[-1, :, 0]) - np.pi / 4
    assert abs(np.rad2deg(angles.std()) - np.hypot(8, np.rad2deg(0.15 / np.sqrt(2)))) < 1.5
    middle = (varied / varied[-1:])[20, :, 0] * 39
    assert 2 < middle.std() < 4.5  # 10 % of the length is 3.9
    assert vary_tracks(jax.random.key(0), time, lengths, 0.0) is time


def test_variation_does_not_look_past_the_end():
    garbage = TRACKS.copy()
    garbage[5:, 1] = garbage[1:, 2] = np.nan
    for strength in (0.5, 3.0):
        a, b = (np.asarray(vary_tracks(jax.random.key(1), jnp.asarray(t), jnp.asarray(LENGTHS), strength))
                for t in (TRACKS, garbage))  # fmt: skip
        for row, length in enumerate(LENGTHS):
            np.testing.assert_array_equal(a[:length, row], b[:length, row])
            assert np.isfinite(b[:length, row]).all()


def test_the_nearest_track_is_the_one_of_the_same_form():
    line, curve = np.linspace(0, 1, 9), np.linspace(0, 1, 9) ** 3
    training = [np.stack([line, line], axis=1), np.stack([line, curve], axis=1)]
    test = [track[::2] + 5 for track in training[::-1]]  # at another place, and of another length
    assert nearest_track(training, test, np.array([7, 8])).tolist() == [8, 7]

"""What counting alone reaches, counted in loops; what the literature reports."""

import numpy as np

from experiments.music_generation.baselines import frequency_baselines
from experiments.music_generation.midi import PITCHES


def test_what_counting_reaches(rolls):
    training, test = rolls[:3], rolls[3:]
    baseline = frequency_baselines(training, test)
    frequency, itself, count = 0.0, 0.0, 0
    for roll in test:
        for t in range(1, len(roll)):
            count += 1
            for pitch in range(PITCHES):
                pairs = [(r[s - 1, pitch], r[s, pitch]) for r in training for s in range(1, len(r))]
                same = [after for before, after in pairs if before == roll[t - 1, pitch]]
                for total, outcomes in ((0, [after for _, after in pairs]), (1, same)):
                    p = (sum(map(int, outcomes)) + 0.5) / (len(outcomes) + 1)
                    nats = -np.log(p if roll[t, pitch] else 1 - p)
                    frequency, itself = (frequency + nats, itself) if total == 0 else (frequency, itself + nats)
    np.testing.assert_allclose(baseline["frequency of each key"], frequency / count)
    np.testing.assert_allclose(baseline["each key after itself"], itself / count)

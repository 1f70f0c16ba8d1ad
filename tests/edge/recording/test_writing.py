"""A recording as a file: nothing faint is lost to 16 bits, and the first sample stays the first."""

from io import BytesIO

import numpy as np
import pytest
import soundfile

from leakear.edge.recording.writing import gain_db, level_dbfs, written

RATE = 22050


def file_of(samples: np.ndarray, rate: int = RATE) -> tuple[np.ndarray, int, float, int]:
    gain = gain_db(samples)
    steps = list(written(samples, RATE, rate, gain))
    assert steps[:-1] == [None] * (len(steps) - 1)
    sound, at = soundfile.read(BytesIO(steps[-1]))
    return sound, at, gain, len(steps)


@pytest.mark.parametrize("level", [1e-5, 1e-3, 0.05, 0.5])
def test_the_file_is_the_sound_times_the_gain_that_is_said(level: float) -> None:
    samples = np.clip(level * np.random.default_rng(1).standard_normal(7 * RATE + 13), -1, 1).astype(np.float32)
    sound, rate, gain, steps = file_of(samples)
    assert (rate, len(sound), steps) == (RATE, len(samples), 9)
    error = sound / 10 ** (gain / 20) - samples
    assert np.std(error) < level / 30
    assert gain >= 0
    assert np.max(np.abs(sound)) <= 1


def test_another_rate_begins_at_the_same_moment() -> None:
    samples = np.zeros(6 * RATE, np.float32)
    samples[RATE : RATE + 400] = np.hanning(400)
    sound, rate, _, _ = file_of(samples, 8000)
    assert (rate, len(sound)) == (8000, 48000)
    assert np.argmax(sound) / 8000 == pytest.approx((RATE + 200) / RATE, abs=2e-4)


def test_silence_has_a_level_and_a_file() -> None:
    samples = np.zeros(5 * RATE, np.float32)
    assert level_dbfs(samples) == -200
    assert file_of(samples)[2] == 0

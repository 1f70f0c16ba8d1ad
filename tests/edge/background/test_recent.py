"""The levels of the last span are those of a plain list of windows."""

import numpy as np
import pytest

from leakear.edge.background.recent import RecentLevels
from leakear.edge.background.third_octaves import CENTRES_HZ, Bands


@pytest.mark.parametrize("step_s", [1.0, 10.0, 700.0])
def test_they_are_those_of_a_plain_list(step_s: float) -> None:
    rng = np.random.default_rng(6)
    recent, plain, time_s = RecentLevels(), list[tuple[float, Bands]](), 0.0
    for number in range(4000):
        time_s += step_s * (1 if rng.random() < 0.99 else 40)  # now and then a gap
        levels = rng.normal(-60, 5, len(CENTRES_HZ)).astype(np.float32)
        recent.add(time_s, step_s, levels)
        recent.drop_until(time_s - 1800)
        plain = [window for window in [*plain, (time_s, levels)] if window[0] > time_s - 1800]
        assert len(recent) == len(plain)
        assert recent.heard_s == pytest.approx(step_s * len(plain))
        if number % 50 == 0:
            assert np.array_equal(recent.levels, [row for _, row in plain])
    recent.clear()
    assert len(recent.levels) == 0
    recent.add(time_s, step_s, levels)
    assert np.array_equal(recent.levels, [levels])

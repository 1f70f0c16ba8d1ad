"""Processes in time: the same in any order, with their spread and correlation; lasting changes; days of use."""

import numpy as np
import pytest

from leakear.train.simulator.variation.processes import drift, last_change, runs_on


def test_a_drift_is_a_function_of_time_alone() -> None:
    times = np.arange(0, 50, 0.1)
    whole = drift((1, 2), times, 1.5, columns=3)
    assert whole.shape == (500, 3)
    for part in (slice(0, 1), slice(333, 340), slice(499, 500)):
        assert np.allclose(drift((1, 2), times[part], 1.5, columns=3), whole[part])
    assert not np.allclose(drift((1, 3), times, 1.5, columns=3), whole)


def test_a_drift_has_its_spread_and_correlation() -> None:
    times = np.arange(0, 6000, 1.0)
    values = drift((5,), times, 2.0)[:, 0]  # knots every day
    assert values.std() == pytest.approx(1, abs=0.1)
    assert values.mean() == pytest.approx(0, abs=0.15)
    assert np.corrcoef(values[:-2], values[2:])[0, 1] == pytest.approx(np.exp(-1), abs=0.1)
    assert abs(np.corrcoef(values[:-20], values[20:])[0, 1]) < 0.1


def test_lasting_changes_last_until_the_next() -> None:
    days = [last_change((7,), date, 1 / 50) for date in range(2000)]
    assert days[0] == 0
    assert all(b in (a, date) for a, b, date in zip(days[:-1], days[1:], range(1, 2000), strict=True))
    assert 20 <= len(set(days)) <= 60


@pytest.mark.parametrize(("share", "together"), [(0.05, 1.2), (0.9, 30.0), (0.5, 5.0)])
def test_days_of_use_have_their_share_and_length(share: float, together: float) -> None:
    used = np.array([[runs_on((seed, 3), date, share, together) for date in range(1000)] for seed in range(20)])
    assert used.mean() == pytest.approx(share, rel=0.25)
    stops = np.sum(used[:, :-1] & ~used[:, 1:])
    assert used.sum() / stops == pytest.approx(together, rel=0.35)

"""The strongest source that one pair, or several pairs together, show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import scipy.ndimage

from leakear.dashboard.locate.correlation import Correlation, Floats, Found, ranges
from leakear.dashboard.locate.correlation import strongest as strongest_of_one

Pair = tuple[Correlation, npt.NDArray[np.bool_], float, float]
"""Correlation, possible delays, slack of the clocks in s, length in s."""
_STEP_S = 5e-5
MARGIN = 1.25
"""A score of several pairs must be this much higher: sums of highest values have a longer tail than a normal one."""


def strongest(pairs: Sequence[Pair]) -> tuple[float, list[Found]]:
    """Find the source in each pair that all of them together show best, and its score.

    Clocks differ from pair to pair: each pair's score is taken as its highest within the slack of its clocks, and the
    scores are added. What impossible delays give in the same way says what is chance.
    """
    if len(pairs) == 1:
        found = strongest_of_one(pairs[0][0], pairs[0][1])
        return found.score, [found]
    reach = min(float(c.delay[-1]) - c.drift[-1] * seconds / 2 for c, _, _, seconds in pairs)
    delay = np.arange(-reach, reach, _STEP_S)
    limit = max(float(c.delay[possible][-1]) for c, possible, _, _ in pairs)
    inside = np.abs(delay) <= limit
    best, chosen, where = -np.inf, (0, 0), 0.0
    count = min(len(c.count) for c, *_ in pairs)
    for low, high in ranges(count):
        total = np.sum([_against(pair, low, high, delay) for pair in pairs], axis=0)
        outside = total[~inside]
        score = (total - outside.mean()) / outside.std()
        top = int(np.argmax(np.where(inside, score, -np.inf)))
        if score[top] > best:
            best, chosen, where = float(score[top]), (low, high), float(delay[top])
    return best, [_near(pair, where, chosen) for pair in pairs]


def _against(pair: Pair, low: int, high: int, delay: Floats) -> Floats:
    """Highest score within the clocks' slack, against the delay at the first sample."""
    c, _, slack, seconds = pair
    score = c.score(low, high)
    lines = [np.interp(delay + drift * seconds / 2, c.delay, score[d]) for d, drift in enumerate(c.drift)]
    return np.asarray(scipy.ndimage.maximum_filter1d(np.max(lines, axis=0), 2 * round(slack / _STEP_S) + 1))


def _near(pair: Pair, delay: float, band: tuple[int, int]) -> Found:
    """Strongest peak of one pair within the slack of its clocks around the common delay."""
    c, _, slack, seconds = pair
    drifted = float(c.drift[-1]) * seconds / 2
    near = np.abs(c.delay - delay) <= slack + drifted + 2 * _STEP_S
    found = strongest_of_one(c, near)
    return replace(found, low=band[0], high=band[1])

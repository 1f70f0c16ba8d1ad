"""How well what is heard now is explained by what was heard before: what no explanation covers is a rise.

Sounds add, and a leak only ever adds. So a moment of the past can explain the present only if it is nowhere louder;
what then still stands above it, in two neighbouring third octaves or twice as far in one, is new. The surroundings may
be louder or quieter now than they were at that moment, above the floor that never changes, and two known sounds may
sound at once. Every explanation that fits is tried and the one that leaves least is believed: a node would rather
believe that all is as usual. Pure.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from leakear.edge.background.third_octaves import CENTRES_HZ, Bands

Rows: TypeAlias = NDArray[np.float32]
"""Spectra, shape (n, 25), dB or power"""
LOWEST_HZ = 200.0
"""Rises below are traffic's and the wind's."""
GAINS_DB = (-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 6.0)
"""How much louder the surroundings of a moment may be now."""
AS_LOUD_DB = 0.5
"""A moment this much louder than now is still no louder."""
FITS_DB = 0.1
"""Mean excess over now, of the bands that exceed it most, up to which an explanation fits."""
MOST = 8
"""How many bands those are."""
MISFIT = 4.0
"""dB that an explanation is held to leave for each dB by which it does not fit."""
PAIRED = 4
"""Best single moments that are tried together with every other."""
ENOUGH_DB = 0.8
"""What a single moment leaves unexplained from which two at once are tried."""
_FIRST = int(np.searchsorted(CENTRES_HZ, LOWEST_HZ * 0.9))
_HEARD = int(np.searchsorted(CENTRES_HZ, 60.0))  # bands below say nothing about a fit


@dataclass(frozen=True, slots=True)
class Explanation:
    """The best that is known about the present."""

    rise_db: float
    """dB that two neighbouring third octaves both stand above it, or half of what one does; negative: below"""
    band: int
    """index of the lower of the two"""
    expected: Bands
    """what was to be expected, dB"""
    cost: float
    """the rise, and what the explanation does not fit by"""


class Explainer:
    """Everything heard here, ready to explain the present."""

    def __init__(self, past: Rows) -> None:
        """Take moments of the past, shape (n, 25), dB; n at least one."""
        power = 10 ** (past / 10)
        floor = power.min(axis=0)
        self._added = power - floor
        gains = 10 ** (np.array(GAINS_DB, np.float32) / 10)
        self._powers = (floor + gains[:, None, None] * self._added).reshape(-1, past.shape[1])
        self._levels = _decibels(self._powers)

    def explain(self, now: Bands) -> Explanation:
        """Find the explanation of levels, shape (25,), that leaves least."""
        costs = _costs(now, self._levels)
        best = np.argsort(costs)[:PAIRED]
        found = _explanation(now, self._levels[best[0]])
        if found.cost <= ENOUGH_DB:
            return found
        for first in best:
            levels = _decibels(self._powers[first] + self._added)
            both = _explanation(now, levels[_costs(now, levels).argmin()])
            found = min(found, both, key=lambda explanation: explanation.cost)
        return found


def _decibels(power: Rows) -> Rows:
    return np.asarray(10 * np.log10(np.maximum(power, 1e-14)), np.float32)


def _rises(above: Rows) -> Rows:
    """Return for each pair of neighbouring bands what both rise by, or half of what one does, shape (n, pairs)."""
    low, high = above[..., _FIRST:-1], above[..., _FIRST + 1 :]
    return np.asarray(np.maximum(np.minimum(low, high), 0.5 * np.maximum(low, high)), np.float32)


def _misfits(above: Rows) -> Rows:
    """Return by how much each explanation is louder than what is heard, shape (n,), dB."""
    excess = np.maximum(-above[..., _HEARD:] - AS_LOUD_DB, 0)
    most = np.partition(excess, -MOST, axis=-1)[..., -MOST:].mean(axis=-1)
    return np.asarray(np.maximum(most - FITS_DB, 0), np.float32)


def _costs(now: Bands, levels: Rows) -> Rows:
    above = now - levels
    return np.asarray(_rises(above).max(axis=-1) + MISFIT * _misfits(above), np.float32)


def _explanation(now: Bands, expected: Bands) -> Explanation:
    rises = _rises(now - expected)
    pair = int(rises.argmax())
    cost = float(_costs(now, expected[None])[0])
    return Explanation(float(rises[pair]), _FIRST + pair, np.asarray(expected, np.float32), cost)

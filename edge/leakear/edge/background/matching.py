"""Compares the present levels with levels of the past; the part that no past sound accounts for is the excess.

Sounds add up, and a leak only adds. So an entry of the past fits the present only if it is not louder in any third
octave. The excess is what then remains above it in two neighbouring third octaves, or half of what remains in one.
Three kinds of spectra are compared: an entry of the past; an entry whose sounds above the noise floor are louder or
quieter than they were; and two entries at once. The match with the lowest penalty is used, so a leak is reported only
when nothing known accounts for the sound. Pure: no clock, no I/O.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leakear.edge.background.third_octaves import CENTRES_HZ, COUNTED, Bands, Rows

GAINS_DB = (-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 6.0)
"""How much louder the sounds of an entry may be now than they were."""
TOLERANCE_DB = 0.5
"""Tolerance: an entry may be this much louder than the present and still fit."""
MISFIT_FREE_DB = 0.1
"""Mean by which an entry may be louder, over the bands where it is loudest, without a penalty."""
MISFIT_BANDS = 8
"""How many bands those are."""
MISFIT_WEIGHT = 4.0
"""Penalty in dB for each dB by which an entry does not fit."""
PAIRED = 4
"""Best single entries that are tried together with every other one."""
PAIRS_FROM_DB = 0.8
"""Penalty of the best single entry from which pairs of entries are tried."""
_FEW = 32
"""Columns whose penalty is computed to find a limit for all others."""
_ROUNDING_DB = 1e-3
"""More than float32 can be wrong by."""
_FIRST = COUNTED.start
_COMPARED = int(np.searchsorted(CENTRES_HZ, 60.0))  # lower bands do not count for the fit


@dataclass(frozen=True, slots=True)
class Match:
    """The past levels that account best for the present."""

    excess_db: float
    """dB by which two neighbouring third octaves are both above it, or half of the dB of one; negative: below"""
    band: int
    """index of the lower of the two"""
    expected: Bands
    """the matching levels, dB"""
    penalty: float
    """dB: the excess, plus the weight of what does not fit"""


class BackgroundMatcher:
    """The levels of the past, prepared for comparison. Inside, spectra are columns, shape (25, n): that is faster."""

    def __init__(self, past: Rows) -> None:
        """Take levels of the past, shape (n, 25), dB; n is at least 1."""
        power = 10 ** (past.T / 10)
        floor = power.min(axis=1, keepdims=True)
        self._added = np.ascontiguousarray(power - floor)
        gains = 10 ** (np.array(GAINS_DB, np.float32) / 10)
        scaled = [floor + gain * self._added for gain in gains]
        self._powers = np.concatenate(scaled, axis=1)
        self._levels = _decibels(self._powers)

    def match(self, now: Bands) -> Match:
        """Return the match of the present levels, shape (25,), dB, with the lowest penalty."""
        best = _lowest(now, self._levels, PAIRED)
        found = _match(now, self._levels[:, best[0]])
        if found.penalty <= PAIRS_FROM_DB:
            return found
        pairs = _decibels((self._powers[:, best, None] + self._added[:, None]).reshape(len(now), -1))
        pair = _match(now, pairs[:, _lowest(now, pairs, 1, stable=True)[0]])
        return min(found, pair, key=lambda match: match.penalty)


def _decibels(power: Rows) -> Rows:
    return np.asarray(10 * np.log10(np.clip(power, 1e-14, np.inf)), np.float32)


def _excesses(above: Rows) -> Rows:
    """Return for each pair of neighbouring bands the dB that both are above, or half of one's, shape (pairs, …)."""
    low, high = above[_FIRST:-1], above[_FIRST + 1 :]
    return np.asarray(np.maximum(np.minimum(low, high), 0.5 * np.maximum(low, high)), np.float32)


def _louder(above: Rows) -> Rows:
    """Return by how much each band is louder than the present, less the tolerance, shape (bands, …), dB."""
    louder = -above[_COMPARED:]
    louder -= TOLERANCE_DB
    return np.clip(louder, 0, np.inf, out=louder)  # three times as quick as np.maximum with one number


def _weighted(mean: Rows) -> Rows:
    return np.asarray(MISFIT_WEIGHT * np.maximum(mean - MISFIT_FREE_DB, 0), np.float32)


def _penalties(now: Bands, levels: Rows) -> Rows:
    """Return the penalty of each spectrum, levels of shape (25, n), as shape (n,)."""
    above = now[:, None] - levels
    loudest = np.partition(_louder(above), -MISFIT_BANDS, axis=0)[-MISFIT_BANDS:]
    return np.asarray(_excesses(above).max(axis=0) + _weighted(loudest.mean(axis=0)), np.float32)


def _lowest(now: Bands, levels: Rows, count: int, *, stable: bool = False) -> NDArray[np.intp]:
    """Return the columns of the `count` lowest penalties, lowest first; `stable`: of equal ones the first one first.

    The mean over all bands is never above that over the loudest ones. It is quick, and gives a lower bound of the
    penalty: the penalty itself is computed only where the bound does not exclude a column.
    """
    above = now[:, None] - levels
    bounds = _excesses(above).max(axis=0) + _weighted(_louder(above).mean(axis=0))
    kind: Literal["stable"] | None = "stable" if stable else None
    if len(bounds) <= _FEW:
        return np.argsort(_penalties(now, levels), kind=kind)[:count]
    few = np.argpartition(bounds, _FEW)[:_FEW]
    limit = np.sort(_penalties(now, levels[:, few]))[min(count, _FEW) - 1]
    possible = np.flatnonzero(bounds <= limit + _ROUNDING_DB)
    return possible[np.argsort(_penalties(now, levels[:, possible]), kind=kind)[:count]]


def _match(now: Bands, expected: Bands) -> Match:
    excesses = _excesses(now - expected)
    pair = int(excesses.argmax())
    penalty = float(_penalties(now, expected[:, None])[0])
    return Match(float(excesses[pair]), _FIRST + pair, np.asarray(expected, np.float32), penalty)

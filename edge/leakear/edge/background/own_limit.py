"""The limit that a node learns: how far its own past stood above what was known before it.

A place is never the same twice, and places differ in how much they vary. So an excess counts only above the largest
one of this node's own past, plus a margin for what the past has not shown yet. The margin is a multiple of how much
the quiet levels of this place change from night to night; before much is known, that is mostly what other places do
(`PRIOR_DB`). A rise and a fall tell the same about a place, so the margin is learnt from both. Pure.
"""

import math
from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

DAYS = 91
"""Days that are remembered: one false alarm a quarter is the budget."""
PRIOR_DB = 2.0
"""Change from night to night at a place of which nothing is known, dB: half of the places change less, half more."""
PRIOR_NIGHTS = 1.0
"""How many nights that knowledge is worth."""
USUAL = 2 / 3
"""Share of the changes, from the smallest on, that counts: a leak must rise in two nights of three."""
ODD_DAYS = 1
"""Days whose excess does not count: what was heard once is learnt as a sound, not as a limit."""
MARGIN = 1.0
"""Margin over the largest excess of the past, as a multiple of the change."""


def change_db(changes: ArrayLike) -> NDArray[np.float64]:
    """Return how much the levels of a place change from night to night, dB: odd nights say little about a place.

    `changes`: shape (..., n), of n nights, up or down; NaN counts as odd. Returns shape (...): the root mean square of
    the smaller two thirds.
    """
    changes = np.abs(np.asarray(changes, np.float64))
    usual = math.ceil(USUAL * changes.shape[-1])
    squares = np.nan_to_num(np.sort(changes, axis=-1)[..., :usual]) ** 2
    return np.asarray(np.sqrt((PRIOR_NIGHTS * PRIOR_DB**2 + squares.sum(axis=-1)) / (PRIOR_NIGHTS + usual)))


def largest_of_past(past: ArrayLike, odd: float = 0.0) -> NDArray[np.float64]:
    """Return the largest value of the past, without the odd ones; -inf: nothing is known.

    `past`: shape (..., n), -inf where nothing is known. `odd`: share that does not count, at least ODD_DAYS values.
    """
    ordered = np.sort(np.asarray(past, np.float64), axis=-1)
    known = np.isfinite(ordered).sum(axis=-1)
    last = ordered.shape[-1] - 1 - np.maximum(ODD_DAYS, (odd * known).astype(np.intp))
    largest = np.take_along_axis(ordered, np.maximum(last, 0)[..., None], axis=-1)[..., 0]
    return np.asarray(np.where(known > ODD_DAYS, largest, -np.inf))


class Variation:
    """How much the quiet levels of a place change from night to night."""

    def __init__(self, changes: Iterable[float] = ()) -> None:
        self._changes = deque((float(change) for change in changes), maxlen=DAYS)
        self.change_db = float(change_db(list(self._changes)))
        """its change, dB; a place that is not known changes as much as other places"""

    def add(self, apart_db: float) -> None:
        """Add a night: by how much it differed, up or down, from everything known before it, dB."""
        self._changes.append(round(apart_db, 2))
        self.change_db = float(change_db(list(self._changes)))  # asked for in every window, and learnt once a night

    def snapshot(self) -> list[float]:
        """Return the changes as JSON values."""
        return list(self._changes)


class OwnLimit:
    """The largest excess of each past day, as far as a day's excess was no leak."""

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._values = deque((max(0.0, float(value)) for value in values), maxlen=DAYS)
        self._largest_db = self._largest()

    def db(self, change_db: float) -> float:
        """Return the excess above which a day is unlike all days before it, dB."""
        return self._largest_db + MARGIN * change_db

    def add(self, excess_db: float) -> None:
        """Add the largest excess of a day without a leak, dB."""
        self._values.append(round(max(0.0, excess_db), 2))
        self._largest_db = self._largest()  # asked for in every window, and learnt once a day

    def _largest(self) -> float:
        return float(largest_of_past(list(self._values))) if len(self._values) > ODD_DAYS else 0.0

    def teach(self, excess_db: float) -> None:
        """Add an excess of which a person has stated that it is no leak: it counts at once, dB."""
        for _ in range(ODD_DAYS + 1):
            self.add(excess_db)

    def snapshot(self) -> list[float]:
        """Return the days as JSON values."""
        return list(self._values)

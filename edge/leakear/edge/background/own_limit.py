"""The limit that a node learns: how far its own past stood above what was known before it.

A place is never the same twice, and places differ in how much they vary. So an excess counts only above the largest
one of this node's own past, plus a margin for what the past has not shown yet. The margin is a multiple of how much
the quiet levels of this place change from night to night; before much is known, that is mostly what other places do
(`PRIOR_DB`). A rise and a fall tell the same about a place, so the margin is learnt from both. Pure.
"""

import math
from collections import deque
from collections.abc import Iterable

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


class Variation:
    """How much the quiet levels of a place change from night to night."""

    def __init__(self, changes: Iterable[float] = ()) -> None:
        self._changes = deque((float(change) for change in changes), maxlen=DAYS)

    @property
    def change_db(self) -> float:
        """Root mean square of the smaller two thirds of the changes, dB: odd nights say little about a place."""
        known = sorted(self._changes)[: math.ceil(USUAL * len(self._changes))]
        squares = PRIOR_NIGHTS * PRIOR_DB**2 + sum(change**2 for change in known)
        return math.sqrt(squares / (PRIOR_NIGHTS + len(known)))

    def add(self, apart_db: float) -> None:
        """Add a night: by how much it differed, up or down, from everything known before it, dB."""
        self._changes.append(round(apart_db, 2))

    def snapshot(self) -> list[float]:
        """Return the changes as JSON values."""
        return list(self._changes)


class OwnLimit:
    """The largest excess of each past day, as far as a day's excess was no leak."""

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._values = deque((max(0.0, float(value)) for value in values), maxlen=DAYS)

    def db(self, change_db: float) -> float:
        """Return the excess above which a day is unlike all days before it, dB."""
        largest = sorted(self._values)[-ODD_DAYS - 1 :] if len(self._values) > ODD_DAYS else [0.0]
        return largest[0] + MARGIN * change_db

    def add(self, excess_db: float) -> None:
        """Add the largest excess of a day without a leak, dB."""
        self._values.append(round(max(0.0, excess_db), 2))

    def teach(self, excess_db: float) -> None:
        """Add an excess of which a person has stated that it is no leak: it counts at once, dB."""
        for _ in range(ODD_DAYS + 1):
            self.add(excess_db)

    def snapshot(self) -> list[float]:
        """Return the days as JSON values."""
        return list(self._values)

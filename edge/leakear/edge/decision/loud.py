"""Loud new sounds: what stands far above the background need not score as a leak, only not be unlike one.

A window holds the surroundings too, and they lower the score of a leak: 5 to 20 dB above them, leaks score 0.2 to 0.5
at places that usually score 0.1. Machines do so as well: this way has a limit of its own, learnt on its own statistic.
Pure: no clock, no I/O.
"""

from collections.abc import Mapping
from typing import Any

from leakear.edge.background.background import Excess
from leakear.edge.background.own_limit import OwnLimit

HOLD = 0.8
"""Share of the limit from which an excess still counts during a WARNING or LEAK."""


class Loud:
    """Whether the present sound is loud, and how loud sounds that were no leak have been here."""

    def __init__(self) -> None:
        self.now = False
        """whether the present sound is loud"""
        self._limit = OwnLimit()  # of the excess that stood and was not unlike a leak, a day
        self.peak_db = 0.0
        """largest excess of this day that stood for a span which was not unlike a leak, dB"""

    def update(self, excess: Excess | None, least_db: float, change_db: float, *, suspected: bool) -> None:
        """Take the excess of a window. `least_db`: from which a sound may be loud; `suspected`: in WARNING or LEAK."""
        holds = self.now and suspected
        if excess is None or (excess.weather and holds):  # after a start, or in the rain: what was known holds
            self.now = holds
            return
        limit_db = max(least_db, self._limit.db(change_db)) * (HOLD if holds else 1.0)
        self.now = excess.db >= limit_db and not excess.weather

    def end_day(self, *, leak: bool) -> None:
        """Learn from a day, unless it ended in a LEAK."""
        if not leak:
            self._limit.add(self.peak_db)
        self.peak_db = 0.0

    def accept(self) -> None:
        """Learn that what was heard is no leak: a person has stated it."""
        self._limit.teach(self.peak_db)
        self.now, self.peak_db = False, 0.0

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        return {"now": self.now, "limit": self._limit.snapshot(), "peak_db": self.peak_db}

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "Loud":
        """Inverse of `snapshot`. Raises KeyError, TypeError or ValueError."""
        made = cls()
        made.now, made.peak_db = bool(saved["now"]), float(saved["peak_db"])
        made._limit = OwnLimit(saved["limit"])
        return made

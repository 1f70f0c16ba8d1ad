"""A node's last hour in slots of 10 seconds, and its sums per minute for the database."""

import math
from array import array
from dataclasses import dataclass, field

SLOT_S = 10
"""seconds per slot of a ring"""
SLOTS = 360
"""slots of a ring: one hour"""
NAN = math.nan


def _nans() -> "array[float]":
    return array("f", [NAN]) * SLOTS


@dataclass(slots=True)
class Ring:
    """Last hour of one node: highest score, last level and noise floor of each slot; NaN without a value."""

    head: int = -1
    """number of the newest slot: POSIX seconds // SLOT_S; -1 before the first"""
    score: "array[float]" = field(default_factory=_nans)
    level: "array[float]" = field(default_factory=_nans)
    floor: "array[float]" = field(default_factory=_nans)

    def add(self, at: float, score: float | None, level: float | None, floor: float | None) -> None:
        """Add values of POSIX second `at`; values older than the newest slot go into the newest."""
        slot = max(int(at // SLOT_S), self.head)
        self._clear_until(slot)
        i = slot % SLOTS
        if score is not None:
            self.score[i] = score if math.isnan(self.score[i]) else max(self.score[i], score)
        if level is not None:
            self.level[i] = level
        if floor is not None:
            self.floor[i] = floor

    def last(self, count: int, now: float) -> tuple[list[float | None], list[float | None], list[float | None]]:
        """Score, level and floor of the `count` slots that end with the present one; None without a value."""
        first = int(now // SLOT_S) - count + 1
        wanted = range(first, first + count)
        return self._pick(self.score, wanted), self._pick(self.level, wanted), self._pick(self.floor, wanted)

    def _pick(self, values: "array[float]", wanted: range) -> list[float | None]:
        oldest = self.head - SLOTS
        found = (values[n % SLOTS] if oldest < n <= self.head else NAN for n in wanted)
        return [None if math.isnan(value) else round(value, 3) for value in found]

    def _clear_until(self, slot: int) -> None:
        if self.head < 0:
            self.head = slot
        for passed in range(max(self.head, slot - SLOTS) + 1, slot + 1):
            for values in (self.score, self.level, self.floor):
                values[passed % SLOTS] = NAN
        self.head = slot


@dataclass(slots=True)
class Sums:
    """One bucket of history: counts, sums and extremes, so that buckets can be merged exactly."""

    start: int
    """POSIX seconds of its beginning"""
    score_n: int = 0
    score_sum: float = 0.0
    score_max: float | None = None
    level_n: int = 0
    level_sum: float = 0.0
    """dB"""
    level_min: float | None = None
    level_max: float | None = None
    floor_n: int = 0
    floor_sum: float = 0.0
    """dB"""

    def add(self, score: float | None, level: float | None, floor: float | None) -> None:
        """Add the values of one message."""
        if score is not None:
            self.score_n += 1
            self.score_sum += score
            self.score_max = score if self.score_max is None else max(self.score_max, score)
        if level is not None:
            self.level_n += 1
            self.level_sum += level
            self.level_min = level if self.level_min is None else min(self.level_min, level)
            self.level_max = level if self.level_max is None else max(self.level_max, level)
        if floor is not None:
            self.floor_n += 1
            self.floor_sum += floor

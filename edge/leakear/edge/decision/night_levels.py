"""Night levels: what was heard through the quietest hours, night by night, whatever it means.

For people and for the dashboard's months of history; no alert follows from it. Levels are kept as a histogram of the
windows' dBmin, so that a night costs little memory and survives a restart. Pure: no clock, no I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from leakear.edge.background.third_octaves import CENTRES_HZ, COUNTED
from leakear.edge.decision.observation import Observation

LOW, HIGH = 5, 95
"""Percentiles over the windows of a night whose distance is the spread."""
STEADY_DB = 1.0
"""Within so many dB of the median a window counts as steady."""
_STEP_DB = 0.1
BINS = 64
"""Of a night's histogram, 1 dB each: what is louder counts in the last one."""


@dataclass(frozen=True, slots=True)
class NightLevels:
    """The levels of one night."""

    day: int
    """date on which it began, as the ordinal of the proleptic Gregorian calendar"""
    first_utc: float
    """end of its first window, s since 1970"""
    last_utc: float
    """end of its last window, s since 1970"""
    judged: float
    """share of the night that was judged, 0 to 1"""
    level_dbfs: float | None
    """lowest dBmin; None: nothing was judged"""
    spread_db: float | None
    """95th less 5th percentile of dBmin"""
    steadiness: float | None
    """share of windows within 1 dB of the median, 0 to 1"""
    hz: float | None
    """centre of the loudest third octave from 200 Hz on, of the quiet moments; None: too little was heard"""
    histogram_from_dbfs: int | None
    """lower edge of the first bin"""
    histogram: tuple[int, ...]
    """windows in each dB, at most BINS"""
    excess_db: float | None = None
    """what stood over the background through nine tenths of it, dB; None: not known"""
    limit_db: float | None = None
    """excess from which it counted as risen, dB; None: too few nights were known"""


class NightLog:
    """Collects the windows of the night that is being heard."""

    def __init__(self) -> None:
        self._closed: int | None = None  # the newest night that was returned
        self._begin()

    def _begin(self) -> None:
        self._day: int | None = None
        self._first_utc = self._last_utc = self._judged_s = 0.0
        self._counts: dict[int, int] = {}  # dBmin in steps of _STEP_DB → windows
        self._bands = np.zeros(len(CENTRES_HZ))
        self._heard = 0  # windows in `_bands`

    def update(self, local: datetime, seen: Observation, hours: tuple[int, int]) -> NightLevels | None:
        """Take one window that ended at the local time; return the night when it is over, each night once.

        `hours`: first and last minute of the night.
        """
        minutes = (hours[1] - hours[0]) % 1440
        inside = (local.hour * 60 + local.minute - hours[0]) % 1440 < minutes
        day = (local - timedelta(minutes=hours[0])).toordinal()
        closed = None
        if self._day is not None and not (inside and self._day == day):
            closed = self._over(minutes * 60.0)
        set_back = self._closed is not None and day < self._closed - 1  # by days: the nights before had a wrong date
        if inside and not seen.asleep and (self._closed is None or day > self._closed or set_back):
            self._add(day, seen)
        return closed

    def _add(self, day: int, seen: Observation) -> None:
        if self._day is None:
            self._day, self._first_utc = day, seen.utc
        self._last_utc = seen.utc
        if not seen.usable or seen.dbmin is None:
            return
        self._judged_s += seen.step_s
        step = round(seen.dbmin / _STEP_DB)
        self._counts[step] = self._counts.get(step, 0) + 1
        if seen.quiet is not None:
            self._bands += seen.quiet
            self._heard += 1

    def _over(self, night_s: float) -> NightLevels:
        night = self._levels(night_s)
        self._begin()
        self._closed = night.day
        return night

    def _levels(self, night_s: float) -> NightLevels:
        assert self._day is not None
        steps = np.array(sorted(self._counts), np.int64)
        levels = np.repeat(steps, [self._counts[step] for step in steps.tolist()]) * _STEP_DB
        empty = not len(levels)
        low, median, high = np.zeros(3) if empty else np.percentile(levels, (LOW, 50, HIGH))
        first = None if empty else int(np.floor(levels[0]))
        return NightLevels(
            day=self._day,
            first_utc=self._first_utc,
            last_utc=self._last_utc,
            judged=min(1.0, self._judged_s / night_s),
            level_dbfs=None if empty else round(float(levels[0]), 1),
            spread_db=None if empty else round(float(high - low), 1),
            steadiness=None if empty else float((np.abs(levels - median) <= STEADY_DB + 1e-6).mean()),
            hz=float(CENTRES_HZ[COUNTED][np.argmax(self._bands[COUNTED])]) if self._heard else None,
            histogram_from_dbfs=first,
            histogram=() if first is None else _histogram(levels, first),
        )

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        return {
            "day": self._day,
            "closed": self._closed,
            "seconds": [self._first_utc, self._last_utc, self._judged_s],
            "counts": [[step, count] for step, count in self._counts.items()],
            "bands": [round(float(band), 1) for band in self._bands] if self._heard else [],
            "heard": self._heard,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `snapshot`. Raises ValueError, TypeError or KeyError."""
        day, closed = (None if saved[key] is None else int(saved[key]) for key in ("day", "closed"))
        seconds = [float(value) for value in saved["seconds"]]
        counts = {int(step): int(count) for step, count in saved["counts"]}
        bands, heard = np.array(saved["bands"], np.float64), int(saved["heard"])
        if len(seconds) != 3 or len(bands) not in (0, len(CENTRES_HZ)) or (heard and not len(bands)):
            raise ValueError("the saved night is not one")
        self._first_utc, self._last_utc, self._judged_s = seconds
        self._day, self._closed, self._counts, self._heard = day, closed, counts, heard
        self._bands = bands if len(bands) else np.zeros(len(CENTRES_HZ))


def _histogram(levels: np.ndarray[Any, Any], first: int) -> tuple[int, ...]:
    bins = np.minimum(np.floor(levels + 1e-6).astype(int) - first, BINS - 1)
    return tuple(np.bincount(bins).tolist())

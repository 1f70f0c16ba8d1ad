"""What is usual at this place: what tells a deaf sensor from a quiet night.

Only the quietest and the loudest moments and the bandwidth of each hour are kept, so a week is 168 rows and survives a
restart. A leak lifts the floor, which is the cue it is heard by and no fault; its hours are remembered, but they are
not usual. A floor far below the quietest hours of the week, or of the first week here, means that the sensor came off
the pipe or lost its sensitivity; days in which nothing ever rises above the floor, that it may hear nothing at all.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

HOURS = 168
"""Hours remembered: one week."""
ENOUGH = 24
"""Hours needed before anything is said."""
LOUD_DBFS = 0.0
"""Stands for the loudest moment of an hour of which nobody noted it."""


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of sound that could be trusted."""

    number: int
    """hours since 1970"""
    quietest: float
    """lowest dBmin (`l05`) of its windows, dBFS"""
    bandwidth_hz: float
    """widest of its windows"""
    loudest: float = LOUD_DBFS
    """highest `l95` of its windows, dBFS"""
    usual: bool = True
    """whether no leak was suspected all through it"""

    def with_(self, other: "Hour") -> "Hour":
        """Add another window of the same hour."""
        return Hour(
            self.number,
            min(self.quietest, other.quietest),
            max(self.bandwidth_hz, other.bandwidth_hz),
            max(self.loudest, other.loudest),
            self.usual and other.usual,
        )


class History:
    """The last hours, and what they make usual."""

    def __init__(self) -> None:
        self._hours: list[Hour] = []
        self._first_dbfs: float | None = None  # of the quietest hours of the first week

    def add(self, hour: Hour) -> None:
        """Learn from a window; `hour` holds nothing but it."""
        if self._hours and self._hours[-1].number == hour.number:
            self._hours[-1] = self._hours[-1].with_(hour)
            return
        self._hours.append(hour)
        del self._hours[:-HOURS]
        if self._first_dbfs is None and len(self._hours) == HOURS:
            self._first_dbfs = self._week_dbfs

    @property
    def floor_dbfs(self) -> float | None:
        """Quietest level of this hour and the one before; None before the first window."""
        return min((hour.quietest for hour in self._hours[-2:]), default=None)

    @property
    def quietest_dbfs(self) -> float | None:
        """Level of the quietest hours of this week or of the first one, the higher; None until a day has been heard."""
        known = [level for level in (self._week_dbfs, self._first_dbfs) if level is not None]
        return max(known, default=None)

    @property
    def _week_dbfs(self) -> float | None:
        return _percentile([hour.quietest for hour in self._hours if hour.usual], 5)

    @property
    def bandwidth_hz(self) -> float | None:
        """Bandwidth usual here (median); None until a day has been heard."""
        return _percentile([hour.bandwidth_hz for hour in self._hours], 50)

    @property
    def drift_db(self) -> float | None:
        """How far the floor stands above its median over the week; None until a day has been heard."""
        median = _percentile([hour.quietest for hour in self._hours], 50)
        return None if median is None or self.floor_dbfs is None else self.floor_dbfs - median

    def range_dbfs(self, hours: int) -> tuple[float, float] | None:
        """Quietest and loudest moment of the last `hours`; None until as many have been heard."""
        recent = self._hours[-hours:]
        if len(recent) < hours:
            return None
        return min(hour.quietest for hour in recent), max(hour.loudest for hour in recent)

    def snapshot(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {"hours": [list(astuple(hour)) for hour in self._hours], "first_dbfs": self._first_dbfs}

    def restore(self, saved: Any) -> None:
        """Inverse of `snapshot`; rows of three noted less. Raises ValueError, TypeError or KeyError."""
        first = saved.get("first_dbfs")
        hours = [_hour(*row) for row in saved["hours"]][-HOURS:]
        self._hours, self._first_dbfs = hours, None if first is None else float(first)


def _hour(number: Any, quietest: Any, bandwidth: Any, loudest: Any = LOUD_DBFS, usual: Any = True) -> Hour:
    return Hour(int(number), float(quietest), float(bandwidth), float(loudest), bool(usual))


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if len(values) >= ENOUGH else None

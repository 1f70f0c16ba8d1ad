"""The noise floor of the last week at this node: it tells a sensor that hears nothing from a quiet night.

Of each hour only the quietest and the loudest moment and the bandwidth are kept, so a week is 168 rows and survives a
restart. A leak makes the floor louder, which is no fault; its hours are kept, but not counted as the quiet of this
place. A floor far below the quietest hours of this week, or of the first week, means that the sensor came off the pipe
or lost its sensitivity. Days in which nothing is ever louder than the floor mean that it may hear nothing at all.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

HOURS = 168
"""Hours remembered: one week."""
ENOUGH = 24
"""Hours needed before there is a result."""
LOUD_DBFS = 0.0
"""Used as the loudest moment of an hour saved by a version that did not save it."""


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of sound without a fault."""

    number: int
    """hours since 1970"""
    quietest: float
    """lowest dBmin (`l05`) of its windows, dBFS"""
    bandwidth_hz: float
    """widest of its windows"""
    loudest: float = LOUD_DBFS
    """highest `l95` of its windows, dBFS"""
    leak_free: bool = True
    """whether no leak was suspected in any of its windows"""

    def with_(self, other: "Hour") -> "Hour":
        """Add another window of the same hour."""
        return Hour(
            self.number,
            min(self.quietest, other.quietest),
            max(self.bandwidth_hz, other.bandwidth_hz),
            max(self.loudest, other.loudest),
            self.leak_free and other.leak_free,
        )


class FloorHistory:
    """The hours of the last week."""

    def __init__(self) -> None:
        self._hours: list[Hour] = []
        self._first_dbfs: float | None = None  # of the quietest hours of the first week

    def add(self, hour: Hour) -> None:
        """Add a window, given as an hour that holds only this window."""
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
        return _percentile([hour.quietest for hour in self._hours if hour.leak_free], 5)

    @property
    def bandwidth_hz(self) -> float | None:
        """Median bandwidth of the week; None until a day has been heard."""
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
        """Return the history as JSON values."""
        return {"hours": [list(astuple(hour)) for hour in self._hours], "first_dbfs": self._first_dbfs}

    def restore(self, saved: Any) -> None:
        """Inverse of `snapshot`; older versions saved rows of three. Raises ValueError, TypeError or KeyError."""
        first = saved.get("first_dbfs")
        hours = [_hour(*row) for row in saved["hours"]][-HOURS:]
        self._hours, self._first_dbfs = hours, None if first is None else float(first)


def _hour(number: Any, quietest: Any, bandwidth: Any, loudest: Any = LOUD_DBFS, leak_free: Any = True) -> Hour:
    return Hour(int(number), float(quietest), float(bandwidth), float(loudest), bool(leak_free))


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if len(values) >= ENOUGH else None

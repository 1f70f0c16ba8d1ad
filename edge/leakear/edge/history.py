"""What is usual at this place: what tells a deaf sensor from a quiet night.

Only the quietest level and the bandwidth of each hour are kept, so a week is 168 rows and survives a restart. A leak
lifts the floor, which is the cue it is heard by and no fault; a floor far below the quietest hours of a week means
that the sensor came off the pipe or lost its sensitivity.
"""

from typing import Any

import numpy as np

HOURS = 168
"""Hours remembered: one week."""
ENOUGH = 24
"""Hours needed before anything is said."""


class History:
    """Quietest level and widest bandwidth of each of the last hours."""

    def __init__(self) -> None:
        self._hours: list[tuple[int, float, float]] = []  # (hour since 1970, dBFS, Hz)

    def add(self, utc: float, l05: float, bandwidth_hz: float) -> None:
        """Learn the quietest moments and the bandwidth of a healthy window that began at `utc` (POSIX seconds)."""
        hour = int(utc // 3600)
        if self._hours and self._hours[-1][0] == hour:
            _, level, band = self._hours[-1]
            self._hours[-1] = (hour, min(l05, level), max(bandwidth_hz, band))
        else:
            self._hours.append((hour, l05, bandwidth_hz))
            del self._hours[:-HOURS]

    @property
    def floor_dbfs(self) -> float | None:
        """Quietest level of this hour and the one before; None before the first window."""
        return min((level for _, level, _ in self._hours[-2:]), default=None)

    @property
    def quietest_dbfs(self) -> float | None:
        """Level of the quietest hours of the week (5th percentile); None until a day has been heard."""
        return self._percentile(1, 5)

    @property
    def bandwidth_hz(self) -> float | None:
        """Bandwidth usual here (median); None until a day has been heard."""
        return self._percentile(2, 50)

    @property
    def drift_db(self) -> float | None:
        """How far the floor stands above its median over the week; None until a day has been heard."""
        median = self._percentile(1, 50)
        return None if median is None or self.floor_dbfs is None else self.floor_dbfs - median

    def _percentile(self, column: int, percent: float) -> float | None:
        if len(self._hours) < ENOUGH:
            return None
        return float(np.percentile([hour[column] for hour in self._hours], percent))

    def snapshot(self) -> list[list[float]]:
        """As JSON keeps it."""
        return [list(hour) for hour in self._hours]

    def restore(self, saved: Any) -> None:
        """Inverse of `snapshot`. Raises ValueError or TypeError for anything else."""
        self._hours = [(int(hour), float(level), float(band)) for hour, level, band in saved][-HOURS:]

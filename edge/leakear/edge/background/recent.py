"""The levels of the last windows, of which the background takes its percentile at every window. Pure."""

from collections import deque

import numpy as np

from leakear.edge.background.third_octaves import CENTRES_HZ, Bands, Rows


class RecentLevels:
    """The windows of the last span: their levels lie in one array, oldest first."""

    def __init__(self) -> None:
        self._windows: deque[tuple[float, float]] = deque()  # (time s, step s)
        self._rows = np.empty((16, len(CENTRES_HZ)), np.float32)
        self._end = 0  # of the levels in `_rows`; those before the last len(_windows) are old

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def levels(self) -> Rows:
        """Levels of the windows, shape (n, 25), dB; valid until the next `add`."""
        return self._rows[self._end - len(self) : self._end]

    @property
    def heard_s(self) -> float:
        """Seconds that the windows stand for."""
        return sum(step_s for _, step_s in self._windows)

    def add(self, time_s: float, step_s: float, levels: Bands) -> None:
        """Append a window that ended at the monotonic `time_s` and stands for `step_s`."""
        if self._end == len(self._rows):
            self._make_room()
        self._rows[self._end] = levels
        self._end += 1
        self._windows.append((time_s, step_s))

    def drop_until(self, time_s: float) -> None:
        """Remove the windows that ended at `time_s` or before."""
        while self._windows and self._windows[0][0] <= time_s:
            self._windows.popleft()

    def clear(self) -> None:
        """Remove all windows."""
        self._windows.clear()

    def _make_room(self) -> None:
        """Move the levels to the front of an array at least twice as large as they need."""
        levels = self.levels
        self._rows = np.empty((max(16, 2 * len(levels)), levels.shape[1]), np.float32)
        self._rows[: len(levels)] = levels
        self._end = len(levels)

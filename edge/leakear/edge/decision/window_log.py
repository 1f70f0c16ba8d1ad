"""The window log: one entry for each window of the last hours, and summaries of spans of it. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from leakear.edge.decision.observation import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedWindow:
    """What the rule found in one window."""

    time_s: float
    """s, monotonic, end of the window"""
    step_s: float
    """s that the window stands for"""
    on: bool | None
    """whether the score is high enough and the sound loud enough for a leak; None: the window does not count"""
    like: bool | None
    """the same for a loud new sound, whose score need only not be unlike a leak's"""
    sure: bool
    """score at least `fast_score` and dBmin at least `fast_level_dbfs`"""
    lost: bool
    """there was sound but no score: the window was dropped or has a gap"""
    above: bool | None = None
    """whether its excess over the background counts; None: not known"""


@dataclass(frozen=True, slots=True)
class SpanSummary:
    """What a span of time contained."""

    share: float
    """windows on (or above the background) among those that count, 0 to 1"""
    covered: float
    """windows that count among the whole span, 0 to 1"""
    extent_s: float
    """s from the first window that was on (or above) to the last"""


class WindowLog:
    """The windows of the last hours, as far back as the rule looks."""

    def __init__(self, windows: Iterable[LoggedWindow] = ()) -> None:
        self._windows = deque(windows)

    @property
    def newest_s(self) -> float | None:
        """Time of the newest window, s, monotonic; None without one."""
        return self._windows[-1].time_s if self._windows else None

    @property
    def newest_counted_s(self) -> float | None:
        """Time of the newest window that counts, s, monotonic; None without one."""
        return next((window.time_s for window in reversed(self._windows) if window.on is not None), None)

    def add(self, window: LoggedWindow, horizon_s: float) -> None:
        """Append a window and remove those that are more than `horizon_s` older."""
        self._windows.append(window)
        while self._windows and self._windows[0].time_s <= window.time_s - horizon_s:
            self._windows.popleft()

    def scores(self, span_s: float, need: Need = Need.LEAK) -> SpanSummary:
        """Summarise the scores of the last `span_s` seconds; a window counts as on when its score is as needed."""
        return self._summary(span_s, _MET[need])

    def excesses(self, span_s: float) -> SpanSummary:
        """Summarise the excesses over the background of the last `span_s` seconds."""
        return self._summary(span_s, lambda window: window.above)

    def _summary(self, span_s: float, verdict: Callable[[LoggedWindow], bool | None]) -> SpanSummary:
        counted = on = 0.0
        times_on: list[float] = []
        for window in self._recent(span_s):
            found = verdict(window)
            if found is not None:
                counted += window.step_s
            if found:
                on += window.step_s
                times_on.append(window.time_s)
        extent = times_on[0] - times_on[-1] if times_on else 0.0
        return SpanSummary(on / counted if counted else 0.0, min(1.0, counted / span_s), extent)

    def sure_for(self, span_s: float) -> bool:
        """Tell whether all of the last `span_s` seconds was very loud and very sure."""
        recent = [window for window in self._recent(span_s) if window.on is not None]
        return sum(window.step_s for window in recent) >= 0.9 * span_s and all(window.sure for window in recent)

    def counted_share(self, span_s: float) -> float | None:
        """Return how much of the sound of the last `span_s` seconds counts, 0 to 1; None when too little is known."""
        recent = self._recent(span_s)
        counted = sum(window.step_s for window in recent if window.on is not None)
        known = counted + sum(window.step_s for window in recent if window.lost)
        if not known or known < 0.9 * span_s:
            return None
        return counted / known

    def move(self, by_s: float) -> None:
        """Let all windows have ended so many seconds later: a sleep does not count."""
        self._windows = deque(replace(window, time_s=window.time_s + by_s) for window in self._windows)

    def forget_excesses(self) -> None:
        """Set the excess of all windows to unknown."""
        self._windows = deque(replace(window, above=None) for window in self._windows)

    def forget_all(self) -> None:
        """Remove all windows."""
        self._windows.clear()

    def snapshot(self, now: float) -> list[list[float | bool | None]]:
        """Return the windows as JSON values, times as ages before `now` in seconds."""
        return [[round(now - w.time_s, 1), w.step_s, w.on, w.sure, w.lost, w.above, w.like] for w in self._windows]

    @classmethod
    def restored(cls, saved: Iterable[Sequence[Any]], then: float) -> "WindowLog":
        """Inverse of `snapshot`, taken at the time `then`. Raises TypeError or ValueError."""
        return cls(_window(row, then) for row in saved)

    def _recent(self, span_s: float) -> list[LoggedWindow]:
        """Return the windows of the last `span_s` seconds, newest first."""
        if not self._windows:
            return []
        since = self._windows[-1].time_s - span_s + 1e-6
        return list(takewhile(lambda window: window.time_s > since, reversed(self._windows)))


def _window(row: Sequence[Any], then: float) -> LoggedWindow:
    """Read one window; versions without a background saved five values, others without `like` six."""
    age, step, on, sure, lost, *more = row
    above, like = more[0] if more else None, more[1] if len(more) > 1 else on
    return LoggedWindow(
        time_s=then - float(age),
        step_s=float(step),
        on=_known(on),
        sure=bool(sure),
        lost=bool(lost),
        above=_known(above),
        like=_known(like),
    )


_MET: dict[Need, Callable[[LoggedWindow], bool | None]] = {
    Need.LEAK: lambda window: window.on,
    Need.LIKE: lambda window: window.like,
    Need.ANY: lambda window: None if window.like is None else True,
}


def _known(value: Any) -> bool | None:
    return None if value is None else bool(value)

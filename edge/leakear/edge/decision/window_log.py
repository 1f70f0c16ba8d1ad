"""What was heard lately: one mark for each window, and what spans of them held. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any


@dataclass(frozen=True, slots=True)
class Mark:
    """What one window meant to the rule."""

    time_s: float
    """s, monotonic, end of the window"""
    step_s: float
    """s that the window stands for"""
    on: bool | None
    """None: not judged"""
    sure: bool
    """very loud and very sure"""
    lost: bool
    """not judged though the sensor was sound: dropped or spoiled"""
    risen: bool | None = None
    """stood above what is usual here; None: not known"""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a span of time held."""

    share: float
    """on (or risen) among the judged, 0 to 1"""
    covered: float
    """judged among the whole, 0 to 1"""
    extent_s: float
    """s from the first window that was on (or risen) to the last"""


class Marks:
    """The marks of the last windows, as far back as the rule looks."""

    def __init__(self, marks: Iterable[Mark] = ()) -> None:
        self._marks = deque(marks)

    @property
    def newest_s(self) -> float | None:
        """Time of the newest mark, s, monotonic."""
        return self._marks[-1].time_s if self._marks else None

    @property
    def newest_judged_s(self) -> float | None:
        """Time of the newest mark that counts, s, monotonic."""
        return next((mark.time_s for mark in reversed(self._marks) if mark.on is not None), None)

    def add(self, mark: Mark, horizon_s: float) -> None:
        """Remember a window and forget what lies further back than `horizon_s`."""
        self._marks.append(mark)
        while self._marks and self._marks[0].time_s <= mark.time_s - horizon_s:
            self._marks.popleft()

    def over(self, span_s: float) -> Heard:
        """Sum up the last `span_s` seconds by what the model said."""
        return self._sum(span_s, lambda mark: mark.on)

    def risen_over(self, span_s: float) -> Heard:
        """Sum up the last `span_s` seconds by what is usual here."""
        return self._sum(span_s, lambda mark: mark.risen)

    def _sum(self, span_s: float, verdict: Callable[[Mark], bool | None]) -> Heard:
        judged = on = 0.0
        times_on: list[float] = []
        for mark in self._recent(span_s):
            said = verdict(mark)
            if said is not None:
                judged += mark.step_s
            if said:
                on += mark.step_s
                times_on.append(mark.time_s)
        extent = times_on[0] - times_on[-1] if times_on else 0.0
        return Heard(on / judged if judged else 0.0, min(1.0, judged / span_s), extent)

    def sure_for(self, span_s: float) -> bool:
        """Tell whether all of the last `span_s` seconds was very loud and very sure."""
        recent = [mark for mark in self._recent(span_s) if mark.on is not None]
        return sum(m.step_s for m in recent) >= 0.9 * span_s and all(m.sure for m in recent)

    def judged_share(self, span_s: float) -> float | None:
        """Return how much of the sound of the last `span_s` was judged, 0 to 1; None when too little is known."""
        recent = self._recent(span_s)
        judged = sum(mark.step_s for mark in recent if mark.on is not None)
        known = judged + sum(mark.step_s for mark in recent if mark.lost)
        if not known or known < 0.9 * span_s:
            return None
        return judged / known

    def forget_rises(self) -> None:
        """Know nothing of rises any more."""
        self._marks = deque(replace(mark, risen=None) for mark in self._marks)

    def snapshot(self, now: float) -> list[list[float | bool | None]]:
        """Return the marks as JSON keeps them, times as ages before `now` in seconds."""
        return [[round(now - m.time_s, 1), m.step_s, m.on, m.sure, m.lost, m.risen] for m in self._marks]

    @classmethod
    def restored(cls, saved: Iterable[Sequence[Any]], then: float) -> "Marks":
        """Inverse of `snapshot`, taken at the time `then`. Raises TypeError or ValueError."""
        return cls(_mark(row, then) for row in saved)

    def _recent(self, span_s: float) -> list[Mark]:
        """Return the marks of the last `span_s` seconds, newest first."""
        if not self._marks:
            return []
        since = self._marks[-1].time_s - span_s + 1e-6
        count = sum(1 for mark in self._marks if mark.time_s > since)
        return list(islice(reversed(self._marks), count))


def _mark(row: Sequence[Any], then: float) -> Mark:
    """Read one mark; those of nodes that knew nothing of what is usual have five entries."""
    age, step, on, sure, lost, *risen = row
    return Mark(then - float(age), float(step), _known(on), bool(sure), bool(lost), _known(risen[0]) if risen else None)


def _known(value: Any) -> bool | None:
    return None if value is None else bool(value)

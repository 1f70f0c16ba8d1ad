"""How long leak-like sounds last at a place before they end: a use of water ends, a leak lasts longer than all of them.

Within one hour a use that is new to a node cannot be told from a leak. What can be told is whether the sound has lasted
longer than every such sound that ended here before. Sounds that score as a leak are compared with each other, and those
that are loud and only not unlike one with theirs. Pure: no clock, no I/O.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from leakear.edge.background.own_limit import DAYS
from leakear.edge.decision.observation import Need

LONGEST_USE_S = 43200.0
"""What lasted longer than half a day was no use of water: it teaches nothing, and the nights decide."""


class _Kind:
    """The longest stretch of such sound of each past day, and the one that is being heard."""

    def __init__(self) -> None:
        self._days: deque[float] = deque(maxlen=DAYS)  # longest that ended that day, s
        self._today_s = 0.0
        self._heard: tuple[float, float] | None = None  # its first and last moment, monotonic s

    @property
    def longest_s(self) -> float:
        """Longest stretch that has ended here, s; 0: none is known."""
        return max(self._today_s, *self._days, 0.0)

    def lasted_s(self, time_s: float) -> float:
        """Return for how long the present stretch has lasted at a monotonic time, s."""
        return 0.0 if self._heard is None else time_s - self._heard[0]

    def hear(self, time_s: float, span_s: float) -> None:
        """Note that the span of `span_s` seconds up to `time_s` sounded like a leak."""
        if self._heard is not None and time_s - self._heard[1] > 2 * span_s:
            self.end()  # nothing was judged meanwhile: it is not known to be the same sound
        first = time_s - span_s if self._heard is None else self._heard[0]
        self._heard = first, time_s

    def end(self) -> None:
        """Note that the present stretch is over."""
        if self._heard is not None:
            lasted_s = self._heard[1] - self._heard[0]
            if lasted_s <= LONGEST_USE_S:
                self._today_s = max(self._today_s, round(lasted_s, 1))
        self._heard = None

    def pause(self) -> None:
        """Drop the present stretch: how long it would have lasted is not known, so it teaches nothing."""
        self._heard = None

    def end_day(self) -> None:
        """Note that a day is over: once a day, after its night."""
        self._days.append(self._today_s)
        self._today_s = 0.0

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values; times are ages before `now` in seconds."""
        heard = None if self._heard is None else [round(now - moment, 1) for moment in self._heard]
        return {"days": list(self._days), "today_s": self._today_s, "heard": heard}

    @classmethod
    def restored(cls, saved: Mapping[str, Any], then: float) -> "_Kind":
        """Inverse of `snapshot`, taken at the monotonic time `then`. Raises KeyError, TypeError or ValueError."""
        made = cls()
        made._days.extend(
            min(LONGEST_USE_S, float(day)) for day in saved["days"]
        )  # a longer one holds LEAK back for ever
        made._today_s = min(LONGEST_USE_S, float(saved["today_s"]))
        if saved["heard"] is not None:
            first_age, last_age = (float(age) for age in saved["heard"])
            made._heard = then - first_age, then - last_age
        return made


class Stretches:
    """The stretches of leak-like sound of one node, by what the score of such a sound must be."""

    KINDS = (Need.LEAK, Need.LIKE)

    def __init__(self) -> None:
        self._kinds = {need: _Kind() for need in self.KINDS}

    def __getitem__(self, need: Need) -> _Kind:
        return self._kinds[need]

    def end(self) -> None:
        """Note that the present stretches are over."""
        for kind in self._kinds.values():
            kind.end()

    def pause(self) -> None:
        """Drop the present stretches: how long they would have lasted is not known."""
        for kind in self._kinds.values():
            kind.pause()

    def end_day(self) -> None:
        """Note that a day is over: once a day, after its night."""
        for kind in self._kinds.values():
            kind.end_day()

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values; times are ages before `now` in seconds."""
        return {need.name: kind.snapshot(now) for need, kind in self._kinds.items()}

    @classmethod
    def restored(cls, saved: Mapping[str, Any], then: float) -> "Stretches":
        """Inverse of `snapshot`, taken at the monotonic time `then`. Raises KeyError, TypeError or ValueError."""
        made = cls()
        made._kinds = {need: _Kind.restored(saved[need.name], then) for need in cls.KINDS}
        return made

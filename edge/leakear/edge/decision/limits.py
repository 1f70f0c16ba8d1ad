"""Limits: from which excess on a sound counts at this node, by what its score says.

A sound that scores as a leak counts from the limit that the node has learnt. A window holds the surroundings too, and
they lower the score of a leak: 5 to 20 dB above them, leaks score 0.2 to 0.5 at places that usually score 0.1, some
less. So a sound that stands far above that limit need not score as a leak, only not be unlike one, and one that stands
above it still further may have any score, once the place is known. Machines do so as well: each of these ways has a
limit of its own, learnt on its own statistic. Pure: no clock, no I/O.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from leakear.edge.background.day_peaks import DayPeaks, Peak
from leakear.edge.background.own_limit import MARGIN, PRIOR_DB
from leakear.edge.background.third_octaves import Bands
from leakear.edge.decision.observation import LOUD_DB, Need, Observation
from leakear.edge.decision.rule import DecisionRule

HOLD = 0.8
"""Share of the limit from which an excess still counts during a WARNING or LEAK."""
DAY_S = 86400.0
"""Seconds after which it does not matter any more when something clipped: longer than any span."""


class Limits:
    """The limits of one node, and which of them the present sound has reached."""

    def __init__(self) -> None:
        self.need = Need.LEAK
        """what the score must be for the present sound to count"""
        self.change_db = 0.0
        """how much the quiet levels of this place change from night to night, dB: the margin of each limit"""
        self.nights_known = 0
        """nights that the node has heard"""
        self._peaks = {need: DayPeaks() for need in Need}
        self._unknown_s = 0.0  # of sound since the last excess that is no weather
        self._stood = False  # whether that excess was above the limit
        self._clipped_s = -math.inf  # last window that hit the converter's limits, monotonic

    def db(self, need: Need, rule: DecisionRule) -> float:
        """Return the excess from which a sound with such a score counts, dB; inf: never."""
        own_db = self._peaks[need].limit_db(self.change_db)
        if need is Need.LEAK:
            return max(rule.rise_db, own_db)
        over_db = rule.loud_db if need is Need.LIKE else rule.very_loud_db
        if not over_db or not rule.rise_db or (need is Need.ANY and self.nights_known < rule.strong_nights):
            return math.inf
        return max(self.db(Need.LEAK, rule) + over_db, own_db)

    def another_sound(self, seen: Observation, rule: DecisionRule) -> bool:
        """Tell whether a new sound alone decides the score, not one that a person called no leak in the first days."""
        over = seen.over_accepted
        return over is not None and over.db >= max(rule.rise_db, MARGIN * PRIOR_DB) + LOUD_DB

    def update(self, seen: Observation, rule: DecisionRule, *, suspected: bool) -> None:
        """Take a window. `suspected`: in WARNING or LEAK."""
        if seen.clips:
            self._clipped_s = seen.time_s
        excess = seen.excess
        if excess is None or (excess.weather and suspected):  # after a start, or in the rain: what was known holds
            self._unknown_s += seen.step_s
            held = self.need if self._unknown_s <= rule.span_s else min(self.need, Need.LIKE)  # or it might never end
            self.need = held if suspected else Need.LEAK
            return
        self._unknown_s = 0.0
        self._stood = rule.rise_db > 0 and excess.db >= self.db(Need.LEAK, rule) * (HOLD if suspected else 1.0)
        reached = Need.LEAK
        for need in (Need.LIKE, Need.ANY):
            holds = suspected and self.need >= need
            if not excess.weather and excess.db >= self.db(need, rule) * (HOLD if holds else 1.0):
                reached = need
        self.need = reached

    def stands_unheard(self, seen: Observation) -> bool:
        """Tell whether a sound stood above the limit when it was last compared, and too little was heard since.

        After a sleep or a fault of the sensor a low score alone does not show that it has ended.
        """
        return self._stood and seen.excess is None and seen.quiet is None

    def teaches(self, seen: Observation, need: Need) -> bool:
        """Tell whether a sound that stood, with such a score, would teach more than today has so far."""
        return seen.excess is not None and seen.excess.db > self._peaks[need].today.db

    def learn(self, seen: Observation, need: Need, span_s: float) -> None:
        """Keep the excess of a span of `span_s` seconds, unless it clipped: distortion says nothing of a level."""
        if seen.excess is not None and seen.time_s - self._clipped_s >= span_s:
            self._peaks[need].today = Peak(round(seen.excess.db, 2), seen.quiet, seen.entry)

    def leak(self) -> None:
        """Drop what was heard today: a leak teaches nothing."""
        for peaks in self._peaks.values():
            peaks.today = Peak()

    def forget(self) -> None:
        """Drop everything that was learnt from an excess: the background is learnt again."""
        self.need, self._peaks, self._clipped_s = Need.LEAK, {need: DayPeaks() for need in Need}, -math.inf
        self._stood = False

    def end_day(self, *, leak: bool) -> None:
        """Learn from a day, unless it ended in a LEAK."""
        for peaks in self._peaks.values():
            peaks.end_day(leak=leak)

    def compare_again(self, excess_today_db: Callable[[Bands, int], float]) -> None:
        """Compare past days with what is known today; once each half hour."""
        for peaks in self._peaks.values():
            peaks.compare_again(excess_today_db)

    def accept(self) -> None:
        """Learn that what was heard is no leak: a person has stated it."""
        for peaks in self._peaks.values():
            peaks.accept()
        self.need, self._stood = Need.LEAK, False

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values; times are ages before `now` in seconds."""
        age_s = now - self._clipped_s
        clipped = round(age_s, 1) if age_s < DAY_S else None
        days = {need.name: peaks.snapshot() for need, peaks in self._peaks.items()}
        unknown_s = round(self._unknown_s, 1)
        known = {"unknown_s": unknown_s, "stood": self._stood}
        return {"days": days, "need": self.need.name, **known, "clipped_age_s": clipped}

    @classmethod
    def restored(cls, saved: Mapping[str, Any], then: float) -> "Limits":
        """Inverse of `snapshot`, taken at the monotonic time `then`. Raises KeyError, TypeError or ValueError."""
        made = cls()
        made.need, made._unknown_s = Need[saved["need"]], float(saved["unknown_s"])
        made._stood = bool(saved.get("stood", False))  # an older version saved none
        made._peaks = {need: DayPeaks.restored(saved["days"][need.name]) for need in Need}
        if saved["clipped_age_s"] is not None:
            made._clipped_s = then - float(saved["clipped_age_s"])
        return made

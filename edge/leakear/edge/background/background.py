"""Background: the levels of the past at this node, and the excess of the present over them.

Quiet nights differ from place to place by more than a faint leak adds, so no threshold for all places finds it. Here
the quiet levels of the last half hour, third octave by third octave, are matched with the levels that this node heard
before (`matching`, `entries`); what no match accounts for is the excess over the background, in dB. Rain and wind give
an excess too: a sound that resembles them counts only after it has been steady for longer than weather is.

What lasts is never learnt: see `entries`. A leak that was there when the node was installed is part of the background
from the start: only the model can find it. Pure: no clock, no I/O.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leakear.edge.background.entries import ENOUGH, EVERY_S, GONE_SHARE, Entries
from leakear.edge.background.matching import BackgroundMatcher, Match
from leakear.edge.background.packed import packed, unpacked
from leakear.edge.background.recent import RecentLevels
from leakear.edge.background.third_octaves import CENTRES_HZ, COUNTED, WIDTH, Bands, Rows
from leakear.edge.spectrogram.percentiles import percentile

QUIET = 10
"""Percentile over the span: a sound must fill nine tenths of the span to count."""
NEW_DB = 0.5
"""Excess from which an entry is held back until its sound has stopped, dB."""
RAIN = 4
"""Ratio of power per Hz above 5 kHz to that around 1 kHz from which an excess has the spectrum of rain."""
HIGH_HZ = 3900.0
"""An excess whose maximum is at this frequency or above may be rain, whatever its spectrum."""
WEATHER_FROM_DB = 0.5
"""Smallest excess whose spectrum is examined."""
STEADY_S = 10800.0
"""Rain and wind are never steady for this long, s."""
STEADY_DB = 1.5
"""Largest change of the level within that time that is still steady."""
STEADY_ENTRIES = int(STEADY_S / EVERY_S)
"""Entries in that time."""
TRACE_S = 600.0
"""Seconds between the levels from which steadiness is computed."""
_HIGH, _MIDDLE = CENTRES_HZ > 4900, (CENTRES_HZ > 490) & (CENTRES_HZ < 1300)


@dataclass(frozen=True, slots=True)
class Excess:
    """How far the quiet levels of the last span are above the background."""

    db: float
    """dB by which two neighbouring third octaves are both above it, or half of the dB of one"""
    hz: float
    """frequency of its maximum"""
    weather: bool
    """it may be rain or wind: its spectrum resembles them, and it has not been steady for long"""
    band: int = 0
    """index of the lower of the two third octaves"""
    level_db: float = 0.0
    """mean level of the two, dB re a full-scale sine"""


class Background:
    """The background of one node."""

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        """seconds that the present is taken over; a sound must fill nine tenths of them"""
        self.entries = Entries()
        self.now: Bands | None = None
        """quiet levels of the last span, shape (25,), dB; None: less than half of it was heard"""
        self.apart_db: float | None = None
        """dB by which the last entry differs, up or down, from the most similar one of the past; None: not known"""
        self._recent = RecentLevels()
        self._before: tuple[float, Bands] | None = None  # (time s, quiet of the span) of the run before this one
        self._newest_s = 0.0  # time of the last window with levels
        self._trace: deque[tuple[float, Bands]] = deque()  # (time s, quiet of the span), of the last STEADY_S
        self._since_s = 0.0  # of sound since the last entry
        self._matcher: BackgroundMatcher | None = None
        self._matched: object = None  # the past that the matcher was made of

    @property
    def ready(self) -> bool:
        """Whether there are enough entries to report an excess."""
        return self.entries.enough

    def update(self, time_s: float, step_s: float, levels: Bands) -> Excess | None:
        """Take the levels of a window that ended at the monotonic `time_s` and return the excess of the span.

        `step_s`: seconds that the window stands for. Returns None while there are too few entries, or while less than
        half of the span was heard; after a restart that of the span before it, as long as any of that belongs to this.
        """
        self._newest_s = time_s
        self._recent.add(time_s, step_s, levels)
        self._recent.drop_until(time_s - self.span_s + 1e-6)
        if self._recent.heard_s < 0.5 * self.span_s:
            self.now = self._still_known(time_s)
            return None if self.now is None else self._compared(time_s, self.now)
        now: Bands = percentile(self._recent.levels, QUIET)
        self.now, self._before = now, None
        excess = self._compared(time_s, now)
        self._since_s += step_s
        if self._since_s >= EVERY_S:
            self._since_s = 0.0
            self._learn(now, excess)
        return excess

    def _still_known(self, time_s: float) -> Bands | None:
        """Return the levels of the span before a restart, while less than a span has passed since; else None."""
        return self._before[1] if self._before is not None and time_s - self._before[0] < self.span_s else None

    def _compared(self, time_s: float, now: Bands) -> Excess | None:
        self._follow(time_s, now)
        return self._excess(now) if self.ready else None

    def _follow(self, time_s: float, now: Bands) -> None:
        """Keep the levels of the last hours, from which steadiness is computed."""
        if not self._trace or time_s - self._trace[-1][0] >= TRACE_S - 1e-6:
            self._trace.append((time_s, now))
        while len(self._trace) > 1 and self._trace[1][0] <= time_s - STEADY_S:
            self._trace.popleft()

    def _learn(self, now: Bands, excess: Excess | None) -> None:
        self.apart_db = apart_db(now, self.entries.past) if len(self.entries.past) else None
        if excess is not None and excess.db >= NEW_DB:
            self.entries.hold(now, excess.band, excess.db)
        else:
            self.entries.add(now)

    def _excess(self, now: Bands) -> Excess:
        past = self.entries.past
        if self._matcher is None or self._matched is not past:
            self._matcher, self._matched = BackgroundMatcher(past), past
        best = self._matcher.match(now)
        hz = float(np.sqrt(CENTRES_HZ[best.band] * CENTRES_HZ[best.band + 1]))
        weather = best.excess_db >= WEATHER_FROM_DB and self._may_be_weather(now, best)
        return Excess(best.excess_db, hz, weather, best.band, float(now[best.band : best.band + 2].mean()))

    def steady_excess(self) -> Excess | None:
        """Return the excess of the last span over the little that is known before that is enough, if the sound lasts.

        None: nothing is known yet, or its level was not steady in the last half hours, as that of a leak is.
        """
        lately = self.entries.latest(STEADY_ENTRIES)
        if self.now is None or not len(self.entries.past) or len(lately) < STEADY_ENTRIES:
            return None
        excess = self._excess(self.now)
        levels = np.vstack([*lately, self.now])[:, excess.band : excess.band + 2].mean(axis=1)
        return excess if float(np.ptp(levels)) <= STEADY_DB else None

    def excess_today_db(self, levels: Bands, entry: int) -> float:
        """Return the excess of past levels over all other sounds that are known today, dB; inf: too few are known.

        `levels`: shape (25,), dB, heard about the half hour `entry`.
        """
        others = self.entries.of_other_sounds(entry)
        return BackgroundMatcher(others).match(levels).excess_db if len(others) >= ENOUGH else math.inf

    def _may_be_weather(self, now: Bands, best: Match) -> bool:
        """Tell whether an excess may be rain or wind by its spectrum, unless it has been steady for long."""
        if not _resembles_weather(now, best):
            return False
        pair = slice(best.band, best.band + 2)
        first_s, last_s = self._trace[0][0], self._trace[-1][0]
        levels = [float(quiet[pair].mean()) for _, quiet in self._trace] + [float(now[pair].mean())]
        return last_s - first_s < STEADY_S - 2 * TRACE_S or max(levels) - min(levels) > STEADY_DB

    def hold_back(self, band: int, level_db: float, excess_db: float) -> None:
        """Hold back waiting entries with a sound that was found later: two bands at `level_db`, of that excess."""
        self.entries.hold_back(band, level_db - (1 - GONE_SHARE) * excess_db, excess_db)

    def pause(self) -> None:
        """Forget the last hours, not the past: what is heard after a sleep does not go on from them."""
        self._recent.clear()
        self._trace.clear()
        self.now = self._before = None

    def accept(self) -> None:
        """Let everything heard so far belong to the background: a person has stated that it is no leak."""
        if self.now is not None:
            self.entries.add(self.now)
        elif self._recent:
            self.entries.add(percentile(self._recent.levels, QUIET))
        self.entries.accept()

    def forget(self) -> None:
        """Learn the background again: the sensor was moved."""
        self.entries.forget()
        self._since_s = 0.0

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        return {**self.entries.snapshot(), "since_s": round(self._since_s, 1)}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `snapshot`. The coarser state of an earlier version is dropped: the background is learned again.

        Raises ValueError, TypeError or KeyError.
        """
        if "past" in saved:
            self.forget()
            return
        since_s = min(max(0.0, float(saved["since_s"])), EVERY_S)
        self.entries.restore(saved)
        self._since_s = since_s

    def lately(self, time_s: float) -> list[Any] | None:
        """Return the age of the quiet levels of the last span at the monotonic `time_s`, s, and them, as JSON values.

        None: they are not known.
        """
        known = self._before or (None if self.now is None else (self._newest_s, self.now))
        return None if known is None else [round(max(0.0, time_s - known[0]), 1), packed([known[1]])]

    def go_on(self, lately: Sequence[Any], then: float) -> None:
        """Go on from levels that `lately` returned at the monotonic time `then`. Raises ValueError or TypeError."""
        age_s, text = lately
        (levels,) = unpacked(text)
        self._before = then - max(0.0, float(age_s)), levels


def apart_db(levels: Bands, past: Rows) -> float:
    """Return by how much levels differ, up or down, from the most similar entry, shape (n, 25), in two bands, dB."""
    apart = np.abs(past[:, COUNTED] - levels[COUNTED])
    return float(np.minimum(apart[:, :-1], apart[:, 1:]).max(axis=1).min())


def _resembles_weather(now: Bands, best: Match) -> bool:
    """Tell whether the added sound has its maximum where rain has it, or the spectrum of rain."""
    if CENTRES_HZ[best.band] >= HIGH_HZ:
        return True
    added = np.maximum(10 ** (now / 10) - 10 ** (best.expected / 10), 1e-13) / (CENTRES_HZ * WIDTH)
    return bool(added[_HIGH].mean() > RAIN * added[_MIDDLE].mean())

"""Background: the levels of the last week at this node, and the excess of the present over them.

Quiet nights differ from place to place by more than a faint leak adds, so no threshold for all places finds it. Here
the quiet levels of the last half hour, third octave by third octave, are matched with the levels that this node heard
in the last week (`matching`); what no match accounts for is the excess over the background, in dB. Rain and wind give
an excess too: a sound that resembles them counts only after it has been steady for longer than weather is.

Learning is slow on purpose and stops while a leak is suspected. Levels join the background twelve hours after they
were heard; levels heard during a suspicion or shortly before it never do. A leak that was there when the node was
installed is part of the background from the start: only the model can find it.
Pure: no clock, no I/O.
"""

import base64
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from leakear.edge.background.matching import BackgroundMatcher, Match, Rows
from leakear.edge.background.third_octaves import CENTRES_HZ, WIDTH, Bands

EVERY_S = 1800.0
"""Seconds of sound from one entry of the background to the next."""
ENTRIES = 336
"""Entries kept: one week."""
ENOUGH = 112
"""Half-hour entries needed before an excess is reported (56 h)."""
PENDING = 24
"""Newest entries, which do not belong to the background yet: twelve hours."""
SUSPECT = 4
"""Newest entries that are removed when a leak is suspected: two hours."""
QUIET = 10
"""Percentile over the span: a sound must fill nine tenths of the span to count."""
RAIN = 4
"""Ratio of power per Hz above 5 kHz to that around 1 kHz from which an excess has the spectrum of rain."""
HIGH_HZ = 3900.0
"""An excess whose maximum is at this frequency or above may be rain, whatever its spectrum."""
LOW_HZ = 280.0
"""An excess whose maximum is below may be wind."""
WEATHER_FROM_DB = 0.5
"""Smallest excess whose spectrum is examined."""
STEADY_S = 10800.0
"""Rain and wind are never steady for this long, s."""
STEADY_DB = 1.5
"""Largest change of the level within that time that is still steady."""
TRACE_S = 600.0
"""Seconds between the levels from which steadiness is computed."""
STEP_DB = 0.1
"""Resolution of the saved levels."""
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


class Background:
    """The background of one node."""

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        """seconds that the present is taken over; a sound must fill nine tenths of them"""
        self._recent: deque[tuple[float, float, Bands]] = deque()  # (time s, step s, levels)
        self._trace: deque[tuple[float, Bands]] = deque()  # (time s, quiet of the span), of the last STEADY_S
        self._since_s = 0.0  # of sound since the last entry
        self._learning = True  # whether no leak was suspected at the last window
        self._pending: list[Bands] = []
        self._past: Rows = np.empty((0, len(CENTRES_HZ)), np.float32)
        self._matcher: BackgroundMatcher | None = None  # of `_past` as it is

    @property
    def ready(self) -> bool:
        """Whether there are enough entries to report an excess."""
        return len(self._past) >= ENOUGH

    def update(self, time_s: float, step_s: float, levels: Bands, *, learn: bool) -> Excess | None:
        """Take the levels of a window that ended at the monotonic `time_s` and return the excess of the span.

        `step_s`: seconds that the window stands for. `learn`: no leak is suspected. Returns None while there are too
        few entries, or while less than half of the span was heard.
        """
        self._recent.append((time_s, step_s, levels))
        while self._recent[0][0] <= time_s - self.span_s + 1e-6:
            self._recent.popleft()
        if sum(step for _, step, _ in self._recent) < 0.5 * self.span_s:
            return None
        now = np.percentile([levels for _, _, levels in self._recent], QUIET, axis=0).astype(np.float32)
        self._follow(time_s, now)
        excess = self._excess(now) if self.ready else None
        self._learn(now, step_s, learn=learn, weather=excess is not None and excess.weather)
        return excess

    def _follow(self, time_s: float, now: Bands) -> None:
        """Keep the levels of the last hours, from which steadiness is computed."""
        if not self._trace or time_s - self._trace[-1][0] >= TRACE_S - 1e-6:
            self._trace.append((time_s, now))
        while len(self._trace) > 1 and self._trace[1][0] <= time_s - STEADY_S:
            self._trace.popleft()

    def _learn(self, now: Bands, step_s: float, *, learn: bool, weather: bool) -> None:
        if not learn:
            if self._learning:  # the leak may have begun before it was suspected
                del self._pending[-SUSPECT:]
            self._learning, self._since_s = False, 0.0
            return
        self._learning = True
        self._since_s += step_s
        if self._since_s < EVERY_S or weather:
            return
        self._since_s = 0.0
        self._pending.append(now)
        if len(self._pending) > PENDING:
            self._past = np.vstack([self._past, self._pending.pop(0)])[-ENTRIES:]
            self._matcher = None

    def _excess(self, now: Bands) -> Excess:
        if self._matcher is None:
            self._matcher = BackgroundMatcher(self._past)
        best = self._matcher.match(now)
        hz = float(np.sqrt(CENTRES_HZ[best.band] * CENTRES_HZ[best.band + 1]))
        return Excess(best.excess_db, hz, best.excess_db >= WEATHER_FROM_DB and self._may_be_weather(now, best))

    def _may_be_weather(self, now: Bands, best: Match) -> bool:
        """Tell whether an excess may be rain or wind by its spectrum, unless it has been steady for long."""
        if not _resembles_weather(now, best):
            return False
        pair = slice(best.band, best.band + 2)
        first_s, last_s = self._trace[0][0], self._trace[-1][0]
        levels = [float(quiet[pair].mean()) for _, quiet in self._trace] + [float(now[pair].mean())]
        return last_s - first_s < STEADY_S - 2 * TRACE_S or max(levels) - min(levels) > STEADY_DB

    def forget(self) -> None:
        """Learn the background again: the sensor was moved, or a person has stated that no leak is heard now."""
        self._past, self._pending, self._since_s, self._matcher = self._past[:0], [], 0.0, None

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        return {"moments": packed(self._past), "pending": packed(self._pending), "since_s": round(self._since_s, 1)}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `snapshot`. The coarser state of an earlier version is dropped: the background is learned again.

        Raises ValueError, TypeError or KeyError.
        """
        if "past" in saved:
            self.forget()
            return
        past, pending, since_s = _unpacked(saved["moments"]), _unpacked(saved["pending"]), float(saved["since_s"])
        self._past, self._pending, self._since_s = past[-ENTRIES:], list(pending[:PENDING]), since_s
        self._matcher = None


def _resembles_weather(now: Bands, best: Match) -> bool:
    """Tell whether the added sound has its maximum where rain or wind have it, or the spectrum of rain."""
    if not LOW_HZ <= CENTRES_HZ[best.band] < HIGH_HZ:
        return True
    added = np.maximum(10 ** (now / 10) - 10 ** (best.expected / 10), 1e-13) / (CENTRES_HZ * WIDTH)
    return bool(added[_HIGH].mean() > RAIN * added[_MIDDLE].mean())


def packed(entries: Rows | list[Bands]) -> str:
    """Write entries as `Background.snapshot` saves them, in steps of STEP_DB: a week is 15 kB."""
    steps = np.rint(np.array(entries, np.float32) / STEP_DB).astype("<i2")
    return base64.b64encode(zlib.compress(steps.tobytes())).decode("ascii")


def _unpacked(text: str) -> Rows:
    try:
        data = zlib.decompress(base64.b64decode(text, validate=True))
    except zlib.error as error:
        raise ValueError(f"the saved background cannot be read: {error}") from None
    steps = np.frombuffer(data, "<i2").reshape(-1, len(CENTRES_HZ))
    return steps.astype(np.float32) * np.float32(STEP_DB)

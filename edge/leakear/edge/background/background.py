"""What is usual at this node, learnt by itself: a leak is heard as a rise that stays, however quiet it is.

Quiet nights differ from place to place by more than a faint leak adds, so no threshold for all places finds it. Here
the quietest moments of the last half hour, third octave by third octave, are explained by what was heard at this node
in the last week (`explain`); what no explanation covers is a rise. Rain and wind rise too: what sounds like them counts
only once it has been steady for longer than they are.

Learning is slow on purpose and stops while the pipe is under suspicion: what is heard becomes usual only twelve hours
later, and what was heard in a suspicion or just before it never does. A leak that was there at installation is usual
from the start; only the model can find it.
Pure: no clock, no I/O.
"""

import base64
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from leakear.edge.background.matching import Explainer, Explanation, Rows
from leakear.edge.background.third_octaves import CENTRES_HZ, WIDTH, Bands

EVERY_S = 1800.0
"""Seconds of sound from one remembered moment to the next."""
MOMENTS = 336
"""Moments remembered: one week."""
ENOUGH = 112
"""Moments needed before anything is said: two days and a third, for no two are alike."""
PENDING = 24
"""Moments that have yet to become usual: twelve hours."""
SUSPECT = 4
"""Moments before a suspicion that are not learnt either: two hours."""
QUIET = 10
"""Percentile over the span: a sound must fill nine tenths of it to count."""
RAIN = 4
"""What rises has the spectrum of rain from this ratio of power per hertz above 5 kHz to that around 1 kHz on."""
HIGH_HZ = 3900.0
"""A rise that is highest from here on may be rain too, whatever its spectrum."""
LOW_HZ = 280.0
"""A rise that is highest below may be wind."""
TOLD_DB = 0.5
"""Smallest rise whose spectrum says anything."""
STEADY_S = 10800.0
"""Seconds for which weather is not steady."""
STEADY_DB = 1.5
"""Movement of the level within that time up to which it is steady."""
TRACE_S = 600.0
"""Seconds from one entry to the next of what tells steadiness."""
STEP_DB = 0.1
"""Resolution of what is kept through a restart."""
_HIGH, _MIDDLE = CENTRES_HZ > 4900, (CENTRES_HZ > 490) & (CENTRES_HZ < 1300)


@dataclass(frozen=True, slots=True)
class Rise:
    """How the last half hour stands above what is usual."""

    db: float
    """dB that two neighbouring third octaves both stand above all that is known, or half of what one does"""
    hz: float
    """where"""
    weather: bool
    """it may be rain or wind, by its spectrum, and was not steady for long enough to be anything else"""


class Usual:
    """The memory of one node."""

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        """seconds that a rise must fill, nine tenths of them at least"""
        self._recent: deque[tuple[float, float, Bands]] = deque()  # (time s, step s, levels)
        self._trace: deque[tuple[float, Bands]] = deque()  # (time s, quiet of the span), of the last STEADY_S
        self._since_s = 0.0  # of sound since the last remembered moment
        self._learning = True  # whether the last window was free of suspicion
        self._pending: list[Bands] = []
        self._past: Rows = np.empty((0, len(CENTRES_HZ)), np.float32)
        self._explainer: Explainer | None = None  # of the past as it is

    @property
    def ready(self) -> bool:
        """Whether enough has been heard to say what is usual."""
        return len(self._past) >= ENOUGH

    def update(self, time_s: float, step_s: float, levels: Bands, *, learn: bool) -> Rise | None:
        """Take a window that ended at the monotonic `time_s`; None while too little was heard to judge by."""
        self._recent.append((time_s, step_s, levels))
        while self._recent[0][0] <= time_s - self.span_s + 1e-6:
            self._recent.popleft()
        if sum(step for _, step, _ in self._recent) < 0.5 * self.span_s:
            return None
        now = np.percentile([levels for _, _, levels in self._recent], QUIET, axis=0).astype(np.float32)
        self._follow(time_s, now)
        rise = self._rise(now) if self.ready else None
        self._learn(now, step_s, learn=learn, weather=rise is not None and rise.weather)
        return rise

    def _follow(self, time_s: float, now: Bands) -> None:
        """Remember how the quiet moved in the last hours."""
        if not self._trace or time_s - self._trace[-1][0] >= TRACE_S - 1e-6:
            self._trace.append((time_s, now))
        while len(self._trace) > 1 and self._trace[1][0] <= time_s - STEADY_S:
            self._trace.popleft()

    def _learn(self, now: Bands, step_s: float, *, learn: bool, weather: bool) -> None:
        if not learn:
            if self._learning:  # a leak may have begun before it was suspected
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
            self._past = np.vstack([self._past, self._pending.pop(0)])[-MOMENTS:]
            self._explainer = None

    def _rise(self, now: Bands) -> Rise:
        if self._explainer is None:
            self._explainer = Explainer(self._past)
        best = self._explainer.explain(now)
        hz = float(np.sqrt(CENTRES_HZ[best.band] * CENTRES_HZ[best.band + 1]))
        return Rise(best.rise_db, hz, best.rise_db >= TOLD_DB and self._may_be_weather(now, best))

    def _may_be_weather(self, now: Bands, best: Explanation) -> bool:
        """Tell whether a rise may be rain or wind: by where it is and its spectrum, unless it has long been steady."""
        if not _sounds_like_weather(now, best):
            return False
        pair = slice(best.band, best.band + 2)
        first_s, last_s = self._trace[0][0], self._trace[-1][0]
        there = [float(quiet[pair].mean()) for _, quiet in self._trace] + [float(now[pair].mean())]
        return last_s - first_s < STEADY_S - 2 * TRACE_S or max(there) - min(there) > STEADY_DB

    def forget(self) -> None:
        """Learn anew: the sensor was moved, or a person calls what is heard now usual."""
        self._past, self._pending, self._since_s, self._explainer = self._past[:0], [], 0.0, None

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON."""
        return {"moments": packed(self._past), "pending": packed(self._pending), "since_s": round(self._since_s, 1)}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `snapshot`; a coarser one of an earlier version is learnt anew. Raises ValueError or the like."""
        if "past" in saved:
            self.forget()
            return
        past, pending, since_s = _unpacked(saved["moments"]), _unpacked(saved["pending"]), float(saved["since_s"])
        self._past, self._pending, self._since_s = past[-MOMENTS:], list(pending[:PENDING]), since_s
        self._explainer = None


def _sounds_like_weather(now: Bands, best: Explanation) -> bool:
    """Tell whether what was added may be rain or wind: highest where they are, or with the spectrum of rain."""
    if not LOW_HZ <= CENTRES_HZ[best.band] < HIGH_HZ:
        return True
    added = np.maximum(10 ** (now / 10) - 10 ** (best.expected / 10), 1e-13) / (CENTRES_HZ * WIDTH)
    return bool(added[_HIGH].mean() > RAIN * added[_MIDDLE].mean())


def packed(moments: Rows | list[Bands]) -> str:
    """Write moments as `Usual.snapshot` keeps them, in steps of STEP_DB: a week is 15 kB."""
    steps = np.rint(np.array(moments, np.float32) / STEP_DB).astype("<i2")
    return base64.b64encode(zlib.compress(steps.tobytes())).decode("ascii")


def _unpacked(text: str) -> Rows:
    try:
        held = zlib.decompress(base64.b64decode(text, validate=True))
    except zlib.error as error:
        raise ValueError(f"what is usual here cannot be read: {error}") from None
    steps = np.frombuffer(held, "<i2").reshape(-1, len(CENTRES_HZ))
    return steps.astype(np.float32) * np.float32(STEP_DB)

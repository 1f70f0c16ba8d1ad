"""What is usual at this node, learnt by itself: a leak is heard as a rise that stays, however quiet it is.

Quiet nights differ from place to place by more than a faint leak adds, so no threshold for all places finds it. Here
the quietest moments of the last half hour, third octave by third octave, are held against everything heard at this
node in the last week *while its surroundings were no louder than now*. How loud they are is read from the bands that
come and go most. Rain and wind rise too: rain by its excess of high frequencies, wind because the lowest bands are
left out.

Learning is slow on purpose and stops while the pipe is under suspicion: what is heard becomes usual only after three
hours without a warning. A leak that was there at installation is usual from the start; only the model can find it.
Pure: no clock, no I/O.
"""

import base64
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from leakear.edge.octaves import CENTRES_HZ, WIDTH, Bands

Rows: TypeAlias = NDArray[np.float32]
"""Moments of the past, shape (n, 25), dB"""
EVERY_S = 1800.0
"""Seconds of sound from one remembered moment to the next."""
MOMENTS = 336
"""Moments remembered: one week."""
ENOUGH = 88
"""Moments needed before anything is said: most of two days, for no two are alike."""
PENDING = 6
"""Moments that have yet to become usual: three hours."""
QUIET = 10
"""Percentile over the span: a sound must fill nine tenths of it to count."""
LOWEST_HZ = 160.0
"""Rises below are traffic's and the wind's."""
COMING_AND_GOING = 8
"""Bands from which the loudness of the surroundings is read: those that vary most."""
AS_LOUD_DB = 0.5
"""Moments up to this much louder than now are comparable."""
FEWEST = 3
"""Comparable moments at least: else the quietest there are."""
RAIN = 4
"""What rises has the spectrum of rain from this ratio of power per hertz above 5 kHz to that around 1 kHz on."""
STEP_DB = 0.5
"""Resolution of what is kept through a restart."""
_HIGH, _MIDDLE = CENTRES_HZ > 4900, (CENTRES_HZ > 490) & (CENTRES_HZ < 1300)


@dataclass(frozen=True, slots=True)
class Rise:
    """How the last half hour stands above what is usual."""

    db: float
    """dB that two neighbouring third octaves both stand above everything comparable; negative: below"""
    hz: float
    """where"""
    weather: bool
    """the rise has the spectrum of rain: most of its power per hertz above 5 kHz"""


class Usual:
    """The memory of one node."""

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        """seconds that a rise must fill, nine tenths of them at least"""
        self._recent: deque[tuple[float, float, Bands]] = deque()  # (time s, step s, levels)
        self._since_s = 0.0  # of sound since the last remembered moment
        self._pending: list[Bands] = []
        self._past: Rows = np.empty((0, len(CENTRES_HZ)), np.float32)

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
        rise = self._rise(now) if self.ready else None
        self._learn(now, step_s, learn=learn, weather=rise is not None and rise.weather)
        return rise

    def _learn(self, now: Bands, step_s: float, *, learn: bool, weather: bool) -> None:
        if not learn:
            self._pending.clear()
            self._since_s = 0.0
            return
        self._since_s += step_s
        if self._since_s < EVERY_S or weather:
            return
        self._since_s = 0.0
        self._pending.append(now)
        if len(self._pending) > PENDING:
            self._past = np.vstack([self._past, self._pending.pop(0)])[-MOMENTS:]

    def _rise(self, now: Bands) -> Rise:
        usual = _comparable(self._past, now)
        above = now - usual
        first = int(np.searchsorted(CENTRES_HZ, LOWEST_HZ * 0.9))
        both = np.minimum(above[first:-1], above[first + 1 :])
        at = int(both.argmax())
        hz = float(np.sqrt(CENTRES_HZ[first + at] * CENTRES_HZ[first + at + 1]))
        return Rise(float(both[at]), hz, _like_rain(now, usual))

    def forget(self) -> None:
        """Learn anew: the sensor was moved, or a person calls what is heard now usual."""
        self._past, self._pending, self._since_s = self._past[:0], [], 0.0

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON."""
        return {"past": _packed(self._past), "pending": _packed(self._pending), "since_s": round(self._since_s, 1)}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `snapshot`. Raises ValueError, TypeError or KeyError for anything else."""
        past, pending, since_s = _unpacked(saved["past"]), _unpacked(saved["pending"]), float(saved["since_s"])
        self._past, self._pending, self._since_s = past[-MOMENTS:], list(pending[:PENDING]), since_s


def _comparable(past: Rows, now: Bands) -> Bands:
    """Return the loudest of each band among moments whose surroundings were no louder than now, shape (25,).

    Where the surroundings are louder than ever, everything is expected to be so by as much.
    """
    varying = np.argsort(past.std(axis=0))[-COMING_AND_GOING:]
    loudness, mine = past[:, varying].mean(axis=1), now[varying].mean()
    order = np.argsort(loudness)
    count = max(int(np.sum(loudness <= mine + AS_LOUD_DB)), FEWEST)
    louder = max(0.0, float(mine - loudness[order[-1]]))
    return np.asarray(past[order[:count]].max(axis=0) + louder, np.float32)


def _like_rain(now: Bands, usual: Bands) -> bool:
    """Tell whether what was added has far more power per hertz above 5 kHz than around 1 kHz: a hiss has less."""
    added = np.maximum(10 ** (now / 10) - 10 ** (usual / 10), 1e-13) / (CENTRES_HZ * WIDTH)
    return bool(added[_HIGH].mean() > RAIN * added[_MIDDLE].mean())


def _packed(moments: Rows | list[Bands]) -> str:
    """Write levels in bytes of STEP_DB below full scale: a week is 11 kB."""
    steps = np.clip(np.rint(np.array(moments) / -STEP_DB), 0, 255).astype(np.uint8)
    return base64.b64encode(steps.tobytes()).decode("ascii")


def _unpacked(text: str) -> Rows:
    steps = np.frombuffer(base64.b64decode(text, validate=True), np.uint8).reshape(-1, len(CENTRES_HZ))
    return steps.astype(np.float32) * np.float32(-STEP_DB)

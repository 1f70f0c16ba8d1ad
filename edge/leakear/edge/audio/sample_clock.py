"""Sample clock: when each sample of a stream was heard, on the monotonic clock, and how well that is known.

Every delivery says how many samples came before it and about when its first sample was converted: the time at which
the driver handed it over less the delay that the driver states (PortAudio: `currentTime` less `inputBufferAdcTime`).
Both jitter by milliseconds; the quartz of the device does not. So a straight line of time over samples is fitted to the
medians of the last minutes: its height is the time of a sample, its slope the drift of the device. Single seconds that
lie off the line (a busy machine, a server that woke up late) hardly move it. Where no driver states a delay, the
earliest hand-over of each second is taken, for a hand-over can only be late.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEVICE_FLOOR_S, SERVER_FLOOR_S = 0.0005, 0.002
"""s by which the delay that a driver, or a sound server, states may always be wrong (`python -m bench.sample_time`)"""
POINT_S = 1.0
"""s of sound that make one point of the line"""
POINTS = 300
"""points in use: the line follows temperature within minutes"""
LEAST_POINTS = 15
"""points from which the line is used: a server's first seconds may all be wrong alike"""
RECENT_POINTS = 10
"""newest points; what they lie off the line together is added to the uncertainty: one of both is wrong"""
CORRELATED = 5
"""neighbouring points whose errors are alike: so many count as one"""
LARGEST_DRIFT = 2e-3
"""share; a steeper line is no quartz, and is not used"""
USUAL_DRIFT = 2e-4
"""share within which a quartz lies (95 %), before it was measured"""
LONGEST_DELAY_S = 2.0
"""s; a driver that states more does not know it"""
STEP_S, STEP_POINTS = 0.03, 5
"""s by which so many points in a row lie off the line before it is given up"""


@dataclass(frozen=True, slots=True)
class Timing:
    """How well the time of a sample is known."""

    drift_ppm: float
    """how much faster the samples come than the nominal rate says, ppm"""
    drift_uncertainty_ppm: float
    """95 % bound of its error, ppm"""
    uncertainty_s: float
    """95 % bound of the error of a sample's time against the monotonic clock, s"""


@dataclass(frozen=True, slots=True)
class _Line:
    """time = `at_s` + (1 + `slope`) · (x − `x`), x being nominal seconds of sound."""

    x: float
    at_s: float
    slope: float
    slope_error: float
    """one standard deviation"""
    error_s: float
    """one standard deviation at `x`"""


class SampleClock:
    """The line of one device. Positions are samples since the stream was opened, at the device's nominal rate, Hz."""

    def __init__(self, rate: int, *, server: bool = False) -> None:
        self.timing: Timing | None = None
        """None: too little was heard since the stream began or sound was lost"""
        self._rate, self._floor_s = rate, SERVER_FLOOR_S if server else DEVICE_FLOOR_S
        self._points: deque[tuple[float, float]] = deque(maxlen=POINTS)  # nominal s, s by which the time is later
        self._waiting: list[float] = []  # s later, of the deliveries since the last point
        self._begin_x: float | None = None
        self._stated = True  # whether the driver has stated every delay since the last point
        self._drift, self._drift_error = 0.0, USUAL_DRIFT / 2  # slope of the line, known from before a gap
        self._line: _Line | None = None
        self._off = 0  # points in a row that lie off the line

    def heard(self, position: int, samples: int, monotonic: float, delay_s: float | None) -> None:
        """Take a delivery whose first sample is `position`, handed over at `monotonic` s.

        `delay_s`: age of that first sample at the hand-over, s, as the driver states it; None: it does not.
        """
        x = position / self._rate
        if delay_s is None or not 0 <= delay_s <= LONGEST_DELAY_S:
            delay_s, self._stated = samples / self._rate, False
        self._begin_x = x if self._begin_x is None else self._begin_x
        self._waiting.append(monotonic - delay_s - x)
        if x - self._begin_x >= POINT_S:
            self._add((self._begin_x + x) / 2)

    def lost(self) -> None:
        """Begin a new line: an unknown number of samples is missing. The drift stays known."""
        if self._line is not None and abs(self._line.slope) <= LARGEST_DRIFT:
            known = self.timing.drift_uncertainty_ppm / 1e6 if self.timing else self._drift_error
            self._drift, self._drift_error = self._line.slope, max(known, 5e-6)
        self._points.clear()
        self._waiting.clear()
        self._begin_x = self._line = self.timing = None
        self._off = 0

    def time_of(self, position: int) -> float | None:
        """Monotonic s at which a sample was heard; None while that is not known."""
        if self._line is None or self.timing is None:
            return None
        x = position / self._rate
        return x + self._line.at_s + self._line.slope * (x - self._line.x)

    def _add(self, x: float) -> None:
        late = float(np.median(self._waiting)) if self._stated else min(self._waiting)
        self._waiting.clear()
        self._begin_x, self._stated = None, True
        if self._line is not None:
            expected = self._line.at_s + self._line.slope * (x - self._line.x)
            self._off = self._off + 1 if abs(late - expected) > STEP_S else 0
            if self._off == STEP_POINTS:  # a server changed its buffer, or samples were lost without a word
                self.lost()
        self._points.append((x, late))
        if len(self._points) >= LEAST_POINTS:
            self._fit()

    def _fit(self) -> None:
        points = np.asarray(self._points)
        self._line = line = _fitted(points[:, 0], points[:, 1], self._drift, self._drift_error)
        if abs(line.slope) > LARGEST_DRIFT:
            self.timing = None
            return
        recent = points[-RECENT_POINTS:]
        off_s = abs(float(np.median(recent[:, 1] - line.at_s - line.slope * (recent[:, 0] - line.x))))
        ahead = float(points[-1, 0]) - line.x
        wander = 2 * self._floor_s / float(points[-1, 0] - points[0, 0])  # of the stated delay, from end to end
        error_s = off_s + 2 * math.hypot(line.error_s, line.slope_error * ahead)
        self.timing = Timing(
            drift_ppm=(1 / (1 + line.slope) - 1) * 1e6,
            drift_uncertainty_ppm=1e6 * math.hypot(2 * line.slope_error, min(wander, 2 * self._drift_error)),
            uncertainty_s=self._floor_s + error_s,
        )


def _fitted(x: NDArray[np.float64], late: NDArray[np.float64], slope: float, slope_error: float) -> _Line:
    """Fit a line that outliers hardly move (Tukey's biweight), shape (n,) each; `slope` is known to `slope_error`."""
    weights = np.ones(len(x))
    fitted, centre, height, spread, scatter = slope, 0.0, 0.0, 0.0, 0.0
    for _ in range(6):
        total = weights.sum()
        centre, height = float(weights @ x / total), float(weights @ late / total)
        spread = float(weights @ (x - centre) ** 2)
        rest = late - height - fitted * (x - centre)
        middle = float(np.median(rest))
        scatter = max(1.4826 * float(np.median(np.abs(rest - middle))), 1e-6)
        known = CORRELATED * (scatter / slope_error) ** 2
        fitted = float((weights @ ((x - centre) * (late - height)) + known * slope) / (spread + known))
        rest = late - height - fitted * (x - centre)
        rest -= np.median(rest)
        weights = np.clip(1 - (rest / (6 * scatter)) ** 2, 0, None) ** 2 + 1e-9
    independent = max(1.0, float(weights.sum()) / CORRELATED)
    slope_error = math.sqrt(CORRELATED / (spread + known)) * scatter
    return _Line(centre, height, fitted, slope_error, scatter / math.sqrt(independent))

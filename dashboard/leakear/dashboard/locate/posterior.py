"""Probability of each position, from the likelihood of the delay and what is unknown of clock, speed and length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.ndimage

from leakear.dashboard.locate.correlation import Correlation
from leakear.dashboard.locate.pipes import Pipe, Speed

Floats = npt.NDArray[np.float64]
_POSITIONS = 1001
"""Positions along the pipe at which the probability is computed."""
_SPEEDS = 41
_STEP_S = 2e-5
"""s, step of the likelihood against delay."""
_TEMPER = 0.5
"""The log-likelihood is multiplied by this: its weights were fitted to the same sound (chosen on tuning seeds)."""


@dataclass(frozen=True)
class Clock:
    """What is known of the two recorders' clocks."""

    offset_bound: float = 0.0
    """s (95 %), between the times at which A's and B's first samples are said to be"""
    drift_bound_ppm: float = 0.0
    """ppm of each recorder's sample clock"""
    offset: float = 0.0
    """s, known: by which B's clock is ahead, so that B's sound seems to come so much later"""
    drift_ppm: float = 0.0
    """ppm, known: by which B's sample clock runs faster than A's"""

    @property
    def relative_drift(self) -> float:
        """Seconds of delay that two clocks may gain in a second."""
        return 2e-6 * self.drift_bound_ppm


@dataclass(frozen=True)
class DelayLikelihood:
    """Likelihood of the delay at the first sample, where the clocks are compared; drift averaged out."""

    delay: Floats
    """shape (t,), s, uniform"""
    value: Floats
    """shape (t,), largest 1"""

    def blurred(self, sigma: float) -> DelayLikelihood:
        """Return the likelihood of the delay of the sound alone when the clocks differ by a normal error, s."""
        step = self.delay[1] - self.delay[0]
        if sigma < step / 4:
            return self
        wide = scipy.ndimage.gaussian_filter1d(self.value, sigma / step, mode="constant", truncate=6)
        return DelayLikelihood(self.delay, wide / wide.max())

    def at(self, delay: Floats) -> Floats:
        """Read it at any delays; 0 outside what was computed."""
        return np.asarray(np.interp(delay, self.delay, self.value, left=0, right=0))


@dataclass(frozen=True)
class Estimate:
    """A number with its 50 and 95 % intervals."""

    median: float
    half: tuple[float, float]
    """50 %"""
    most: tuple[float, float]
    """95 %"""


def delay_likelihood(c: Correlation, log_ratio: Floats, seconds: float, inside: tuple[float, float]) -> DelayLikelihood:
    """Average the likelihood over drift; refer the delay to the first sample. `inside`: delays considered, s."""
    delay = np.arange(inside[0], inside[1], _STEP_S)
    scaled = _TEMPER * log_ratio
    reach = [np.interp(delay + drift * seconds / 2, c.delay, scaled[d]) for d, drift in enumerate(c.drift)]
    stacked = np.asarray(reach)
    stacked -= stacked.max()
    value = np.exp(np.maximum(stacked, -700)).mean(axis=0)
    return DelayLikelihood(delay, value / value.max())


def positions(pipe: Pipe) -> Floats:
    """Positions at which the probability is computed, m from A, uniform from 0 to the length."""
    return np.linspace(0, pipe.length, _POSITIONS)


def probability(likelihoods: list[DelayLikelihood], pipe: Pipe) -> Floats:
    """Probability of each of `positions` (sum 1), every place on the pipe being as likely before.

    `likelihoods`: of the delay of the sound, clock errors included, one for each repeat.
    """
    x = positions(pipe)
    total = np.zeros_like(x)
    for speed in speeds(pipe.speed):
        at_speed = np.ones_like(x)
        for likelihood in likelihoods:
            at_speed *= likelihood.at((pipe.length - 2 * x) / speed)
        total += at_speed
    if not total.sum() > 0:
        return np.full_like(x, 1 / len(x))
    return np.asarray(total / total.sum())


def end_share(likelihoods: list[DelayLikelihood], pipe: Pipe) -> tuple[float, float]:
    """Mean likelihoods of a source at or beyond A and B."""
    return tuple(
        float(np.mean([np.prod([one.at(np.array([sign * pipe.length / v]))[0] for one in likelihoods]) for v in speeds(pipe.speed)]))
        for sign in (1, -1)
    )  # type: ignore[return-value]


def pipe_share(likelihoods: list[DelayLikelihood], pipe: Pipe) -> float:
    """Mean likelihood of a source somewhere on the pipe, every place as likely."""
    x = positions(pipe)
    return float(
        np.mean([np.mean(np.prod([one.at((pipe.length - 2 * x) / v) for one in likelihoods], axis=0)) for v in speeds(pipe.speed)])
    )


def speeds(speed: Speed) -> Floats:
    """Speeds within a range, each as likely."""
    return np.linspace(speed.low, speed.high, _SPEEDS)


def summary(x: Floats, probability_: Floats) -> Estimate:
    """Median and equal-tailed intervals of a distribution on a uniform grid."""
    rising = np.cumsum(probability_) - probability_ / 2
    at = [float(np.interp(q, rising, x)) for q in (0.025, 0.25, 0.5, 0.75, 0.975)]
    return Estimate(at[2], (at[1], at[3]), (at[0], at[4]))

"""Probability of each position, from the likelihood of the delay and what is unknown of clock, speed and length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.signal

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
        wide = _smoothed(self.value, sigma / step)
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


def delay_likelihood(c: Correlation, log_ratio: Floats, seconds: float, bound: float) -> DelayLikelihood:
    """Average the likelihood over drift and refer the delay to the first sample, for delays of ± `bound` s."""
    delay = np.arange(-bound, bound, _STEP_S)
    scaled = _TEMPER * log_ratio
    stacked = np.asarray(
        [np.interp(delay + drift * seconds / 2, c.delay, scaled[d]) for d, drift in enumerate(c.drift)]
    )
    value = np.exp(np.maximum(stacked - stacked.max(), -700)).mean(axis=0)
    return DelayLikelihood(delay, value / value.max())


def product(likelihoods: list[DelayLikelihood]) -> DelayLikelihood:
    """Multiply the likelihoods of repeats with independent errors."""
    widest = max(likelihoods, key=lambda one: len(one.delay))
    value = np.prod([one.at(widest.delay) for one in likelihoods], axis=0)
    return DelayLikelihood(widest.delay, value / max(float(value.max()), 1e-300))


def _smoothed(value: Floats, sigma: float) -> Floats:
    """Convolve with a normal density of this standard deviation, in samples."""
    reach = int(np.ceil(6 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(np.maximum(scipy.signal.fftconvolve(value, kernel, "full")[reach : reach + len(value)], 0))


def positions(pipe: Pipe) -> Floats:
    """Positions at which the probability is computed, m from A, uniform from 0 to the length."""
    return np.linspace(0, pipe.length, _POSITIONS)


def probability(likelihood: DelayLikelihood, pipe: Pipe) -> Floats:
    """Probability of each of `positions` (sum 1), every place on the pipe being as likely before.

    `likelihood`: of the delay of the sound, clock errors included.
    """
    total = _by_speed(likelihood, pipe).mean(axis=0)
    if not total.sum() > 0:
        return np.full(_POSITIONS, 1 / _POSITIONS)
    return np.asarray(total / total.sum())


def end_likelihoods(likelihood: DelayLikelihood, pipe: Pipe) -> tuple[float, float]:
    """Mean likelihoods of a source at or beyond A and at or beyond B."""
    delays = pipe.length / speeds(pipe.speed)
    return float(likelihood.at(delays).mean()), float(likelihood.at(-delays).mean())


def pipe_likelihood(likelihood: DelayLikelihood, pipe: Pipe) -> float:
    """Mean likelihood of a source somewhere on the pipe, every place as likely."""
    return float(_by_speed(likelihood, pipe).mean())


def _by_speed(likelihood: DelayLikelihood, pipe: Pipe) -> Floats:
    """Likelihood for each speed and position, shape (v, x)."""
    return likelihood.at((pipe.length - 2 * positions(pipe)) / speeds(pipe.speed)[:, None])


def speeds(speed: Speed) -> Floats:
    """Speeds within a range, each as likely."""
    return np.linspace(speed.low, speed.high, _SPEEDS)


def summary(x: Floats, probability_: Floats) -> Estimate:
    """Median and equal-tailed intervals of a distribution on a uniform grid."""
    rising = np.cumsum(probability_) - probability_ / 2
    at = [float(np.interp(q, rising, x)) for q in (0.025, 0.25, 0.5, 0.75, 0.975)]
    return Estimate(at[2], (at[1], at[3]), (at[0], at[4]))

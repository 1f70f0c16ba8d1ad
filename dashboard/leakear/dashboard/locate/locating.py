"""From two recordings to a position with its interval, or to the one reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from leakear.dashboard.locate import correlation, posterior, spectra
from leakear.dashboard.locate.correlation import Correlation, Floats, Found
from leakear.dashboard.locate.pipes import Pipe
from leakear.dashboard.locate.posterior import Clock, DelayLikelihood, Estimate
from leakear.dashboard.locate.spectra import Samples, Spectra

_BEYOND = 1.5
"""Delays are computed up to this many times the longest one."""
SCORE_MIN = 5.6
"""Standard deviations above chance that a peak needs."""
SYSTEMATIC_S = 1e-4


@dataclass(frozen=True)
class Recording:
    a: Samples
    b: Samples
    rate: float
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True)
class Heard:
    """One pair correlated."""

    spectra: Spectra
    correlation: Correlation
    found: Found
    log_ratio: Floats
    likelihood: DelayLikelihood


def hear(pair: Recording, pipe: Pipe) -> Heard:
    clock = pair.clock
    slack = 1.5 * clock.offset_bound + 2 * SYSTEMATIC_S
    inside = pipe.longest_delay + slack
    seconds = len(pair.a) / pair.rate
    drifted = clock.relative_drift * seconds / 2
    longest = _BEYOND * pipe.longest_delay + slack + drifted
    rate = min(pair.rate, 2.5 * pipe.highest_hz)
    a, b = (spectra.to_rate(s, pair.rate, rate) for s in (pair.a, pair.b))
    s = spectra.spectra(a, b, rate, highest_hz=pipe.highest_hz, longest_delay=longest, fine=4 if pipe.dispersion else 1)
    c = correlation.correlate(s, longest=longest, drift_bound=clock.relative_drift, dispersion=pipe.dispersion)
    found = correlation.strongest(c, np.abs(c.delay) <= inside + drifted)
    ratio = correlation.log_likelihood(c, correlation.weights(c, found))
    like = posterior.delay_likelihood(c, ratio, seconds, (-inside, inside))
    sigma = np.sqrt((clock.offset_bound / 2) ** 2 + SYSTEMATIC_S**2 + (pipe.length_uncertainty / 2 / pipe.speed.middle) ** 2)
    return Heard(s, c, found, ratio, like.blurred(float(sigma)))

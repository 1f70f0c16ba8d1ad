"""The sources that a correlation shows: the strongest, what remains without it, and what each of them may be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from leakear.dashboard.locate import correlation, posterior
from leakear.dashboard.locate.correlation import Correlation, Found
from leakear.dashboard.locate.pipes import Pipe
from leakear.dashboard.locate.posterior import DelayLikelihood, Estimate

Kind = Literal["leak", "end_a", "end_b", "middle", "pump", "leak_or_echo"]
_FALSE_ALARM = 0.002
"""Chance that a pair without a source has a peak that counts, by a formula; really up to ten times as much (tuning)."""
_RANGES = 10
"""Independent choices among the ranges of bands, about."""
_END = 0.5
"""Probability of a source at or beyond an end, one half beforehand, from which on none is placed on the pipe."""
_MIDDLE_S = 1e-4
"""s; a sound that reaches both recorders within it may have come by wire."""
_NEXT = 0.25
"""A further source has at least this share of the strongest one's score."""
_MOST_SOURCES = 3
_APART = 3.0
"""Sources are told apart from this many widths of a peak on."""


@dataclass(frozen=True)
class Source:
    """One peak of the correlation."""

    kind: Kind
    delay: float
    """s, recorded: B later than A at the middle of the recording"""
    score: float
    """standard deviations above chance"""
    position: Estimate
    """m from A"""


def required(c: Correlation, possible: float, top_hz: float) -> float:
    """Return the score that a peak needs among delays of ± `possible` s, by the number of independent trials."""
    trials = 4 * possible * top_hz * max(len(c.drift) / 2, 1) * _RANGES
    return float(-ndtri(_FALSE_ALARM / trials))


def kind_of(likelihood: DelayLikelihood, pipe: Pipe, found_delay: float, position: Estimate) -> Kind:
    """Tell what the strongest peak may be. Delays in s, clock errors included in the likelihood."""
    if abs(found_delay) <= _MIDDLE_S:
        return "middle"
    if any(position.most[0] <= pump <= position.most[1] for pump in pipe.pumps):
        return "pump"
    ends = posterior.end_likelihoods(likelihood, pipe)
    if sum(ends) > _END * (sum(ends) + posterior.pipe_likelihood(likelihood, pipe)):
        return "end_a" if ends[0] > ends[1] else "end_b"
    return "leak"


def without(c: Correlation, found: Found) -> Correlation:
    """Subtract a source from the correlation at its drift; the other drifts are dropped."""
    at_drift = c.bands[found.drift_index]
    strength = at_drift[:, found.delay_index]
    shift = np.arange(len(c.delay)) - found.delay_index + len(c.delay) - 1
    rest = at_drift - strength[:, None] * c.kernel[:, shift]
    return replace(c, bands=rest[None], drift=c.drift[found.drift_index : found.drift_index + 1])


def further(
    c: Correlation, first: Found, inside: npt.NDArray[np.bool_], least: float, width_hz: float
) -> list[tuple[Correlation, Found]]:
    """Find weaker sources one after the other, each in what is left without those before it.

    `inside`: which delays lie on the pipe, shape (t,).
    `width_hz`: bandwidth of the first; what is nearer to a source than its peak is wide belongs to it.
    """
    out: list[tuple[Correlation, Found]] = []
    last = first
    while len(out) < _MOST_SOURCES - 1:
        c = without(c, last)
        inside = inside & (np.abs(c.delay - c.delay[last.delay_index]) > _APART / width_hz)
        if not inside.any():
            break
        last = correlation.strongest(c, inside)
        if last.score < max(least, _NEXT * first.score):
            break
        out.append((c, last))
    return out

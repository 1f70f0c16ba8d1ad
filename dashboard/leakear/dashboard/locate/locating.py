"""From recordings at both ends of a pipe to a position with its interval, or to the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakear.dashboard.locate import correlation, posterior, repeats, sources, spectra
from leakear.dashboard.locate.correlation import Correlation, Floats, Found, Told, untold
from leakear.dashboard.locate.pipes import Pipe
from leakear.dashboard.locate.posterior import DelayLikelihood, Estimate
from leakear.dashboard.locate.refusals import Refusal, outside, refusal_of, silent, too_loose, too_short
from leakear.dashboard.locate.sources import Source
from leakear.dashboard.locate.spectra import Recording, Spectra

_BEYOND = 1.6
"""Delays are computed up to this many times the longest possible one: what stands there is chance."""
_CERTAIN = 1.1
"""Delays over this many times the longest possible one are certainly impossible."""
_SYSTEMATIC_S = 2e-4
"""s, standard deviation of the delay by unequal sensors and whatever else is not known (measured on tuning seeds)."""


@dataclass(frozen=True)
class Heard:
    """One pair, correlated."""

    recording: Recording
    spectra: Spectra
    correlation: Correlation
    possible: npt.NDArray[np.bool_]
    """shape (t,): delays that a source on the pipe can have, clock errors included"""
    slack: float
    """s, by which the clocks may add to a delay at the first sample"""


@dataclass(frozen=True)
class Location:
    """The answer."""

    pipe: Pipe
    """its speed includes the unknown dispersion at the frequencies that were used"""
    position: Estimate | None
    """m from A; None: refused"""
    refusal: Refusal | None
    best: Estimate | None
    """m from A, of the strongest source whether refused or not; None when nothing could be correlated"""
    highest: float | None
    """m from A, of the highest peak at the middle speed: what would be said without intervals and refusals"""
    sources: tuple[Source, ...]
    """strongest first"""
    score: float
    """of the strongest, standard deviations above chance"""
    required: float
    """score that was needed"""
    band_hz: tuple[float, float]
    """chosen by coherence"""
    probability: Floats | None
    """shape (x,), of each of `posterior.positions`"""
    weighted: Floats | None
    """shape (t,), log-likelihood ratio of the first pair against delay, at its drift"""
    found: Found | None
    heard: tuple[Heard, ...]


def locate(recordings: Sequence[Recording], pipe: Pipe, told: Told = untold) -> Location:
    """Locate a source on a pipe from one pair or from repeats (other minutes or nights), which are averaged.

    `told` is given how many pairs are correlated, and parts of one.
    """
    early = silent(recordings) or too_loose(recordings, pipe) or too_short_for(recordings, pipe)
    if early:
        return Location(pipe, None, early, None, None, (), 0.0, 0.0, (0.0, 0.0), None, None, None, ())
    heard = hear_all(recordings, pipe, told)
    score, founds = repeats.strongest([(h.correlation, h.possible, h.slack, h.spectra.seconds) for h in heard])
    first, found = heard[0], founds[0]
    weights = [correlation.weights(h.correlation, f) for h, f in zip(heard, founds, strict=True)]
    ratios = [correlation.log_likelihood(h.correlation, w) for h, w in zip(heard, weights, strict=True)]
    pipe = pipe.at_frequency(_centre_hz(first, weights[0]))
    likelihoods = [likelihood_of(h, h.correlation, r, pipe) for h, r in zip(heard, ratios, strict=True)]
    together = posterior.product(likelihoods)
    chances = posterior.probability(together, pipe)
    best = posterior.summary(posterior.positions(pipe), chances)
    top_hz = float(first.spectra.bands.centre_hz[-1])
    needed = sources.required(first.correlation, first.correlation.delay[first.possible][-1], top_hz)
    needed *= repeats.MARGIN if len(heard) > 1 else 1
    delay = float(first.correlation.delay[found.delay_index])
    main = Source(sources.kind_of(together, pipe, delay, best), delay, score, best)
    listed = (main, *_further(first, found, pipe, needed)) if score >= needed else ()
    sound = delay - first.correlation.drift[found.drift_index] * first.spectra.seconds / 2
    highest = float(np.clip(pipe.position(sound), 0, pipe.length))
    refusal = _outside(first, max(score, needed), pipe) or refusal_of(main, needed, pipe)
    edges = first.spectra.bands.centre_hz
    return Location(
        pipe, None if refusal else best, refusal, best, highest, listed, score, needed,
        (float(edges[found.low]), float(edges[found.high - 1])), chances, ratios[0][found.drift_index], found, heard,
    )  # fmt: skip


def _outside(heard: Heard, score: float, pipe: Pipe) -> Refusal | None:
    """Refuse when a delay that the pipe cannot cause has a higher score."""
    c = heard.correlation
    beyond = np.abs(c.delay) > _CERTAIN * c.delay[heard.possible][-1]
    found = correlation.strongest(c, beyond)
    return outside(float(c.delay[found.delay_index]), pipe) if found.score > score else None


def hear_all(recordings: Sequence[Recording], pipe: Pipe, told: Told = untold) -> tuple[Heard, ...]:
    """Correlate each pair. `told` is given how many are done, and parts of one."""

    def of(number: int) -> Told:
        return lambda share: told(number + share)

    return tuple(hear(one, pipe, of(number)) for number, one in enumerate(recordings))


def hear(recording: Recording, pipe: Pipe, told: Told = untold) -> Heard:
    """Correlate one pair for every delay and drift that the pipe and the clocks allow, and beyond."""
    slack, inside = _limits(recording, pipe)
    clock = recording.clock
    rate = min(recording.rate, 2.5 * pipe.highest_hz)
    a = spectra.to_rate(recording.a, recording.rate, rate)
    b = spectra.to_rate(spectra.on_clock(recording.b, recording.rate, clock), recording.rate, rate)
    s = spectra.spectra(a, b, rate, highest_hz=pipe.highest_hz, longest_delay=_BEYOND * inside, fine=_fine(pipe))
    c = correlation.correlate(
        s,
        longest=_BEYOND * inside,
        possible=_CERTAIN * inside,
        drift_bound=clock.relative_drift,
        dispersion=pipe.dispersion,
        told=told,
    )
    return Heard(recording, s, c, np.abs(c.delay) <= inside, slack)


def _limits(recording: Recording, pipe: Pipe) -> tuple[float, float]:
    """Return what the clocks may add at the first sample, and the longest delay at the middle of the recording, s."""
    seconds = len(recording.a) / recording.rate
    slack = 1.5 * recording.clock.offset_bound + 5e-4
    return slack, pipe.longest_delay + slack + recording.clock.relative_drift * seconds / 2


def _fine(pipe: Pipe) -> int:
    """Zero padding: where sound is dispersive, spectra are read between the bins."""
    return 4 if pipe.dispersion else 1


def too_short_for(recordings: Sequence[Recording], pipe: Pipe) -> Refusal | None:
    """Refuse recordings that are short beside the pipe's delay."""
    for one in recordings:
        seconds, longest = len(one.a) / one.rate, _BEYOND * _limits(one, pipe)[1]
        if not spectra.long_enough(seconds, longest, _fine(pipe)):
            return too_short(seconds, pipe)
    return None


def likelihood_of(heard: Heard, c: Correlation, ratio: Floats, pipe: Pipe) -> DelayLikelihood:
    """Likelihood of the sound's delay: that of the recorded one, blurred by clock, sensors and length."""
    bound = pipe.longest_delay + heard.slack
    recorded = posterior.delay_likelihood(c, ratio, heard.spectra.seconds, bound)
    length = pipe.length_uncertainty / 2 / pipe.speed.middle
    clock = heard.recording.clock.offset_bound / 2
    return recorded.blurred(float(np.sqrt(clock**2 + _SYSTEMATIC_S**2 + length**2)))


def _further(heard: Heard, found: Found, pipe: Pipe, needed: float) -> list[Source]:
    out = []
    centre = heard.spectra.bands.centre_hz
    width = float(centre[found.high - 1] - centre[found.low])
    for c, weaker in sources.further(heard.correlation, found, heard.possible, needed, width):
        ratio = correlation.log_likelihood(c, correlation.weights(c, weaker))
        likelihood = likelihood_of(heard, c, ratio, pipe)
        position = posterior.summary(posterior.positions(pipe), posterior.probability(likelihood, pipe))
        delay = float(c.delay[weaker.delay_index])
        kind = sources.kind_of(likelihood, pipe, delay, position)
        out.append(Source("leak_or_echo" if kind == "leak" else kind, delay, weaker.score, position))
    return out


def _centre_hz(heard: Heard, weight: Floats) -> float:
    """Frequency that decided on the delay, Hz."""
    bands = heard.spectra.bands
    share = weight * bands.count * bands.centre_hz**2
    return float(np.exp(np.average(np.log(bands.centre_hz), weights=share)))

"""The speed of sound in a pipe, measured with a known sound at one end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from leakear.dashboard.locate import correlation, posterior, repeats, sources
from leakear.dashboard.locate.correlation import Told, untold
from leakear.dashboard.locate.locating import Heard, hear_all, likelihood_of, too_short_for
from leakear.dashboard.locate.pipes import MATERIALS, SLOWEST, WATER_SPEED, Pipe, Speed
from leakear.dashboard.locate.posterior import Estimate
from leakear.dashboard.locate.refusals import silent
from leakear.dashboard.locate.spectra import Recording
from leakear.edge.errors import InputDataError

End = Literal["A", "B"]
_SPEEDS = 2001
_WIDER = 0.25
"""The speed is looked for this far outside the usual range of the material."""


def searched(material: str) -> Speed:
    """Speeds among which a measured one is looked for."""
    known = MATERIALS[material]
    return Speed(max(SLOWEST, known.slowest * (1 - _WIDER)), min(WATER_SPEED, known.fastest * (1 + _WIDER)))


def measure_speed(recordings: Sequence[Recording], pipe: Pipe, end: End, told: Told = untold) -> Estimate:
    """Measure the speed, m/s, from a sound at or beyond `end`, each speed of the pipe's range being as likely before.

    Raises InputDataError when the sound is not heard at both sensors, or comes from elsewhere.
    """
    unusable = silent(recordings) or too_short_for(recordings, pipe)
    if unusable:
        raise InputDataError(unusable.text)
    heard = hear_all(recordings, pipe, told)
    score, founds = repeats.strongest([(h.correlation, h.possible, h.slack, h.spectra.seconds) for h in heard])
    _refuse_faint(heard[0], score)
    delay = float(heard[0].correlation.delay[founds[0].delay_index])
    nearer: End = "A" if delay > 0 else "B"
    if nearer != end and abs(delay) > heard[0].slack:
        raise InputDataError(
            f"The sound reaches {nearer} first, so it is not at {end}: are the files swapped, or is the known source "
            f"at {nearer}?"
        )
    ratios = [
        correlation.log_likelihood(h.correlation, correlation.weights(h.correlation, f))
        for h, f in zip(heard, founds, strict=True)
    ]
    together = posterior.product([likelihood_of(h, h.correlation, r, pipe) for h, r in zip(heard, ratios, strict=True)])
    speeds = np.linspace(pipe.speed.low, pipe.speed.high, _SPEEDS)
    chances = together.at((1 if end == "A" else -1) * pipe.length / speeds)
    if chances.sum() < 1e-3:
        raise InputDataError(
            f"The sound takes {1000 * abs(delay):.1f} ms, which fits no speed from {pipe.speed.low:.0f} to "
            f"{pipe.speed.high:.0f} m/s: is the known source at sensor {end}, and is the length right?"
        )
    return posterior.summary(speeds, chances / chances.sum())


def with_range(pipe: Pipe, speed: Speed) -> Pipe:
    """Return the pipe with another range of speeds."""
    return replace(pipe, speed=speed)


def _refuse_faint(heard: Heard, score: float) -> None:
    c = heard.correlation
    needed = sources.required(c, float(c.delay[heard.possible][-1]), float(heard.spectra.bands.centre_hz[-1]))
    if score < needed:
        raise InputDataError(
            f"The known sound is not heard at both sensors (peak {score:.1f}, needed {needed:.1f} standard "
            "deviations): make it louder, or record longer."
        )

"""The curves of a location as plain numbers, few enough for a page: they say at a glance why a position was given."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from leakear.dashboard.locate import posterior
from leakear.dashboard.locate.correlation import Floats
from leakear.dashboard.locate.locating import Heard, Location

POINTS = 400
"""points of a curve at most"""
_LOWEST_HZ = 15.0


class Correlated(NamedTuple):
    """The correlation at the drift of the strongest peak."""

    ms: Floats
    """shape (t,), delay of B"""
    chosen: Floats
    """shape (t,), standard deviations above chance, of the chosen bands"""
    whole: Floats
    """shape (t,), the same of all bands"""
    possible: tuple[float, float]
    """ms, delays that this pipe can cause"""


def correlated(location: Location, heard: Heard) -> Correlated:
    """Return the correlation of one pair. The location must have been correlated (`location.heard`)."""
    c, found = heard.correlation, location.found
    assert found is not None
    chosen = c.score(found.low, found.high)[found.drift_index].astype(np.float64)
    whole = c.score(0, len(c.count))[found.drift_index].astype(np.float64)
    low, high = c.delay[heard.possible][[0, -1]] * 1000
    return Correlated(1000 * c.delay, chosen, whole, (float(low), float(high)))


def curves(location: Location) -> dict[str, Any]:
    """Return what a page draws: correlation, coherence, spectra, probability along the pipe; {} before correlating."""
    if not location.heard:
        return {}
    heard = location.heard[0]
    found = correlated(location, heard)
    frequency = heard.spectra.frequency
    used = (frequency >= _LOWEST_HZ) & (frequency <= location.pipe.highest_hz)
    levels = 10 * np.log10(heard.spectra.density[:, used] + 1e-20)
    hz = frequency[used]
    chances = location.probability
    assert chances is not None
    return {
        "correlation": {
            **_enveloped(found.ms, {"chosen": found.chosen, "all": found.whole}),
            "possible_ms": [round(one, 3) for one in found.possible],
            "required": round(location.required, 3),
        },
        "coherence": _averaged(hz, {"coherence": heard.spectra.coherence[used]}, 4),
        "spectra": _averaged(hz, {"a": levels[0], "b": levels[1]}, 1),
        "probability": {"m": _rounded(posterior.positions(location.pipe), 3), "probability": _rounded(chances, 6)},
    }


def _enveloped(ms: Floats, lines: dict[str, Floats]) -> dict[str, list[float]]:
    """Thin curves over delay: each stretch gives its lowest and highest value in turn, so that no peak is lost."""
    if len(ms) <= POINTS:
        return {"delay_ms": _rounded(ms, 3), **{name: _rounded(y, 3) for name, y in lines.items()}}
    stretches = list(pairwise(np.linspace(0, len(ms), POINTS // 2 + 1).astype(int)))
    out = {"delay_ms": _rounded(np.repeat([ms[a:b].mean() for a, b in stretches], 2), 3)}
    for name, y in lines.items():
        out[name] = _rounded(np.ravel([(y[a:b].min(), y[a:b].max()) for a, b in stretches]), 3)
    return out


def _averaged(hz: Floats, lines: dict[str, Floats], digits: int) -> dict[str, list[float]]:
    """Average curves over frequency within stretches that are even on a logarithmic axis."""
    edges = np.searchsorted(hz, np.geomspace(hz[0], hz[-1], POINTS + 1))
    edges[-1] = len(hz)
    stretches = [(a, b) for a, b in pairwise(edges) if b > a]
    out = {"hz": [round(float(hz[a:b].mean()), 2) for a, b in stretches]}
    return out | {
        name: _rounded(np.asarray([y[a:b].mean() for a, b in stretches]), digits) for name, y in lines.items()
    }


def _rounded(values: Floats, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]

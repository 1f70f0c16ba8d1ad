"""The curves of a location as plain numbers, few enough for a page: they say at a glance why a position was given."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from leakear.dashboard.locate import posterior
from leakear.dashboard.locate.correlation import Floats
from leakear.dashboard.locate.locating import Heard, Location

POINTS = 400
"""points of a curve at most; of each stretch the highest and the lowest are kept"""
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
            **_columns("delay_ms", found.ms, {"chosen": found.chosen, "all": found.whole}, 3),
            "possible_ms": [round(one, 3) for one in found.possible],
            "required": round(location.required, 3),
        },
        "coherence": _columns("hz", hz, {"coherence": heard.spectra.coherence[used]}, 4, logarithmic=True),
        "spectra": _columns("hz", hz, {"a": levels[0], "b": levels[1]}, 1, logarithmic=True),
        "probability": _columns("m", posterior.positions(location.pipe), {"probability": chances}, 6),
    }


def _columns(x_name: str, x: Floats, lines: dict[str, Floats], digits: int, *, logarithmic: bool = False) -> Any:
    """Thin curves over one x: each stretch of x gives its lowest and highest value of each curve, in turn."""
    count = POINTS // 2
    if len(x) <= POINTS:
        return {x_name: _rounded(x, 3), **{name: _rounded(y, digits) for name, y in lines.items()}}
    scale = np.log(np.maximum(x, 1e-9)) if logarithmic else x
    edges = np.searchsorted(scale, np.linspace(scale[0], scale[-1], count + 1))
    edges[-1] = len(x)
    stretches = [(a, b) for a, b in pairwise(edges) if b > a]
    single = all(b - a == 1 for a, b in stretches)
    at = [x[a:b].mean() for a, b in stretches]
    out = {x_name: _rounded(np.asarray(at if single else np.repeat(at, 2)), 3)}
    for name, y in lines.items():
        ends = [(y[a:b].min(), y[a:b].max()) for a, b in stretches]
        out[name] = _rounded(np.asarray([low for low, _ in ends] if single else np.ravel(ends)), digits)
    return out


def _rounded(values: Floats, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]

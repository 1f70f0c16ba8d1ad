"""How the quietest level of the night changes: figures of real loggers, and the same of simulated sites.

The real ones: 459 utility loggers, 32,396 nights (Yorkshire Water's open logger data, 2018), in the logger's own units
of level. One unit is taken as one decibel, and simulated levels are rounded to whole ones, as the loggers' are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakear.train.realism.expected import ExpectedLevels
from leakear.train.simulator.day import Day
from leakear.train.simulator.site import Site

Levels = npt.NDArray[np.float64]
"""Quietest level of each night, shape (sites, nights), dB."""
QUIET_S = (14 * 3600.0, 16 * 3600.0)
"""Seconds after noon: 02:00 to 04:00."""
EVERY_S = 30.0
KNOWN = (3, 7, 14, 28)
"""Nights before."""
BY = (0, 1, 2, 3, 6)
"""dB by which a night is above all of them."""
PERCENTILES = (50, 75, 90, 95, 99)
REAL_CHANGES = (1, 2, 4, 7, 14)
"""Units by which the level changes from one night to the next."""
REAL_ABOVE = (
    (15.2, 7.9, 5.3, 3.9, 1.7),
    (8.4, 4.5, 3.1, 2.2, 1.0),
    (5.2, 3.1, 2.1, 1.6, 0.7),
    (2.0, 1.3, 0.9, 0.7, 0.3),
)
"""Percentage of nights above all of KNOWN nights before by more than BY units."""
RUNS_BY = (0, 2, 6)
REAL_RUNS = ((1.1, 0.32, 0.08), (0.57, 0.15, 0.04))
"""Percentage of two, and of three nights in a row above the 14 before by more than RUNS_BY units."""
LOGGERS = 459
"""Real loggers, with 71 nights of each on average."""


@dataclass(frozen=True)
class NightFigures:
    """The figures of some sites."""

    changes: npt.NDArray[np.float64]
    """Percentiles of the change from night to night, shape (5,), dB."""
    above: npt.NDArray[np.float64]
    """Percentage of nights above all before, shape (4, 5)."""
    runs: npt.NDArray[np.float64]
    """The same of two and of three nights in a row, shape (2, 3)."""


def quietest(day: Day) -> float:
    """Return the quietest level between 02:00 and 04:00 of a day, dBFS."""
    return float(ExpectedLevels(day).level(np.arange(*QUIET_S, EVERY_S)).min())


def simulated(seed: int, nights: int) -> npt.NDArray[np.float64]:
    """Return the quietest levels of successive leak-free nights at a site, shape (nights,), dBFS."""
    site = Site.draw(seed)
    first = Day(site, 0, leak=False).date
    return np.array([quietest(Day(site, 0, leak=False, date=first + night)) for night in range(nights)])


def figures(levels: Levels) -> NightFigures:
    """Return the figures of levels, which are rounded."""
    whole = np.rint(levels)
    changes = np.percentile(np.abs(np.diff(whole, axis=1)), PERCENTILES)
    above = [[_share(whole, known, 1, by) for by in BY] for known in KNOWN]
    runs = [[_share(whole, 14, nights, by) for by in RUNS_BY] for nights in (2, 3)]
    return NightFigures(changes, np.array(above), np.array(runs))


def _share(levels: Levels, known: int, run: int, by: float) -> float:
    """Return the percentage of runs of nights that are all above the `known` nights before by more than `by` dB."""
    if levels.shape[1] < known + run:
        return float("nan")
    windows = np.lib.stride_tricks.sliding_window_view(levels, known + run, axis=1)
    return float(100 * np.mean(windows[:, :, known:].min(axis=2) - windows[:, :, :known].max(axis=2) > by))


def sampling(levels: Levels, draws: int = 200) -> tuple[NightFigures, NightFigures]:
    """Return the 2.5th and 97.5th percentile of the figures over draws of as many sites as there were real loggers."""
    rng = np.random.default_rng(0)
    found = [figures(levels[rng.integers(len(levels), size=min(len(levels), LOGGERS))]) for _ in range(draws)]
    low, high = (
        NightFigures(*(np.percentile([getattr(f, name) for f in found], q, axis=0) for name in NAMES))
        for q in (2.5, 97.5)
    )
    return low, high


NAMES = ("changes", "above", "runs")

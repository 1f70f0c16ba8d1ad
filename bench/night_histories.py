"""Night levels with the statistics of real loggers, made by chance: what a rule over nights is chosen and judged on.

The table it is held against is that of 459 utility loggers that nobody had a reason to visit, 32,396 nights (Yorkshire
Water's open logger data, 2018; whole level units): how much a night differs from the one before, and how often it
stands above all nights before it, once and in several nights running. The constants below were fitted to that table
(random search); no rule was.

    python bench/night_histories.py          prints the table beside its own
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]
KNOWN, ABOVE = (3, 7, 14, 28), (0, 1, 2, 3, 6)
REAL = {
    3: (15.2, 7.9, 5.3, 3.9, 1.7),
    7: (8.4, 4.5, 3.1, 2.2, 1.0),
    14: (5.2, 3.1, 2.1, 1.6, 0.7),
    28: (2.0, 1.3, 0.9, 0.7, 0.3),
}
"""nights known → share of nights above all of them by more than ABOVE units, %"""
REAL_TWO, REAL_THREE = (1.1, 0.32, 0.08), (0.57, 0.15, 0.04)
"""two and three nights running above the 14 before by more than 0, 2 and 6 units, %"""
PERCENTILES = (50, 75, 90, 95, 99)
REAL_CHANGES = (1, 2, 4, 7, 14)
"""percentiles of the change from one night to the next"""


@dataclass(frozen=True)
class Place:
    """How loggers vary, in level units; fitted to the table above."""

    level: float = 12.0
    level_spread: float = 0.62
    """standard deviation of the logarithm over loggers"""
    scale: float = 0.615
    """median over loggers of the scale of the nightly noise"""
    scale_spread: float = 0.965
    tail: float = 2.45
    """degrees of freedom of the nightly noise (Student): few, so odd nights are frequent"""
    loud: float = 0.15
    """share of nights with a sound that lasts a night, rarely longer (use, machine, rain)"""
    loud_spread: float = 0.776
    loud_tail: float = 2.8
    loud_height: float = 3.35
    loud_stays: float = 0.122
    """chance that it lasts one night more"""
    loud_with_scale: float = 0.436
    """power of a logger's scale by which its sounds and shifts grow"""
    shifts: float = 0.05
    """share of nights at which the level of the place changes and comes back over days"""
    shift_height: float = 4.0
    shift_left: float = 0.79
    """share that is left of a shift a night later"""
    trend: float = 0.03
    """fall of the level a night, in scales"""
    loudest: float = 60.0
    """no sound is louder than this above the place"""


def histories(rng: np.random.Generator, loggers: int, nights: int, place: Place | None = None) -> Levels:
    """Make night levels without any leak, shape (loggers, nights), whole units, at least 0."""
    p = place or Place()
    shape, one = (loggers, nights), (loggers, 1)
    scale = p.scale * np.exp(rng.normal(0, p.scale_spread, one))
    grown = scale**p.loud_with_scale
    rate = p.loud * np.exp(rng.normal(0, p.loud_spread, one) - p.loud_spread**2 / 2)
    begins = rng.random(shape) < np.minimum(rate, 0.5)
    heights = np.minimum(rng.pareto(p.loud_tail, shape) * p.loud_height * grown, p.loudest)
    stays = rng.random(shape) < p.loud_stays
    shifts = np.where(rng.random(shape) < p.shifts, rng.laplace(0, p.shift_height, shape) * grown, 0.0)
    loud, shifted = np.zeros(loggers), np.zeros(loggers)
    sounds = np.empty(shape)
    for night in range(nights):
        loud = np.where(begins[:, night], heights[:, night], np.where(stays[:, night], loud, 0.0))
        shifted = shifted * p.shift_left + shifts[:, night]
        sounds[:, night] = loud + shifted
    level = p.level * np.exp(rng.normal(0, p.level_spread, one))
    falls = p.trend * scale * np.arange(nights)
    return np.maximum(np.round(level + scale * rng.standard_t(p.tail, shape) + sounds - falls), 0.0)


def above(levels: Levels, known: int, running: int = 1) -> Levels:
    """By how much the lowest of `running` nights stands above all of the `known` before: shape (loggers, n)."""
    windows = np.lib.stride_tricks.sliding_window_view
    highest = windows(levels, known, axis=1).max(axis=-1)[:, :-running]
    lowest = windows(levels[:, known:], running, axis=1).min(axis=-1)
    return np.asarray(lowest - highest)


def table(levels: Levels) -> str:
    """Return the table of the real loggers beside that of these histories."""
    lines = ["a night stands above all nights before it by more than (%; real loggers / these)"]
    lines += ["nights known  " + "".join(f"{units:>15}" for units in ABOVE)]
    for known, real in REAL.items():
        lines.append(f"{known:>12}  " + _row(above(levels, known), ABOVE, real))
    lines += ["nights running above the 14 before by more than 0, 2, 6 units (%)"]
    for running, real in ((2, REAL_TWO), (3, REAL_THREE)):
        lines.append(f"{running:>12}  " + _row(above(levels, 14, running), (0, 2, 6), real))
    changes = np.percentile(np.abs(np.diff(levels, axis=1)), PERCENTILES)
    lines += ["change from night to night, percentiles 50, 75, 90, 95, 99 (units)", " " * 14]
    lines[-1] += "".join(f"{f'{real} / {made:.0f}':>15}" for real, made in zip(REAL_CHANGES, changes, strict=True))
    return "\n".join(lines)


def _row(found: Levels, units: tuple[int, ...], real: tuple[float, ...]) -> str:
    shares = (100 * float((found > unit).mean()) for unit in units)
    return "".join(f"{f'{known} / {made:.2f}':>15}" for known, made in zip(real, shares, strict=True))


if __name__ == "__main__":
    print(table(histories(np.random.default_rng(2018), 459 * 20, 71)))

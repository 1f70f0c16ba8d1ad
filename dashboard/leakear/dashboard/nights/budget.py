"""How many false alarms a rule over night levels costs: measured, not assumed.

The figures are counts on generated histories with the statistics of real loggers (`bench/nights.py --tune`, seeds 1000
to 1003: 16,000 loggers, 130 nights each): how often a rise without a leak begins, a logger-year, when the last nights
must reach above the past of their logger by a factor times its change from night to night.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakear.edge.background.night_rule import Margins, NightRule, Numbers

KNOWN = (3, 7, 14, 28, 56)
"""least number of past nights of each column"""
FACTORS = np.array([0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8])


@dataclass(frozen=True, eq=False)
class Costs(Margins):
    """What a rule costs; `budget`: false alarms a logger-year that it may cost."""

    rule: NightRule
    rates: NDArray[np.float64]
    """false alarms a logger-year, shape (FACTORS, KNOWN)"""
    budget: float = 1.0

    def factor(self, known: NDArray[np.intp]) -> Numbers:
        """Return the factor that costs the budget where so many nights are known, shape (places,)."""
        wanted = np.log(self.budget)
        by_column = [_line(wanted, -np.log(column), np.log(FACTORS), -1.0) for column in self.rates.T]
        return np.exp(np.array(by_column))[_column(known)]

    def rate(self, factor: Numbers, known: NDArray[np.intp]) -> Numbers:
        """Return how often a rise of this factor begins without a leak, a logger-year; any shape."""
        logarithm = np.log(np.maximum(factor, 1e-3))
        found = np.full(np.shape(factor), np.nan)
        for column, rates in enumerate(self.rates.T):
            mine = _column(known) == column
            found[mine] = np.exp(_line(logarithm[mine], np.log(FACTORS), np.log(rates), 1.0))
        return found


def _column(known: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.maximum(np.searchsorted(KNOWN, known, side="right") - 1, 0)


def _line(at: Numbers | float, x: Numbers, y: Numbers, sign: float) -> Numbers:
    """Interpolate between increasing `x`; beyond the ends go on as between the last two. `sign` -1: `at` is negated."""
    where = np.asarray(at) * sign
    first, last = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
    inside = np.interp(where, x, y)
    beyond = np.where(where < x[0], (where - x[0]) * first, np.where(where > x[-1], (where - x[-1]) * last, 0.0))
    return np.asarray(inside + beyond)


FAST = Costs(NightRule(repeats=3, nights=3, odd=0.15), np.array([
    [21.9, 18.9, 13.2, 7.66, 4.23],
    [11.1, 9.07, 7.02, 5.23, 3.54],
    [8.61, 5.98, 4.15, 3.29, 2.54],
    [6.09, 4.53, 3.33, 2.60, 2.15],
    [4.03, 3.10, 2.62, 2.25, 1.82],
    [2.04, 1.86, 1.66, 1.49, 1.25],
    [1.35, 1.27, 1.11, 1.02, 0.93],
    [0.693, 0.811, 0.771, 0.752, 0.673],
    [0.268, 0.338, 0.369, 0.380, 0.344],
    [0.131, 0.176, 0.199, 0.194, 0.194],
    [0.046, 0.081, 0.109, 0.097, 0.106],
    [0.017, 0.016, 0.026, 0.022, 0.031],
]))  # fmt: skip
"""Every one of three nights: tells soon what is strong."""
SLOW = Costs(NightRule(repeats=6, nights=7, odd=0.15), np.array([
    [12.0, 12.0, 5.33, 3.12, 1.83],
    [7.15, 7.15, 3.36, 2.39, 1.53],
    [4.78, 4.78, 1.91, 1.37, 0.943],
    [3.66, 3.66, 1.44, 0.969, 0.735],
    [2.40, 2.40, 1.07, 0.788, 0.551],
    [1.31, 1.31, 0.538, 0.424, 0.307],
    [0.759, 0.759, 0.299, 0.214, 0.188],
    [0.354, 0.354, 0.168, 0.133, 0.110],
    [0.094, 0.094, 0.047, 0.025, 0.034],
    [0.029, 0.029, 0.021, 0.011, 0.011],
    [0.013, 0.013, 0.007, 0.007, 0.005],
    [0.003, 0.003, 0.002, 0.001, 0.001],
]))  # fmt: skip
"""Six of seven nights: finds the faint. It cannot decide before more than seven nights are known."""

"""Lasting rises in the night levels of many loggers, for a stated number of false alarms.

Two rules (`budget`) share it. How sure a rise is, is said as how often a rise as strong begins without a
leak: once in so many logger-years, over all loggers. That is no probability of a leak, and no size.
"""

from dataclasses import dataclass, replace

import numpy as np

from leakear.dashboard.nights.budget import FAST, SLOW
from leakear.edge.background.night_rule import Followed, Numbers, follow
from leakear.edge.background.own_limit import DAYS

STEP = 1.0
"""Resolution of night levels: loggers report whole units, and a tenth of a decibel says nothing."""
RARE = 1e-3
"""False alarms a logger-year below which no figure is given: the histories behind it are not that long."""
FLOOR = 25
"""Percentile over nights: a leak raises the quiet nights of a place, odd nights say little."""
RULES = (FAST, SLOW)
TOGETHER = 1.3
"""How many false alarms the rules cost together where each costs one: many begin with both. Counted on the seeds of
`budget` (0.98 a logger-year for a budget of 1, 0.31 for 0.3, 2.65 for 3)."""


@dataclass(frozen=True, slots=True)
class Rise:
    """One lasting rise of one logger; nights are indices into its own history."""

    since: int
    """first risen night"""
    noticed: int
    """night from which the rule calls it lasting"""
    last: int
    """last night on which it lasted"""
    false_per_year: float
    """how often a rise as strong begins without a leak, a logger-year (at its strongest); at least RARE"""
    before: float
    """level that three of four nights before it exceeded (of a quarter of a year at most)"""
    level: float
    """level that three of four of its last nights exceeded (of a week at most)"""

    @property
    def by(self) -> float:
        """By how much it rose, in the unit of the levels."""
        return self.level - self.before


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of one logger after its last night."""

    nights: int
    """nights that have a level"""
    false_per_year: float | None
    """how often its last nights stand so far above its past without a leak, a logger-year; None: too few nights"""
    rises: tuple[Rise, ...]
    """lasting rises, the oldest first"""

    @property
    def now(self) -> Rise | None:
        """The rise that lasts in the last night."""
        return self.rises[-1] if self.rises and self.rises[-1].last == self.nights - 1 else None


def outlooks(levels: Numbers, budget: float = 1.0) -> list[Outlook]:
    """Judge every logger. `levels`: shape (loggers, nights), nights without a level left out, NaN behind the last.

    `budget`: false alarms a logger-year.
    """
    costs = [replace(each, budget=budget / TOGETHER) for each in RULES]
    found = [follow(levels, each.rule, each, step=STEP) for each in costs]
    sure = np.stack([each.rate(f.strength, f.known) for each, f in zip(costs, found, strict=True)])
    rates = np.maximum(np.fmin.reduce(sure, axis=0) * TOGETHER, RARE)  # the better of two tries
    lasting = np.logical_or.reduce([f.lasting for f in found])
    lengths = np.isfinite(levels).sum(axis=1)
    return [
        _outlook(levels[row, :length], rates[row, :length], lasting[row, :length], [_Row(f, row) for f in found])
        for row, length in enumerate(lengths)
    ]


@dataclass(frozen=True, slots=True)
class _Row:
    followed: Followed
    row: int

    def risen(self, noticed: int, nights: int) -> list[int]:
        """Return the risen nights of the window in which this rule noticed a rise; none: it did not."""
        if not self.followed.lasting[self.row, noticed]:
            return []
        first = max(0, noticed - nights + 1)
        return (first + np.flatnonzero(self.followed.risen[self.row, first : noticed + 1])).tolist()


def _outlook(levels: Numbers, rates: Numbers, lasting: Numbers, rows: list[_Row]) -> Outlook:
    newest = float(rates[-1]) if len(rates) and np.isfinite(rates[-1]) else None
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lasting, [False]]).astype(int)))
    spans: list[tuple[int, int, int]] = []
    for noticed, end in edges.reshape(-1, 2).tolist():
        since = min(
            first for row, each in zip(rows, RULES, strict=True) for first in row.risen(noticed, each.rule.nights)
        )
        if spans and since <= spans[-1][2] + 1:  # it paused for some nights
            spans[-1] = (*spans[-1][:2], end - 1)
        else:
            spans.append((since, noticed, end - 1))
    return Outlook(len(levels), newest, tuple(_rise(levels, rates, *span) for span in spans))


def _rise(levels: Numbers, rates: Numbers, since: int, noticed: int, last: int) -> Rise:
    before = levels[max(0, since - DAYS) : since]
    return Rise(
        since=since,
        noticed=noticed,
        last=last,
        false_per_year=float(np.nanmin(rates[noticed : last + 1])),
        before=float(np.percentile(before, FLOOR)),
        level=float(np.percentile(levels[max(since, last - 6) : last + 1], FLOOR)),
    )

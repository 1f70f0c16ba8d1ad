"""Which logger first: ranked by how sure a lasting rise is. Text and JSON fields of `nights`."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from leakear.dashboard.nights.reading import History
from leakear.dashboard.nights.rises import RARE, Outlook, Rise, outlooks
from leakear.edge.command_line import ProgressLine
from leakear.edge.texts import printable

_TOGETHER = 100
"""Loggers that are judged at a time."""


@dataclass(frozen=True)
class Ranked:
    """One logger with what was found."""

    logger: str
    row: int
    """in the history"""
    outlook: Outlook


@dataclass(frozen=True)
class Ranking:
    """All loggers, the surest lasting rise first."""

    history: History
    budget: float
    loggers: tuple[Ranked, ...]

    @property
    def rising(self) -> list[Ranked]:
        """Loggers with a lasting rise in their last night."""
        return [one for one in self.loggers if one.outlook.now is not None]

    @property
    def nights(self) -> int:
        """Nights of all loggers together."""
        return sum(one.outlook.nights for one in self.loggers)

    @property
    def a_week(self) -> float:
        """False alarms a week that the budget allows with so many loggers."""
        return self.budget * len(self.loggers) * 7 / 365

    @property
    def meaning(self) -> str:
        """How to take it."""
        return (
            f"Surest first. A budget of {self.budget:g} a logger-year means about {self.a_week:.1f} false alarms a "
            "week with so many loggers. A rise says nothing of the size of a leak."
        )

    def day(self, one: Ranked, night: int) -> date:
        """Return the date of a night of a logger."""
        return date.fromordinal(int(self.history.days[one.row, night]))


def rank(history: History, budget: float) -> Ranking:
    """Judge and order every logger. `budget`: false alarms a logger-year."""
    found, line = [], ProgressLine("nights", len(history.loggers))
    for first in range(0, len(history.loggers), _TOGETHER):
        found += outlooks(history.levels[first : first + _TOGETHER], budget)
        line.update(len(found))
    line.end()
    loggers = [
        Ranked(logger, row, outlook) for row, (logger, outlook) in enumerate(zip(history.loggers, found, strict=True))
    ]
    return Ranking(history, budget, tuple(sorted(loggers, key=_order)))


def _order(one: Ranked) -> tuple[bool, float, float]:
    now, newest = one.outlook.now, one.outlook.false_per_year
    if now is not None:
        return False, now.false_per_year, -now.by
    return True, np.inf if newest is None else newest, 0.0


def how_sure(rise: Rise) -> str:
    """Say how often a rise as strong begins without a leak."""
    if rise.false_per_year <= RARE:
        return f"so strong without a leak less than once in {1 / RARE:,.0f} logger-years"
    if rise.false_per_year < 1:
        return f"so strong without a leak once in {1 / rise.false_per_year:,.1f} logger-years"
    return f"so strong without a leak {rise.false_per_year:.1f} times a logger-year"


def text(ranking: Ranking, top: int) -> str:
    """Return what a person reads: the loggers to visit first, and how to take it."""
    rising = ranking.rising
    heads = ("logger", "since", "last night", "rise", "level", "spread", "how sure")
    rows = [cells(ranking, one) for one in rising[:top]]
    widths = [max(len(row[at]) for row in [heads, *rows]) for at in range(len(heads))]
    lines = [headline(ranking), ""]
    if rows:
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [heads, *rows]
        ]
        lines += [f"… and {len(rising) - top} more (--top)"] if len(rising) > top else []
        lines.append("")
    lines.append(ranking.meaning)
    return "\n".join(lines)


def headline(ranking: Ranking) -> str:
    """Say how many loggers rise, of how many, and when."""
    days = ranking.history.days[ranking.history.days >= 0]
    span = f"{date.fromordinal(int(days.min()))} to {date.fromordinal(int(days.max()))}"
    count = len(ranking.rising)
    what = "1 logger has" if count == 1 else f"{count or 'No'} loggers have" if count else "No logger has"
    return f"{what} a lasting rise ({len(ranking.loggers):,} loggers, {ranking.nights:,} nights, {span})."


def cells(ranking: Ranking, one: Ranked) -> tuple[str, ...]:
    """Return what a row of the ranking shows of a logger that rises."""
    now = one.outlook.now
    assert now is not None
    spread = _spread(ranking.history, one, now)
    return (
        printable(one.logger)[:40], str(ranking.day(one, now.since)), str(ranking.day(one, now.last)),
        f"{now.by:+.1f}", f"{now.before:.3g} → {now.level:.3g}", "" if spread is None else f"{spread:.3g}",
        how_sure(now),
    )  # fmt: skip


def _spread(history: History, one: Ranked, rise: Rise) -> float | None:
    spreads = history.spreads[one.row, rise.since : rise.last + 1]
    return float(np.nanmedian(spreads)) if np.isfinite(spreads).any() else None


def fields(ranking: Ranking) -> dict[str, Any]:
    """Return the same for programs, every logger included."""
    return {
        "budget": ranking.budget,
        "nights": ranking.nights,
        "false_alarms_a_week": round(ranking.a_week, 3),
        "loggers": [_logger(ranking, one) for one in ranking.loggers],
        "notes": list(ranking.history.notes),
    }


def _logger(ranking: Ranking, one: Ranked) -> dict[str, Any]:
    now, newest = one.outlook.now, one.outlook.false_per_year
    earlier = [rise for rise in one.outlook.rises if rise is not now]
    return {
        "logger": one.logger,
        "nights": one.outlook.nights,
        "last_night": str(ranking.day(one, one.outlook.nights - 1)),
        "rising": now is not None,
        "false_alarms_per_logger_year": None if newest is None else round(newest, 4),
        "rise": None if now is None else _rise(ranking, one, now),
        "earlier": [_rise(ranking, one, rise) for rise in earlier],
    }


def _rise(ranking: Ranking, one: Ranked, rise: Rise) -> dict[str, Any]:
    return {
        "since": str(ranking.day(one, rise.since)),
        "noticed": str(ranking.day(one, rise.noticed)),
        "last": str(ranking.day(one, rise.last)),
        "by": round(rise.by, 2),
        "before": round(rise.before, 2),
        "level": round(rise.level, 2),
        "spread": _spread(ranking.history, one, rise),
        "false_alarms_per_logger_year": round(rise.false_per_year, 4),
    }

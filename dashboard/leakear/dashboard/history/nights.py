"""Nights as nodes report them, kept for years: a row a night, whichever way it arrived."""

import json
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, select

from leakear.dashboard.fleet import Key
from leakear.dashboard.history import partitions
from leakear.dashboard.history.pruning import prune
from leakear.dashboard.history.rows import NIGHT, Row
from leakear.dashboard.history.tables import events, nights
from leakear.dashboard.nights.rises import Rise, outlooks
from leakear.dashboard.quiet.nights import quiet_nights
from leakear.edge.messages.reports import Event

MOST = 3 * 366
"""nights that are shown and judged at once"""


def night_row(event: Event, first: float, last: float) -> Row | None:
    """Return the night of an event as it is stored; None: it has none. `first`, `last`: POSIX seconds."""
    night = event.night
    if event.kind != NIGHT or night is None:
        return None
    return {
        "site": event.site, "node": event.node, "day": date.fromisoformat(night.date).toordinal(), "event_id": event.id,
        "hours": night.hours, "first": first, "last": last, "judged": night.judged, "level": night.level_dbfs,
        "spread": night.spread_db, "steadiness": night.steadiness, "hz": night.hz, "excess": night.excess_db,
        "limit_db": night.limit_db, "histogram_from": night.histogram_from_dbfs,
        "histogram": json.dumps(night.histogram),
    }  # fmt: skip


class Nights:
    """Reads nights. Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of_node(self, key: Key, since: float, budget: float = 1.0) -> dict[str, Any]:
        """Return the nights of a node that ended after `since` (POSIX seconds), what they say, and its alerts.

        `budget`: false alarms a node-year of what is called a lasting rise. All known nights are judged, at most MOST.
        """
        mine = (nights.c.site == key[0], nights.c.node == key[1])
        with self._engine.connect() as connection:
            found = select(nights).where(*mine).order_by(nights.c.day.desc()).limit(MOST)
            rows = [dict(row) for row in connection.execute(found).mappings()][::-1]
            alarms = self._alarms(connection, key, since)
            kinds = quiet_nights(connection, key, [(row["first"], row["last"]) for row in rows])
        rows = [row | {"quiet": kind} for row, kind in zip(rows, kinds, strict=True)]
        heard = [row for row in rows if row["level"] is not None and row["quiet"] is None]
        outlook = outlooks(np.array([[row["level"] for row in heard]], np.float64).reshape(1, -1), budget)[0]
        return {
            "nights": [_public(row) for row in rows if row["last"] >= since],
            "known": outlook.nights,
            "false_per_year": outlook.false_per_year,
            "rises": [_rise(rise, heard) for rise in outlook.rises if heard[rise.last]["last"] >= since],
            "rising": outlook.now is not None,
            "budget": budget,
            "alarms": alarms,
        }

    @staticmethod
    def _alarms(connection: Connection, key: Key, since: float) -> list[Row]:
        """Return when the node entered WARNING or LEAK."""
        entered = (
            events.c.site == key[0], events.c.node == key[1], events.c.happened >= since, events.c.kind == "state",
            events.c.to_state.in_(("WARNING", "LEAK")), events.c.from_state != events.c.to_state,
        )  # fmt: skip
        found = select(events.c.happened, events.c.to_state.label("state")).where(*entered)
        return [dict(row) for row in connection.execute(found.order_by(events.c.happened)).mappings()]

    def sweep(self, before: float) -> None:
        """Delete nights that ended before a POSIX second."""
        partitions.drop(self._engine, partitions.NIGHTS, before, kept=f"last >= {before}")
        prune(self._engine, nights, nights.c.last < before)


def rising_since(connection: Connection, key: Key) -> tuple[float, str] | None:
    """Return since when the nights of a node rise (POSIX seconds) and how sure that is; None: they do not."""
    rows = judged_nights(connection, key)
    rise = outlooks(np.array([[row.level for row in rows]], np.float64).reshape(1, -1))[0].now
    if rise is None:
        return None
    since = date.fromordinal(rows[rise.since].day)
    return float(rows[rise.since].first), _sentence(since, rise.false_per_year)


def judged_nights(connection: Connection, key: Key, most: int = MOST) -> list[Any]:
    """Return the nights that count (heard, and in no quiet time), the oldest first."""
    mine = (nights.c.site == key[0], nights.c.node == key[1], nights.c.level.is_not(None))
    columns = (nights.c.first, nights.c.last, nights.c.day, nights.c.level, nights.c.spread)
    found = select(*columns).where(*mine).order_by(nights.c.day.desc()).limit(most)
    rows = connection.execute(found).all()[::-1]
    kinds = quiet_nights(connection, key, [(row.first, row.last) for row in rows])
    return [row for row, kind in zip(rows, kinds, strict=True) if kind is None]


def _sentence(since: date, per_year: float) -> str:
    if per_year >= 1:
        return f"the nights rise since {since}, which happens without a leak {per_year:.1f} times a node-year"
    if per_year <= 0.001:
        return f"the nights rise since {since}, which happens without a leak less than once in 1000 node-years"
    return f"the nights rise since {since}, which happens without a leak once in {1 / per_year:.0f} node-years"


def _public(row: Row) -> Row:
    names = ("first", "last", "judged", "level", "spread", "steadiness", "hz", "excess", "quiet")
    kept = {name: row[name] for name in names}
    return kept | {
        "date": date.fromordinal(row["day"]).isoformat(), "hours": row["hours"], "limit": row["limit_db"],
        "histogram_from": row["histogram_from"], "histogram": json.loads(row["histogram"]),
    }  # fmt: skip


def _rise(rise: Rise, heard: list[Row]) -> Row:
    return {
        "since": date.fromordinal(heard[rise.since]["day"]).isoformat(), "first": heard[rise.since]["first"],
        "last": heard[rise.last]["last"], "by": round(rise.by, 2), "false_per_year": rise.false_per_year,
    }  # fmt: skip

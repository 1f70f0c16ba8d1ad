"""Tables as CSV for a spreadsheet: alarms, nights, cases, nodes. A cell never becomes a formula."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, select

from leakear.dashboard.history.case_tables import cases
from leakear.dashboard.history.rows import NIGHT
from leakear.dashboard.history.tables import events, nights, nodes
from leakear.dashboard.quiet.tables import held
from leakear.edge.errors import InputDataError

TABLES = ("alarms", "nights", "cases", "nodes")
MOST = 200_000
"""rows of one table"""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""with these a spreadsheet begins a formula"""
TIMES = (
    "happened",
    "received",
    "acknowledged",
    "verdict_at",
    "first",
    "last",
    "opened",
    "since",
    "visited",
    "repaired",
    "closed",
    "first_seen",
    "last_seen",
    "window_start",
    "window_end",
)
Span = tuple[float, float]


def table(engine: Engine, name: str, span: Span) -> str:
    """Return a table as CSV (comma, CRLF); `span`: beginning and end, POSIX seconds. Raises InputDataError."""
    if name not in TABLES:
        raise InputDataError(f"There is no table {name[:40]!a}: use {', '.join(TABLES)}.")
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    with engine.connect() as connection:
        for row in _READ[name](connection, span):
            writer.writerow([defused(cell) for cell in row])
    return out.getvalue()


def defused(value: Any) -> str:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if value is None:
        return ""
    text = str(value)
    if isinstance(value, int | float) or not text.startswith(FORMULA):
        return text
    return f"'{text}"


def moment(posix: float | None) -> str:
    """Return a time as ISO 8601 in UTC."""
    return "" if posix is None else f"{datetime.fromtimestamp(posix, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _alarms(connection: Connection, span: Span) -> Iterator[Sequence[Any]]:
    names = [c.name for c in events.c if c.name not in ("seq", "kind", "alert", "window_start", "dropped", "evidence")]
    found = select(events, held.c.mark, held.c.result).outerjoin(held, held.c.event_id == events.c.id)
    mine = (events.c.alert, events.c.kind != NIGHT, events.c.happened >= span[0], events.c.happened < span[1])
    yield [*names, "kind", "quiet_time", "held"]
    for row in connection.execute(found.where(*mine).order_by(events.c.happened).limit(MOST)).mappings():
        yield [*_cells(row, names), row["kind"], row["mark"], row["result"]]


def _nights(connection: Connection, span: Span) -> Iterator[Sequence[Any]]:
    names = ["first", "last", "hours", "judged", "level", "spread", "steadiness", "hz", "excess", "limit_db"]
    yield ["site", "node", "date", *names]
    mine = select(nights).where(nights.c.last >= span[0], nights.c.last < span[1])
    for row in connection.execute(mine.order_by(nights.c.site, nights.c.node, nights.c.day).limit(MOST)).mappings():
        yield [row["site"], row["node"], date.fromordinal(row["day"]).isoformat(), *_cells(row, names)]


def _cases(connection: Connection, span: Span) -> Iterator[Sequence[Any]]:
    names = [c.name for c in cases.c]
    yield names
    mine = select(cases).where(cases.c.opened >= span[0], cases.c.opened < span[1])
    for row in connection.execute(mine.order_by(cases.c.opened).limit(MOST)).mappings():
        yield _cells(row, names)


def _nodes(connection: Connection, _: Span) -> Iterator[Sequence[Any]]:
    names = ["site", "node", "first_seen", "last_seen", "last_seq", "gaps", "material"]
    yield names
    for row in connection.execute(select(nodes).order_by(nodes.c.site, nodes.c.node).limit(MOST)).mappings():
        yield _cells(row, names)


def _cells(row: Any, names: Sequence[str]) -> list[Any]:
    return [moment(row[name]) if name in TIMES else row[name] for name in names]


_READ = {"alarms": _alarms, "nights": _nights, "cases": _cases, "nodes": _nodes}

"""Partitions of the tables that grow, on PostgreSQL: a month or a day each, dropped whole when they are too old.

A table that an older version has made is in one piece: it works the same, what is old is deleted row by row, and
`leakear-dashboard retention --partition` divides it (`retention/moving.py`).
What belongs to no partition (a node's clock was years off) is in the one that ends in `_other`.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import OperationalError

log = logging.getLogger(__name__)
DAY_S = 86400.0
AHEAD_S = 3 * DAY_S
"""partitions are made so long before they are needed"""
MAKING = 0x6C65616B
"""PostgreSQL's advisory lock while tables or partitions are made"""
LOCK_WAIT = "1s"
"""for which a change of partitions waits; while it waits, nothing else gets at the table"""
OTHER = "_other"


def _of_id(moment: float) -> str:
    """Return the least UUIDv7 of a moment: an event's id begins with the milliseconds at which it was made."""
    digits = f"{int(moment * 1000):012x}"
    return f"'{digits[:8]}-{digits[8:]}-7000-8000-000000000000'"


def _of_day(moment: float) -> str:
    return str(datetime.fromtimestamp(moment, UTC).toordinal())


@dataclass(frozen=True)
class Partitioned:
    """A table in partitions. Moments are POSIX seconds."""

    table: str
    monthly: bool
    """whether a partition is a month; else it is a day"""
    column: str
    """by which it is divided"""
    bound: Callable[[float], str] = lambda moment: str(int(moment))
    """the moment as a literal of SQL, comparable with the column"""
    under: tuple[str, str] | None = None
    """the partitioned table whose partition this table is, and the value of its list"""

    def spans(self, since: float, until: float) -> Iterator[tuple[str, float, float]]:
        """Yield name, beginning and end of each partition between two moments."""
        first = datetime.fromtimestamp(since, UTC).date()
        first = first.replace(day=1) if self.monthly else first
        while (begin := _midnight(first)) < until:
            after = (first + timedelta(days=31)).replace(day=1) if self.monthly else first + timedelta(days=1)
            yield f"{self.table}_{first:%Y_%m}" + ("" if self.monthly else f"_{first:%d}"), begin, _midnight(after)
            first = after

    def end_of(self, name: str) -> float | None:
        """Return the moment at which a partition ends, by its name; None: it is none of a time."""
        parts = name.removeprefix(f"{self.table}_").split("_")
        if not all(part.isdigit() for part in parts) or len(parts) != (2 if self.monthly else 3):
            return None
        first = date(int(parts[0]), int(parts[1]), 1 if self.monthly else int(parts[2]))
        return next(self.spans(_midnight(first), _midnight(first) + 1))[2]


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


EVENTS = Partitioned("events", monthly=True, column="id", bound=_of_id)
NIGHTS = Partitioned("nights", monthly=True, column="day", bound=_of_day)
READINGS = Partitioned("readings", monthly=False, column="at")
MINUTES = Partitioned("samples_minutes", monthly=False, column="start", under=("samples", "60"))
HOURS = Partitioned("samples_hours", monthly=True, column="start", under=("samples", "3600"))
ALL = (EVENTS, NIGHTS, READINGS, MINUTES, HOURS)


def prepare(engine: Engine, now: float) -> None:
    """Make the partitions of the time around `now`. One that cannot be made now is made another time."""
    if engine.dialect.name != "postgresql":
        return
    for each in ALL:
        try:
            with engine.begin() as connection:
                _prepare(connection, each, now)
        except OperationalError as error:
            log.warning("partitions of %s are made later: %s", each.table, error.orig)


def _prepare(connection: Connection, each: Partitioned, now: float) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(MAKING)))
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
    root = each.under[0] if each.under else each.table
    if is_partitioned(connection, root):
        divide(connection, each, root, now - DAY_S, now + AHEAD_S)


def divide(connection: Connection, each: Partitioned, root: str, since: float, until: float) -> None:
    """Make the partitions between two moments that are missing below `root`, the table under its present name."""
    place = each.table if each.under else root
    there = set(names_of(connection, place))
    wanted = [span for span in each.spans(since, until) if span[0] not in there]
    if not wanted and each.table + OTHER in there:
        return
    if each.under and not is_partitioned(connection, each.table):
        connection.execute(text(
            f"CREATE TABLE IF NOT EXISTS {each.table} PARTITION OF {root} FOR VALUES IN ({each.under[1]}) "
            f"PARTITION BY RANGE ({each.column})"
        ))  # fmt: skip
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS {each.table}{OTHER} PARTITION OF {place} DEFAULT"))
    for name, begin, end in wanted:
        _add(connection, each, place, name, each.bound(begin), each.bound(end))


def _add(connection: Connection, each: Partitioned, place: str, name: str, begin: str, end: str) -> None:
    """Add a partition, with what of it has been put among the others meanwhile."""
    found = f"FROM {each.table}{OTHER} WHERE {each.column} >= {begin} AND {each.column} < {end}"
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS {name} (LIKE {place} INCLUDING DEFAULTS)"))
    connection.execute(text(f"INSERT INTO {name} SELECT * {found}"))
    connection.execute(text(f"DELETE {found}"))
    connection.execute(text(f"ALTER TABLE {place} ATTACH PARTITION {name} FOR VALUES FROM ({begin}) TO ({end})"))


def is_partitioned(connection: Connection, table: str) -> bool:
    """Whether a table is in partitions."""
    found = text("SELECT 1 FROM pg_class WHERE oid = to_regclass(:table) AND relkind = 'p'")
    return bool(connection.scalar(found, {"table": table}))


def names(connection: Connection, each: Partitioned) -> list[str]:
    """Return the names of a table's partitions."""
    return names_of(connection, each.table)


def names_of(connection: Connection, table: str) -> list[str]:
    """Return the names of the partitions of a table, none where it is in one piece."""
    found = text(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
        "WHERE inhparent = to_regclass(:table) ORDER BY relname"
    )
    return list(connection.scalars(found, {"table": table}))


def drop(engine: Engine, each: Partitioned, before: float, kept: str = "") -> list[str]:
    """Drop the partitions that ended before a moment; return their names.

    `kept`: a condition of SQL on a row that is not too old; a partition with such a row stays.
    """
    if engine.dialect.name != "postgresql":
        return []
    with engine.connect() as connection:
        old = [name for name in names(connection, each) if (end := each.end_of(name)) is not None and end <= before]
    dropped = []
    for name in old:
        try:
            with engine.begin() as connection:
                connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
                if kept and connection.scalar(text(f"SELECT 1 FROM {name} WHERE {kept} LIMIT 1")):  # noqa: S608 - our own names
                    continue
                connection.execute(text(f"DROP TABLE {name}"))
                dropped.append(name)
        except OperationalError as error:
            log.warning("%s is dropped later: %s", name, error.orig)
    return dropped

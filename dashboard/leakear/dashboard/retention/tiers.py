"""The tiers of the history, from what was measured to what is kept for years, and the bytes that each needs."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, distinct, func, select, text, true

from leakear.dashboard.history import partitions
from leakear.dashboard.history.samples import HOUR, MINUTE
from leakear.dashboard.history.tables import events, nights, samples
from leakear.dashboard.ingest.tables import readings

YEAR_DAYS = 365.25
DAY_S = 86400.0
ALL = true()
"""every row of a table"""


@dataclass(frozen=True)
class Tier:
    """One tier."""

    name: str
    table: Table
    moment: ColumnElement[Any]
    """time of a row, in the unit of its column"""
    parts: str
    """the table on PostgreSQL whose partitions hold it alone"""
    which: ColumnElement[bool] = ALL
    a_day: float | None = None
    """rows of a node a day; None: as many as were counted"""
    unit_s: float = 1.0
    """seconds in a unit of `moment`"""


TIERS = (
    Tier("readings", readings, readings.c.at, "readings"),
    Tier("minutes", samples, samples.c.start, "samples_minutes", samples.c.seconds == MINUTE, a_day=1440),
    Tier("hours", samples, samples.c.start, "samples_hours", samples.c.seconds == HOUR, a_day=24),
    Tier("nights", nights, nights.c.day, "nights", a_day=1, unit_s=DAY_S),
    Tier("events", events, events.c.happened, "events"),
)


@dataclass(frozen=True)
class Size:
    """What one tier holds."""

    tier: Tier
    rows: int
    nodes: int
    span_s: float
    """from its first to its last row"""
    bytes: float
    """with its indexes, on the disk"""

    @property
    def per_row(self) -> float | None:
        """Bytes of a row with its share of the indexes."""
        return self.bytes / self.rows if self.rows else None

    @property
    def per_node_year(self) -> float | None:
        """Bytes that a node needs in a year, by the rows of a day, or by what was counted over a day at least."""
        if self.per_row is None:
            return None
        a_day = self.tier.a_day
        if a_day is None:
            if self.span_s < DAY_S:
                return None
            a_day = self.rows / self.nodes / (self.span_s / DAY_S)
        return self.per_row * a_day * YEAR_DAYS


def sizes(engine: Engine) -> list[Size]:
    """Measure all tiers."""
    with engine.connect() as connection:
        return [_size(connection, tier) for tier in TIERS]


def _size(connection: Connection, tier: Tier) -> Size:
    who = tier.table.c.site + "/" + tier.table.c.node
    counted = select(func.count(), func.count(distinct(who)), func.min(tier.moment), func.max(tier.moment))
    rows, nodes, first, last = connection.execute(counted.select_from(tier.table).where(tier.which)).one()
    span = float(last - first) * tier.unit_s if rows else 0.0
    return Size(tier, rows, nodes, span, _bytes(connection, tier, rows))


def _bytes(connection: Connection, tier: Tier, rows: int) -> float:
    """Return the bytes of a tier. Where it shares a table with another, its part of it by the number of rows."""
    if connection.dialect.name == "postgresql":
        own = bool(partitions.names_of(connection, tier.parts))
        name = tier.parts if own else tier.table.name
        tree = text("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(to_regclass(:name))")
        whole = text("SELECT pg_total_relation_size(to_regclass(:name))")
        found = float(connection.scalar(tree if own else whole, {"name": name}) or 0)
    else:
        own = False
        found = float(connection.scalar(text(
            "SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = :name)"
        ), {"name": tier.table.name}) or 0)  # fmt: skip
    if own:
        return found
    total = connection.scalar(select(func.count()).select_from(tier.table)) or 1
    return found * rows / total

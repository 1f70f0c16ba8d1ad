"""Tables that ingest workers fill beside those of the history. Times are POSIX seconds UTC (double precision)."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, String, Table

from leakear.dashboard.history.tables import META, NAME

arrivals = Table(
    "arrivals", META,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("event_id", String(36), nullable=False),
    Column("raised", Boolean, nullable=False, default=False),
)  # fmt: skip
"""events that a worker has stored and the dashboard has not taken yet; `raised`: its alert is"""

readings = Table(
    "readings", META,
    Column("site", String(NAME), primary_key=True),
    Column("node", String(NAME), primary_key=True),
    Column("at", Float, primary_key=True),
    Column("kind", String(1), primary_key=True),
    Column("received", Float, nullable=False),
    Column("score", Float),
    Column("level", Float),
    Column("floor", Float),
    postgresql_partition_by="RANGE (at)",
)  # fmt: skip
"""the values of each report, as measured; `at`: by the node's clock; `kind`: `s` state, `t` telemetry"""

workers = Table(
    "workers", META,
    Column("name", String(NAME), primary_key=True),
    Column("started", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("readings", BigInteger, nullable=False),
)  # fmt: skip
"""ingest workers: when each was seen, and what it has stored since it started"""

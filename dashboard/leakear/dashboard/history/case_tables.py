"""Tables of cases, the same on SQLite and PostgreSQL. Times are POSIX seconds UTC."""

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from leakear.dashboard.history.tables import META, NAME

cases = Table(
    "cases", META,
    Column("id", String(36), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("site", String(NAME), nullable=False),
    Column("node", String(NAME), nullable=False),
    Column("status", String(20), nullable=False),
    Column("opened", Float, nullable=False),
    Column("opened_by", String(80), nullable=False),
    Column("event_id", String(36)),
    Column("since", Float, nullable=False),
    Column("certainty", Text, nullable=False),
    Column("pipe", String(80), nullable=False),
    Column("position", Text, nullable=False),
    Column("assigned_to", String(80), nullable=False),
    Column("visited", Float),
    Column("outcome", String(20), nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("repaired", Float),
    Column("flow_low", Float),
    Column("flow_high", Float),
    Column("reopened", Integer, nullable=False),
    Column("closed", Float),
    Index("cases_by_node", "site", "node"),
)  # fmt: skip
Index(
    "cases_one_open", cases.c.site, cases.c.node, unique=True,
    sqlite_where=cases.c.closed.is_(None), postgresql_where=cases.c.closed.is_(None),
)  # fmt: skip

case_changes = Table(
    "case_changes", META,
    Column("case_id", String(36), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("who", String(80), nullable=False),
    Column("what", String(20), nullable=False),
    Column("note", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("request", String(64), nullable=False),
    UniqueConstraint("case_id", "request", name="case_changes_once"),
)  # fmt: skip
"""every change of a case; `request`: made by who asks, so that what is asked twice is done once"""

case_photos = Table(
    "case_photos", META,
    Column("case_id", String(36), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("media_type", String(20), nullable=False),
    Column("content", LargeBinary, nullable=False),
)  # fmt: skip
"""a photo belongs to the change that brought it"""

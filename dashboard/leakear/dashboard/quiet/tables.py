"""Tables of quiet times, the same on SQLite and PostgreSQL. Times are POSIX seconds UTC."""

from sqlalchemy import Column, Float, Index, String, Table, Text

from leakear.dashboard.history.tables import META, NAME

quiet_times = Table(
    "quiet_times", META,
    Column("id", String(36), primary_key=True),
    Column("site", String(NAME), nullable=False),
    Column("node", String(NAME), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("entry", Text, nullable=False),
    Column("added", Float, nullable=False),
    Column("added_by", String(80), nullable=False),
    Column("removed", Float),
    Column("removed_by", String(80)),
)  # fmt: skip
"""`node` empty: the whole site. One that was removed stays, with who removed it and when"""

held = Table(
    "held_alerts", META,
    Column("event_id", String(36), primary_key=True),
    Column("site", String(NAME), nullable=False),
    Column("node", String(NAME), nullable=False),
    Column("quiet_id", String(36), nullable=False),
    Column("mark", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("resolved", Float),
    Column("result", String(20), nullable=False),
    Index("held_by_node", "site", "node"),
)  # fmt: skip
"""events of which nobody was told when they came: leaks during a quiet time, alerts and their ends at a muted node
(`quiet_id`: "mute" and its end in POSIX seconds); `result`: held, raised (it still stood after it) or ended (before)"""

"""Tables of pipes and of what was located on them. Times are POSIX seconds UTC."""

from sqlalchemy import Boolean, Column, Float, Index, LargeBinary, String, Table, Text

from leakear.dashboard.history.tables import META, NAME

pipes = Table(
    "pipes", META,
    Column("id", String(36), primary_key=True),
    Column("pair", String(4 * NAME + 3), nullable=False, unique=True),
    Column("site_a", String(NAME), nullable=False),
    Column("node_a", String(NAME), nullable=False),
    Column("site_b", String(NAME), nullable=False),
    Column("node_b", String(NAME), nullable=False),
    Column("length", Float, nullable=False),
    Column("material", String(20), nullable=False),
    Column("diameter", Float),
    Column("wall", Float),
    Column("speed_low", Float),
    Column("speed_high", Float),
    Column("automatic", Boolean, nullable=False),
    Column("made", Float, nullable=False),
    Column("made_by", String(80), nullable=False),
    Column("changed", Float, nullable=False),
    Column("changed_by", String(80), nullable=False),
)  # fmt: skip
"""`pair`: both nodes in one order, so that two nodes are one pipe, whichever is called A; m, mm, m/s"""

locations = Table(
    "locations", META,
    Column("id", String(36), primary_key=True),
    Column("pipe", String(36), nullable=False),
    Column("event_a", String(36)),
    Column("event_b", String(36)),
    Column("cause", String(10), nullable=False),
    Column("asked", Float, nullable=False),
    Column("asked_by", String(80), nullable=False),
    Column("state", String(12), nullable=False),
    Column("heard", Float),
    Column("ended", Float),
    Column("reason", Text, nullable=False),
    Column("reason_node", String(2 * NAME + 1), nullable=False),
    Column("result", Text, nullable=False),
    Column("curves", Text, nullable=False),
    Column("report", LargeBinary),
    Index("locations_by_pipe", "pipe", "asked"),
    Index("locations_by_event_a", "event_a"),
    Index("locations_by_event_b", "event_b"),
)  # fmt: skip
"""`event_a`, `event_b`: the alerts of the two nodes at that time; `heard`: when the sound began; `report`: gzip"""

"""Tables of the map. Times are POSIX seconds UTC, places are WGS 84 degrees."""

from sqlalchemy import Column, Float, String, Table, Text

from leakear.dashboard.history.tables import META, NAME

positions = Table(
    "positions", META,
    Column("site", String(NAME), primary_key=True),
    Column("node", String(NAME), primary_key=True),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("accuracy", Float),
    Column("source", String(10), nullable=False),
    Column("changed", Float, nullable=False),
    Column("changed_by", String(80), nullable=False),
)  # fmt: skip
"""`accuracy`: m, as a phone states it; `source`: click, gps, csv or geojson"""

network = Table(
    "network", META,
    Column("name", String(80), primary_key=True),
    Column("line", Text, nullable=False),
    Column("length", Float, nullable=False),
    Column("diameter", Float),
    Column("roughness", Float),
    Column("material", String(20), nullable=False),
    Column("said", String(80), nullable=False),
    Column("start", String(80), nullable=False),
    Column("end", String(80), nullable=False),
    Column("source", String(80), nullable=False),
    Column("changed", Float, nullable=False),
    Column("changed_by", String(80), nullable=False),
)  # fmt: skip
"""pipes of the town, not the stretches between two nodes; `line`: JSON of [longitude, latitude]; m, mm; `said`: the
file's own word for the material; `source`: the file"""

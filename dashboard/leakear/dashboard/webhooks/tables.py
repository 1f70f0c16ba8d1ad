"""Table of the changes of cases that wait to be sent. Times are POSIX seconds UTC."""

from sqlalchemy import Column, Float, Integer, String, Table, Text

from leakear.dashboard.history.tables import META

posts = Table(
    "webhook_posts", META,
    Column("name", String(60), primary_key=True),
    Column("address", String(16), primary_key=True),
    Column("made", Float, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("again", Float, nullable=False),
    Column("body", Text, nullable=False),
)  # fmt: skip
"""`name`: the idempotency key; a row is deleted when its address has taken it"""

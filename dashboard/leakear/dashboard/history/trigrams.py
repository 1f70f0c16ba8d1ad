"""The index behind the search in the log on PostgreSQL: parts of names and notes, by the extension pg_trgm.

Without it a search for a name that hardly occurs reads every event. A database whose owner may not make the extension
is searched that way, as SQLite is.
"""

import logging

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError

from leakear.dashboard.history import partitions

log = logging.getLogger(__name__)
INDEX = "events_by_text"
COLUMNS = ("site", "node", "note")


def make(engine: Engine) -> None:
    """Make the index where it is missing; say so where that cannot be."""
    if engine.dialect.name != "postgresql":
        return
    try:
        with engine.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(partitions.MAKING)))
            if connection.scalar(select(func.to_regclass(INDEX))) is None:
                connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
                index(connection, "events", INDEX)
    except DBAPIError as error:
        log.warning("searches in the log go without an index (docs/CITY.md): %s", error.orig)


def index(connection: Connection, table: str, name: str) -> None:
    """Make the index on a table. Without `fastupdate`: else one insert in thousands does the work of all."""
    columns = ", ".join(f"{column} gin_trgm_ops" for column in COLUMNS)
    connection.execute(text(f"CREATE INDEX {name} ON {table} USING gin ({columns}) WITH (fastupdate = off)"))

"""Which ingest workers there are, and when each was seen: what waits at the broker for one that is away is not lost."""

import time
from dataclasses import dataclass

from sqlalchemy import Engine, delete, select

from leakear.dashboard.history import insert_new
from leakear.dashboard.ingest.tables import workers

AWAY_S = 30.0
"""without a sign of life"""


@dataclass
class Entry:
    """One worker."""

    name: str
    started: float
    """POSIX seconds"""
    events: int = 0
    """stored since then"""
    readings: int = 0
    """stored since then"""


def sign(engine: Engine, entry: Entry) -> None:
    """Note that a worker is there."""
    values = {"started": entry.started, "seen": time.time(), "events": entry.events, "readings": entry.readings}
    statement = insert_new(engine, workers).values(name=entry.name, **values)
    with engine.begin() as connection:
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def leave(engine: Engine, name: str) -> None:
    """Strike a worker off: nothing waits for it any more."""
    with engine.begin() as connection:
        connection.execute(delete(workers).where(workers.c.name == name))


def trouble(engine: Engine, now: float) -> str | None:
    """Return one sentence while a worker is away, or there is none."""
    with engine.connect() as connection:
        found = connection.execute(select(workers).order_by(workers.c.name)).all()
    if not found:
        return "No ingest worker has been started: nothing is stored. Start one with `leakear-dashboard ingest`."
    away = [row.name for row in found if now - row.seen > AWAY_S]
    if not away:
        return None
    return (
        f"Ingest worker {', '.join(away[:5])} is away: its share waits at the broker until it is started again, or "
        "taken over with `leakear-dashboard ingest --leave`."
    )

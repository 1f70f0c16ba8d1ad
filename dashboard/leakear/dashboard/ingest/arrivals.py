"""Events on their way from an ingest worker to the dashboard: a queue in the database.

A worker puts an event into the queue in the transaction that stores it. The dashboard raises its alert in one
transaction with the mark that it did, and takes it from the queue when all else that an event changes is stored, too.
"""

import json
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from leakear.dashboard.history import Row
from leakear.dashboard.history.rows import QUIET
from leakear.dashboard.history.tables import events
from leakear.dashboard.ingest.tables import arrivals
from leakear.edge.messages.reports import Event, ModelRef, utc_text

CHANNEL = "leakear_arrivals"
"""of NOTIFY: something was put into the queue"""
TAKEN = 100
"""events taken at once"""
Raise = Callable[[Connection, Sequence[Row]], None]
"""raises the alerts of events, in the transaction that marks them"""


def put(connection: Connection, new: Sequence[Row]) -> None:
    """Put new events into the queue, and wake the dashboard when the transaction is committed."""
    if new:
        connection.execute(insert(arrivals), [{"event_id": row["id"], "raised": False} for row in new])
        connection.execute(select(func.pg_notify(CHANNEL, "")))


def waiting(engine: Engine) -> tuple[list[Row], list[int]]:
    """Return the events that wait longest, those of a node in order, and the places of all in the queue."""
    with engine.connect() as connection:
        places = connection.execute(select(arrivals).order_by(arrivals.c.id).limit(TAKEN)).all()
        mine = select(events).where(events.c.id.in_([place.event_id for place in places]))
        in_order = mine.order_by(events.c.site, events.c.node, events.c.seq)
        rows: list[Row] = [dict(row) | {QUIET: None} for row in connection.execute(in_order).mappings()]
    return rows, [place.id for place in places]


def raise_once(engine: Engine, rows: Sequence[Row], places: Sequence[int], raise_alerts: Raise) -> None:
    """Raise the alerts of waiting events, except those that were raised before the dashboard was interrupted."""
    mine = arrivals.c.id.in_(places) & ~arrivals.c.raised
    with engine.begin() as connection:
        marked = update(arrivals).where(mine).values(raised=True).returning(arrivals.c.event_id)
        fresh = set(connection.execute(marked).scalars())
        raise_alerts(connection, [row for row in rows if row["id"] in fresh])


def removal(places: Sequence[int]) -> Callable[[Connection], object]:
    """Return what takes events from the queue."""
    return lambda connection: connection.execute(delete(arrivals).where(arrivals.c.id.in_(places)))


def event_of(row: Row) -> Event:
    """Return a stored event as the message that it was, without what no column holds."""
    return Event(
        id=row["id"], seq=row["seq"] or 0, site=row["site"], node=row["node"], kind=row["kind"],
        from_state=row["from_state"], to_state=row["to_state"], reason=row["reason"],
        window_start=utc_text(row["window_start"]), window_end=utc_text(row["window_end"]),
        clock_synced=row["clock_synced"], score=row["score"], on_fraction=row["on_fraction"], level_dbfs=row["level"],
        faults=tuple(json.loads(row["faults"])), model=ModelRef(id=row["model"], sha256=row["model_sha256"]),
        evidence=row["evidence"], dropped=row["dropped"],
    )  # fmt: skip

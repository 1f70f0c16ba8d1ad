"""Keeps what was located, with its curves and its report, and the jobs that have not ended."""

import gzip
import json
import math
import time
from typing import Any

from sqlalchemy import Engine, and_, delete, func, insert, or_, select, update

from leakear.dashboard.fleet import Key
from leakear.dashboard.history import Row
from leakear.dashboard.history.tables import events
from leakear.dashboard.pipes.tables import locations
from leakear.edge.messages.reports import uuid7

SUSPECTED = ("WARNING", "LEAK")
"""states in which a node suspects a leak"""
ENDED = ("done", "failed")
KEPT = 100
"""results of a pipe that are kept besides those of an alert"""
LISTED = 500
INTERRUPTED = "The dashboard was restarted while this ran: locate again."
_BRIEF = [column for column in locations.c if column.name not in ("curves", "report")]


class Locations:
    """Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add(self, pipe: str, cause: str, who: str, events_of: tuple[str | None, str | None]) -> Row:
        """Store a job that waits. `cause`: person, alert or night."""
        now = time.time()
        row: Row = {
            "id": uuid7(now), "pipe": pipe, "event_a": events_of[0], "event_b": events_of[1], "cause": cause,
            "asked": now, "asked_by": who, "state": "waiting", "heard": None, "ended": None, "reason": "",
            "reason_node": "", "result": "{}", "curves": "{}", "report": None,
        }  # fmt: skip
        with self.engine.begin() as connection:
            connection.execute(insert(locations).values(**row))
        return _public({name: value for name, value in row.items() if name not in ("curves", "report")})

    def finish(self, location_id: str, found: dict[str, Any], heard: float) -> None:
        """Store a result, once. `found`: what `correlating` returned."""
        values = {
            "state": "done", "ended": time.time(), "heard": heard, "result": json.dumps(found["fields"]),
            "curves": json.dumps(found["curves"]), "report": gzip.compress(found["page"].encode()),
        }  # fmt: skip
        self._change(location_id, values)

    def fail(self, location_id: str, reason: str, node: str = "") -> None:
        """Store why a job ended without a result."""
        self._change(
            location_id, {"state": "failed", "ended": time.time(), "reason": reason[:1000], "reason_node": node}
        )

    def interrupt(self, before: float = math.inf) -> int:
        """Say of the jobs that an earlier run left behind that they were interrupted; return how many.

        `before`: only those asked for before this POSIX second.
        """
        unfinished = locations.c.state.not_in(ENDED) & (locations.c.asked < before)
        values = {"state": "failed", "ended": time.time(), "reason": INTERRUPTED}
        with self.engine.begin() as connection:
            return connection.execute(update(locations).where(unfinished).values(**values)).rowcount

    def get(self, location_id: str) -> Row | None:
        """One job or result, without curves."""
        found = self._rows(select(*_BRIEF).where(locations.c.id == location_id))
        return found[0] if found else None

    def of_pipe(self, pipe: str, limit: int = KEPT) -> list[Row]:
        """Jobs and results of a pipe, the newest first, without curves."""
        mine = select(*_BRIEF).where(locations.c.pipe == pipe)
        return self._rows(mine.order_by(locations.c.asked.desc(), locations.c.id.desc()).limit(limit))

    def latest(self) -> dict[str, Row]:
        """Return the newest job or result of each pipe."""
        newest = select(locations.c.pipe, func.max(locations.c.asked).label("at")).group_by(locations.c.pipe).subquery()
        found = select(*_BRIEF).join(newest, and_(locations.c.pipe == newest.c.pipe, locations.c.asked == newest.c.at))
        return {row["pipe"]: row for row in self._rows(found)}

    def of_events(self, since: float) -> list[Row]:
        """Jobs and results that belong to an alert, asked for since then."""
        linked = or_(locations.c.event_a.is_not(None), locations.c.event_b.is_not(None))
        wanted = select(*_BRIEF).where(linked, locations.c.asked >= since)
        return self._rows(wanted.order_by(locations.c.asked.desc()).limit(LISTED))

    def newest(self, pipe: str, cause: str) -> float:
        """Return when a pipe was last located for this cause; 0: never."""
        mine = (locations.c.pipe == pipe, locations.c.cause == cause)
        with self.engine.connect() as connection:
            found = connection.scalar(
                select(locations.c.asked).where(*mine).order_by(locations.c.asked.desc()).limit(1)
            )
            return float(found or 0.0)

    def curves(self, location_id: str) -> dict[str, Any]:
        """Return the curves of a result; {} when there are none."""
        with self.engine.connect() as connection:
            found = connection.scalar(select(locations.c.curves).where(locations.c.id == location_id))
        curves: dict[str, Any] = json.loads(found or "{}")
        return curves

    def report(self, location_id: str) -> bytes | None:
        """Return the HTML page of a result."""
        with self.engine.connect() as connection:
            found = connection.scalar(select(locations.c.report).where(locations.c.id == location_id))
        return None if found is None else gzip.decompress(found)

    def suspicion(self, key: Key) -> str | None:
        """Return the id of a node's last alert while it has not ended."""
        mine = (events.c.site == key[0], events.c.node == key[1], events.c.kind == "state")
        newest = (
            select(events.c.id, events.c.to_state).where(*mine).order_by(events.c.happened.desc(), events.c.seq.desc())
        )
        with self.engine.connect() as connection:
            found = connection.execute(newest.limit(1)).first()
        return found.id if found is not None and found.to_state in SUSPECTED else None

    def sweep(self, now: float, keep_s: float) -> None:
        """Delete what is too old, and of each pipe what is more than `KEPT` and belongs to no alert."""
        linked = or_(locations.c.event_a.is_not(None), locations.c.event_b.is_not(None))
        with self.engine.begin() as connection:
            connection.execute(delete(locations).where(locations.c.asked < now - keep_s))
            for pipe in list(connection.scalars(select(locations.c.pipe).distinct())):
                mine = (locations.c.pipe == pipe, ~linked)
                old = select(locations.c.asked).where(*mine).order_by(locations.c.asked.desc()).offset(KEPT).limit(1)
                oldest = connection.scalar(old)
                if oldest is not None:
                    connection.execute(delete(locations).where(*mine, locations.c.asked <= oldest))

    def _change(self, location_id: str, values: Row) -> None:
        """Change a job; one that has ended stays as it is."""
        mine = (locations.c.id == location_id, locations.c.state.not_in(ENDED))
        with self.engine.begin() as connection:
            connection.execute(update(locations).where(*mine).values(**values))

    def _rows(self, statement: Any) -> list[Row]:
        with self.engine.connect() as connection:
            return [_public(dict(row)) for row in connection.execute(statement).mappings()]


def _public(row: Row) -> Row:
    return row | {"result": json.loads(row["result"])}

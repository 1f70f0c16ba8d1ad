"""Events and nodes that outlive the process: each event once, by its id, however often it was delivered."""

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from leakear.dashboard.fleet import Fleet, Key, Node
from leakear.dashboard.tables import about, actions, clips, events, nodes, notices, sessions
from leakear.edge.messages.reports import Event, parse_utc, uuid7

ALARMS = ("LEAK", "SENSOR_FAULT")
"""states a person must look at"""
LOST, BACK = "lost", "back"
"""kinds of event that the dashboard itself writes: a node fell silent, a node is heard again"""

Row = dict[str, Any]


def insert_new(engine: Engine, table: Table) -> Any:
    """`INSERT … ON CONFLICT` of the dialect in use; SQLite and PostgreSQL spell it alike."""
    return (postgresql if engine.dialect.name == "postgresql" else sqlite).insert(table)


def event_row(event: Event, received: float) -> Row:
    """One event as it is stored."""
    return {
        "id": event.id, "site": event.site, "node": event.node, "seq": event.seq, "kind": event.kind,
        "from_state": event.from_state, "to_state": event.to_state, "reason": event.reason,
        "window_start": parse_utc(event.window_start), "window_end": parse_utc(event.window_end),
        "happened": happened(event, received),
        "received": received, "clock_synced": event.clock_synced, "score": event.score,
        "on_fraction": event.on_fraction, "level": event.level_dbfs, "faults": json.dumps(event.faults),
        "model": event.model.id, "model_sha256": event.model.sha256, "evidence": event.evidence,
        "dropped": event.dropped, "alert": is_alert(event),
    }  # fmt: skip


def happened(event: Event, received: float) -> float:
    """POSIX seconds to sort and keep by: a node whose clock is wrong must not have its alarm filed under 1970."""
    return min(parse_utc(event.window_end), received) if event.clock_synced else received


def is_alert(event: Event) -> bool:
    """Whether a person should acknowledge it: the node enters an alarming state, or gave events up."""
    entered = event.to_state in ALARMS and event.to_state != event.from_state
    return (event.kind == "state" and entered) or event.kind == "dropped"


def presence_row(node: Node, kind: str, reason: str, now: float) -> Row:
    """Write down what only the dashboard can know: a node fell silent, or is heard again."""
    return {
        "id": uuid7(now), "site": node.site, "node": node.name, "seq": None, "kind": kind,
        "from_state": node.state, "to_state": node.state, "reason": reason, "window_start": None,
        "window_end": now, "happened": now,
        "received": now, "clock_synced": True, "score": None, "on_fraction": None, "level": None,
        "faults": "[]", "model": "", "model_sha256": "", "evidence": False, "dropped": 0, "alert": kind == LOST,
    }  # fmt: skip


class History:
    """Reads and writes the tables. Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def client_id(self) -> str:
        """Name of this dashboard at the broker: made once per database, for the session hangs on it."""
        with self.engine.begin() as connection:
            found = connection.scalar(select(about.c.value).where(about.c.name == "client_id"))
            if found is None:
                found = f"leakear-dashboard-{secrets.token_hex(6)}"
                connection.execute(insert(about).values(name="client_id", value=found))
            return str(found)

    def record(self, rows: Sequence[Row], ways: Callable[[Row], Sequence[str]] = lambda _: ()) -> list[Row]:
        """Store events; give back those that were new, in order. When it returns they are on the disk.

        `ways` says by which addresses an event is to be told: noted in the same transaction, so that none is forgotten.
        """
        new = []
        with self.engine.begin() as connection:
            for row in rows:
                statement = insert_new(self.engine, events).values(**row).on_conflict_do_nothing()
                if connection.scalar(statement.returning(events.c.id)) is not None:
                    new.append(row)
                    told = [{"event_id": row["id"], "way": way, "tries": 0} for way in ways(row)]
                    if told:
                        connection.execute(insert(notices), told)
        return new

    def save_nodes(self, changed: Iterable[Node], now: float) -> None:
        """Keep what must be known after a restart: who exists, when last heard, which events are missing."""
        rows = [
            {"site": n.site, "node": n.name, "first_seen": now, "last_seen": n.last_seen,
             "last_seq": n.sequence.last, "gaps": json.dumps(n.sequence.gaps)}
            for n in changed
        ]  # fmt: skip
        if rows:
            statement = insert_new(self.engine, nodes)
            kept = {c: statement.excluded[c] for c in ("last_seen", "last_seq", "gaps")}
            with self.engine.begin() as connection:
                connection.execute(statement.on_conflict_do_update(index_elements=["site", "node"], set_=kept), rows)

    def restore(self, fleet: Fleet) -> None:
        """Make the nodes known that an earlier run has seen, also those that are silent now."""
        with self.engine.connect() as connection:
            for row in connection.execute(select(nodes)):
                node = fleet.node((row.site, row.node))
                if node is not None:
                    node.last_seen, node.sequence.last = row.last_seen, row.last_seq
                    node.sequence.gaps = [(first, last) for first, last in json.loads(row.gaps)]

    def reported_lost(self) -> set[Key]:
        """Nodes whose loss was written down, and not yet their return."""
        kinds = select(events.c.site, events.c.node, events.c.kind).where(events.c.kind.in_([LOST, BACK]))
        with self.engine.connect() as connection:
            latest = {(r.site, r.node): r.kind for r in connection.execute(kinds.order_by(events.c.happened))}
        return {key for key, kind in latest.items() if kind == LOST}

    def forget_node(self, key: Key) -> None:
        """Drop a node that was taken out of service; its events stay."""
        with self.engine.begin() as connection:
            connection.execute(delete(nodes).where(nodes.c.site == key[0], nodes.c.node == key[1]))

    def node_events(self, key: Key, since: float, limit: int = 500) -> list[Row]:
        """Events of a node, the newest first."""
        mine = (events.c.site == key[0], events.c.node == key[1], events.c.happened >= since)
        with self.engine.connect() as connection:
            found = select(events).where(*mine).order_by(events.c.happened.desc(), events.c.seq.desc()).limit(limit)
            return self.with_clips(connection, [public(row) for row in connection.execute(found).mappings()])

    def state_before(self, key: Key, moment: float) -> str | None:
        """State in which a node entered a span of time."""
        mine = (
            events.c.site == key[0],
            events.c.node == key[1],
            events.c.happened < moment,
            events.c.seq.is_not(None),
        )
        with self.engine.connect() as connection:
            found = select(events.c.to_state).where(*mine).order_by(events.c.happened.desc()).limit(1)
            return connection.scalar(found)

    @staticmethod
    def with_clips(connection: Connection, rows: list[Row]) -> list[Row]:
        """Add to each event which of its clips are here."""
        wanted = [row["id"] for row in rows]
        kept: dict[str, list[str]] = {}
        for clip in connection.execute(select(clips).where(clips.c.event_id.in_(wanted))):
            kept.setdefault(clip.event_id, []).append(clip.media_type)
        return [row | {"clips": sorted(kept.get(row["id"], []))} for row in rows]

    def act(self, who: str, what: str, target: str, detail: str = "") -> None:
        """Note who did what: commands, verdicts, log-ins."""
        with self.engine.begin() as connection:
            connection.execute(
                insert(actions).values(at=time.time(), who=who, what=what, target=target, detail=detail[:500])
            )

    def sweep(self, now: float, keep_events_s: float) -> list[str]:
        """Forget what is too old; give back the file names of clips that nobody needs any more."""
        old = select(events.c.id).where(events.c.happened < now - keep_events_s)
        with self.engine.begin() as connection:
            files = list(connection.scalars(select(clips.c.file).where(clips.c.event_id.in_(old))))
            connection.execute(delete(clips).where(clips.c.event_id.in_(old)))
            connection.execute(delete(notices).where(notices.c.event_id.in_(old)))
            connection.execute(delete(events).where(events.c.happened < now - keep_events_s))
            connection.execute(delete(actions).where(actions.c.at < now - keep_events_s))
            connection.execute(delete(sessions).where(sessions.c.expires < now))
        return files

    def counts(self) -> dict[str, int]:
        """Open alerts and events stored."""
        opened = select(func.count()).where(events.c.alert, events.c.acknowledged.is_(None))
        with self.engine.connect() as connection:
            return {
                "open": connection.scalar(opened) or 0,
                "events": connection.scalar(select(func.count(events.c.id))) or 0,
            }

    def change_event(self, event_id: str, values: Mapping[str, Any]) -> Row | None:
        """Change what people may add to an event; give it back, or None when there is none of this id."""
        with self.engine.begin() as connection:
            connection.execute(update(events).where(events.c.id == event_id).values(**values))
            found = connection.execute(select(events).where(events.c.id == event_id)).mappings().first()
            return None if found is None else self.with_clips(connection, [public(found)])[0]


def public(row: Mapping[Any, Any]) -> Row:
    """One stored event as the page gets it."""
    return dict(row) | {"faults": json.loads(row["faults"])}

"""Reads and writes the history: events, nodes, who did what."""

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Connection, Engine, and_, delete, func, insert, literal_column, select, update

from leakear.dashboard.fleet import Fleet, Key, Node
from leakear.dashboard.fleet.admission import NEW_S, is_known
from leakear.dashboard.history import partitions
from leakear.dashboard.history.ingest import Addresses, Also, Hold, insert_new, raise_alert, store
from leakear.dashboard.history.names import present_names
from leakear.dashboard.history.nights import Nights
from leakear.dashboard.history.pruning import prune
from leakear.dashboard.history.rows import BACK, LOST, NIGHT, QUIET, Row, batched, public
from leakear.dashboard.history.tables import about, actions, clips, events, forgotten, nodes, notices, sessions
from leakear.dashboard.history.verdicts import Verdict, judged_states

NEW_NODE_S = 7 * 86400.0
"""seconds after which a node that was heard for less than a day is forgotten"""

RENAMED_S = 30 * 86400.0
"""seconds for which a former name is of use: so long at least a node keeps what it has sent under it"""

_HELD = "SELECT event_id FROM held_alerts WHERE result = 'held'"
AWAITED = f"""id IN (SELECT event_id FROM notices)
    OR (coalesce(verdict, '') <> '{Verdict.FALSE_ALARM}' AND id IN ({_HELD}))"""  # noqa: S608 - our own names
"""condition of SQL on an event that stays, however old it is: somebody is still to be told of it"""

Marks = Callable[[Connection, Sequence[str]], Mapping[str, tuple[str, str]]]
"""ids of events → of those that were held back, what held them back and what became of them"""


class History:
    """Reads and writes the tables. Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.nights = Nights(engine)
        self.also: Also = lambda *_: None
        """what else is done in the transaction that stores a new event"""
        self.hold: Hold = lambda *_: None
        """what is held back, by a quiet time or a mute"""
        self.marks: Marks = lambda *_: {}
        """what is noted beside events that were held back"""
        self.refused = 0
        """events that the database refused since the start"""

    def client_id(self) -> str:
        """Return this dashboard's client id, made once per database: its session at the broker depends on it."""
        return self._once("client_id", f"leakear-dashboard-{secrets.token_hex(6)}")

    def ingest_group(self) -> str:
        """Return the name of the group of ingest workers, made once per database."""
        return self._once("ingest_group", f"leakear-ingest-{secrets.token_hex(6)}")

    def start_token(self) -> str:
        """Return the secret in the address for a dashboard without users, made once per database."""
        return self._once("start_token", secrets.token_urlsafe(24))

    def _once(self, name: str, value: str) -> str:
        """Return a value of the table `about`; store `value` when there is none yet."""
        with self.engine.begin() as connection:
            connection.execute(insert_new(self.engine, about).values(name=name, value=value).on_conflict_do_nothing())
            return str(connection.scalar(select(about.c.value).where(about.c.name == name)))

    @property
    def trouble(self) -> str | None:
        """One sentence where the database refused events."""
        return f"The database refused {self.refused} events: they are in its table set_aside." if self.refused else None

    def record(self, rows: Sequence[Row], addresses: Addresses = lambda _: ()) -> list[Row]:
        """Store events; return those that were new, in order. When it returns they are on the disk.

        `addresses`: the addresses to notify of an event. They are stored in the same transaction, so that none is lost.
        An event that the database refuses is counted in `refused` and kept in the table `set_aside`.
        """
        stored = store(self.engine, rows, lambda connection, new: self.raise_alerts(connection, new, addresses))
        self.refused += len(stored.refused)
        return stored.new

    def raise_alerts(self, connection: Connection, new: Sequence[Row], addresses: Addresses) -> None:
        """Note what new events set off, in the caller's transaction."""
        for row in new:
            raise_alert(connection, row, addresses, self.also, self.hold)

    def save_nodes(
        self, changed: Iterable[Node], now: float, also: Callable[[Connection], object] | None = None
    ) -> None:
        """Store what is needed after a restart: the nodes, when they were last seen, which events are missing.

        `also`: what else is done in the same transaction.
        """
        rows = [
            {"site": n.site, "node": n.name, "first_seen": now if n.first_seen is None else n.first_seen,
             "last_seen": n.last_seen, "last_seq": n.sequence.last, "gaps": json.dumps(n.sequence.gaps)}
            for n in changed
        ]  # fmt: skip
        parts = list(batched(rows)) or [[]]
        for part in parts:
            with self.engine.begin() as connection:
                if part:
                    self._save(connection, part)
                if also and part is parts[-1]:
                    also(connection)

    def _save(self, connection: Connection, rows: Sequence[Row]) -> None:
        statement = insert_new(self.engine, nodes)
        kept = {c: statement.excluded[c] for c in ("last_seen", "last_seq", "gaps")}
        connection.execute(statement.on_conflict_do_update(index_elements=["site", "node"], set_=kept), rows)
        same = (nodes.c.site == forgotten.c.site, nodes.c.node == forgotten.c.node)
        anew = select(nodes.c.site).where(*same, nodes.c.last_seen > forgotten.c.at)
        connection.execute(delete(forgotten).where(anew.exists()))

    def restore(self, fleet: Fleet) -> None:
        """Add the nodes that an earlier run has seen: the known ones, then the new ones as far as there is room."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(nodes).order_by(func.coalesce(nodes.c.last_seen, 0.0).desc())).all()
            fleet.forgotten.update((row.site, row.node) for row in connection.execute(select(forgotten)))
            judged = judged_states(connection)
        for row in sorted(rows, key=lambda row: not is_known(row.first_seen, row.last_seen)):
            key, known = (row.site, row.node), is_known(row.first_seen, row.last_seen)
            if key in fleet.forgotten:  # it was saved while it was being forgotten
                continue
            node = fleet.add(key, row.first_seen) if known else fleet.node(key, row.first_seen)
            if node is not None:
                node.last_seen, node.sequence.last, node.judged = row.last_seen, row.last_seq, judged.get(key)
                node.sequence.gaps = [(first, last) for first, last in json.loads(row.gaps)]

    def sequences(self) -> list[Any]:
        """Return of each node the number of its last stored event, and which are missing, as text."""
        with self.engine.connect() as connection:
            return list(connection.execute(select(nodes.c.site, nodes.c.node, nodes.c.last_seq, nodes.c.gaps)).all())

    def judged_states(self) -> dict[Key, tuple[str, float]]:
        """Return the state of every node whose last change was judged to be a false alarm, and when that began."""
        with self.engine.connect() as connection:
            return judged_states(connection)

    def present_names(self) -> dict[Key, Key]:
        """Return former name → present name of the nodes that were renamed lately."""
        with self.engine.connect() as connection:
            return present_names(connection, time.time() - RENAMED_S)

    def numbers(self, key: Key, first: int, last: int) -> list[int]:
        """Return which of these `seq` are stored under a name."""
        mine = (events.c.site == key[0], events.c.node == key[1], events.c.seq.between(first, last))
        with self.engine.connect() as connection:
            return sorted({int(seq) for seq in connection.scalars(select(events.c.seq).where(*mine))})

    def actions(self, limit: int, before: int | None = None) -> list[Row]:
        """Return who did what, the newest first; `before`: id of the last row of the previous page."""
        found = select(actions).order_by(actions.c.id.desc()).limit(limit)
        if before is not None:
            found = found.where(actions.c.id < before)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(found).mappings()]

    def reported_lost(self) -> set[Key]:
        """Return nodes with a LOST event and no BACK event after it; one of before they came (back) does not count."""
        here = and_(nodes.c.site == events.c.site, nodes.c.node == events.c.node)
        since = func.coalesce(nodes.c.first_seen, 0.0)
        kinds = select(events.c.site, events.c.node, events.c.kind).outerjoin(nodes, here)
        mine = kinds.where(events.c.kind.in_([LOST, BACK]), events.c.happened >= since).order_by(events.c.happened)
        with self.engine.connect() as connection:
            latest = {(r.site, r.node): r.kind for r in connection.execute(mine)}
        return {key for key, kind in latest.items() if kind == LOST}

    def forget_node(self, key: Key, now: float) -> None:
        """Delete a node that was taken out of service, and remember that it was; its events stay."""
        row = {"site": key[0], "node": key[1], "at": now}
        with self.engine.begin() as connection:
            connection.execute(delete(nodes).where(nodes.c.site == key[0], nodes.c.node == key[1]))
            statement = insert_new(self.engine, forgotten).values(row)
            connection.execute(statement.on_conflict_do_update(index_elements=["site", "node"], set_={"at": now}))

    def node_events(self, key: Key, since: float, limit: int = 500) -> list[Row]:
        """Events of a node, the newest first; nights are not among them."""
        mine = (events.c.site == key[0], events.c.node == key[1], events.c.happened >= since, events.c.kind != NIGHT)
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

    def with_clips(self, connection: Connection, rows: list[Row]) -> list[Row]:
        """Add to each event which of its clips are here, and whether it was held back."""
        wanted = [row["id"] for row in rows]
        kept: dict[str, list[str]] = {}
        for clip in connection.execute(select(clips).where(clips.c.event_id.in_(wanted))):
            kept.setdefault(clip.event_id, []).append(clip.media_type)
        marks = self.marks(connection, wanted)
        return [row | {"clips": sorted(kept.get(row["id"], [])), **_mark(marks.get(row["id"]))} for row in rows]

    def record_action(self, who: str, what: str, target: str, detail: str = "") -> None:
        """Store who did what: commands, verdicts, acknowledgements."""
        with self.engine.begin() as connection:
            connection.execute(
                insert(actions).values(at=time.time(), who=who, what=what, target=target, detail=detail[:500])
            )

    def sweep(self, now: float, keep_events_s: float) -> list[str]:
        """Delete what is too old; return the file names of clips to delete."""
        before = now - keep_events_s
        self.nights.sweep(before)
        partitions.drop(self.engine, partitions.EVENTS, before, kept=f"happened >= {before} OR {AWAITED}")
        prune(self.engine, events, (events.c.happened < before) & ~literal_column(f"({AWAITED})", Boolean))
        prune(self.engine, actions, actions.c.at < before)
        here = select(events.c.id).where(events.c.id == clips.c.event_id).exists()
        with self.engine.begin() as connection:
            files = list(connection.scalars(select(clips.c.file).where(~here)))
            connection.execute(delete(clips).where(~here))
            noticed = select(events.c.id).where(events.c.id == notices.c.event_id).exists()
            connection.execute(delete(notices).where(~noticed))
            brief = (nodes.c.last_seen - nodes.c.first_seen < NEW_S, nodes.c.last_seen < now - NEW_NODE_S)
            connection.execute(delete(nodes).where(*brief))
            connection.execute(delete(sessions).where(sessions.c.expires < now))
        return files

    def counts(self) -> dict[str, int]:
        """Open alerts."""
        opened = select(func.count()).where(events.c.alert, events.c.acknowledged.is_(None))
        with self.engine.connect() as connection:
            return {"open": connection.scalar(opened) or 0}

    def change_event(self, event_id: str, values: Mapping[str, Any]) -> Row | None:
        """Change the fields of an event that people edit; return it, or None when there is none of this id."""
        with self.engine.begin() as connection:
            connection.execute(update(events).where(events.c.id == event_id).values(**values))
            found = connection.execute(select(events).where(events.c.id == event_id)).mappings().first()
            return None if found is None else self.with_clips(connection, [public(found)])[0]


def _mark(mark: tuple[str, str] | None) -> Row:
    """Return what held an event back, and what became of it: held, raised or ended."""
    return {QUIET: mark[0] if mark else None, "held": mark[1] if mark else None}

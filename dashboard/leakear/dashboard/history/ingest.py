"""Stores events: each once, by its id, and a row that the database refuses does not stop the others."""

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from leakear.dashboard.fleet import Node
from leakear.dashboard.history.nights import night_row
from leakear.dashboard.history.rows import ALARMS, BACK, LOST, NIGHT, QUIET, Row
from leakear.dashboard.history.tables import events, nights, notices, set_aside
from leakear.edge.messages.reports import Event, parse_utc, uuid7

log = logging.getLogger(__name__)
LONGEST_S = 3 * 86400.0
"""for how long a node keeps events whose order in time is mended, because its broker is away"""
KEPT_ASIDE = 1000
"""refused rows kept for a person to look at; beyond it the oldest are deleted"""
Addresses = Callable[[Row], Sequence[str]]
"""addresses to notify of an event"""
Also = Callable[[Connection, Row], None]
"""what else is done in the transaction that stores a new event"""
Hold = Callable[[Connection, Row], str | None]
"""what is noted beside an event of which nobody is told now (empty: nothing); None: it is told"""
Then = Callable[[Connection, list[Row]], None]
"""what is done with the new events of a batch, in the transaction that stores them"""


@dataclass(frozen=True)
class Stored:
    """What became of a batch of events."""

    new: list[Row]
    """those that were not in the history yet, in order"""
    refused: list[tuple[Row, str]]
    """those that the database refused, each with the reason; they are in the table `set_aside`"""


def store(engine: Engine, rows: Sequence[Row], then: Then = lambda *_: None) -> Stored:
    """Store events, and do with the new ones what `then` does; when this returns they are on the disk.

    Raises SQLAlchemyError when the database does not work at all: then nothing of the failing part is stored.
    """
    try:
        with engine.begin() as connection:
            return Stored(_insert(connection, rows, then), [])
    except Exception as error:
        if not _is_refusal(error):
            raise
    return _one_by_one(engine, rows, then)


def _one_by_one(engine: Engine, rows: Sequence[Row], then: Then) -> Stored:
    """Store each event in a transaction of its own; set aside those that the database refuses."""
    stored = Stored([], [])
    for row in rows:
        try:
            with engine.begin() as connection:
                new = _insert(connection, [row], then)
            stored.new.extend(new)
        except Exception as error:
            if not _is_refusal(error):
                raise
            reason = ascii(str(getattr(error, "orig", error)))[:500]
            log.error("an event of %s/%s cannot be stored and is set aside: %s", row["site"], row["node"], reason)  # noqa: TRY400 - the reason is the database's sentence
            _put_aside(engine, row, reason)
            stored.refused.append((row, reason))
    return stored


def _is_refusal(error: Exception) -> bool:
    """Whether a row is wrong: another row, or the same one later, is another matter when the database itself fails."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError) and not error.connection_invalidated
    return isinstance(error, UnicodeError | OverflowError | ValueError | TypeError)


def _put_aside(engine: Engine, row: Row, reason: str) -> None:
    """Keep a refused row as ASCII text, which every database takes."""
    text = json.dumps(row, default=str)
    with engine.begin() as connection:
        values = {"at": time.time(), "site": ascii(row["site"]), "node": ascii(row["node"]), "row": text}
        connection.execute(insert(set_aside).values(reason=reason, **values))
        newest = connection.scalar(select(func.max(set_aside.c.id))) or 0
        connection.execute(delete(set_aside).where(set_aside.c.id <= newest - KEPT_ASIDE))


def _insert(connection: Connection, rows: Sequence[Row], then: Then) -> list[Row]:
    """Insert the events that are not stored yet, in one statement; return them, in order.

    They are sorted by their ids: of two writers with the same events, one waits for the other, and neither for both.
    """
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row["id"], row)
    values = [
        {name: value for name, value in first[each].items() if name not in (NIGHT, QUIET)} for each in sorted(first)
    ]
    if not values:
        return []
    statement = insert_new(connection.engine, events).on_conflict_do_nothing().returning(events.c.id)
    stored = set(connection.execute(statement, values).scalars())
    new = [row for row in first.values() if row["id"] in stored]
    heard = sorted((row[NIGHT] for row in new if row.get(NIGHT)), key=lambda n: (n["site"], n["node"], n["day"]))
    if heard:
        connection.execute(insert_new(connection.engine, nights).on_conflict_do_nothing(), heard)
    _date_by_number(connection, new)
    then(connection, new)
    return new


def _date_by_number(connection: Connection, new: list[Row]) -> None:
    """Let what a node wrote while its clock was wrong have happened before what it wrote afterwards.

    Such an event is dated by its arrival: that of a boot, which waited at the node for its broker, would come after its
    own end, which has a time.
    """
    dated: dict[tuple[str, str], list[Row]] = {}
    for row in new:
        if row["kind"] == "state" and row["clock_synced"] and 0 < row["received"] - row["happened"] <= LONGEST_S:
            dated.setdefault((row["site"], row["node"]), []).append(row)
    for key, rows in dated.items():
        since = (events.c.happened > min(row["happened"] for row in rows), ~events.c.clock_synced)
        undated = select(events.c.id, events.c.seq, events.c.happened, events.c.received)
        for one in connection.execute(undated.where(events.c.site == key[0], events.c.node == key[1], *since)).all():
            after = (row for row in rows if row["seq"] > one.seq and row["received"] - one.received < LONGEST_S)
            happened = min((row["happened"] for row in after), default=one.happened)
            if happened < one.happened:
                connection.execute(update(events).where(events.c.id == one.id).values(happened=happened))
                for row in (row for row in new if row["id"] == one.id):
                    row["happened"] = happened


def raise_alert(connection: Connection, row: Row, addresses: Addresses, also: Also, hold: Hold) -> None:
    """Note what a new event sets off: its notifications and its case, or that it is held back."""
    mark = hold(connection, row)
    row[QUIET] = mark or None
    if mark is None:
        tell(connection, row, [] if ends_alarm(row) and began_again(connection, row) else addresses(row), also)


def tell(connection: Connection, row: Row, addresses: Sequence[str], also: Also) -> None:
    """Note the notifications of an event that is not held back, for these addresses, and its case."""
    pending = [{"event_id": row["id"], "way": address, "tries": 0} for address in addresses]
    if pending:
        connection.execute(insert(notices), pending)
    also(connection, row)


def of_its_kind(row: Row) -> tuple[ColumnElement[bool], ...]:
    """Return what chooses the events of a node that begin and end alerts as this one does: of state, or of silence."""
    mine = (events.c.site == row["site"], events.c.node == row["node"])
    if row["kind"] in (LOST, BACK):
        return (*mine, events.c.kind.in_((LOST, BACK)))
    return (*mine, events.c.kind == "state", events.c.from_state != events.c.to_state)


def not_later(row: Row) -> ColumnElement[bool]:
    """Return what chooses the events up to this one, itself too. Within one millisecond a node's numbers decide."""
    together = events.c.happened == row["happened"]
    if row["seq"] is not None:  # None: of the dashboard itself
        together = and_(together, events.c.seq <= row["seq"])
    return or_(events.c.happened < row["happened"], together)


NEWEST_FIRST = (events.c.happened.desc(), events.c.seq.desc())
"""order of one node's events"""


def began_again(connection: Connection, row: Row) -> bool:
    """Whether the node is in an alarm again: an all-clear that comes late would be taken for one of that alarm."""
    newest = select(events.c.alert).where(*of_its_kind(row), ~not_later(row)).order_by(*NEWEST_FIRST).limit(1)
    return bool(connection.scalar(newest))


def insert_new(engine: Engine, table: Table) -> Any:
    """`INSERT … ON CONFLICT` of the dialect in use; SQLite and PostgreSQL have the same syntax."""
    return (postgresql if engine.dialect.name == "postgresql" else sqlite).insert(table)


def event_row(event: Event, received: float) -> Row:
    """One event as it is stored; under NIGHT the night that it carries, which has a table of its own."""
    return {
        "id": event.id, "site": event.site, "node": event.node, "seq": event.seq, "kind": event.kind,
        "from_state": event.from_state, "to_state": event.to_state, "reason": event.reason,
        "window_start": parse_utc(event.window_start), "window_end": parse_utc(event.window_end),
        "happened": happened(event, received),
        "received": received, "clock_synced": event.clock_synced, "score": event.score,
        "on_fraction": event.on_fraction, "level": event.level_dbfs, "faults": json.dumps(event.faults),
        "model": event.model.id, "model_sha256": event.model.sha256, "evidence": event.evidence,
        "dropped": event.dropped, "alert": is_alert(event),
        NIGHT: night_row(event, parse_utc(event.window_start), happened(event, received)),
    }  # fmt: skip


def happened(event: Event, received: float) -> float:
    """Return the event's POSIX seconds, or those of its arrival when the node's clock was wrong."""
    return min(parse_utc(event.window_end), received) if event.clock_synced else received


def is_alert(event: Event) -> bool:
    """Whether a person should acknowledge it: the node enters a state in ALARMS, or has dropped events."""
    entered = event.to_state in ALARMS and event.to_state != event.from_state
    return (event.kind == "state" and entered) or event.kind == "dropped"


def ends_alarm(row: Row) -> bool:
    """Whether a stored event ends what somebody may have been alerted of: the node is OK again, or heard again."""
    return bool(row["kind"] == BACK or (row["kind"] == "state" and row["from_state"] != row["to_state"] == "OK"))


def is_told(row: Row) -> bool:
    """Whether people are told of a stored event: of an alert, and of its end."""
    return bool(row["alert"]) or ends_alarm(row)


def presence_row(node: Node, kind: str, reason: str, now: float) -> Row:
    """Return an event of the dashboard itself: a node became silent, or is back."""
    return {
        "id": uuid7(now), "site": node.site, "node": node.name, "seq": None, "kind": kind,
        "from_state": node.state, "to_state": node.state, "reason": reason, "window_start": None,
        "window_end": now, "happened": now,
        "received": now, "clock_synced": True, "score": None, "on_fraction": None, "level": None,
        "faults": "[]", "model": "", "model_sha256": "", "evidence": False, "dropped": 0, "alert": kind == LOST,
    }  # fmt: skip

"""Holds back what comes during a quiet time or while its node is muted, and raises what still stands when that ends."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, and_, or_, select, update

from leakear.dashboard.fleet.node import Key
from leakear.dashboard.history.ingest import (
    NEWEST_FIRST,
    began_again,
    ends_alarm,
    insert_new,
    is_told,
    not_later,
    of_its_kind,
)
from leakear.dashboard.history.rows import ALARMS, BACK, LOST, MUTE, QUIET, Row
from leakear.dashboard.history.tables import events
from leakear.dashboard.history.verdicts import Verdict
from leakear.dashboard.quiet.calendar import LONGEST_S
from leakear.dashboard.quiet.store import Now, QuietTimes
from leakear.dashboard.quiet.tables import held

HELD, RAISED, ENDED = "held", "raised", "ended"
Mutes = Callable[[Key], float | None]
"""POSIX second until which a node is muted; 0: it is not; None: it has not reported yet"""
Tell = Callable[[Connection, Row], None]
LEAKS = and_(events.c.kind == "state", events.c.to_state == "LEAK")


class Holding:
    """Events of which nobody is told yet. Blocking.

    A quiet time holds back leaks. A mute holds back whatever people are told of: alerts, and the ends of those that
    were told.
    """

    def __init__(self, engine: Engine, quiet: QuietTimes, mutes: Mutes) -> None:
        self._engine, self._quiet, self._mutes = engine, quiet, mutes

    def hold(self, connection: Connection, row: Row) -> str | None:
        """Hold back an event that is being stored, in the same transaction; return what is noted beside it.

        None: it is told at once. Nobody is told of the end of an alert that nobody was told of: of what a node leaves
        for OK from another state than an alarm, somebody may have been told before that.
        """
        leaves = row["kind"] == "state" and row["from_state"] in ALARMS and row["from_state"] != row["to_state"]
        if not (is_told(row) or leaves):
            return None
        ended = _end(connection, row)
        if not is_told(row):
            return ended
        doubtful = ended is not None or (row["kind"] == "state" and row["from_state"] not in ALARMS)
        if ends_alarm(row) and doubtful and not _was_told(connection, row):
            return ended or ""
        now = self._now(connection, row)
        if now is None or now.until <= row["received"]:
            return None
        kept = {"site": row["site"], "node": row["node"], "quiet_id": now.id, "mark": now.mark, "at": row["received"],
                "resolved": None, "result": HELD}  # fmt: skip
        statement = insert_new(connection.engine, held).values(event_id=row["id"], **kept)
        again = statement.on_conflict_do_update(index_elements=["event_id"], set_=kept)  # its event was deleted as old
        connection.execute(again)
        return now.mark

    def _now(self, connection: Connection, row: Row) -> Now | None:
        """Return what holds back an event, that which lasts longest; None: nothing does."""
        key = (row["site"], row["node"])
        until = self._mutes(key)
        if until is None:  # it has not reported since the start: as far as is known from what is held back
            mine = (held.c.site == key[0], held.c.node == key[1], held.c.result == HELD)
            until = max(map(_mute_end, connection.scalars(select(held.c.quiet_id).where(*mine))), default=0.0)
        found = [Now(_mute_id(until), MUTE, "", until)] if until else []
        if row["kind"] == "state" and row["to_state"] == "LEAK":
            found += filter(None, (self._quiet.now(key, row[name]) for name in ("happened", "received")))
        return max(found, key=lambda one: one.until, default=None)

    def release(self, now: float, tell: Tell) -> list[Row]:
        """Raise what was held back and still stands although its quiet time, or mute, is over; return these events.

        `tell` does, in the same transaction, what storing an event does: notifications, and its case.
        """
        mine = select(held, LEAKS.label("leak"), events.c.verdict).outerjoin(events, events.c.id == held.c.event_id)
        with self._engine.connect() as connection:
            waiting = connection.execute(mine.where(held.c.result == HELD).order_by(held.c.at)).all()
        due = [one for one in waiting if not self._holds(one, now)]
        return [row for one in due if (row := self._raise(one, now, tell)) is not None]

    def _holds(self, one: Any, now: float) -> bool:
        """Whether a row of `held` waits on: a quiet time or mute is not over, or it was judged a false alarm."""
        if one.verdict == Verdict.FALSE_ALARM:
            return True
        key, known = (one.site, one.node), _mute_end(one.quiet_id)
        muted = self._mutes(key)
        if muted is None:  # at the start: as it was known before
            muted = known
        elif known and muted > now and _mute_id(muted) != one.quiet_id:
            self._renew(one, muted)
        quiet = bool(one.leak) and self._quiet.now(key, now) is not None
        return now - one.at < LONGEST_S and (quiet or now < muted)

    def _renew(self, one: Any, until: float) -> None:
        """Keep the end of a mute that was prolonged, for a restart."""
        with self._engine.begin() as connection:
            connection.execute(update(held).where(held.c.event_id == one.event_id).values(quiet_id=_mute_id(until)))

    def _raise(self, one: Any, now: float, tell: Tell) -> Row | None:
        """Raise a row of `held`; None: it was raised or ended meanwhile, or it stands no more."""
        with self._engine.begin() as connection:
            found = connection.execute(select(events).where(events.c.id == one.event_id)).mappings().first()
            stands = found is not None and _stands(connection, dict(found))
            mine = (held.c.event_id == one.event_id, held.c.result == HELD)
            become = {"result": RAISED if stands else ENDED, "resolved": now}
            if not connection.execute(update(held).where(*mine).values(**become)).rowcount:
                return None
            if found is None or not stands:
                return None
            row = dict(found) | {QUIET: one.mark, "received": now}
            tell(connection, row)
            return row

    def forget(self, key: Key, now: float) -> None:
        """Let a node that was taken out of service at a POSIX second be silent."""
        lost = select(events.c.id).where(events.c.id == held.c.event_id, events.c.kind == LOST).exists()
        mine = (held.c.site == key[0], held.c.node == key[1], held.c.result == HELD, lost)
        with self._engine.begin() as connection:
            connection.execute(update(held).where(*mine).values(result=ENDED, resolved=now))

    @staticmethod
    def marks(connection: Connection, event_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return of events that were held back what is noted beside them, and whether they were raised."""
        found = connection.execute(select(held).where(held.c.event_id.in_(event_ids)))
        return {row.event_id: (row.mark, row.result) for row in found}


def _stands(connection: Connection, row: Row) -> bool:
    """Whether an alert or an end still stands, whatever came before it: what it began or ended may have come later."""
    if ends_alarm(row):
        return _was_told(connection, row) and not began_again(connection, row)
    if row["kind"] != "state":
        return True
    ended = select(events.c.id).where(*of_its_kind(row), ~not_later(row), events.c.seq > row["seq"])
    if row["to_state"] == "LEAK":
        ended = ended.where(events.c.to_state != "SENSOR_FAULT")
    return connection.scalar(ended.limit(1)) is None


def _mute_id(until: float) -> str:
    return f"{MUTE} {until:.0f}"


def _mute_end(quiet_id: str) -> float:
    """Return the POSIX second at which a mute ends, as it was known; 0: a quiet time holds back, no mute."""
    kind, _, until = quiet_id.partition(" ")
    return float(until) if kind == MUTE else 0.0


def _end(connection: Connection, row: Row) -> str | None:
    """End the held alerts that are over with an event; return what was noted beside one of them.

    An event that comes late ends nothing that began after it. A fault of the sensor ends no leak: the node hears
    nothing any more, and its leak waits on. An end takes the place of an earlier one, too.
    """
    if row["kind"] == "dropped":
        return None
    before = select(events.c.id).where(*of_its_kind(row), events.c.id == held.c.event_id, not_later(row))
    if row["to_state"] == "SENSOR_FAULT" and row["kind"] == "state":
        before = before.where(events.c.to_state != "LEAK")
    mine = (held.c.site == row["site"], held.c.node == row["node"], held.c.result == HELD)
    alerts = before.where(events.c.alert).exists()
    mark = connection.scalar(select(held.c.mark).where(*mine, alerts).limit(1))
    over = before.exists() if ends_alarm(row) else alerts
    connection.execute(update(held).where(*mine, over).values(result=ENDED, resolved=row["received"]))
    return mark


def _was_told(connection: Connection, row: Row) -> bool:
    """Whether people still believe in an alert that an event ends: the last that they were told of is no end."""
    untold = select(held.c.event_id).where(held.c.event_id == events.c.id, held.c.result != RAISED).exists()
    earlier = (*of_its_kind(row), not_later(row), events.c.id != row["id"], ~untold)
    changes = or_(events.c.alert, events.c.to_state == "OK", events.c.kind == BACK)
    newest = select(events.c.alert).where(*earlier, changes).order_by(*NEWEST_FIRST)
    return bool(connection.scalar(newest.limit(1)))

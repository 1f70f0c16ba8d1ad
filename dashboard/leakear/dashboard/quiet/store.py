"""Stores quiet times, holds back leaks that come during one or while their node is muted, and raises what goes on."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, insert, or_, select, update

from leakear.dashboard.fleet.node import Key
from leakear.dashboard.history.rows import ALARMS, Row
from leakear.dashboard.history.tables import actions, events
from leakear.dashboard.quiet.calendar import KINDS, LONGEST_S, Entry, spans
from leakear.dashboard.quiet.tables import held, quiet_times
from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import uuid7

HELD, RAISED, ENDED = "held", "raised", "ended"
MUTE = "mute"
"""what holds back the leak of a muted node, as a kind beside those of quiet times"""
KNOWN = 2000
"""quiet times at a time"""
DAY_S = 86400.0
AHEAD_S = 14 * 86400.0
"""how far ahead the page shows them"""


@dataclass(frozen=True)
class Known:
    """One quiet time that counts."""

    id: str
    site: str
    node: str
    """empty: the whole site"""
    kind: str
    entry: Entry

    def of(self, key: Key) -> bool:
        """Whether it is one of this node."""
        return self.site == key[0] and self.node in ("", key[1])


@dataclass(frozen=True)
class Now:
    """The quiet time that a node is in."""

    id: str
    kind: str
    title: str
    until: float
    """POSIX seconds"""

    @property
    def mark(self) -> str:
        """What is noted beside an event: kind, and title if there is one."""
        return f"{self.kind}: {self.title}" if self.title else self.kind

    def to_dict(self) -> dict[str, Any]:
        """Return it for the page."""
        return {"kind": self.kind, "title": self.title, "until": self.until}


class QuietTimes:
    """Reads and changes quiet times. Blocking, but for `now`, which asks no database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.mutes: Callable[[Key], float | None] = lambda _: 0.0
        """POSIX second until which a node is muted; 0: it is not; None: it has not reported yet"""
        self._known: tuple[Known, ...] = ()
        self.read()
        self._days: dict[tuple[str, int], list[tuple[float, float]]] = {}
        """occurrences by quiet time and day since 1970: a rule of years is not reckoned for each question"""

    # ---- which there are

    def now(self, key: Key, at: float) -> Now | None:
        """Return the quiet time that a node is in at a POSIX second, the one that lasts longest; None: in none."""
        found = [
            Now(one.id, one.kind, one.entry.title, end)
            for one in self._known
            if one.of(key)
            for start, end in self._of_day(one, int(at // DAY_S))
            if start <= at < end
        ]
        return max(found, key=lambda one: one.until, default=None)

    def _of_day(self, one: Known, day: int) -> list[tuple[float, float]]:
        if (one.id, day) not in self._days:
            if len(self._days) > 3 * KNOWN:
                self._days.clear()
            self._days[one.id, day] = list(spans(one.entry, day * DAY_S, (day + 1) * DAY_S))
        return self._days[one.id, day]

    def page(self, now: float) -> list[Row]:
        """Return all that count, with their next occurrences, for the page."""
        with self.engine.connect() as connection:
            mine = select(quiet_times).where(quiet_times.c.removed.is_(None)).order_by(quiet_times.c.added.desc())
            rows = [dict(row) for row in connection.execute(mine).mappings()]
        return [_public(row, now) for row in rows]

    def add(self, site: str, node: str, kind: str, entries: Sequence[Entry], *, who: str) -> list[str]:
        """Add quiet times of a node, or with an empty `node` of a site; return their ids. Raises InputDataError."""
        if kind not in KINDS:
            raise InputDataError(f"The kind is {kind[:40]!a}: use {', '.join(KINDS)}.")
        if len(self._known) + len(entries) > KNOWN:
            raise InputDataError(f"There are {len(self._known)} quiet times, {KNOWN} at most: remove some first.")
        now = time.time()
        rows = [
            {"id": uuid7(now), "site": site, "node": node, "kind": kind, "entry": entry.to_json(), "added": now,
             "added_by": who, "removed": None, "removed_by": None}
            for entry in entries
        ]  # fmt: skip
        detail = "; ".join(entry.title or entry.start for entry in entries)[:500]
        with self.engine.begin() as connection:
            connection.execute(insert(quiet_times), rows)
            self._note(connection, who, "quiet-add", f"{site}/{node}" if node else site, f"{kind}: {detail}")
        self.read()
        return [str(row["id"]) for row in rows]

    def remove(self, quiet_id: str, who: str) -> bool:
        """Remove a quiet time: what was held back because of it is raised at the next look."""
        with self.engine.begin() as connection:
            mine = (quiet_times.c.id == quiet_id, quiet_times.c.removed.is_(None))
            changed = connection.execute(
                update(quiet_times).where(*mine).values(removed=time.time(), removed_by=who)
            ).rowcount
            if changed:
                self._note(connection, who, "quiet-remove", quiet_id, "")
        self.read()
        return bool(changed)

    @staticmethod
    def _note(connection: Connection, who: str, what: str, target: str, detail: str) -> None:
        connection.execute(
            insert(actions).values(at=time.time(), who=who, what=what, target=target, detail=detail[:500])
        )

    def read(self) -> None:
        """Read which there are: at the start, and when another server has changed them."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(quiet_times).where(quiet_times.c.removed.is_(None))).all()
        self._known = tuple(Known(r.id, r.site, r.node, r.kind, Entry.from_json(r.entry)) for r in rows)

    # ---- what is held back

    def hold(self, connection: Connection, row: Row) -> str | None:
        """Hold a leak back whose event is being stored, in the same transaction; return what is noted beside it.

        What ends a leak that was held back ends it there: nobody was told of it, so nobody gets an all-clear. A fault
        of the sensor ends none: a node that hears nothing any more is told at once, and its leak waits on.
        """
        key = (row["site"], row["node"])
        if row["kind"] != "state" or row["from_state"] == row["to_state"] or row["to_state"] == "SENSOR_FAULT":
            return None
        if row["from_state"] not in ALARMS and row["to_state"] != "LEAK":
            return None
        ended = self._end(connection, key, row)
        if row["from_state"] == "LEAK":
            return ended
        if row["to_state"] != "LEAK" or not row["alert"]:
            return None
        found = (self.now(key, row["happened"]), self.now(key, row["received"]), self._mute(key))
        now = max(filter(None, found), key=lambda one: one.until, default=None)
        if now is None or now.until <= row["received"]:
            return None
        connection.execute(insert(held).values(
            event_id=row["id"], site=key[0], node=key[1], quiet_id=now.id, mark=now.mark, at=row["received"],
            resolved=None, result=HELD,
        ))  # fmt: skip
        return now.mark

    def _mute(self, key: Key) -> Now | None:
        until = self.mutes(key)
        return Now(f"{MUTE} {until:.0f}", MUTE, "", until) if until else None

    def _holds(self, one: Any, now: float) -> bool:
        """Whether a quiet time, or that its node is muted, still holds back a row of `held`."""
        muted = self.mutes((one.site, one.node))
        if muted is None:  # at the start: as it was known when the leak came
            kind, _, until = one.quiet_id.partition(" ")
            muted = float(until) if kind == MUTE else 0.0
        return now - one.at < LONGEST_S and (self.now((one.site, one.node), now) is not None or now < muted)

    @staticmethod
    def _end(connection: Connection, key: Key, row: Row) -> str | None:
        """End what was held back before this event; one that comes late ends nothing that began after it."""
        before = select(events.c.id).where(events.c.id == held.c.event_id, events.c.happened <= row["happened"])
        mine = (held.c.site == key[0], held.c.node == key[1], held.c.result == HELD, before.exists())
        mark = connection.scalar(select(held.c.mark).where(*mine).limit(1))
        connection.execute(update(held).where(*mine).values(result=ENDED, resolved=row["received"]))
        return mark

    def release(self, now: float, tell: Callable[[Connection, Row], None]) -> list[Row]:
        """Raise what was held back and goes on although its quiet time, or mute, is over; return these events.

        `tell` does, in the same transaction, what storing an alert does: notifications, and its case.
        """
        with self.engine.connect() as connection:
            waiting = connection.execute(select(held).where(held.c.result == HELD)).all()
        raised = []
        for one in waiting:
            if self._holds(one, now):
                continue
            with self.engine.begin() as connection:
                mine = (held.c.event_id == one.event_id, held.c.result == HELD)
                done = connection.execute(update(held).where(*mine).values(result=RAISED, resolved=now)).rowcount
                found = connection.execute(select(events).where(events.c.id == one.event_id)).mappings().first()
                if done and found is not None:
                    row = dict(found) | {"quiet": one.mark, "received": now}
                    tell(connection, row)
                    raised.append(row)
        return raised

    @staticmethod
    def marks(connection: Connection, event_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return of events that were held back what is noted beside them, and whether they were raised."""
        found = connection.execute(select(held).where(held.c.event_id.in_(event_ids)))
        return {row.event_id: (row.mark, row.result) for row in found}

    def history(self, since: float, until: float) -> list[Row]:
        """Return the quiet times that counted within a span, also those removed since, for reports."""
        there = or_(quiet_times.c.removed.is_(None), quiet_times.c.removed > since)
        with self.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(select(quiet_times).where(there)).mappings()]
        found = []
        for row in rows:
            entry = Entry.from_json(row["entry"])
            about = {name: row[name] for name in ("site", "node", "kind")} | {"title": entry.title}
            ends = min(until, row["removed"] or until)
            found += [about | {"start": start, "end": end} for start, end in spans(entry, since, ends)]
        return sorted(found, key=lambda one: (one["start"], one["site"], one["node"]))


def _public(row: Row, now: float) -> Row:
    entry = Entry.from_json(row["entry"])
    ahead = [list(span) for span in spans(entry, now, now + AHEAD_S)][:3]
    kept = {name: row[name] for name in ("id", "site", "node", "kind", "added", "added_by")}
    return kept | {
        "title": entry.title, "zone": entry.zone, "rule": entry.rule or "", "start": entry.start,
        "seconds": entry.seconds, "next": ahead, "now": bool(ahead) and ahead[0][0] <= now,
    }  # fmt: skip

"""Stores quiet times: when noise is expected at a node or a site."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, insert, or_, select, update

from leakear.dashboard.fleet.node import Key
from leakear.dashboard.history.rows import Row
from leakear.dashboard.history.tables import actions
from leakear.dashboard.quiet.calendar import KINDS, Entry, spans
from leakear.dashboard.quiet.tables import quiet_times
from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import uuid7

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
    """The quiet time, or mute, that a node is in."""

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

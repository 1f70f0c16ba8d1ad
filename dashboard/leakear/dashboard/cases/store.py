"""Stores cases: every change once, with who and when, and none over another that its author has not seen."""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from leakear.dashboard.cases import room
from leakear.dashboard.cases.changes import BY_HAND, REPAIRED, Change, after_leak, change
from leakear.dashboard.cases.figures import figures, water_lost
from leakear.dashboard.fleet import Key
from leakear.dashboard.history.case_tables import case_changes, case_photos, cases
from leakear.dashboard.history.nights import judged_nights, rising_since
from leakear.dashboard.history.rows import Row
from leakear.dashboard.history.tables import events
from leakear.dashboard.nights.repair_check import HELD, NOISE_STAYS, check_repair
from leakear.edge.background.own_limit import DAYS
from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import uuid7

ITSELF = "leakear"
"""who changes a case where nobody did"""
SHOWN = 500
"""cases of one answer"""
LEAKS = 100
"""further LEAKs that a case notes; those beyond are in the log alone"""
TRIES = 3
"""for a case that somebody else changes at the same moment"""
log = logging.getLogger(__name__)
OnChange = Callable[[Connection, Mapping[str, Any], Mapping[str, Any]], None]
"""takes the case as it is after a change, and the change"""


class Conflict(InputDataError):  # noqa: N818 - it is an expected result, not a failure
    """Somebody else has changed the case meanwhile; `case` is how it stands now."""

    def __init__(self, case: Row) -> None:
        last = case["changes"][-1]
        super().__init__(f"{last['who']} has changed this case meanwhile ({last['what']}): look at it and save again.")
        self.case = case


class Cases:
    """Reads and changes cases. Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.on_change: OnChange = lambda *_: None
        """what else is done in the transaction that changes a case"""

    # ---- opening

    def on_event(self, connection: Connection, row: Row) -> None:
        """Open a case for a LEAK, in the transaction that stores its event; an open case of the node notes it."""
        if row["kind"] != "state" or not row["alert"] or row["to_state"] != "LEAK":
            return
        for _ in range(TRIES):
            with suppress(IntegrityError), connection.begin_nested():  # never lose an event to a case
                self._note_leak(connection, row)
                return
        log.error("no case could be opened or changed for the leak at %s/%s", row["site"], row["node"])

    def _note_leak(self, connection: Connection, row: Row) -> None:
        going = self._going(connection, (row["site"], row["node"]))
        if going is None:
            since, why = self._with_nights(connection, (row["site"], row["node"]), row["happened"], row["reason"])
            case = _new((row["site"], row["node"]), ITSELF, row["received"], since, row["id"], why)
            self._insert(connection, case, request=row["id"], note=row["reason"])
            return
        what = after_leak(going, row["happened"])
        if what == "note" and self._leaks(connection, going["id"]) >= LEAKS:
            return
        made = change(going, what, {"note": row["reason"][:2000]}, row["received"])
        self._apply(connection, going, made, who=ITSELF, request=row["id"], now=row["received"])

    @staticmethod
    def _leaks(connection: Connection, case_id: str) -> int:
        """Count the further LEAKs that a case has noted."""
        mine = (case_changes.c.case_id == case_id, case_changes.c.who == ITSELF, case_changes.c.what == "note")
        return connection.scalar(select(func.count()).where(*mine)) or 0

    def open(self, key: Key, who: str, request: str, event_id: str | None = None, note: str = "") -> Row:
        """Open a case by hand, or return the one that is open at this node. Raises InputDataError."""
        now = time.time()
        try:
            with self.engine.begin() as connection:
                going = self._going(connection, key)
                if going is None:
                    since, why = self._suspicion(connection, event_id, now)
                    since, certainty = self._with_nights(connection, key, since, why)
                    case = _new(key, who, now, since, event_id, certainty)
                    self._insert(connection, case, request=request, note=note)
                    going = case
        except IntegrityError:  # somebody else was faster
            with self.engine.connect() as connection:
                going = self._going(connection, key)
            if going is None:
                raise
        found = self.get(str(going["id"]))
        assert found is not None
        return found

    @staticmethod
    def _with_nights(connection: Connection, key: Key, since: float, why: str) -> tuple[float, str]:
        """Add what the nights know: a leak may have begun days before it was noticed."""
        rising = rising_since(connection, key)
        if rising is None:
            return since, why
        return min(since, rising[0]), f"{why}; {rising[1]}" if why else rising[1]

    @staticmethod
    def _suspicion(connection: Connection, event_id: str | None, now: float) -> tuple[float, str]:
        """Return since when a leak is suspected, and why, by the event that led to it."""
        if event_id is None:
            return now, ""
        found = connection.execute(select(events).where(events.c.id == event_id)).first()
        if found is None:
            raise InputDataError("This alert is not known.")
        return float(found.happened), str(found.reason)

    def going(self, key: Key) -> Row | None:
        """Return the case that is open at a node; None: none is."""
        with self.engine.connect() as connection:
            return self._going(connection, key)

    @staticmethod
    def _going(connection: Connection, key: Key) -> Row | None:
        mine = (cases.c.site == key[0], cases.c.node == key[1], cases.c.closed.is_(None))
        found = connection.execute(select(cases).where(*mine)).mappings().first()
        return None if found is None else dict(found)

    def _insert(self, connection: Connection, case: Row, *, request: str, note: str) -> None:
        connection.execute(insert(cases).values(**case))
        first = _change_row(
            case, 1, Change("open", {}, note[:2000]), who=case["opened_by"], request=request, now=case["opened"]
        )
        connection.execute(insert(case_changes).values(**first))
        self.on_change(connection, case, first)

    # ---- changing

    def change(
        self, case_id: str, who: str, request: str, *, version: int, what: str, given: Mapping[str, Any]
    ) -> Row | None:
        """Take a step; return the case, None: there is none of this id. The same `request` again changes nothing.

        Raises Conflict where `version` is not the present one, InputDataError for what the case does not allow.
        """
        if what not in BY_HAND:
            raise InputDataError(f"A case has no step {str(what)[:40]!a}: use {', '.join(BY_HAND)}.")
        try:
            with self.engine.begin() as connection:
                rows = connection.execute(select(cases).where(cases.c.id == case_id)).mappings().all()
                if not rows:
                    return None
                case = dict(rows[0])
                if not self._asked_before(connection, case_id, request):
                    if case["version"] != version:
                        raise Conflict(self._with_changes(connection, [case])[0])
                    made = change(case, what, given, time.time())
                    room.check(connection, case, made)
                    self._apply(connection, case, made, who=who, request=request, now=time.time())
        except IntegrityError:  # another change of this version, or another open case of the node, was faster
            present = self.get(case_id)
            if present is not None and present["version"] != version:
                raise Conflict(present) from None
            raise InputDataError("Another case of this node is open: use that one.") from None
        return self.get(case_id)

    @staticmethod
    def _asked_before(connection: Connection, case_id: str, request: str) -> bool:
        same = (case_changes.c.case_id == case_id, case_changes.c.request == request)
        return connection.execute(select(case_changes.c.version).where(*same)).first() is not None

    def _apply(self, connection: Connection, case: Row, made: Change, *, who: str, request: str, now: float) -> None:
        """Write a change; the version must still be the one that was read. Raises IntegrityError when it is not."""
        version = case["version"] + 1
        changed = _change_row(case, version, made, who=who, request=request, now=now)
        connection.execute(insert(case_changes).values(**changed))
        mine = (cases.c.id == case["id"], cases.c.version == case["version"])
        connection.execute(update(cases).where(*mine).values(**made.values, version=version))
        if made.photo is not None:
            kind, content = made.photo
            row = {"case_id": case["id"], "version": version, "media_type": kind, "content": content}
            connection.execute(insert(case_photos).values(**row))
        self.on_change(connection, {**case, **made.values, "version": version}, changed)

    # ---- nights after a repair

    def check_repairs(self, key: Key | None = None) -> list[Row]:
        """Look at the nights after each repair (of one node, or of all); return the cases that changed.

        A repair that held ends its case; where the noise stays the case is opened again.
        """
        mine = [cases.c.status == REPAIRED, cases.c.closed.is_(None)]
        if key is not None:
            mine += [cases.c.site == key[0], cases.c.node == key[1]]
        with self.engine.connect() as connection:
            waiting = [dict(row) for row in connection.execute(select(cases).where(*mine)).mappings()]
        return [changed for case in waiting if (changed := self._check(case)) is not None]

    def _check(self, case: Row) -> Row | None:
        result, last = self._after_repair(case)
        if result not in (HELD, NOISE_STAYS):
            return None
        what, note = ("verify", "the nights after the repair are as before the leak")
        if result == NOISE_STAYS:
            what, note = "reopen", "the noise stays in the nights after the repair"
        made = change(case, what, {"note": note}, time.time())
        try:
            with self.engine.begin() as connection:
                self._apply(connection, case, made, who=ITSELF, request=f"nights-{last}", now=time.time())
        except IntegrityError:  # somebody changed it meanwhile: the next look decides
            return None
        return self.get(case["id"])

    def _after_repair(self, case: Row) -> tuple[str, int]:
        """Return what the nights say of a repair, and the last night that was looked at."""
        with self.engine.connect() as connection:
            rows = judged_nights(connection, (case["site"], case["node"]))
        begins, levels = np.array([row.first for row in rows]), np.array([row.level for row in rows], np.float64)
        before, after = begins < case["since"], begins > case["repaired"]
        result = check_repair(levels[before][-DAYS:], levels[~before & ~after], levels[after])
        return result, rows[-1].day if rows else 0

    def sweep(self, before: float) -> None:
        """Delete the cases that were closed before this time."""
        with self.engine.begin() as connection:
            room.sweep(connection, before)

    # ---- reading

    def get(self, case_id: str) -> Row | None:
        """Return a case with its changes."""
        with self.engine.connect() as connection:
            found = connection.execute(select(cases).where(cases.c.id == case_id)).mappings().all()
            return self._with_changes(connection, [dict(row) for row in found])[0] if found else None

    def page(self, which: str = "open") -> list[Row]:
        """Return cases, the open ones or all, the newest first."""
        found = select(cases).order_by(cases.c.opened.desc(), cases.c.id.desc()).limit(SHOWN)
        if which == "open":
            found = found.where(cases.c.closed.is_(None))
        with self.engine.connect() as connection:
            return self._with_changes(connection, [dict(row) for row in connection.execute(found).mappings()])

    def figures(self) -> dict[str, Any]:
        """Return the figures over all cases."""
        with self.engine.connect() as connection:
            return figures([dict(row) for row in connection.execute(select(cases)).mappings()])

    def repairs(self, key: Key, since: float) -> list[float]:
        """Return when this node's leaks were repaired, also those whose case was opened again."""
        mine = (cases.c.site == key[0], cases.c.node == key[1], case_changes.c.what == "repair")
        found = select(case_changes.c.details).join(cases, cases.c.id == case_changes.c.case_id).where(*mine)
        with self.engine.connect() as connection:
            at = [float(json.loads(text)["repaired"]) for text in connection.scalars(found)]
        return sorted(moment for moment in at if moment >= since)

    def photo(self, case_id: str, version: int) -> tuple[str, bytes] | None:
        """Return media type and content of the photo that a change brought."""
        mine = (case_photos.c.case_id == case_id, case_photos.c.version == version)
        with self.engine.connect() as connection:
            found = connection.execute(select(case_photos).where(*mine)).first()
        return None if found is None else (str(found.media_type), bytes(found.content))

    @staticmethod
    def _with_changes(connection: Connection, rows: Sequence[Row]) -> list[Row]:
        wanted = [row["id"] for row in rows]
        made: dict[str, list[Row]] = {case_id: [] for case_id in wanted}
        photos = select(case_photos.c.case_id, case_photos.c.version).where(case_photos.c.case_id.in_(wanted))
        pictured = {(row.case_id, row.version) for row in connection.execute(photos)}
        found = select(case_changes).where(case_changes.c.case_id.in_(wanted)).order_by(case_changes.c.version)
        for row in connection.execute(found).mappings():
            one = {name: row[name] for name in ("version", "at", "who", "what", "note")}
            one |= {"details": json.loads(row["details"]), "photo": (row["case_id"], row["version"]) in pictured}
            made[row["case_id"]].append(one)
        return [row | {"water": water_lost(row), "changes": made[row["id"]]} for row in rows]


def _new(key: Key, who: str, now: float, since: float, event_id: str | None, certainty: str) -> Row:
    return {
        "id": uuid7(now), "version": 1, "site": key[0], "node": key[1], "status": "open", "opened": now,
        "opened_by": who, "event_id": event_id, "since": since, "certainty": certainty, "pipe": "", "position": "",
        "assigned_to": "", "visited": None, "outcome": "", "latitude": None, "longitude": None, "repaired": None,
        "flow_low": None, "flow_high": None, "reopened": 0, "closed": None,
    }  # fmt: skip


def _change_row(case: Row, version: int, made: Change, *, who: str, request: str, now: float) -> Row:
    return {
        "case_id": case["id"], "version": version, "at": now, "who": who, "what": made.what, "note": made.note,
        "details": json.dumps(made.values), "request": request,
    }  # fmt: skip

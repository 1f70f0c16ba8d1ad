"""The log of alerts: who acknowledged an alert, the verdict, and its note."""

import time
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, or_, select, update

from leakear.dashboard.fleet import Key
from leakear.dashboard.history import History, Row, public
from leakear.dashboard.history.rows import NIGHT
from leakear.dashboard.history.tables import events, nodes
from leakear.dashboard.history.verdicts import Verdict
from leakear.edge.errors import InputDataError

MAX_NOTE = 2000
"""characters"""
OPEN = 10
"""open alerts of a node that its page shows above everything"""
PAGE = 100
"""alerts per page"""
Span = tuple[float, float]
EVER: Span = (0.0, 1e12)
MATERIALS = ("", "Metal", "NonMetal")
"""of the pipe, with the values of the training manifest"""


FILTERS: dict[str, ColumnElement[bool]] = {
    "open": events.c.alert & events.c.acknowledged.is_(None),
    "alerts": events.c.alert,
    "leaks": events.c.alert & (events.c.to_state == "LEAK"),
    "judged": events.c.verdict.is_not(None),
    "all": events.c.kind != NIGHT,
}


class Alerts:
    """Reads and changes the log. Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine, history: History) -> None:
        self.engine = engine
        self.history = history

    def page(
        self, which: str = "open", search: str = "", before: str | None = None, *, span: Span = EVER, most: int = PAGE
    ) -> list[Row]:
        """One page of the log, the newest first; `before` is the id of the last event of the previous page.

        `span`: beginning and end, POSIX seconds. Raises InputDataError.
        """
        if which not in FILTERS:
            raise InputDataError(f"The log has no filter {which!a}: use {', '.join(FILTERS)}.")
        found = select(events).where(FILTERS[which], events.c.happened >= span[0], events.c.happened < span[1])
        if search:
            text = f"%{_literal(search)}%"
            found = found.where(
                or_(*(c.ilike(text, escape="\\") for c in (events.c.site, events.c.node, events.c.note)))
            )
        if before is not None:
            last = select(events.c.happened).where(events.c.id == before).scalar_subquery()
            same = and_(events.c.happened == last, events.c.id < before)
            found = found.where(or_(events.c.happened < last, same))
        found = found.order_by(events.c.happened.desc(), events.c.id.desc()).limit(most)
        with self.engine.connect() as connection:
            return self.history.with_clips(connection, [public(row) for row in connection.execute(found).mappings()])

    def open_of(self, key: Key) -> list[Row]:
        """Return the alerts of a node that nobody has acknowledged, the newest first."""
        mine = (FILTERS["open"], events.c.site == key[0], events.c.node == key[1])
        found = select(events).where(*mine).order_by(events.c.happened.desc(), events.c.id.desc()).limit(OPEN)
        with self.engine.connect() as connection:
            return self.history.with_clips(connection, [public(row) for row in connection.execute(found).mappings()])

    def get(self, event_id: str) -> Row | None:
        """One event."""
        with self.engine.connect() as connection:
            found = connection.execute(select(events).where(events.c.id == event_id)).mappings().first()
            return None if found is None else self.history.with_clips(connection, [public(found)])[0]

    def acknowledge(self, event_id: str, who: str) -> Row | None:
        """Record that `who` has seen the alert; only the first acknowledgement is kept."""
        with self.engine.begin() as connection:
            seen = (events.c.id == event_id, events.c.acknowledged.is_(None))
            connection.execute(update(events).where(*seen).values(acknowledged=time.time(), acknowledged_by=who))
        self.history.record_action(who, "acknowledge", event_id)
        return self.get(event_id)

    def judge(self, event_id: str, who: str, verdict: str, note: str, material: str) -> Row | None:
        """Record what was found on site, which acknowledges the alert; None: there is none. Raises InputDataError."""
        if verdict not in list(Verdict):
            raise InputDataError(f"The verdict is {verdict!a}: use {', '.join(Verdict)}.")
        if material not in MATERIALS:
            raise InputDataError(f"The material is {material!a}: use Metal, NonMetal or nothing.")
        if len(note) > MAX_NOTE:
            raise InputDataError(f"The note has {len(note)} characters; {MAX_NOTE} are kept.")
        values: dict[str, Any] = {
            "verdict": verdict, "verdict_by": who, "verdict_at": time.time(), "note": note, "material": material,
        }  # fmt: skip
        row = self.history.change_event(event_id, values)
        if row is None:
            return None
        with self.engine.begin() as connection:
            mine = (nodes.c.site == row["site"], nodes.c.node == row["node"])
            connection.execute(update(nodes).where(*mine).values(material=material))
        self.history.record_action(who, "verdict", event_id, verdict)
        return self.acknowledge(event_id, who)

    def judged(self) -> list[Row]:
        """Return confirmed leaks and false alarms for training, the oldest first."""
        useful = events.c.verdict.in_([Verdict.LEAK, Verdict.FALSE_ALARM])
        with self.engine.connect() as connection:
            found = connection.execute(select(events).where(useful).order_by(events.c.happened)).mappings()
            return [public(row) for row in found]


def _literal(text: str) -> str:
    """Escape the wildcards of LIKE, so that % and _ are searched literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

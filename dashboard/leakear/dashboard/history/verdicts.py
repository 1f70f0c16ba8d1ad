"""What people have judged, and the nodes whose present alert is no leak."""

from enum import StrEnum

from sqlalchemy import Connection, select

from leakear.dashboard.fleet.node import Key
from leakear.dashboard.history.tables import events


class Verdict(StrEnum):
    """What was found on site."""

    LEAK = "leak"
    FALSE_ALARM = "false-alarm"
    UNKNOWN = "unknown"


def judged_states(connection: Connection) -> dict[Key, tuple[str, float]]:
    """Return the state of every node whose last change was judged to be a false alarm, and when that began."""
    later = events.alias()
    overtaken = (
        select(later.c.id)
        .where(later.c.site == events.c.site, later.c.node == events.c.node, later.c.happened > events.c.happened)
        .where(later.c.kind == "state", later.c.from_state != later.c.to_state)
    )
    changes = (events.c.kind == "state", events.c.from_state != events.c.to_state)
    found = select(events.c.site, events.c.node, events.c.to_state, events.c.window_end).where(
        events.c.verdict == Verdict.FALSE_ALARM, *changes, ~overtaken.exists()
    )
    return {(row.site, row.node): (row.to_state, row.window_end) for row in connection.execute(found)}

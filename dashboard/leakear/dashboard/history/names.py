"""Nodes that were renamed: a node says so itself, with an event of kind `fault` under its new name (decision 81)."""

import re

from sqlalchemy import Connection, select

from leakear.dashboard.fleet.node import Key
from leakear.dashboard.history.tables import events

RENAMED = re.compile(r"This node was ([^/ ]+)/([^/ ]+) until now: ")
"""the event's reason: the former site and node"""


def present_names(connection: Connection, since: float) -> dict[Key, Key]:
    """Return former name → present name of the nodes that were renamed since a time, POSIX seconds."""
    mine = (events.c.happened >= since, events.c.kind == "fault", events.c.reason.startswith("This node was "))
    found = select(events.c.site, events.c.node, events.c.reason).where(*mine).order_by(events.c.received)
    following: dict[Key, Key] = {}
    for row in connection.execute(found):
        if told := RENAMED.match(row.reason):
            following.pop((row.site, row.node), None)  # it is back at a name that it had before
            following[told[1], told[2]] = (row.site, row.node)
    return {former: _last(following, former) for former in following}


def _last(following: dict[Key, Key], key: Key) -> Key:
    seen = {key}
    while (after := following.get(key)) is not None and after not in seen:
        seen.add(after)
        key = after
    return key

"""Pending notifications: alerts that must still be sent to an address, stored in the database until they are."""

from collections.abc import Sequence

from sqlalchemy import Engine, RowMapping, and_, delete, func, select, update

from leakear.dashboard.fleet.admission import NEW_S
from leakear.dashboard.history import Row, public
from leakear.dashboard.history.rows import QUIET
from leakear.dashboard.history.tables import events, nodes, notices
from leakear.dashboard.quiet.tables import held

MOST = 500
"""alerts in one message"""


class Notifications:
    """Reads and changes the rows that `History.record` has added. Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def next(self, address: str, limit: int = MOST) -> list[Row]:
        """Return alerts for this address, those first that failed least often, then the oldest.

        `known`: whether the node of an alert has been heard over a day; `received`: of one that was held back, when it
        was raised, so that it is not too old at once.
        """
        node = and_(nodes.c.site == events.c.site, nodes.c.node == events.c.node)
        known = (nodes.c.last_seen - nodes.c.first_seen >= NEW_S).label("known")
        since = func.coalesce(held.c.resolved, events.c.received).label("since")
        mine = select(events, known, since, held.c.mark).join(notices, notices.c.event_id == events.c.id)
        mine = mine.outerjoin(nodes, node).outerjoin(held, held.c.event_id == events.c.id)
        mine = mine.where(notices.c.way == address).order_by(notices.c.tries, since, events.c.received, events.c.id)
        with self.engine.connect() as connection:
            found = connection.execute(mine.limit(limit)).mappings().all()
        return [_notice(row) for row in found]

    def done(self, event_ids: Sequence[str], address: str) -> None:
        """Remove notifications that were sent or given up."""
        with self.engine.begin() as connection:
            connection.execute(delete(notices).where(notices.c.event_id.in_(event_ids), notices.c.way == address))

    def failed(self, event_ids: Sequence[str], address: str) -> None:
        """Count a failure, so that the other alerts of this address come first."""
        mine = (notices.c.event_id.in_(event_ids), notices.c.way == address)
        with self.engine.begin() as connection:
            connection.execute(update(notices).where(*mine).values(tries=notices.c.tries + 1))

    def waiting(self, address: str) -> int:
        """Return how many alerts wait for this address."""
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).where(notices.c.way == address)) or 0

    def keep_only(self, addresses: Sequence[str]) -> None:
        """Delete notifications for all other addresses."""
        with self.engine.begin() as connection:
            connection.execute(delete(notices).where(notices.c.way.not_in(addresses)))


def _notice(found: RowMapping) -> Row:
    row = public(found)
    mark, since = row.pop("mark"), row.pop("since")
    return row | {"known": bool(row["known"]), "received": since, QUIET: mark}

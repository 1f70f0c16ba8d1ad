"""Pending notifications: alerts that must still be sent to an address, stored in the database until they are."""

from collections.abc import Sequence

from sqlalchemy import Engine, delete, func, select, update

from leakear.dashboard.history import Row, public
from leakear.dashboard.history.tables import events, notices


class Notifications:
    """Reads and changes the rows that `History.record` has added. Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def next(self, address: str) -> Row | None:
        """Return the next alert for this address: the oldest of those that failed least often; None without one."""
        mine = select(events).join(notices, notices.c.event_id == events.c.id).where(notices.c.way == address)
        with self.engine.connect() as connection:
            found = connection.execute(mine.order_by(notices.c.tries, events.c.received, events.c.id).limit(1))
            row = found.mappings().first()
            return None if row is None else public(row)

    def done(self, event_id: str, address: str) -> None:
        """Remove a notification that was sent or given up."""
        with self.engine.begin() as connection:
            connection.execute(delete(notices).where(notices.c.event_id == event_id, notices.c.way == address))

    def failed(self, event_id: str, address: str) -> None:
        """Count a failure, so that the other alerts of this address come first."""
        mine = (notices.c.event_id == event_id, notices.c.way == address)
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

"""Which alerts somebody has still to be told of, and by which address: kept in the database until it is done."""

from collections.abc import Sequence

from sqlalchemy import Engine, delete, func, select, update

from leakear.dashboard.history import Row, public
from leakear.dashboard.tables import events, notices


class Notices:
    """Reads and changes what `History.record` has noted. Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def next(self, way: str) -> Row | None:
        """Give the alert to tell next by this address: the oldest of those that failed least often."""
        mine = select(events).join(notices, notices.c.event_id == events.c.id).where(notices.c.way == way)
        with self.engine.connect() as connection:
            found = connection.execute(mine.order_by(notices.c.tries, events.c.received, events.c.id).limit(1))
            row = found.mappings().first()
            return None if row is None else public(row)

    def done(self, event_id: str, way: str) -> None:
        """Note that it was told, or that nothing will come of it."""
        with self.engine.begin() as connection:
            connection.execute(delete(notices).where(notices.c.event_id == event_id, notices.c.way == way))

    def failed(self, event_id: str, way: str) -> None:
        """Put it behind the others, so that one message cannot block the rest."""
        mine = (notices.c.event_id == event_id, notices.c.way == way)
        with self.engine.begin() as connection:
            connection.execute(update(notices).where(*mine).values(tries=notices.c.tries + 1))

    def waiting(self, way: str) -> int:
        """How many alerts wait for this address."""
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).where(notices.c.way == way)) or 0

    def keep_only(self, ways: Sequence[str]) -> None:
        """Drop what waits for addresses that are no longer wanted."""
        with self.engine.begin() as connection:
            connection.execute(delete(notices).where(notices.c.way.not_in(ways)))

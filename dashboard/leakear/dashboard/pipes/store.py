"""Keeps the pipes. Who made and changed one is stored with it, and in the log of actions."""

import json
import time
from collections.abc import Sequence

from sqlalchemy import Engine, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from leakear.dashboard.fleet import Key
from leakear.dashboard.history import History, Row
from leakear.dashboard.pipes.description import Described
from leakear.dashboard.pipes.tables import locations, pipes
from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import uuid7

MOST = 5000
"""pipes"""


class Pipes:
    """Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine, history: History) -> None:
        self.engine = engine
        self._history = history

    def all(self) -> list[Row]:
        """All pipes, by the names of their nodes."""
        return self._rows(select(pipes).order_by(pipes.c.pair))

    def of_nodes(self, keys: Sequence[Key]) -> list[Row]:
        """Return the pipes that end at one of these nodes."""
        ends = [
            (site == key[0]) & (node == key[1])
            for key in keys
            for site, node in ((pipes.c.site_a, pipes.c.node_a), (pipes.c.site_b, pipes.c.node_b))
        ]
        return self._rows(select(pipes).where(or_(*ends)).order_by(pipes.c.pair)) if ends else []

    def automatic(self) -> list[Row]:
        """Return the pipes that are also correlated at night."""
        return self._rows(select(pipes).where(pipes.c.automatic).order_by(pipes.c.pair))

    def get(self, pipe_id: str) -> Row | None:
        """One pipe."""
        found = self._rows(select(pipes).where(pipes.c.id == pipe_id))
        return found[0] if found else None

    def add(self, described: Described, who: str) -> Row:
        """Store a new pipe. Raises InputDataError when there is one between these nodes."""
        now = time.time()
        made = {"id": uuid7(now), "made": now, "made_by": who, "changed": now, "changed_by": who}
        row = {**described.columns(), **made}
        try:
            with self.engine.begin() as connection:
                if (connection.scalar(select(func.count()).select_from(pipes)) or 0) >= MOST:
                    raise InputDataError(f"There are {MOST} pipes: remove one that is not used.")
                connection.execute(insert(pipes).values(**row))
        except IntegrityError as error:
            raise InputDataError("There is a pipe between these two nodes already: change that one.") from error
        self._note(who, "pipe.add", row)
        return row

    def change(self, pipe_id: str, described: Described, who: str) -> Row | None:
        """Change a pipe; None when there is none of this id. What was located on it stays as it was.

        Raises InputDataError where there is a pipe between these nodes already.
        """
        values = {**described.columns(), "changed": time.time(), "changed_by": who}
        try:
            with self.engine.begin() as connection:
                connection.execute(update(pipes).where(pipes.c.id == pipe_id).values(**values))
        except IntegrityError as error:
            raise InputDataError("There is a pipe between these two nodes already: change that one.") from error
        row = self.get(pipe_id)
        if row is not None:
            self._note(who, "pipe.change", row)
        return row

    def remove(self, pipe_id: str, who: str) -> bool:
        """Remove a pipe and what was located on it; False when there is none of this id."""
        row = self.get(pipe_id)
        if row is None:
            return False
        with self.engine.begin() as connection:
            connection.execute(delete(locations).where(locations.c.pipe == pipe_id))
            connection.execute(delete(pipes).where(pipes.c.id == pipe_id))
        self._note(who, "pipe.remove", row)
        return True

    def _note(self, who: str, what: str, row: Row) -> None:
        said = {name: row[name] for name in ("length", "material", "diameter", "wall", "speed_low", "speed_high")}
        self._history.record_action(who, what, row["pair"], json.dumps({**said, "automatic": row["automatic"]}))

    def _rows(self, statement: object) -> list[Row]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]  # type: ignore[call-overload]


def ends(row: Row) -> tuple[Key, Key]:
    """Nodes A and B of a pipe."""
    return (row["site_a"], row["node_a"]), (row["site_b"], row["node_b"])

"""Stores events, raises them and acknowledges them, in a thread that waits for nothing that pages ask for."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from leakear.dashboard.alerting.raising import Raising
from leakear.dashboard.broker.subscriber import Incoming
from leakear.dashboard.fleet import Fleet, Node
from leakear.dashboard.history import History, Row
from leakear.dashboard.server.hub import Hub

log = logging.getLogger(__name__)

T = TypeVar("T")


class Storing:
    """The events that wait to be stored, and the thread that stores them."""

    def __init__(self, history: History, fleet: Fleet, hub: Hub, acknowledge: Callable[[list[Incoming]], None]) -> None:
        self.trouble: str | None = None
        """one sentence while the database refuses events"""
        self._history, self._fleet, self._hub, self._acknowledge = history, fleet, hub, acknowledge
        self._thread = ThreadPoolExecutor(1, "storing")
        self._waiting: list[tuple[Row, Incoming | None]] = []

    @property
    def waits(self) -> bool:
        """Whether there is an event to store."""
        return bool(self._waiting)

    def add(self, row: Row, source: Incoming | None) -> None:
        """Add an event. `source`: the delivery to acknowledge when it is stored; None: no node sent it."""
        self._waiting.append((row, source))

    async def store(self, raising: Raising, now: float) -> None:
        """Store the waiting events, then acknowledge them. When the database fails, the broker still has them.

        `now`: POSIX seconds.
        """
        batch, self._waiting = self._waiting, []
        rows = [row for row, _ in batch]
        try:
            new = await self.run(self._history.record, rows, raising.addresses)
            await raising.announce(new)
            await self.run(self._history.save_nodes, self.note_sequence(rows, new), now)
            self.trouble = None
        except SQLAlchemyError as error:
            self._waiting = batch + self._waiting
            self.trouble = f"The history cannot be written: {getattr(error, 'orig', error)}."
            log.exception("the history cannot be written")
            return
        self._acknowledge([source for _, source in batch if source is not None])

    def note_sequence(self, rows: list[Row], new: list[Row]) -> list[Node]:
        """Note the numbers of events, of which `new` were not known; return the nodes that changed."""
        changed = self._fleet.note_sequence(rows, {row["id"] for row in new})
        for node in changed:
            self._hub.changed(node)
        return changed

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Do something blocking in the thread that stores events."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def close(self) -> None:
        """Wait for what is being stored, and end the thread."""
        self._thread.shutdown()

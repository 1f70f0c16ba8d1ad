"""What the other servers of the same database tell: applied to what this one holds, and shown to its pages."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from leakear.dashboard.accounts.throttle import LogInLimits
from leakear.dashboard.alerting.raising import Raising
from leakear.dashboard.fleet import Key
from leakear.dashboard.history import Row
from leakear.dashboard.ingest.arrivals import event_of
from leakear.dashboard.map.town import Town
from leakear.dashboard.quiet.store import QuietTimes
from leakear.dashboard.server.hub import Hub
from leakear.edge.messages.reports import Event, Identity

log = logging.getLogger(__name__)
AGAIN_S = 1.0
"""until a failed database is tried again"""


class Held(Protocol):
    """What a server holds in memory."""

    hub: Hub
    raising: Raising
    town: Town
    quiet: QuietTimes
    tries: LogInLimits

    def follow(self, who: Identity, message: Event, now: float) -> bool:
        """Apply an event to the fleet."""

    def take_out(self, key: Key) -> bool:
        """Let a node leave the fleet."""


class Peers:
    """Applies messages. Called in the event loop."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._tasks: set[asyncio.Task[None]] = set()
        self._special: dict[str, Callable[[dict[str, Any]], None]] = {
            "events": self._events, "alert": self._alert, "map": self._map, "quiet": self._quiet,
            "forgotten": self._forgotten, "try": self._try, "anew": lambda _: self.anew(),
        }  # fmt: skip

    def take(self, message: dict[str, Any]) -> None:
        """Apply a message, and show it to the pages unless it is between servers alone."""
        try:
            self._special.get(message["t"], self._held.hub.tell)(message)
        except Exception:  # of a server of another version
            log.exception("a message of another server cannot be used")

    def anew(self) -> None:
        """Read what others may have changed, and let all pages begin anew: what was told meanwhile did not come."""
        self._held.town.places.moved += 1
        self._held.town.places.version += 1
        self._quiet({})
        self._held.hub.close()

    def _events(self, message: dict[str, Any]) -> None:
        now = time.time()
        # What the other server found itself (a silence), or raises after it was held back, is no sign of life.
        for row in (row for row in message["rows"] if row["seq"] is not None and row["held"] != "raised"):
            self._held.follow(Identity(row["site"], row["node"]), event_of(_stored(row)), now)
        self._held.hub.tell(message)

    def _alert(self, message: dict[str, Any]) -> None:
        self._held.hub.tell(message)
        if message["row"]["verdict"]:
            self._later(self._held.raising.note_verdict(message["row"]))

    def _map(self, message: dict[str, Any]) -> None:
        self._held.town.places.moved += 1
        self._held.town.places.version += 1
        self._held.hub.tell(message)

    def _quiet(self, _message: dict[str, Any]) -> None:
        async def read() -> None:
            while True:
                try:
                    await asyncio.to_thread(self._held.quiet.read)
                    break
                except SQLAlchemyError as error:
                    log.warning("quiet times cannot be read: %s", getattr(error, "orig", error))
                    await asyncio.sleep(AGAIN_S)
            self._held.raising.show_quiet()

        self._later(read())

    def _forgotten(self, message: dict[str, Any]) -> None:
        self._held.take_out((message["site"], message["node"]))

    def _try(self, message: dict[str, Any]) -> None:
        self._held.tries.elsewhere(message["name"], message["address"], time.monotonic())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _stored(row: Row) -> Row:
    return row | {"faults": json.dumps(row["faults"])}

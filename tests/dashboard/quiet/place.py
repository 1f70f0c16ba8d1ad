"""One place on one database: events, cases and quiet times, tied together as the service does."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leakear.dashboard.alerting.notifications import Notifications
from leakear.dashboard.alerting.notifier import Notifier
from leakear.dashboard.alerting.raising import Raising
from leakear.dashboard.cases.store import Cases
from leakear.dashboard.fleet import Fleet
from leakear.dashboard.history import History, event_row, presence_row
from leakear.dashboard.history.rows import Row
from leakear.dashboard.quiet.store import QuietTimes
from leakear.dashboard.server.hub import Hub
from leakear.edge.messages.reports import Event, Identity, ModelRef, State, utc_text, uuid7

KEY = ("site-a", "pit-1")
NOW = time.time()
MODEL = ModelRef(id="m", sha256="0" * 64)


def leak(at: float, seq: int, from_state: str = "WARNING", to_state: str = "LEAK") -> Event:
    """An event of the node: from one state to another."""
    return Event(
        id=uuid7(at), seq=seq, site=KEY[0], node=KEY[1], kind="state", from_state=from_state, to_state=to_state,
        reason="went on for 15 min after WARNING", window_start=utc_text(at - 10), window_end=utc_text(at),
        clock_synced=True, model=MODEL,
    )  # fmt: skip


class _Deaf:
    """Stands where pipes are told of new events."""

    def heard(self, new: list[Row]) -> None:
        """Take new events."""


async def _here(work: Callable[..., Any], *arguments: object) -> Any:
    return work(*arguments)


class Place:
    """A dashboard without its broker; one address is told of alerts."""

    def __init__(self, engine: Any, folder: Path) -> None:
        self.engine, self.history, self.cases, self.quiet = engine, History(engine), Cases(engine), QuietTimes(engine)
        self._urls = folder / "notify"
        self._urls.touch(mode=0o600)
        self.notifications = Notifications(engine)
        self.tell_to("json://127.0.0.1:9/")

    def tell_to(self, url: str) -> None:
        """Tell an address of alerts; begin anew."""
        self._urls.write_text(url)
        self.restart()

    def restart(self) -> None:
        """Begin anew: nothing is known but what the database holds."""
        self.fleet = Fleet()
        hub = Hub(self.fleet)
        self.shown: list[dict[str, Any]] = []
        """what the pages are told"""
        hub.relay = self.shown.append
        self.notifier = Notifier(self._urls, None, self.notifications)
        self.raising = Raising(
            fleet=self.fleet, hub=hub, history=self.history, cases=self.cases, notifier=self.notifier,
            quiet=self.quiet, locating=_Deaf(), in_thread=_here,
        )  # fmt: skip

    def report(self, muted_until: float | None = None) -> None:
        """Hear the node's report; `muted_until` in POSIX seconds, None: it is not muted."""
        message = State(
            site=KEY[0], node=KEY[1], state="OK", since=utc_text(NOW), score=0.1, level_dbfs=-60.0,
            noise_floor_dbfs=-65.0, faults=(), threshold=0.5,
            muted_until=None if muted_until is None else utc_text(muted_until), model=MODEL, firmware="0.2.0",
            window_end=utc_text(NOW), window_s=10.0, step_s=10.0, clock_synced=True, seq=0, queue_depth=0,
        )  # fmt: skip
        self.fleet.take(Identity(*KEY), message, time.time())

    def store(self, event: Event) -> Row:
        """Store an event of the node."""
        return self._store(event_row(event, time.time()))

    def turn(self, from_state: str, to_state: str) -> str:
        """The node changes its state now; return the id of the event."""
        return str(self.store(leak(time.time(), 1, from_state, to_state))["id"])

    def presence(self, kind: str) -> str:
        """The dashboard finds the node lost, or back; return the id of the event."""
        node = self.fleet.node(KEY, time.time())
        assert node is not None
        return str(self._store(presence_row(node, kind, "The node is silent.", time.time()))["id"])

    def _store(self, row: Row) -> Row:
        (stored,) = self.history.record([row], self.raising.addresses)
        return stored

    def told(self) -> list[str]:
        """Events of which the address is told, in the order in which they are sent."""
        return [row["id"] for row in self.notifications.next(*self.notifier.addresses)]

    def look(self) -> None:
        """Raise what is due now, as it is done every few seconds."""
        asyncio.run(self.raising.release())

    def raise_what_is_due(self, now: float) -> list[Row]:
        """Raise what is due at a POSIX second; return these events."""
        return self.raising.holding.release(now, self.raising.tell)

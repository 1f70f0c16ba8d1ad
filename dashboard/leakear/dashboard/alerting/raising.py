"""Raises alerts: tells pages, notifications and cases of new events, unless a quiet time or a mute holds them back."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from sqlalchemy import Connection

from leakear.dashboard.alerting.notifier import Notifier
from leakear.dashboard.cases.store import Cases
from leakear.dashboard.fleet import Fleet, Key, Round
from leakear.dashboard.history import History, Row
from leakear.dashboard.history.ingest import is_told, tell
from leakear.dashboard.history.rows import NIGHT, fresh, public
from leakear.dashboard.quiet.holding import Holding
from leakear.dashboard.quiet.store import QuietTimes
from leakear.dashboard.server.hub import Hub

QUIET_PART = 20_000
"""nodes that are looked at at once for quiet times"""
InThread = Callable[..., Awaitable[Any]]
"""runs a blocking function in the thread that stores events"""


class Hears(Protocol):
    """Who else is told of new events."""

    def heard(self, new: list[Row]) -> None:
        """Take new events."""


class Raising:
    """Ties together what one event sets off."""

    def __init__(
        self, *, fleet: Fleet, hub: Hub, history: History, cases: Cases, notifier: Notifier, quiet: QuietTimes,
        locating: Hears, in_thread: InThread,
    ) -> None:  # fmt: skip
        self._fleet, self._hub, self._cases, self._notifier = fleet, hub, cases, notifier
        self._quiet, self._locating, self._in_thread = quiet, locating, in_thread
        self._history = history
        self._round = Round(fleet, QUIET_PART)
        self.holding = Holding(history.engine, quiet, self._mute_of)
        history.also, history.hold, history.marks = cases.on_event, self.holding.hold, self.holding.marks

    def addresses(self, row: Row) -> list[str]:
        """Return the addresses for an event that is not held back: all for an alert and its end."""
        return self._notifier.addresses if is_told(row) else []

    def _muted_until(self, row: Row) -> float:
        """Return the POSIX second until which the node of an event is muted; 0: it is not."""
        return self._mute_of((row["site"], row["node"])) or 0.0

    def _mute_of(self, key: Key) -> float | None:
        """Return the POSIX second until which a node is muted; 0: it is not; None: it has not reported yet."""
        node = self._fleet.get(key)
        return (node.muted_until or 0.0) if node is not None and node.report is not None else None

    async def announce(self, new: list[Row]) -> None:
        """Send new events to pages and notifier as soon as they are stored, before anyone can change them."""
        nights = [row for row in new if row["kind"] == NIGHT]
        others = [fresh(row) | {"muted": self._muted_until(row)} for row in new if row["kind"] != NIGHT]
        if nights:
            self._hub.broadcast({"t": "nights", "nodes": [[row["site"], row["node"]] for row in nights]})
        if others:
            self._hub.broadcast({"t": "events", "rows": others})
            if any(row["to_state"] == "LEAK" for row in others):
                self._hub.broadcast({"t": "case", "case": None})  # one was opened or changed
            self._notifier.wake()
            self._locating.heard(new)
        for key in dict.fromkeys((row["site"], row["node"]) for row in nights):
            await self.check_repairs(key)

    async def check_repairs(self, key: Key | None = None) -> None:
        """Let the nights (of one node, or of all) decide which repairs held; tell the pages."""
        for case in await self._in_thread(self._cases.check_repairs, key):
            self._hub.broadcast({"t": "case", "case": case})

    async def note_verdict(self, row: Row) -> None:
        """Let the page stop showing an alert as one that a person has judged to be none."""
        node = self._fleet.get((row["site"], row["node"]))
        if node is not None:
            node.judged = (await self._in_thread(self._history.judged_states)).get(node.key)
            self._hub.changed(node)

    def show_quiet(self) -> None:
        """Let the pages show which nodes are in a quiet time now."""
        now = time.time()
        for node in self._round.part():
            found = self._quiet.now(node.key, now)
            quiet = found.to_dict() if found else None
            if quiet != node.quiet:
                node.quiet = quiet
                self._hub.changed(node)

    async def release(self) -> None:
        """Raise what still stands although its quiet time, or the mute of its node, is over."""
        self.show_quiet()
        raised = await self._in_thread(self.holding.release, time.time(), self.tell)
        if raised:
            shown = await self._in_thread(self._as_shown, raised)
            rows = [row | {"muted": self._muted_until(row)} for row in shown]
            self._hub.broadcast({"t": "events", "rows": rows})
            for row in rows:
                self._hub.broadcast({"t": "alert", "row": row})  # it is shown already, as held back
            self._hub.broadcast({"t": "case", "case": None})
            self._notifier.wake()

    def _as_shown(self, raised: list[Row]) -> list[Row]:
        """Return events with what people have noted beside them meanwhile."""
        with self._history.engine.connect() as connection:
            return self._history.with_clips(connection, [public(row) for row in raised])

    def tell(self, connection: Connection, row: Row) -> None:
        """Do in a transaction what storing an event does that is not held back."""
        tell(connection, row, self.addresses(row), self._cases.on_event)

"""The dashboard's side of ingest workers: takes the events that they have stored, and raises their alerts once.

One dashboard at a time takes events: the one that holds a lock of the database. It is woken by NOTIFY on the same
connection; a further dashboard serves pages, is told by NOTIFY as well (`relay`), and takes over when the lock is free.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from leakear.dashboard.alerting.raising import InThread, Raising
from leakear.dashboard.fleet import Node
from leakear.dashboard.history import History, Row
from leakear.dashboard.ingest import arrivals, relay, roll
from leakear.dashboard.regular import every
from leakear.edge.messages.reports import Event, Identity

log = logging.getLogger(__name__)
LOCK = 0x6C65616B6561
"""PostgreSQL's advisory lock of the dashboard that takes events"""
LOOK_S = 5.0
"""interval at which the queue is looked at without NOTIFY"""
AGAIN_S = 1.0
"""until a failed database is tried again"""
Follow = Callable[[Identity, Event, float], bool]
"""applies an event of POSIX second … to the fleet; True when the pages should be updated at once"""


class Taking:
    """Must be made in the event loop in which it runs. `engine`: of PostgreSQL, by psycopg."""

    def __init__(
        self, engine: Engine, history: History, raising: Raising, *, in_thread: InThread, follow: Follow,
        flush: Callable[[float], None], note_sequence: Callable[[list[Row]], list[Node]],
        heard: Callable[[str], None], joined: Callable[[], None],
    ) -> None:  # fmt: skip
        """`flush` updates the pages; `note_sequence` notes the numbers of events, and returns the nodes to store.

        `heard` takes what another server tells; `joined`: from now on it comes here, what was told before did not.
        """
        self._heard, self._joined = heard, joined
        self._engine, self._history, self._raising, self._in_thread = engine, history, raising, in_thread
        self._follow, self._flush, self._note_sequence = follow, flush, note_sequence
        self._loop, self._bell = asyncio.get_running_loop(), asyncio.Event()
        self._leads, self._lost, self._ended = asyncio.Event(), asyncio.Event(), threading.Event()
        self._unfinished: tuple[list[Node], list[int]] | None = None
        """nodes to store, and the places of their events in the queue"""
        self._failing: str | None = None
        self._away: str | None = None

    @property
    def leads(self) -> bool:
        """Whether this dashboard takes the events."""
        return self._leads.is_set()

    @property
    def trouble(self) -> str | None:
        """One sentence while events are not taken, or a worker is away."""
        return self._failing or self._away

    async def run(
        self, notify: Callable[[], Coroutine[Any, Any, None]], lead: Callable[[bool], Coroutine[Any, Any, None]]
    ) -> None:
        """Until cancelled: while this server leads, take events, and send notifications with `notify`.

        `lead` is awaited with True before, and with False when another server may lead.
        """
        threading.Thread(target=self._listen, name="arrivals").start()
        look = asyncio.create_task(every(LOOK_S, self._look))
        try:
            while True:
                await self._leads.wait()
                self._lost.clear()
                await lead(True)
                await self._until_lost(asyncio.create_task(self._work(notify)))
                self._unfinished = None
                await lead(False)
        finally:
            look.cancel()
            self._ended.set()

    async def _until_lost(self, work: "asyncio.Task[None]") -> None:
        """Let work go on while this server leads. Raises what it raises."""
        lost = asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait([lost, work], return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    async def _work(self, notify: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(notify())
            group.create_task(self._take())

    async def _look(self) -> None:
        self._away = await self._in_thread(roll.trouble, self._engine, time.time())

    async def _take(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            await self._drain()

    async def _drain(self) -> None:
        """Take all events that wait. When the database fails, they wait there."""
        try:
            while self.leads and await self._some():
                pass
            self._failing = None
        except SQLAlchemyError as error:
            log.exception("new events cannot be taken")
            self._failing = f"New events cannot be taken from the database: {getattr(error, 'orig', error)}."
            await asyncio.sleep(AGAIN_S)
            self._bell.set()

    async def _some(self) -> bool:
        """Take some events; False when none waits."""
        if self._unfinished is None:
            rows, places = await self._in_thread(arrivals.waiting, self._engine)
            if not places:
                return False
            self._show(rows)  # before all else, so that a slow disk delays no alarm
            await self._in_thread(arrivals.raise_once, self._engine, rows, places, self._raise_alerts)
            await self._raising.announce(rows)
            self._unfinished = self._note_sequence(rows), places
        nodes, places = self._unfinished
        await self._in_thread(self._history.save_nodes, nodes, time.time(), arrivals.removal(places))
        self._unfinished = None
        return True

    def _raise_alerts(self, connection: Connection, new: Sequence[Row]) -> None:
        self._history.raise_alerts(connection, new, self._raising.addresses)

    def _show(self, rows: list[Row]) -> None:
        now = time.time()
        changed = [self._follow(Identity(row["site"], row["node"]), arrivals.event_of(row), now) for row in rows]
        if any(changed):
            self._flush(now)

    # ---- in a thread of its own

    def _listen(self) -> None:
        """Hold the lock and listen, on one connection; begin anew when it is lost."""
        while not self._ended.is_set():
            try:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    self._serve(connection)
            except Exception as error:  # noqa: BLE001 - of SQLAlchemy or of psycopg
                log.warning("the connection that waits for new events failed: %s", getattr(error, "orig", error))
                self._tell(leads=False, failing="The database does not tell of new events: its connection failed.")
            self._ended.wait(AGAIN_S)

    def _serve(self, connection: Connection) -> None:
        for channel in (relay.CHANNEL, arrivals.CHANNEL):
            connection.execute(text(f"LISTEN {channel}"))
        self._call(self._joined)
        self._tell(leads=False, failing=None)
        line: Any = connection.connection.driver_connection
        leads = False
        while not self._ended.is_set():
            if leads:
                connection.scalar(select(1))  # it fails where the connection is gone
            elif connection.scalar(select(func.pg_try_advisory_lock(LOCK))):
                leads = True
                self._tell(leads=True, failing=None)
            self._notices(line, LOOK_S if leads else AGAIN_S)
            self._ring()

    def _notices(self, line: Any, seconds: float) -> None:
        waited = 0.0
        while waited < seconds and not self._ended.is_set():
            began = time.monotonic()
            for notice in line.notifies(timeout=AGAIN_S, stop_after=1):
                if notice.channel == arrivals.CHANNEL:
                    self._ring()
                else:
                    self._call(partial(self._heard, notice.payload))
            waited += max(time.monotonic() - began, 0.01)

    def _tell(self, *, leads: bool, failing: str | None) -> None:
        def told() -> None:
            self._failing = failing
            (self._leads.set if leads else self._leads.clear)()
            (self._lost.clear if leads else self._lost.set)()
            self._bell.set()

        self._call(told)

    def _ring(self) -> None:
        self._call(self._bell.set)

    def _call(self, what: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)

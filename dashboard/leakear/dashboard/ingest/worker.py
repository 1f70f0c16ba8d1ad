"""One ingest worker: takes its share of what nodes send, stores it, and then tells the broker that it is stored.

Two connections, so that no event waits behind a report. Both sessions are persistent and never expire: mosquitto gives
a share to every member of the group, present or not, and drops what waits for a session that ends. So a worker has a
name, and whoever starts under it takes what waits for it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from leakear.dashboard.broker.connection import BrokerOptions
from leakear.dashboard.broker.inbox import Read
from leakear.dashboard.broker.limits import TopicLimits
from leakear.dashboard.history import Row, event_row, partitions
from leakear.dashboard.history.ingest import store
from leakear.dashboard.history.samples import Samples
from leakear.dashboard.ingest import roll
from leakear.dashboard.ingest.arrivals import put
from leakear.dashboard.ingest.readings import key_of, reading_row, store_readings
from leakear.dashboard.ingest.stream import Stream
from leakear.edge.messages.reports import Event, State, Telemetry

log = logging.getLogger(__name__)
AGAIN_S = 1.0
"""until the database is tried again"""
BEAT_S = 5.0
"""between two signs of life in the table `workers`"""
PARTITIONS_S = 3600.0
"""between two looks at the partitions"""
SILENT_S = 300.0
"""without any message on a connection, after which the log says so: an account may be allowed to read nothing"""
QUIET_S = 3.0
"""without a message, after which nothing waits for a worker that leaves"""
EVENTS = ["event"]
REPORTS = ["state", "telemetry"]


class Worker:
    """`group`: of the database; `name`: of the worker, in its group."""

    def __init__(self, engine: Engine, broker: BrokerOptions, group: str, name: str, *, leaving: bool = False) -> None:
        self._engine, self._name, self._leaving = engine, name, leaving
        self._samples = Samples(engine)
        self._bell = threading.Event()
        client = f"{group}-{name}"
        self._events = Stream(
            replace(broker, client_id=client), _shared(group, EVENTS), self._bell.set, key=lambda row: row["id"],
            limits=TopicLimits(), leaving=leaving,
        )  # fmt: skip
        self._reports = Stream(
            replace(broker, client_id=f"{client}-reports"), _shared(group, REPORTS), self._bell.set, key=key_of,
            leaving=leaving,
        )  # fmt: skip
        self._streams = (self._events, self._reports)
        self._roll = roll.Entry(name, time.time())
        self._failing = False
        self._account = broker.username or "(none)"
        self._said: str | None = None
        """trouble that is in the log"""
        self._due = {"beat": 0.0, "partitions": time.monotonic() + PARTITIONS_S}

    def run(self, ended: threading.Event, ready: Callable[[], None]) -> None:
        """Work until `ended`, or until nothing waits any more for a worker that leaves.

        `ready` is called once, when both subscriptions hold.
        """
        for stream in self._streams:
            stream.connection.start()
        told = False
        while not ended.is_set() and not self._has_left():
            self._bell.wait(BEAT_S / 5)
            self._bell.clear()
            self._tell_trouble()
            if not told and self.trouble is None and all(stream.connection.connected for stream in self._streams):
                told = True
                ready()
            self._step(ended)
        for stream in self._streams:
            (stream.connection.end_session if self._leaving and not ended.is_set() else stream.connection.stop)()
        self._try(lambda: roll.leave(self._engine, self._name) if self._leaving else None)

    @property
    def trouble(self) -> str | None:
        """Why there is no connection to the broker, one sentence."""
        return next((stream.connection.trouble for stream in self._streams if stream.connection.trouble), None)

    def _tell_trouble(self) -> None:
        """Log why nothing comes, once: the broker refuses a subscription, or accepts it and sends nothing."""
        trouble = self.trouble
        if trouble is None and min(time.monotonic() - stream.heard for stream in self._streams) > SILENT_S:
            trouble = (
                f"Nothing has come for {SILENT_S:.0f} s: no node sends, or the broker's access list does not let the "
                f"account {self._account} read event, state and telemetry: then its share is lost."
            )
        if trouble != self._said and trouble is not None:
            log.error(trouble)
        self._said = trouble

    def _has_left(self) -> bool:
        if not self._leaving or not all(stream.connection.connected for stream in self._streams):
            return False
        quiet = min(time.monotonic() - stream.heard for stream in self._streams)
        return quiet > QUIET_S and not any(stream.waiting for stream in self._streams)

    def _step(self, ended: threading.Event) -> None:
        """Store what has come, events first; while the database fails, the broker keeps what is not acknowledged."""
        self._events.parse(_event)
        self._reports.parse(_reading)
        while self._events.waiting or self._reports.waiting:
            if not self._try(self._store):
                ended.wait(AGAIN_S)
                return
            self._events.parse(_event)
        self._regular()

    def _store(self) -> None:
        batch = self._events.batch()
        if batch:
            stored = store(self._engine, [each.row for each in batch], put)
            self._events.done(batch)
            self._roll.events += len(stored.new)
            return
        batch = self._reports.batch()
        self._roll.readings += store_readings(self._engine, self._samples, [each.row for each in batch])
        self._reports.done(batch)

    def _regular(self) -> None:
        now = time.monotonic()
        if now >= self._due["beat"]:
            self._due["beat"] = now + BEAT_S
            self._try(lambda: roll.sign(self._engine, self._roll))
        if now >= self._due["partitions"]:
            self._due["partitions"] = now + PARTITIONS_S
            self._try(lambda: partitions.prepare(self._engine, time.time()))

    def _try(self, work: Callable[[], Any]) -> bool:
        """Whether the database did it; an outage is said once."""
        try:
            work()
        except SQLAlchemyError as error:
            if not self._failing:
                log.error("the database fails, the broker keeps what comes: %s", getattr(error, "orig", error))  # noqa: TRY400 - a sentence
            self._failing = True
            return False
        if self._failing:
            log.warning("the database works again")
        self._failing = False
        return True


def _shared(group: str, suffixes: list[str]) -> list[tuple[str, int]]:
    return [(f"$share/{group}/leakear/+/+/{suffix}", 1) for suffix in suffixes]


def _event(found: Read, now: float) -> Row | None:
    return event_row(found.message, now) if isinstance(found.message, Event) else None


def _reading(found: Read, now: float) -> Row | None:
    """Return the row of a report; None for one that mosquitto has kept: it gives those to a new member, too."""
    if found.source.retained or not isinstance(found.message, State | Telemetry):
        return None
    return reading_row(found.who, found.message, now)

"""The dashboard without its pages: receives messages from the broker, stores them, and updates the open pages."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from leakear.dashboard.accounts.users import Users
from leakear.dashboard.alerts import Alerts
from leakear.dashboard.broker.commander import Commander
from leakear.dashboard.broker.connection import BrokerOptions
from leakear.dashboard.broker.inbox import Read, Unread, read
from leakear.dashboard.broker.resend import Resend
from leakear.dashboard.broker.subscriber import Incoming, Subscriber, waker
from leakear.dashboard.cases.store import Cases
from leakear.dashboard.clearing import Clearing
from leakear.dashboard.clips import Clips
from leakear.dashboard.deploy.rollouts import Rollouts
from leakear.dashboard.fleet import Fleet, Key, Node
from leakear.dashboard.history import History, Row, event_row, presence_row
from leakear.dashboard.history.ingest import ends_alarm
from leakear.dashboard.history.rows import NIGHT, fresh
from leakear.dashboard.hub import Hub, Page
from leakear.dashboard.notifications import Notifications
from leakear.dashboard.notifier import Notifier
from leakear.dashboard.options import ServeOptions
from leakear.dashboard.pipes.locating import Locating
from leakear.dashboard.regular import every
from leakear.dashboard.samples import Samples
from leakear.dashboard.silent_nodes import SilentNodes
from leakear.dashboard.watches import Watches, asker
from leakear.edge.messages.reports import Event, Spectrum

log = logging.getLogger(__name__)

BATCH_S = 0.05
"""pause in which messages are collected before the page is updated"""
TICK_S = 0.5
"""between two updates of scores and levels on the page: 2 Hz"""
MINUTE_S = 60.0
SWEEP_S = 600.0
VERSION_S = 1.0
RESEND_S, ROLLOUT_S = 5.0, 1.0
"""intervals at which missing events are looked for, and a rollout goes on"""

T = TypeVar("T")


class Service:
    """All parts but the pages. Must be made in the event loop in which it runs; blocking parts run in threads."""

    def __init__(self, options: ServeOptions, broker: BrokerOptions, engine: Engine) -> None:
        self.options = options
        self.fleet = Fleet(options.stale_after, options.max_nodes, options.max_new_nodes)
        self.hub = Hub(self.fleet)
        self.history = History(engine)
        self.samples = Samples(engine)
        self.alerts = Alerts(engine, self.history)
        self.cases = Cases(engine)
        self.history.also = self.cases.on_event
        self.clips = Clips(engine, options.clips_folder, options.clips_mib << 20)
        self.users = Users(engine)
        self.start_token = self.history.start_token()
        self.notifier = Notifier(options.notify_file, options.public_url, Notifications(engine), options.language)
        self._bell = asyncio.Event()
        self._subscriber = Subscriber(broker, waker(asyncio.get_running_loop(), self._bell))
        self.commander = Commander(self._subscriber.publish, self._subscriber.answers)
        self._resend = Resend(self.fleet, self.commander, self.hub.changed)
        self._clearing = Clearing(lambda topic: self._subscriber.publish(topic, b"", retain=True))
        self.rollouts = Rollouts(self.fleet, self.commander)
        self.locating = Locating(engine, self.history, self.commander, self.fleet, self.hub.broadcast)
        self._watches = Watches(asker(self._subscriber.publish))
        self._silent_nodes = SilentNodes(options.lost_after, ())
        self._storing = ThreadPoolExecutor(1, "storing")
        """events are stored in a thread of their own: they never wait for what pages ask for"""
        self._unsaved: list[tuple[Row, Incoming | None]] = []
        self._trouble: str | None = None
        self._flushed = 0.0
        self._unread = 0

    async def run(self) -> None:
        """Run until cancelled, then save everything. An exception means that the service cannot continue."""
        await asyncio.to_thread(self.history.restore, self.fleet)
        await asyncio.to_thread(self.samples.refill, self.fleet, time.time())
        self._silent_nodes = SilentNodes(self.options.lost_after, await asyncio.to_thread(self.history.reported_lost))
        self._subscriber.start()
        try:
            async with asyncio.TaskGroup() as group:
                for job in (self._ingest(), self.notifier.run(), self.locating.run(), *self._regular()):
                    group.create_task(job)
        finally:
            self._subscriber.stop()
            self.hub.close()
            self._storing.shutdown()
            self.samples.add(self.fleet.finished_minutes(time.time(), all_of_them=True))
            self.history.save_nodes(self.fleet, time.time())

    def connection_status(self) -> dict[str, Any]:
        """Return the state of broker connection and history, for the page's header."""
        subscriber = self._subscriber
        return {
            "connected": subscriber.connected,
            "trouble": self._trouble or subscriber.trouble or self.notifier.trouble or self._set_aside(),
            "dropped": subscriber.dropped,
            "unread": self._unread,
            "refused": self.fleet.refused,
        }

    def _set_aside(self) -> str | None:
        count = self.history.refused
        return f"The database refused {count} events: they are in its table set_aside." if count else None

    def join(self, page: Page) -> None:
        """Add a page that has just been opened."""
        self.hub.join(page, time.time())

    async def forget(self, key: Key, who: str) -> bool | None:
        """Take a node out of service: it leaves the fleet until it sends anew; its events stay.

        Return whether the broker deleted its retained messages too; None when there is no such node.
        """
        node = self.fleet.forget(key)
        if node is None:
            return None
        self._take_out(node)
        await asyncio.to_thread(self.history.forget_node, key, time.time())
        await asyncio.to_thread(self.history.record_action, who, "forget", "/".join(key))
        return await self._clearing.clear(key)

    def _regular(self) -> list[Coroutine[Any, Any, None]]:
        return [
            every(TICK_S, self._tick),
            every(MINUTE_S, self._minute),
            every(SWEEP_S, self._sweep),
            every(VERSION_S, self._switch_version),
            every(RESEND_S, self._resend.ask),
            every(ROLLOUT_S, self.rollouts.step),
        ]

    async def _ingest(self) -> None:
        """Receive, show, store, acknowledge: in this order, so that a slow disk delays no alarm; reports come last."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            urgent, reports = self._subscriber.take()
            if reports:
                self._bell.set()  # there may be more reports
            now = time.time()
            self._show(urgent, now)
            if self._unsaved:
                await self._store(now)
            self._show(reports, now)
            await asyncio.sleep(BATCH_S)

    def _show(self, items: list[Incoming], now: float) -> None:
        """Apply deliveries; update the pages at once when a state changed."""
        changed = [self._one(item, now) for item in items]
        if any(changed):
            self._flush(now)

    def _one(self, item: Incoming, now: float) -> bool:
        """Apply one delivery; True when the page should be updated at once."""
        found = read(item)
        if isinstance(found, Read):
            return self._apply(found, now)
        if isinstance(found, Unread):
            self._unread += 1
            node = self.fleet.count_malformed(found.who, found.why) if found.who else None
            if node is not None:
                self.hub.changed(node)
        if found is None:
            self._clearing.emptied(item.topic)
        self._subscriber.acknowledge([item])
        return False

    def _apply(self, found: Read, now: float) -> bool:
        message = found.message
        if isinstance(message, Spectrum):
            who = found.who
            self.hub.broadcast({"t": "spectrum", **message.to_dict()}, to=(who.site, who.node))
            return False
        if isinstance(message, Event):
            self._unsaved.append((event_row(message, now), found.source))
        known = self.fleet.get((found.who.site, found.who.node))
        before = (known.state, known.presence) if known else None
        node = self.fleet.take(found.who, message, now, retained=found.source.retained)
        self._take_out_displaced()
        if node is None:
            return False
        self.hub.changed(node)
        return (node.state, node.presence) != before

    def _take_out_displaced(self) -> None:
        while self.fleet.displaced:
            self._take_out(self.fleet.displaced.pop())

    def _take_out(self, node: Node) -> None:
        """Drop what is kept beside the fleet of a node that is no longer in it."""
        self.hub.gone(node)
        self._silent_nodes.forget(node.key)
        self._resend.forget(node.key)

    async def _store(self, now: float) -> None:
        """Store the waiting events, then acknowledge them. When the database fails, the broker still has them."""
        batch, self._unsaved = self._unsaved, []
        try:
            new = await self._in_storing(self.history.record, [row for row, _ in batch], self._addresses)
            await self._announce(new)
            await self._in_storing(self.history.save_nodes, self._note_sequence(batch, new), now)
            self._trouble = None
        except SQLAlchemyError as error:
            self._unsaved = batch + self._unsaved
            self._trouble = f"The history cannot be written: {getattr(error, 'orig', error)}."
            log.exception("the history cannot be written")
            return
        self._subscriber.acknowledge([item for _, item in batch if item is not None])

    async def _in_storing(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._storing, work, *arguments)

    async def _announce(self, new: list[Row]) -> None:
        """Send new events to pages and notifier as soon as they are stored, before anyone can change them."""
        nights = [row for row in new if row["kind"] == NIGHT]
        others = [fresh(row) for row in new if row["kind"] != NIGHT]
        if nights:
            self.hub.broadcast({"t": "nights", "nodes": [[row["site"], row["node"]] for row in nights]})
        if others:
            self.hub.broadcast({"t": "events", "rows": others})
            if any(row["to_state"] == "LEAK" for row in others):
                self.hub.broadcast({"t": "case", "case": None})  # one was opened or changed
            self.notifier.wake()
            self.locating.heard(new)
        for key in dict.fromkeys((row["site"], row["node"]) for row in nights):
            await self.check_repairs(key)

    async def check_repairs(self, key: Key | None = None) -> None:
        """Let the nights (of one node, or of all) decide which repairs held; tell the pages."""
        for case in await self._in_storing(self.cases.check_repairs, key):
            self.hub.broadcast({"t": "case", "case": case})

    def _addresses(self, row: Row) -> list[str]:
        """Return the addresses for an event: all for an alert and its end, none when its node is muted."""
        node = self.fleet.get((row["site"], row["node"]))
        muted = (node.muted_until or 0.0) if node else 0.0
        return self.notifier.addresses if (row["alert"] or ends_alarm(row)) and muted < row["received"] else []

    def _note_sequence(self, batch: list[tuple[Row, Incoming | None]], new: list[Row]) -> list[Node]:
        """Update gaps in `seq`. A repeated event counts only when its number was not saved because of a crash."""
        fresh = {row["id"] for row in new}
        changed: dict[Key, Node] = {}
        for row, _ in batch:
            node = self.fleet.get((row["site"], row["node"]))
            if node is not None and row["seq"] and (row["id"] in fresh or row["seq"] > node.sequence.last):
                node.sequence.see(row["seq"])
                self.hub.changed(node)
                changed[node.key] = node
        return list(changed.values())

    def _flush(self, now: float) -> None:
        self._flushed = now
        self.hub.flush(now, self.connection_status())

    async def _tick(self) -> None:
        now = time.time()
        for node in self.fleet:
            if self.fleet.update_presence(node, now):
                self.hub.changed(node)
            found = self._silent_nodes.check(node, now, new=self.fleet.admission.is_new(node.key))
            if found is not None:
                self._unsaved.append((presence_row(node, *found, now), None))
        if self._unsaved:
            self._bell.set()
        self._watches.update((key for key in self.hub.listened() if self.fleet.get(key)), now)
        self._flush(now)

    async def _minute(self) -> None:
        now = time.time()
        await asyncio.to_thread(self.samples.add, self.fleet.finished_minutes(now))
        await asyncio.to_thread(self.history.save_nodes, list(self.fleet), now)

    async def _switch_version(self) -> None:
        await asyncio.to_thread(self._subscriber.switch_version)

    async def _sweep(self) -> None:
        options, now = self.options, time.time()
        await asyncio.to_thread(self.samples.sweep, now, options.keep_minutes, options.keep_hours)
        names = await asyncio.to_thread(self.history.sweep, now, options.keep_events)
        await asyncio.to_thread(self.clips.remove, names)
        await self.check_repairs()
        await asyncio.to_thread(self.locating.jobs.locations.sweep, now, options.keep_events)

"""The dashboard without its pages: receives messages from the broker, stores them, and updates the open pages."""

import asyncio
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

from sqlalchemy import Engine

from leakear.dashboard.accounts.throttle import LogInLimits
from leakear.dashboard.accounts.users import Users
from leakear.dashboard.alerting.alerts import Alerts
from leakear.dashboard.alerting.notifications import Notifications
from leakear.dashboard.alerting.notifier import Notifier
from leakear.dashboard.alerting.raising import Raising
from leakear.dashboard.broker.clearing import Clearing
from leakear.dashboard.broker.commander import Commander
from leakear.dashboard.broker.connection import BrokerOptions
from leakear.dashboard.broker.inbox import Read, Unread, read
from leakear.dashboard.broker.resend import Resend
from leakear.dashboard.broker.silence import Silence
from leakear.dashboard.broker.subscriber import Incoming, Subscriber, waker
from leakear.dashboard.broker.watches import Watches, asker
from leakear.dashboard.cases.store import Cases
from leakear.dashboard.deploy.rollouts import Rollouts
from leakear.dashboard.evidence.clips import Clips
from leakear.dashboard.fleet import Fleet, Key, Node, Round
from leakear.dashboard.fleet.fleet import Reports
from leakear.dashboard.fleet.silent_nodes import SilentNodes
from leakear.dashboard.health.problems import to_json
from leakear.dashboard.health.weekly import HealthReport
from leakear.dashboard.history import History, event_row, presence_row
from leakear.dashboard.history.rows import batched
from leakear.dashboard.history.samples import Samples
from leakear.dashboard.ingest.city import City
from leakear.dashboard.ingest.relay import Relay
from leakear.dashboard.map.town import Town
from leakear.dashboard.options import ServeOptions
from leakear.dashboard.pipes.locating import Locating
from leakear.dashboard.quiet.store import QuietTimes
from leakear.dashboard.regular import repeated
from leakear.dashboard.retention.sweeping import sweep_all
from leakear.dashboard.server.hub import Hub
from leakear.dashboard.storing import Storing
from leakear.dashboard.webhooks.sender import Webhooks
from leakear.edge.messages.reports import Event, Identity, Spectrum

BATCH_S = 0.05
"""pause in which messages are collected before the page is updated"""
TICK_S = 0.5
"""between two updates of scores and levels on the page: 2 Hz"""
MINUTE_S = 60.0
SWEEP_S = 600.0
VERSION_S = 1.0
RESEND_S, ROLLOUT_S, WEBHOOKS_S, RELEASE_S = 5.0, 1.0, 2.0, 5.0
"""intervals: missing events are looked for, a rollout goes on, work orders are sent, ends of quiet times are noticed"""


class Service:
    """All parts but the pages. Must be made in the event loop in which it runs; blocking parts run in threads."""

    def __init__(self, options: ServeOptions, broker: BrokerOptions, engine: Engine) -> None:
        self.options = options
        self.fleet = Fleet(options.stale_after, options.max_nodes, options.max_new_nodes)
        self.hub, self._round = Hub(self.fleet), Round(self.fleet)
        self.history, self.samples = History(engine), Samples(engine)
        self.alerts, self.cases, self.quiet = Alerts(engine, self.history), Cases(engine), QuietTimes(engine)
        self.webhooks = Webhooks(engine, options.webhooks_file, options.public_url)
        self.cases.on_change = self.webhooks.on_change
        self.clips = Clips(engine, options.clips_folder, options.clips_mib << 20)
        self.users, self.tries = Users(engine), LogInLimits()
        self.start_token = self.history.start_token()
        self.notifier = Notifier(options.notify_file, options.public_url, Notifications(engine), options.language)
        self.health = HealthReport(
            engine, self.notifier, lambda: to_json(list(self.fleet)), options.health_report, language=options.language,
            brand=options.brand_name, public_url=options.public_url,
        )  # fmt: skip
        self._bell = asyncio.Event()
        wake = waker(asyncio.get_running_loop(), self._bell)
        relay = None if options.ingest_here else Relay(engine)
        self._subscriber = Subscriber(broker, wake, options.max_nodes, server=relay.server if relay else None)
        self.commander = Commander(self._subscriber.publish, self._subscriber.answers)
        self._resend = Resend(self.fleet, self.commander, self.hub.changed, self.history)
        self._clearing = Clearing(lambda topic: self._subscriber.publish(topic, b"", retain=True))
        self.rollouts = Rollouts(self.fleet, self.commander)
        self.locating = Locating(engine, self.history, self.commander, self.fleet, self.hub.broadcast)
        self.town = Town(engine, self.locating.jobs.pipes, self.locating.jobs.locations, options.map_tiles)
        self._watches = Watches(asker(self._subscriber.publish))
        self._silent_nodes = SilentNodes(options.lost_after, ())
        self.storing = Storing(self.history, self.fleet, self.hub, self._subscriber.acknowledge)
        self.raising = Raising(
            fleet=self.fleet, hub=self.hub, history=self.history, cases=self.cases, notifier=self.notifier,
            quiet=self.quiet, locating=self.locating, in_thread=self.storing.run,
        )  # fmt: skip
        self._city = City(engine, self, relay) if relay else None
        """takes events from the database, where ingest workers store them (and the minutes)"""
        self._add_minutes = self.samples.add if options.ingest_here else lambda _: None
        self._silence = Silence(broker.username)
        self._unread = 0

    @property
    def leads(self) -> bool:
        """Whether this server does what only one of several may do."""
        return self._city is None or self._city.leads

    async def run(self) -> None:
        """Run until cancelled, then save everything. An exception means that the service cannot continue."""
        await asyncio.to_thread(self.history.restore, self.fleet)
        await asyncio.to_thread(self.samples.refill, self.fleet, time.time())
        await self.hub.restored()
        await self.expect_silence()
        self._subscriber.start()
        try:
            async with asyncio.TaskGroup() as group:
                run = self.notifier.run
                notify = self._city.run(self._subscriber, run) if self._city else run()
                for job in (self._ingest(), notify, self.locating.run(), *self._regular()):
                    group.create_task(job)
        finally:
            self._subscriber.stop()
            self.hub.close()
            self.storing.close()
            self._add_minutes(self.fleet.finished_minutes(time.time(), all_of_them=True))
            if self.leads:
                self.history.save_nodes(self.fleet, time.time())

    async def expect_silence(self) -> None:
        """Read which nodes are known to be silent."""
        self._silent_nodes = SilentNodes(self.options.lost_after, await asyncio.to_thread(self.history.reported_lost))

    def connection_status(self) -> dict[str, Any]:
        """Return the state of broker connection and history, for the page's header."""
        heard = self._subscriber
        parts = (self.storing, heard, self._city, self.notifier, self.webhooks, self.history)
        trouble = next((part.trouble for part in parts if part and part.trouble), None)
        return {
            "connected": heard.connected, "trouble": trouble or self._silence.trouble(heard, time.monotonic()),
            "heard": heard.heard, "dropped": heard.dropped, "unread": self._unread, "refused": self.fleet.refused,
            "leads": self.leads,
        }  # fmt: skip

    async def forget(self, key: Key, who: str) -> bool | None:
        """Take a node out of service: it leaves the fleet until it sends anew; its events stay.

        Return whether the broker deleted its retained messages too; None when there is no such node.
        """
        if not self.take_out(key):
            return None
        self.hub.relay({"t": "forgotten", "site": key[0], "node": key[1]})
        await asyncio.to_thread(self.history.forget_node, key, time.time())
        await self.storing.run(self.raising.holding.forget, key, time.time())
        await asyncio.to_thread(self.history.record_action, who, "forget", "/".join(key))
        return await self._clearing.clear(key)

    def take_out(self, key: Key) -> bool:
        """Let a node leave the fleet; False when there is none."""
        node = self.fleet.forget(key)
        if node is not None:
            self._take_out(node)
        return node is not None

    def _regular(self) -> list[Coroutine[Any, Any, None]]:
        version = partial(asyncio.to_thread, self._subscriber.switch_version)
        return repeated([
            (TICK_S, self._tick), (MINUTE_S, self._minute), (VERSION_S, version), (ROLLOUT_S, self.rollouts.step),
        ]) + repeated([
            (SWEEP_S, self._sweep), (RESEND_S, self._resend.ask), (RELEASE_S, self.raising.release),
            (MINUTE_S, self.health.step), *((WEBHOOKS_S, work) for work in self.webhooks.sending()),
        ], lambda: self.leads)  # fmt: skip

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
            if self.storing.waits:
                await self.storing.store(self.raising, now)
            self._show(reports, now)
            await asyncio.sleep(BATCH_S)

    def _show(self, items: list[Incoming], now: float) -> None:
        """Apply deliveries; update the pages at once when a state changed."""
        changed = [self._one(item, now) for item in items]
        if any(changed):
            self.flush(now)

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
            self.storing.add(event_row(message, now), found.source)
        return self.follow(found.who, message, now, retained=found.source.retained)

    def follow(self, who: Identity, message: Reports, now: float, *, retained: bool = False) -> bool:
        """Apply a message to the fleet; True when the page should be updated at once."""
        known = self.fleet.get((who.site, who.node))
        before = (known.state, known.presence) if known else None
        node = self.fleet.take(who, message, now, retained=retained)
        while self.fleet.displaced:
            self._take_out(self.fleet.displaced.pop())
        if node is None:
            return False
        self.hub.changed(node)
        return (node.state, node.presence) != before

    def _take_out(self, node: Node) -> None:
        """Drop what is kept beside the fleet of a node that is no longer in it."""
        self.hub.gone(node)
        self._silent_nodes.forget(node.key)
        self._resend.forget(node.key)

    def flush(self, now: float) -> None:
        """Update the pages."""
        self.hub.flush(now, self.connection_status())

    async def _tick(self) -> None:
        now, leads = time.time(), self.leads
        for node in self._round.part():
            if self.fleet.update_presence(node, now):
                self.hub.changed(node)
            found = self._silent_nodes.check(node, now, new=self.fleet.admission.is_new(node.key)) if leads else None
            if found is not None:
                self.storing.add(presence_row(node, *found, now), None)
        if self.storing.waits:
            self._bell.set()
        self._watches.update((key for key in self.hub.listened() if self.fleet.get(key)), now)
        self.flush(now)

    async def _minute(self) -> None:
        """Store minutes and nodes in parts, in the thread of the events: between two parts an event has its turn."""
        now = time.time()
        for minutes in batched(self.fleet.finished_minutes(now)):
            await self.storing.run(self._add_minutes, minutes)
        if self._city and not self._city.leads:
            self.raising.show_quiet()
            await self._city.renew()
            return
        for nodes in batched(list(self.fleet)):
            await self.storing.run(self.history.save_nodes, nodes, now)

    async def _sweep(self) -> None:
        await asyncio.to_thread(sweep_all, self, time.time())
        await self.raising.check_repairs()

"""Locates without being asked: when both nodes of a pipe suspect a leak, and after each night.

Events are only counted here; everything else happens in a task of its own, so no alert and no notification waits.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable

from sqlalchemy.exc import SQLAlchemyError

from leakear.dashboard.accounts.throttle import Budget
from leakear.dashboard.broker.answers import NoAnswer
from leakear.dashboard.broker.commander import Commander
from leakear.dashboard.fleet import ONLINE, Fleet, Key
from leakear.dashboard.history import Row
from leakear.dashboard.pipes.jobs import Jobs, Slot
from leakear.dashboard.pipes.locations import SUSPECTED
from leakear.dashboard.pipes.recordings import NodeRecordings, NodeRefuses, common_slot
from leakear.dashboard.pipes.store import ends
from leakear.edge.errors import InputDataError

log = logging.getLogger(__name__)

WHO = "leakear"
"""stored as who asked"""
AFTER_ALERT_S = 3600.0
"""s between two locations of a pipe because of alerts"""
BURST, PER_S = 20.0, 1 / 60
"""locations because of alerts: so many at once, then so many a second"""
NIGHT_EVERY_S = 1800.0
"""s between two looks for recordings of the night"""
NIGHT_AGO_S = 20 * 3600.0
"""s for which a recording of the night counts, and between two locations of a pipe because of nights"""
NIGHT_OVER_S = 2700.0
"""s after its newest slot a night is over"""
REFUSED_S = 6 * 3600.0
"""s for which a node that refuses or does not answer is not asked again"""
SUSPECTS = 1000


class Automatic:
    """Made in the event loop in which it runs."""

    def __init__(self, jobs: Jobs, fleet: Fleet, commander: Commander) -> None:
        self._jobs, self._fleet, self._commander = jobs, fleet, commander
        self._suspects: deque[Key] = deque(maxlen=SUSPECTS)
        self._bell = asyncio.Event()
        self._budget = Budget(BURST, PER_S)
        self._later: dict[str, float] = {}
        """POSIX s until which a pipe's nodes are not asked for their nights"""

    def heard(self, rows: Iterable[Row]) -> None:
        """Take new events. Returns at once."""
        for row in rows:
            if row["kind"] == "state" and row["to_state"] in SUSPECTED and row["from_state"] != row["to_state"]:
                self._suspects.append((row["site"], row["node"]))
                self._bell.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._alerts())
            group.create_task(self._nights())

    async def _alerts(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            keys = list(dict.fromkeys(self._suspects))
            self._suspects.clear()
            try:
                for pipe in await asyncio.to_thread(self._jobs.pipes.of_nodes, keys):
                    await self._after_alert(pipe)
            except SQLAlchemyError:
                log.exception("the pipes cannot be read: nothing was located automatically")

    async def _after_alert(self, pipe: Row) -> None:
        """Locate on a pipe whose nodes both suspect a leak."""
        nodes = [self._fleet.get(key) for key in ends(pipe)]
        if not pipe["automatic"] or not all(node is not None and node.state in SUSPECTED for node in nodes):
            return
        last = await asyncio.to_thread(self._jobs.locations.newest, pipe["id"], "alert")
        if time.time() - last < AFTER_ALERT_S:
            return
        if self._budget.wait(time.monotonic()) > 0:
            log.warning("too many alerts to locate all of them: %s is left out", pipe["pair"])
            return
        self._budget.use()
        await self._ask(pipe, "alert")

    async def _nights(self) -> None:
        while True:
            try:
                for pipe in await asyncio.to_thread(self._jobs.pipes.automatic):
                    await self.after_night(pipe, time.time())
            except SQLAlchemyError:
                log.exception("the pipes cannot be read: no night was located")
            await asyncio.sleep(NIGHT_EVERY_S)

    async def after_night(self, pipe: Row, now: float) -> None:
        """Locate with the quietest slot of the last night that both nodes recorded, once for each night."""
        nodes = [self._fleet.get(key) for key in ends(pipe)]
        online = all(node is not None and node.presence == ONLINE for node in nodes)
        if not online or self._later.get(pipe["id"], 0.0) > now:
            return
        if now - await asyncio.to_thread(self._jobs.locations.newest, pipe["id"], "night") < NIGHT_AGO_S:
            return
        try:
            a, b = [await NodeRecordings(self._commander, key).nightly() for key in ends(pipe)]
        except (NodeRefuses, NoAnswer) as error:
            self._later[pipe["id"]] = now + REFUSED_S
            log.info("%s: no recordings of the night: %s", pipe["pair"], error)
            return
        if common_slot(a, b, now - NIGHT_OVER_S, now):
            return  # the night goes on
        slot = common_slot(a, b, now - NIGHT_AGO_S, now)
        if slot is not None:
            await self._ask(pipe, "night", slot)

    async def _ask(self, pipe: Row, cause: str, slot: Slot | None = None) -> None:
        try:
            await self._jobs.ask(pipe["id"], cause, WHO, slot)
        except InputDataError as error:
            log.warning("%s is not located: %s", pipe["pair"], error)

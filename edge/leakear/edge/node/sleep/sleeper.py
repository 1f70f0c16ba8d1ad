"""The sleeper: between the listening hours the microphone is closed, the broker is left, and the node waits.

Before it sleeps a node delivers what waits, says until when it sleeps (`state`, availability `asleep`), and signs off;
what the broker did not take stays in the outbox until the next waking. The hours are those of the wall clock, so a
clock that was never synchronised keeps a node awake: better an empty battery than a deaf node. Once it sleeps, the
kernel's clock since boot counts, which no setting of the time changes. After a sleep it listens for the shortest
listening at the least: whoever sets its clock back again and again makes no deaf node of it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.clock import elapsed
from leakear.edge.messages.reports import utc_text
from leakear.edge.node.node import Node
from leakear.edge.node.restart import TimeKeeper
from leakear.edge.schedule import LEAST_MIN, Schedule

log = logging.getLogger("leakear.node")

LOOK_S = 10.0
"""s between two looks at the clock, at what a person asks on the node, and at systemd's watchdog"""
DELIVER_S, STAY_S = 30.0, 2.0
"""s for which a node that goes to sleep tries to deliver at most, and stays at the least: commands wait for it"""


class Sleeper:
    """Sends a node to sleep and wakes it. The caller closes the microphone meanwhile."""

    def __init__(
        self,
        node: Node,
        clock: TimeKeeper,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = elapsed,
    ) -> None:
        self._node, self._clock = node, clock
        self._wall, self._steady = wall, steady
        self._stopped = threading.Event()
        self._known = False  # whether the clock has been right since the start
        self._awake_until = float("-inf")  # s of the steady clock until which it listens, whatever the time is

    def run(self, source: Iterable[Block | SensorFault]) -> None:
        """Listen to a live source in the listening hours, until `stop`. Between them its iterator is closed."""
        self._node.open()
        while not self._node.stopping:
            self.sleep_if_due()
            self._node.listen(source, live=time.monotonic, over=lambda: self.due is not None)
        self._node.close()

    def stop(self) -> None:
        """End a sleep at once; a signal handler may call it."""
        self._stopped.set()

    @property
    def due(self) -> float | None:
        """Until when the node should sleep now, s since 1970; None: it should listen."""
        self._known = self._known or self._clock.look()
        awake = not self._known or self._steady() < self._awake_until
        return None if awake else self._schedule.asleep_until(self._wall())

    @property
    def _schedule(self) -> Schedule:
        """The present hours: a reload may have changed them."""
        return self._node.reloader.settings.schedule.schedule(self._node.detector.rule.zone)

    def sleep_if_due(self) -> None:
        """Sleep until the next listening hour, if now is none."""
        until = self.due
        if until is None or self._node.stopping:
            return
        node = self._node
        node.idle(time.monotonic(), self._wall())
        node.fall_asleep(until)
        self._deliver()
        node.leave(_clock_text(until, self._schedule))
        log.info("asleep until %s", utc_text(until))
        end = self._steady() + until - self._wall()
        while not node.stopping and (left := end - self._steady()) > 0 and self.due is not None:
            self._stopped.wait(min(LOOK_S, left))
            node.idle(time.monotonic(), self._wall())
            node.rest()
        self._awake_until = self._steady() + 60.0 * LEAST_MIN
        if not node.stopping:
            log.info("awake")
            node.wake()

    def _deliver(self) -> None:
        """Give the broker what waits for it."""
        begin = time.monotonic()
        while not self._stopped.is_set() and (now := time.monotonic()) - begin < DELIVER_S:
            self._node.idle(now, self._wall())
            if self._node.delivered and now - begin >= STAY_S:
                return
            self._stopped.wait(0.05)


def _clock_text(until: float, schedule: Schedule) -> str:
    return f"{datetime.fromtimestamp(until, schedule.zone):%H:%M}"

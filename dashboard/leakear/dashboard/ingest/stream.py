"""What a worker has received on one subscription, until it is stored and acknowledged."""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from leakear.dashboard.broker.connection import BrokerConnection, BrokerOptions
from leakear.dashboard.broker.inbox import Read, Unread, read
from leakear.dashboard.broker.limits import TopicLimits
from leakear.dashboard.broker.subscriber import LARGEST, Incoming, incoming
from leakear.dashboard.history import Row

log = logging.getLogger(__name__)
AT_ONCE = 1000
"""rows in one transaction"""


@dataclass
class Waiting:
    """A row that is not stored yet, and the deliveries that are acknowledged when it is."""

    row: Row
    sources: list[Incoming] = field(default_factory=list)


class Stream:
    """One subscription of a worker. `row` makes a row of a message; None: there is nothing to store."""

    def __init__(
        self, broker: BrokerOptions, topics: list[tuple[str, int]], wake: Callable[[], None], *,
        key: Callable[[Row], object], limits: TopicLimits | None = None, leaving: bool = False,
    ) -> None:  # fmt: skip
        self._received: deque[Incoming] = deque()
        self._wake, self._key = wake, key
        self.waiting: dict[object, Waiting] = {}
        """by what makes a row unique: the broker delivers again what was not acknowledged on the last connection"""
        self.heard = time.monotonic()
        """when the last message came"""
        self.connection = BrokerConnection(
            broker, [] if leaving else topics, self._deliver, wake, persistent=True, largest=LARGEST,
            wanted=limits.take if limits else None, leaves=[topic for topic, _ in topics] if leaving else (),
        )  # fmt: skip

    def _deliver(self, message: Any) -> None:
        """Queue a delivery; paho calls it in its thread."""
        self._received.append(incoming(message, self.connection.session))
        self.heard = time.monotonic()
        self._wake()

    def parse(self, row: Callable[[Read, float], Row | None]) -> None:
        """Make rows of what has come; what cannot be read or stored is acknowledged and left out."""
        for _ in range(len(self._received)):
            item = self._received.popleft()
            found = read(item)
            made = row(found, time.time()) if isinstance(found, Read) else None
            if isinstance(found, Unread):
                log.warning("a message on %a cannot be read: %s", item.topic[:200], found.why)
            if made is None:
                self.acknowledge([item])
            else:
                self.waiting.setdefault(self._key(made), Waiting(made)).sources.append(item)

    def batch(self) -> list[Waiting]:
        """Return the rows that wait longest."""
        return [each for each, _ in zip(self.waiting.values(), range(AT_ONCE), strict=False)]

    def done(self, batch: list[Waiting]) -> None:
        """Acknowledge rows that are stored."""
        for each in batch:
            del self.waiting[self._key(each.row)]
            self.acknowledge(each.sources)

    def acknowledge(self, items: list[Incoming]) -> None:
        """Acknowledge deliveries of the present connection; the broker sends those of a lost one again."""
        for item in items:
            if item.qos and item.session == self.connection.session:
                self.connection.acknowledge(item.mid, item.qos)

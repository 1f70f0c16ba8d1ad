"""How many events of one topic are taken: one node's events must not delay another's leak, nor fill the disk.

A node sends more slowly (`leakear.edge.mqtt.sender`). Further ones are acknowledged and left out; they are missing in
`seq`, and asked for again.
"""

import logging
import time

from leakear.dashboard.accounts.throttle import Budgets

log = logging.getLogger(__name__)
BURST, PER_S = 500.0, 100.0
"""events of one topic that are taken: so many at once, then so many a second"""
MOST, MOST_PER_S = 20_000.0, 0.25
"""the same, over days"""
CLOSED, CLOSED_S = 1_000, 0.1
"""topics beyond their limit whose events are left out without counting, and for how many seconds"""
LOGGED = 1_000
"""events left out for each line in the log"""


class TopicLimits:
    """Called in paho's thread, before an event is read."""

    def __init__(self) -> None:
        self.dropped = 0
        """events beyond their topic's limit"""
        self._closed: dict[bytes, float] = {}
        """topics that are beyond their limit, until when"""
        self._budgets = Budgets(BURST, PER_S), Budgets(MOST, MOST_PER_S)

    def take(self, topic: bytes) -> bool:
        """Whether one more event on this topic is taken."""
        now = time.monotonic()
        if self._closed.get(topic, 0.0) <= now:
            name = topic.decode("utf-8", "replace")
            if all(budgets.take(name, now) for budgets in self._budgets):
                return True
            if len(self._closed) >= CLOSED:
                self._closed.clear()
            self._closed[topic] = now + CLOSED_S
        self.dropped += 1
        if self.dropped % LOGGED == 1:
            log.warning("%a sends too many events: %d messages were left out so far", topic[:200], self.dropped)
        return False

"""Receives messages from the broker. paho's threads only enqueue them; the event loop takes and acknowledges them.

There are three connections, so that no event waits behind anything else: on one connection a broker sends in order, and
many nodes report all the time. The session of the events' connection is persistent: while the dashboard is down, the
broker keeps its events. An event is acknowledged after it is stored; after a crash in between it is delivered again,
and recognised by its id. Answers of a node are subscribed to only while a command waits for them (`answers`).
"""

import asyncio
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import paho.mqtt.client as paho

from leakear.dashboard.accounts.throttle import Budgets
from leakear.dashboard.broker.answers import Answers
from leakear.dashboard.broker.connection import BrokerConnection, BrokerOptions

log = logging.getLogger(__name__)
EVENTS = [("leakear/+/+/event", 1)]
"""messages that must not be lost or late"""
REPORTS = [
    ("leakear/+/+/availability", 1),
    ("leakear/+/+/state", 0),
    ("leakear/+/+/telemetry", 0),
    ("leakear/+/+/spectrum", 0),
]
"""messages that the next one replaces; retained ones are sent again with each connection"""
LARGEST = 64 * 1024
"""bytes of an event or a report"""
TOPICS = 20_000
"""topics of which reports are kept while the event loop is busy; reports of further topics are dropped"""
PER_TOPIC = 4
"""reports of one topic that wait; beyond it the oldest is dropped"""
WAITING = 64 * 2**20
"""bytes of waiting reports beyond which those of further topics are dropped"""
AT_ONCE = 500
"""reports taken before events are looked for again"""
BURST, PER_S = 500.0, 100.0
"""events of one topic that are taken: so many at once, then so many a second

A node sends more slowly (`leakear.edge.mqtt.sender`). Further ones are acknowledged and left out: one node's events
must not delay another's leak. They are missing in `seq`, and asked for again.
"""
MOST, MOST_PER_S = 20_000.0, 0.25
"""the same, over days: one node's events must not fill the disk"""
CLOSED, CLOSED_S = 1_000, 0.1
"""topics beyond their limit whose events are left out without counting, and for how many seconds"""
LOGGED = 1_000
"""events left out for each line in the log"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One delivery."""

    topic: str
    payload: bytes
    """empty when it was too large"""
    retained: bool
    too_large: int = 0
    """the limit in bytes that its payload exceeded; 0: it did not"""
    mid: int = 0
    """packet id, to acknowledge it"""
    qos: int = 0
    """0 when there is nothing to acknowledge"""
    session: int = 0
    """number of its connection: a packet id is valid only there"""


class Subscriber:
    """Subscription to all nodes. `wake` is called in paho's threads when something waits."""

    def __init__(self, options: BrokerOptions, wake: Callable[[], None]) -> None:
        self.dropped = 0
        """reports dropped because the event loop was too slow, and events beyond their topic's limit"""
        self._closed: dict[bytes, float] = {}
        """topics that are beyond their limit, until when"""
        self._budgets = Budgets(BURST, PER_S), Budgets(MOST, MOST_PER_S)
        self._lock = threading.Lock()
        self._urgent: deque[Incoming] = deque()
        self._reports: OrderedDict[str, deque[Incoming]] = OrderedDict()
        self._report_bytes = 0
        self._wake = wake
        other = replace(options, client_id=f"{options.client_id}-reports")
        self._events = BrokerConnection(
            options, EVENTS, self._event, wake, persistent=True, largest=LARGEST, wanted=self._within_limit
        )
        self._state_reports = BrokerConnection(other, REPORTS, self._report, wake, persistent=False, largest=LARGEST)
        self.answers = Answers(replace(options, client_id=f"{options.client_id}-answers"), wake)
        self._all = (self._events, self._state_reports, self.answers.connection)

    @property
    def connected(self) -> bool:
        """Whether all connections are up and subscribed."""
        return all(each.connected for each in self._all)

    @property
    def trouble(self) -> str | None:
        """Why there is no connection, one sentence."""
        return next((each.trouble for each in self._all if each.trouble), None)

    def start(self) -> None:
        """Connect in the background, and reconnect after every failure."""
        for each in self._all:
            each.start()

    def stop(self) -> None:
        """Disconnect; the broker keeps the session."""
        for each in self._all:
            each.stop()

    def switch_version(self) -> None:
        """Try the other MQTT version when the broker refused this one. Blocking; called every second."""
        for each in self._all:
            each.switch_version()

    def take(self) -> tuple[list[Incoming], list[Incoming]]:
        """Return all waiting events, and some reports."""
        urgent = [self._urgent.popleft() for _ in range(len(self._urgent))]
        return urgent, self._take_reports()

    def _take_reports(self) -> list[Incoming]:
        reports: list[Incoming] = []
        with self._lock:
            while self._reports and len(reports) < AT_ONCE:
                reports += self._reports.popitem(last=False)[1]
            self._report_bytes -= sum(len(item.payload) for item in reports)
        return reports

    def acknowledge(self, messages: list[Incoming]) -> None:
        """Acknowledge stored messages. The broker sends those of a lost connection again."""
        for message in messages:
            if message.qos and message.session == self._events.session:
                self._events.acknowledge(message.mid, message.qos)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the broker; False without a connection.

        Not on the events' connection: mosquitto ends a connection whose user may not publish there.
        """
        return self.answers.connection.publish(topic, payload, qos=qos, retain=retain)

    def _event(self, message: paho.MQTTMessage) -> None:
        self._urgent.append(_incoming(message, self._events.session))
        self._wake()

    def _within_limit(self, topic: bytes) -> bool:
        """Whether one more event on this topic is taken; called in paho's thread, before the event is read."""
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

    def _report(self, message: paho.MQTTMessage) -> None:
        """Keep the newest reports of each topic, so that a node that sends many displaces only its own."""
        item = _incoming(message)
        with self._lock:
            waiting = self._reports.get(item.topic)
            if waiting is None:
                if len(self._reports) >= TOPICS or self._report_bytes > WAITING:
                    self.dropped += 1
                    return
                waiting = self._reports[item.topic] = deque()
            if len(waiting) == PER_TOPIC:
                self.dropped += 1
                self._report_bytes -= len(waiting.popleft().payload)
            waiting.append(item)
            self._report_bytes += len(item.payload)
        self._wake()


def _incoming(message: paho.MQTTMessage, session: int = 0) -> Incoming:
    large = len(message.payload) > LARGEST
    payload = b"" if large else bytes(message.payload)
    too_large = LARGEST if large else 0
    return Incoming(_topic(message), payload, message.retain, too_large, message.mid, message.qos, session)


def _topic(message: paho.MQTTMessage) -> str:
    try:
        return message.topic
    except UnicodeDecodeError:
        return ""  # no topic of a node; paho raises it for each access


def waker(loop: asyncio.AbstractEventLoop, bell: asyncio.Event) -> Callable[[], None]:
    """Make the `wake` of a Subscriber: sets the event once for any number of messages."""

    def wake() -> None:
        if not bell.is_set() and not loop.is_closed():
            loop.call_soon_threadsafe(bell.set)

    return wake

"""Receives messages from the broker. paho's threads only enqueue them; the event loop takes and acknowledges them.

There are three connections, so that no event waits behind anything else: on one connection a broker sends in order, and
many nodes report all the time. The session of the events' connection is persistent: while the dashboard is down, the
broker keeps its events. An event is acknowledged after it is stored; after a crash in between it is delivered again,
and recognised by its id. Answers of a node are subscribed to only while a command waits for them (`answers`).
"""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import paho.mqtt.client as paho

from leakear.dashboard.broker.answers import Answers
from leakear.dashboard.broker.connection import BrokerConnection, BrokerOptions
from leakear.dashboard.broker.limits import TopicLimits

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
"""topics of which reports are kept while the event loop is busy; for more nodes more; others are dropped"""
PER_TOPIC = 4
"""reports of one topic that wait; beyond it the oldest is dropped"""
WAITING = 64 * 2**20
"""bytes of waiting reports beyond which those of further topics are dropped; more where REPORT for each node is more"""
REPORT = 2048
"""bytes of the reports of one node that wait"""
AT_ONCE = 500
"""reports taken before events are looked for again"""


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

    def __init__(
        self, options: BrokerOptions, wake: Callable[[], None], nodes: int = 0, *, server: str | None = None
    ) -> None:
        """`nodes`: those that are expected; a broker sends the retained reports of all of them at once.

        `server`: a name of this process, where ingest workers take the events and several servers have the same client
        id; the one that leads still gets the events that wait in this session.
        """
        self._topics = max(TOPICS, len(REPORTS) * nodes)
        self._waiting = max(WAITING, REPORT * nodes)
        self._dropped = 0
        """reports dropped because the event loop was too slow"""
        self._heard = -1
        """number of the reports' connection on which something has come"""
        self._limits = TopicLimits()
        self._lock = threading.Lock()
        self._urgent: deque[Incoming] = deque()
        self._reports: OrderedDict[str, deque[Incoming]] = OrderedDict()
        self._report_bytes = 0
        self._wake = wake
        events = server is None
        mine = f"{options.client_id}-{server}" if server else options.client_id
        other = replace(options, client_id=f"{mine}-reports")
        self._events = BrokerConnection(
            options, EVENTS if events else [], self._event, wake, persistent=True, largest=LARGEST,
            wanted=self._limits.take, leaves=() if events else [topic for topic, _ in EVENTS],
        )  # fmt: skip
        self._state_reports = BrokerConnection(other, REPORTS, self._report, wake, persistent=False, largest=LARGEST)
        self.answers = Answers(replace(options, client_id=f"{mine}-answers"), wake)
        others = (self._state_reports, self.answers.connection)
        self._all: tuple[BrokerConnection, ...] = (self._events, *others) if events else others
        """those that are started"""

    @property
    def dropped(self) -> int:
        """Reports dropped because the event loop was too slow, and events beyond their topic's limit."""
        return self._dropped + self._limits.dropped

    @property
    def connected(self) -> bool:
        """Whether all connections are up and subscribed."""
        return all(each.connected for each in self._all)

    @property
    def heard(self) -> bool:
        """Whether anything has come since the connection: retained messages of nodes come at once.

        mosquitto grants every subscription and then delivers what its access list allows: an account that may read
        nothing looks like a broker without nodes.
        """
        return self._heard == self._state_reports.session

    @property
    def trouble(self) -> str | None:
        """Why there is no connection, one sentence."""
        return next((each.trouble for each in self._all if each.trouble), None)

    def start(self) -> None:
        """Connect in the background, and reconnect after every failure."""
        for each in self._all:
            each.start()

    def lead(self, *, leads: bool) -> None:
        """Begin or end to take what waits for the events' session, where workers take all others. Blocking."""
        others = (self._state_reports, self.answers.connection)
        if leads:
            self._events.start()
            self._all = (self._events, *others)
        elif self._events in self._all:
            self._all = others
            self._events.stop()

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
        self._heard = self._state_reports.session
        self._urgent.append(incoming(message, self._events.session))
        self._wake()

    def _report(self, message: paho.MQTTMessage) -> None:
        """Keep the newest reports of each topic, so that a node that sends many displaces only its own."""
        item = incoming(message)
        self._heard = self._state_reports.session
        with self._lock:
            waiting = self._reports.get(item.topic)
            if waiting is None:
                if len(self._reports) >= self._topics or self._report_bytes > self._waiting:
                    self._dropped += 1
                    return
                waiting = self._reports[item.topic] = deque()
            if len(waiting) == PER_TOPIC:
                self._dropped += 1
                self._report_bytes -= len(waiting.popleft().payload)
            waiting.append(item)
            self._report_bytes += len(item.payload)
        self._wake()


def incoming(message: paho.MQTTMessage, session: int = 0) -> Incoming:
    """Return what paho has received, without what is too large; `session`: number of the connection."""
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

"""Receives messages from the broker. paho's threads only enqueue them; the event loop takes and acknowledges them.

There are two connections, so that no event waits behind reports: on one connection a broker sends in order, and many
nodes report all the time. The session of the events' connection is persistent: while the dashboard is down, the broker
keeps its events. An event is acknowledged after it is stored; after a crash in between it is delivered again, and
recognised by its id.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import paho.mqtt.client as paho

from leakear.dashboard.broker.connection import BrokerConnection, BrokerOptions

EVENTS = [("leakear/+/+/event", 1), ("leakear/+/+/cmd/+/result", 1)]
"""messages that must not be lost or late"""
REPORTS = [
    ("leakear/+/+/availability", 1),
    ("leakear/+/+/state", 0),
    ("leakear/+/+/telemetry", 0),
    ("leakear/+/+/spectrum", 0),
]
"""messages that the next one replaces; retained ones are sent again with each connection"""
WAITING = 20_000
"""reports kept while the event loop is busy; beyond it the oldest are dropped"""
AT_ONCE = 500
"""reports taken before events are looked for again"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One delivery."""

    topic: str
    payload: bytes
    retained: bool
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
        """reports dropped because the event loop was too slow"""
        self._urgent: deque[Incoming] = deque()
        self._reports: deque[Incoming] = deque(maxlen=WAITING)
        self._wake = wake
        other = replace(options, client_id=f"{options.client_id}-reports")
        self._events = BrokerConnection(options, EVENTS, self._event, wake, persistent=True)
        self._state_reports = BrokerConnection(other, REPORTS, self._report, wake, persistent=False)

    @property
    def connected(self) -> bool:
        """Whether both connections are up and subscribed."""
        return self._events.connected and self._state_reports.connected

    @property
    def trouble(self) -> str | None:
        """Why there is no connection, one sentence."""
        return self._events.trouble or self._state_reports.trouble

    def start(self) -> None:
        """Connect in the background, and reconnect after every failure."""
        self._events.start()
        self._state_reports.start()

    def stop(self) -> None:
        """Disconnect; the broker keeps the session."""
        self._events.stop()
        self._state_reports.stop()

    def switch_version(self) -> None:
        """Try the other MQTT version when the broker refused this one. Blocking; called every second."""
        self._events.switch_version()
        self._state_reports.switch_version()

    def take(self) -> tuple[list[Incoming], list[Incoming]]:
        """Return all waiting events and answers, and some reports."""
        urgent = [self._urgent.popleft() for _ in range(len(self._urgent))]
        reports = [self._reports.popleft() for _ in range(min(AT_ONCE, len(self._reports)))]
        return urgent, reports

    def acknowledge(self, messages: list[Incoming]) -> None:
        """Acknowledge stored messages. The broker sends those of a lost connection again."""
        for message in messages:
            if message.qos and message.session == self._events.session:
                self._events.acknowledge(message.mid, message.qos)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the broker; False without a connection."""
        return self._events.publish(topic, payload, qos=qos, retain=retain)

    def _event(self, message: paho.MQTTMessage) -> None:
        topic, payload, session = message.topic, bytes(message.payload), self._events.session
        self._urgent.append(Incoming(topic, payload, message.retain, message.mid, message.qos, session))
        self._wake()

    def _report(self, message: paho.MQTTMessage) -> None:
        self.dropped += len(self._reports) == WAITING
        self._reports.append(Incoming(message.topic, bytes(message.payload), message.retain))
        self._wake()


def waker(loop: asyncio.AbstractEventLoop, bell: asyncio.Event) -> Callable[[], None]:
    """Make the `wake` of a Subscriber: sets the event once for any number of messages."""

    def wake() -> None:
        if not bell.is_set() and not loop.is_closed():
            loop.call_soon_threadsafe(bell.set)

    return wake

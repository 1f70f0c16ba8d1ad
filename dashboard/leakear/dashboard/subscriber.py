"""What the broker sends. paho's threads only enqueue; the event loop takes what came, and acknowledges what is stored.

Two lines, so that no event waits behind reports: over one connection a broker sends in order, and a thousand nodes
report all the time. The session of the line for events is persistent: while the dashboard is down the broker keeps its
events. An event is acknowledged only after the history has committed it, so a crash in between brings it again, and its
id tells that it is the same.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import paho.mqtt.client as paho

from leakear.dashboard.broker_connection import BrokerOptions, Line

EVENTS = [("leakear/+/+/event", 1), ("leakear/+/+/cmd/+/result", 1)]
"""what must not be lost or late"""
REPORTS = [
    ("leakear/+/+/availability", 1),
    ("leakear/+/+/state", 0),
    ("leakear/+/+/telemetry", 0),
    ("leakear/+/+/spectrum", 0),
]
"""what the next one replaces; the retained ones come anew with each connection"""
WAITING = 20_000
"""reports kept while the event loop is busy; the oldest go first"""
AT_ONCE = 500
"""reports taken between two looks for events"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One delivery."""

    topic: str
    payload: bytes
    retained: bool
    mid: int = 0
    """packet id, to acknowledge it"""
    qos: int = 0
    """0 where nothing is left to acknowledge"""
    session: int = 0
    """connection on which it came: a packet id means nothing on the next one"""


class Subscriber:
    """Subscription to all nodes. `wake` is called in paho's threads when something waits."""

    def __init__(self, options: BrokerOptions, wake: Callable[[], None]) -> None:
        self.dropped = 0
        """reports given up because the event loop did not keep up"""
        self._urgent: deque[Incoming] = deque()
        self._reports: deque[Incoming] = deque(maxlen=WAITING)
        self._wake = wake
        other = replace(options, client_id=f"{options.client_id}-reports")
        self._events = Line(options, EVENTS, self._event, wake, kept=True)
        self._others = Line(other, REPORTS, self._report, wake, kept=False)

    @property
    def connected(self) -> bool:
        """And subscribed."""
        return self._events.connected and self._others.connected

    @property
    def trouble(self) -> str | None:
        """Why there is no connection, one sentence."""
        return self._events.trouble or self._others.trouble

    def start(self) -> None:
        """Connect in the background, and for ever again."""
        self._events.start()
        self._others.start()

    def stop(self) -> None:
        """Leave; the broker keeps the session."""
        self._events.stop()
        self._others.stop()

    def attend(self) -> None:
        """Try the other version where the broker hung up on this one. Blocking; called now and then."""
        self._events.attend()
        self._others.attend()

    def take(self) -> tuple[list[Incoming], list[Incoming]]:
        """Events and answers that wait (all of them), and some reports."""
        urgent = [self._urgent.popleft() for _ in range(len(self._urgent))]
        reports = [self._reports.popleft() for _ in range(min(AT_ONCE, len(self._reports)))]
        return urgent, reports

    def acknowledge(self, messages: list[Incoming]) -> None:
        """Tell the broker that these are stored. Those of a lost connection come again by themselves."""
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
    """Make the `wake` of a Subscriber: rings once, however many messages come before the loop looks."""

    def wake() -> None:
        if not bell.is_set() and not loop.is_closed():
            loop.call_soon_threadsafe(bell.set)

    return wake

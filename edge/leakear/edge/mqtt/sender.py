"""What is sent over one connection: a bounded window of publishes, each known until the broker has answered it."""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from leakear.edge.mqtt import reason_codes
from leakear.edge.mqtt.backoff import RefusedTopics
from leakear.edge.mqtt.inbox import Transport
from leakear.edge.mqtt.reason_codes import FAILURE
from leakear.edge.outbox.queue import Outbox

log = logging.getLogger("leakear.mqtt")

REPLY_BYTES = 4 * 2**20
"""bytes of command results that wait for the broker; more are not taken"""


@dataclass(frozen=True)
class Sent:
    """A publish or a subscription that waits for the broker's answer."""

    topic: str
    at: float
    """s, monotonic"""
    seq: int = 0
    """of the event; 0: not an event"""
    subscription: bool = False
    """a subscription"""


@dataclass
class Retained:
    """Retained messages of a node: topic → newest payload, and which of them the broker does not have yet."""

    payloads: dict[str, bytes]
    dirty: dict[str, None] = field(default_factory=dict)
    """an ordered set of topics"""

    def set(self, topic: str, payload: bytes) -> None:
        """Keep the newest payload of a topic, and send it when the connection allows."""
        self.payloads[topic] = payload
        self.dirty[topic] = None

    def send_all_again(self) -> None:
        """Send every retained message once more: the connection is new, or the broker forgot them."""
        self.dirty = dict.fromkeys(self.payloads)


@dataclass(frozen=True)
class Topics:
    """Topics of a node's messages."""

    availability: str
    events: str
    user: str
    """the node's user name on the broker, for error messages"""


class Sender:
    """Sends over one connection: `availability` first, and nothing else until the broker has taken it."""

    def __init__(
        self,
        connection: Transport,
        window: int,
        topics: Topics,
        retained: Retained,
        refused_topics: RefusedTopics,
        outbox: Outbox,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connection = connection
        self.open = False
        """whether the broker has taken `availability`"""
        self.acks: list[int] = []
        """seqs that the broker has acknowledged and the outbox does not know of yet"""
        self.refused_subscription: str | None = None
        """topic of a subscription the broker refused"""
        self._window, self._topics, self._retained = window, topics, retained
        self._refused_topics, self._outbox, self._monotonic = refused_topics, outbox, monotonic
        self._sent: dict[int, Sent] = {}
        self._replies: deque[tuple[str, bytes]] = deque()
        self._after = 0
        """seq of the newest event handed to the socket"""

    def subscribe(self, topic: str) -> None:
        """Subscribe."""
        mid = self.connection.subscribe(topic)
        if mid is not None:
            self._sent[mid] = Sent(topic, self._monotonic(), subscription=True)

    def reply(self, topic: str, payload: bytes) -> bool:
        """Put a reply in line; False when too many wait."""
        if sum(len(body) for _, body in self._replies) + len(payload) > REPLY_BYTES:
            return False
        self._replies.append((topic, payload))
        return True

    def answer(self, mid: int, code: int) -> None:
        """Take the broker's answer to publish or subscription `mid`; FAILURE and above mean no."""
        sent = self._sent.pop(mid, None)
        if sent is None:
            return  # a QoS 0 message has left
        if code >= FAILURE:
            self._refused(sent, code)
        elif not sent.subscription:
            self._refused_topics.release(sent.topic)
            self.open = self.open or sent.topic == self._topics.availability
            if sent.seq:
                self.acks.append(sent.seq)

    def fill(self) -> None:
        """Hand to the socket what the broker may have unacknowledged: retained, then events, then replies."""
        now = self._monotonic()
        for topic in self._retained_due(now):
            if not self._publish(topic, self._retained.payloads[topic], retain=True):
                return
            del self._retained.dirty[topic]
        if self.open and not self._refused_topics.is_held(self._topics.events, now):
            self._fill_events()
        while self.open and self._replies and self._publish(*self._replies[0]):
            self._replies.popleft()

    def silent_s(self) -> float:
        """Return for how long the oldest publish or subscription has been unanswered, s."""
        now = self._monotonic()
        return now - min((sent.at for sent in self._sent.values()), default=now)

    def busy(self, topic: str) -> bool:
        """Whether a retained topic is still on its way."""
        return topic in self._retained.dirty or self._in_flight(topic)

    def idle(self) -> bool:
        """Whether the broker has everything it may have."""
        now = self._monotonic()
        waiting = [topic for topic in self._retained.dirty if not self._refused_topics.is_held(topic, now)]
        return not (self._sent or waiting or self._replies or self.acks)

    def _retained_due(self, now: float) -> list[str]:
        wanted = list(self._retained.dirty)
        if not self.open:
            wanted = [topic for topic in wanted if topic == self._topics.availability]
        return [
            topic for topic in wanted if not self._in_flight(topic) and not self._refused_topics.is_held(topic, now)
        ]

    def _fill_events(self) -> None:
        in_flight = {sent.seq for sent in self._sent.values() if sent.seq}
        room = self._window - len(self._sent)
        if room <= 0 or self._outbox.depth <= len(in_flight | set(self.acks)):
            return
        for row in self._outbox.pending(room + len(in_flight), self._after):
            if row.seq not in in_flight and not self._publish(self._topics.events, row.payload, seq=row.seq):
                return
            self._after = row.seq

    def _publish(self, topic: str, payload: bytes, *, seq: int = 0, retain: bool = False) -> bool:
        """Send with QoS 1; False when the window is full or the connection gone."""
        if len(self._sent) >= self._window:
            return False
        mid = self.connection.publish(topic, payload, 1, retain)
        if mid is not None:
            self._sent[mid] = Sent(topic, self._monotonic(), seq)
        return mid is not None

    def _refused(self, sent: Sent, code: int) -> None:
        """Keep what was refused, log it once, and try it again later."""
        if sent.subscription:
            self.refused_subscription = sent.topic
            return
        refusal = reason_codes.explain_publish(code, sent.topic, self._topics.user)
        if sent.topic not in self._refused_topics.sentences:
            log.error("%s", refusal.sentence)
        self._refused_topics.hold(sent.topic, refusal.sentence, self._monotonic())
        if sent.seq:
            self._after = 0
        else:
            self._retained.dirty.update(dict.fromkeys({sent.topic} & self._retained.payloads.keys()))

    def _in_flight(self, topic: str) -> bool:
        return any(sent.topic == topic and not sent.subscription for sent in self._sent.values())

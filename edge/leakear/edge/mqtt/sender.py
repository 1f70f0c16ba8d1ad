"""What is sent over one connection: a bounded window of publishes, each known until the broker has answered it.

Order: subscriptions, `availability`, then events, then other retained messages and replies. What the broker does not
take is held back by itself (`refusals`); everything else goes on.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import paho.mqtt.client as paho

from leakear.edge.clock import Bucket
from leakear.edge.mqtt.inbox import Transport
from leakear.edge.mqtt.refusals import packet_size, reason_codes
from leakear.edge.mqtt.refusals.backoff import RefusedTopics
from leakear.edge.mqtt.refusals.outgoing import Outgoing
from leakear.edge.mqtt.refusals.reason_codes import FAILURE, Refusal
from leakear.edge.mqtt.refusals.suspects import SOON_S, Suspects
from leakear.edge.mqtt.retained import Retained
from leakear.edge.outbox.queue import Outbox

log = logging.getLogger("leakear.mqtt")

EVENTS, EVENTS_PER_S = 300, 80.0
"""events at once, then s⁻¹: a dashboard takes 500, then 100 a second, of one node"""
REPLY_BYTES = 4 * 2**20
"""bytes of command results that wait for the broker; more are not taken"""
REPLY_S = 300.0
"""s after which nobody waits for a command's result any more"""
EXPIRY_BYTES = 5
"""bytes of a message's expiry in MQTT 5"""
DOUBT_S = 0.5
"""s of silence after a suspect message with MQTT 3.1.1, whose brokers acknowledge a message and then cut"""


@dataclass(frozen=True)
class Limits:
    """What the broker takes on one connection."""

    window: int
    """publishes unacknowledged"""
    max_packet: int = 2**28
    """bytes"""
    retains: bool = True
    """whether it keeps retained messages"""


@dataclass(frozen=True)
class Topics:
    """Topics of a node's messages."""

    availability: str
    events: str
    """where an event goes whose own names cannot be read"""
    user: str
    """the node's user name on the broker, for error messages"""


class Sender:
    """Sends over one connection: `availability` first, and nothing else until the broker has taken it."""

    def __init__(
        self,
        connection: Transport,
        limits: Limits,
        topics: Topics,
        retained: Retained,
        refused: RefusedTopics,
        suspects: Suspects,
        outbox: Outbox,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connection = connection
        self.open = False
        """whether the broker has taken `availability`"""
        self.acks: list[int] = []
        """seqs that the broker has acknowledged and the outbox does not know of yet"""
        self.refused_subscription: Refusal | None = None
        """why the broker refused a subscription; None: it did not"""
        self.replies: deque[Outgoing] = deque()
        """command results that wait for their turn"""
        self._limits, self._topics, self._retained = limits, topics, retained
        self._refused, self._suspects = refused, suspects
        self._outbox, self._monotonic = outbox, monotonic
        self._pace = Bucket(EVENTS, EVENTS_PER_S, monotonic)
        self._sent: dict[int, Outgoing] = {}
        self._last: Outgoing | None = None  # newest that was answered; `at`: when
        self._quiet_until = 0.0  # s, monotonic
        self._subscriptions: deque[tuple[str, bool]] = deque()
        self._after = 0
        """seq of the newest event handed to the socket or held back"""
        self._look_again = float("inf")  # s, monotonic, when the first event held back is due

    def subscribe(self, topic: str, *, commands: bool = False) -> None:
        """Subscribe: whoever sees the node online can ask it something."""
        self._subscriptions.append((topic, commands))

    def reply(self, topic: str, payload: bytes) -> bool:
        """Put a reply in line; False when too many wait, or it is larger than the broker takes."""
        waiting = sum(len(one.payload) for one in self.replies) + len(payload)
        if waiting > REPLY_BYTES or self.size(topic, payload) > self._limits.max_packet:
            return False
        self.replies.append(Outgoing(topic, payload, at=self._monotonic()))
        return True

    def unanswered_replies(self) -> list[Outgoing]:
        """Return the replies that the broker has not acknowledged. One that was sent twice may be why it hung up."""
        sent = [one for one in self._sent.values() if not (one.seq or one.retain or one.subscription or one.again)]
        return [*(replace(one, again=True) for one in sent), *self.replies]

    def once(self, topic: str, payload: bytes, expiry_s: int) -> bool:
        """Send with QoS 0 now, whatever waits; False when it did not go out."""
        if not self.fits(topic, payload, EXPIRY_BYTES):
            return False
        return self.connection.publish(topic, payload, 0, False, expiry_s) is not None

    def size(self, topic: str, payload: bytes, properties: int = 0) -> int:
        """Return the bytes of a packet on this connection."""
        return packet_size.of_publish(topic, payload, properties=properties + self._with_5)

    def fits(self, topic: str, payload: bytes, properties: int = 0) -> bool:
        """Whether the broker takes a packet of this size."""
        return self.size(topic, payload, properties) <= self._limits.max_packet

    def answer(self, mid: int, code: int) -> None:
        """Take the broker's answer to publish or subscription `mid`; FAILURE and above mean no."""
        sent = self._sent.pop(mid, None)
        if sent is None:
            return  # a QoS 0 message has left
        now = self._monotonic()
        if self._with_5 and code < FAILURE:
            self._suspects.acquit(sent.suspect)
        elif sent.key in self._suspects:
            self._quiet_until = now + DOUBT_S
        self._last = replace(sent, at=now)
        if code >= FAILURE:
            self._no(sent, code)
        elif not sent.subscription:
            self._yes(sent)

    def fill(self) -> None:
        """Hand to the socket what the broker may have unacknowledged."""
        now = self._monotonic()
        if now < self._quiet_until:
            return
        if self._last is not None and not self._with_5 and now - self._last.at >= DOUBT_S:
            self._suspects.acquit(self._last.suspect)  # acknowledged, and the connection held
            self._last = None
        while self._subscriptions and self._subscribe(*self._subscriptions[0], now):
            self._subscriptions.popleft()
        if not self._fill_retained([self._topics.availability], now) or not self.open:
            return
        more_events = not self._fill_events(now)
        if not more_events and self._fill_retained(list(self._retained.dirty), now):
            while self.replies and (now - self.replies[0].at > REPLY_S or self._send(self.replies[0], now)):
                self.replies.popleft()

    def cut(self, code: int) -> None:
        """Note that the broker ended the connection; `code`: reason of its DISCONNECT, 0: none. Hold back a culprit."""
        now = self._monotonic()
        on_the_way = [sent for sent in self._sent.values() if now - sent.at < SOON_S]
        if not self._with_5 and self._last is not None and now - self._last.at < DOUBT_S:
            on_the_way.append(self._last)  # 3.1.1 brokers acknowledge what they refuse, and then cut
        by_key = {sent.key: sent for sent in on_the_way if sent.topic != self._topics.availability}
        if code == reason_codes.PACKET_TOO_LARGE and by_key:
            culprit: str | None = max(by_key, key=lambda key: len(by_key[key].payload))
        else:
            culprit = self._suspects.cut(sent.suspect for sent in by_key.values())
        if culprit is not None:
            sent = by_key[culprit]
            self._hold(sent, reason_codes.cut_at(sent.key, self.size(sent.topic, sent.payload)))

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
        waiting = [topic for topic in self._retained.dirty if not self._refused.is_held(topic, now)]
        doubtful = now < self._quiet_until
        return not (self._sent or waiting or self.replies or self.acks or self._subscriptions or doubtful)

    @property
    def _with_5(self) -> bool:
        return self.connection.protocol == paho.MQTTv5

    def _fill_retained(self, topics: list[str], now: float) -> bool:
        """Send retained messages; False when there was no room for all."""
        for topic in topics:
            if topic not in self._retained.dirty or self._in_flight(topic) or self._refused.is_held(topic, now):
                continue
            if not self._send(Outgoing(topic, self._retained.payloads[topic], retain=True), now):
                return False
            self._retained.dirty.pop(topic, None)
        return True

    def _fill_events(self, now: float) -> bool:
        """Send events in order; False when some wait for room. Those that wait for their pace hold up nothing else."""
        if now >= self._look_again:
            self._after, self._look_again = 0, float("inf")
        under_way = self._under_way()
        if self._outbox.depth <= len(under_way):
            return True
        while rows := self._outbox.pending(self._limits.window + len(under_way), self._after):
            for row in rows:
                one = Outgoing(row.topic or self._topics.events, row.payload, row.seq)
                if row.seq not in under_way:
                    if not self._pace.ready():
                        return True
                    if not self._send(one, now):
                        return False
                    self._pace.take()
                self._after = row.seq
        if self._outbox.depth > len(self._under_way()) and self._look_again == float("inf"):
            self._after = 0  # the disk could not be read: older events than those sent have come to light
        return True

    def _under_way(self) -> set[int]:
        """Return the seqs of events that are with the broker, as far as the outbox does not know it yet."""
        return {sent.seq for sent in self._sent.values() if sent.seq} | set(self.acks)

    def _subscribe(self, topic: str, commands: bool, now: float) -> bool:
        """Send a subscription; False when there is no room."""
        one = Outgoing(topic, subscription=True)
        return self._send(one, now, lambda: self.connection.subscribe(topic, commands=commands))

    def _send(self, one: Outgoing, now: float, how: Callable[[], int | None] | None = None) -> bool:
        """Send with QoS 1, or hold back what cannot be sent; False when there is no room or no connection."""
        for key in (one.key, one.topic):
            if self._refused.is_held(key, now):
                self._look_again = min(self._look_again, self._refused.due(key)) if one.seq else self._look_again
                return True
        alone = one.key in self._suspects or any(sent.key in self._suspects for sent in self._sent.values())
        if len(self._sent) >= (1 if alone else self._limits.window) or now < self._quiet_until:
            return False
        retain = one.retain and self._limits.retains
        try:
            if not one.subscription and not self.fits(one.topic, one.payload):
                size = self.size(one.topic, one.payload)
                self._hold(one, reason_codes.too_large(one.key, size, self._limits.max_packet))
                return True
            mid = how() if how else self.connection.publish(one.topic, one.payload, 1, retain)
        except (ValueError, TypeError) as error:  # a topic that MQTT does not carry must not end the daemon
            self._hold(one, reason_codes.not_sendable(one.topic, error))
            return True
        if mid is not None:
            self._sent[mid] = replace(one, at=now)
        return mid is not None

    def _yes(self, sent: Outgoing) -> None:
        self._refused.release(sent.key)
        self._refused.release(sent.topic)
        self.open = self.open or sent.topic == self._topics.availability
        if sent.seq:
            self.acks.append(sent.seq)
        elif sent.retain:
            self._retained.forget_left_behind(sent.topic)

    def _no(self, sent: Outgoing, code: int) -> None:
        """Keep what was refused, log it once, and try it again later."""
        if sent.subscription:
            self.refused_subscription = reason_codes.explain_subscribe(sent.topic)
            return
        refusal = reason_codes.explain_publish(code, sent.topic, self._topics.user)
        whole_topic = code != reason_codes.PACKET_TOO_LARGE
        self._hold(sent, refusal.sentence, key=sent.topic if whole_topic else sent.key)

    def _hold(self, sent: Outgoing, sentence: str, *, key: str = "") -> None:
        """Hold a message back: it stays in the outbox or among the retained ones, and is tried again later."""
        if self._retained.forget_left_behind(sent.topic):
            log.error("%s Its message stays on the broker under the former name: empty it there.", sentence)
            return
        key, now = key or sent.key, self._monotonic()
        if self._refused.sentences.get(key) != sentence:
            log.error("%s", sentence)
        self._refused.hold(key, sentence, now)
        if sent.seq:
            self._look_again = min(self._look_again, self._refused.due(key))
        elif sent.retain:
            self._retained.dirty.update(dict.fromkeys({sent.topic} & self._retained.payloads.keys()))

    def _in_flight(self, topic: str) -> bool:
        return any(sent.topic == topic and not sent.subscription for sent in self._sent.values())

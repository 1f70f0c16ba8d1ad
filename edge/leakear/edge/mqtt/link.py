"""The node's link to its broker: what the main thread sends and receives over MQTT.

Everything here runs on the main thread; `pump`, called after every block, takes what the network thread has put into
the inbox. At each connect: `availability`, then the events of the outbox in order, then the other retained messages.
What the broker refuses is a fault, and is tried again ever more rarely (mosquitto 2.0 hangs up at each).
"""

import logging
import time
from collections.abc import Callable

from leakear.edge.errors import DeliveryError
from leakear.edge.messages.reports import Availability, Identity, utc_text
from leakear.edge.mqtt import protocol_version, tls
from leakear.edge.mqtt.connection import Will
from leakear.edge.mqtt.inbox import Closed, Inbox, Opened, Oversized, Received
from leakear.edge.mqtt.options import MqttOptions, client_id
from leakear.edge.mqtt.reconnect import Connector
from leakear.edge.mqtt.refusals import reason_codes
from leakear.edge.mqtt.refusals.backoff import RefusedTopics
from leakear.edge.mqtt.refusals.outgoing import Outgoing
from leakear.edge.mqtt.refusals.reason_codes import Refusal
from leakear.edge.mqtt.refusals.suspects import Suspects
from leakear.edge.mqtt.retained import LeftBehind, Retained
from leakear.edge.mqtt.sender import Limits, Sender, Topics
from leakear.edge.outbox.queue import Outbox

__all__ = ["Link", "MqttOptions", "client_id"]

log = logging.getLogger("leakear.mqtt")

SHOWN_S = 30.0
"""s for which a refusal is still shown after the broker was reached: so that it is published"""
AWAY_S = 10.0
"""s without a broker after which the journal says so, once"""
DAY_S = 86400.0
"""s after which the node reconnects while a certificate expires soon"""
GOODBYE_S = 2.0
"""s given to the broker to take `offline`"""


class Link:
    """Delivers the outbox, retained messages and replies; hands commands to `on_command(name, payload)`."""

    _connector: Connector
    _away_since: float | None
    """monotonic s since when there is no broker; None: connected, or the outage is already logged"""

    def __init__(
        self,
        options: MqttOptions,
        identity: Identity,
        outbox: Outbox,
        on_command: Callable[[str, bytes], object] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.on_command = on_command
        self.reconnects = 0
        """times the broker was reached again"""
        self._identity, self._outbox, self._monotonic = identity, outbox, monotonic
        self._availability = identity.topic("availability")
        self._handlers: dict[str, Callable[[bytes], object]] = {}
        self._replies: list[Outgoing] = []  # of a connection that is over
        self._retained = Retained({self._availability: Availability.ONLINE.to_json()})
        self._reset(options)

    @property
    def connected(self) -> bool:
        """Whether a broker has accepted us."""
        return self._sender is not None

    @property
    def idle(self) -> bool | None:
        """Whether the broker has everything that it takes now; None: it is not connected."""
        return self._sender.idle() if self._sender is not None and self._sender.open else None

    def start(self) -> None:
        """Begin to connect, for ever. Raises ConfigError for files or secrets that cannot be used."""
        self.check(self._options)
        self._begin_to_connect()

    def check(self, options: MqttOptions) -> None:
        """Raise ConfigError for files or secrets that cannot be used."""
        self._make_connector(options, Inbox(options.max_payload)).check()

    def reconfigure(self, options: MqttOptions) -> None:
        """Go on with other settings (a reload), which `check` has found good."""
        awake = self._started
        self.stop()
        self._options = options
        if awake:
            self.wake()

    def _begin_to_connect(self) -> None:
        self._connector.start()
        self._started = True
        self._away_since = self._monotonic()

    def retain(self, suffix: str, payload: bytes) -> None:
        """Publish a retained message: sent now, and again at every connect. Only the newest is kept."""
        self.retain_topic(self._identity.topic(suffix), payload)
        if not self._retains and suffix != "availability":  # whoever came since the last time does not know it
            self._retained.dirty[self._availability] = None

    def retain_topic(self, topic: str, payload: bytes) -> None:
        """Retain under a topic outside of the node's own (Home Assistant's discovery); empty removes it there."""
        self._retained.set(topic, payload)

    def empty_left_behind(self, *further: str) -> str:
        """Empty the retained topics of a name that this node had before; return that name, empty: there is none.

        `further`: topics outside of the node's own that it publishes now (Home Assistant's discovery).
        """
        own = (*map(self._identity.topic, ("availability", "state")), *further)
        self._retained.left_behind = LeftBehind(self._outbox, self._identity, own)
        for topic in self._retained.left_behind.topics:
            self.retain_topic(topic, b"")
        return self._retained.left_behind.former

    def subscribe(self, topic: str, handler: Callable[[bytes], object]) -> None:
        """Subscribe to one further topic (Home Assistant's birth message), now and after every connect."""
        self._handlers[topic] = handler
        if self._sender is not None:
            self._sender.subscribe(topic)

    def send_all_again(self) -> None:
        """Send every retained message once more (at Home Assistant's birth message)."""
        self._retained.send_all_again()

    def send(self, suffix: str, payload: bytes, qos: int = 0) -> bool:
        """Publish without keeping: False while there is no broker. QoS 1 waits its turn, and outlasts a connection."""
        sender, topic = self._sender, self._identity.topic(suffix)
        if sender is None or not (sender.open or qos):
            return False
        return sender.reply(topic, payload) if qos else sender.once(topic, payload, self._options.telemetry_expiry_s)

    def send_event(self, topic: str, payload: bytes) -> bool:
        """Publish an event once more, with QoS 1, behind everything else. False: there is no broker, or no room."""
        return self._sender is not None and self._sender.open and self._sender.reply(topic, payload)

    def pump(self) -> None:
        """Take what has come in, send what is due. Call it often; it never waits for the network.

        Raises DeliveryError when the network thread has ended: systemd then restarts the daemon.
        """
        for notice in self._inbox.take():
            if isinstance(notice, Received):
                self._hand_over(notice)
            elif isinstance(notice, Opened):
                self._begin(notice)
            elif isinstance(notice, Closed):
                self._end(notice)
            elif isinstance(notice, Oversized):
                self._note(reason_codes.command_too_large(notice.topic, notice.size, self._options.max_payload))
            elif self._sender is not None and notice.connection is self._sender.connection:
                self._sender.answer(notice.mid, notice.code)
        if self._started and not self._connector.alive:
            raise DeliveryError("The MQTT thread has ended unexpectedly: see the log for the reason.")
        self._flush_acks()
        self._outbox.maintain()
        if self._sender is not None:
            self._look_after(self._sender)
            self._sender.fill()
        else:
            self._log_outage()

    def _log_outage(self) -> None:
        """Log once that there is no broker: an outage is no error, but the journal must show it."""
        if self._started and self._away_since is not None and self._monotonic() - self._away_since > AWAY_S:
            self._away_since = None
            log.warning("no broker at %s for 10 s: events wait, the node keeps trying", self._options.where)

    def drain(self, deadline_s: float) -> bool:
        """Pump until the broker has everything; False when it has not by then (or was never reached)."""
        return self._pump_until(lambda: self.idle is True and not self._outbox.depth, deadline_s)

    def wake(self) -> None:
        """Connect again after a `stop`."""
        self._reset(self._options)
        self._retained.set(self._availability, Availability.ONLINE.to_json())
        self._begin_to_connect()

    def stop(self, goodbye: Availability = Availability.OFFLINE) -> None:
        """Publish `offline` or `asleep` and disconnect; what is not acknowledged stays in the outbox."""
        if not self._started:
            return
        self._started = False
        # Just connected: `online` may be with the broker already, and a goodbye without `offline` would leave it there.
        self._pump_until(lambda: self._sender is None or self._sender.open, GOODBYE_S)
        if self._sender is not None and self._sender.open:
            self.retain_topic(self._availability, goodbye.to_json())
            self._pump_until(lambda: self._sender is None or not self._sender.busy(self._availability), GOODBYE_S)
        self._connector.stop()
        self.pump()

    @property
    def faults(self) -> dict[str, str]:
        """Name → sentence, of what the broker refuses and of certificates that run out."""
        found = dict(self._refused)
        if self._refused_topics.sentences:
            found["publish_refused"] = self._refused_topics.sentence
        if self._sender is not None and not self._retains:
            found |= {(refusal := reason_codes.keeps_nothing(self._options.host)).fault: refusal.sentence}
        if self._certificate is not None:
            days = (self._certificate[0] - time.time()) / 86400
            if days < self._options.certificate_warning_days:
                found["certificate_expires"] = f"{self._certificate[1]} ends in {days:.0f} days: renew it."
        return found

    @property
    def certificate_expires(self) -> str | None:
        """When the first certificate in use ends, as a text in UTC; None without TLS."""
        return utc_text(self._certificate[0]) if self._certificate else None

    def _reset(self, options: MqttOptions) -> None:
        self._options = options
        self._inbox = Inbox(options.max_payload)
        self._connector = self._make_connector(options, self._inbox)
        self._refused_topics, self._suspects = RefusedTopics(options.reconnect_refused_s), Suspects()
        self._sender: Sender | None = None
        self._started, self._reached, self._retains = False, False, True  # retained messages: whether it keeps them
        self._away_since, self._since = None, 0.0  # s, monotonic, when the broker was reached last
        self._refused: dict[str, str] = {}
        self._certificate: tuple[float, str] | None = None  # POSIX s of the end, and whose

    def _make_connector(self, options: MqttOptions, inbox: Inbox) -> Connector:
        will = Will(self._availability, Availability.OFFLINE.to_json())
        return Connector(options, client_id(options, self._identity), will, inbox)

    # ---- what the network thread reports

    def _begin(self, opened: Opened) -> None:
        self.reconnects += self._reached
        self._reached, self._since, self._retains = True, self._monotonic(), opened.retains
        self._certificate = self._away_since = None
        if self._options.tls and (ends := opened.certificate_ends) is not None:
            self._certificate = tls.soonest(self._options.tls_files, self._options.host, ends)
        self._retained.send_all_again()
        topics = Topics(self._availability, self._identity.topic("event"), opened.connection.user)
        self._sender = Sender(
            opened.connection, Limits(opened.in_flight, opened.max_packet, opened.retains), topics, self._retained,
            self._refused_topics, self._suspects, self._outbox, self._monotonic,
        )  # fmt: skip
        self._sender.replies.extend(self._replies)
        self._replies.clear()
        self._sender.subscribe(self._identity.topic("cmd/+"), commands=True)
        for topic in self._handlers:
            self._sender.subscribe(topic)
        log.info("connected to %s, MQTT %s", self._options.where, protocol_version.text(opened.connection.protocol))

    def _end(self, closed: Closed) -> None:
        if closed.refusal is not None:
            self._note(closed.refusal)
        if self._sender is None or closed.connection is not self._sender.connection:
            return
        log.log(logging.INFO if closed.orderly else logging.WARNING, "connection to %s is over", self._options.host)
        self._flush_acks()
        if not closed.orderly:
            self._sender.cut(closed.code)
            self._outbox.connection_lost()
        self._replies = self._sender.unanswered_replies()
        self._sender, self._away_since = None, self._monotonic()

    def _hand_over(self, message: Received) -> None:
        prefix = self._identity.topic("cmd/")
        if message.topic in self._handlers:
            self._handlers[message.topic](message.payload)
        elif message.topic.startswith(prefix) and self.on_command is not None:
            self.on_command(message.topic[len(prefix) :], message.payload)

    def _note(self, refusal: Refusal) -> None:
        if self._refused.get(refusal.fault) != refusal.sentence:
            log.error("%s", refusal.sentence)
        self._refused[refusal.fault] = refusal.sentence

    def _flush_acks(self) -> None:
        if self._sender is not None and self._sender.acks:
            self._outbox.ack(*self._sender.acks)
            self._sender.acks.clear()

    def _look_after(self, sender: Sender) -> None:
        """Drop outdated refusals, report a refused subscription, and cut a connection that no longer answers."""
        lasting = sender.refused_subscription
        if self._monotonic() - self._since > SHOWN_S:
            self._refused = {fault: why for fault, why in self._refused.items() if lasting and fault == lasting.fault}
        if lasting is not None:
            self._note(lasting)
        if self._monotonic() - self._since > DAY_S and "certificate_expires" in self.faults:
            sender.connection.leave()  # the next connection shows whether the certificate has been renewed
        if sender.silent_s() > self._options.keepalive_s:
            log.warning("no answer from %s for %d s", self._options.host, self._options.keepalive_s)
            sender.connection.cut()

    def _pump_until(self, done: Callable[[], bool], deadline_s: float) -> bool:
        deadline = time.monotonic() + deadline_s
        self.pump()
        while not done() and (left := deadline - time.monotonic()) > 0:
            self._inbox.arrived.wait(min(left, 0.05))
            self.pump()
        return done()

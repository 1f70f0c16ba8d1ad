"""A connection that many simulated nodes share: counts what the broker acknowledges, comes back as a node does."""

import time
from collections import Counter, deque
from collections.abc import Callable

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from leakear.edge.mqtt.credentials import login
from leakear.edge.mqtt.options import MqttOptions
from leakear.edge.mqtt.refusals.backoff import Backoff

IN_FLIGHT = 1000
"""messages that wait for the broker at a time"""
SESSION_S = 3600
"""seconds for which the broker keeps a session without its connection"""


class Gateway:
    """`acknowledged` is called by `pump` with the id of each event that the broker has taken.

    The session is persistent: what a lost connection had not acknowledged is sent again with the next.
    """

    def __init__(self, options: MqttOptions, client_id: str, acknowledged: Callable[[str], None]) -> None:
        self.reconnects = -1
        self._options, self._acknowledged = options, acknowledged
        self._backoff = Backoff(options.reconnect_first_s, options.reconnect_last_s, options.reconnect_first_s)
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        self._client.max_inflight_messages_set(IN_FLIGHT)
        self._client.on_publish, self._client.on_connect = self._on_publish, self._on_connect
        if options.username:
            given = login(options.username, "", options.password_file)
            self._client.username_pw_set(given.username, given.password)
        self._waiting: dict[int, str] = {}
        """packet id → event"""
        self._plain: Counter[int] = Counter()
        """packet ids of messages that nobody acknowledges: paho numbers them, too"""
        self._published: deque[int] = deque()
        """packet ids of messages that are sent (QoS 0) or acknowledged"""
        self._due = self._since = 0.0
        self._begun = False

    @property
    def connected(self) -> bool:
        """Whether the broker has taken the connection."""
        return self._client.is_connected()

    @property
    def depth(self) -> int:
        """Events that the broker has not acknowledged."""
        return len(self._waiting)

    def event(self, topic: str, payload: bytes, event_id: str) -> None:
        """Send an event; it is kept until the broker has acknowledged it."""
        while (sent := self._client.publish(topic, payload, 1)).rc == paho.MQTT_ERR_QUEUE_SIZE:
            pass  # this number is in use: the next one may be free
        self._waiting[sent.mid] = event_id

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Send what the next message replaces; False without a connection: then it is left out."""
        if not self.connected:
            return False
        sent = self._client.publish(topic, payload, 0, retain)
        self._plain[sent.mid] += sent.rc == paho.MQTT_ERR_SUCCESS
        return sent.rc == paho.MQTT_ERR_SUCCESS

    def pump(self, now: float) -> None:
        """Send and receive, count what was acknowledged, connect again when that is due; called often.

        Without a thread of paho's: it would be woken for each message, which costs more than the message.
        """
        if self._begun:
            self._client.loop(0)
        while self._published:
            self._take(self._published.popleft())
        if self.connected or now < self._due:
            return
        lasted, self._since = (now - self._since if self._since else 0.0), 0.0
        self._due = now + self._backoff.wait(refused=False, lasted_s=lasted)
        try:
            if self._begun:
                self._client.reconnect()
            else:
                session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                session.SessionExpiryInterval = SESSION_S
                self._client.connect(self._options.host, self._options.port, clean_start=False, properties=session)
        except OSError:
            return
        self._begun = True

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop(0.1)

    def _on_connect(self, _c: object, _u: object, _f: object, reason: ReasonCode, _p: object) -> None:
        if not reason.is_failure:
            self.reconnects += 1
            self._since = time.monotonic()

    def _on_publish(self, _c: object, _u: object, mid: int, _r: object, _p: object) -> None:
        self._published.append(mid)

    def _take(self, mid: int) -> None:
        if self._plain[mid]:
            self._plain[mid] -= 1
        elif mid in self._waiting:
            self._acknowledged(self._waiting.pop(mid))

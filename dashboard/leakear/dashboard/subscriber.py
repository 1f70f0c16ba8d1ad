"""The line to the broker. paho's thread only enqueues; the event loop takes what came, and acknowledges what is stored.

The session is persistent: while the dashboard is down the broker keeps its events. An event is acknowledged only after
the history has committed it, so a crash in between brings it again, and its id tells that it is the same.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from leakear.dashboard.options import load_pair, readable
from leakear.edge.errors import ConfigError

TOPICS = [
    ("leakear/+/+/event", 1),
    ("leakear/+/+/cmd/+/result", 1),
    ("leakear/+/+/availability", 1),
    ("leakear/+/+/state", 0),
    ("leakear/+/+/telemetry", 0),
    ("leakear/+/+/spectrum", 0),
]
"""What must not be lost is subscribed with QoS 1; an old report is not worth a place in the broker's queue."""
FOREVER = 0xFFFFFFFF
"""MQTT 5: the session never expires"""
UNSUPPORTED_VERSION = 0x84
"""reason code of MQTT 5"""
REPORTS = 20_000
"""reports kept while the event loop is busy; the oldest go first"""


@dataclass(frozen=True)
class BrokerOptions:
    """Where the broker is and who we are to it."""

    url: str
    """mqtt://host:1883 or mqtts://host:8883; a user name may stand in it, a password should not"""
    client_id: str
    username: str | None = None
    password: str | None = None
    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    version: str = "auto"
    """5, 3.1.1, or auto: 5 where the broker speaks it"""
    keepalive: int = 30
    """seconds"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One delivery."""

    topic: str
    payload: bytes
    retained: bool
    mid: int
    """packet id, to acknowledge it; 0 for QoS 0"""
    qos: int
    session: int
    """connection on which it came: a packet id means nothing on the next one"""


class Subscriber:
    """Persistent subscription to all nodes. `wake` is called in paho's thread when something waits."""

    def __init__(self, options: BrokerOptions, wake: Callable[[], None]) -> None:
        self.connected = False
        """and subscribed"""
        self.trouble: str | None = None
        """why there is no connection, one sentence"""
        self.dropped = 0
        """reports given up because the event loop did not keep up"""
        self._session = 0
        self._urgent: deque[Incoming] = deque()
        self._reports: deque[Incoming] = deque(maxlen=REPORTS)
        self._wake = wake
        self._host, self._port = address(options.url)
        self._options = options
        self._version = "5" if options.version == "auto" else options.version
        self._greeted = False
        """whether the broker has ever answered in this version"""
        self._flip = False
        """whether the other version should be tried"""
        self._client = self._build(options)

    def start(self) -> None:
        """Connect in the background, and for ever again; the first failure is like any other."""
        extra: dict[str, Any] = {}
        if self._version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = FOREVER
            extra = {"clean_start": False, "properties": properties}
        self._client.connect_async(self._host, self._port, self._options.keepalive, **extra)
        self._client.loop_start()

    def stop(self) -> None:
        """Leave; the broker keeps the session."""
        self._client.disconnect()
        self._client.loop_stop()

    def attend(self) -> None:
        """Try the other version where the broker hung up on this one. Blocking; called now and then."""
        if self._flip:
            self._flip = False
            self.stop()
            self._version = "3.1.1" if self._version == "5" else "5"
            self._client = self._build(self._options)
            self.start()

    def take(self, limit: int = 2000) -> tuple[list[Incoming], list[Incoming]]:
        """Events and answers that wait (all of them), and up to `limit` reports."""
        urgent = [self._urgent.popleft() for _ in range(len(self._urgent))]
        reports = [self._reports.popleft() for _ in range(min(limit, len(self._reports)))]
        return urgent, reports

    def acknowledge(self, messages: list[Incoming]) -> None:
        """Tell the broker that these are stored. Those of a lost connection come again by themselves."""
        for message in messages:
            if message.qos and message.session == self._session:
                self._client.ack(message.mid, message.qos)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to paho; False without a connection (nothing is queued: a late command is a wrong one)."""
        if not self.connected:
            return False
        return self._client.publish(topic, payload, qos, retain).rc == paho.MQTT_ERR_SUCCESS

    def _build(self, options: BrokerOptions) -> paho.Client:
        five = self._version == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            options.client_id,
            protocol=paho.MQTTv5 if five else paho.MQTTv311,
            clean_session=None if five else False,
            manual_ack=True,
        )
        parts = urlsplit(options.url)
        name = options.username or (unquote(parts.username) if parts.username else None)
        if name:
            client.username_pw_set(name, options.password or (unquote(parts.password) if parts.password else None))
        if parts.scheme == "mqtts":
            client.tls_set_context(_tls(options))
        client.reconnect_delay_set(1, 15)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_message, client.on_subscribe = self._on_message, self._on_subscribe
        return client

    def _on_connect(self, client: paho.Client, _data: object, _flags: object, code: Any, _properties: object) -> None:
        self._session += 1
        unspoken = code.value == UNSUPPORTED_VERSION and self._options.version == "auto"
        self._greeted, self._flip = not unspoken, unspoken
        self.trouble = f"The broker refuses the connection: {code}." if code.is_failure else None
        if not code.is_failure:
            client.subscribe(TOPICS)
        self._wake()

    def _on_subscribe(self, _client: object, _data: object, _mid: int, codes: Any, _properties: object) -> None:
        self.connected = True
        refused = [topic for (topic, _), code in zip(TOPICS, codes, strict=False) if code.is_failure]
        if refused:
            self.trouble = f"The broker does not allow the dashboard to read {', '.join(refused)}."
        self._wake()

    def _on_disconnect(self, _client: object, _data: object, _flags: object, code: Any, _properties: object) -> None:
        self.connected = False
        self._flip = self._flip or (not self._greeted and self._options.version == "auto")
        self.trouble = self.trouble or f"The broker at {self._host}:{self._port} is gone: {code}."
        self._wake()

    def _on_connect_fail(self, _client: object, _data: object) -> None:
        self.trouble = f"The broker at {self._host}:{self._port} cannot be reached."
        self._wake()

    def _on_message(self, client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        urgent = message.topic.endswith(("/event", "/result"))
        item = Incoming(message.topic, bytes(message.payload), message.retain, message.mid, message.qos, self._session)
        if not urgent and message.qos:
            client.ack(message.mid, message.qos)
        if not urgent and len(self._reports) == REPORTS:
            self.dropped += 1
        (self._urgent if urgent else self._reports).append(item)
        self._wake()


def address(url: str) -> tuple[str, int]:
    """Host and port of a broker's URL; ConfigError for one that cannot be meant."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"--broker is {url!a}: {error}.") from error
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ConfigError(f"--broker is {url!a}: write mqtt://HOST[:1883] or mqtts://HOST[:8883].")
    return parts.hostname, port or (8883 if parts.scheme == "mqtts" else 1883)


def _tls(options: BrokerOptions) -> ssl.SSLContext:
    if options.ca_file:
        readable("--ca", options.ca_file)
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except OSError as error:
        raise ConfigError(f"--ca {options.ca_file} holds no PEM certificates.") from error
    if options.certificate:
        load_pair(context, ("--client-certificate", options.certificate), ("--client-key", options.key))
    return context


def waker(loop: asyncio.AbstractEventLoop, bell: asyncio.Event) -> Callable[[], None]:
    """Make the `wake` of a Subscriber: rings once, however many messages come before the loop looks."""

    def wake() -> None:
        if not bell.is_set() and not loop.is_closed():
            loop.call_soon_threadsafe(bell.set)

    return wake

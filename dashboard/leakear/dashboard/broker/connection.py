"""A connection to the broker that reconnects by itself, with its subscriptions and its state."""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from leakear.dashboard.broker.client import HEAD, LimitedClient
from leakear.dashboard.options import load_pair, readable
from leakear.edge.errors import ConfigError

FOREVER = 0xFFFFFFFF
"""MQTT 5: the session never expires"""
UNSUPPORTED_VERSION = 0x84
"""reason code of MQTT 5"""
AT_ONCE = 100
"""MQTT 5: messages that the broker may send before the first of them is acknowledged"""


@dataclass(frozen=True)
class BrokerOptions:
    """Address of the broker, and our credentials."""

    url: str
    """mqtt://host:1883 or mqtts://host:8883; a user name may stand in it, a password should not"""
    client_id: str
    username: str | None = None
    password: str | None = None
    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    version: str = "auto"
    """5, 3.1.1, or auto: 5 when the broker supports it"""
    keepalive: int = 30
    """seconds"""


class BrokerConnection:
    """One connection. `deliver`, `wake` and `subscribed` are called in paho's thread.

    A persistent connection keeps its session at the broker, and the caller acknowledges its messages. Any other starts
    a new session each time. `largest`: bytes of a payload; of a larger one, `deliver` gets at least one byte more.
    `wanted`: for a persistent connection, whether to take a message on a topic; others are acknowledged and dropped.
    `leaves`: topics to which an earlier program with this session has subscribed; what of them waits still comes.
    """

    def __init__(
        self,
        options: BrokerOptions,
        topics: Sequence[tuple[str, int]],
        deliver: Callable[[paho.MQTTMessage], None],
        wake: Callable[[], None],
        *,
        persistent: bool,
        largest: int,
        subscribed: Callable[[int], None] = lambda _: None,
        wanted: Callable[[bytes], bool] | None = None,
        leaves: Sequence[str] = (),
    ) -> None:
        self.connected = False
        """connected and subscribed"""
        self.trouble: str | None = None
        """why there is no connection, one sentence"""
        self.session = 0
        """number of the connection, from 1: a packet id is valid only on its own connection"""
        self._topics, self._deliver, self._wake, self._persistent = list(topics), deliver, wake, persistent
        self._largest, self._subscribed, self._wanted, self._leaves = largest, subscribed, wanted, list(leaves)
        self._host, self._port = address(options.url)
        self._options = options
        self._version = "5" if options.version == "auto" else options.version
        self._answered = False
        """whether the broker has ever answered in this version"""
        self._try_other = False
        """whether the other version should be tried"""
        self._client = self._build(options)

    def start(self) -> None:
        """Connect in the background, and reconnect after every failure, also the first."""
        extra: dict[str, Any] = {}
        if self._version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = self._largest + HEAD
            properties.ReceiveMaximum = AT_ONCE
            if self._persistent:
                properties.SessionExpiryInterval = FOREVER
            extra = {"clean_start": not self._persistent, "properties": properties}
        self._client.connect_async(self._host, self._port, self._options.keepalive, **extra)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect; the broker keeps the session of a persistent connection."""
        self._client.disconnect()
        self._client.loop_stop()

    def end_session(self) -> None:
        """Disconnect; the broker forgets the session, and what of it has not been acknowledged."""
        properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        self._client.disconnect(properties=properties)
        self._client.loop_stop()

    def switch_version(self) -> None:
        """Try the other MQTT version when the broker refused this one. Blocking; called every second.

        Unlike the node (`mqtt.protocol_version`), it keeps the version that the broker answered last: paho reconnects
        by itself with the same version.
        """
        if self._try_other:
            self._try_other = False
            self.stop()
            self._version = "3.1.1" if self._version == "5" else "5"
            self._client = self._build(self._options)
            self.start()

    def acknowledge(self, mid: int, qos: int) -> None:
        """Tell the broker that a message is stored."""
        self._client.ack(mid, qos)

    def subscribe(self, topic: str) -> int | None:
        """Subscribe to one more topic until the connection ends; return the packet id that `subscribed` will get.

        None without a connection.
        """
        result, mid = self._client.subscribe(topic, 0) if self.connected else (paho.MQTT_ERR_NO_CONN, None)
        return mid if result == paho.MQTT_ERR_SUCCESS else None

    def unsubscribe(self, topic: str) -> None:
        """End a subscription that `subscribe` has made."""
        if self.connected:
            self._client.unsubscribe(topic)

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        """Hand a message to paho; False without a connection (nothing is queued: a command must not arrive late)."""
        if not self.connected:
            return False
        return self._client.publish(topic, payload, qos, retain).rc == paho.MQTT_ERR_SUCCESS

    def _build(self, options: BrokerOptions) -> paho.Client:
        five = self._version == "5"
        client = LimitedClient(
            CallbackAPIVersion.VERSION2,
            options.client_id,
            protocol=paho.MQTTv5 if five else paho.MQTTv311,
            clean_session=None if five else not self._persistent,
            manual_ack=self._persistent,
        )
        client.largest, client.failed, client.wanted = self._largest, self._failed, self._wanted
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
        self.session += 1
        unsupported = code.value == UNSUPPORTED_VERSION and self._options.version == "auto"
        self._answered, self._try_other = not unsupported, unsupported
        self.trouble = f"The broker refuses the connection: {code}." if code.is_failure else None
        if not code.is_failure and self._topics:
            client.subscribe(self._topics)
        if not code.is_failure and self._leaves:
            client.unsubscribe(self._leaves)
        self.connected = not code.is_failure and not self._topics
        self._wake()

    def _on_subscribe(self, _client: object, _data: object, mid: int, codes: Any, _properties: object) -> None:
        if self.connected:
            if not any(code.is_failure for code in codes):
                self._subscribed(mid)
            return
        self.connected = True
        refused = [topic for (topic, _), code in zip(self._topics, codes, strict=False) if code.is_failure]
        if refused:
            self.trouble = f"The broker does not allow the dashboard to read {', '.join(refused)}."
        self._wake()

    def _on_disconnect(self, _client: object, _data: object, _flags: object, code: Any, _properties: object) -> None:
        self.connected = False
        self._try_other = self._try_other or (not self._answered and self._options.version == "auto")
        self.trouble = self.trouble or f"The broker at {self._host}:{self._port} is gone: {code}."
        self._wake()

    def _failed(self, error: Exception) -> None:
        self.connected = False
        self.trouble = f"The broker at {self._host}:{self._port} sends what is not MQTT ({type(error).__name__})."
        self._wake()

    def _on_connect_fail(self, _client: object, _data: object) -> None:
        self.trouble = f"The broker at {self._host}:{self._port} cannot be reached."
        self._wake()

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._deliver(message)


def address(url: str) -> tuple[str, int]:
    """Host and port of a broker's URL; ConfigError for an invalid one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:  # the URL may hold a password: it is not quoted
        raise ConfigError("--broker is not a URL, or its port no number: write mqtt://HOST[:1883].") from error
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/"):
        raise ConfigError("--broker is no URL of a broker: write mqtt://HOST[:1883] or mqtts://HOST[:8883].")
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

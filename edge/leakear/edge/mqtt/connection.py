"""One MQTT connection, from CONNECT to its end.

Its callbacks only put notices into the inbox; the main thread takes them out (`mqtt.Link.pump`). Each connection is a
new paho client: no state is carried over, and what was not acknowledged is sent again from the outbox.
"""

import logging
import select
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from leakear.edge.mqtt import tls
from leakear.edge.mqtt.bounded_client import BoundedClient
from leakear.edge.mqtt.credentials import login
from leakear.edge.mqtt.inbox import Answered, Inbox, Opened
from leakear.edge.mqtt.options import MqttOptions
from leakear.edge.mqtt.refusals import reason_codes
from leakear.edge.mqtt.refusals.reason_codes import FAILURE, Refusal

log = logging.getLogger("leakear.mqtt")


HEADROOM = 2048
"""bytes of a packet beside its payload: topic, properties"""
CALLBACKS = ("on_connect", "on_disconnect", "on_publish", "on_subscribe", "on_message", "on_log")


@dataclass(frozen=True)
class Will:
    """The last will: published by the broker when the node's connection breaks (QoS 1)."""

    topic: str
    payload: bytes
    retain: bool = True


class Wake:
    """Wakes the network thread from its select. One object serves all connections in turn."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)

    def fileno(self) -> int:
        """Descriptor to select on."""
        return self._read.fileno()

    def set(self) -> None:
        """Wake (any thread)."""
        with suppress(BlockingIOError):  # full: it wakes anyway
            self._write.send(b"\0")

    def clear(self) -> None:
        """Read what `set` wrote."""
        with suppress(BlockingIOError):
            self._read.recv(4096)

    def close(self) -> None:
        """Close the descriptors, once no thread uses them."""
        self._read.close()
        self._write.close()


class Connection:
    """One paho client for one connection. `run` blocks until it ends; other threads may call everything else."""

    def __init__(
        self, options: MqttOptions, client_id: str, will: Will, inbox: Inbox, wake: Wake, protocol: int
    ) -> None:
        self.lasted_s = 0.0
        self.refusal: Refusal | None = None
        self.reached = False
        """whether something listened at the broker's address"""
        self.answered = False
        """whether the broker sent a CONNACK"""
        self.version_refused = False
        """whether the broker answered that it does not speak this protocol version"""
        self.retain_refused = False
        """whether the broker answered that it keeps no retained messages, the last will included"""
        self.code = 0
        """reason of the broker's DISCONNECT; 0: it gave none"""
        self.orderly = False
        """whether this side ended it"""
        self.protocol = protocol
        self.user = ""
        """user name given to the broker; empty: none"""
        self._options, self._client_id, self._inbox, self._wake = options, client_id, inbox, wake
        self.retains = will.retain
        """whether the last will is retained"""
        self._since: float | None = None
        self._client = self._make_client(will)

    @property
    def hung_up(self) -> bool:
        """Whether something listened at the broker's address and closed the connection without a CONNACK."""
        return self.reached and not self.answered and self.refusal is None

    def run(self) -> None:
        """Connect, and serve until the end."""
        options = self._options
        try:
            self._client.connect(options.host, options.effective_port, options.keepalive_s, **self._clean_start())
            self.reached = True
            if not self.orderly:  # `leave` may have been called meanwhile
                self._serve()
        except Exception as error:  # noqa: BLE001 (whatever paho raises, the node continues)
            self._note_error(error)
        finally:
            self.cut()
            for name in CALLBACKS:  # else a reference cycle keeps the TLS context of each attempt
                setattr(self._client, name, None)

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool, expiry_s: int = 0) -> int | None:
        """Hand a message to the socket; its number, or None when the connection is closed."""
        properties = None
        if expiry_s and self.protocol == paho.MQTTv5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = expiry_s
        info = self._client.publish(topic, payload, qos, retain, properties)
        return info.mid if info.rc == paho.MQTT_ERR_SUCCESS else None

    def subscribe(self, topic: str, *, commands: bool = False) -> int | None:
        """Subscribe to a topic; the number of the request. `commands`: its retained messages are not wanted.

        MQTT 5 then also tells of a message that is published as retained now. 3.1.1 cannot.
        """
        if self.protocol != paho.MQTTv5:
            return self._client.subscribe(topic, qos=1)[1]
        handling = SubscribeOptions.RETAIN_DO_NOT_SEND if commands else SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
        options = SubscribeOptions(qos=1, retainAsPublished=commands, retainHandling=handling)
        return self._client.subscribe(topic, options=options)[1]

    def leave(self) -> None:
        """Disconnect; the broker does not publish the last will."""
        self.orderly = True
        self._client.disconnect()

    def cut(self) -> None:
        """Close a connection that no longer answers."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        """Read and write until the socket is closed (paho's interface for external loops)."""
        client = self._client
        while (sock := client.socket()) is not None:
            held_back = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
            writing: list[Any] = [sock] if client.want_write() else []
            reading: list[Any] = [sock, self._wake]
            readable, writable, _ = select.select(reading, writing, [], 0 if held_back else 1.0)
            if self._wake in readable:
                self._wake.clear()
            if held_back or sock in readable:
                client.loop_read()
            if writable:
                client.loop_write()
            client.loop_misc()

    def _make_client(self, will: Will) -> paho.Client:
        options, wake = self._options, self._wake
        client = BoundedClient(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            limit=options.max_payload + HEADROOM,
            version_5=self.protocol == paho.MQTTv5,
            clean_session=None if self.protocol == paho.MQTTv5 else True,
            protocol=MQTTProtocolVersion(self.protocol),
            reconnect_on_failure=False,
        )
        client.connect_timeout = options.connect_timeout_s
        client.max_inflight_messages_set(options.in_flight + 1)
        client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_subscribe = self._on_publish, self._on_subscribe
        client.on_message, client.on_log = self._on_message, self._on_log
        client.on_socket_register_write = lambda *_: wake.set()  # publish never writes on the caller's thread
        who = login(options.username, options.password, options.password_file)
        self.user = who.username
        if who.username:
            client.username_pw_set(who.username, who.password or None)
        if options.tls:
            client.tls_set_context(tls.context(options.tls_files, options.tls_minimum))
        return client

    def _clean_start(self) -> dict[str, Any]:
        """Session for MQTT 5: the broker keeps commands for some time. 3.1.1 has no limit for it: no session."""
        if self.protocol != paho.MQTTv5:
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._options.session_expiry_s
        properties.MaximumPacketSize = self._options.max_payload + HEADROOM
        return {"clean_start": False, "properties": properties}

    def _note_error(self, error: Exception | str) -> None:
        options, handshake = self._options, self._options.tls and not self.reached
        found = reason_codes.explain_error(error, options.host, options.tls_minimum, handshake=handshake)
        self.refusal = self.refusal or found
        if found is None:
            log.debug("no connection to %s: %s", self._options.host, error)

    # ---- paho's callbacks, on the network thread

    def _on_connect(self, client: paho.Client, _: Any, __: Any, reason: ReasonCode, given: Properties | None) -> None:
        self.answered = True
        if reason.value >= FAILURE:
            unsupported = reason.value == reason_codes.UNSUPPORTED_PROTOCOL
            self.version_refused = unsupported and self.protocol == paho.MQTTv5 and self._options.protocol == "auto"
            self.retain_refused = reason.value == reason_codes.RETAIN_NOT_SUPPORTED and self.retains
            if not self.version_refused and not self.retain_refused:
                self.refusal = reason_codes.explain_connack(
                    reason.value, self._options.host, self.user, self._client_id
                )
            return
        self._since = time.monotonic()
        window = min(self._options.in_flight, getattr(given, "ReceiveMaximum", 65535))
        largest = getattr(given, "MaximumPacketSize", 2**28)
        retains = self.retains and bool(getattr(given, "RetainAvailable", 1))
        self._inbox.put(Opened(self, window, largest, _certificate_ends(client), retains))

    def _on_disconnect(self, _: Any, __: Any, flags: Any, reason: ReasonCode, ___: Any) -> None:
        if self._since is not None:
            self.lasted_s = time.monotonic() - self._since
        if flags.is_disconnect_packet_from_server:
            self.code = reason.value
            self.refusal = self.refusal or reason_codes.explain_disconnect(reason.value, self._client_id)

    def _on_publish(self, _: Any, __: Any, mid: int, reason: ReasonCode, ___: Any) -> None:
        self._inbox.put(Answered(self, mid, reason.value))

    def _on_subscribe(self, _: Any, __: Any, mid: int, reasons: list[ReasonCode], ___: Any) -> None:
        self._inbox.put(Answered(self, mid, max(reason.value for reason in reasons)))

    def _on_message(self, client: paho.Client, __: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # none of ours
            self._inbox.refused += 1
            return
        if isinstance(client, BoundedClient) and client.reader.cut_bytes:
            self._inbox.throw_away(topic, client.reader.cut_bytes)
        elif not message.retain:  # a retained command would be carried out again at every connect
            self._inbox.offer(topic, bytes(message.payload), number=message.mid, again=message.dup)

    def _on_log(self, _: Any, __: Any, level: int, text: str) -> None:
        """Take errors from paho's log: TLS 1.3 reports a missing client certificate only after the handshake."""
        if level == paho.MQTT_LOG_ERR and "SSL" in text:
            self._note_error(text)


def _certificate_ends(client: paho.Client) -> float | None:
    sock = client.socket()
    if not isinstance(sock, ssl.SSLSocket):
        return None
    found = sock.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(found["notAfter"]))) if "notAfter" in found else None

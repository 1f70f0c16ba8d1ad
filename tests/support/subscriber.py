"""A client that collects what a broker delivers; see `broker`."""

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

if TYPE_CHECKING:
    from tests.support.broker import Broker


@dataclass(frozen=True)
class Message:
    """One delivery."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Any
    at: float
    """Monotonic seconds of arrival."""

    @property
    def json(self) -> Any:
        """Payload as JSON."""
        return json.loads(self.payload)


class Subscriber:
    """Client that subscribes at every connect, keeps its session, and collects all messages."""

    def __init__(
        self,
        broker: "Broker",
        *filters: str,
        client_id: str = "",
        user: str | None = None,
        password: str | None = None,
        qos: int = 1,
        cafile: Path | None = None,
        **tls: Any,
    ) -> None:
        self.messages: list[Message] = []
        self._filters = [(name, SubscribeOptions(qos=qos)) for name in filters or ("#",)]
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._broker, self.port = broker, broker.port
        name = client_id or f"subscriber-{os.getpid()}-{id(self)}"
        self.client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(0.05, 0.5)  # type: ignore[arg-type]  # fractions work
        if user is not None:
            self.client.username_pw_set(user, password)
        if cafile is not None:
            self.client.tls_set(str(cafile), **tls)

    def __enter__(self) -> Self:
        keep = Properties(PacketTypes.CONNECT)
        keep.SessionExpiryInterval = 3600
        self.client.connect(self._broker.host, self.port, 60, clean_start=False, properties=keep)
        self.client.loop_start()
        assert self._subscribed.wait(10), f"no subscription:\n{self._broker.log}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, topic: str, payload: bytes | str | dict[str, Any], *, qos: int = 1, retain: bool = False) -> None:
        """Publish, and wait until it is on its way (QoS 0) or acknowledged."""
        body = json.dumps(payload) if isinstance(payload, dict) else payload
        if qos == 0 and not self.client.is_connected():
            self.wait_for(self.client.is_connected, "connection")
        message = self.client.publish(topic, body, qos, retain)  # offline: QoS 1 is queued, whatever rc says
        self.wait_for(lambda: message.rc != paho.MQTT_ERR_SUCCESS or message.is_published(), "acknowledgement", 10)

    def on(self, topic_filter: str) -> list[Message]:
        """Messages so far whose topic matches."""
        with self._changed:
            return [m for m in self.messages if paho.topic_matches_sub(topic_filter, m.topic)]

    def states(self) -> list[str]:
        """Return the states that were entered so far; a night that ended meanwhile, by the real clock, is none."""
        return [message.json["to"] for message in self.messages if message.json["kind"] == "state"]

    def wait(self, count: int, topic_filter: str = "#", timeout: float = 30) -> list[Message]:
        """At least `count` messages on matching topics, or a failed assertion."""
        return self.wait_for(
            lambda: found if len(found := self.on(topic_filter)) >= count else None,
            f"{count} messages on {topic_filter}",
            timeout,
        )

    def wait_for(self, look: Callable[[], Any], what: str, timeout: float = 30) -> Any:
        """First true result of `look`, which is tried again after each message."""
        deadline = time.monotonic() + timeout
        while not (found := look()):
            left = deadline - time.monotonic()
            assert left > 0, (
                f"no {what} in {timeout} s; {len(self.messages)} messages; broker:\n{self._broker.log[-3000:]}"
            )
            with self._changed:
                self._changed.wait(min(left, 0.05))
        return found

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(self._filters)

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        now = time.monotonic()
        with self._changed:
            self.messages.append(
                Message(message.topic, message.payload, message.qos, message.retain, message.properties, now)
            )
            self._changed.notify_all()

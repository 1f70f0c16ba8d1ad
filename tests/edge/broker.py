"""A real mosquitto on a free port, and a subscriber that collects what it delivers.

    with Broker(persistence=True) as broker, Subscriber(broker, "leakear/#") as seen:
        ...
        broker.kill()       # kill -9, as a power cut does
        broker.start()      # the same port, the same store
        seen.wait(10)       # at least ten messages so far, or a failed assertion that shows the broker's log

`tests/conftest.py` offers the same as the fixture `broker` (plain, one per test). Everything lives in a folder
of its own under the system's temporary directory; as root the broker drops to an unprivileged user.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

NOBODY = 65534
# What docs/DELIVERY.md tells a site to set: acknowledged messages survive a power cut.
DURABLE = "persistence true\npersistence_location {folder}/store/\nautosave_interval 1\nautosave_on_changes true\n"


def mosquitto() -> str:
    """Path of the broker, or a skipped test."""
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    return path


def free_port(host: str = "127.0.0.1") -> int:
    """Port that the kernel says is free now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@dataclass
class Broker:
    """One mosquitto. `start` after `stop` or `kill` uses the same port and store."""

    persistence: bool = False
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    require_certificate: bool = False
    passwords: dict[str, str] | None = None
    acl: str | None = None
    websockets: bool = False
    extra: str = ""
    """Further lines of mosquitto.conf; `{folder}` is replaced."""
    host: str = "127.0.0.1"
    port: int = 0
    prefix: tuple[str, ...] = ()
    """Put before the command, such as `ip netns exec NAME`."""
    folder: Path = field(init=False)
    websocket_port: int = field(init=False, default=0)
    process: subprocess.Popen[bytes] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="leakear-broker-"))
        (self.folder / "store").mkdir()
        self.port = self.port or free_port()
        if self.websockets:
            self.websocket_port = free_port()
        self._write()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start (again) and return when it listens."""
        assert self.process is None, "already running"
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        command = [*self.prefix, *drop, mosquitto(), "-c", str(self.folder / "mosquitto.conf")]
        mark = self.log.count(" running") + 1
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self._until(lambda: self.log.count(" running") >= mark)

    def stop(self) -> None:
        """Stop in good order (the store is saved)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9: nothing is saved that was not saved before."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop answering with every connection still open, as a half-open partition does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Process id."""
        assert self.process is not None
        return self.process.pid

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait(20)
            self.process = None

    def _until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not ready():
            assert self.process is not None
            assert self.process.poll() is None, f"mosquitto ended:\n{self.log}"
            assert time.monotonic() < deadline, f"mosquitto does not listen:\n{self.log}"
            time.sleep(0.01)

    def _write(self) -> None:
        (self.folder / "log").touch()
        (self.folder / "mosquitto.conf").write_text(self._configuration())
        if self.passwords is not None:
            self._write_passwords(self.passwords)
        if self.acl is not None:
            (self.folder / "acl").write_text(self.acl)
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def _write_passwords(self, passwords: dict[str, str]) -> None:
        path = self.folder / "passwords"
        path.write_text("".join(f"{user}:{word}\n" for user, word in passwords.items()))
        subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True)

    def _configuration(self) -> str:
        lines = ["log_dest stderr", "log_type all", "max_queued_messages 0", self._listener()]
        lines += [f"allow_anonymous {'false' if self.passwords is not None else 'true'}"]
        if self.passwords is not None:
            lines.append(f"password_file {self.folder}/passwords")
        if self.acl is not None:
            lines.append(f"acl_file {self.folder}/acl")
        if self.websockets:
            lines.append(f"listener {self.websocket_port} {self.host}\nprotocol websockets")
        if self.persistence:
            lines.append(DURABLE.format(folder=self.folder))
        return "\n".join(lines) + "\n" + self.extra.format(folder=self.folder) + "\n"

    def _listener(self) -> str:
        lines = [f"listener {self.port} {self.host}"]
        if self.certfile is not None:
            for name, path in (
                ("cafile", self.cafile),
                ("certfile", self.certfile),
                ("keyfile", self.keyfile),
            ):
                copy = self.folder / name
                copy.write_bytes(Path(str(path)).read_bytes())
                lines.append(f"{name} {copy}")
            lines.append(f"require_certificate {str(self.require_certificate).lower()}")
            if self.require_certificate:
                lines.append("use_identity_as_username true")
        return "\n".join(lines)


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
        broker: Broker,
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
        self._broker = broker
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
        self.client.connect(self._broker.host, self._broker.port, 60, clean_start=False, properties=keep)
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

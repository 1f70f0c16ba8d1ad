"""A broker that sends what is not MQTT: the dashboard stays, and hears again when a real one is back."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from leakear.dashboard.broker import client as module
from leakear.dashboard.broker.client import LimitedClient
from tests.support.broker import Broker, free_port
from tests.support.harness import Dashboard, FakeNode, until

WELCOME = b"\x20\x03\x00\x00\x00"
EVENT = b"\x00\x11leakear/a/b/event"


def packet(first: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([first, len(body)]) + body


ODD = [
    packet(0x30, b"\x00\x02\xff\xfe\x00{}"),  # a topic that is no text
    packet(0x32, b"\x00\x02\xff\xfe\x00\x01\x00{}"), packet(0x30, b"\x00\x00\x00{}"),
    packet(0x30, b"\x00\x03a/b\x00{}"), packet(0x30, b"\xff\xff"), packet(0x32, EVENT + b"\x00\x01\x02\x01\x07{}"),
    packet(0x32, EVENT + b"\x00\x01\x7f{}"), packet(0x90, b"\x00\x01\x00\xc8"), packet(0x90, b"\x00"),
    packet(0xB0, b""), packet(0x40, b"\x00\x01\x63"), packet(0xE0, b"\xf7"), packet(0x20, b"\x00\xc8\x00"),
    packet(0x20, b"\x00\x00\x05\x27\x00\x00\x00\x01"), packet(0x00, b"x"), b"\x30\xff\xff\xff\xff\xff\xff",
    packet(0xF0, b"\x18\x00"),
]  # fmt: skip
"""sent after the greeting, one on each connection"""


@contextmanager
def hostile(port: int, told: list[bytes]) -> Iterator[None]:
    """A server that greets each client and then sends it the next odd packet."""
    end = threading.Event()
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0.2)

    def serve() -> None:
        while not end.is_set():
            with suppress(OSError):
                line, _ = listener.accept()
                with line:
                    line.settimeout(1)
                    line.recv(4096)
                    odd = ODD[len(told) % len(ODD)]
                    line.sendall(WELCOME + odd)
                    told.append(odd)
                    line.recv(4096)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        listener.close()


def test_the_dashboard_outlives_a_broker_that_sends_what_is_not_mqtt(tmp_path: Path) -> None:
    port, told = free_port(), list[bytes]()
    with Dashboard(f"mqtt://127.0.0.1:{port}", tmp_path) as made:
        with hostile(port, told):
            until(lambda: len(told) >= len(ODD), "an odd packet of each kind", 150)
        with Broker(port=port) as broker, FakeNode(broker.port, "n1") as node:
            made.ready()
            event = node.turn("LEAK")
            made.until("/api/alerts", lambda found: [row["id"] for row in found["rows"]] == [event.id])
        assert "Traceback" not in (tmp_path / "dashboard.log").read_text()


def test_an_exception_in_the_network_thread_ends_the_connection_and_not_the_thread(broker: Broker) -> None:
    got: list[bytes] = []
    failed: list[Exception] = []

    def hear(_client: object, _data: object, message: paho.MQTTMessage) -> None:
        got.append(message.payload)
        if message.payload == b"bad":
            raise ZeroDivisionError("a bug")

    client = LimitedClient(CallbackAPIVersion.VERSION2, "x", protocol=paho.MQTTv5)
    client.on_message = hear
    client.on_connect = lambda line, *_: line.subscribe("t", 0)
    subscribed = threading.Semaphore(0)
    client.on_subscribe = lambda *_: subscribed.release()
    client.failed = failed.append
    client.connect_async("127.0.0.1", broker.port)
    client.loop_start()
    other = paho.Client(CallbackAPIVersion.VERSION2, "y")
    other.connect("127.0.0.1", broker.port)
    other.loop_start()
    for payload in (b"bad", b"good"):
        assert subscribed.acquire(timeout=30)
        other.publish("t", payload, 1).wait_for_publish(10)
    until(lambda: got == [b"bad", b"good"], "what came after it")
    assert [type(error) for error in failed] == [ZeroDivisionError]
    client.disconnect()
    client.loop_stop()
    other.disconnect()
    other.loop_stop()


def test_a_client_that_has_ended_makes_no_new_connection(broker: Broker) -> None:
    client = LimitedClient(CallbackAPIVersion.VERSION2, "x", protocol=paho.MQTTv5)
    assert module.AGAIN_S < 10

    def fail(line: paho.Client, *_: object) -> None:
        line.disconnect()
        raise ZeroDivisionError("a bug")

    client.on_connect = fail
    client.connect("127.0.0.1", broker.port)
    assert client.loop_forever() == paho.MQTT_ERR_CONN_LOST
    assert broker.log.count("New client connected") == 1


@pytest.mark.parametrize("version", [paho.MQTTv5, paho.MQTTv311])
def test_what_is_not_wanted_is_acknowledged_and_dropped(broker: Broker, version: int) -> None:
    """Many at once, large ones and such that come in pieces; what is wanted comes whole and in order."""
    got: list[tuple[str, bytes]] = []
    client = LimitedClient(CallbackAPIVersion.VERSION2, "x", protocol=version, manual_ack=True)
    client.wanted = lambda topic: topic != b"a/flood"
    client.on_connect = lambda line, *_: line.subscribe("a/+", 1)
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()

    def hear(line: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        got.append((message.topic, message.payload))
        line.ack(message.mid, message.qos)

    client.on_message = hear
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert subscribed.wait(30)
    other = paho.Client(CallbackAPIVersion.VERSION2, "y")
    other.connect("127.0.0.1", broker.port)
    other.loop_start()
    wanted = [bytes([n]) * (n * 997) for n in range(200)]
    for n, payload in enumerate(wanted):
        other.publish("a/flood", bytes(n * 1009), n % 2)
        last = other.publish("a/good", payload, 1)
    last.wait_for_publish(30)
    until(lambda: len(got) == len(wanted), "the wanted ones")
    assert got == [("a/good", payload) for payload in wanted]
    client.disconnect()
    client.loop_stop()
    other.disconnect()
    other.loop_stop()

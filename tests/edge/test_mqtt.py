"""The link against a real mosquitto: delivery, retained messages, commands, refusals, fallback."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
from broker import Broker, Subscriber
from factory import event

from leakear.edge.errors import ConfigError
from leakear.edge.messages import Identity
from leakear.edge.mqtt import Link, MqttOptions
from leakear.edge.outbox import Outbox, OutboxOptions

NODE = Identity("site", "n1")
ACL = (Path(__file__).parents[2] / "systemd" / "mosquitto" / "leakear.acl").read_text()


def options(broker: Broker, **changes: object) -> MqttOptions:
    given = {"host": broker.host, "port": broker.port, "reconnect_first_s": 0.05, "reconnect_last_s": 0.2}
    return MqttOptions(**(given | changes))  # type: ignore[arg-type]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db", OutboxOptions(settle_s=1)) as box:
        yield box


@pytest.fixture
def linked(broker: Broker, outbox: Outbox) -> Iterator[Link]:
    link = Link(options(broker), NODE, outbox)
    link.start()
    yield link
    link.stop()


def pump(link: Link, until: Callable[[], object], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not until():
        assert time.monotonic() < deadline, f"not within {timeout} s; faults {link.faults}"
        link.pump()
        time.sleep(0.005)


def test_events_arrive_in_order_and_leave_the_outbox(broker: Broker, linked: Link, outbox: Outbox) -> None:
    with Subscriber(broker, "leakear/#") as seen:
        sent = [outbox.put(event()) for _ in range(100)]
        assert linked.drain(20)
        got = seen.wait(100, "leakear/site/n1/event")
        assert [m.json["seq"] for m in got] == [e.seq for e in sent]
        assert [m.json["id"] for m in got] == [e.id for e in sent]
        assert all(m.qos == 1 and not m.retain for m in got)
        assert outbox.depth == 0


def test_a_broker_that_comes_late_gets_everything(outbox: Outbox) -> None:
    with Broker() as broker:
        broker.stop()
        link = Link(options(broker), NODE, outbox)
        link.start()
        for _ in range(30):
            outbox.put(event())
        link.retain("state", b"old")
        link.retain("state", b"new")
        assert not link.drain(0.5)
        assert not link.connected
        broker.start()
        with Subscriber(broker, "leakear/#") as seen:
            assert link.drain(20)
            assert [m.json["seq"] for m in seen.wait(30, "leakear/+/+/event")] == list(range(1, 31))
            assert [m.payload for m in seen.wait(1, "leakear/+/+/state")] == [b"new"]
            link.stop()


def test_all_retained_is_said_again_at_every_connect_and_the_will_speaks_for_the_dead(
    broker: Broker, outbox: Outbox
) -> None:
    link = Link(options(broker), NODE, outbox)
    link.retain("state", b"{}")
    link.retain_topic("homeassistant/device/x/config", b"{1}")
    link.start()
    with Subscriber(broker, "#") as seen:
        pump(link, lambda: link.connected and len(seen.on("#")) >= 3)
        broker.stop()  # without persistence: it forgets what was retained
        pump(link, lambda: not link.connected)
        broker.start()
        pump(link, lambda: link.reconnects == 1 and seen.client.is_connected())
        for topic in ("leakear/site/n1/state", "homeassistant/device/x/config"):
            pump(link, lambda topic=topic: len(seen.on(topic)) >= 2)  # type: ignore[misc]
        availability = "leakear/site/n1/availability"
        pump(link, lambda: seen.on(availability)[-1].payload == b"online")
        assert link._sender is not None
        link._connector._stop.set()
        link._sender.connection.cut()  # no goodbye: as if the power failed
        seen.wait_for(lambda: seen.on(availability)[-1].payload == b"offline", "last will")
    link.stop()


def test_a_clean_stop_says_offline(broker: Broker, outbox: Outbox) -> None:
    link = Link(options(broker), NODE, outbox)
    link.start()
    with Subscriber(broker, "leakear/#") as seen:
        assert link.drain(20)
        link.stop()
        assert [m.payload for m in seen.wait(2, "leakear/site/n1/availability")] == [b"online", b"offline"]
    assert threading.active_count() < 5


def test_only_its_own_commands_reach_a_node_and_replies_go_out(broker: Broker, linked: Link) -> None:
    got: list[tuple[str, bytes]] = []
    births: list[bytes] = []

    def on_command(name: str, payload: bytes) -> None:
        got.append((name, payload))
        linked.send(f"cmd/{name}/result", b'{"ok": true}', qos=1)

    linked.on_command = on_command
    linked.subscribe("homeassistant/status", births.append)
    assert linked.drain(20)
    with Subscriber(broker, "leakear/#") as seen:
        seen.publish("leakear/site/n2/cmd/status", b"another's")
        seen.publish("homeassistant/status", b"online")
        seen.publish("leakear/site/n1/cmd/status", b"{}")
        pump(linked, lambda: seen.on("leakear/site/n1/cmd/status/result"))
    assert got == [("status", b"{}")]
    assert births == [b"online"]


def test_a_retained_command_is_not_carried_out_at_every_connect(broker: Broker, outbox: Outbox) -> None:
    got: list[str] = []
    births: list[bytes] = []
    with Subscriber(broker, "-") as operator:
        operator.publish("leakear/site/n1/cmd/set", b"{}", retain=True)
        link = Link(options(broker), NODE, outbox, lambda name, _: got.append(name))
        link.subscribe("homeassistant/status", births.append)
        link.start()
        assert link.drain(20)
        operator.publish("homeassistant/status", b"online", retain=True)  # said now: not an old message
        operator.publish("leakear/site/n1/cmd/status", b"{}")
        pump(link, lambda: got)
        link.stop()
    assert got == ["status"]
    assert births == [b"online"]


def test_a_flood_of_commands_is_bounded(broker: Broker, linked: Link) -> None:
    got: list[str] = []
    linked.on_command = lambda name, _: got.append(name)
    assert linked.drain(20)
    with Subscriber(broker, "nothing") as flood:
        for index in range(2000):
            flood.client.publish("leakear/site/n1/cmd/set", bytes(100), 1 if index % 100 == 0 else 0)
        flood.publish("leakear/site/n1/cmd/model", bytes(10**6))  # too large for MQTT 5's MaximumPacketSize
        flood.publish("leakear/site/n1/cmd/model", bytes(2**17 + 100))  # small enough for that, too large for us
        pump(linked, lambda: linked.refused_messages > 0)
        while "status" not in got:  # the flood is still coming in: what finds no room is refused
            flood.publish("leakear/site/n1/cmd/status", b"{}")
            until = time.monotonic() + 0.5
            pump(linked, lambda until=until: "status" in got or time.monotonic() > until)  # type: ignore[misc]
    assert "model" not in got
    assert linked.connected


def test_qos_0_is_lost_while_the_broker_is_away_and_expires(broker: Broker, outbox: Outbox) -> None:
    link = Link(options(broker, telemetry_expiry_s=77), NODE, outbox)
    assert link.send("telemetry", b"{}") is False
    link.start()
    with Subscriber(broker, "leakear/#") as seen:
        assert link.drain(20)
        assert link.send("telemetry", b"{}")
        message = seen.wait(1, "leakear/site/n1/telemetry")[0]
        assert message.qos == 0
        assert message.properties.MessageExpiryInterval == 77
        link.stop()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_the_access_list_refuses_is_a_fault_and_stays_in_the_outbox(outbox: Outbox, protocol: str) -> None:
    words = {"n1": "p", "other": "p", "watcher": "p"}
    with Broker(passwords=words, acl=ACL.replace("user monitor", "user watcher")) as broker:
        wrong = options(broker, username="other", password="p", protocol=protocol, reconnect_refused_s=60)
        link = Link(wrong, NODE, outbox)
        link.retain("state", b"{}")
        event_sent = outbox.put(event())
        link.start()
        if protocol == "5":
            pump(link, lambda: "publish_refused" in link.faults)
            assert "user other write leakear/site/n1/availability" in link.faults["publish_refused"]
        else:  # 3.1.1 has no words for it: mosquitto 2.0 acknowledges and hangs up
            pump(link, lambda: "connection_cut" in link.faults)
        connections = broker.log.count("New client connected")
        until = time.monotonic() + 2
        pump(link, lambda: time.monotonic() > until)
        assert broker.log.count("New client connected") - connections <= 1  # no storm
        assert [row.seq for row in outbox.pending(9)] == [event_sent.seq]
        link.reconfigure(options(broker, username="n1", password="p", protocol=protocol))
        with Subscriber(broker, "leakear/#", user="watcher", password="p") as seen:
            pump(link, lambda: seen.on("leakear/site/n1/event"))
            assert link.drain(20)
            assert seen.on("leakear/site/n1/event")[0].json["id"] == event_sent.id
            assert "publish_refused" not in link.faults
        link.stop()


def test_one_refused_retained_topic_does_not_hold_up_events(outbox: Outbox) -> None:
    with Broker(passwords={"n1": "p"}, acl=ACL) as broker:
        link = Link(options(broker, username="n1", password="p", reconnect_refused_s=30), NODE, outbox)
        link.retain_topic("elsewhere/config", b"{}")
        link.start()
        pump(link, lambda: "elsewhere/config" in link.faults.get("publish_refused", ""))
        outbox.put(event())
        assert link.drain(20)
        link.stop()


def test_a_broker_that_knows_only_3_1_1(outbox: Outbox) -> None:
    with Broker() as broker, OldBroker(broker, polite=True) as old, Subscriber(broker, "leakear/#") as seen:
        link = Link(options(broker, port=old.port), NODE, outbox)
        link.start()
        outbox.put(event())
        assert link.drain(20)
        assert seen.wait(1, "leakear/site/n1/event")
        assert " (p2," in broker.log
        link.stop()


def test_a_broker_that_hangs_up_on_mqtt_5(outbox: Outbox) -> None:
    with Broker() as broker, OldBroker(broker, polite=False) as old, Subscriber(broker, "leakear/#") as seen:
        link = Link(options(broker, port=old.port), NODE, outbox)
        link.start()
        outbox.put(event())
        assert link.drain(20)
        assert seen.wait(1, "leakear/site/n1/event")
        link.stop()


def test_a_frozen_broker_is_noticed_and_nothing_is_lost(broker: Broker, outbox: Outbox) -> None:
    link = Link(options(broker, keepalive_s=2), NODE, outbox)
    link.start()
    with Subscriber(broker, "leakear/#") as seen:
        assert link.drain(20)
        broker.freeze()
        for _ in range(5):
            outbox.put(event())
        pump(link, lambda: not link.connected)
        broker.thaw()
        assert link.drain(20)
        seqs = [m.json["seq"] for m in seen.wait(5, "leakear/site/n1/event")]
        assert list(dict.fromkeys(seqs)) == [1, 2, 3, 4, 5]
        link.stop()


def seqs(seen: Subscriber, node: str) -> list[int]:
    return list(dict.fromkeys(m.json["seq"] for m in seen.on(f"leakear/site/{node}/event")))


def test_two_clients_with_one_id_are_told_and_both_deliver(broker: Broker, tmp_path: Path) -> None:
    boxes = [Outbox(tmp_path / name / "outbox.db") for name in "ab"]
    same = options(broker, client_id="twin", reconnect_refused_s=0.3)
    links = [Link(same, Identity("site", name), box) for name, box in zip("ab", boxes, strict=True)]
    with Subscriber(broker, "leakear/#") as seen:
        for box, link in zip(boxes, links, strict=True):
            for _ in range(10):
                box.put(event())
            link.start()
        every = list(range(1, 11))
        for name in "ab":  # cut off again and again, each repeats until a connection holds
            pump(links[0], lambda name=name: links[1].pump() or seqs(seen, name) == every)  # type: ignore[misc]
        told = [link for link in links if "client id twin" in " ".join(link.faults.values())]
        while not told:  # mosquitto 2.0 gives no reason: four cut connections in a row do
            pump(links[0], lambda: links[1].pump() or any(link.faults for link in links))
            told = [link for link in links if "client id twin" in " ".join(link.faults.values())]
    for box, link in zip(boxes, links, strict=True):
        link.stop()
        box.close()


def test_a_message_acknowledged_just_before_the_broker_died_is_sent_again(broker: Broker, outbox: Outbox) -> None:
    link = Link(options(broker), NODE, outbox)
    link.start()
    outbox.put(event())
    assert link.drain(20)
    broker.kill()  # no persistence: it takes the acknowledged event with it
    pump(link, lambda: not link.connected)
    broker.start()
    with Subscriber(broker, "leakear/#") as seen:
        pump(link, lambda: seen.on("leakear/site/n1/event"))
    link.stop()


def test_a_broker_that_accepts_and_says_nothing_does_not_hold_up_the_end(outbox: Outbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        given = MqttOptions(host="127.0.0.1", port=silent.getsockname()[1], connect_timeout_s=60)
        link = Link(given, NODE, outbox)
        link.start()
        outbox.put(event())
        assert not link.drain(0.3)
        link.stop()
        assert not link._connector._thread.is_alive()
    assert outbox.depth == 1


def test_settings_that_contradict_themselves_are_refused(tmp_path: Path, outbox: Outbox) -> None:
    for wrong, words in (
        ({"ca_file": "/x"}, "mqtt.tls = true"),
        ({"tls": True, "client_key": "/x"}, "client_certificate"),
        ({"password": "x", "password_file": "/y"}, "keep one"),
        ({"host": ""}, "name the broker"),
    ):
        with pytest.raises(ConfigError, match=words):
            MqttOptions(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="password_file"):
        Link(MqttOptions(username="n", password_file=str(tmp_path / "none")), NODE, outbox).start()
    with pytest.raises(ConfigError, match="ca_file"):
        Link(MqttOptions(tls=True, ca_file=str(tmp_path / "none")), NODE, outbox).start()


class OldBroker:
    """Stands before a mosquitto and refuses MQTT 5 as brokers of the 3.1.1 days do: by code 1, or by hanging up."""

    def __init__(self, broker: Broker, *, polite: bool) -> None:
        self._broker, self._polite = broker, polite
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            first = client.recv(4096)
            at = first.index(b"MQTT") + 4
            if first[at] == 5:
                if self._polite:
                    client.sendall(bytes([0x20, 2, 0, 1]))
                client.close()
                continue
            server = socket.create_connection((self._broker.host, self._broker.port))
            server.sendall(first)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(4096):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_the_password_is_in_no_text(tmp_path: Path) -> None:
    secret = "geheim-4711"
    shown = MqttOptions(username="n", password=secret)
    assert secret not in repr(shown)
    assert secret not in json.dumps(str(shown))

"""The link against a real mosquitto: delivery, retained messages, commands."""

import json
import threading
import time
from pathlib import Path

import pytest

from leakear.edge.errors import ConfigError
from leakear.edge.mqtt.link import Link, MqttOptions
from leakear.edge.outbox.queue import Outbox, OutboxOptions
from tests.support.broker import Broker, Subscriber
from tests.support.factory import event
from tests.support.links import NODE, options, pump


def test_events_arrive_in_order_and_leave_the_outbox(broker: Broker, linked: Link, outbox: Outbox) -> None:
    with Subscriber(broker, "leakear/#") as seen:
        sent = [outbox.put(event()) for _ in range(100)]
        assert linked.drain(20)
        got = seen.wait(100, "leakear/site/n1/event")
        assert [m.json["seq"] for m in got] == [e.seq for e in sent]
        assert [m.json["id"] for m in got] == [e.id for e in sent]
        assert all(m.qos == 1 and not m.retain for m in got)
        assert outbox.depth == 0


def test_a_long_queue_of_events_goes_out_at_a_pace_and_holds_up_no_answer(
    broker: Broker, linked: Link, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dashboard acknowledges and leaves out what one node sends beyond a limit."""
    monkeypatch.setattr("leakear.edge.mqtt.sender.EVENTS", 5)
    monkeypatch.setattr("leakear.edge.mqtt.sender.EVENTS_PER_S", 10.0)
    with Subscriber(broker, "leakear/#") as seen:
        for _ in range(30):
            outbox.put(event())
        pump(linked, lambda: linked.send("cmd/status/result", b"answer", 1))
        pump(linked, lambda: seen.on("leakear/site/n1/cmd/status/result"))
        assert outbox.depth
        assert linked.drain(30)
        assert [m.json["seq"] for m in seen.wait(30, "leakear/site/n1/event")] == list(range(1, 31))


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


def test_events_of_a_disk_that_could_be_read_only_later_go_out_over_the_same_connection(
    broker: Broker, tmp_path: Path
) -> None:
    path, away = tmp_path / "outbox.db", tmp_path / "away.db"
    with Outbox(path) as box:
        box.put(event())
    path.rename(away)
    path.mkdir()  # nothing can be read there
    with Outbox(path, OutboxOptions(retry_s=0.05)) as box, Subscriber(broker, "leakear/#") as seen:
        box.put(event())
        link = Link(options(broker), NODE, box)
        link.start()
        seqs = lambda: [m.json["seq"] for m in seen.on("leakear/site/n1/event")]  # noqa: E731
        pump(link, lambda: seqs() == [2])
        path.rmdir()
        away.rename(path)
        pump(link, lambda: seqs() == [2, 1])
        assert link.drain(20)
        link.stop()
        assert (seqs(), link.reconnects) == ([2, 1], 0)


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


def test_a_command_of_an_outage_is_answered(broker: Broker, outbox: Outbox) -> None:
    """The broker keeps it, and delivers it before it has taken `availability`."""
    link = Link(options(broker), NODE, outbox, lambda name, _: link.send(f"cmd/{name}/result", b"answer", qos=1))
    link.start()
    assert link.drain(20)
    assert link._sender is not None
    with Subscriber(broker, "leakear/#") as seen:
        link._sender.connection.cut()
        pump(link, lambda: not link.connected)
        seen.publish("leakear/site/n1/cmd/status", b"{}")
        pump(link, lambda: seen.on("leakear/site/n1/cmd/status/result"))
        link.stop()


def test_a_command_whose_acknowledgement_is_lost_is_carried_out_once(broker: Broker, outbox: Outbox) -> None:
    """Else a rollback would go back to the model before, and from that to the one that it replaced."""
    got: list[bytes] = []

    def on_command(name: str, payload: bytes) -> None:
        got.append(payload)
        link.send(f"cmd/{name}/result", b"answer", qos=1)

    link = Link(options(broker), NODE, outbox, on_command)
    link.start()
    assert link.drain(20)
    assert link._sender is not None
    client = link._sender.connection._client  # type: ignore[attr-defined]
    with Subscriber(broker, "leakear/#") as seen:
        client._send_puback = lambda _: 0
        seen.publish("leakear/site/n1/cmd/model", b"rollback")
        pump(link, lambda: got)
        link._sender.connection.cut()
        pump(link, lambda: link.reconnects == 1)
        seen.publish("leakear/site/n1/cmd/model", b"list")
        pump(link, lambda: b"list" in got)
        seen.publish("leakear/site/n1/cmd/model", b"rollback")  # once more, by a person
        pump(link, lambda: len(seen.on("leakear/site/n1/cmd/model/result")) == 3)
        assert got == [b"rollback", b"list", b"rollback"]
        link.stop()


def test_an_answer_outlasts_its_connection(broker: Broker, linked: Link) -> None:
    assert linked.drain(20)
    with Subscriber(broker, "leakear/#") as seen:
        broker.freeze()
        assert linked.send("cmd/set/result", b"answer", qos=1)
        pump(linked, lambda: linked._sender is not None and not linked._sender.replies)
        broker.kill()  # it never read the answer
        broker.start()
        seen.wait_for(seen.client.is_connected, "subscriber")
        seen.publish("leakear/probe", b"")
        seen.wait_for(lambda: seen.on("leakear/probe"), "subscription")
        assert linked.drain(20)
        seen.wait(1, "leakear/site/n1/cmd/set/result")


def test_an_answer_outlasts_a_reload(broker: Broker, linked: Link) -> None:
    assert linked.drain(20)
    with Subscriber(broker, "leakear/#") as seen:
        broker.freeze()
        assert linked.send("cmd/set/result", b"answer", qos=1)
        linked.reconfigure(options(broker, keepalive_s=33))  # whoever reloads may have seen that no answer comes
        broker.kill()
        broker.start()
        seen.wait_for(seen.client.is_connected, "subscriber")
        seen.publish("leakear/probe", b"")
        seen.wait_for(lambda: seen.on("leakear/probe"), "subscription")
        pump(linked, lambda: seen.on("leakear/site/n1/cmd/set/result"))


def test_a_refused_subscription_is_logged_once_however_long_the_connection_holds(
    linked: Link, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leakear.edge.mqtt.link.SHOWN_S", 0.0)
    assert linked.drain(20)
    assert linked._sender is not None
    linked._sender.subscribe("leakear/site/n1/cmd/+")
    linked._sender.fill()
    (mid,) = linked._sender._sent
    linked._sender.answer(mid, 135)
    for _ in range(9):
        linked.pump()
        assert "subscribe_refused" in linked.faults
    assert caplog.text.count("does not let this node read leakear/site/n1/cmd/+") == 1


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
        pump(linked, lambda: linked._inbox.refused > 0)
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


def test_the_password_is_in_no_text(tmp_path: Path) -> None:
    secret = "geheim-4711"
    shown = MqttOptions(username="n", password=secret)
    assert secret not in repr(shown)
    assert secret not in json.dumps(str(shown))

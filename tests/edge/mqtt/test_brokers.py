"""The link against brokers that refuse, are old, freeze, die or say nothing."""

import re
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from leakear.edge.messages.reports import Identity
from leakear.edge.mqtt.link import Link, MqttOptions
from leakear.edge.outbox.queue import Outbox
from tests.support.broker import SILENT_REFUSAL, Broker, Subscriber, version
from tests.support.factory import event
from tests.support.links import NODE, options, pump

ACL = """
user n1
topic write leakear/site/n1/#
topic read leakear/site/n1/cmd/+
user watcher
topic read leakear/#
"""


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_the_access_list_refuses_is_a_fault_and_stays_in_the_outbox(outbox: Outbox, protocol: str) -> None:
    words = {"n1": "p", "other": "p", "watcher": "p"}
    with Broker(passwords=words, acl=ACL) as broker:
        wrong = options(broker, username="other", password="p", protocol=protocol, reconnect_refused_s=60)
        link = Link(wrong, NODE, outbox)
        link.retain("state", b"{}")
        event_sent = outbox.put(event())
        link.start()
        if protocol == "5":
            pump(link, lambda: "publish_refused" in link.faults)
            assert "user other write leakear/site/n1/availability" in link.faults["publish_refused"]
        elif version() >= (2, 1):
            pytest.skip(SILENT_REFUSAL)
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
        assert re.search(r" \(p[24],", broker.log)  # mosquitto until 2.0 calls MQTT 3.1.1 version 2
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
        seen.wait_for(lambda: len(set(seqs(seen, "n1"))) == 5, "the five events, some of them twice")
        assert list(dict.fromkeys(seqs(seen, "n1"))) == [1, 2, 3, 4, 5]
        link.stop()


def seqs(seen: Subscriber, node: str) -> list[int]:
    return list(dict.fromkeys(m.json["seq"] for m in seen.on(f"leakear/site/{node}/event")))


def test_two_clients_with_one_id_are_told_and_both_deliver(broker: Broker, tmp_path: Path) -> None:
    boxes = [Outbox(tmp_path / name / "outbox.db") for name in "ab"]
    same = options(broker, client_id="twin", reconnect_refused_s=0.3)
    links = [Link(same, Identity("site", name), box) for name, box in zip("ab", boxes, strict=True)]
    with Subscriber(broker, "leakear/#") as seen:
        for name, box, link in zip("ab", boxes, links, strict=True):
            for _ in range(10):
                box.put(replace(event(), node=name))
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

"""The fleet of bench.ingest: one process that publishes for all nodes, and keeps events for who asks again."""

import json
import queue
import random
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties

from leakear.edge.messages.reports import CommandResult, Event, Identity, ModelRef, State, utc_text, uuid7

MODEL = ModelRef(id="bench", sha256="0" * 64)
TWICE = 0.02
"""share of the messages that are sent twice"""
LEAKS = 0.05
"""share of LEAK among the events that end OK; the others are WARNING"""
BEFORE = 1000
"""number of a node's last event before the bench: an event that is missing after it is asked for"""
STEP_S = 0.02


def made(event_id: str) -> float:
    """Return the POSIX seconds in a UUIDv7."""
    return int(event_id.replace("-", "")[:12], 16) / 1000


class Fleet:
    """Nodes that report once a minute, and among them so many events a second."""

    def __init__(self, port: int, nodes: int, events_per_s: float) -> None:
        self.nodes = [Identity(f"district-{n // 100:03}", f"node-{n:05}") for n in range(nodes)]
        self.events_per_s = events_per_s
        self.events, self.reports, self.twice, self.resent = 0, 0, 0, 0
        self._acknowledged = 0
        self._given = 0
        self._seq = [BEFORE] * nodes
        self._states = ["OK"] * nodes
        self._kept: dict[str, dict[int, bytes]] = defaultdict(dict)
        self._commands: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._noise = random.Random(1)
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "fleet", protocol=paho.MQTTv5)
        self._client.max_inflight_messages_set(500)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = self._on_publish
        self._client.on_connect = lambda client, *_: client.subscribe("leakear/+/+/cmd/resend", 1)
        self._client.on_message = lambda _client, _data, message: self._commands.put((message.topic, message.payload))
        properties = Properties(1)  # of CONNECT
        properties.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, 30, clean_start=False, properties=properties)
        self._client.loop_start()

    def run(self, ended: Callable[[], bool]) -> None:
        """Report all nodes, then publish at the given rates until `ended`; a fleet that is late catches up."""
        self.report_all()
        began = time.monotonic()
        nodes = len(self.nodes)
        while not ended():
            passed = time.monotonic() - began
            while self.reports < nodes + passed * nodes / 60:
                self._report(self.reports % nodes)
            while self.events < passed * self.events_per_s:
                self._event(self._noise.randrange(nodes))
            self.answer()
            time.sleep(STEP_S)

    def answer(self) -> None:
        """Send kept events again, as a node does when it is asked."""
        while not self._commands.empty():
            topic, payload = self._commands.get()
            who, _ = Identity.parse_topic(topic)
            asked = json.loads(payload)
            for seq in range(asked["from_seq"], asked["to_seq"] + 1):
                if kept := self._kept[who.topic("event")].get(seq):
                    self._client.publish(who.topic("event"), kept, 1)
                    self._given += 1
                    self.resent += 1
            answer = CommandResult(id=asked["id"], ok=True, result={"next_seq": asked["to_seq"] + 1})
            self._client.publish(who.topic("cmd/resend/result"), answer.to_json(), 0)

    def report_all(self) -> None:
        """Report all nodes: what the broker has lost is noticed by their `seq`."""
        for n in range(len(self.nodes)):
            self._report(n)

    def delivered(self) -> bool:
        """Whether the broker has acknowledged everything."""
        return self._acknowledged >= self._given

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_publish(self, *_: Any) -> None:
        self._acknowledged += 1

    def _send(self, topic: str, payload: bytes, *, retain: bool) -> None:
        times = 2 if self._noise.random() < TWICE else 1
        self.twice += times - 1
        self._given += times
        for _ in range(times):
            self._client.publish(topic, payload, 1, retain)

    def _report(self, n: int) -> None:
        who, now = self.nodes[n], utc_text(time.time())
        state = State(
            site=who.site, node=who.node, state=self._states[n], since=now, score=0.1, level_dbfs=-60.0,
            noise_floor_dbfs=-70.0, faults=(), threshold=0.5, muted_until=None, model=MODEL, firmware="bench",
            window_end=now, window_s=10, step_s=60, clock_synced=True, seq=self._seq[n], queue_depth=0,
        )  # fmt: skip
        self.reports += 1
        self._send(who.topic("state"), state.to_json(), retain=True)

    def _event(self, n: int) -> None:
        who, now = self.nodes[n], time.time()
        self._seq[n] += 1
        before, after = self._states[n], "OK"
        if before == "OK":
            after = "LEAK" if self._noise.random() < LEAKS else "WARNING"
        self._states[n] = after
        event = Event(
            id=uuid7(now), seq=self._seq[n], site=who.site, node=who.node, kind="state", from_state=before,
            to_state=after, reason="The bench says so.", window_start=utc_text(now - 10), window_end=utc_text(now),
            clock_synced=True, score=0.97, level_dbfs=-40.0, on_fraction=0.95, model=MODEL,
        )  # fmt: skip
        self.events += 1
        payload = event.to_json()
        self._kept[who.topic("event")][event.seq] = payload
        self._send(who.topic("event"), payload, retain=False)


def speak(port: int, nodes: int, events_per_s: float, line: Any) -> None:
    """Run a fleet in a process of its own until `line` says "stop"; then answer until it says "end"."""
    fleet = Fleet(port, nodes, events_per_s)
    fleet.run(line.poll)
    line.recv()
    fleet.report_all()
    while not line.poll(STEP_S):
        fleet.answer()
        if fleet.delivered():
            break
    line.send({"events": fleet.events, "reports": fleet.reports, "twice": fleet.twice})
    while not line.poll(STEP_S):
        fleet.answer()
    line.send({"resent": fleet.resent})
    fleet.close()

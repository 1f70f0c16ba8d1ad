"""A node made of messages, for the tests of dashboards and operators' commands."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from leakear.edge.messages.reports import CommandResult, Event, Identity, ModelRef, State, Telemetry, utc_text, uuid7

MODEL = ModelRef(id="test-model", sha256="0" * 64)


class FakeNode:
    """Speaks as a node does, through the node's own message classes."""

    def __init__(
        self,
        port: int,
        node: str = "node-1",
        site: str = "site-a",
        *,
        start: int = 0,
        host: str = "127.0.0.1",
        user: tuple[str, str] | None = None,
    ) -> None:
        """`user`: name and password at the broker."""
        self.who = Identity(site, node)
        self.seq = start
        self.state, self.since = "OK", utc_text(time.time())
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.answers: Callable[[str, dict[str, Any]], list[CommandResult]] = lambda _name, _request: []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, f"{site}-{node}", protocol=paho.MQTTv5)
        if user:
            self.client.username_pw_set(*user)
        self.client.will_set(self.who.topic("availability"), "offline", 1, retain=True)
        self.client.on_message = self._on_message
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect(host, port, 5)
        self.client.loop_start()
        self.client.subscribe(self.who.topic("cmd/+"), 1)
        assert subscribed.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def online(self) -> None:
        self.raw("availability", b"online", retain=True)

    def drop(self) -> None:
        """Cut the line without a goodbye."""
        self.client.loop_stop()
        line = self.client.socket()
        assert line is not None
        line.close()

    def report(self, score: float | None = 0.1, level: float | None = -60.0, **changes: Any) -> None:
        self.raw("state", replace(self.make_state(score, level), **changes).to_json(), retain=True)

    @contextmanager
    def alive(self, score: float = 0.1) -> Iterator[Self]:
        """Report every second, so that it does not turn stale meanwhile, however long the page takes."""
        end = threading.Event()

        def speak() -> None:
            while not end.wait(1):
                self.report(score)

        speaker = threading.Thread(target=speak)
        speaker.start()
        try:
            yield self
        finally:
            end.set()
            speaker.join()

    def make_state(self, score: float | None, level: float | None) -> State:
        now = utc_text(time.time())
        return State(
            site=self.who.site, node=self.who.node, state=self.state, since=self.since, score=score, level_dbfs=level,
            noise_floor_dbfs=-70.0, faults=(), threshold=0.5, muted_until=None, model=MODEL, firmware="1.0",
            window_end=now, window_s=10, step_s=1, clock_synced=True, seq=self.seq, queue_depth=0,
        )  # fmt: skip

    def turn(self, state: str, *, reason: str = "It changed.", publish: bool = True, **changes: Any) -> Event:
        self.seq += 1
        now = time.time()
        event = Event(
            id=uuid7(), seq=self.seq, site=self.who.site, node=self.who.node, kind="state", from_state=self.state,
            to_state=state, reason=reason, window_start=utc_text(now - 10), window_end=utc_text(now),
            clock_synced=True, score=0.97, level_dbfs=-40.0, on_fraction=0.95, model=MODEL,
        )  # fmt: skip
        event = replace(event, **changes)
        self.state, self.since = state, event.window_end
        if publish:
            self.raw("event", event.to_json())
        return event

    def telemetry(self, **changes: Any) -> None:
        message = Telemetry(
            time=utc_text(time.time()), uptime_s=5, level_dbfs=-60, noise_floor_dbfs=-70, noise_floor_drift_db=0.1,
            score=0.1, windows_produced=5, windows_scored=5, windows_discarded=0, windows_dropped=0, overruns=0,
            reconnects=0, real_time_factor=0.02, queue_depth=0, queue_bytes=0, temperature_c=40,
            disk_free_bytes=1 << 30, rss_bytes=80 << 20, certificate_expires=None, clock_synced=True,
        )  # fmt: skip
        self.raw("telemetry", replace(message, **changes).to_json(), qos=0)

    def raw(self, suffix: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        self.client.publish(self.who.topic(suffix), payload, qos, retain).wait_for_publish(10)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        name, request = message.topic.rpartition("/")[2], json.loads(message.payload)
        self.commands.append((name, request))
        for answer in self.answers(name, request):
            self.client.publish(self.who.topic(f"cmd/{name}/result"), answer.to_json(), 1)


def path_of(node: FakeNode) -> str:
    """Address of its page."""
    return f"/node/{node.who.site}/{node.who.node}"


def done(request: dict[str, Any], **result: Any) -> list[CommandResult]:
    """One good answer."""
    return [CommandResult(id=request["id"], ok=True, result=result)]

"""A node with listening hours over a real broker: it says that it sleeps, wakes in time, and loses nothing."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from leakear.edge.audio.capture import Capture, CaptureStatus
from leakear.edge.audio.fake_microphone import FakeSource
from leakear.edge.compose import open_node
from leakear.edge.messages.reports import Event, State
from leakear.edge.node.node import Node
from leakear.edge.node.sleep import sleeper
from leakear.edge.schedule import LEAST_MIN, ScheduleOptions
from leakear.edge.settings import Settings
from tests.support.broker import Broker, Subscriber
from tests.support.living_node import TrueClock
from tests.support.places import TINY

TOPIC = "leakear/hill/pit-7/"


def at(hour: int, day: int = 10) -> float:
    return datetime(2026, 11, day, hour, tzinfo=UTC).timestamp()


class Wall:
    """The wall clock and the clock since boot of a node, which a test sets."""

    def __init__(self, utc: float) -> None:
        self._offset = utc - time.time()

    def now(self) -> float:
        return time.time() + self._offset

    def set(self, utc: float) -> None:
        self._offset = utc - time.time()


class Unsynchronised(TrueClock):
    def look(self) -> bool:
        return False


class Running:
    """A node in a thread of its own; `do` carries something out in that thread."""

    def __init__(self, settings: Settings, wall: Wall, clock: Any) -> None:
        noise = (np.random.default_rng(0).standard_normal((48000, 1)) * 1e-4).astype(np.float32)
        self.source, self.status = FakeSource(noise), CaptureStatus()
        self._todo: queue.SimpleQueue[Callable[[Node], object]] = queue.SimpleQueue()
        self._ended, self._settings, self._wall, self._clock = threading.Event(), settings, wall, clock
        self.node: Node
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def do(self, what: Callable[[Node], object]) -> Any:
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._todo.put(lambda node: done.put(what(node)))
        return done.get(timeout=60)

    def end(self) -> None:
        self._ended.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with open_node(self._settings, self._clock, capture=self.status) as node:

            def idle() -> None:
                node.idle(time.monotonic(), time.time())

            with Capture(
                self._settings.audio, node.detector.model.info.spec, self.source, status=self.status, idle=idle
            ) as capture:
                asleep = sleeper.Sleeper(node, self._clock, wall=self._wall.now, steady=self._wall.now)

                def tick(_: float) -> None:
                    while not self._todo.empty():
                        self._todo.get()(node)
                    if self._ended.is_set():
                        node.stop()
                        capture.stop()
                        asleep.stop()

                node._parts = replace(node._parts, tickers=(*node._parts.tickers, tick))
                asleep.run(capture)


@contextmanager
def running(broker: Broker, folder: Path, wall: Wall, clock: Any = None) -> Iterator[Running]:
    given = {
        "node": {"site": "hill", "name": "pit-7", "state_dir": str(folder)},
        "model": {"path": str(TINY)},
        "decision": {"time_zone": "UTC"},
        "schedule": {"listen": ["02:00-04:00"]},
        "mqtt": {"host": broker.host, "port": broker.port, "reconnect_first_s": 0.05},
    }
    run = Running(Settings.from_mapping(given, environment={}), wall, clock or TrueClock())
    try:
        yield run
    finally:
        run.end()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleeper, "LOOK_S", 0.05)


def newest(seen: Subscriber, what: str) -> bytes:
    found = [message.payload for message in seen.on(TOPIC + what)]
    return found[-1] if found else b""


def wait(seen: Subscriber, look: Callable[[], Any], what: str) -> None:
    seen.wait_for(look, what, 60)


def state(seen: Subscriber) -> State | None:
    payload = newest(seen, "state")
    return State.from_json(payload) if payload else None


def test_it_says_until_when_it_sleeps_and_delivers_at_the_next_waking(broker: Broker, tmp_path: Path) -> None:
    wall = Wall(at(3))
    with running(broker, tmp_path, wall) as run, Subscriber(broker, "leakear/#") as seen:
        wait(seen, lambda: newest(seen, "availability") == b"online" and run.status.device, "a node that listens")
        wall.set(at(4))
        wait(seen, lambda: newest(seen, "availability") == b"asleep", "goodbye")
        said = state(seen)
        assert said is not None
        assert said.asleep_until == "2026-11-11T02:00:00.000Z"
        wait(seen, lambda: not run.status.device, "a closed device")
        wait(seen, lambda: not run.do(lambda node: node.link.connected), "no connection")
        run.do(lambda node: node.reporter.announce("fault", "while it slept"))
        assert run.do(lambda node: node.outbox.depth) == 1
        assert not [m for m in seen.on(TOPIC + "event") if b"while it slept" in m.payload]
        wall.set(at(2, day=11))
        wait(seen, lambda: [m for m in seen.on(TOPIC + "event") if b"while it slept" in m.payload], "the event")
        wait(seen, lambda: newest(seen, "availability") == b"online", "a node that is awake")
        wait(seen, lambda: (found := state(seen)) and found.asleep_until is None, "the state")
        wait(seen, lambda: run.source.opened == 2 and run.status.device, "the device again")
        events = [Event.from_json(m.payload) for m in seen.on(TOPIC + "event")]
        assert all(event.kind in ("fault", "night") for event in events), events
        counters = run.do(lambda node: node.reporter.status().counters)
        assert (counters.discarded, counters.dropped) == (0, 0)
    assert b"offline" not in [m.payload for m in seen.on(TOPIC + "availability")]


def test_a_restart_in_the_middle_of_a_sleep_delivers_says_so_and_sleeps_on(broker: Broker, tmp_path: Path) -> None:
    wall = Wall(at(12))
    with Subscriber(broker, "leakear/#") as seen:
        for number in (1, 2):
            with running(broker, tmp_path, wall) as run:
                wait(
                    seen,
                    lambda n=number: [m.payload for m in seen.on(TOPIC + "availability")].count(b"asleep") == n,
                    "sleep",
                )
                assert run.source.opened == 0
                said = state(seen)
                assert said is not None
                assert said.asleep_until == "2026-11-11T02:00:00.000Z"
                run.do(lambda node, n=number: node.reporter.announce("fault", f"number {n}"))
        wait(seen, lambda: [m for m in seen.on(TOPIC + "event") if b"number 1" in m.payload], "the first event")


def test_without_a_broker_it_sleeps_all_the_same(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sleeper, "DELIVER_S", 0.2)
    broker.stop()
    wall = Wall(at(12))
    with running(broker, tmp_path, wall) as run:
        while run.do(lambda node: node.reporter.asleep_until) is None:
            pass
        broker.start()
        wall.set(at(2, day=11))
        with Subscriber(broker, "leakear/#") as seen:
            wait(seen, lambda: newest(seen, "availability") == b"online", "a node that is awake")


def test_a_clock_that_was_never_right_keeps_it_awake(broker: Broker, tmp_path: Path) -> None:
    with running(broker, tmp_path, Wall(at(12)), Unsynchronised()) as run, Subscriber(broker, "leakear/#") as seen:
        wait(seen, lambda: run.status.device and newest(seen, "availability") == b"online", "a node that listens")
        assert run.do(lambda node: node.reporter.asleep_until) is None


def test_a_clock_set_back_again_and_again_makes_no_deaf_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleeper, "STAY_S", 0.0)
    now = {"wall": at(5), "steady": 0.0}
    node = MagicMock(stopping=False, delivered=True)
    node.reloader.settings.schedule = ScheduleOptions(listen=("02:00-04:00",))
    node.detector.rule.zone = UTC
    node.rest.side_effect = lambda: now.update(steady=now["steady"] + 3600, wall=at(5))  # always five o'clock
    asleep = sleeper.Sleeper(node, TrueClock(), wall=lambda: now["wall"], steady=lambda: now["steady"])
    asleep.sleep_if_due()
    assert now["steady"] == 21 * 3600  # until two o'clock, by the clock since boot
    assert asleep.due is None
    now["steady"] += 60 * LEAST_MIN
    assert asleep.due == at(2, 11)

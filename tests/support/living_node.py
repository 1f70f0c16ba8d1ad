"""A whole node, made of the real parts, that a test drives block by block against a real broker.

with living_node(broker, tmp_path) as node, Asker(broker, node) as asker:
    node.hear(30, LEAK)
    answer = asker.ask("status")
"""

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.capture import CaptureStatus
from leakear.edge.audio.sample_clock import Timing
from leakear.edge.compose import open_node
from leakear.edge.messages.reports import CommandResult
from leakear.edge.node.node import Node
from leakear.edge.recording.clock_bound import Bound
from leakear.edge.remote.handlers import NodeControls
from leakear.edge.settings import Settings
from tests.support.broker import Broker, Subscriber
from tests.support.contract import problems
from tests.support.places import TINY

BORN = 1.8e9
"""when a node's life begins, s since 1970"""
QUIET, LEAK = 1e-5, 0.03
"""RMS of white noise that the tiny model hears as quiet and as a leak"""
RULE = {"span_s": 60, "confirm_s": 30, "clear_s": 30, "noisy_s": 60}


class TrueClock:
    """A clock that is always synchronised."""

    def __init__(self) -> None:
        self.faults: Mapping[str, str] = {}

    def look(self) -> bool:
        return True

    def boot(self) -> None: ...


class Life:
    """A running node with its own time: it begins in 2027 and moves only when something is heard."""

    def __init__(self, node: Node, settings: Settings, began: float = BORN) -> None:
        self.node, self.settings, self._began = node, settings, began
        self._random = np.random.default_rng(5)
        self._at = 0
        """sample"""

    @property
    def controls(self) -> NodeControls:
        """What answers this node's commands."""
        controls: NodeControls = self.node.link.on_command.__self__._controls  # type: ignore[union-attr]
        return controls

    def hear(self, seconds: float, rms: float = QUIET) -> None:
        """Take white noise in blocks of one second."""
        for _ in range(round(seconds)):
            samples = (rms * self._random.standard_normal(22050)).astype(np.float32)
            seconds_in = self._at / 22050
            self.node.take(Block(self._at, samples, self._began + seconds_in, 1000 + seconds_in))
            self._at += 22050

    def sleep(self, seconds: float) -> None:
        """Let time pass in which nothing is heard."""
        self._at += round(seconds * 22050)

    def pump_until(self, done: Any, what: str) -> Any:
        """Let messages come and go, without a sample, until `done()`."""
        assert self.node.link is not None
        for _ in range(4000):
            self.node.link.pump()
            self.controls.dispatcher.tick()
            if found := done():
                return found
            time.sleep(0.005)
        raise AssertionError(f"no {what}; faults: {self.node.faults}")


@contextmanager
def living_node(broker: Broker, folder: Path, **sections: dict[str, Any]) -> Iterator[Life]:
    """Start a node and wait until it is online. Sections override: `commands={"burst": 1}`."""
    given: dict[str, dict[str, Any]] = {
        "node": {"site": "hill", "name": "pit-7", "state_dir": str(folder), "telemetry_s": 5},
        "model": {"path": str(TINY)},
        "decision": RULE,
        "mqtt": {"host": broker.host, "port": broker.port},
        "commands": {"burst": 1000, "per_second": 100},
    }
    merged = {name: given.get(name, {}) | sections.get(name, {}) for name in {*given, *sections}}
    settings = Settings.from_mapping(merged, environment={})
    capture = CaptureStatus(device="Script", native_rate=48000, timing=Timing(0.0, 1.0, 0.0003))
    with open_node(settings, TrueClock(), capture=capture, bound=lambda: Bound("chrony", 0.0004)) as node:
        node.open()
        life = Life(node, settings)
        life.pump_until(lambda: node.link is not None and node.link.connected, "connection")
        yield life
        node.close()


class Asker:
    """Somebody with a dashboard: asks, and checks every message the node ever sends against the contract."""

    def __init__(self, broker: Broker, life: Life) -> None:
        self.seen = Subscriber(broker, "leakear/#", "homeassistant/#")
        self.life = life
        self._ids = (f"ask-{number}" for number in itertools.count())

    def __enter__(self) -> Self:
        self.seen.__enter__()
        online = lambda: [m for m in self.seen.on("leakear/hill/pit-7/availability") if m.payload == b"online"]  # noqa: E731
        self.life.pump_until(online, "online")  # by then the node has subscribed to its commands as well
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seen.__exit__(kind, error, trace)
        said = [m for m in self.seen.on("leakear/#") if "/cmd/" not in m.topic or m.topic.count("/") == 5]
        assert [found for m in said for found in problems(m.topic, m.payload)] == []

    def ask(self, name: str, parts: int = 1, **body: Any) -> CommandResult:
        """Publish a command and give its (first) answer."""
        return self.ask_all(name, parts, **body)[0]

    def ask_all(self, name: str, parts: int = 1, **body: Any) -> list[CommandResult]:
        """Publish a command and give its answers, of which there must be `parts`."""
        request = {"id": next(self._ids)} | body
        self.seen.publish(f"leakear/hill/pit-7/cmd/{name}", json.dumps(request))

        def answers() -> list[CommandResult] | None:
            topic = f"leakear/hill/pit-7/cmd/{name}/result"
            results = [CommandResult.from_json(message.payload) for message in self.seen.on(topic)]
            mine = [result for result in results if result.id == request["id"]]
            return mine if len(mine) >= parts else None

        found: list[CommandResult] = self.life.pump_until(answers, f"answer to {name}")
        return found

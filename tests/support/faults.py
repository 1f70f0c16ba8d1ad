"""A node that has something to say twice in thirty seconds of sound, to be hurt while it delivers.

The recording alternates one window of hiss with two of digital silence (a fault of a single window is not told), so
the real daemon (`leakear-edge replay`) goes OK → SENSOR_FAULT → OK: two events in thirty seconds of sound, through
pipeline, outbox and link as in the field.
"""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from leakear.edge.outbox.queue import Outbox
from tests.support.broker import Broker, Message, Subscriber

RATE = 22050
EVENTS = "leakear/site/n1/event"
STATE = "leakear/site/n1/state"
LOG = "info"
STARTED: list[subprocess.Popen[bytes]] = []
"""every daemon a test has started"""


def recording(path: Path, windows: int = 45) -> Path:
    """WAV of `windows` windows, hiss, silence, silence, hiss, …"""
    rng = np.random.default_rng(1)
    sound = [rng.normal(0, 0.05, 10 * RATE) if index % 3 == 0 else np.zeros(10 * RATE) for index in range(windows)]
    soundfile.write(path, np.concatenate(sound), RATE, subtype="PCM_16")
    return path


@dataclass
class Node:
    """One node's folder and configuration; `replay` starts its daemon."""

    folder: Path
    broker: Broker
    mqtt: dict[str, Any] = field(default_factory=dict)
    outbox: dict[str, Any] = field(default_factory=dict)
    state_dir: Path | None = None
    prefix: tuple[str, ...] = ()
    """put before the command, such as `ip netns exec NAME`"""

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.state_dir = self.state_dir or self.folder / "state"
        self.sound = recording(self.folder / "alternating.wav")
        self.log = self.folder / "log"
        self.write()

    def write(self) -> None:
        """Write the configuration."""
        mqtt = {"host": self.broker.host, "port": self.broker.port, "reconnect_first_s": 0.1, "reconnect_last_s": 0.5}
        sections = {
            "node": {"site": "site", "name": "n1", "state_dir": str(self.state_dir)},
            "mqtt": mqtt | self.mqtt,
            "outbox": {"retry_s": 0.5} | self.outbox,
            "evidence": {"enabled": False},
            "homeassistant": {"discovery": "off"},
            "log": {"level": LOG},
        }
        text = ""
        for name, keys in sections.items():
            text += f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items())
        self.config.write_text(text)

    @property
    def config(self) -> Path:
        return self.folder / "leakear.toml"

    def replay(self, *, speed: float | None = None, repeat: int = 1, deadline: float = 60) -> subprocess.Popen[bytes]:
        """Start the daemon on the recording; 30 events a repetition."""
        pace = ["--speed", f"{speed}"] if speed else []
        command = [
            *self.prefix,
            sys.executable,
            "-m",
            "leakear.edge.cli",
            "replay",
            "--config",
            str(self.config),
            *pace,
        ]
        command += ["--repeat", str(repeat), "--deadline", str(deadline), str(self.sound)]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True)
        STARTED.append(process)
        return process

    def outbox_state(self) -> tuple[int, int, dict[str, int]]:
        """Last seq, events still waiting, counters."""
        assert self.state_dir is not None
        with Outbox(self.state_dir / "outbox.db") as box:
            return box.last_seq, box.depth, box.counters

    def errors(self) -> str:
        """What it wrote to standard error."""
        return self.log.read_text(errors="replace")


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of it and its children."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def finish(node: Node, process: subprocess.Popen[bytes], timeout: float = 120) -> int:
    """Exit code, with a look at what it wrote: no traceback, whatever happened."""
    code = process.wait(timeout)
    assert "Traceback" not in node.errors(), node.errors()[-3000:]
    return code


@dataclass(frozen=True)
class Tally:
    """What arrived."""

    received: int
    seqs: list[int]
    """of the unique events, in order of their first arrival"""
    ids: list[str]

    @classmethod
    def of(cls, messages: Sequence[Message]) -> "Tally":
        """Count by id, as every consumer must (MQTT's QoS 1 is at least once)."""
        first = {m.json["id"]: m.json["seq"] for m in reversed(messages)}
        order = dict.fromkeys(m.json["id"] for m in messages)
        return cls(len(messages), [first[name] for name in order], list(order))

    def check(self, put: int) -> None:
        """Every event, none twice by id, in order, without a gap."""
        assert self.seqs == list(range(1, put + 1)), _gaps(self.seqs, put)
        assert len(set(self.ids)) == put


def report(what: str, node: Node, seen: Subscriber) -> Tally:
    """Print sent, acknowledged, received; check and return them."""
    last, waiting, counters = node.outbox_state()
    tally = Tally.of(seen.on(EVENTS))
    print(
        f"\n{what}: put {last}, acknowledged {counters['delivered']}, waiting {waiting}, received {tally.received}, "
        f"by id {len(tally.ids)} ({tally.received - len(tally.ids)} repeated under the same id), "
        f"in order {tally.seqs == sorted(tally.seqs)}"
    )
    tally.check(last)
    assert waiting == 0
    return tally


def wait_for_all(node_last: int, seen: Subscriber, timeout: float = 60) -> None:
    """Wait until the subscriber has the newest event."""
    seen.wait_for(lambda: any(m.json["seq"] == node_last for m in seen.on(EVENTS)), f"event {node_last}", timeout)


def sleep_until(moment: float) -> None:
    """Sleep to a monotonic moment."""
    time.sleep(max(0.0, moment - time.monotonic()))


def _gaps(seqs: list[int], put: int) -> str:
    missing = sorted(set(range(1, put + 1)) - set(seqs))
    turns = [(a, b) for a, b in itertools.pairwise(seqs) if b != a + 1]
    return f"missing {missing[:20]} of {put}; out of order {turns[:20]}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)

"""Five simulated nodes for a demonstration: one reports a leak, one loses its microphone, one loses its network.

`python -m leakear.dashboard.demo_fleet --broker mqtt://127.0.0.1:1883`. The messages use the classes of a
real node; levels and sound are made up.
"""

import argparse
import base64
import io
import json
import math
import random
import struct
import threading
import time
import wave
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from leakear.dashboard.broker.connection import address
from leakear.edge.messages.reports import (
    CommandResult,
    Event,
    Identity,
    ModelRef,
    Spectrum,
    State,
    Telemetry,
    utc_now,
    utc_text,
    uuid7,
)

MODEL = ModelRef(id="factory-2026.11", sha256="ab" * 32)
STEP_S = 1.0
PART = 48 * 1024
THRESHOLD = 0.5
RATE = 8000
"""Hz, of the made-up clips"""


@dataclass(frozen=True)
class Script:
    """What one node does, in seconds after the start."""

    node: str
    level: float
    """dBFS"""
    warning: float = math.inf
    leak: float = math.inf
    no_sound: float = math.inf
    gone: float = math.inf


def scripts(pace: float) -> list[Script]:
    """Return the scripts of the five nodes; with `pace` 1 they take a minute and a half."""
    return [
        Script("meter-pit-01", -58.0),
        Script("meter-pit-02", -62.0, warning=15 * pace, leak=30 * pace),
        Script("meter-pit-03", -55.0, no_sound=50 * pace),
        Script("pump-house-01", -41.0),
        Script("pump-house-02", -47.0, gone=70 * pace),
    ]


@dataclass
class DemoNode:
    """One simulated node."""

    script: Script
    site: str
    seq: int = 0
    state: str = "OK"
    since: str = field(default_factory=utc_now)
    threshold: float = THRESHOLD
    muted: str | None = None
    watched_until: float = 0.0
    scored: int = 0
    score: float | None = 0.0
    level: float | None = None

    def __post_init__(self) -> None:
        self.who = Identity(self.site, self.script.node)
        self.began = time.monotonic()
        self.random = random.Random(self.script.node)
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, f"demo-{self.script.node}")
        self.client.will_set(self.who.topic("availability"), "offline", 1, retain=True)
        self.client.on_connect, self.client.on_message = self._on_connect, self._on_message

    def start(self, host: str, port: int) -> None:
        """Connect."""
        self.client.connect(host, port, 10)
        self.client.loop_start()

    def stop(self) -> None:
        """Publish `offline` and disconnect, as a node does that is shut down."""
        self._send("availability", b"offline", retain=True)
        self.client.disconnect()
        self.client.loop_stop()

    def step(self) -> bool:
        """Publish one window; False when the node has lost its network."""
        at = time.monotonic() - self.began
        if at >= self.script.gone:
            self.client.loop_stop()
            connection = self.client.socket()
            if connection is not None:
                connection.close()  # without MQTT DISCONNECT: the broker publishes the last will
            return False
        self._measure(at)
        self._decide(at)
        self._send("state", self._report().to_json(), retain=True)
        if int(at) % 10 == 0:
            self._send("telemetry", self._telemetry(at).to_json(), qos=0)
        if time.monotonic() < self.watched_until:
            self._send("spectrum", self._spectrum().to_json(), qos=0)
        return True

    def _measure(self, at: float) -> None:
        if at >= self.script.no_sound:
            self.score = self.level = None
            return
        self.scored += 1
        flowing = 1 / (1 + math.exp(-(at - self.script.warning) / 3)) if at > self.script.warning - 20 else 0.0
        quiet = 0.08 + 0.06 * math.sin(at / 17) + 0.03 * self.random.random()
        self.score = min(0.99, quiet + flowing * 0.85)
        self.level = self.script.level + 9 * flowing + self.random.gauss(0, 0.8)

    def _decide(self, at: float) -> None:
        script = self.script
        state = "SENSOR_FAULT" if at >= script.no_sound else "LEAK" if at >= script.leak else "OK"
        state = "WARNING" if script.warning <= at < script.leak else state
        if state == self.state:
            return
        before, self.state, self.since, self.seq = self.state, state, utc_now(), self.seq + 1
        self._send("event", self._event(before).to_json())

    def _event(self, before: str) -> Event:
        reasons = {
            "WARNING": "Flow-like sound for longer than any use of water here.",
            "LEAK": "Flow-like sound on 97 % of windows, confirmed: water runs and does not stop.",
            "SENSOR_FAULT": "No sound arrives from the microphone: it was unplugged, or its driver hangs.",
        }
        now = time.time()
        return Event(
            id=uuid7(), seq=self.seq, site=self.site, node=self.script.node, kind="state", from_state=before,
            to_state=self.state, reason=reasons.get(self.state, "Quiet again."), window_start=utc_text(now - 10),
            window_end=utc_text(now), clock_synced=True, score=self.score, level_dbfs=self.level,
            on_fraction=0.97 if self.state == "LEAK" else None, faults=self._faults(), model=MODEL,
            evidence=self.state in ("WARNING", "LEAK"),
        )  # fmt: skip

    def _faults(self) -> tuple[str, ...]:
        return ("no_frames",) if self.state == "SENSOR_FAULT" else ()

    def _report(self) -> State:
        return State(
            site=self.site, node=self.script.node, state=self.state, since=self.since, score=self.score,
            level_dbfs=self.level, noise_floor_dbfs=None if self.level is None else self.script.level - 6,
            faults=self._faults(), threshold=self.threshold, muted_until=self.muted, model=MODEL, firmware="demo",
            window_end=utc_now(), window_s=10, step_s=STEP_S, clock_synced=True, seq=self.seq, queue_depth=0,
        )  # fmt: skip

    def _telemetry(self, at: float) -> Telemetry:
        return Telemetry(
            time=utc_now(), uptime_s=at, level_dbfs=self.level, noise_floor_dbfs=self.script.level - 6,
            noise_floor_drift_db=0.3, score=self.score, windows_produced=self.scored, windows_scored=self.scored,
            windows_discarded=0, windows_dropped=0, overruns=0, reconnects=0, real_time_factor=0.02, queue_depth=0,
            queue_bytes=0, temperature_c=41.5, disk_free_bytes=11 << 30, rss_bytes=84 << 20,
            certificate_expires=None, clock_synced=True,
        )  # fmt: skip

    def _spectrum(self) -> Spectrum:
        loud = 26 * (self.score or 0)
        bands = [
            -92 + loud * math.exp(-((n - 18) ** 2) / 160) + 20 * math.exp(-n / 9) + self.random.gauss(0, 2)
            for n in range(64)
        ]
        return Spectrum(time=utc_now(), low_hz=0.0, high_hz=4000.0, db=tuple(round(v, 1) for v in bands))

    def _send(self, suffix: str, payload: bytes, qos: int = 1, *, retain: bool = False) -> None:
        self.client.publish(self.who.topic(suffix), payload, qos, retain)

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(self.who.topic("cmd/+"), 1)
        self._send("availability", b"online", retain=True)

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        name, request = message.topic.rpartition("/")[2], json.loads(message.payload)
        for result in self._answers(name, request):
            self._send(f"cmd/{name}/result", CommandResult(id=request["id"], ok=True, result=result).to_json())

    def _answers(self, name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        if name == "set":
            self.threshold = request.get("threshold", self.threshold)
            self.muted = request.get("mute_until", self.muted)
            return [{"threshold": self.threshold, "mute_until": self.muted}]
        if name == "watch":
            self.watched_until = time.monotonic() + request["seconds"]
            return [{"seconds": request["seconds"]}]
        if name == "clip":
            return _parts(request["event_id"], _clip(self.random))
        answers: dict[str, dict[str, Any]] = {
            "identify": {"firmware": "demo", "model": MODEL.id, "runtime": "none: simulated"},
            "selftest": {
                "model": "ok",
                "sensor": "silent" if self.level is None else "ok",
                "disk": "ok",
                "clock": "ok",
            },
            "calibrate": {"state": "running" if request.get("action") == "start" else "idle"},
        }
        return [answers.get(name, {"state": self.state})]


def _clip(noise: random.Random) -> bytes:
    """Return four seconds of hiss of rising level, as a WAV file."""
    out, low = io.BytesIO(), 0.0
    with wave.open(out, "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", ""))
        values = []
        for n in range(4 * RATE):
            low += 0.45 * (noise.gauss(0, 1) - low)
            values.append(int(max(-1.0, min(1.0, 0.2 * low * (0.3 + n / (4 * RATE)))) * 32767))
        sound.writeframes(struct.pack(f"<{len(values)}h", *values))
    return out.getvalue()


def _parts(event_id: str, content: bytes) -> list[dict[str, Any]]:
    starts = range(0, len(content), PART)
    return [
        {
            "event_id": event_id, "part": n, "parts": len(starts), "media_type": "audio/wav",
            "data": base64.b64encode(content[start : start + PART]).decode(),
        }
        for n, start in enumerate(starts)
    ]  # fmt: skip


def run(broker: str, pace: float, stop: threading.Event) -> None:
    """Run the nodes until `stop` is set."""
    host, port = address(broker)
    nodes = [DemoNode(s, "harbour" if s.node.startswith("pump") else "old-town") for s in scripts(pace)]
    for node in nodes:
        node.start(host, port)
    while not stop.wait(STEP_S):
        nodes = [node for node in nodes if node.step()]
    for node in nodes:
        node.stop()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--broker", required=True, metavar="URL")
    parser.add_argument("--pace", type=float, default=1.0, help="2: everything happens half as fast")
    args = parser.parse_args()
    run(args.broker, args.pace, threading.Event())


if __name__ == "__main__":
    main()

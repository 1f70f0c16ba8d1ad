"""The daemon as it runs in the field: real PortAudio, a real sound server that fails, a real broker."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.support.broker import Broker, Subscriber
from tests.support.places import TINY
from tests.support.sound_servers import Jack, Pulse, Server

CONFIG = """
[node]
site = "test"
name = "ear"
state_dir = "{folder}/state"
telemetry_s = 1.0
[audio]
device = "{device}"
[window]
step_s = 1.0
[model]
path = "{model}"
[decision]
span_s = 4.0
confirm_s = 2.0
clear_s = 4.0
noisy_s = 8.0
[mqtt]
host = "127.0.0.1"
port = {port}
"""


@dataclass
class Node:
    """A running daemon and what it says."""

    process: subprocess.Popen[bytes]
    seen: Subscriber
    log: Path

    def events(self) -> list[dict[str, Any]]:
        return [message.json for message in self.seen.on("leakear/test/ear/event")]

    def event(self, **wanted: str) -> dict[str, Any]:
        """First event with these values, waited for."""

        def look() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.log.read_text()
            return next((event for event in self.events() if wanted.items() <= event.items()), None)

        return self.seen.wait_for(look, f"event {wanted}", 60)

    def telemetry(self) -> dict[str, Any]:
        return self.seen.on("leakear/test/ear/telemetry")[-1].json

    def scored_beyond(self, count: int) -> dict[str, Any]:
        """First telemetry that counts more scored windows, waited for."""

        def look() -> dict[str, Any] | None:
            said = [message.json for message in self.seen.on("leakear/test/ear/telemetry")]
            return next((one for one in said if one["windows_scored"] > count), None)

        return self.seen.wait_for(look, f"telemetry of more than {count} scored windows", 60)

    def forget(self) -> None:
        self.seen.messages.clear()


def running(server: Server, broker: Broker, device: str, folder: Path) -> Iterator[Node]:
    """Start `leakear-edge run`, stop it with SIGTERM, expect exit code 0."""
    config = folder / "node.toml"
    config.write_text(CONFIG.format(folder=folder, device=device, model=TINY, port=broker.port))
    with Subscriber(broker, "leakear/#") as seen, (folder / "node.log").open("wb") as log:
        command = [sys.executable, "-m", "leakear.edge.cli", "run", "--config", str(config)]
        process = subprocess.Popen(command, env=server.env, stdout=log, stderr=log)
        try:
            yield Node(process, seen, folder / "node.log")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0, (folder / "node.log").read_text()
        finally:
            process.kill()
            process.wait(10)


@pytest.fixture(scope="module")
def pulse() -> Iterator[Pulse]:
    with Pulse() as server:
        yield server


@pytest.fixture(scope="module")
def node(pulse: Pulse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with Broker() as broker:
        yield from running(pulse, broker, "pulse", tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def leak(pulse: Pulse) -> Path:
    """Three minutes of the steady broadband noise that the tiny model was trained to call a leak."""
    rng = np.random.default_rng(11)
    path = pulse.folder / "leak.wav"
    soundfile.write(path, 0.05 * rng.standard_normal(44100 * 180), 44100)
    return path


def test_a_leak_played_into_the_microphone_becomes_an_event_at_a_subscriber(
    node: Node, pulse: Pulse, leak: Path
) -> None:
    pulse.play(leak)
    event = node.event(kind="state", to="LEAK")
    assert event["score"] > 0.5
    assert -40 < event["level_dbfs"] < -15
    assert node.scored_beyond(4)


def test_a_sink_unloaded_in_the_middle_of_a_window_is_a_fault_until_it_is_back(
    node: Node, pulse: Pulse, leak: Path
) -> None:
    before = node.telemetry()
    node.forget()
    pulse.unplug()
    fault = node.event(to="SENSOR_FAULT")
    assert fault["faults"][0] in ("no_frames", "no_device")
    pulse.plug()
    pulse.play(leak)
    node.seen.wait_for(lambda: recovered(node), "the node hears again", 60)
    after = node.scored_beyond(node.telemetry()["windows_scored"])
    assert after["windows_discarded"] > before["windows_discarded"]
    assert accounted(after)


def test_a_killed_sound_server_is_survived(node: Node, pulse: Pulse, leak: Path) -> None:
    node.forget()
    pulse.kill()
    node.event(to="SENSOR_FAULT")
    pulse.start()
    pulse.play(leak)
    node.seen.wait_for(lambda: recovered(node), "the node hears again", 60)
    assert node.process.poll() is None
    assert accounted(node.scored_beyond(0))


def recovered(node: Node) -> bool:
    """Tell whether the newest state is that of a hearing node."""
    states = [message.json for message in node.seen.on("leakear/test/ear/state")]
    left = any(event["from"] == "SENSOR_FAULT" for event in node.events())
    return left and bool(states) and states[-1]["state"] != "SENSOR_FAULT" and not states[-1]["faults"]


def accounted(telemetry: dict[str, Any]) -> bool:
    parts = ("windows_scored", "windows_discarded", "windows_dropped")
    return telemetry["windows_produced"] == sum(telemetry[part] for part in parts)


def test_a_device_that_never_appears_is_said_and_waited_for(pulse: Pulse, broker: Broker, tmp_path: Path) -> None:
    for node in running(pulse, broker, "Scarlett", tmp_path):
        event = node.event(to="SENSOR_FAULT")
        assert event["faults"] == ["no_device"]
        assert "Scarlett" in node.log.read_text()


def test_a_device_that_only_does_48_khz_is_heard_at_its_own_rate() -> None:
    with Jack() as jack:
        command = [sys.executable, "-m", "leakear.edge.cli", "listen", "--device", "only48", "--seconds", "2"]
        env = jack.env | {"LEAKEAR_MODEL_PATH": str(TINY)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "dBFS [#" in done.stdout  # the sine is heard
        env["LEAKEAR_AUDIO_RATE"] = "22050"
        refused = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert "Invalid sample rate" in refused.stdout
        listed = jack.ask(sys.executable, "-m", "leakear.edge.cli", "devices", "--json")
        only48 = next(device for device in json.loads(listed)["devices"] if device["name"] == "only48")
        assert only48["rate"] == 48000

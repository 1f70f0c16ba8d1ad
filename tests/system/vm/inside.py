"""Inside the virtual machine: the daemon listens to a kernel sound card that is unbound and bound again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
import soundfile
from paho.mqtt.enums import CallbackAPIVersion

CYCLES = 3
CONFIG = """
[node]
site = "vm"
name = "ear"
state_dir = "/tmp/state"
telemetry_s = 1.0
[audio]
device = "hw:Loopback,1"
[window]
step_s = 2.0
[model]
path = "/opt/test/tests/data/tiny.tflite"
[decision]
span_s = 8.0
confirm_s = 4.0
clear_s = 8.0
noisy_s = 12.0
[mqtt]
host = "127.0.0.1"
"""
DRIVER = Path("/sys/bus/platform/drivers/snd_aloop")


class Watcher:
    """Everything the node said."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("leakear/vm/ear/+", 1)
        self._client.on_message = lambda _c, _d, message: self._take(message)
        self._client.connect("127.0.0.1")
        self._client.loop_start()

    def _take(self, message: paho.MQTTMessage) -> None:
        if message.topic.endswith(("event", "telemetry")):
            self.messages.append((message.topic.rsplit("/", 1)[1], json.loads(message.payload)))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [body for topic, body in list(self.messages) if topic == kind]


def until(what: str, ready: Callable[[], Any], timeout: float = 600) -> None:
    began = time.monotonic()
    while not ready():
        if time.monotonic() - began > timeout:
            raise SystemExit(f"VM TEST FAILED: {what} did not happen within {timeout:g} s\n{log()}")
        time.sleep(0.2)
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)


def log() -> str:
    return Path("/tmp/node.log").read_text()[-3000:]


def play() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["aplay", "-q", "-D", "hw:Loopback,0", "/tmp/leak.wav"])


def bind(action: str) -> threading.Thread:
    """Unbinding waits inside the kernel until the last handle is closed: do it beside the test."""
    thread = threading.Thread(target=lambda: (DRIVER / action).write_text("snd_aloop.0"), daemon=True)
    thread.start()
    return thread


def resources(pid: int) -> tuple[int, int]:
    """Threads and descriptors, the fewest of ten readings: a file is open for a moment now and then."""
    threads, descriptors = [], []
    for _ in range(10):
        threads.append(len(list(Path(f"/proc/{pid}/task").iterdir())))
        descriptors.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))
        time.sleep(0.2)
    return min(threads), min(descriptors)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def produced(seen: Watcher) -> int:
    """Windows heard so far. Their score is not looked at: an emulated player stutters."""
    said = seen.of("telemetry")
    return int(said[-1]["windows_produced"]) if said else 0


def deaf(seen: Watcher) -> bool:
    return any({"no_frames", "no_device"} & set(event["faults"]) for event in seen.of("event"))


def main() -> None:
    Path("/tmp/node.toml").write_text(CONFIG)
    soundfile.write("/tmp/leak.wav", 0.05 * np.random.default_rng(1).standard_normal((48000 * 600, 2)), 48000)
    subprocess.Popen(["mosquitto", "-p", "1883"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(2)
    seen = Watcher()
    play()
    command = [sys.executable, "-m", "leakear.edge.cli", "run", "--config", "/tmp/node.toml"]
    with Path("/tmp/node.log").open("wb") as output:
        node = subprocess.Popen(command, stdout=output, stderr=output)
    until("windows heard", lambda: produced(seen) > 2)
    print(subprocess.run([*command[:3], "devices"], capture_output=True, text=True, check=False).stdout, flush=True)
    before = resources(node.pid)
    for cycle in range(CYCLES):
        seen.messages.clear()
        unbinding = bind("unbind")
        until(f"cycle {cycle}: fault published", lambda: deaf(seen), 120)
        unbinding.join(60)
        used = cpu_seconds(node.pid)
        time.sleep(10)
        print(f"cycle {cycle}: deaf, {(cpu_seconds(node.pid) - used) / 10:.1%} of a core", flush=True)
        bind("bind").join(60)
        count = produced(seen)
        play()
        until(f"cycle {cycle}: hears again", lambda: produced(seen) > count + 2)  # noqa: B023
    after = resources(node.pid)
    print(f"threads, descriptors: {before} before, {after} after {CYCLES} cycles", flush=True)
    node.send_signal(signal.SIGTERM)
    code = node.wait(30)
    passed = code == 0 and after == before
    if not passed:
        raise SystemExit(f"VM TEST FAILED: exit {code}\n{log()}")


if __name__ == "__main__":
    main()

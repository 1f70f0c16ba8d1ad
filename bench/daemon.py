"""Budgets of the running daemon: a real broker, a real sound server, the factory model."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.support.broker import Broker, Subscriber
from tests.support.sound_servers import Pulse

Row = tuple[str, str, str, bool]
WINDOWS = 60


@contextmanager
def daemon(pulse: Pulse, broker: Broker, folder: Path, step_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon on the virtual microphone."""
    config = folder / "node.toml"
    config.write_text(
        f"[node]\nsite = 'bench'\nname = 'ear'\nstate_dir = '{folder}/state'\n[audio]\ndevice = 'pulse'\n"
        f"[window]\nstep_s = {step_s}\n[mqtt]\nhost = '127.0.0.1'\nport = {broker.port}\n"
    )
    command = [sys.executable, "-m", "leakear.edge.cli", "run", "--config", str(config)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=pulse.env, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def rows() -> Iterator[Row]:
    """Measure start, latency and memory."""
    with Pulse() as pulse, Broker() as broker, TemporaryDirectory() as scratch:
        soundfile.write(pulse.folder / "noise.wav", noise(), 48000)
        pulse.play(pulse.folder / "noise.wav")
        starts = [start_s(pulse, broker, Path(scratch), number) for number in range(5)]
        times, cpu = [start[0] for start in starts], statistics.median(start[1] for start in starts)
        spread = f"{min(times):.2f} to {max(times):.2f} in 5 starts"
        text = f"{statistics.median(times):.2f} s ({spread}), {cpu:.2f} s of it CPU"
        yield "start to first `online`", "≤ 1 s", text, statistics.median(times) <= 1
        folder = Path(scratch) / "long"
        folder.mkdir()
        with daemon(pulse, broker, folder, 1.0) as process, Subscriber(broker, "leakear/bench/ear/#") as seen:
            late = latencies_ms(seen)
            resident = rss_mb(process.pid)
        p99 = statistics.quantiles(late, n=100)[98]
        text = f"p99 {p99:.0f} ms, median {statistics.median(late):.0f} ms ({len(late)} windows, 1 s apart)"
        yield "end of window to message at a subscriber", "p99 ≤ 100 ms", text, p99 <= 100
        text = f"{resident:.0f} MB after {WINDOWS} windows (growth over a simulated week: `make week`)"
        yield "resident memory of the daemon, MQTT and capture included", "≤ 100 MB", text, resident <= 100


def noise() -> NDArray[np.float64]:
    """Ten minutes of steady noise: digital silence would not be scored."""
    return 0.01 * np.random.default_rng(0).standard_normal(48000 * 600)


def start_s(pulse: Pulse, broker: Broker, scratch: Path, number: int) -> tuple[float, float]:
    """Seconds from the start of the process to its first words at a subscriber, and its CPU seconds by then."""
    folder = scratch / f"start-{number}"
    folder.mkdir()
    with Subscriber(broker, "leakear/bench/ear/availability") as seen:
        time.sleep(0.2)
        seen.messages.clear()  # what the broker retained of the run before
        began = time.monotonic()
        with daemon(pulse, broker, folder, 10.0) as process:
            seen.wait_for(lambda: any(m.payload == b"online" for m in seen.messages), "online")
            used = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            cpu = (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")
            return next(m.at for m in seen.messages if m.payload == b"online") - began, cpu


def latencies_ms(seen: Subscriber) -> list[float]:
    """Milliseconds from the end of each window, as the spectrum message dates it, to its arrival."""
    seen.wait(1, "leakear/bench/ear/state")
    seen.publish("leakear/bench/ear/cmd/watch", {"id": "bench", "seconds": 600})
    wall = time.time() - time.monotonic()
    spectra = seen.wait(WINDOWS, "leakear/bench/ear/spectrum", timeout=60 + 2 * WINDOWS)
    ends = [datetime.fromisoformat(message.json["time"]).timestamp() for message in spectra]
    return [(wall + message.at - end) * 1e3 for message, end in zip(spectra, ends, strict=True)]


def rss_mb(pid: int) -> float:
    """Resident megabytes of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1e3 * 1.024

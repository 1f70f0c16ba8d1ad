"""A real node without a microphone: its sound is made here, in real time but ten times as fast.

    python paced_node.py PORT STATE_FOLDER [SECTIONS as JSON]

Standard input says what it hears from now on: `quiet`, `leak` or `deaf`, one word a line.
"""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.compose import open_node
from leakear.edge.settings import Settings
from tests.support.places import DATA

RMS = {"quiet": 1e-5, "leak": 0.03}
SPEED = 10


class Words:
    """The newest word of standard input."""

    def __init__(self) -> None:
        self.word = "quiet"
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self.word = line.strip()


class PacedNode:
    """Such a node, as a test starts it."""

    def __init__(self, port: int, folder: Path, **sections: dict[str, Any]) -> None:
        self._command = [sys.executable, __file__, str(port), str(folder), json.dumps(sections)]
        self.start()

    def start(self) -> None:
        """Start (again) with the same state."""
        self.process = subprocess.Popen(self._command, stdin=subprocess.PIPE)

    def hear(self, what: str) -> None:
        """From now on: quiet, leak or deaf."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n".encode())
        self.process.stdin.flush()

    def end(self, number: signal.Signals) -> None:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        self.process.wait(30)


class TrueClock:
    """A clock that is always synchronised."""

    faults: dict[str, str] = {}  # noqa: RUF012

    def look(self) -> bool:
        return True

    def boot(self) -> None: ...


def sound(words: Words) -> Iterator[Block | SensorFault]:
    """Blocks of a second every tenth of one."""
    rng, start, began = np.random.default_rng(1), 0, time.time()
    while True:
        time.sleep(1 / SPEED)
        seconds = start / 22050
        if words.word == "deaf":
            yield SensorFault("no_frames", "nothing comes from the microphone", 100 + seconds, began + seconds)
        else:
            samples = (RMS[words.word] * rng.standard_normal(22050)).astype(np.float32)
            yield Block(start, samples, began + seconds, 100 + seconds)
        start += 22050


def main() -> None:
    """Run until SIGTERM."""
    port, folder, sections = int(sys.argv[1]), sys.argv[2], json.loads((sys.argv[3:] or ["{}"])[0])
    given = {
        "node": {"site": "hill", "name": "pit-7", "state_dir": folder, "telemetry_s": 5},
        "model": {"path": str(DATA / "tiny.tflite")},
        "decision": {"span_s": 60, "confirm_s": 30, "clear_s": 30, "noisy_s": 60},
        "mqtt": {"host": "127.0.0.1", "port": port, "keepalive_s": 5},
    }
    with open_node(Settings.from_mapping(given | sections, environment={}), TrueClock()) as node:
        signal.signal(signal.SIGTERM, lambda *_: node.stop())
        node.run(sound(Words()))


if __name__ == "__main__":
    main()

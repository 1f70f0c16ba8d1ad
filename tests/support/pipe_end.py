"""A node at one end of a simulated pipe: the daemon's parts, a virtual microphone with its own clock, a wrong clock.

    python -m tests.support.pipe_end PORT FOLDER NAME PPM BOUND SEED

Standard input says what it hears from now on, a line each: SOUND BEGIN OFFSET. SOUND: a .npy file, what is heard at
this end, sampled at RATE by an ideal clock; its first sample is heard at BEGIN on the monotonic clock, s, which both
ends share. OFFSET: by how much the node's clock is ahead of the true one, s. The device's samples come PPM faster than
its rate says, and chronyd says that the clock may be wrong by BOUND s. The driver states the age of its samples with an
error, as drivers do.
"""

import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import scipy.ndimage

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import Capture, CaptureOptions, CaptureStatus
from leakear.edge.audio.microphone import BLOCK_S, Deliver, Device, Stream
from leakear.edge.compose import open_node
from leakear.edge.recording.clock_bound import Bound
from leakear.edge.settings import Settings
from tests.support.paced_node import TrueClock
from tests.support.places import TINY

RATE = 8192
"""Hz of SOUND"""
DEVICE_HZ = 48000
BIAS_S, JITTER_S = 0.0002, 0.00025
"""s, standard deviations of the age that the driver states: for a stream, and for each delivery"""
LATE_S = 0.001
"""s, by which deliveries are late"""


@dataclass
class PipeEnd:
    """A sound system with one microphone, at one end of a pipe."""

    ppm: float
    seed: int
    playing: tuple[np.ndarray, float] = field(default_factory=lambda: (np.zeros(RATE), 0.0))
    """coefficients of a cubic spline, shape (n,), and when it began, monotonic s"""
    offset_s: float = 0.0

    def devices(self) -> Sequence[Device]:
        return [Device("Pipe end", 0, 1, DEVICE_HZ, "Pipe")]

    def open(self, device: Device, rate: int, channels: int, deliver: Deliver) -> Stream:  # noqa: ARG002
        return _Stream(self, device, deliver)

    def refresh(self) -> None: ...

    def heard(self, times: np.ndarray) -> np.ndarray:
        """What is heard at some moments of the monotonic clock, shape (n, 1)."""
        sound, begin = self.playing
        at = (times - begin) * RATE
        found = scipy.ndimage.map_coordinates(sound, [at], order=3, mode="grid-wrap", prefilter=False)
        return found.astype(np.float32)[:, None]

    def read(self) -> None:
        """Follow standard input."""
        for line in sys.stdin:
            path, begin, offset = line.split()
            spline = scipy.ndimage.spline_filter1d(np.load(path).astype(np.float64), order=3, mode="grid-wrap")
            self.playing, self.offset_s = (spline, float(begin)), float(offset)

    def ahead(self, items: Iterable[Block | SensorFault]) -> Iterator[Block | SensorFault]:
        """Say the times of a clock that is ahead."""
        for item in items:
            yield replace(item, utc=item.utc + self.offset_s)


class _Stream:
    """Delivers each block when its last sample has been heard."""

    rate, channels, active = DEVICE_HZ, 1, True

    def __init__(self, end: PipeEnd, device: Device, deliver: Deliver) -> None:
        self.device = device
        self._end, self._deliver = end, deliver
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def _play(self) -> None:
        rng, true = np.random.default_rng(self._end.seed), DEVICE_HZ * (1 + 1e-6 * self._end.ppm)
        size, bias = round(DEVICE_HZ * BLOCK_S), rng.normal(0, BIAS_S)
        first = time.monotonic()
        while True:
            frames = self._end.heard(first + np.arange(size) / true)
            late = abs(rng.normal(0, LATE_S))
            if self._closing.wait(max(0.0, first + size / true + late - time.monotonic())):
                return
            self._deliver(frames, False, time.monotonic() - first + bias + rng.normal(0, JITTER_S))
            first += size / true

    def close(self) -> None:
        self._closing.set()
        self._thread.join()


def main() -> None:
    """Run until SIGTERM."""
    port, folder, name = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    ppm, bound, seed = (float(word) for word in sys.argv[4:7])
    settings = Settings.from_mapping(
        {
            "node": {"site": "pipes", "name": name, "state_dir": str(folder / name), "telemetry_s": 5},
            "model": {"path": str(TINY)},
            "mqtt": {"host": "127.0.0.1", "port": port},
            "evidence": {"enabled": True, "min_free_mb": 0},
            "commands": {"allow_clip": True},
            "recording": {"per_hour": 1000},
        },
        environment={},
    )
    end, status, known = PipeEnd(ppm, int(seed)), CaptureStatus(), Bound("chrony", bound)
    threading.Thread(target=end.read, daemon=True).start()
    with open_node(settings, TrueClock(), capture=status, bound=lambda: known) as node:
        spec = node.detector.model.info.spec
        with Capture(CaptureOptions(), spec, end, status=status) as capture:
            signal.signal(signal.SIGTERM, lambda *_: (node.stop(), capture.stop()))
            node.run(end.ahead(capture), live=time.monotonic)


if __name__ == "__main__":
    main()

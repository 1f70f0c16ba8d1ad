"""A pipe between two daemons (`pipe_end`), as somebody at the page sees it: entered, located on, read."""

import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from leakear.train.simulator.pairs import Case, Clock, render
from tests.support.harness import Browser, Dashboard
from tests.support.pipe_end import RATE

BOUND_S = 0.0005
"""s (95 %), of each node's clock; with the driver's 0.5 ms at each end the pair is known to 1 ms"""
PPM = 50.0
POST = """const [path, values, done] = arguments; fetch(path, {method: 'POST', body: JSON.stringify(values),
    headers: {'content-type': 'application/json'}}).then((a) => a.json()).then(done)"""


@dataclass
class Draw:
    """One leak and what the page said of it."""

    case: Case
    seed: int
    result: dict[str, Any] | None = None
    shown: str = ""
    """m, as the page says it; empty: none"""

    @property
    def error(self) -> float | None:
        """m; None: no position."""
        return abs(float(self.shown) - self.case.position) if self.shown else None


def with_ideal_clocks(case: Case, seconds: float) -> Case:
    """Leave the errors of the clocks to the daemons."""
    return replace(case, clock=Clock(0.0, 0.0, (0.0, 0.0), 0.0, 0.0), seconds=seconds, rate=RATE)


class Place:
    """Two daemons at the ends of a pipe, whose sound is changed from draw to draw."""

    def __init__(self, number: int, port: int, folder: Path) -> None:
        rng = np.random.default_rng([number, 9])
        self.ends = tuple(("pipes", f"place-{number}{end}") for end in "ab")
        self._folder, self._number, self.pipe = folder, number, ""
        self._running = []
        for _, name in self.ends:
            words = (port, folder, name, rng.uniform(-PPM, PPM), BOUND_S, rng.integers(1 << 30))
            command = [sys.executable, "-m", "tests.support.pipe_end", *map(str, words)]
            self._running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL))

    def play(self, draw: Draw) -> None:
        """Let both ends hear a leak, with new errors of their clocks."""
        rng, begin = np.random.default_rng([draw.seed, 9]), time.monotonic()
        for end, (sound, process) in enumerate(zip(render(draw.case), self._running, strict=True)):
            path = self._folder / f"{self._number}-{end}-{draw.seed}.npy"
            np.save(path, sound.astype(np.float32))
            assert process.stdin is not None
            process.stdin.write(f"{path} {begin} {rng.normal(0, BOUND_S / 2)}\n".encode())
            process.stdin.flush()

    def enter(self, draw: Draw, page: Browser) -> None:
        """Enter the pipe, or change it, as the page does."""
        case = draw.case
        low, high = case.speed_range
        values = {"a": self.ends[0], "b": self.ends[1], "length": case.stated_length, "material": case.wall.material}
        values |= {"speed_low": low, "speed_high": high, "automatic": False}
        path = f"/api/pipes/{self.pipe}" if self.pipe else "/api/pipes"
        self.pipe = page.driver.execute_async_script(POST, path, values)["pipe"]["id"]

    def online(self, dashboard: Dashboard) -> bool:
        """Whether both have been heard."""
        return all(dashboard.get(f"/api/nodes/{site}/{node}/history")["recent"] for site, node in self.ends)

    def end(self) -> None:
        """End both daemons."""
        for process in self._running:
            process.terminate()
            process.wait(30)

"""How much a node writes to its SD card in a day, measured at the block device.

    make sdcard       (or: python -m bench.sdcard; root for the block device, else the process's own count alone)

Whole days run through the daemon against a real mosquitto, its state folder on an ext4 file system of its own on a loop
device, mounted as Raspberry Pi OS mounts its root (noatime). Days pass some hundred times too fast, but nothing that
depends on time may hide in that: the outbox's timers run on the day's clock, events are acknowledged before the next
second begins, and the file system commits every five seconds of the day, as ext4 does by default. The device's own
counter therefore also holds the journal of the file system, its metadata and SQLite's WAL. Evidence is off, as by
default. The node has been there for a week, as far as what it saves is concerned. Log lines are counted apart: where
they go is journald's affair.
"""

import ctypes
import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import NO_DEVICE
from leakear.edge.background.entries import ENTRIES
from leakear.edge.background.packed import packed
from leakear.edge.background.third_octaves import CENTRES_HZ
from leakear.edge.clock import FixedClock
from leakear.edge.compose import open_node
from leakear.edge.health.floor_history import HOURS
from leakear.edge.node.node import Node
from leakear.edge.settings import Settings
from tests.support.broker import Broker
from tests.support.places import ROOT

RATE = 22050
BEGAN = 1_790_000_000.0
DAY_S = 86400
COMMIT_S = 5
"""s between two commits of ext4"""
LEAK_S = range(8 * 3600, 10 * 3600)
"""s of the day in which a leak is heard"""
DAYS = {
    "a quiet day": (range(0), 0, 0),
    "a day with a leak": (LEAK_S, 0, 0),
    "a leak and a plug loose each hour": (LEAK_S, 3600, 0),
    "a quiet day, power lost once": (range(0), 0, DAY_S // 2),
    "a quiet day, power lost every 9 minutes": (range(0), 0, 540),
}
"""name → when the leak is heard, s between two losses of the microphone, s between two losses of power (0: never)"""


class Time:
    """The day's monotonic clock."""

    now = 0.0

    def __call__(self) -> float:
        """Return s since the day began."""
        return self.now


def day(clock: Time, leak: range, loose_s: int) -> Iterator[Block | SensorFault]:
    """Give a day second by second; a loose plug is away for ten."""
    noise = np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
    quiet, loud = noise * np.float32(1e-5), noise * np.float32(0.03)
    for second in range(DAY_S):
        clock.now = float(second)
        if loose_s and second % loose_s >= loose_s - 10:
            yield SensorFault(NO_DEVICE, "unplugged", clock.now, BEGAN + second)
        else:
            yield Block(second * RATE, loud if second in leak else quiet, BEGAN + second, clock.now)


@contextmanager
def card(folder: Path) -> Iterator[Path | None]:
    """Mount a small ext4 card; gives the counter of what its device has written, None where that is not possible."""
    image, size = folder.with_suffix(".ext4"), 64 * 2**20
    image.write_bytes(b"")
    os.truncate(image, size)
    eager = "lazy_itable_init=0,lazy_journal_init=0"  # else the kernel goes on formatting while we count
    made = subprocess.run(["mkfs.ext4", "-q", "-E", eager, image], check=False).returncode == 0
    if not made or subprocess.run(["mount", "-o", "loop,noatime", image, folder], check=False).returncode:
        yield None
        return
    listed = subprocess.run(["losetup", "-j", image, "-n", "-O", "NAME"], check=True, capture_output=True, text=True)
    try:
        yield Path("/sys/block") / Path(listed.stdout.strip()).name / "stat"
    finally:
        subprocess.run(["umount", folder], check=True)


def device_bytes(counter: Path | None) -> int:
    """Bytes the device has written since it exists."""
    return int(counter.read_text().split()[6]) * 512 if counter else 0


def process_bytes() -> int:
    """Bytes of pages this process has made dirty."""
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(told["write_bytes"])


def commit(folder: Path) -> None:
    """Let the file system write what it would have written by now."""
    handle = os.open(folder, os.O_RDONLY)
    ctypes.CDLL(None).syncfs(handle)
    os.close(handle)


def live(settings: Settings, clock: Time, folder: Path, items: Iterator[Block | SensorFault], power_s: int) -> Node:
    """Run a day through a node, in as many lives as it loses power (it is then cut off, not stopped)."""
    number = 0
    while True:
        with open_node(settings, FixedClock(synced=True), monotonic=clock) as node:
            assert node.link is not None
            node.open()
            for item in items:
                node.take(item)
                number += 1
                if number == 30:
                    live_a_week(node)
                if node.outbox.depth:
                    assert node.link.drain(20)
                if number % COMMIT_S == 0:
                    commit(folder)
                if power_s and number % power_s == 0 and number < DAY_S:
                    break
            else:
                node.close()
                return node


def live_a_week(node: Node) -> None:
    """Give the node what it remembers after a week: its memory is then as large as it gets."""
    health, background = node.detector.pipeline.health.snapshot(), node.detector.pipeline.background.snapshot()
    hour, level, *rest = health["hours"][-1]
    hours = [[hour - age, level - age / 300, *rest] for age in range(HOURS - 1, -1, -1)]
    node.detector.pipeline.health.restore({**health, "hours": hours})
    week = np.random.default_rng(0).normal(-20, 2, (ENTRIES, len(CENTRES_HZ)))  # no excess over that
    node.detector.pipeline.background.restore({**background, "moments": packed(week.astype(np.float32))})


def measured(name: str, broker: Broker, scratch: Path) -> str:
    """Measure one day and return its line of the table."""
    leak, loose_s, power_s = DAYS[name]
    folder, clock, log = scratch / name.replace(" ", "-"), Time(), io.StringIO()
    folder.mkdir()
    logging.basicConfig(stream=log, level="INFO", format="%(message)s", force=True)
    with card(folder) as counter:
        settings = Settings.from_mapping(
            {
                "node": {"state_dir": str(folder / "state"), "site": "bench", "name": "card"},
                "model": {"path": str(ROOT / "tests" / "data" / "tiny.tflite")},
                "mqtt": {"host": broker.host, "port": broker.port},
            },
            environment={},
        )
        commit(folder)
        before, mine = device_bytes(counter), process_bytes()
        node = live(settings, clock, folder, day(clock, leak, loose_s), power_s)
        commit(folder)
        written = f"{(device_bytes(counter) - before) / 1e6:.1f} MB" if counter else "not measured (root)"
        own = (process_bytes() - mine) / 1e6
        kept = sum(path.stat().st_size for path in (folder / "state").rglob("*") if path.is_file()) / 1e6
    lines, scored = log.getvalue(), node.detector.pipeline.scored
    return (
        f"| {name} | {scored} | {node.outbox.last_seq} | {written} | {own:.1f} MB | {kept:.2f} MB "
        f"| {lines.count(chr(10))} lines, {len(lines) / 1e3:.1f} kB |"
    )


def main() -> int:
    """Print the table."""
    print("| day | windows of its last life | events | written to the device | pages dirtied | kept at its end | log |")
    print("|---|---|---|---|---|---|---|")
    with Broker() as broker, TemporaryDirectory() as scratch:
        for name in DAYS:
            print(measured(name, broker, Path(scratch)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

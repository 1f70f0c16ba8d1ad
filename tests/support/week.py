"""The daemon of the simulated week, in a process of its own: python -m tests.support.week HOURS PORT FOLDER."""

import gc
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import NO_DEVICE
from leakear.edge.background.background import Excess
from leakear.edge.background.entries import DELAY, ENTRIES
from leakear.edge.background.own_limit import DAYS
from leakear.edge.background.third_octaves import quiet_levels
from leakear.edge.compose import open_node
from leakear.edge.decision.observation import Need, Observation
from leakear.edge.node.systemd import log_to_stderr
from leakear.edge.pipeline import Pipeline
from leakear.edge.settings import Settings
from leakear.edge.spectrogram import SpectrogramSpec
from leakear.edge.spectrogram.short_spectra import short_powers
from tests.support.places import TINY

SPEC = SpectrogramSpec()
RATE = SPEC.sample_rate
BEGAN = 1_790_000_000.0
FIRST_S = 3600 * 25.5
"""The first hour's leak and the first night are over by then: everything that loads lazily is loaded."""
AT_ONCE = 4
"""Sizes, six hours apart, whose median is compared: one alone differs by 2 MB, by what is being computed."""


class Clock:
    """The recordings' clock is as good as it gets."""

    synced = True
    faults: dict[str, str] = {}  # noqa: RUF012

    def look(self) -> bool:
        return True

    def boot(self) -> None: ...


def sounds() -> dict[str, NDArray[np.float32]]:
    """Ten seconds of each, shape (220500,)."""
    noise = np.random.default_rng(4).standard_normal(SPEC.window_samples).astype(np.float32)
    return {
        "quiet": noise * np.float32(2e-4),
        "leak": noise * np.float32(0.05),
        "clipped": np.clip(noise * 3, -1, 1),
        "dead": np.zeros_like(noise),
    }


def kind(tenth: int) -> str:
    """Each hour: a leak for 20 minutes, a minute of clipping, a minute of silence."""
    spans = {"leak": range(60, 180), "clipped": range(200, 206), "dead": range(210, 216)}
    return next((name for name, span in spans.items() if tenth in span), "quiet")


def week(hours: int) -> Iterator[Block | SensorFault]:
    """The sounds of all hours, with a gap and a pulled plug in each."""
    sound = sounds()
    position = 0
    for hour in range(hours):
        for tenth in range(360):
            at = hour * 3600.0 + tenth * 10.0
            if tenth == 250:
                position += 1234
            if tenth == 300:
                position += 5 * RATE
                yield from (SensorFault(NO_DEVICE, "unplugged", at + s, BEGAN + at + s) for s in range(5))
            for second in range(10):
                samples = sound[kind(tenth)][second * RATE : (second + 1) * RATE]
                yield Block(position, samples, BEGAN + at + second, at + second)
                position += RATE


def with_a_past(pipeline: Pipeline) -> None:
    """Give a node the background that it has after ten days, and the day peaks that it has after a quarter.

    They fill for longer than this test, and are bounded from then on: a week of entries that are compared, three days
    that wait, a peak a day. Filled from the start, they hide nothing else that grows.
    """
    levels = quiet_levels(short_powers(sounds()["quiet"], SPEC), SPEC)
    some = np.random.default_rng(5)
    entries = pipeline.background.entries
    for _ in range(ENTRIES + DELAY):
        entries.add(levels + some.normal(0, 0.2, len(levels)).astype(np.float32))
    assert len(entries.past) == ENTRIES
    limits = pipeline.decision.hours.limits
    for day in range(DAYS):
        at, excess = day * 86400.0 - DAYS * 86400.0, Excess(1.0, 1000.0, weather=False)
        heard = Observation(
            time_s=at, utc=BEGAN + at, step_s=10.0, score=0.9, excess=excess, quiet=levels, entry=48 * (day - DAYS)
        )
        for need in Need:
            limits.learn(heard, need, 600.0)
        limits.end_day(leak=False)


def resident_mb() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(hours: int, port: int, folder: Path) -> None:
    settings = Settings.from_mapping(
        {
            "node": {"state_dir": str(folder), "site": "week", "name": "ear"},
            "model": {"path": str(TINY)},
            "decision": {"span_s": 600.0, "confirm_s": 300.0, "clear_s": 300.0},
            "evidence": {"enabled": True, "max_mb": 5.0, "min_free_mb": 0.0},
            "mqtt": {"host": "127.0.0.1", "port": port},
        },
        environment={},
    )
    log_to_stderr("error")
    sizes: list[float] = []

    def watched() -> Iterator[Block | SensorFault]:
        for item in week(hours):
            if item.monotonic >= FIRST_S + 3600 * 6 * len(sizes):
                sizes.append(resident_mb())
                print(json.dumps({"hour": round(item.monotonic / 3600, 1), "rss_mb": sizes[-1]}), flush=True)
            yield item
        sizes.append(resident_mb())

    with open_node(settings, Clock()) as node:
        with_a_past(node.detector.pipeline)
        node.run(watched())
        assert node.link is not None
        assert node.link.drain(60)
        result = {
            "produced": node.detector.pipeline.windower.produced,
            "scored": node.detector.pipeline.scored,
            "discarded": node.detector.pipeline.discarded,
            "dropped": node.detector.pipeline.windower.dropped,
            "events": node.outbox.last_seq,
            "grown_mb": round(median(sizes[-AT_ONCE:]) - median(sizes[:AT_ONCE]), 2),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))

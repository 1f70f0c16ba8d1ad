"""A simulated week through the daemon at full speed: nothing grows, nothing is unaccounted for."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broker import Broker, Subscriber

from leakear.edge.capture import NO_DEVICE
from leakear.edge.compose import open_node
from leakear.edge.settings import Settings
from leakear.edge.spectrogram import SpectrogramSpec
from leakear.edge.windows import Block, SensorFault

TINY = Path(__file__).resolve().parents[1] / "data" / "tiny.tflite"
SPEC = SpectrogramSpec()
RATE = SPEC.sample_rate
HOURS = int(os.environ.get("LEAKEAR_WEEK_HOURS", str(7 * 24)))
BEGAN = 1_790_000_000.0


class Clock:
    synced = True
    faults: dict[str, str] = {}  # noqa: RUF012

    def look(self) -> bool:
        return True


def sounds() -> dict[str, Any]:
    """Ten seconds of each, shape (220500,)."""
    rng = np.random.default_rng(4)
    noise = rng.standard_normal(SPEC.window_samples).astype(np.float32)
    return {
        "quiet": noise * np.float32(2e-4),
        "leak": noise * np.float32(0.05),
        "clipped": np.clip(noise * 3, -1, 1),
        "dead": np.zeros_like(noise),
    }


def week() -> Iterator[Block | SensorFault]:
    """Each hour: a leak for 20 minutes, a minute of clipping, a minute of silence, a gap, a pulled plug."""
    sound = sounds()
    position = 0
    for hour in range(HOURS):
        for tenth in range(360):
            name = "quiet"
            if 60 <= tenth < 180:
                name = "leak"
            elif 200 <= tenth < 206:
                name = "clipped"
            elif 210 <= tenth < 216:
                name = "dead"
            elif tenth in (250, 300):
                position += 1234 if tenth == 250 else 5 * RATE
            at = hour * 3600.0 + tenth * 10.0
            if tenth == 300:
                yield from (SensorFault(NO_DEVICE, "unplugged", at + s, BEGAN + at + s) for s in range(5))
            for second in range(10):
                yield Block(
                    position, sound[name][second * RATE : (second + 1) * RATE], BEGAN + at + second, at + second
                )
                position += RATE


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_week_neither_grows_nor_loses_a_window(tmp_path: Path) -> None:
    with Broker() as broker, Subscriber(broker, "leakear/+/+/event") as seen:
        settings = Settings.from_mapping(
            {
                "node": {"state_dir": str(tmp_path), "site": "week", "name": "ear"},
                "model": {"path": str(TINY)},
                "decision": {"span_s": 600.0, "confirm_s": 300.0, "clear_s": 300.0},
                "evidence": {"enabled": True, "max_mb": 5.0, "min_free_mb": 0.0},
                "mqtt": {"host": "127.0.0.1", "port": broker.port},
            },
            environment={},
        )
        with open_node(settings, Clock()) as node:
            after_hour_one = []

            def watched() -> Iterator[Block | SensorFault]:
                for item in week():
                    if item.monotonic >= 3600 * (1.5 + 24 * len(after_hour_one)):
                        after_hour_one.append(resident())
                        print(f"hour {item.monotonic / 3600:.1f}: {after_hour_one[-1] / 1e6:.1f} MB", flush=True)
                    yield item

            node.run(watched())
            grown = resident() - after_hour_one[0]
            windower = node.pipeline.windower
            counts = (windower.produced, node.pipeline.scored, node.pipeline.discarded, windower.dropped)
            print(f"\nwindows produced, scored, discarded, dropped: {counts}; resident {resident() / 1e6:.1f} MB,")
            print(f"{grown / 1e6:+.2f} MB since hour one; {node.outbox.last_seq} events")
            assert node.link is not None
            assert node.link.drain(30)
            assert windower.produced == node.pipeline.scored + node.pipeline.discarded + windower.dropped
            assert windower.produced >= HOURS * 360 - HOURS * 2  # two gaps an hour move the windows along
            assert grown < 3 << 20
            last = node.outbox.last_seq
        assert sorted({message.json["seq"] for message in seen.on("leakear/#")}) == list(range(1, last + 1))
        assert sum(path.stat().st_size for path in (tmp_path / "evidence").iterdir()) <= 5e6

"""How a node does: the telemetry message and where its numbers come from."""

import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.messages.reports import Telemetry, utc_text
from leakear.edge.node.reports import floor_of, level_of

if TYPE_CHECKING:
    from leakear.edge.node.node import Node


class Workload:
    """Work against sound since the last telemetry: 1 is the limit of what a machine can hear."""

    def __init__(self) -> None:
        self._worked_s = self._heard_s = 0.0
        self._before: float | None = None

    def begin(self) -> None:
        """Measure anew; until there is sound again the last measure holds, so that who asks in between learns it."""
        self._before = self.real_time_factor
        self._worked_s = self._heard_s = 0.0

    @contextmanager
    def of(self, item: Block | SensorFault, sample_rate: int) -> Iterator[None]:
        """Time what is done with an item."""
        began = time.perf_counter()
        yield
        self._worked_s += time.perf_counter() - began
        self._heard_s += len(item.samples) / sample_rate if isinstance(item, Block) else 0.0

    @property
    def real_time_factor(self) -> float | None:
        """Work over sound; None before any sound."""
        return round(self._worked_s / self._heard_s, 4) if self._heard_s else self._before


def telemetry(node: "Node") -> Telemetry:
    """Return the telemetry message of a node."""
    pipeline, last, link = node.pipeline, node.last, node.link
    return Telemetry(
        time=utc_text(node.now[1]),
        uptime_s=round(node.now[0] - (node.started or 0.0), 1),
        level_dbfs=level_of(last),
        noise_floor_dbfs=floor_of(last),
        noise_floor_drift_db=last.health.noise_floor_drift_db if last and last.health else None,
        score=last.score if last else None,
        windows_produced=pipeline.windower.produced,
        windows_scored=pipeline.scored,
        windows_discarded=pipeline.discarded,
        windows_dropped=pipeline.windower.dropped,
        overruns=node.capture.overruns + node.capture.lost_blocks if node.capture else 0,
        reconnects=link.reconnects if link else 0,
        real_time_factor=node.workload.real_time_factor,
        queue_depth=node.outbox.depth,
        queue_bytes=node.outbox.bytes,
        temperature_c=temperature_c(),
        disk_free_bytes=disk_free_bytes(node.settings.node.directory),
        rss_bytes=rss_bytes(),
        certificate_expires=link.certificate_expires if link else None,
        clock_synced=node.clock.look(),
    )


def temperature_c() -> float | None:
    """Temperature of the processor, °C, where the kernel knows it."""
    try:
        return int(Path("/sys/class/thermal/thermal_zone0/temp").read_text()) / 1000
    except (OSError, ValueError):
        return None


def rss_bytes() -> int | None:
    """Resident memory of this process, bytes."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None


def disk_free_bytes(directory: Path) -> int | None:
    """Room left where the node writes, bytes."""
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return None

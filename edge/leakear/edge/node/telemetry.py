"""Telemetry and spectrum messages, and the measurement of work against sound."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.messages.reports import Spectrum, Telemetry, utc_text
from leakear.edge.node.events import floor_of, learning_of, level_of, limit_of
from leakear.edge.node.status import Machine, NodeStatus
from leakear.edge.recording.quality import clock_message, sample_clock_message
from leakear.edge.spec import Decibels, SpectrogramSpec

BANDS = 64
"""bands of a `spectrum` message"""


class Workload:
    """Seconds of work per second of sound since the last telemetry; above 1 the node falls behind."""

    def __init__(self) -> None:
        self._worked_s = self._heard_s = 0.0
        self._before: float | None = None

    def begin(self) -> None:
        """Start a new measurement; until there is sound, `real_time_factor` stays that of the last one."""
        self._before = self.real_time_factor
        self._worked_s = self._heard_s = 0.0

    @contextmanager
    def of(self, item: Block | SensorFault, sample_rate: int) -> Iterator[None]:
        """Measure the time of the work on an item. `sample_rate`: Hz."""
        began = time.perf_counter()
        yield
        self._worked_s += time.perf_counter() - began
        self._heard_s += len(item.samples) / sample_rate if isinstance(item, Block) else 0.0

    @property
    def real_time_factor(self) -> float | None:
        """Work over sound; None before any sound."""
        return round(self._worked_s / self._heard_s, 4) if self._heard_s else self._before


def telemetry_message(status: NodeStatus, machine: Machine) -> Telemetry:
    """Build the telemetry message."""
    last, counters = status.last, status.counters
    return Telemetry(
        time=utc_text(status.utc),
        uptime_s=round(status.uptime_s, 1),
        level_dbfs=level_of(last),
        noise_floor_dbfs=floor_of(last),
        noise_floor_drift_db=last.health.noise_floor_drift_db if last and last.health else None,
        score=last.score if last else None,
        windows_produced=counters.produced,
        windows_scored=counters.scored,
        windows_discarded=counters.discarded,
        windows_dropped=counters.dropped,
        overruns=counters.overruns,
        reconnects=counters.reconnects,
        real_time_factor=status.real_time_factor,
        queue_depth=status.queue_depth,
        queue_bytes=status.queue_bytes,
        temperature_c=machine.temperature_c,
        disk_free_bytes=machine.disk_free_bytes,
        rss_bytes=machine.rss_bytes,
        certificate_expires=status.certificate_expires,
        clock_synced=status.clock_synced,
        clock=clock_message(status.clock),
        sample_clock=sample_clock_message(status.timing),
        limit_db=limit_of(status),
        learning=learning_of(status),
    )


def spectrum(spectrogram: Decibels, spec: SpectrogramSpec, end_utc: float) -> Spectrum:
    """Build the spectrum message from a spectrogram, shape (rows, frames), dB: 64 bands averaged over time."""
    mean = spectrogram.mean(axis=1, dtype=np.float64)
    edges = np.linspace(0, len(mean), BANDS + 1).astype(int)
    bands = [float(mean[low : max(high, low + 1)].mean()) for low, high in itertools.pairwise(edges)]
    frequencies = spec.frequencies
    return Spectrum(
        time=utc_text(end_utc),
        low_hz=float(frequencies[0]),
        high_hz=float(frequencies[-1]),
        db=tuple(round(value, 1) for value in bands),
    )

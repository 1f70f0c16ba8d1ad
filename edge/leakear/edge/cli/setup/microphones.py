"""The microphones and their live level, for people who must find the right one."""

import math
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from leakear.edge.audio.blocks import SensorFault
from leakear.edge.audio.capture import Capture, CaptureOptions
from leakear.edge.audio.microphone import Device, Source
from leakear.edge.health.monitor import FAULTS
from leakear.edge.spec import SpectrogramSpec

EVERY_S = 0.25
"""s of sound for each level"""
SILENCE = "digital_silence"
"""name of the fault of a sensor that delivers zeros alone"""
LOWEST_DBFS = -90.0
"""left end of the bar"""


@dataclass(frozen=True)
class Level:
    """What was heard in a moment."""

    dbfs: float | None
    """RMS re a full-scale sine; None: nothing but zeros, or nothing at all"""
    fault: str = ""
    """name of what is wrong; empty: nothing"""
    sentence: str = ""
    """what is wrong and what to do, for people"""

    @property
    def share(self) -> float:
        """How far the bar reaches, 0 to 1."""
        return 0.0 if self.dbfs is None else min(1.0, max(0.0, 1 - self.dbfs / LOWEST_DBFS))

    @property
    def text(self) -> str:
        """The level as a bar, or what is wrong."""
        if self.dbfs is None:
            return f"{'DIGITAL SILENCE' if self.fault == SILENCE else 'NO SOUND'}: {self.sentence}"
        return f"{self.dbfs:6.1f} dBFS [{'#' * round(30 * self.share):30}]"


def levels(device: str, source: Source) -> Generator[Level, None, None]:
    """Yield the level of a microphone about four times a second, without end. It is closed with the iterator."""
    spec = SpectrogramSpec()
    wanted = round(EVERY_S * spec.sample_rate)
    heard: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    with Capture(CaptureOptions(device=device), spec, source) as capture:
        for item in capture:
            if isinstance(item, SensorFault):
                yield Level(None, item.name, item.message)
                continue
            heard.append(item.samples)
            if sum(map(len, heard)) >= wanted:
                yield level(np.concatenate(heard))
                heard = []


def level(samples: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> Level:
    """Return the level of some samples, shape (n,)."""
    if not samples.any():
        return Level(None, SILENCE, FAULTS[SILENCE])
    centred = samples.astype(np.float64) - samples.mean(dtype=np.float64)
    return Level(round(10 * math.log10(2 * float(np.mean(centred**2)) + 1e-14), 1))


def loudest(device: str, source: Source, seconds: float) -> Level:
    """Return the highest level of some seconds, or what is wrong all the time."""
    found = Level(None)
    with closing(levels(device, source)) as heard:
        for number, now in enumerate(heard, 1):
            if found.dbfs is None or (now.dbfs is not None and now.dbfs > found.dbfs):
                found = now
            if number * EVERY_S >= seconds or (now.dbfs is None and now.fault != SILENCE):
                break
    return found


def described(device: Device) -> str:
    """Return the name of a microphone with what tells it from others."""
    more = "through a sound server" if device.server else f"{device.rate} Hz"
    return f"{device.name}  {more}"

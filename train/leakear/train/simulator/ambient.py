"""Background sound of a site: traffic, room or soil noise, rain, wind, and short sounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from leakear.train.simulator.units import RATE, Array, loguniform, power, ratio, scaled

Short = Literal["footsteps", "knocks", "speech", "drops"]
SHORTS: tuple[Short, ...] = get_args(Short)


@dataclass(frozen=True)
class Ambient:
    """The continuous background sound of a site at night."""

    level_dbfs: float
    """Level at the sensor."""
    traffic_hz: float
    """Hertz above which distant traffic falls as f^-2."""
    room_db: float
    """Decibels of the broadband room noise relative to traffic."""
    room_slope: float
    """The room's noise falls as f^-slope from 50 Hz."""
    day_db: float
    """Decibels by which the middle of the day is louder than the night."""
    unsteady_db: float
    """Standard deviation of the background level over time, dB; a leak is steady."""
    rings: bool
    """Whether the background reaches the sensor through the pipe's resonances."""

    @classmethod
    def draw(cls, rng: np.random.Generator, night_dbfs: float) -> Ambient:
        """Draw background sound of this level at night."""
        return cls(
            level_dbfs=night_dbfs,
            traffic_hz=loguniform(rng, 30, 200),
            room_db=float(rng.uniform(-40, -12)),
            room_slope=float(rng.uniform(1, 2)),
            day_db=float(rng.uniform(1, 7)),
            unsteady_db=float(rng.uniform(1, 4)),
            rings=bool(rng.random() < 0.5),
        )

    def noise(self, f: Array, ringing: Array, response: Array) -> Array:
        """Return mean-square power per bin at night, after the sensor's response."""
        traffic = scaled(np.asarray(1 / (1 + (f / self.traffic_hz) ** 2), np.float32), 1.0)
        room = scaled(np.asarray(1 / (1 + (f / 50) ** self.room_slope), np.float32), ratio(self.room_db))
        shape = (traffic + room) * response * (ringing if self.rings else 1)
        return scaled(np.asarray(shape, np.float32), power(self.level_dbfs))

    def rise_db(self, hour: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return decibels over the night level at these hours: half a sine from 05:00 to 23:00."""
        return np.asarray(self.day_db * np.maximum(0.0, np.sin(np.pi * (np.asarray(hour) - 5) / 18)))


_SWINGS_S = np.array([2.9, 3.3, 3.9, 4.7, 6.1, 11.0, 97.0])
"""Periods of the background level's variation, seconds."""


def phases(seed: int) -> npt.NDArray[np.float64]:
    """Draw the phases of a site's `unrest`, radians, shape (7,)."""
    return np.random.default_rng([seed, 0xA3B]).uniform(0, 2 * np.pi, _SWINGS_S.size)


def unrest(
    seconds: npt.NDArray[np.float64], angles: npt.NDArray[np.float64], over_s: float = 0.0
) -> npt.NDArray[np.float64]:
    """Return the background level at these times minus its mean, in standard deviations; angles (7,): `phases`.

    `over_s`: the mean over so many seconds around each time.
    """
    swings = np.sin(2 * np.pi * np.asarray(seconds)[..., None] / _SWINGS_S + angles) * np.sinc(over_s / _SWINGS_S)
    return np.asarray(swings.sum(axis=-1) * np.sqrt(2 / _SWINGS_S.size))


def rain(f: Array, low_db: float) -> Array:
    """Power density of rain on a cover: humps at 6 to 11 kHz and, `low_db` above it, at 0.35 to 3.6 kHz. Unscaled."""
    drops = 1 / (1 + ((f - 8000) / 2200) ** 4) + 0.05 / (1 + (f / 900) ** 1.0)
    cover = 1 / ((1 + (350 / f) ** 3) * (1 + (f / 3600) ** 3))
    return np.asarray(drops + ratio(low_db) * cover, np.float32)


def wind(f: Array) -> Array:
    """Power density of wind over an opening, f^-2.5 above 40 Hz. Unscaled."""
    return np.asarray(1 / (1 + (f / 40) ** 2.5), np.float32)


def short_sound(kind: Short, peak: float, rng: np.random.Generator) -> Array:
    """Make samples (n,) of one footstep, knock, syllable or drop with about this peak in full scale."""
    return {"footsteps": _thump, "knocks": _knock, "speech": _syllable, "drops": _drop}[kind](peak, rng)


def _ring(hz: float, decay_s: float, seconds: float, rng: np.random.Generator) -> Array:
    t = np.arange(int(seconds * RATE)) / RATE
    return np.asarray(np.exp(-t / decay_s) * np.sin(2 * np.pi * hz * t + rng.uniform(0, 6.28)), np.float32)


def _thump(peak: float, rng: np.random.Generator) -> Array:
    return np.float32(peak) * _ring(rng.uniform(20, 110), 0.05, 0.25, rng)


def _knock(peak: float, rng: np.random.Generator) -> Array:
    return np.float32(peak) * _ring(loguniform(rng, 150, 4000), loguniform(rng, 0.003, 0.04), 0.12, rng)


def _drop(peak: float, rng: np.random.Generator) -> Array:
    return np.float32(peak) * _ring(rng.uniform(800, 6000), 0.004, 0.02, rng)


def _syllable(peak: float, rng: np.random.Generator) -> Array:
    """Make harmonics of a voice with two formants, fading in and out."""
    t = np.arange(int(rng.uniform(0.08, 0.3) * RATE)) / RATE
    pitch = rng.uniform(90, 260) * (1 + rng.uniform(-0.2, 0.2) * t / t[-1])
    formants = rng.uniform(300, 900), rng.uniform(900, 2600)
    k = np.arange(1, 21)[:, None]
    weight = sum(np.exp(-(((k * pitch[0] - hz) / 250) ** 2)) for hz in formants) + 0.02
    voice = np.sum(weight * np.sin(2 * np.pi * k * np.cumsum(pitch) / RATE), axis=0)
    return np.asarray(peak * voice / max(np.abs(voice).max(), 1e-9) * np.sin(np.pi * t / t[-1]) ** 2, np.float32)

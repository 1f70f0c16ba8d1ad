"""The sensor: a contact logger, a piezo contact microphone or an air microphone, with its noise and faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from leakear.train.simulator.units import HOP, RATE, Array, dbfs, loguniform, power, scaled

Kind = Literal["logger", "contact", "microphone"]
TILT_HZ = 1000.0
"""Frequency at which a sensor's tilt is 0 dB, Hz."""
AGC_RANGE_DB = 20.0
"""Largest change by the automatic gain, dB."""


@dataclass(frozen=True)
class Sensor:
    """One sensor and its converter. `Sensor.draw` gives the ranges."""

    kind: Kind
    """A 4096 Hz noise logger, a piezo disc on the pipe, or a microphone in the pit."""
    low_hz: float
    """Hertz, second-order high-pass."""
    high_hz: float
    """Hertz, fourth-order low-pass; a logger is steep above it."""
    tilt_db: float
    """Decibels per decade about 1 kHz, over the whole band."""
    noise_dbfs: float
    """Self-noise, the sum over its band."""
    pink: float
    """Self-noise below 300 Hz rises as frequency^-pink."""
    dc: float
    """Full scale, constant offset."""
    agc: bool
    """An automatic gain that pulls the level towards −20 dBFS and cannot be switched off."""
    emi_per_hour: float
    """Clicks of electric interference per hour."""
    bits: int
    """Bits of the converter."""

    @classmethod
    def draw(cls, rng: np.random.Generator, night_dbfs: float) -> Sensor:
        """Draw a sensor, a third of each kind, whose gain was set so that a quiet night has this level."""
        kind: Kind = ("logger", "contact", "microphone")[int(rng.integers(3))]
        low, high = {
            "logger": (rng.uniform(5, 60), rng.uniform(1500, 2000)),
            "contact": (rng.uniform(20, 120), loguniform(rng, 3000, 10000)),
            "microphone": (loguniform(rng, 20, 440), rng.uniform(8000, 10900)),
        }[kind]
        noise = night_dbfs - float(rng.uniform(3, 35))
        return cls(
            kind=kind,
            low_hz=float(low),
            high_hz=float(high),
            tilt_db=float(rng.uniform(-6, 6)),
            noise_dbfs=noise,
            pink=float(rng.uniform(0, 1)),
            dc=float(rng.normal(0, 0.004)) if rng.random() < 0.5 else 0.0,
            agc=bool(rng.random() < 0.05),
            emi_per_hour=loguniform(rng, 0.5, 60),
            bits=24 if noise < -70 else 16,  # 16 bits would be coarser than the sensor's own noise
        )

    def response(self, f: Array) -> Array:
        """Power gain of the sensor against frequency."""
        order = 24 if self.kind == "logger" else 8
        low = 1 / (1 + (self.low_hz / f) ** 4)
        high = 1 / (1 + (f / self.high_hz) ** order)
        tilt = 10 ** (self.tilt_db / 10 * np.log10(np.clip(f, 50, RATE / 2) / TILT_HZ))
        return np.asarray(low * high * tilt, np.float32)

    def band(self, f: Array) -> npt.NDArray[np.bool_]:
        """Return a mask of the bins in the pass band, in which signal-to-noise ratios are defined."""
        return np.asarray((f >= self.low_hz) & (f <= self.high_hz))

    def self_noise(self, f: Array) -> Array:
        """Mean-square power per bin of its own noise: white, pink below 300 Hz, cut where a logger's band ends."""
        shape = 1 + (300 / np.maximum(f, 5)) ** self.pink * (self.pink > 0)
        if self.kind == "logger":
            shape = shape / (1 + (f / self.high_hz) ** 24)
        return scaled(np.asarray(shape, np.float32), power(self.noise_dbfs))

    def gain(self, mean_square: float) -> float:
        """Amplitude gain that an automatic gain applies at this level; 1 without one."""
        if not self.agc:
            return 1.0
        wanted = np.clip(-20 - dbfs(mean_square), -AGC_RANGE_DB, AGC_RANGE_DB)
        return float(10 ** (wanted / 20))

    @property
    def clicks(self) -> float:
        """Clicks of interference in a stretch, on average."""
        return self.emi_per_hour * HOP / RATE / 3600

    def click(self, out: Array, rng: np.random.Generator) -> None:
        """Add one click of interference to samples (n,)."""
        place = int(rng.integers(len(out)))
        length = int(rng.integers(2, 30))
        tick = rng.normal(0, loguniform(rng, 0.01, 0.6), length) * np.exp(-np.arange(length) / 6)
        out[place : place + length] += tick[: len(out) - place].astype(np.float32)

    def convert(self, out: Array) -> Array:
        """Add the offset, clip and quantise samples (n,), in place."""
        out += np.float32(self.dc)
        step = np.float32(2 ** (self.bits - 1))
        out *= step
        np.rint(out, out=out)
        np.clip(out, -step, step - 1, out=out)
        out /= step
        return out

"""Tones of motors, transformers and whistles: one period in a table, read at a varying rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from leakear.train.simulator.units import HOP, RATE, Array

TABLE = 8192
"""Points of one period: the error of nearest-point reading is under −70 dB."""
_TURN = 2**32
"""One turn of the phase in integers."""
_SHIFT = np.uint32(32 - 13)
_PLACES = np.arange(HOP, dtype=np.uint32)


@dataclass(frozen=True)
class Tones:
    """A fundamental and its harmonics."""

    hz: float
    """Hertz of the fundamental."""
    amplitudes: tuple[float, ...]
    """Full-scale amplitude of harmonic 1, 2, …"""
    wander_hz: float
    """Amplitude of the fundamental's slow frequency variation, Hz."""
    period_s: float
    """Period of the variation, seconds."""
    phase: float
    """Phase of tone and variation at the start of the day, radians."""

    @cached_property
    def table(self) -> Array:
        """One period, samples (TABLE,)."""
        turn = 2 * np.pi * np.arange(TABLE) / TABLE
        audible = [a for k, a in enumerate(self.amplitudes, 1) if k * self.hz < 0.48 * RATE]
        waves = [a * np.sin(k * turn + self.phase * k * k) for k, a in enumerate(audible, 1)]
        return np.asarray(np.sum(waves, axis=0) if waves else np.zeros(TABLE), np.float32)

    def turns(self, index: int) -> tuple[float, float]:
        """Count turns of the fundamental at the start of stretch `index` (whole ones removed), and turns a sample."""
        starts = np.array([index, index + 1], np.float64) * HOP / RATE
        swing = self.wander_hz * self.period_s / (2 * np.pi)
        total = self.hz * starts - swing * np.cos(2 * np.pi * starts / self.period_s + self.phase)
        return float(total[0] % 1), float(total[1] - total[0]) / HOP

    def render(self, index: int) -> Array:
        """Make samples (HOP,) of stretch `index`; neighbouring stretches join without a step."""
        start, rate = self.turns(index)
        places = np.multiply(np.uint32(round(rate * _TURN)), _PLACES)  # whole turns are lost, as they should be
        places += np.uint32(int(start * _TURN) % _TURN)
        places >>= _SHIFT
        return self.table.take(places, mode="clip")

    def changed(self, *, db: float, speed: float) -> Tones:
        """Return the tones with another level (dB) and speed (factor)."""
        gain = 10 ** (db / 20)
        return replace(self, hz=self.hz * speed, amplitudes=tuple(a * gain for a in self.amplitudes))

    @property
    def mean_square(self) -> float:
        """Power of the tones that lie below the Nyquist frequency."""
        return float(np.mean(self.table.astype(np.float64) ** 2))

"""The path from the hole to the sensor: damping of high frequencies, and resonances of the pipework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leakear.train.simulator.units import Array, loguniform

Material = Literal["metal", "plastic"]
AUDIBLE_HZ = 200.0
"""The distance is drawn so that damping stays under 1/e up to this frequency."""


@dataclass(frozen=True)
class Resonance:
    """One mode of pipe, fittings or pit."""

    hz: float
    """Hertz of its peak."""
    q: float
    """Sharpness: peak over half-power width."""
    gain_db: float
    """Decibels of the peak over the surroundings."""

    def gain(self, f: Array) -> Array:
        """Power gain against frequency, 1 far from the peak."""
        detune = self.q * (f / self.hz - self.hz / f)
        return np.asarray(1 + (10 ** (self.gain_db / 10) - 1) / (1 + detune**2), np.float32)


@dataclass(frozen=True)
class Pipe:
    """A path along one pipe."""

    material: Material
    """Material of the wall."""
    loss: float
    """Seconds per metre, β of exp(−4πfβx): how fast sound fades with frequency and distance."""
    distance_m: float
    """Metres from hole to sensor."""
    resonances: tuple[Resonance, ...]
    """Fixed for a site."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Pipe:
        """Draw a pipe; four in ten are plastic."""
        plastic = rng.random() < 0.4
        loss = loguniform(rng, 1e-5, 1.5e-4) if plastic else loguniform(rng, 1e-6, 1e-5)
        furthest = min(30.0 if plastic else 130.0, 1 / (4 * np.pi * AUDIBLE_HZ * loss))
        modes = tuple(
            Resonance(loguniform(rng, 80, 4000), loguniform(rng, 5, 60), float(rng.uniform(4, 18)))
            for _ in range(rng.integers(2, 9))
        )
        return cls("plastic" if plastic else "metal", loss, loguniform(rng, 0.3, max(furthest, 0.6)), modes)

    def at(self, distance_m: float) -> Pipe:
        """Return the same pipe with another distance."""
        return Pipe(self.material, self.loss, distance_m, self.resonances)

    def ringing(self, f: Array) -> Array:
        """Power gain of the resonances alone."""
        out = np.ones_like(f)
        for mode in self.resonances:
            out *= mode.gain(f)
        return out

    def gain(self, f: Array) -> Array:
        """Power gain from hole to sensor: damping and resonances."""
        damping = np.exp(-4 * np.pi * self.loss * self.distance_m * f)
        return np.asarray(damping * self.ringing(f), np.float32)

"""Flow noise of leaks and taps. Both have the same physics and differ only in duration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leakear.train.simulator.jet import Jet
from leakear.train.simulator.pipe import Pipe
from leakear.train.simulator.tones import Tones
from leakear.train.simulator.units import Array, loguniform


@dataclass(frozen=True)
class Flow:
    """One outlet: a leak or a tap."""

    jet: Jet
    """Its hole."""
    distance_m: float
    """Metres of pipe to the sensor."""
    whistle: Tones | None
    """An added tone with amplitudes relative to the noise's RMS; one outlet in ten has one."""
    swell_db: float
    """Amplitude of a slow level variation, dB."""
    swell_s: float
    """Period of the variation, seconds."""
    bubbles_per_s: float
    """Clicks of air bubbles per second."""

    @classmethod
    def draw(cls, rng: np.random.Generator, pipe: Pipe, hole_mm: tuple[float, float] = (0.7, 8.0)) -> Flow:
        """Draw an outlet somewhere on this pipe."""
        whistles = rng.random() < 0.1
        return cls(
            jet=Jet.draw(rng, hole_mm=hole_mm),
            distance_m=loguniform(rng, min(0.3, pipe.distance_m), pipe.distance_m),
            whistle=_whistle(rng) if whistles else None,
            swell_db=float(rng.uniform(0.25, 1)),
            swell_s=loguniform(rng, 20, 600),
            bubbles_per_s=loguniform(rng, 0.05, 5) if rng.random() < 0.3 else 0.0,
        )

    def shape(self, f: Array, pipe: Pipe) -> Array:
        """Power density at the sensor's mount, unscaled."""
        return np.asarray(self.jet.shape(f) * pipe.at(self.distance_m).gain(f), np.float32)

    def swell(self, seconds: float) -> float:
        """Return the slow level variation at this time, dB."""
        return float(self.swell_db * np.sin(2 * np.pi * seconds / self.swell_s))


def _whistle(rng: np.random.Generator) -> Tones:
    hz = loguniform(rng, 800, 9000)
    strength = 10 ** (rng.uniform(-12, 6) / 20)
    falls = 10 ** (-np.cumsum(rng.uniform(6, 15, 3)) / 20)
    amplitudes = (strength, *(strength * falls[: rng.integers(0, 3)]))
    return Tones(hz, tuple(float(a) for a in amplitudes), 0.01 * hz, loguniform(rng, 3, 60), rng.uniform(0, 6.28))


def own_band(shape: Array) -> slice:
    """Bins of the middle 90 % of a spectrum's power."""
    share = np.cumsum(shape, dtype=np.float64)
    low, high = np.searchsorted(share, [0.05 * share[-1], 0.95 * share[-1]])
    return slice(int(low), int(high) + 1)

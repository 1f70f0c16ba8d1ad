"""Sound of water through a hole: a turbulent jet, broadband up to a corner frequency set by speed and hole size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leakear.train.simulator.units import Array, loguniform

DENSITY = 998.0
"""Water, kg/m³."""
STROUHAL = 0.2
"""Corner frequency times diameter over speed, of a round jet."""


@dataclass(frozen=True)
class Jet:
    """An orifice under pressure."""

    pressure_bar: float
    """Bar across the hole."""
    hole_mm: float
    """Millimetres, the diameter of the hole."""
    slope: float
    """Power falls as frequency^-slope above the corner."""

    @classmethod
    def draw(cls, rng: np.random.Generator, *, hole_mm: tuple[float, float] = (0.7, 8.0)) -> Jet:
        """Draw an orifice; taps and valves use larger limits than leaks."""
        return cls(loguniform(rng, 1, 8), loguniform(rng, *hole_mm), float(rng.uniform(1, 3)))

    @property
    def speed(self) -> float:
        """Metres per second at the hole: sqrt(2·Δp/ρ)."""
        return float(np.sqrt(2 * self.pressure_bar * 1e5 / DENSITY))

    @property
    def corner_hz(self) -> float:
        """Hertz up to which the spectrum is flat."""
        return STROUHAL * self.speed / (self.hole_mm / 1000)

    def shape(self, f: Array) -> Array:
        """Power density against frequency (any unit), shape of `f`."""
        return np.asarray(1 / (1 + (f / self.corner_hz) ** self.slope), np.float32)


def level_change_db(pressure_ratio: float) -> float:
    """Return the level change of a jet with pressure, dB: power ∝ speed⁶, speed ∝ √pressure."""
    return float(30 * np.log10(max(pressure_ratio, 1e-3)))

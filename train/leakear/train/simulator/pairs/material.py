"""What a pipe does to sound: speed, dispersion and attenuation of the fluid wave by material."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakear.train.simulator.units import loguniform

Spectrum = npt.NDArray[np.complex128]
REFERENCE_HZ = 200.0
"""Frequency at which `Wall.speed` is the phase speed, Hz."""
MATERIALS = {
    "steel": (1100.0, 1350.0, 1e-6, 1e-5),
    "iron": (1100.0, 1350.0, 1e-6, 1e-5),
    "copper": (1250.0, 1350.0, 1e-6, 1e-5),
    "cement": (1000.0, 1250.0, 2e-6, 2e-5),
    "pvc": (350.0, 600.0, 1e-5, 1e-4),
    "pe": (200.0, 450.0, 2e-5, 1.5e-4),
}
"""Lowest and highest speed, m/s; least and greatest loss β, s/m, of exp(−2πfβx) in amplitude."""


@dataclass(frozen=True)
class Wall:
    """The wave in one pipe."""

    material: str
    """key of `MATERIALS`"""
    speed: float
    """m/s, phase speed at `REFERENCE_HZ`"""
    loss: float
    """s/m, β of the amplitude exp(−2πfβx)"""

    @classmethod
    def draw(cls, rng: np.random.Generator, material: str) -> Wall:
        """Draw the wave of a pipe of this material."""
        slow, fast, least, greatest = MATERIALS[material]
        return cls(material, float(rng.uniform(slow, fast)), loguniform(rng, least, greatest))

    @property
    def plastic(self) -> bool:
        """Whether the pipe carries low frequencies only."""
        return self.material in ("pvc", "pe")

    @property
    def dispersion(self) -> float:
        """Rise of the phase speed for each factor e of frequency, as a fraction.

        A wall that loses the same share of energy in each cycle cannot have one speed: causality (Kramers and Kronig)
        asks for a rise by loss factor / π, with loss factor = 2·β·speed.
        """
        return 2 * self.loss * self.speed / np.pi

    def path(self, f: npt.NDArray[np.float64], metres: float) -> Spectrum:
        """Transfer function of `metres` of pipe at the frequencies `f` in Hz (above 0)."""
        speed = self.speed * (1 + self.dispersion * np.log(np.maximum(f, 5) / REFERENCE_HZ))
        wave = np.exp(-2j * np.pi * f * metres / speed - 2 * np.pi * f * self.loss * metres)
        return np.asarray(wave, np.complex128)

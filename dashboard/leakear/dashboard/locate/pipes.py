"""The pipe: its length, and the speed of sound in it by material, diameter and wall, from a range, or measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from leakear.edge.errors import UsageError

WATER_SPEED = 1480.0
"""m/s, sound in open water at about 15 °C: no pipe is faster."""
WATER_MODULUS = 2.19e9
"""Pa, bulk modulus of water."""
REFERENCE_HZ = 200.0
"""Hz at which speeds are given."""
SLOWEST = 100.0
"""m/s, below every pipe in use."""
_FORMULA_SPREAD = 0.02
"""Relative uncertainty (95 %) of the speed from diameter and wall, besides that of the material's modulus."""


@dataclass(frozen=True)
class Material:
    """What is known of a material."""

    slowest: float
    """m/s, in usual pipes"""
    fastest: float
    """m/s"""
    modulus: tuple[float, float]
    """Pa, least and greatest Young's modulus of the wall"""
    dispersion: float
    """rise of the phase speed for each factor e of frequency, as a fraction"""
    dispersion_bound: float
    """its uncertainty (95 %)"""
    highest_hz: float
    """Hz above which it carries nothing over a usual distance"""


MATERIALS = {
    "steel": Material(1100, 1350, (2.0e11, 2.1e11), 0.0, 0.0, 3500),
    "iron": Material(1100, 1350, (1.0e11, 1.7e11), 0.0, 0.0, 3500),
    "copper": Material(1250, 1350, (1.1e11, 1.3e11), 0.0, 0.0, 3500),
    "cement": Material(1000, 1250, (2.0e10, 3.0e10), 0.0, 0.0, 2500),
    "pvc": Material(350, 600, (2.4e9, 3.5e9), 0.015, 0.015, 1200),
    "pe": Material(200, 450, (0.6e9, 1.6e9), 0.018, 0.015, 1200),
}
"""Sources: trade manuals of correlators for the ranges; measured buried MDPE for the dispersion of plastic."""


@dataclass(frozen=True)
class Speed:
    """A range that holds the speed with 95 % certainty, m/s at `REFERENCE_HZ`."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """m/s."""
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Pipe:
    """The pipe between the sensors."""

    length: float
    """m, along the pipe from A to B"""
    speed: Speed
    length_uncertainty: float
    """m, 95 %"""
    dispersion: float = 0.0
    """see `Material`"""
    dispersion_bound: float = 0.0
    """see `Material`"""
    highest_hz: float = 3500.0
    """Hz, see `Material`"""
    pumps: tuple[float, ...] = ()
    """m from A, known sources that are not leaks"""

    def delay(self, position: float, speed: float | None = None) -> float:
        """Seconds by which a sound made at `position` (m from A) reaches B later than A: positive when A is nearer.

        This is the sign convention of the whole package; `position` reverses it. A source beyond a sensor has the
        delay of that sensor's place.
        """
        inside = min(max(position, 0.0), self.length)
        return (self.length - 2 * inside) / (speed or self.speed.middle)

    def position(self, delay: float, speed: float | None = None) -> float:
        """Metres from A of a sound that reaches B `delay` s later than A: (length − speed · delay) / 2."""
        return (self.length - (speed or self.speed.middle) * delay) / 2

    def at_frequency(self, hz: float) -> Pipe:
        """Return the pipe with what the unknown dispersion adds to the speed's uncertainty at `hz`."""
        share = self.dispersion_bound * abs(math.log(hz / REFERENCE_HZ))
        return replace(self, speed=Speed(self.speed.low * (1 - share), self.speed.high * (1 + share)))

    @property
    def longest_delay(self) -> float:
        """Seconds from end to end at the lowest speed."""
        return (self.length + self.length_uncertainty) / self.speed.low


def pipe(
    length: float,
    material: str,
    *,
    diameter_mm: float | None = None,
    wall_mm: float | None = None,
    speed: tuple[float, float] | None = None,
    length_uncertainty: float | None = None,
    pumps: tuple[float, ...] = (),
) -> Pipe:
    """Describe a pipe; lengths in m, speeds in m/s. Raises UsageError for values that cannot be."""
    if material not in MATERIALS:
        raise UsageError(f"there is no material {material!r}: give one of {', '.join(MATERIALS)}")
    known = MATERIALS[material]
    chosen = _given(*speed) if speed else speed_of(material, diameter_mm, wall_mm)
    bound = max(0.01 * length, 0.1) if length_uncertainty is None else length_uncertainty
    return Pipe(length, chosen, bound, known.dispersion, known.dispersion_bound, known.highest_hz, pumps)


def speed_of(material: str, diameter_mm: float | None, wall_mm: float | None) -> Speed:
    """Look the speed up, or compute it where diameter (outer) and wall are known: thin wall, filled with water.

    speed = water speed / √(1 + modulus of water / modulus of wall · inner diameter / wall). Raises UsageError.
    """
    known = MATERIALS[material]
    if diameter_mm is None or wall_mm is None:
        return Speed(known.slowest, known.fastest)
    if wall_mm * 2 >= diameter_mm:
        raise UsageError(
            f"a wall of {wall_mm:g} mm does not fit a pipe of {diameter_mm:g} mm: check --wall and --diameter"
        )
    slenderness = (diameter_mm - 2 * wall_mm) / wall_mm
    ends = [WATER_SPEED / math.sqrt(1 + WATER_MODULUS / modulus * slenderness) for modulus in known.modulus]
    return Speed(ends[0] * (1 - _FORMULA_SPREAD), min(ends[1] * (1 + _FORMULA_SPREAD), WATER_SPEED))


def _given(low: float, high: float) -> Speed:
    if not SLOWEST <= low <= high <= WATER_SPEED:
        raise UsageError(
            f"--speed {low:g}:{high:g} cannot be: sound in a water pipe travels at {SLOWEST:g} to {WATER_SPEED:g} m/s; "
            "give the lower speed first"
        )
    return Speed(low, high)

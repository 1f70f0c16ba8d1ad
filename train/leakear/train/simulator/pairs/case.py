"""One simulated pair: pipe, sources, sensors, noise and clocks, and what an operator knows of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from leakear.train.simulator.jet import Jet
from leakear.train.simulator.pairs.material import Wall
from leakear.train.simulator.units import loguniform

Kind = Literal["leak", "background", "machine", "reflection"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""`machine`: beside or beyond one sensor; `reflection`: such a machine, and a discontinuity in mid-pipe."""


_WATER = 1480.0
"""m/s, speed in open water: nobody states a faster one."""


@dataclass(frozen=True)
class Clock:
    """Errors of the two recorders' clocks."""

    bound_s: float
    """s, the offset between the clocks that the operator is told (95 %)"""
    offset_s: float
    """s, by which clock B is really late: B's sound seems to come so much earlier"""
    drift_ppm: tuple[float, float]
    """ppm by which the sample clocks of A and B run fast"""
    drift_bound_ppm: float
    """ppm that the operator is told, of each recorder"""
    jitter_s: float
    """s, standard deviation of a slow wander"""

    @classmethod
    def draw(cls, rng: np.random.Generator, bound_s: float, drift_bound_ppm: float) -> Clock:
        """Draw errors that fit the bounds: two thirds normal, one third skewed to one side as over a network."""
        sigma = bound_s / 2
        skewed = rng.random() < 1 / 3
        offset = rng.choice((-1, 1)) * sigma * rng.gamma(2.0, 0.4) if skewed else rng.normal(0, sigma)
        a, b = rng.uniform(-drift_bound_ppm, drift_bound_ppm, 2)
        return cls(bound_s, float(offset), (float(a), float(b)), drift_bound_ppm, 2e-5 if drift_bound_ppm else 0.0)


@dataclass(frozen=True)
class Sensor:
    """One sensor: a high-pass, a resonance and a low-pass, all with their phase."""

    low_hz: float
    resonance_hz: float
    q: float
    high_hz: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Sensor:
        """Draw a sensor."""
        return cls(rng.uniform(4, 25), loguniform(rng, 900, 5000), rng.uniform(0.6, 5), loguniform(rng, 1800, 8000))


@dataclass(frozen=True)
class Noise:
    """Background at one sensor."""

    slope: float
    """power falls as frequency^-slope"""
    corner_hz: float
    """below it the power is flat"""
    white: float
    """share of the power that is white"""
    bursts: int
    """cars, steps and knocks in the recording"""
    hum_db: float
    """level of the mains hum above the background"""


@dataclass(frozen=True)
class Case:
    """All a pair is made of."""

    seed: int
    kind: Kind
    wall: Wall
    length: float
    """m, true"""
    stated_length: float
    """m, as measured by the operator (1 % at 95 %)"""
    speed_range: tuple[float, float]
    """m/s, as known to the operator; holds the true speed"""
    position: float
    """m from A of the source; below 0 or above the length: beyond a sensor"""
    reflector: float
    """m from A of a discontinuity"""
    reflection: float
    """its reflection coefficient"""
    snr_db: float
    """dB, source over background in the pipe's band at the sensor that hears it louder; the other one has less"""
    jet: Jet
    clock: Clock
    sensors: tuple[Sensor, Sensor]
    noises: tuple[Noise, Noise]
    seconds: float
    rate: int
    """Hz"""

    @classmethod
    def draw(
        cls,
        seed: int,
        material: str,
        *,
        kind: Kind = "leak",
        length: float | None = None,
        snr_db: float = 0.0,
        bound_s: float = 0.001,
        drift_bound_ppm: float = 0.0,
        speed_tolerance: float | None = None,
        seconds: float = 30.0,
    ) -> Case:
        """Draw a pair. `speed_tolerance`: half-width of the known speed range as a fraction; None: drawn."""
        rng = np.random.default_rng([seed, 18])
        wall = Wall.draw(rng, material)
        far = (40, 100) if wall.plastic else (60, 160)
        metres = float(rng.uniform(*far)) if length is None else length
        tolerance = float(rng.choice((0.015, 0.04, 0.08))) if speed_tolerance is None else speed_tolerance
        middle = wall.speed / (1 + tolerance * rng.uniform(-1, 1))
        strength = rng.uniform(0.15, 0.5) if kind == "reflection" else rng.uniform(0, 0.3)
        return cls(
            seed=seed, kind=kind, wall=wall, length=metres,
            stated_length=metres * (1 + 0.005 * rng.normal()),
            speed_range=(middle * (1 - tolerance), min(middle * (1 + tolerance), _WATER)),
            position=_position(rng, kind, metres),
            reflector=metres * float(rng.uniform(0.15, 0.85)), reflection=float(rng.choice((-1, 1)) * strength),
            snr_db=snr_db, jet=Jet.draw(rng), clock=Clock.draw(rng, bound_s, drift_bound_ppm),
            sensors=(Sensor.draw(rng), Sensor.draw(rng)), noises=(_noise(rng), _noise(rng)),
            seconds=seconds, rate=8192,
        )  # fmt: skip

    @property
    def true_delay(self) -> float:
        """Seconds by which the sound reaches B later than A, at the reference frequency."""
        inside = min(max(self.position, 0.0), self.length)
        return (self.length - 2 * inside) / self.wall.speed


def _position(rng: np.random.Generator, kind: Kind, length: float) -> float:
    if kind in ("leak", "background"):
        return length * float(rng.uniform(0.05, 0.95))
    beyond = float(rng.uniform(0, 15))
    return -beyond if rng.random() < 0.5 else length + beyond


def _noise(rng: np.random.Generator) -> Noise:
    return Noise(
        slope=rng.uniform(0.5, 2.5),
        corner_hz=loguniform(rng, 20, 200),
        white=loguniform(rng, 0.02, 0.5),
        bursts=int(rng.poisson(2)),
        hum_db=rng.uniform(-20, 10),
    )

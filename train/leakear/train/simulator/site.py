"""A site: everything that does not change at one sensor's place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leakear.train.simulator.ambient import Ambient
from leakear.train.simulator.flow import Flow
from leakear.train.simulator.machines import KINDS, Machine
from leakear.train.simulator.pipe import Pipe
from leakear.train.simulator.sensor import Sensor

NIGHT_DBFS = (-33.0, 4.5)
"""Night level in dBFS, mean and standard deviation: the gain is set at installation, as in noise loggers."""
FIXTURE_MM = (1.5, 10.0)
"""Millimetres: the openings of taps, showers and cisterns' valves."""


@dataclass(frozen=True)
class Site:
    """One sensor's place."""

    seed: int
    """Seed of the random values."""
    mains_hz: float
    """Hertz of the electric grid."""
    sensor: Sensor
    pipe: Pipe
    """The pipe on which the sensor is mounted."""
    ambient: Ambient
    """Background sound."""
    machines: tuple[Machine, ...]
    """Zero to three machines nearby."""
    leak: Flow
    """The leak's outlet."""
    fixtures: tuple[Flow, ...]
    """Taps and showers."""
    fixture_db: tuple[float, ...]
    """Decibels of each fixture at full flow over the stationary sounds, in the sensor's band."""

    @classmethod
    def draw(cls, seed: int) -> Site:
        """Draw a site; equal seeds give equal sites."""
        rng = np.random.default_rng([seed, 0x517E])
        mains = 50.0 if rng.random() < 0.7 else 60.0
        night = float(np.clip(rng.normal(*NIGHT_DBFS), -45, -22))
        sensor = Sensor.draw(rng, night)
        pipe = Pipe.draw(rng)
        ambient = Ambient.draw(rng, night)
        fixtures = int(rng.integers(2, 5))
        return cls(
            seed=seed,
            mains_hz=mains,
            sensor=sensor,
            pipe=pipe,
            ambient=ambient,
            machines=_machines(rng, ambient.level_dbfs, mains),
            leak=Flow.draw(rng, pipe),
            fixtures=tuple(Flow.draw(rng, pipe, FIXTURE_MM) for _ in range(fixtures)),
            fixture_db=tuple(rng.uniform(-5, 25, fixtures).tolist()),
        )

    @property
    def name(self) -> str:
        """The site's name in manifests and truth files."""
        return f"sim-{self.seed:06d}"


def _machines(rng: np.random.Generator, ambient_dbfs: float, mains: float) -> tuple[Machine, ...]:
    count = int(rng.choice([0, 1, 2, 3], p=[0.35, 0.4, 0.2, 0.05]))
    kinds = rng.choice(len(KINDS), count, replace=False)
    return tuple(Machine.draw(rng, KINDS[k], ambient_dbfs + rng.uniform(-12, 10), mains) for k in kinds)

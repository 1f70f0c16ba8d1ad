"""A site: one sensor's place as it was at the installation, and as it is on any later day."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from leakear.train.simulator.ambient import Ambient
from leakear.train.simulator.flow import Flow
from leakear.train.simulator.machines import KINDS, Kind, Machine
from leakear.train.simulator.pipe import Pipe
from leakear.train.simulator.sensor import Sensor
from leakear.train.simulator.units import loguniform
from leakear.train.simulator.variation.processes import drift, last_change, runs_on
from leakear.train.simulator.variation.variation import Variation

NIGHT_DBFS = (-33.0, 2.5)
"""Night level in dBFS, mean and standard deviation: the gain is set at installation, as in noise loggers."""
FIXTURE_MM = (1.5, 10.0)
"""Millimetres: the openings of taps, showers and cisterns' valves."""


NIGHT_KINDS: tuple[Kind, ...] = ("pump", "fan", "air-conditioner", "valve")
"""Machines that run through some nights."""
NIGHTLY_SHARE = (0.01, 0.17)
"""Share of the nights on which such a machine runs: limits over the sites."""
NIGHTLY_DB = 4.5
"""Mean level of such a machine over the surroundings, dB."""
LOUDEST_MACHINE_DBFS = -18.0
MACHINES_PER_DAY = 1 / 200
"""Machines that are replaced, or removed for good."""
REMOVED = 0.2
"""Share of those that are removed."""
MACHINE_DB = 1.2
"""Standard deviation of a machine's level from day to day, dB."""
MACHINE_D = 2.0
"""Time constant of its level, speed and duty, days."""


@dataclass(frozen=True)
class Habits:
    """Uses of water that nobody foresees."""

    long_per_day: float
    """Uses of 10 minutes to 8 hours at any hour, a day: irrigation, a pool, a valve."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Habits:
        """Draw the habits of a site."""
        return cls(loguniform(rng, 0.03, 0.4))


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
    """Zero to three machines nearby, and one that runs through some nights."""
    leak: Flow
    """The leak's outlet."""
    fixtures: tuple[Flow, ...]
    """Taps and showers."""
    fixture_db: tuple[float, ...]
    """Decibels of each fixture at full flow over surroundings and self-noise, in the sensor's band."""
    habits: Habits
    """How often water runs for long."""
    variation: Variation
    """How the surroundings change with time."""
    mount_db: tuple[float, ...] = ()
    """Decibels by which the response changed since the installation, at the variation's anchors; empty: unchanged."""

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
            habits=Habits.draw(np.random.default_rng([seed, 0x4AB])),
            variation=Variation.draw(np.random.default_rng([seed, 0x7A2]), seed),
        )

    def on(self, date: int) -> Site:
        """Return the site as it is on a day: its machines, and how the sensor is mounted. Dates: `Variation`."""
        machines = tuple(self._machine_on(k, date) for k in range(len(self.machines)))
        return replace(self, machines=machines, mount_db=tuple(self.variation.mount_db(date).tolist()))

    def _machine_on(self, k: int, date: int) -> Machine:
        """Return a machine as it is on a day: perhaps another one, off, louder, faster or running for longer."""
        replaced = last_change((self.seed, 41, k), date, MACHINES_PER_DAY)
        machine = self.machines[k]
        if replaced:
            rng = np.random.default_rng([self.seed, 42, k, replaced])
            gone = rng.random() < REMOVED
            machine = _draw_machine(rng, machine.kind, self.ambient.level_dbfs, self.mains_hz, nightly=machine.nightly)
            machine = replace(machine, on_s=0.0) if gone else machine
        if machine.on_s == 0 or not runs_on((self.seed, 43, k, replaced), date, machine.share, machine.together):
            return replace(machine, on_s=0.0)
        now = drift((self.seed, 44, k), np.array([date], np.float64), MACHINE_D, columns=3)[0]
        fixed = machine.kind == "transformer"
        return machine.changed(
            db=MACHINE_DB * float(now[0]),
            speed=1.0 if fixed else 1 + 0.01 * float(np.clip(now[1], -3, 3)),
            duty=float(np.exp(0.4 * np.clip(now[2], -3, 3))),
        )

    @property
    def name(self) -> str:
        """The site's name in manifests and truth files."""
        return f"sim-{self.seed:06d}"


def _machines(rng: np.random.Generator, ambient_dbfs: float, mains: float) -> tuple[Machine, ...]:
    """Draw zero to three machines that are used on most days, and one that runs through some nights."""
    count = int(rng.choice([0, 1, 2, 3], p=[0.35, 0.4, 0.2, 0.05]))
    kinds = rng.choice(len(KINDS), count, replace=False)
    own = [_draw_machine(rng, KINDS[k], ambient_dbfs, mains, nightly=False) for k in kinds]
    kind = NIGHT_KINDS[int(rng.integers(len(NIGHT_KINDS)))]
    return (*own, _draw_machine(rng, kind, ambient_dbfs, mains, nightly=True))


def _draw_machine(rng: np.random.Generator, kind: Kind, ambient_dbfs: float, mains: float, *, nightly: bool) -> Machine:
    if not nightly:
        return Machine.draw(rng, kind, ambient_dbfs + rng.uniform(-12, 7), mains)
    level = min(ambient_dbfs + rng.exponential(NIGHTLY_DB), LOUDEST_MACHINE_DBFS)
    machine = Machine.draw(rng, kind, level, mains)
    share = loguniform(rng, *NIGHTLY_SHARE)
    return replace(machine, on_s=float(rng.uniform(6, 13) * 3600), share=share, together=1.2, nightly=True)

"""Machines: steady sounds that are not leaks, such as hum, fan blades, compressors and valves, with broadband noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from leakear.train.simulator.jet import Jet
from leakear.train.simulator.tones import Tones
from leakear.train.simulator.units import Array, loguniform, power, scaled

Kind = Literal["pump", "fan", "transformer", "fridge", "air-conditioner", "valve"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ALWAYS_S = 86400.0
"""Seconds of one run of a machine that never stops."""


@dataclass(frozen=True)
class Machine:
    """One machine, with its levels at the sensor."""

    kind: Kind
    tones: tuple[Tones, ...]
    """Tones of shaft, blades and mains."""
    noise_dbfs: float
    """Level of its broadband noise."""
    noise_hz: tuple[float, float]
    """Hertz: below the first the noise falls as f², above the second as f^-slope."""
    noise_slope: float
    """See `noise_hz`."""
    on_s: float
    """Seconds of one run; 86400 for a machine that always runs, 0 for one that is off."""
    off_s: float
    """Seconds between runs."""
    flutter_hz: float
    """Frequency of the noise's amplitude modulation, Hz; 0 for steady noise."""
    share: float = 0.97
    """Share of all days on which it is used at all."""
    together: float = 60.0
    """Days in a row on which it is used, on average."""
    nightly: bool = False
    """It runs once a day, from the evening to the morning."""

    @property
    def always(self) -> bool:
        """Whether it never stops."""
        return self.on_s >= ALWAYS_S

    def noise(self, f: Array) -> Array:
        """Mean-square power per bin of the broadband part."""
        low, high = self.noise_hz
        shape = 1 / ((1 + (low / f) ** 2) * (1 + (f / high) ** self.noise_slope))
        return scaled(np.asarray(shape, np.float32), power(self.noise_dbfs))

    @classmethod
    def draw(cls, rng: np.random.Generator, kind: Kind, level_dbfs: float, mains_hz: float) -> Machine:
        """Draw a machine of this kind whose whole sound has about this level."""
        return _DRAW[kind](rng, level_dbfs, mains_hz)

    def changed(self, *, db: float, speed: float, duty: float) -> Machine:
        """Return the machine with another level (dB), speed and length of runs (factors)."""
        tones = tuple(tone.changed(db=db, speed=speed) for tone in self.tones)
        on_s = self.on_s if self.always else min(self.on_s * duty, ALWAYS_S / 2)
        return replace(self, tones=tones, noise_dbfs=self.noise_dbfs + db, on_s=on_s)


def _harmonics(rng: np.random.Generator, hz: float, dbfs_: float, count: int, fall_db: float) -> Tones:
    """Draw harmonics that fall by `fall_db` an octave on average, ±6 dB each, to this level in all."""
    k = np.arange(1, count + 1)
    a = 10 ** ((-fall_db * np.log2(k) + rng.normal(0, 4, count)) / 20)
    a *= np.sqrt(2 * power(dbfs_) / np.sum(a**2))
    wander = min(0.2, hz * 0.004)
    return Tones(hz, tuple(a.tolist()), wander, rng.uniform(5, 60), rng.uniform(0, 6.28))


def _pump(rng: np.random.Generator, level: float, mains: float) -> Machine:
    shaft = mains / rng.integers(1, 3) * rng.uniform(0.95, 0.99)
    blades = _harmonics(rng, shaft * rng.integers(4, 8), level - rng.uniform(0, 10), 4, 6)
    hum = _harmonics(rng, shaft, level - rng.uniform(0, 6), int(rng.integers(8, 21)), rng.uniform(2, 8))
    run = loguniform(rng, 300, 1800)
    return Machine(
        "pump",
        (hum, blades),
        level - rng.uniform(3, 15),
        (rng.uniform(50, 200), rng.uniform(400, 1500)),
        rng.uniform(1.5, 3),
        run,
        loguniform(rng, 600, 10800),
        0.0,
    )


def _fan(rng: np.random.Generator, level: float, mains: float) -> Machine:
    del mains
    blade = rng.uniform(600, 2800) / 60 * rng.integers(3, 10)
    tones = _harmonics(rng, blade, level - rng.uniform(4, 18), int(rng.integers(2, 7)), rng.uniform(6, 12))
    always = rng.random() < 0.4
    return Machine(
        "fan",
        (tones,),
        level - 1,
        (rng.uniform(30, 120), rng.uniform(100, 500)),
        rng.uniform(1.5, 2.5),
        ALWAYS_S if always else loguniform(rng, 1200, 14400),
        loguniform(rng, 1800, 14400),
        0.0,
    )


def _transformer(rng: np.random.Generator, level: float, mains: float) -> Machine:
    tones = _harmonics(rng, 2 * mains, level, int(rng.integers(3, 9)), rng.uniform(0, 8))
    return Machine("transformer", (tones,), level - 40, (50, 300), 2.0, ALWAYS_S, 0.0, 0.0)


def _fridge(rng: np.random.Generator, level: float, mains: float) -> Machine:
    tones = _harmonics(rng, mains * rng.uniform(0.96, 0.99), level, int(rng.integers(8, 16)), rng.uniform(1, 6))
    return Machine(
        "fridge",
        (tones,),
        level - rng.uniform(4, 14),
        (80, rng.uniform(250, 900)),
        rng.uniform(1.5, 3),
        loguniform(rng, 400, 1500),
        loguniform(rng, 900, 2700),
        0.0,
    )


def _air_conditioner(rng: np.random.Generator, level: float, mains: float) -> Machine:
    hum = _harmonics(rng, 2 * mains, level - rng.uniform(3, 12), int(rng.integers(3, 8)), rng.uniform(2, 8))
    return Machine(
        "air-conditioner",
        (hum,),
        level - 1,
        (rng.uniform(100, 300), rng.uniform(350, 700)),
        rng.uniform(2, 4),
        loguniform(rng, 600, 7200),
        loguniform(rng, 300, 3600),
        0.0,
    )


def _valve(rng: np.random.Generator, level: float, mains: float) -> Machine:
    del mains
    jet = Jet.draw(rng, hole_mm=(2, 12))
    chatter = _harmonics(rng, loguniform(rng, 150, 2500), level - rng.uniform(0, 12), 3, 9)
    return Machine(
        "valve",
        (chatter,),
        level - 1,
        (rng.uniform(60, 200), jet.corner_hz),
        jet.slope,
        loguniform(rng, 60, 1200),
        loguniform(rng, 1800, 14400),
        rng.uniform(3, 12),
    )


_DRAW = {
    "pump": _pump,
    "fan": _fan,
    "transformer": _transformer,
    "fridge": _fridge,
    "air-conditioner": _air_conditioner,
    "valve": _valve,
}

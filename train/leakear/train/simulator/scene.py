"""The sounds present at one time: the input of the renderer, and random scenes for labelled clips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from leakear.train.simulator.ambient import SHORTS, Short
from leakear.train.simulator.site import Site
from leakear.train.simulator.units import loguniform

Label = Literal["Leak", "NoLeak", "Use"]
"""`Use` is water use: in one window it sounds like a leak."""
SNR_DB = (-10.0, 30.0)
"""Decibels over all stationary sound, in the sensor's pass band: the range of audible leaks."""
NIGHT_D = 15 / 24
"""Days from noon to the moment of the night against which a leak's level is set: 03:00."""
RAIN_LOW_DB = (-15.0, 20.0)
"""Decibels: see `Scene.rain_low_db`."""


@dataclass(frozen=True)
class Shorts:
    """Short sounds of one kind that repeat."""

    kind: Short
    """Their kind."""
    per_s: float
    """How many a second, on average."""
    peak: float
    """Full scale: peak of a typical one."""


@dataclass(frozen=True)
class Scene:
    """The sounds at one time. Fields that are None or empty are silent."""

    ambient_db: float = 0.0
    """Decibels over the surroundings of the night at the installation."""
    shape_db: tuple[float, ...] = ()
    """Decibels by which their spectrum differs from then, at the variation's anchors; empty: as it was."""
    unsteady: float = 1.0
    """Factor on their coming and going."""
    leak_db: float | None = None
    """Decibels of the leak over the stationary sounds of the night, in the sensor's pass band."""
    machines: tuple[int, ...] = ()
    """Indices of the site's running machines; those that always run need not be listed."""
    uses: tuple[tuple[int, float], ...] = ()
    """(fixture, decibels against its full flow)."""
    rain_dbfs: float | None = None
    """Level of rain."""
    rain_low_db: float = 0.0
    """Decibels of its part at 0.35 to 3.6 kHz over that at 6 to 11 kHz, density against density."""
    wind_dbfs: float | None = None
    """Level of wind."""
    shorts: tuple[Shorts, ...] = ()
    """Footsteps, knocks, speech, drops."""
    dropout: bool = False
    """The sensor gives digital silence."""


def surroundings(site: Site, day: float) -> Scene:
    """Return the scene of the surroundings alone, at a time in days since the noon of the installation."""
    at, variation = np.array([day]), site.variation
    return Scene(
        ambient_db=float(variation.level(at)[0] + site.ambient.rise_db((12 + 24 * at) % 24)[0]),
        shape_db=tuple(variation.shape_db(at)[0].tolist()),
        unsteady=float(variation.steadiness(at)[0]),
    )


def draw_scene(site: Site, rng: np.random.Generator, label: Label, snr_db: float | None = None, date: int = 0) -> Scene:
    """Draw a scene of a day (see `Variation` for dates).

    Other sounds are equally likely with and without a leak, so that they do not tell the label.
    """
    leak = rng.uniform(*SNR_DB) if snr_db is None else snr_db
    fixture = int(rng.integers(len(site.fixtures)))
    level = site.ambient.level_dbfs
    return replace(
        surroundings(site, date + rng.uniform(0, 1)),
        leak_db=leak if label == "Leak" else None,
        machines=tuple(
            k for k, machine in enumerate(site.machines) if rng.random() < min(0.6, machine.share) and machine.on_s
        ),
        uses=((fixture, rng.uniform(-15, 0)),) if label == "Use" else (),
        rain_dbfs=min(level + rng.uniform(-5, 20), -25.0) if rng.random() < 0.08 else None,
        rain_low_db=float(rng.uniform(*RAIN_LOW_DB)),
        wind_dbfs=min(level + rng.uniform(0, 20), -20.0) if rng.random() < 0.08 else None,
        shorts=(draw_shorts(site, rng),) if rng.random() < 0.3 else (),
    )


def draw_shorts(site: Site, rng: np.random.Generator) -> Shorts:
    """Draw a kind of short sounds, 6 to 40 dB over the surroundings at their peaks."""
    kind = SHORTS[int(rng.integers(len(SHORTS)))]
    rate = {"footsteps": (1.2, 2.2), "knocks": (0.1, 3), "speech": (1.5, 4), "drops": (0.2, 5)}[kind]
    peak = 10 ** ((site.ambient.level_dbfs + rng.uniform(6, 40)) / 20)
    return Shorts(kind, loguniform(rng, *rate), min(peak, 0.7))

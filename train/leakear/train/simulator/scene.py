"""The sounds present at one time: the input of the renderer, and random scenes for labelled clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leakear.train.simulator.ambient import SHORTS, Short
from leakear.train.simulator.site import Site
from leakear.train.simulator.units import loguniform

Label = Literal["Leak", "NoLeak", "Use"]
"""`Use` is water use: in one window it sounds like a leak."""
SNR_DB = (-10.0, 30.0)
"""Decibels over all stationary sound, in the sensor's pass band: the range of audible leaks."""


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
    """Decibels over the site's nightly surroundings."""
    leak_db: float | None = None
    """Decibels of the leak over the stationary sounds of the night, in the sensor's pass band."""
    machines: tuple[int, ...] = ()
    """Indices of the site's running machines; those that always run need not be listed."""
    uses: tuple[tuple[int, float], ...] = ()
    """(fixture, decibels against its full flow)."""
    rain_dbfs: float | None = None
    """Level of rain."""
    wind_dbfs: float | None = None
    """Level of wind."""
    shorts: tuple[Shorts, ...] = ()
    """Footsteps, knocks, speech, drops."""
    dropout: bool = False
    """The sensor gives digital silence."""


def draw_scene(site: Site, rng: np.random.Generator, label: Label, snr_db: float | None = None) -> Scene:
    """Draw a scene. Other sounds are equally likely with and without a leak, so that they do not tell the label."""
    leak = rng.uniform(*SNR_DB) if snr_db is None else snr_db
    fixture = int(rng.integers(len(site.fixtures)))
    level = site.ambient.level_dbfs
    return Scene(
        ambient_db=site.ambient.rise_db(rng.uniform(0, 24)),
        leak_db=leak if label == "Leak" else None,
        machines=tuple(k for k in range(len(site.machines)) if rng.random() < 0.6),
        uses=((fixture, rng.uniform(-15, 0)),) if label == "Use" else (),
        rain_dbfs=min(level + rng.uniform(-5, 20), -25.0) if rng.random() < 0.08 else None,
        wind_dbfs=min(level + rng.uniform(0, 20), -20.0) if rng.random() < 0.08 else None,
        shorts=(draw_shorts(site, rng),) if rng.random() < 0.3 else (),
    )


def draw_shorts(site: Site, rng: np.random.Generator) -> Shorts:
    """Draw a kind of short sounds, 6 to 40 dB over the surroundings at their peaks."""
    kind = SHORTS[int(rng.integers(len(SHORTS)))]
    rate = {"footsteps": (1.2, 2.2), "knocks": (0.1, 3), "speech": (1.5, 4), "drops": (0.2, 5)}[kind]
    peak = 10 ** ((site.ambient.level_dbfs + rng.uniform(6, 40)) / 20)
    return Shorts(kind, loguniform(rng, *rate), min(peak, 0.7))

"""How the surroundings of one site vary: level, spectrum, steadiness and rain as functions of time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from leakear.train.simulator.units import Array
from leakear.train.simulator.variation.processes import Series, drift, last_change

ANCHORS = 19
"""Frequencies, from 31 Hz upwards, between which a change of spectrum is linear in dB over log frequency."""
SPACING = 0.47
"""Octaves from one to the next."""
MINUTE_D, HOUR_D, DAY_D, WEEK_D, SEASON_D = 1.5 / 1440, 1.5 / 24, 0.3, 7.0, 90.0
"""Time constants, days."""
LEVEL_DB = (0.74, 1.1)
"""Level of the surroundings from night to night, dB: median of the sites' standard deviations, and the standard
deviation of its logarithm."""
LEVEL_WEEK = 1.15
"""The same from week to week, times as much."""
LEVEL_HOUR = 0.5
"""From hour to hour."""
LEVEL_SEASON = 0.3
"""From season to season."""
SHAPE_DB = (3.2, 1.15, 0.6, 0.6, 13.0)
"""Standard deviation of the spectrum at each anchor by time constant, dB: minute, hour, day, week, season."""
TAILS = 12.0
"""Degrees of freedom of the changes of spectrum: hardly more large ones than of a normal distribution."""
SHAPE_SPREAD = 0.3
"""Standard deviation of the logarithm of a site's factor on it."""
CHANGES_PER_DAY = 1 / 45
"""Lasting changes of the surroundings: traffic that is re-routed, building, new neighbours."""
CHANGE_DB = (2.1, 11.0)
"""Of such a change: Laplace scale of the level, standard deviation of the spectrum at each anchor, dB."""
STEADINESS = 0.06
"""Standard deviation of the logarithm of the factor on their coming and going within minutes."""
KNOCKS_PER_DAY = 1 / 250
"""The sensor is knocked or mounted again: its response changes."""
KNOCK_DB = (2.0, 2.0)
"""Of such a change: standard deviation over the whole band and at each anchor, dB."""


@dataclass(frozen=True)
class Variation:
    """The variation of one site. Times are days since the installation's noon; a day (date) begins at noon."""

    seed: int
    """Of the site."""
    level_db: float
    """Standard deviation of the level from night to night, dB."""
    shape: float
    """Factor on the changes of spectrum."""
    lowest_hz: float
    """Hertz of the first anchor."""
    wet: tuple[float, float]
    """Rain: day of the year in which it is most frequent, and strength of the season (0 to 1)."""

    @classmethod
    def draw(cls, rng: np.random.Generator, seed: int) -> Variation:
        """Draw how a site varies."""
        return cls(
            seed=seed,
            level_db=float(LEVEL_DB[0] * np.exp(rng.normal(0, LEVEL_DB[1]))),
            shape=float(np.exp(rng.normal(0, SHAPE_SPREAD))),
            lowest_hz=float(31 * 2 ** rng.uniform(-SPACING / 2, SPACING / 2)),
            wet=(float(rng.uniform(0, 365)), float(rng.uniform(0, 1))),
        )

    def level(self, days: Series) -> Series:
        """Return the level of the surroundings over what it was at the installation, shape (n,), dB."""
        parts = (
            (1, DAY_D, 1.0),
            (2, WEEK_D, LEVEL_WEEK),
            (3, HOUR_D, LEVEL_HOUR),
            (4, SEASON_D, LEVEL_SEASON),
        )
        out = sum(share * drift((self.seed, tag), days, tau)[:, 0] for tag, tau, share in parts)
        return np.asarray(self.level_db * out + self._changes(days)[:, 0])

    def shape_db(self, days: Series) -> Series:
        """Return the change of the spectrum at the anchors, shape (n, ANCHORS), dB."""
        parts = zip((15, 11, 12, 13, 14), (MINUTE_D, HOUR_D, DAY_D, WEEK_D, SEASON_D), SHAPE_DB, strict=True)
        out = sum(db * drift((self.seed, tag), days, tau, columns=ANCHORS, tails=TAILS) for tag, tau, db in parts)
        return np.asarray(self.shape * (out + self._changes(days)[:, 1:]))

    def steadiness(self, days: Series) -> Series:
        """Return the factor on the surroundings' coming and going within minutes, shape (n,)."""
        return np.asarray(np.exp(STEADINESS * drift((self.seed, 21), days, DAY_D)[:, 0]))

    def rain_chance(self, date: int) -> float:
        """Return the chance that it rains on a day: wet seasons and wet weeks."""
        peak, strength = self.wet
        season = strength * np.cos(2 * np.pi * (date - peak) / 365)
        week = drift((self.seed, 22), np.array([date], np.float64), 4.0)[0, 0]
        return float(np.clip(0.14 * np.exp(season + 0.7 * week), 0.01, 0.8))

    def mount_db(self, date: int) -> Series:
        """Return the change of the sensor's response at the anchors since the installation, shape (ANCHORS,), dB."""
        day = last_change((self.seed, 31), date, KNOCKS_PER_DAY)
        if day == 0:
            return np.zeros(ANCHORS)
        rng = np.random.default_rng([self.seed, 32, day])
        return np.asarray(rng.normal(0, KNOCK_DB[0]) + rng.normal(0, KNOCK_DB[1], ANCHORS))

    def curve(self, f: Array, anchors_db: Series) -> Array:
        """Return the power gain against frequency of values at the anchors, shape of `f`."""
        octaves = np.log2(f / self.lowest_hz)
        return np.asarray(10 ** (np.interp(octaves, SPACING * np.arange(ANCHORS), anchors_db) / 10), np.float32)

    def _changes(self, days: Series) -> Series:
        """Return level and spectrum since the last lasting change, shape (n, 1 + ANCHORS), dB."""
        dates = np.floor(days).astype(int)
        return np.stack([_change(self.seed, date) for date in range(dates.min(), dates.max() + 1)])[dates - dates.min()]


@lru_cache(maxsize=4096)
def _change(seed: int, date: int) -> Series:
    day = last_change((seed, 5), date, CHANGES_PER_DAY)
    rng = np.random.default_rng([seed, 6, day])
    level, shape = rng.laplace(0, CHANGE_DB[0], 1), rng.normal(0, CHANGE_DB[1], ANCHORS)
    return np.concatenate([level, shape]) if day else np.zeros(1 + ANCHORS)

"""Excess of sound over the background: from date to date, from half-hour to half-hour, within one recording.

The excess is the node's own (`edge/background`). Dates and halves are measured from real recordings by the same code.
The real half-hours are those of one sensor beside a machine over five days; only its figures are known.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from leakear.edge.audio.recordings import read_wav
from leakear.edge.background.matching import BackgroundMatcher
from leakear.edge.background.third_octaves import CENTRES_HZ, Bands, quiet_levels
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram.short_spectra import short_powers
from leakear.train.realism.expected import ExpectedLevels
from leakear.train.simulator.day import Day, first_date
from leakear.train.simulator.site import Site
from leakear.train.simulator.units import HOP, RATE, Array

SPEC = SpectrogramSpec(reference="full-scale")
WINDOW = 10 * RATE
"""Samples of a recording that are compared."""
MORNING_S = 23.75 * 3600
"""Seconds after noon: 11:45, when most of the real recordings were made."""
LIMITS_DB = (0.85, 2.0, 6.0)
HALF_HOUR_S = 1800.0
LEARNED = 96
"""Half-hours heard before the first is judged: two days."""
LATE = 24
"""Newest half-hours that the background does not hold yet."""
HOURS_DAYS = 5
REAL_HOURS = (0.65, 1.1, (22, 29))
"""Of the real sensor: median and 95th percentile of the excess, dB; percentage of half-hours from 0.85 dB on."""


Excesses: TypeAlias = npt.NDArray[np.float64]
"""Excess of each recording or half-hour, shape (n,), dB."""


@dataclass(frozen=True)
class Recorded:
    """A site's recordings of several dates."""

    site: str
    sounds: tuple[Array, ...]
    days: tuple[int, ...]
    """Days of the recordings since the first."""


@dataclass(frozen=True)
class DateFigures:
    """Excess of each recording over the other dates of its site, and of second halves over first ones, dB."""

    excess: Excesses
    many: Excesses
    """Those of the sites with ten dates or more."""
    halves: Excesses


def real(data: Path) -> list[Recorded]:
    """Read the recordings without a leak below `data`/hk-noise-loggers."""
    found: dict[str, list[tuple[int, Array]]] = defaultdict(list)
    folder = data / "hk-noise-loggers"
    with (folder / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if row["label"] == "NoLeak":
                when = date.fromisoformat(f"{row['date'][:4]}-{row['date'][4:6]}-{row['date'][6:]}").toordinal()
                found[row["site"]].append((when, read_wav(folder / row["path"], SPEC)))
    return [_recorded(site, sorted(rows, key=lambda row: row[0])) for site, rows in sorted(found.items())]


def _recorded(site: str, rows: Sequence[tuple[int, Array]]) -> Recorded:
    return Recorded(site, tuple(sound for _, sound in rows), tuple(when - rows[0][0] for when, _ in rows))


def simulated(like: Sequence[Recorded], seeds: Iterator[int]) -> list[Recorded]:
    """Make the recordings of as many simulated loggers, with the same days between them and lengths."""
    made = []
    for real_site in like:
        site = next(site for site in map(Site.draw, seeds) if site.sensor.kind == "logger")
        start = first_date(site, 0)
        lengths = [len(sound) / RATE for sound in real_site.sounds]
        sounds = [morning(site, start + day, length) for day, length in zip(real_site.days, lengths, strict=True)]
        made.append(Recorded(site.name, tuple(sounds), real_site.days))
    return made


def morning(site: Site, when: int, seconds: float) -> Array:
    """Make the sound of a site at 11:45 of a date, without a leak, samples (n,)."""
    day = Day(site, 0, leak=False, date=when)
    size = round(seconds * RATE)
    first = int(MORNING_S * RATE / HOP)
    return np.concatenate([day.render(first + k) for k in range(-(-size // HOP))])[:size]


def levels(sound: Array) -> Bands:
    """Return the third octaves of a sound's quiet moments, shape (25,), dB."""
    return quiet_levels(short_powers(sound, SPEC), SPEC)


def date_figures(sites: Sequence[Recorded]) -> DateFigures:
    """Hold each recording against the others of its site, and each second half against its first."""
    every, many, halves = [], [], []
    for site in sites:
        rows = [levels(sound[:WINDOW]) for sound in site.sounds]
        for k in range(len(rows)) if len(rows) > 1 else ():
            others = np.array([row for j, row in enumerate(rows) if j != k])
            every.append(BackgroundMatcher(others).match(rows[k]).excess_db)
            many += every[-1:] if len(rows) >= 10 else []
        for sound in site.sounds:
            first, second = levels(sound[: len(sound) // 2]), levels(sound[len(sound) // 2 :])
            halves.append(BackgroundMatcher(first[None]).match(second).excess_db)
    return DateFigures(np.array(every), np.array(many), np.array(halves))


def half_hours(seed: int, days: int = HOURS_DAYS, without: Collection[str] = ("use", "rain", "wind")) -> Excesses:
    """Return the excess of each half-hour after the first two days over all half-hours known by then, shape (n,), dB.

    Each half-hour's levels are the median over moments a minute apart, without the randomness of noise. Use and weather
    are left out: the real sensor stood beside a machine.
    """
    site = Site.draw(seed)
    start = first_date(site, 0)
    rows = np.concatenate([_medians(Day(site, 0, leak=False, date=start + k), without) for k in range(days)])
    judged = range(LEARNED, len(rows))
    return np.array([BackgroundMatcher(rows[: k - LATE]).match(rows[k]).excess_db for k in judged])


def _medians(day: Day, without: Collection[str]) -> npt.NDArray[np.float32]:
    bands = ExpectedLevels(day, without).third_octaves(np.arange(0, 86400, 60.0))
    medians = np.median(bands.reshape(-1, round(HALF_HOUR_S / 60), len(CENTRES_HZ)), axis=1)
    return np.asarray(medians, np.float32)

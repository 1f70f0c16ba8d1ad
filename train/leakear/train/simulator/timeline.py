"""Events of a day at a site, drawn at random: the ground truth for evaluating a detector."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from leakear.train.simulator.scene import RAIN_LOW_DB, SNR_DB, draw_shorts
from leakear.train.simulator.site import Site
from leakear.train.simulator.units import loguniform

DAY_S = 86400.0
"""Seconds of a node-day."""
START_HOUR = 12.0
"""Local hour at which a node-day begins: noon, so that it contains a whole night."""
LONGEST_USE_S = 1500.0
"""Seconds of a household's longest use of water."""
LONG_USE_S = (600.0, 8 * 3600.0)
"""Seconds of irrigation, a pool that is filled, a valve that runs."""
EVENING_S = (5 * 3600.0, 13 * 3600.0)
"""Seconds after noon between which a machine begins that runs through the night."""
ONSET_S = (900.0, 14 * 3600.0)
"""Seconds after noon between which a leak begins: 12:15 to 02:00."""
LOUDEST_WEATHER_DBFS = -22.0
"""Level of the heaviest rain and the strongest wind."""
_BUSY = np.array([1, 0.5, 0.3, 0.2, 0.3, 1.5, 5, 7, 5, 3, 2.5, 2.5, 3, 2.5, 2, 2, 3, 4.5, 6, 6, 5, 4, 3, 2])
"""Relative activity of a household by hour of the day."""
_BUSY_UP_TO = np.cumsum(_BUSY) / _BUSY.sum()


@dataclass(frozen=True)
class Event:
    """A sound with a start and an end."""

    kind: str
    """leak, use, short, rain, wind, vehicle, dropout, or machine."""
    start_s: float
    """Seconds after the day began."""
    end_s: float
    """Seconds after the day began."""
    detail: dict[str, Any] = field(default_factory=dict)
    """Values that depend on the kind: snr_db, fixture, flow_db, machine, name, level_dbfs, db, per_s, peak."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of a truth file."""
        flat = asdict(self)
        detail = flat.pop("detail")
        return {key: round(v, 3) if isinstance(v, float) else v for key, v in (flat | detail).items()}


def draw_events(
    site: Site, rng: np.random.Generator, date: int, *, leak: bool, snr_db: float | None = None
) -> list[Event]:
    """Draw the events of a day in order of their beginning. `site` is the site as it is on that day."""
    events = [
        *_uses(site, rng),
        *_long_uses(site, rng),
        *_machines(site, rng),
        *_shorts(site, rng),
        *_vehicles(rng),
        *_weather(site, rng, date),
        *_dropouts(rng),
    ]
    if leak:
        events.append(_leak(rng, snr_db))
    return sorted(events, key=lambda event: event.start_s)


def pressure(seconds: float, dip: float) -> float:
    """Return pressure relative to the night's, 1 − dip at the busiest hours: it falls when people use water."""
    hour = (START_HOUR + seconds / 3600) % 24
    day = max(0.0, float(np.sin(np.pi * (hour - 5) / 18)))
    return 1 - dip * day


def _leak(rng: np.random.Generator, snr_db: float | None) -> Event:
    """Draw a leak that stays to the end of the day, or, one in five, is repaired after six hours or more."""
    onset = float(rng.uniform(*ONSET_S))
    end = float(rng.uniform(onset + 6 * 3600, DAY_S)) if rng.random() < 0.2 else DAY_S
    level = float(rng.uniform(*SNR_DB)) if snr_db is None else snr_db
    return Event("leak", onset, end, {"snr_db": level, "pressure_dip": float(rng.uniform(0, 0.3))})


def _busy_time(rng: np.random.Generator) -> float:
    """Draw a time, seconds after noon, more often in busy hours."""
    hour = int(np.searchsorted(_BUSY_UP_TO, rng.random())) + rng.random()
    return float((hour - START_HOUR) % 24 * 3600)


def _uses(site: Site, rng: np.random.Generator) -> list[Event]:
    """Draw 10 to 60 uses: mostly under a minute, one to five of 5 to 25 minutes, some with changes of flow.

    The outlet and its valve thump stay the same; only how far it is opened differs.
    """
    lengths = [loguniform(rng, 5, 240) for _ in range(rng.integers(10, 56))]
    lengths += [loguniform(rng, 300, LONGEST_USE_S) for _ in range(rng.integers(1, 6))]
    events = []
    for length in lengths:
        start, fixture = _busy_time(rng), int(rng.integers(len(site.fixtures)))
        events += _flow_steps(rng, start, min(start + length, DAY_S), fixture)
    return events


def _long_uses(site: Site, rng: np.random.Generator) -> list[Event]:
    """Draw uses of ten minutes to eight hours at any hour, each at one flow."""
    events = []
    for _ in range(rng.poisson(site.habits.long_per_day)):
        start, fixture = float(rng.uniform(0, DAY_S)), int(rng.integers(len(site.fixtures)))
        end = min(start + loguniform(rng, *LONG_USE_S), DAY_S)
        detail = {"fixture": fixture, "flow_db": float(rng.uniform(-20, -2)), "began_s": start, "ended_s": end}
        events.append(Event("use", start, end, detail | {"name": "long"}))
    return events


def _flow_steps(rng: np.random.Generator, start: float, end: float, fixture: int) -> list[Event]:
    """Divide one use into one to three parts with different flow."""
    cuts = np.sort(rng.uniform(start, end, rng.integers(0, 3)))
    edges = [start, *cuts.tolist(), end]
    return [
        Event(
            "use", a, b, {"fixture": fixture, "flow_db": float(rng.uniform(-12, 0)), "began_s": start, "ended_s": end}
        )
        for a, b in pairwise(edges)
    ]


def _machines(site: Site, rng: np.random.Generator) -> list[Event]:
    """Draw the runs of each machine that does not always run; each run and pause differs by up to a fifth."""
    events = []
    for k, machine in enumerate(site.machines):
        if machine.on_s == 0:
            continue
        t = 0.0 if machine.always else float(rng.uniform(-machine.on_s, machine.off_s))
        if machine.nightly:
            start = float(rng.uniform(*EVENING_S))
            detail = {"machine": k, "name": machine.kind}
            events.append(Event("machine", start, min(start + machine.on_s, DAY_S), detail))
            continue
        while t < DAY_S:
            end = DAY_S if machine.always else t + machine.on_s * rng.uniform(0.8, 1.2)
            if end > 0:
                events.append(Event("machine", max(t, 0.0), min(end, DAY_S), {"machine": k, "name": machine.kind}))
            t = end + machine.off_s * rng.uniform(0.8, 1.2)
    return events


def _shorts(site: Site, rng: np.random.Generator) -> list[Event]:
    events = []
    for _ in range(rng.integers(10, 60)):
        start, shorts = _busy_time(rng), draw_shorts(site, rng)
        detail = {"name": shorts.kind, "per_s": shorts.per_s, "peak": shorts.peak}
        events.append(Event("short", start, min(start + loguniform(rng, 5, 900), DAY_S), detail))
    return events


def _vehicles(rng: np.random.Generator) -> list[Event]:
    """Draw vehicles that pass: 3 to 12 dB more traffic noise for 4 to 20 seconds."""
    count = int(loguniform(rng, 10, 600))
    hours = np.searchsorted(_BUSY_UP_TO, rng.random(count)) + rng.random(count)
    starts = (hours - START_HOUR) % 24 * 3600
    ends = np.minimum(starts + rng.uniform(4, 20, count), DAY_S)
    columns = zip(starts.tolist(), ends.tolist(), rng.uniform(3, 12, count).tolist(), strict=True)
    return [Event("vehicle", start, end, {"db": db}) for start, end, db in columns]


def _weather(site: Site, rng: np.random.Generator, date: int) -> list[Event]:
    """Draw rain, ten minutes to twelve hours of it, more often in wet seasons; and wind one day in five, up to four."""
    events = []
    if rng.random() < site.variation.rain_chance(date):
        start = float(rng.uniform(0, DAY_S))
        level = site.ambient.level_dbfs + rng.uniform(0, 20)
        events += _rain(rng, start, min(start + loguniform(rng, 600, 43200), DAY_S), level)
    if rng.random() < 0.2:
        start = float(rng.uniform(0, DAY_S))
        level = min(site.ambient.level_dbfs + rng.uniform(0, 20), LOUDEST_WEATHER_DBFS)
        end = min(start + loguniform(rng, 600, 14400), DAY_S)
        events.append(Event("wind", start, end, {"level_dbfs": float(level)}))
    return events


def _rain(rng: np.random.Generator, start: float, end: float, level_dbfs: float) -> list[Event]:
    """Divide rain into parts of 3 to 20 minutes, each with its own level."""
    spread_db, low_db, events = float(rng.uniform(1, 5)), float(rng.uniform(*RAIN_LOW_DB)), []
    mean_dbfs = min(level_dbfs, LOUDEST_WEATHER_DBFS - 2 * spread_db)  # else the limit below would make it steady
    while start < end:
        till = min(start + float(rng.uniform(180, 1200)), end)
        level = min(mean_dbfs + float(rng.normal(0, spread_db)), LOUDEST_WEATHER_DBFS)
        events.append(Event("rain", start, till, {"level_dbfs": level, "low_db": low_db}))
        start = till
    return events


def _dropouts(rng: np.random.Generator) -> list[Event]:
    """Draw, one day in ten, a cable that fails for 10 seconds to 20 minutes."""
    if rng.random() > 0.1:
        return []
    start = float(rng.uniform(0, DAY_S))
    return [Event("dropout", start, min(start + loguniform(rng, 10, 1200), DAY_S))]

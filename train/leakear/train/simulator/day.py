"""A node-day: one day of sound at a site as a stream of blocks, with the list of events in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from leakear.edge.audio.blocks import Block
from leakear.train.simulator import timeline
from leakear.train.simulator.flow import own_band
from leakear.train.simulator.jet import level_change_db
from leakear.train.simulator.noise import mixed
from leakear.train.simulator.render import Renderer
from leakear.train.simulator.scene import NIGHT_D, Scene, Shorts, surroundings
from leakear.train.simulator.site import Site
from leakear.train.simulator.timeline import DAY_S, START_HOUR, Event
from leakear.train.simulator.units import HOP, RATE, Array, dbfs

FIRST_DATES = 700
"""A day without a date is one of the first so many after the installation."""
MOMENT_S = 30.0
"""Seconds between changes of the surroundings' level and spectrum."""


class Day:
    """One day at one site. Equal arguments give equal days, sample for sample."""

    def __init__(
        self,
        site: Site,
        seed: int,
        *,
        leak: bool,
        snr_db: float | None = None,
        date: int | None = None,
        leak_of: Day | None = None,
        leak_from_s: float = 0.0,
    ) -> None:
        """Draw the day that begins `date` days after the noon of the installation; None: one drawn from the seed.

        Days of one seed with successive dates are one history of the place, and one sound. `leak_of`: an earlier day
        whose leak sounds in this day from `leak_from_s` to its end, at the level it had.
        """
        self.date = first_date(site, seed) if date is None else date
        self.site = site.on(self.date)
        """The site as it is on that day."""
        self.seed = seed
        rng = np.random.default_rng([site.seed, seed, self.date, 0xDA1])
        self.events = timeline.draw_events(self.site, rng, self.date, leak=leak, snr_db=snr_db)
        self._leak_of = leak_of
        if leak_of is not None and leak_of.leak is not None:
            goes_on = replace(leak_of.leak, start_s=leak_from_s, end_s=DAY_S)
            self.events = [goes_on, *(event for event in self.events if event.kind != "leak")]
        self._last: tuple[int, list[Event], Scene] | None = None

    @cached_property
    def _renderer(self) -> Renderer:
        seed = mixed(self.site.seed, self.seed) >> 24
        return Renderer(self.site, seed, first=self.date * self.stretches, night=self.night)

    @property
    def night(self) -> Scene:
        """The surroundings of the night against which the leak's level is set."""
        if self._leak_of is not None:
            return self._leak_of.night
        return surroundings(self.site, self.date + NIGHT_D)

    @cached_property
    def _surroundings(self) -> list[Scene]:
        """The surroundings every MOMENT_S of the day."""
        seconds = np.arange(int(DAY_S / MOMENT_S) + 1, dtype=np.float64) * MOMENT_S
        days, variation = self.date + seconds / DAY_S, self.site.variation
        level = variation.level(days) + self.site.ambient.rise_db((START_HOUR + seconds / 3600) % 24)
        columns = level.tolist(), variation.shape_db(days).tolist(), variation.steadiness(days).tolist()
        return [Scene(ambient_db=db, shape_db=tuple(s), unsteady=u) for db, s, u in zip(*columns, strict=True)]

    @cached_property
    def _active(self) -> Mapping[int, list[Event]]:
        """The events of each stretch."""
        active: dict[int, list[Event]] = defaultdict(list)
        for event in self.events:
            for index in range(int(event.start_s * RATE / HOP), int(event.end_s * RATE / HOP) + 1):
                active[index].append(event)
        return active

    @property
    def leak(self) -> Event | None:
        """The leak of this day; None without one."""
        return next((event for event in self.events if event.kind == "leak"), None)

    @property
    def stretches(self) -> int:
        """Number of stretches in the day."""
        return -(-round(DAY_S * RATE) // HOP)

    def scene(self, index: int) -> Scene:
        """Return the sounds of stretch `index`."""
        seconds = index * HOP / RATE
        moment = min(int(seconds / MOMENT_S), len(self._surroundings) - 1)
        active = self._active.get(index, [])
        if self._last is None or self._last[:2] != (moment, active):
            scene = self._surroundings[moment]
            for event in active:
                scene = _with(scene, event, seconds)
            self._last = moment, active, scene
        return self._last[2]

    def render(self, index: int) -> Array:
        """Make samples (HOP,) of stretch `index`, valve thumps included."""
        out = self._renderer.render(index, self.scene(index))
        begun = [e for e in self._active.get(index, ()) if e.kind == "use" and e.detail["began_s"] == e.start_s]
        for event in begun:
            if int(event.start_s * RATE / HOP) == index:
                out = out + self._thump(event)
        return out

    def blocks(
        self,
        *,
        hours: tuple[float, float] = (0.0, 24.0),
        utc: float = START_HOUR * 3600,
        window_s: float = 10.0,
        step_s: float = 10.0,
        heard_s: float = 0.0,
    ) -> Iterator[Block]:
        """Stream the day, or `hours` of it after its beginning. `utc`: POSIX seconds of the day's beginning.

        When a node takes a window of `window_s` every `step_s` seconds, the sound between windows is not used and is
        returned as zeros instead of being computed. `heard_s`: seconds of sound that the node got before.
        """
        silence = np.zeros(HOP, np.float32)
        first, last = (round(hour * 3600 * RATE / HOP) for hour in hours)
        for index in range(first, min(last, self.stretches)):
            start = index * HOP / RATE
            since = (heard_s + (index - first) * HOP / RATE) % step_s
            heard = step_s <= window_s or since < window_s or since + HOP / RATE > step_s
            samples = self.render(index) if heard else silence
            yield Block((index - first) * HOP, samples, utc + start, start)

    def truth(self) -> dict[str, Any]:
        """Return a description of the day as JSON: the site, the leak's own band, all events."""
        spectra, leak = self._renderer.spectra, self.leak
        where = own_band(spectra.leak)
        return {
            "schema": 1,
            "site": self.site.name,
            "seed": self.seed,
            "date": self.date,
            "seconds": DAY_S,
            "start_hour": START_HOUR,
            "sensor": self.site.sensor.kind,
            "material": self.site.pipe.material,
            "self_noise_dbfs": round(self.site.sensor.noise_dbfs, 1),
            "stationary_dbfs": round(dbfs(float(spectra.stationary.sum())), 1),
            "leak_own_band_hz": [round(float(spectra.f[where][0])), round(float(spectra.f[where][-1]))],
            "jet": {"pressure_bar": self.site.leak.jet.pressure_bar, "hole_mm": self.site.leak.jet.hole_mm},
            "machines": [machine.kind for machine in self.site.machines if machine.on_s],
            "leak_own_band_snr_db": None if leak is None else round(spectra.own_band_snr_db(leak.detail["snr_db"]), 1),
            "events": [event.to_json() for event in self.events],
        }

    def _thump(self, event: Event) -> Array:
        """Make the pressure shock of a tap that opens, samples (HOP,)."""
        fixture = event.detail["fixture"]
        rms = float(np.sqrt(self._renderer.spectra.fixtures[fixture].sum()))
        t = np.arange(HOP) / RATE
        ring = np.exp(-t / 0.06) * np.sin(2 * np.pi * (40 + 30 * fixture) * t)
        return np.asarray(min(6 * rms, 0.5) * ring, np.float32)


def first_date(site: Site, seed: int) -> int:
    """Return the date of a day for which none was given."""
    return int(np.random.default_rng([site.seed, seed, 0xDA7]).integers(FIRST_DATES))


def _with(scene: Scene, event: Event, seconds: float) -> Scene:
    """Return the scene with an event added."""
    return replace(scene, **_CHANGES[event.kind](scene, event.detail, seconds))


def _leak(_: Scene, detail: dict[str, Any], seconds: float) -> dict[str, Any]:
    ratio = timeline.pressure(seconds, detail["pressure_dip"])
    return {"leak_db": detail["snr_db"] + level_change_db(ratio)}


def _shorts(scene: Scene, detail: dict[str, Any], _: float) -> dict[str, Any]:
    return {"shorts": (*scene.shorts, Shorts(detail["name"], detail["per_s"], detail["peak"]))}


_CHANGES: Mapping[str, Callable[[Scene, dict[str, Any], float], dict[str, Any]]] = {
    "leak": _leak,
    "short": _shorts,
    "use": lambda scene, detail, _: {"uses": (*scene.uses, (detail["fixture"], detail["flow_db"]))},
    "machine": lambda scene, detail, _: {"machines": (*scene.machines, detail["machine"])},
    "vehicle": lambda scene, detail, _: {"ambient_db": scene.ambient_db + detail["db"]},
    "rain": lambda _, detail, __: {"rain_dbfs": detail["level_dbfs"], "rain_low_db": detail["low_db"]},
    "wind": lambda _, detail, __: {"wind_dbfs": detail["level_dbfs"]},
    "dropout": lambda _, __, ___: {"dropout": True},
}

"""A node-day: one day of sound at a site as a stream of blocks, with the list of events in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from leakear.edge.audio.blocks import Block
from leakear.train.simulator import timeline
from leakear.train.simulator.flow import own_band
from leakear.train.simulator.jet import level_change_db
from leakear.train.simulator.render import Renderer
from leakear.train.simulator.scene import Scene, Shorts
from leakear.train.simulator.site import Site
from leakear.train.simulator.timeline import DAY_S, START_HOUR, Event
from leakear.train.simulator.units import HOP, RATE, Array, dbfs

DAY_TO_DAY_DB = 1.5
"""Standard deviation of the background level from day to day, dB."""


class Day:
    """One day at one site. Equal arguments give equal days, sample for sample."""

    def __init__(self, site: Site, seed: int, *, leak: bool, snr_db: float | None = None) -> None:
        self.site = site
        self.seed = seed
        rng = np.random.default_rng([site.seed, seed, 0xDA1])
        self.events = timeline.draw_events(site, rng, leak=leak, snr_db=snr_db)
        self._renderer = Renderer(site, int(rng.integers(2**40)))
        self._day_level_db = float(np.random.default_rng([site.seed, seed, 0xDA7]).normal(0, DAY_TO_DAY_DB))
        self._active: dict[int, list[Event]] = defaultdict(list)
        for event in self.events:
            for index in range(int(event.start_s * RATE / HOP), int(event.end_s * RATE / HOP) + 1):
                self._active[index].append(event)

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
        rise = self.site.ambient.rise_db((START_HOUR + seconds / 3600) % 24)
        scene = Scene(ambient_db=rise + self._day_level_db)
        for event in self._active.get(index, ()):
            scene = _with(scene, event, seconds)
        return scene

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
            "seconds": DAY_S,
            "start_hour": START_HOUR,
            "sensor": self.site.sensor.kind,
            "material": self.site.pipe.material,
            "self_noise_dbfs": round(self.site.sensor.noise_dbfs, 1),
            "stationary_dbfs": round(dbfs(float(spectra.stationary.sum())), 1),
            "leak_own_band_hz": [round(float(spectra.f[where][0])), round(float(spectra.f[where][-1]))],
            "jet": {"pressure_bar": self.site.leak.jet.pressure_bar, "hole_mm": self.site.leak.jet.hole_mm},
            "machines": [machine.kind for machine in self.site.machines],
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
    "rain": lambda _, detail, __: {"rain_dbfs": detail["level_dbfs"]},
    "wind": lambda _, detail, __: {"wind_dbfs": detail["level_dbfs"]},
    "dropout": lambda _, __, ___: {"dropout": True},
}

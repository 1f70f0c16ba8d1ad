"""Levels of a simulated day without its sound: what a node would measure, but for the randomness of noise.

Short sounds, bubbles, dropouts and the automatic gain are left out. A test holds these levels against those of sound.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from leakear.edge.background.third_octaves import CENTRES_HZ
from leakear.train.simulator import ambient
from leakear.train.simulator.day import Day
from leakear.train.simulator.jet import level_change_db
from leakear.train.simulator.render import Spectra, headroom_db
from leakear.train.simulator.timeline import DAY_S, START_HOUR, Event, pressure
from leakear.train.simulator.units import BLOCK, HOP, RATE, Array, power, ratio
from leakear.train.simulator.variation.variation import ANCHORS, SPACING

Series: TypeAlias = npt.NDArray[np.float64]
"""One value a moment, shape (n,), or a row of cells a moment, shape (n, cells)."""
Mask: TypeAlias = npt.NDArray[np.bool_]
"""Bins that count, shape (bins,)."""
CELLS = 3
"""Cells in a third octave, within which a change of the surroundings' spectrum is constant."""
COARSE = BLOCK // 8
"""Points of the transform whose bins are summed."""


class ExpectedLevels:
    """The expected levels of one day."""

    def __init__(self, day: Day, without: Collection[str] = ()) -> None:
        """Prepare a day, `without` events of some kinds."""
        self.day = day
        self._events = [event for event in day.events if event.kind not in without]
        self._spectra = Spectra(day.site, day.night, COARSE)
        self._rounding = 4.0 ** (1 - day.site.sensor.bits) / 12  # power of the converter's error
        octaves = np.log2(_centres() / day.site.variation.lowest_hz)
        anchors = SPACING * np.arange(ANCHORS)
        self._between = np.stack([np.interp(octaves, anchors, row) for row in np.eye(ANCHORS)])
        self._band = day.site.sensor.band(self._spectra.f)

    def third_octaves(self, seconds: Series, *, over_s: float | None = None) -> Series:
        """Return the levels of the third octaves, shape (n, 25), dB. `over_s`: see `power`."""
        cells = self.power(seconds, over_s=over_s)[:, 1:-1]
        bands = cells.reshape(len(cells), len(CENTRES_HZ), CELLS).sum(axis=2)
        return np.asarray(10 * np.log10(2 * bands + 1e-14))

    def level(self, seconds: Series) -> Series:
        """Return the mean level of ten seconds in the sensor's whole band, shape (n,), dBFS."""
        return np.asarray(10 * np.log10(2 * self.power(seconds, over_s=10.0, in_band=True).sum(axis=1)))

    def power(self, seconds: Series, *, over_s: float | None, in_band: bool = False) -> Series:
        """Return the power in each cell at times after the day's beginning, shape (n, cells).

        `over_s`: with the surroundings' coming and going within minutes, as its mean over so many seconds; None:
        without it. `in_band`: of the sensor's band only.
        """
        spectra, where = self._spectra, self._band if in_band else None
        coarse = np.float32(self._rounding / spectra.f.size)
        total = _cells(spectra.self_noise + coarse, where) + self._surroundings(seconds, over_s, where)
        for k, machine in enumerate(self.day.site.machines):
            if machine.always:
                total = total + _cells(spectra.machine(k), where)
        for event in self._events:
            if event.end_s <= seconds[0] or event.start_s > seconds[-1] or event.kind not in _ADDED:
                continue
            now = (seconds >= event.start_s) & (seconds < event.end_s)
            total[now] += _ADDED[event.kind](self, event, seconds[now], where)
        return total

    def _surroundings(self, seconds: Series, over_s: float | None, where: Mask | None) -> Series:
        site = self.day.site
        days = self.day.date + seconds / DAY_S
        level = site.variation.level(days)
        level += site.ambient.rise_db((START_HOUR + seconds / 3600) % 24)
        if over_s is not None:
            # one sound without a break: its time is that of the stretches since the installation
            phases, start = ambient.phases(site.seed), self.day.date * self.day.stretches * HOP / RATE
            swings = ambient.unrest(start + seconds, phases, over_s)
            level += site.variation.steadiness(days) * site.ambient.unsteady_db * swings
        for event in self._events:
            if event.kind == "vehicle" and event.end_s > seconds[0] and event.start_s <= seconds[-1]:
                level[(seconds >= event.start_s) & (seconds < event.end_s)] += event.detail["db"]
        whole, heard = _cells(self._spectra.ambient, None), _cells(self._spectra.ambient, self._band)
        gains = 10 ** (site.variation.shape_db(days) @ self._between / 10)
        kept = heard.sum() / (gains @ heard)
        cells = whole if where is None else heard
        return np.asarray(gains * cells * (kept * 10 ** (level / 10))[:, None])

    def _machine(self, event: Event, _: Series, where: Mask | None) -> Series:
        machine = self.day.site.machines[event.detail["machine"]]
        return np.float64(not machine.always) * _cells(self._spectra.machine(event.detail["machine"]), where)

    def _use(self, event: Event, _: Series, where: Mask | None) -> Series:
        return _cells(self._spectra.fixtures[event.detail["fixture"]], where) * ratio(event.detail["flow_db"])

    def _leak(self, event: Event, seconds: Series, where: Mask | None) -> Series:
        most = headroom_db(self._spectra.leak)
        dips = [level_change_db(pressure(s, event.detail["pressure_dip"])) for s in seconds]
        levels = np.minimum(event.detail["snr_db"] + np.array(dips), most)
        return np.asarray(10 ** (levels / 10)[:, None] * _cells(self._spectra.leak, where))

    def _rain(self, event: Event, _: Series, where: Mask | None) -> Series:
        return _cells(self._spectra.rain(event.detail["low_db"]), where) * power(event.detail["level_dbfs"])

    def _wind(self, event: Event, seconds: Series, where: Mask | None) -> Series:
        start = self.day.date * self.day.stretches * HOP / RATE
        gusts = power(event.detail["level_dbfs"]) * 10 ** (0.6 * np.sin(2 * np.pi * (start + seconds) / 47))
        return np.asarray(gusts[:, None] * _cells(self._spectra.wind, where))


_ADDED = {
    "machine": ExpectedLevels._machine,  # noqa: SLF001
    "use": ExpectedLevels._use,  # noqa: SLF001
    "leak": ExpectedLevels._leak,  # noqa: SLF001
    "rain": ExpectedLevels._rain,  # noqa: SLF001
    "wind": ExpectedLevels._wind,  # noqa: SLF001
}


@lru_cache(maxsize=1)
def _edges() -> npt.NDArray[np.float64]:
    """Hertz between the cells: one below the third octaves, CELLS in each of them, one above."""
    steps = np.arange(CELLS * len(CENTRES_HZ) + 1) / (3 * CELLS)
    return np.asarray(CENTRES_HZ[0] * 2 ** (-1 / 6) * 2.0**steps)


@lru_cache(maxsize=1)
def _centres() -> npt.NDArray[np.float64]:
    edges = _edges()
    return np.concatenate([edges[:1] * 0.8, np.sqrt(edges[1:] * edges[:-1]), [np.sqrt(edges[-1] * RATE / 2)]])


def _cells(per_bin: Array, where: Mask | None) -> Series:
    """Sum the power of bins into cells. A bin that lies across an edge is divided."""
    bins = per_bin.astype(np.float64) if where is None else np.where(where, per_bin, 0).astype(np.float64)
    width = RATE / 2 / (len(bins) - 1)
    below = np.concatenate([[0.0], np.cumsum(bins)])
    places = np.concatenate([[0.0], _edges() / width + 0.5, [len(bins)]])
    return np.asarray(np.diff(np.interp(places, np.arange(len(bins) + 1), below)))

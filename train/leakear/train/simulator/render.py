"""Renders the samples of a scene at a site."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np
import scipy.fft

from leakear.train.simulator import ambient
from leakear.train.simulator.flow import Flow, own_band
from leakear.train.simulator.noise import NoiseStream, mixed
from leakear.train.simulator.scene import Scene
from leakear.train.simulator.site import Site
from leakear.train.simulator.tones import Tones
from leakear.train.simulator.units import BLOCK, HOP, RATE, Array, dbfs, frequencies, power, ratio, scaled
from leakear.train.simulator.variation.variation import ANCHORS

LOUDEST_DBFS = -12.0
"""Level of the loudest flow: the installer's gain setting leaves this headroom, and the loudest real leaks have it."""


class Spectra:
    """A site's sounds as mean-square power per bin, each computed once."""

    def __init__(self, site: Site, night: Scene | None = None, block: int = BLOCK) -> None:
        """Compute them. `night`: the surroundings against which a leak is set; None: as at the installation."""
        self.site = site
        self.night = night or Scene()
        self.f = frequencies(block)
        self._installed = site.sensor.response(self.f)
        self.response = np.asarray(self._installed * self._mount(), np.float32)
        self.ringing = site.pipe.ringing(self.f)
        self.self_noise = site.sensor.self_noise(self.f)
        self.ambient = site.ambient.noise(self.f, self.ringing, self._installed) * self._mount()
        self.machines = tuple(machine.noise(self.f) * self.response for machine in site.machines)
        self.tones = tuple(tuple(self._heard(t) for t in machine.tones) for machine in site.machines)
        self._coloured: tuple[tuple[float, ...], Array] | None = None
        self._rain: tuple[float, Array] | None = None
        self.stationary = self._stationary()

    @cached_property
    def leak(self) -> Array:
        """The leak at 0 dB in the sensor's band against the night's stationary sounds."""
        return self.outlet(self.site.leak)

    @cached_property
    def leak_headroom_db(self) -> float:
        """Decibels to which the leak can be raised."""
        return headroom_db(self.leak)

    @cached_property
    def fixtures(self) -> tuple[Array, ...]:
        """Each fixture at full flow."""
        quiet = self.self_noise + self.site.ambient.noise(self.f, self.ringing, self._installed)
        pairs = zip(self.site.fixtures, self.site.fixture_db, strict=True)
        made = ((self._against(flow, quiet, self._installed) * self._mount(), db) for flow, db in pairs)
        return tuple(noise * np.float32(ratio(min(db, headroom_db(noise)))) for noise, db in made)

    def coloured(self, shape_db: tuple[float, ...]) -> Array:
        """Return the surroundings with another spectrum, and the level in the sensor's band that they had."""
        if not shape_db:
            return self.ambient
        if self._coloured is None or self._coloured[0] != shape_db:
            changed = self.ambient * self.site.variation.curve(self.f, np.array(shape_db))
            where = self.site.sensor.band(self.f)
            level = np.float32(self.ambient[where].sum() / changed[where].sum())
            self._coloured = shape_db, np.asarray(changed * level, np.float32)
        return self._coloured[1]

    def rain(self, low_db: float) -> Array:
        """Rain of unit power; `low_db`: see `Scene`."""
        if self._rain is None or self._rain[0] != low_db:
            self._rain = low_db, scaled(ambient.rain(self.f, low_db) * self.response, 1.0)
        return self._rain[1]

    @cached_property
    def wind(self) -> Array:
        """Wind of unit power."""
        return scaled(ambient.wind(self.f) * self.response, 1.0)

    def outlet(self, flow: Flow) -> Array:
        """Power per bin of an outlet at 0 dB in the sensor's band against the night's stationary sounds."""
        return self._against(flow, self.stationary, self.response)

    def _against(self, flow: Flow, noise: Array, response: Array) -> Array:
        """Power per bin of an outlet at 0 dB in the sensor's band against a noise."""
        shape = flow.shape(self.f, self.site.pipe) * response
        where = self.site.sensor.band(self.f)
        return np.asarray(shape * np.float32(noise[where].sum() / shape[where].sum()), np.float32)

    def _mount(self) -> Array:
        """Return the change of the response since the installation, as a power gain."""
        return self.site.variation.curve(self.f, np.array(self.site.mount_db or (0.0,) * ANCHORS))

    def own_band_snr_db(self, snr_db: float) -> float:
        """Turn a leak's decibels in the sensor's band into those in the middle 90 % of its own power."""
        where = own_band(self.leak)
        return snr_db + float(10 * np.log10(self.leak[where].sum() / self.stationary[where].sum()))

    def at(self, hz: float) -> int:
        """Bin of a frequency."""
        return int(min(round(hz / RATE * 2 * (self.f.size - 1)), self.f.size - 1))

    def _heard(self, tones: Tones) -> Tones:
        """Return tones as the sensor passes them."""
        gains = [float(np.sqrt(self.response[self.at(k * tones.hz)])) for k in range(1, len(tones.amplitudes) + 1)]
        heard = tuple(a * g for a, g in zip(tones.amplitudes, gains, strict=True))
        return Tones(tones.hz, heard, tones.wander_hz, tones.period_s, tones.phase)

    def _stationary(self) -> Array:
        """Sum all sounds that never stop: night background, self-noise, machines that always run."""
        total = self.self_noise + self.coloured(self.night.shape_db) * np.float32(ratio(self.night.ambient_db))
        for k, machine in enumerate(self.site.machines):
            if machine.always:
                total = total + self.machine(k)
        return np.asarray(total, np.float32)

    def machine(self, k: int) -> Array:
        """Power per bin of the noise and the tones of a machine."""
        total = self.machines[k].copy()
        for tone in self.tones[k]:
            for harmonic, amplitude in enumerate(tone.amplitudes, 1):
                total[self.at(harmonic * tone.hz)] += amplitude**2 / 2
        return total


def headroom_db(noise: Array) -> float:
    """Return the decibels by which a sound may be raised before it is louder than LOUDEST_DBFS."""
    return LOUDEST_DBFS - dbfs(float(noise.sum()))


_Open: TypeAlias = tuple[Flow, Array, float]
"""An open outlet: what it is, power per bin at 0 dB, and its level in dB."""


class Renderer:
    """Makes samples of one site, stretch by stretch, in any order."""

    def __init__(self, site: Site, seed: int, *, first: int = 0, night: Scene | None = None) -> None:
        """Prepare a site. `first`: stretches since the installation; `night`: as of `Spectra`."""
        self.site = site
        self.spectra = Spectra(site, night)
        self.first = first
        self._seed = seed
        self._phases = ambient.phases(site.seed)
        self._noise = NoiseStream(seed)
        self._flutter = NoiseStream(seed + 1_000_003)

    def render(self, index: int, scene: Scene) -> Array:
        """Make samples (HOP,) of stretch `index` under this scene, full scale ±1."""
        index += self.first
        if scene.dropout:
            return np.zeros(HOP, np.float32)
        flows = self._flows(scene)
        total = self._power(index, scene, flows)
        out = self._noise.render(index, total)
        for wave in self._waves(index, scene, flows):
            out += wave
        clicks = mixed(self._seed, index, 7) < self.site.sensor.clicks * 2**64
        if clicks or scene.shorts or any(flow.bubbles_per_s for flow, _, _ in flows):
            rng = np.random.Generator(np.random.SFC64([self._seed, index, 7]))  # takes as long as a tenth of the rest
            self._add_shorts(out, scene, flows, rng)
            if clicks:
                self.site.sensor.click(out, rng)
        if self.site.sensor.agc:
            out *= np.float32(self.site.sensor.gain(float(total.sum())))
        return self.site.sensor.convert(out)

    def power(self, index: int, scene: Scene) -> Array:
        """Sum the mean-square power per bin of the steady noises of a stretch."""
        return self._power(index + self.first, scene, self._flows(scene))

    def _power(self, index: int, scene: Scene, flows: Sequence[_Open]) -> Array:
        s = self.spectra
        unrest = (
            scene.unsteady
            * self.site.ambient.unsteady_db
            * float(ambient.unrest(np.array(index * HOP / RATE), self._phases))
        )
        total = s.coloured(scene.shape_db) * np.float32(ratio(scene.ambient_db + unrest))
        total += s.self_noise
        for k in self._running(scene):
            if not self.site.machines[k].flutter_hz:
                total += s.machines[k]
        for flow, noise, db in flows:
            total += noise * np.float32(ratio(db + flow.swell(index * HOP / RATE)))
        if scene.rain_dbfs is not None:
            total += s.rain(scene.rain_low_db) * np.float32(power(scene.rain_dbfs))
        if scene.wind_dbfs is not None:
            gust = 6 * np.sin(2 * np.pi * index * HOP / RATE / 47)
            total += s.wind * np.float32(power(scene.wind_dbfs + gust))
        return np.asarray(total, np.float32)

    def _flows(self, scene: Scene) -> list[_Open]:
        """List the open outlets: outlet, power per bin at 0 dB, and its level in dB."""
        flows = [(self.site.fixtures[k], self.spectra.fixtures[k], db) for k, db in scene.uses]
        if scene.leak_db is not None:
            level = min(scene.leak_db, self.spectra.leak_headroom_db)
            flows.append((self.site.leak, self.spectra.leak, level))
        return flows

    def _running(self, scene: Scene) -> list[int]:
        always = {k for k, machine in enumerate(self.site.machines) if machine.always}
        return sorted(always | set(scene.machines))

    def _waves(self, index: int, scene: Scene, flows: Sequence[_Open]) -> list[Array]:
        """Make tones of machines and whistles, and modulated noise."""
        waves = []
        for k in self._running(scene):
            waves += [tone.render(index) for tone in self.spectra.tones[k]]
            flutter = self.site.machines[k].flutter_hz
            if flutter:
                envelope = Tones(flutter, (0.6,), 0.0, 1.0, 0.0).render(index) + np.float32(1)
                waves.append(self._flutter.render(index, self.spectra.machines[k]) * envelope)
        for flow, noise, db in flows:
            if flow.whistle is not None:
                hiss = np.sqrt(noise.sum() * ratio(db) * self.spectra.response[self.spectra.at(flow.whistle.hz)])
                waves.append(flow.whistle.render(index) * np.float32(hiss))
        return waves

    def _add_shorts(self, samples: Array, scene: Scene, flows: Sequence[_Open], rng: np.random.Generator) -> None:
        """Add short sounds of the scene and bubbles of its flows, as the sensor passes them, to samples (HOP,)."""
        out = np.zeros(BLOCK, np.float32)
        seconds = HOP / RATE
        found = 0
        for shorts in scene.shorts:
            for _ in range(rng.poisson(shorts.per_s * seconds)):
                found += _place(out, ambient.short_sound(shorts.kind, shorts.peak * rng.uniform(0.3, 1), rng), rng)
        for flow, noise, db in flows:
            if not flow.bubbles_per_s:
                continue
            peak = 3 * float(np.sqrt(noise.sum() * ratio(db)))
            for _ in range(rng.poisson(flow.bubbles_per_s * seconds)):
                found += _place(out, ambient.short_sound("drops", peak * rng.uniform(0.5, 2), rng), rng)
        if found:
            spectrum = scipy.fft.rfft(out) * np.sqrt(self.spectra.response)
            samples += scipy.fft.irfft(spectrum, BLOCK)[:HOP]


def _place(out: Array, sound: Array, rng: np.random.Generator) -> int:
    """Add a sound at a random place where it fits; returns 1."""
    at = int(rng.integers(HOP - min(sound.size, HOP - 1)))
    out[at : at + sound.size] += sound[: HOP - at]
    return 1

"""Days of a node, strung together from real recordings: surroundings, machines, weather, use of water, and a leak.

The surroundings never stop. Where a place was recorded on several dates, each day has another date, as it was recorded;
the change takes ten minutes at a random hour. Machines run in spells, weather comes and goes, water is used at new
hours each day, for minutes or for hours. Levels of one sensor (a manifest) are kept; other recordings get a drawn
level, the same for all dates of a sound. Decibels compare powers between 60 and 1800 Hz (`BAND_HZ`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leakear.edge.audio.blocks import Block
from leakear.train.nodedays.grains import Grains
from leakear.train.nodedays.places import Place, Role
from leakear.train.nodedays.sounds import LOGGER_HZ, in_band, low_passed, read, simulated_leak
from leakear.train.simulator.units import RATE, Array, power

DAY_S = 86400.0
CHUNK_S = 10.0
"""Sound that is made at once, s."""
CHANGE_S = 600.0
"""From one date of the surroundings to the next, s."""
NOISE_DBFS = -92.0
"""Noise of the converter; a gain does not change it."""
SCENE_DBFS = (-55.0, -30.0)
"""Range of drawn levels of surroundings."""
FIRST_USE = 100_000
"""Simulated uses of water are leaks of the simulator from this number on: no simulated leak has it."""
NIGHT_DB = 3.0
"""Drawn surroundings are this much quieter at 03:00 than on average, and louder at 15:00."""


@dataclass(frozen=True)
class Spell:
    """A time in which a sound is heard."""

    start_s: float
    end_s: float
    db: float
    """against the surroundings, within BAND_HZ"""
    ramp_s: float = 2.0
    """of fading in and out"""

    def amplitude(self, seconds: float) -> float:
        """Return the factor at this time: 0 outside, a quarter of a sine on the ramps."""
        if not self.start_s <= seconds <= self.end_s:
            return 0.0
        ramp = min(seconds - self.start_s, self.end_s - seconds, self.ramp_s) / self.ramp_s
        return float(np.sin(ramp * np.pi / 2) * 10 ** (self.db / 20))


@dataclass(frozen=True)
class Track:
    """One sound with its spells, already at the level of the surroundings."""

    name: str
    role: Role
    grains: Grains
    spells: tuple[Spell, ...]

    def add(self, out: Array, start_s: float) -> None:
        """Add what is heard in a chunk that starts at this time, shape (n,)."""
        end_s = start_s + len(out) / RATE
        if not any(spell.start_s < end_s and spell.end_s > start_s for spell in self.spells):
            return
        times = np.linspace(start_s, end_s, 11)
        amplitudes = [sum(spell.amplitude(float(t)) for spell in self.spells) for t in times]
        envelope: Array | np.float32 = np.float32(amplitudes[0])
        if max(amplitudes) - min(amplitudes) > 1e-6 * max(amplitudes):
            envelope = np.interp(np.arange(len(out)) / RATE + start_s, times, amplitudes).astype(np.float32)
        out += envelope * self.grains.read(round(start_s * RATE), len(out))


@dataclass(frozen=True)
class Wanted:
    """What a node's days shall hold."""

    days: int
    """whole days"""
    leak_day: int | None = None
    """day, from 0, in which the leak begins; it lasts to the end. None: no leak"""
    snr_db: float | None = None
    """of the leak, within BAND_HZ, against the surroundings at its beginning; None: drawn, −10 to 20 dB"""
    gain_db: float = 0.0
    """of the whole sensor"""
    simulated_uses: bool = False
    """whether half of the nodes hear uses of water made by the simulator: the sound of a leak that ends"""
    day_s: float = DAY_S
    """less only for tests"""


class RealDays:
    """The days of one node. Offers `blocks` and `truth`, as a simulated day does."""

    def __init__(self, places: Sequence[Place], node: int, wanted: Wanted) -> None:
        self._wanted = wanted
        self._rng = np.random.default_rng([0x4EA1, node])
        scenes = [place for place in places if place.role is Role.SCENE]
        self.place = scenes[node % len(scenes)]
        self._cut = LOGGER_HZ if self.place.calibrated else None
        self._others = [place for place in places if place.role not in {Role.SCENE, Role.LEAK}]
        self._leaks = [place for place in places if place.role is Role.LEAK and place.name != self.place.name]
        self.tracks = [*self._scene(), *self._visitors()]
        self.leak = self._leak(node)
        self.tracks += [self.leak] if self.leak else []

    @property
    def seconds(self) -> float:
        """Length of all days."""
        return self._wanted.days * self._wanted.day_s

    def _scene(self) -> list[Track]:
        """Choose a date for each day, and the level of the surroundings."""
        rng, day_s = self._rng, self._wanted.day_s
        order = rng.permutation(len(self.place.dates))
        sounds = [read(files, self._cut) for files in self.place.dates]
        factor = 1.0
        if not self.place.calibrated:
            middle = float(np.median([np.mean(np.square(s, dtype=np.float64)) for s in sounds]))
            factor = float(np.sqrt(power(rng.uniform(*SCENE_DBFS)) / max(middle, 1e-20)))
        self._reference = float(np.median([in_band(s) for s in sounds])) * factor**2
        changes = [0.0, *(day * day_s + rng.uniform(0, day_s / 2) for day in range(1, self._wanted.days)), self.seconds]
        spells: dict[int, list[Spell]] = {}
        for day in range(self._wanted.days):
            date = int(order[day % len(order)])
            first, last = day == 0, day == self._wanted.days - 1
            start = changes[day] - (CHANGE_S if first else 0)
            end = changes[day + 1] + CHANGE_S
            before = spells.setdefault(date, [])
            if before and before[-1].end_s >= start:  # the same date goes on
                start = before.pop().start_s
            before.append(Spell(start, end + (CHANGE_S if last else 0), 0.0, CHANGE_S))
        self._dates = {date: (tuple(found), in_band(sounds[date]) * factor**2) for date, found in spells.items()}
        seeds = {date: int(rng.integers(2**31)) for date in spells}
        return [
            Track(self.place.name, Role.SCENE, Grains(sounds[date] * np.float32(factor), seeds[date]), tuple(found))
            for date, found in spells.items()
        ]

    def _visitors(self) -> list[Track]:
        """Choose machines, weather and uses of water for all days."""
        by_role = {role: [place for place in self._others if place.role is role] for role in Role}
        tracks = []
        made = self._wanted.simulated_uses and self._rng.random() < 0.5
        if made:
            sound = low_passed(simulated_leak(int(self._rng.integers(FIRST_USE, 2 * FIRST_USE))), self._cut)
            tracks.append(self._at_level("simulated use", Role.USE, sound, tuple(self._use_spells())))
        for role, spells in (
            (Role.MACHINE, self._machine_spells),
            (Role.MACHINE, self._machine_spells),
            (Role.WEATHER, self._weather_spells),
            (Role.USE, self._use_spells),
            (Role.EVENT, self._events),
        ):
            if by_role[role] and not (made and role is Role.USE):
                place = by_role[role][int(self._rng.integers(len(by_role[role])))]
                tracks.append(self._track(place, tuple(spells())))
        return tracks

    def _track(self, place: Place, spells: tuple[Spell, ...]) -> Track:
        """Bring one date of a sound to the level of the surroundings."""
        sound = read(place.dates[int(self._rng.integers(len(place.dates)))], self._cut)
        return self._at_level(place.name, place.role, sound, spells)

    def _at_level(self, name: str, role: Role, sound: Array, spells: tuple[Spell, ...]) -> Track:
        factor = np.float32(np.sqrt(self._reference / max(in_band(sound), 1e-20)))
        return Track(name, role, Grains(sound * factor, int(self._rng.integers(2**31))), spells)

    def _machine_spells(self) -> Iterator[Spell]:
        """Run on most days, in cycles or for hours; on some days louder."""
        rng, day_s = self._rng, self._wanted.day_s
        db, cycle = rng.uniform(-8, 6), rng.random() < 0.5
        for day in range(self._wanted.days):
            louder = rng.choice((0.0, 0.0, 0.0, 3.0, 6.0))
            at = day * day_s + rng.uniform(0, day_s / 4)
            while rng.random() < 0.85 and at < (day + 1) * day_s:
                lasts = rng.uniform(600, 2400) if cycle else rng.uniform(3600, 8 * 3600)
                yield Spell(at, min(at + lasts, self.seconds), db + louder)
                at += lasts + rng.uniform(600, 3600 if cycle else 6 * 3600)

    def _weather_spells(self) -> Iterator[Spell]:
        """Up to two spells a day, with slow beginnings and of changing strength."""
        rng, day_s = self._rng, self._wanted.day_s
        for day in range(self._wanted.days):
            for _ in range(rng.integers(0, 3)):
                at, lasts = (day + rng.random()) * day_s, rng.uniform(1800, 4 * 3600)
                for part in range(rng.integers(1, 5)):
                    start = at + part * lasts / 4
                    yield Spell(start, min(start + lasts / 4 + 300, self.seconds), rng.uniform(-5, 10), 300.0)

    def _use_spells(self) -> Iterator[Spell]:
        """Short uses of 2 to 25 minutes, and on two days of five a long one of up to 8 h, at new hours."""
        rng, day_s = self._rng, self._wanted.day_s
        for day in range(self._wanted.days):
            lengths = list(rng.uniform(120, 1500, rng.integers(3, 9)))
            if rng.random() < 0.4:
                lengths.append(rng.uniform(1800, 8 * 3600))
            for lasts in lengths:
                at = (day + rng.random()) * day_s
                yield Spell(at, min(at + lasts, self.seconds), rng.uniform(0, 20))

    def _events(self) -> Iterator[Spell]:
        """Yield some seconds of sound, four times an hour on average."""
        rng = self._rng
        at = rng.exponential(900)
        while at < self.seconds - 10:
            yield Spell(at, at + rng.uniform(2, 10), rng.uniform(0, 20), 0.1)
            at += rng.exponential(900)

    def _leak(self, node: int) -> Track | None:
        wanted = self._wanted
        snr_db, onset = float(self._rng.uniform(-10, 20)), float(self._rng.uniform(0.25, 0.75))
        recorded = self._rng.random() < 0.5 and bool(self._leaks)
        if wanted.leak_day is None:
            return None
        start_s = (wanted.leak_day + onset) * wanted.day_s
        return self._leak_track(
            node if not recorded else None, start_s, wanted.snr_db if wanted.snr_db is not None else snr_db, self._rng
        )

    def another_leak(self, number: int, start_s: float) -> Track:
        """Draw a leak of 5 to 20 dB that begins at a time, for days that have none; every number is another leak."""
        rng = np.random.default_rng([0x1EA4, number])
        snr_db = float(rng.uniform(5, 20))
        recorded = rng.random() < 0.5 and bool(self._leaks)
        return self._leak_track(None if recorded else number, start_s, snr_db, rng)

    def _leak_track(self, number: int | None, start_s: float, snr_db: float, rng: np.random.Generator) -> Track:
        """Make the simulated leak of a number, or a recorded one for None, that begins at a time and never ends."""
        if number is None:
            place = self._leaks[int(rng.integers(len(self._leaks)))]
            name, sound = place.name, read(place.dates[int(rng.integers(len(place.dates)))], self._cut)
        else:
            name, sound = "simulated", low_passed(simulated_leak(number), self._cut)
        surroundings = sum(
            level * sum(spell.amplitude(start_s) for spell in spells) ** 2 for spells, level in self._dates.values()
        )
        factor = np.float32(np.sqrt(surroundings / max(in_band(sound), 1e-20)))
        spell = Spell(start_s, self.seconds + 1, snr_db)
        return Track(name, Role.LEAK, Grains(sound * factor, int(rng.integers(2**31))), (spell,))

    def blocks(
        self,
        *,
        step_s: float = 10.0,
        start_utc: float = 0.0,
        between: tuple[float, float] | None = None,
        beside: Sequence[Track] = (),
    ) -> Iterator[Block]:
        """Stream the days; sound that no window of a longer step uses is returned as zeros instead of being made.

        `between`: only the chunks that begin between two times, s. `beside`: sounds heard beside those of the days.
        """
        count = round(CHUNK_S * RATE)
        gain = np.float32(10 ** (self._wanted.gain_db / 20))
        white = np.random.default_rng(0x5E1F).standard_normal(60 * RATE, dtype=np.float32)
        noise = Grains(white * np.float32(np.sqrt(power(NOISE_DBFS))), 1)
        first, last = (round(at // CHUNK_S) for at in between or (0.0, self.seconds))
        for number in range(first, last):
            at = number * CHUNK_S
            samples = np.zeros(count, np.float32)
            if at % step_s < CHUNK_S:
                for track in (*self.tracks, *beside):
                    track.add(samples, at)
                samples *= gain * np.float32(self._by_hour((start_utc + at) / 3600))
                samples += noise.read(number * count, count)
                np.clip(samples, -1, 1, out=samples)
            yield Block(number * count, samples, start_utc + at, at)

    def _by_hour(self, hour: float) -> float:
        """Return the factor of the hour of the day; 1 where recorded levels are kept."""
        if self.place.calibrated:
            return 1.0
        return float(10 ** (NIGHT_DB * np.cos(2 * np.pi * (hour - 15) / 24) / 20))

    def truth(self) -> Mapping[str, Any]:
        """List what is heard when, as a simulated day does. The first of several days is not judged."""
        events: list[dict[str, Any]] = []
        for track in self.tracks:
            for spell in track.spells if track.role is not Role.SCENE else ():
                until = min(spell.end_s, self.seconds)
                event = {
                    "kind": track.role.value,
                    "name": track.name,
                    "start_s": max(spell.start_s, 0.0),
                    "end_s": until,
                }
                events.append(event | ({"snr_db": spell.db} if track.role is Role.LEAK else {}))
        return {
            "schema": 1,
            "site": self.place.name,
            "seconds": self.seconds,
            "judged_from_s": self._wanted.day_s if self._wanted.days > 1 else 0.0,
            "events": events,
        }

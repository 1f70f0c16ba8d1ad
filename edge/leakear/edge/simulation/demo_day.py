"""A small simulated day for the demonstration: quiet, a tap for ten minutes, a leak that starts, a leak that is mended.

Only the node's own packages, so that it runs where no others are. Water through a hole is modelled as DESIGN's full
simulator does (a jet with a corner frequency, a pipe with resonances), the surroundings as distant traffic, a
refrigerator and footsteps. It demonstrates; it measures nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.resample import resampled
from leakear.edge.background.background import QUIET
from leakear.edge.background.entries import ENTRIES
from leakear.edge.background.own_limit import Variation
from leakear.edge.background.third_octaves import quiet_levels
from leakear.edge.decision.judge import Judge
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram.short_spectra import short_powers

Spectrum = NDArray[np.float32]
"""Power per bin, or samples."""
RATE = 22050
"""Samples per second."""
_FFT = 32768
_FADE = 2048
_HOP = _FFT - _FADE
_HZ = np.maximum(np.fft.rfftfreq(_FFT, 1 / RATE), 0.3).astype(np.float32)
_RESONANCES = ((430.0, 12.0), (960.0, 20.0), (1700.0, 8.0))
"""Hertz and sharpness of the pipe's modes."""


@dataclass(frozen=True)
class Part:
    """A stretch of the day."""

    what: Literal["quiet", "tap", "leak"]
    """What flows."""
    minutes: float
    """How long."""


DAY = (Part("quiet", 20), Part("tap", 10), Part("quiet", 15), Part("leak", 80), Part("quiet", 25))
"""Two and a half hours that hold all a day has to show."""
LENGTH_S = sum(part.minutes for part in DAY) * 60
"""Of that day."""
NIGHTS = 14
"""Nights that the demonstration's node knows."""
CHANGE_DB = 0.3
"""How much the place changes from hour to hour and from night to night, dB."""


def blocks(seed: int = 1, day: tuple[Part, ...] = DAY, *, utc: float = 0.0, rate: int = RATE) -> Iterator[Block]:
    """Stream the day as a capture at `rate` Hz would. `utc`: POSIX seconds at which it begins."""
    return resampled(_blocks(seed, day, utc), RATE, rate)


def _blocks(seed: int, day: tuple[Part, ...], utc: float) -> Iterator[Block]:
    rng = np.random.default_rng(seed)
    total = round(sum(part.minutes for part in day) * 60 * RATE)
    tail = np.zeros(_FADE, np.float32)
    rise = np.sin(np.linspace(0, np.pi / 2, _FADE, dtype=np.float32))
    for start in range(0, total, _HOP):
        seconds = start / RATE
        sound = _noise(_spectrum(_now(day, seconds), seconds), rng)
        sound[:_FADE] = sound[:_FADE] * rise + tail
        tail = sound[_HOP:] * rise[::-1]
        samples = sound[:_HOP] + _fridge(seconds) + _footsteps(seconds, rng)
        kept = samples[: total - start].astype(np.float32)
        yield Block(start, np.clip(kept, -1, 1), utc + seconds, seconds)


def truth(day: tuple[Part, ...] = DAY) -> list[tuple[float, float, str]]:
    """List what happens: (start, end, what), seconds since the day began."""
    ends = np.cumsum([part.minutes * 60 for part in day])
    return [(float(end) - part.minutes * 60, float(end), part.what) for part, end in zip(day, ends, strict=True)]


def last_noon(now: float) -> float:
    """Return the last local noon from which the whole day is over at `now`, POSIX s: no night falls into the day."""
    noon = datetime.fromtimestamp(now - LENGTH_S).astimezone().replace(hour=12, minute=0, second=0, microsecond=0)
    return noon.timestamp() if noon.timestamp() + LENGTH_S <= now else (noon - timedelta(days=1)).timestamp()


def know_the_place(judge: Judge, spec: SpectrogramSpec, seed: int = 1) -> None:
    """Give a node the background that it would have after a week at the place of the simulated day, without a leak."""
    day = (Part("quiet", 4.0),)
    sound = np.concatenate([block.samples for block in blocks(seed + 1, day, rate=spec.sample_rate)])
    windows = sound[: len(sound) // spec.window_samples * spec.window_samples].reshape(-1, spec.window_samples)
    quiet = np.percentile([quiet_levels(short_powers(window, spec), spec) for window in windows], QUIET, axis=0)
    varied = np.random.default_rng(seed).normal(0, CHANGE_DB, (ENTRIES, 1)) + quiet
    judge.background.entries.learn(varied.astype(np.float32))
    judge.decision.nights.known = NIGHTS
    judge.decision.nights.variation = Variation([CHANGE_DB] * NIGHTS)


def write(path: Path, seed: int = 1, day: tuple[Part, ...] = DAY) -> None:
    """Write the day as a sound file; the ending chooses the format (`.wav`: 2.6 MB a minute, `.flac`: about half)."""
    import soundfile

    with soundfile.SoundFile(path, "w", samplerate=RATE, channels=1, subtype="PCM_16") as file:
        for block in blocks(seed, day):
            file.write(block.samples)


def _now(day: tuple[Part, ...], seconds: float) -> str:
    return next((what for start, end, what in truth(day) if start <= seconds < end), "quiet")


def _level(dbfs: float) -> float:
    """Mean square of a level, 0 dBFS being a full-scale sine."""
    return float(0.5 * 10 ** (dbfs / 10))


def _scaled(shape: Spectrum, dbfs: float) -> Spectrum:
    return np.asarray(shape * np.float32(_level(dbfs) / shape.sum()), np.float32)


@cache
def _jet(corner_hz: float, slope: float, dbfs: float) -> Spectrum:
    """Power per bin of a jet behind a pipe: flat up to its corner, then falling, with the pipe's resonances."""
    shape = 1 / (1 + (_HZ / corner_hz) ** slope) / (1 + (60 / _HZ) ** 4)
    for hz, q in _RESONANCES:
        shape = shape * (1 + 10 / (1 + (q * (_HZ / hz - hz / _HZ)) ** 2))
    return _scaled(shape, dbfs)


@cache
def _traffic() -> Spectrum:
    return _scaled(1 / (1 + (_HZ / 70) ** 2), -40)


def _spectrum(what: str, seconds: float) -> Spectrum:
    """Mean-square power per bin of everything that is noise at this moment."""
    car = 8 * max(0.0, np.sin(2 * np.pi * seconds / 240)) ** 8  # decibels: somebody drives past every few minutes
    total = _traffic() * np.float32(10 ** (car / 10)) + np.float32(_level(-58) / _HZ.size)
    if what == "leak":
        total += _jet(2450, 2.0, -18) * np.float32(1 + 0.1 * np.sin(seconds / 40))
    if what == "tap":
        total += _jet(1300, 1.6, -16) * np.float32(1 + 0.3 * np.sin(seconds / 25))
    return np.asarray(total, np.float32)


def _noise(power: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Gaussian noise of this spectrum, samples (_FFT,)."""
    white = rng.standard_normal(2 * power.size, dtype=np.float32).view(np.complex64)
    return np.asarray(np.fft.irfft(white * np.sqrt(power) * np.float32(_FFT / 2), _FFT), np.float32)


def _fridge(seconds: float) -> Spectrum:
    """Make the compressor's hum at 49 Hz and its harmonics, ten minutes in every twenty-five."""
    if seconds % 1500 > 600:
        return np.zeros(_HOP, np.float32)
    turn = 2 * np.pi * 49 * (seconds + np.arange(_HOP) / RATE)
    return np.asarray(sum(0.008 / k * np.sin(k * turn) for k in (1, 2, 3, 4, 6, 8)), np.float32)


def _footsteps(seconds: float, rng: np.random.Generator) -> Spectrum:
    """Somebody walks by, half a minute in every seven."""
    out = np.zeros(_HOP, np.float32)
    if seconds % 420 < 30:
        for at in (0.2, 0.75, 1.25):
            start = int((at + rng.uniform(-0.03, 0.03)) * RATE)
            t = np.arange(min(2500, _HOP - start)) / RATE
            out[start : start + t.size] += 0.15 * np.exp(-t / 0.03) * np.sin(2 * np.pi * 70 * t)
    return out

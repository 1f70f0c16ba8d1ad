"""Recordings and simulated leaks as samples, and their power in the band that all levels of `real_days` refer to."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.fft

from leakear.edge.audio.recordings import read_wav
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.stderr_filter import silenced
from leakear.train.simulator.noise import NoiseStream
from leakear.train.simulator.render import Spectra
from leakear.train.simulator.site import Site
from leakear.train.simulator.units import HOP, RATE, Array

BAND_HZ = (60.0, 1800.0)
LOGGER_HZ = 1950.0
"""Highest frequency of a sensor of 4096 Hz: beside its recordings every other sound is cut off there."""
FIRST_LEAK_SITE = 2_000_000
"""Simulated leaks come from the simulator's sites from here on; no other command uses these."""


def in_band(sound: Array) -> float:
    """Return the mean square of a sound within BAND_HZ, from at most its first minute."""
    some = sound[: 60 * RATE]
    spectrum = scipy.fft.rfft(some)
    low, high = (round(hz * len(some) / RATE) for hz in BAND_HZ)
    return float(2 * np.sum(np.abs(spectrum[low:high]).astype(np.float64) ** 2) / len(some) ** 2)


def simulated_leak(number: int, seconds: float = 60.0) -> Array:
    """Make the leak of a simulated site, shape (n,)."""
    site = FIRST_LEAK_SITE + number
    noise, leak = NoiseStream(site), Spectra(Site.draw(site)).leak
    return np.concatenate([noise.render(index, leak) for index in range(-(-round(seconds * RATE) // HOP))])


@lru_cache(maxsize=64)
def read(paths: tuple[Path, ...], cut_hz: float | None) -> Array:
    """Read the recordings of one date one after the other, less their mean, shape (n,)."""
    with silenced():  # libsndfile's MP3 decoder writes warnings to standard error
        parts = [read_wav(path, SpectrogramSpec()) for path in paths]
    sound = np.concatenate([part - part.mean() for part in parts])
    if len(sound) < RATE:
        sound = np.tile(sound, -(-RATE // max(1, len(sound))))
    return low_passed(sound, cut_hz)


def low_passed(sound: Array, cut_hz: float | None) -> Array:
    """Remove what lies above a frequency."""
    if cut_hz is None:
        return sound
    spectrum = scipy.fft.rfft(sound)
    spectrum[round(cut_hz * len(sound) / RATE) :] = 0
    return np.asarray(scipy.fft.irfft(spectrum, len(sound)), np.float32)

"""Samples of a simulated pair: sources through pipe and sensors, background, hum, bursts, and each recorder's clock."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.ndimage

from leakear.train.simulator.pairs.case import Case, Noise, Sensor
from leakear.train.simulator.pairs.material import Spectrum

Samples = npt.NDArray[np.float64]
_OVER = 2
"""Oversampling before each recorder's clock takes its samples."""
_LEAD_S = 1.0
"""Seconds made before and after the recording, so that delays and offsets stay inside."""
_TABLE = 4096
"""Points of one period of the hum."""
_MAINS_HZ = 50.0


def render(case: Case) -> tuple[Samples, Samples]:
    """Make the recordings at A and B, shape (n,) each, at `case.rate`."""
    rng = np.random.default_rng([case.seed, 81])
    rate = case.rate * _OVER
    size = scipy.fft.next_fast_len(round((case.seconds + 2 * _LEAD_S) * rate), real=True)
    f = np.maximum(np.arange(size // (2 * _OVER) + 1) * (rate / size), 1e-3)  # above: nothing is recorded
    low_pass = 1 / (1 + (f / (0.42 * case.rate)) ** 24)
    source = _white(rng, f.size) * np.sqrt(case.jet.shape(f.astype(np.float32)).astype(float)) * low_pass
    sounds = [source * path for path in _paths(case, f)]
    backgrounds = [_white(rng, f.size) * _background(noise, f) * low_pass for noise in case.noises]
    backgrounds = [b * _level(b, f, case) for b in backgrounds]
    audible = case.kind != "background"
    scale = audible * 10 ** (case.snr_db / 20) * min(_level(s, f, case) for s in sounds)
    mains = _MAINS_HZ * (1 + rng.normal(0, 2e-4))
    made = []
    for end in (0, 1):
        spectrum = (scale * sounds[end] + backgrounds[end]) * _response(case.sensors[end], f)
        wave = scipy.fft.irfft(spectrum, size)
        unit = float(np.sqrt(2 * np.sum(np.abs(backgrounds[end]) ** 2)) / size)
        wave += (
            _hum(rng, case.noises[end], mains, size, rate) * unit + _bursts(rng, case.noises[end], size, rate) * unit
        )
        wave = _sampled(wave, case, end, rng, rate)
        made.append(wave * (0.05 / np.std(wave)))
    return made[0], made[1]


def _white(rng: np.random.Generator, count: int) -> Spectrum:
    return np.asarray(rng.standard_normal(2 * count).view(np.complex128))


def _paths(case: Case, f: npt.NDArray[np.float64]) -> tuple[Spectrum, Spectrum]:
    """Transfer functions from the source to A and B: direct, through the discontinuity, and reflected by it."""
    ways = []
    for sensor in (0.0, case.length):
        through = (case.reflector - case.position) * (case.reflector - sensor) < 0
        direct = case.wall.path(f, abs(sensor - case.position))
        if through:
            ways.append(direct * np.sqrt(1 - case.reflection**2))
        else:
            echo = abs(case.reflector - case.position) + abs(case.reflector - sensor)
            ways.append(direct + case.reflection * case.wall.path(f, echo))
    return ways[0], ways[1]


def _background(noise: Noise, f: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    coloured = 1 / (1 + (f / noise.corner_hz) ** noise.slope)
    audible = (f > 5) & (f < 4000)
    white = noise.white * np.mean(coloured[audible]) * np.ones_like(f)
    return np.asarray(np.sqrt(coloured + white) * (f > 5))


def _level(spectrum: Spectrum, f: npt.NDArray[np.float64], case: Case) -> float:
    """One over the root mean square in the band in which the signal-to-noise ratio is defined."""
    band = (f >= 20) & (f <= (500 if case.wall.plastic else 2000))
    return float(1 / np.sqrt(np.sum(np.abs(spectrum[band]) ** 2) / f.size + 1e-300))


def _response(sensor: Sensor, f: npt.NDArray[np.float64]) -> Spectrum:
    s = 1j * f
    high_pass = s**2 / (s**2 + 1.414 * s * sensor.low_hz + sensor.low_hz**2)
    resonance = 1 / (1 + s / (sensor.q * sensor.resonance_hz) + (s / sensor.resonance_hz) ** 2)
    return np.asarray(high_pass * (0.3 + 0.7 * resonance) / (1 + s / sensor.high_hz))


def _hum(rng: np.random.Generator, noise: Noise, mains: float, size: int, rate: int) -> Samples:
    """Mains harmonics of unit power plus `hum_db`; one grid feeds both ends, so both hear the same frequency."""
    t = np.arange(size) / rate
    levels = rng.uniform(0, 1, 12) / np.arange(1, 13) ** 0.5
    levels *= np.sqrt(2) * 10 ** (noise.hum_db / 20) / np.sqrt(np.sum(levels**2))
    phases = rng.uniform(0, 1, levels.size)
    period = np.arange(_TABLE + 1) / _TABLE
    table = np.sum(
        [a * np.cos(2 * np.pi * (k * period + p)) for k, (a, p) in enumerate(zip(levels, phases, strict=True), 1)],
        axis=0,
    )
    return np.asarray(np.interp(mains * t % 1, period, table))


def _bursts(rng: np.random.Generator, noise: Noise, size: int, rate: int) -> Samples:
    out = np.zeros(size)
    for _ in range(noise.bursts):
        length = int(rate * np.exp(rng.uniform(np.log(0.02), np.log(3))))
        start = int(rng.integers(0, size - length))
        shape = np.hanning(length) * 10 ** (rng.uniform(0, 25) / 20)
        out[start : start + length] += shape * scipy.ndimage.uniform_filter1d(rng.standard_normal(length), 9) * 3
    return out


def _sampled(wave: Samples, case: Case, end: int, rng: np.random.Generator, rate: int) -> Samples:
    """Take the samples at the moments of this recorder's clock."""
    count = round(case.seconds * case.rate)
    clock = case.clock
    at = np.arange(count) / case.rate / (1 + 1e-6 * clock.drift_ppm[end]) + (clock.offset_s if end else 0.0)
    if clock.jitter_s:
        slow = np.cumsum(rng.normal(0, 1, int(case.seconds) + 2))
        wander = clock.jitter_s * slow / np.sqrt(slow.size)
        at += np.interp(np.arange(count) / case.rate, np.arange(slow.size), wander)
    return np.asarray(scipy.ndimage.map_coordinates(wave, [(at + _LEAD_S) * rate], order=3, mode="nearest"))

"""Measures: one window in numbers that describe the sensor, in about a millisecond.

Everything works on a few passes over the samples, the window's short spectra and one spectrum of the decimated window.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leakear.edge.spectrogram.fourier import prev_fast_len, rfft, squared
from leakear.edge.spectrogram.percentiles import percentile
from leakear.edge.spectrogram.short_spectra import hann

if TYPE_CHECKING:
    from leakear.edge.spec import Samples, SpectrogramSpec
    from leakear.edge.spectrogram.short_spectra import Powers

SILENCE_DBFS = -140.0
"""Level that stands for no sound at all."""
_LEVEL_S = 0.125
"""Seconds over which one level is taken, as acoustic loggers do."""
_FLAT_S = 0.01
"""Seconds without movement that count as flat."""
_FLAT = 2e-5
"""Peak to peak of a flat stretch: under one step of 16 bits."""
_RAIL = 0.985
"""Full scale, less what a resampler may take off a clipped peak."""
_PLATEAU = 0.8
"""Height of the plateau of a sensor that clips below full scale, of its 99.9th percentile."""
_TONAL = 0.5
"""Share of the power in five bins above which a flat top is a tone, not a plateau."""
_DECIMATION = 8
_LINES = 20
"""Multiples of the mains frequency that are examined."""
_ABSENT_DBFS = -128.0
"""Level of one bin below which nothing was measured there: the noise of a 16-bit converter is louder."""
_ABSENT_DB = -40.0
"""The same, relative to the strongest bin."""


@dataclass(frozen=True, slots=True)
class Measures:
    """One window in numbers. Levels in dBFS re a full-scale sine, after removal of the mean."""

    finite: bool
    """no NaN and no infinity"""
    level_dbfs: float
    """RMS of the whole window"""
    l05: float
    """5th percentile of the 125 ms levels: the quietest moments (dBmin)"""
    l95: float
    """their 95th percentile"""
    dc: float
    """mean, full scale 1"""
    clip_ratio: float
    """share of samples at the converter's limits or on a plateau below them"""
    flat_ratio: float
    """share of the time without any movement"""
    flat_value: float
    """mean value of the flat stretches, full scale 1"""
    mains_ratio: float
    """share of the power on multiples of 50 or 60 Hz"""
    bandwidth_hz: float
    """highest frequency at which anything was measured"""


BROKEN = Measures(
    finite=False,
    level_dbfs=SILENCE_DBFS,
    l05=SILENCE_DBFS,
    l95=SILENCE_DBFS,
    dc=0.0,
    clip_ratio=0.0,
    flat_ratio=0.0,
    flat_value=0.0,
    mains_ratio=0.0,
    bandwidth_hz=0.0,
)
"""Measures of a window with values that are not numbers."""


def measure(samples: "Samples", powers: "Powers", spec: "SpectrogramSpec") -> Measures:
    """Measure one window. `samples`: shape (window_samples,); `powers`: its short spectra, shape (16, bins)."""
    highest, lowest = samples.max(), samples.min()
    # Values beyond 32 times full scale come from a broken driver too, and their squares would overflow.
    if not (highest < 32 and lowest > -32):
        return BROKEN
    dc = float(samples.mean(dtype=np.float64))
    x = samples - np.float32(dc)
    squares = _mean_squares(x, spec)
    power = float(squares.mean())
    low, high = (_dbfs(float(percentile(squares, percent))) for percent in (5, 95))
    flat_ratio, flat_value = _flat(samples, spec)
    welch = powers.mean(axis=0, dtype=np.float64)
    return Measures(
        finite=True,
        level_dbfs=_dbfs(power),
        l05=low,
        l95=high,
        dc=dc,
        clip_ratio=max(_at_limits(samples, max(highest, -lowest)), _plateau(x, welch)),
        flat_ratio=flat_ratio,
        flat_value=flat_value,
        mains_ratio=_mains(x, power, spec.sample_rate),
        bandwidth_hz=_bandwidth(welch, spec),
    )


def _dbfs(power: float) -> float:
    """Mean square → dB re a full-scale sine, whose mean square is 1/2."""
    return max(SILENCE_DBFS, 10 * math.log10(max(2 * power, 1e-30)))


def _segments(x: "Samples", seconds: float, rate: int) -> "Samples":
    """Reshape into (n, samples of one segment); the odd rest at the end is left out."""
    length = max(1, min(len(x), round(seconds * rate)))
    return x[: len(x) // length * length].reshape(-1, length)


def _mean_squares(x: "Samples", spec: "SpectrogramSpec") -> NDArray[np.float64]:
    """Mean square of each 125 ms, shape (n,)."""
    segments = _segments(x, _LEVEL_S, spec.sample_rate)
    squares: NDArray[np.float32] = np.einsum("ij,ij->i", segments, segments) / np.float32(segments.shape[1])
    return squares.astype(np.float64)


def _flat(samples: "Samples", spec: "SpectrogramSpec") -> tuple[float, float]:
    """Share of 10 ms stretches that do not move, and the mean value of those."""
    segments = _segments(samples, _FLAT_S, spec.sample_rate)
    ends = np.abs(segments[:, 0] - segments[:, -1])
    still = segments[ends < _FLAT]  # most stretches move between their two ends: only the others are searched
    flat = still[still.max(axis=1) - still.min(axis=1) < _FLAT]
    return len(flat) / len(segments), float(flat.mean()) if len(flat) else 0.0


def _at_limits(samples: "Samples", peak: np.float32) -> float:
    """Share of samples at the converter's limits. `peak`: the largest magnitude."""
    return float((np.abs(samples) >= _RAIL).mean()) if peak >= np.float32(_RAIL) else 0.0


def _plateau(x: "Samples", welch: NDArray[np.float64]) -> float:
    """Share of samples on a flat top well below full scale: an amplifier that clips before the converter does.

    Natural sound spends under 2 % of its time near its peaks, a clipped one 20 % and more; a pure tone does so
    too, and is told apart by its narrow spectrum.
    """
    if np.sort(welch)[-5:].sum() > _TONAL * welch.sum():
        return 0.0
    some = np.abs(x[::16])
    top = np.partition(some, -(len(some) // 1000 + 1))[-(len(some) // 1000 + 1)]
    share = np.count_nonzero(some > _PLATEAU * top) / len(some) if top > 0 else 0.0
    return share if share > 0.1 else 0.0


def _mains(x: "Samples", power: float, rate: int) -> float:
    """Share of the power within 1 Hz of the first twenty multiples of 50 or of 60 Hz, whichever holds more."""
    decimated = np.einsum("ij->i", _segments(x, _DECIMATION / rate, rate)) / np.float32(_DECIMATION)
    decimated = decimated[: prev_fast_len(len(decimated))]
    lines = squared(rfft(decimated * hann(len(decimated))))
    scale = 2 / (len(decimated) ** 2 * 0.375)  # Parseval, and the mean square of the Hann window
    strongest = max(float(lines[on].sum()) for on in _on_lines(len(decimated), rate / _DECIMATION))
    return min(1.0, strongest * scale / power) if power > 0 else 0.0


@lru_cache(maxsize=2)
def _on_lines(n: int, rate: float) -> tuple[NDArray[np.intp], ...]:
    """Bins of a transform of n points that lie on multiples of 50 Hz, and of 60 Hz."""
    frequencies = np.arange(n // 2 + 1) * rate / n
    bins = []
    for mains in (50.0, 60.0):
        order = np.rint(frequencies / mains)
        on_line = (np.abs(frequencies - order * mains) <= 1) & (order >= 1) & (order <= _LINES)
        bins.append(np.flatnonzero(on_line))
    return tuple(bins)


def _bandwidth(welch: NDArray[np.float64], spec: "SpectrogramSpec") -> float:
    """Highest frequency of the transform at which anything was measured, Hz."""
    decibels = 10 * np.log10(welch + 1e-30)
    present = np.flatnonzero((decibels > _ABSENT_DBFS) | (decibels > decibels.max() + _ABSENT_DB))
    return float(present[-1]) * spec.sample_rate / spec.n_fft if len(present) else 0.0

"""From two recordings to whitened cross-spectra by segment: band, segments, spectral lines left out."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.ndimage
import scipy.signal

Samples = npt.NDArray[np.float64]
LOWEST_HZ = 20.0
"""Hz; below it sensors differ too much in phase."""
_DELAYS_A_SEGMENT = 8.0
"""A segment is at least this many times the longest delay: what it loses of a delayed sound is then small."""
_SEGMENT_S = (0.5, 32.0)
"""s, shortest and longest segment."""
_SEGMENTS = 4
"""Lengths of a segment in a recording, at least."""
_LINE_DB = 9.0
"""dB by which a bin stands above its neighbours' median to be a spectral line."""
_REACH = 200
"""Bins to each side of a loud bin in which the window's leakage of it is computed."""
_LEAKAGE = 100.0
"""A bin counts from this many times the computed leakage on: it is greater at the ends of a recording."""
_TONES = 1e-6
"""Share of the power outside of lines and their leakage, below which a recording holds tones only."""
_PRECISION = 1e-13
"""Power re the strongest bin, below which a spectrum in single precision is rounding."""
_LINE_COHERENCE = 7.0
"""Excess of a bin's coherence over its neighbours', in units of a single bin's chance level, to be a line."""


_FINE = 8
"""Oversampling before samples are read between samples."""


@dataclass(frozen=True)
class Clock:
    """What is known of the two recorders' clocks."""

    offset_bound: float = 0.0
    """s (95 %), between the times at which A's and B's first samples are said to be"""
    drift_bound_ppm: float = 0.0
    """ppm of each recorder's sample clock"""
    offset: float = 0.0
    """s, known: by how much B's sound seems to come later than it does"""
    drift_ppm: float = 0.0
    """ppm, known: by which B's sample clock runs faster than A's"""

    @property
    def relative_drift(self) -> float:
        """Seconds of delay that two clocks may gain in a second."""
        return 2e-6 * self.drift_bound_ppm


@dataclass(frozen=True)
class Recording:
    """A pair of simultaneous recordings at one rate."""

    a: Samples
    """shape (n,), full scale ±1"""
    b: Samples
    """shape (n,); its first sample is from the same moment as far as `clock` knows"""
    rate: float
    """Hz"""
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True)
class Bands:
    """Neighbouring bands of frequency, each a range of bins."""

    edges: npt.NDArray[np.int64]
    """shape (b + 1,), first bin of each band, and the bin behind the last"""
    count: npt.NDArray[np.float64]
    """shape (b,), independent samples of the cross-spectrum in each band: seconds × used bandwidth"""
    centre_hz: npt.NDArray[np.float64]
    """shape (b,)"""


@dataclass(frozen=True)
class Spectra:
    """Two recordings on one time axis, in the frequency domain."""

    frequency: npt.NDArray[np.float64]
    """Hz of each bin, shape (f,), from 0, uniform"""
    cross: npt.NDArray[np.complex64]
    """shape (m, f): whitened cross-spectrum of each segment; 0 in spectral lines and outside the band"""
    middle_s: npt.NDArray[np.float64]
    """shape (m,): middle of each segment, s from the middle of the recording"""
    bands: Bands
    density: npt.NDArray[np.float64]
    """shape (2, f): mean power density of A and B, full scale² / Hz"""
    coherence: npt.NDArray[np.float64]
    """shape (f,): magnitude-squared coherence, corrected for chance; drift lowers it"""
    used: npt.NDArray[np.bool_]
    """shape (f,): bins inside the band that are no spectral lines"""
    seconds: float


def to_rate(samples: Samples, rate: float, wanted: float) -> Samples:
    """Resample by a polyphase filter, shape (n,) → (m,). Rates in Hz."""
    ratio = Fraction(wanted / rate).limit_denominator(2000)
    if ratio == 1:
        return samples
    return np.asarray(scipy.signal.resample_poly(samples, ratio.numerator, ratio.denominator), np.float64)


def on_clock(samples: Samples, rate: float, clock: Clock) -> Samples:
    """Bring B's samples, shape (n,), to A's clock: undo the known offset and drift by interpolation. `rate` in Hz."""
    if not clock.offset and not clock.drift_ppm:
        return samples
    at = (np.arange(len(samples)) * (1 + 1e-6 * clock.drift_ppm)) + clock.offset * rate
    fine = scipy.signal.resample_poly(samples, _FINE, 1)
    return np.asarray(np.interp(at * _FINE, np.arange(len(fine)), fine, left=0.0, right=0.0), np.float64)


def spectra(a: Samples, b: Samples, rate: float, *, highest_hz: float, longest_delay: float, fine: int = 1) -> Spectra:
    """Cut two recordings of equal length (n,) into overlapping segments and whiten them.

    `fine`: zero padding, for spectra that are read between the bins.
    """
    size = _segment(len(a), rate, longest_delay)
    hop = size // 2
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    a, b = (_padded(samples, hop) for samples in (a, b))
    starts = np.arange(0, len(a) - size + 1, hop)
    full = size * fine
    f = np.arange(full // 2 + 1, dtype=np.float64) * (rate / full)
    x, y = (_transform(s, starts, window, full) for s in (a, b))
    power = np.stack([np.mean(np.abs(s) ** 2, axis=0) for s in (x, y)]).astype(np.float64)
    floor = 1e-12 * power.max(axis=1, keepdims=True) + 1e-30
    x /= np.sqrt(power[0] + floor[0]).astype(np.float32)
    y /= np.sqrt(power[1] + floor[1]).astype(np.float32)
    cross = np.conj(x) * y
    band = (f >= LOWEST_HZ) & (f <= min(highest_hz, 0.45 * rate))
    coherence = _coherence(cross)
    heard = (power > _PRECISION * power.max(axis=1, keepdims=True)).all(axis=0)
    used = _without_tones(band & heard & ~_lines(power, coherence, len(starts), fine), power, band)
    seconds = (len(a) - 2 * hop) / rate
    bands = _bands(f, used, seconds)
    _level(cross, x, y, bands)
    cross *= _filled(starts, window, hop, len(a) - hop)[:, None]
    cross[:, ~used] = 0
    density = np.asarray(power * (2 / (rate * np.sum(window.astype(np.float64) ** 2))), np.float64)
    middle = np.asarray((starts + size / 2 - len(a) / 2) / rate, np.float64)
    return Spectra(f, cross, middle, bands, density, coherence, used, seconds)


def long_enough(seconds: float, longest_delay: float, fine: int) -> bool:
    """Whether recordings of this length can be cut into segments that hold the delay. Both in s."""
    return min(seconds / _SEGMENTS, _SEGMENT_S[1]) >= max(2.0, 4.0 / fine) * longest_delay


def _segment(count: int, rate: float, longest_delay: float) -> int:
    seconds = min(max(_DELAYS_A_SEGMENT * longest_delay, _SEGMENT_S[0]), _SEGMENT_S[1], count / rate / _SEGMENTS)
    return int(scipy.fft.next_fast_len(int(seconds * rate) // 2, real=True)) * 2


def _transform(
    s: Samples, starts: npt.NDArray[np.int64], window: npt.NDArray[np.float32], full: int
) -> npt.NDArray[np.complex64]:
    pieces = np.lib.stride_tricks.sliding_window_view(s.astype(np.float32), len(window))[starts]
    return np.asarray(scipy.fft.rfft(pieces * window, full, axis=1), np.complex64)


def _padded(samples: Samples, count: int) -> Samples:
    """Add `count` zeros at both ends, so that the ends count too, and fade into them, so that lines do not leak."""
    fade = np.sin(np.linspace(0, np.pi / 2, count // 2)) ** 2
    faded = samples - samples.mean()
    faded[: len(fade)] *= fade
    faded[-len(fade) :] *= fade[::-1]
    return np.pad(faded, count)


def _filled(
    starts: npt.NDArray[np.int64], window: npt.NDArray[np.float32], begin: int, end: int
) -> npt.NDArray[np.float32]:
    """Share of each segment's window that lies on samples `begin` to `end`, shape (m,), scaled to a mean of 1."""
    rising = np.concatenate(([0.0], np.cumsum(window.astype(np.float64) ** 2)))
    low, high = np.clip(begin - starts, 0, len(window)), np.clip(end - starts, 0, len(window))
    share = rising[high] - rising[low]
    return np.asarray(share / share.mean(), np.float32)


def _coherence(cross: npt.NDArray[np.complex64]) -> npt.NDArray[np.float64]:
    chance = 1 / len(cross)
    raw = np.abs(cross.mean(axis=0)).astype(np.float64) ** 2
    return np.asarray(np.clip((raw - chance) / (1 - chance), 0, 1))


def _lines(
    power: npt.NDArray[np.float64], coherence: npt.NDArray[np.float64], segments: int, fine: int
) -> npt.NDArray[np.bool_]:
    """Bins that stand out of their neighbours in power or coherence, those beside them, and what leaks from any bin."""
    width = 24 * fine + 1
    around = scipy.ndimage.median_filter(power, size=(1, width), mode="nearest")
    loud = (power > around * 10 ** (_LINE_DB / 10)).any(axis=0)
    usual = scipy.ndimage.median_filter(coherence, size=width, mode="nearest")
    tonal = coherence > usual + _LINE_COHERENCE * (usual + 1) / segments
    lines = np.asarray(scipy.ndimage.binary_dilation(loud | tonal, iterations=2 * fine))
    return np.asarray(lines | (power < _LEAKAGE * _leakage(power, fine)).any(axis=0))


def _without_tones(
    used: npt.NDArray[np.bool_], power: npt.NDArray[np.float64], band: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """No bin at all where a recording holds tones only: what is left of it are rounding and distortion."""
    rest = power[:, used].sum(axis=1)
    return used if (rest > _TONES * power[:, band].sum(axis=1)).all() else np.zeros_like(used)


def _leakage(power: npt.NDArray[np.float64], fine: int) -> npt.NDArray[np.float64]:
    """Power that the window lets through from other bins, shape (2, f).

    The Hann window passes 1 / (π²·k⁶) of a line's power to the bin k bins away.
    """
    away = np.abs(np.arange(-_REACH * fine, _REACH * fine + 1)) / fine
    passed = np.where(away > 2, 1 / (np.pi**2 * np.maximum(away, 2) ** 6), 0) / fine
    return np.asarray(np.maximum(scipy.signal.oaconvolve(power, passed[None], "same", axes=1), 0))


def _bands(f: npt.NDArray[np.float64], used: npt.NDArray[np.bool_], seconds: float) -> Bands:
    """Quarter octaves, at least 15 Hz wide."""
    top = f[used][-1] if used.any() else 2 * LOWEST_HZ
    edges = [LOWEST_HZ]
    while edges[-1] < top:
        edges.append(max(edges[-1] * 2**0.25, edges[-1] + 15.0))
    if len(edges) > 2 and edges[-1] > 1.05 * top:
        edges.pop(-2)
    edges[-1] = top + f[1]
    bins = np.searchsorted(f, edges)
    step = f[1]
    count = np.array([np.count_nonzero(used[i:j]) for i, j in itertools.pairwise(bins)]) * step * seconds
    centre = np.sqrt(np.array(edges[:-1]) * np.array(edges[1:]))
    return Bands(bins, np.maximum(count, 1e-9), centre)


def _level(
    cross: npt.NDArray[np.complex64], x: npt.NDArray[np.complex64], y: npt.NDArray[np.complex64], bands: Bands
) -> None:
    """Give every segment the same weight in each band, so that a passing car does not count for minutes."""
    for i, j in zip(bands.edges[:-1], bands.edges[1:], strict=True):
        if j > i:
            level = np.mean(np.abs(x[:, i:j]) ** 2, axis=1) * np.mean(np.abs(y[:, i:j]) ** 2, axis=1)
            cross[:, i:j] /= np.sqrt(np.maximum(level, 1e-6))[:, None].astype(np.float32)

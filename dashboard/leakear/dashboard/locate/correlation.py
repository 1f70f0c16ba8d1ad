"""Correlation over delay and drift in each band, and what is made of it: PHAT, band scan, maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.fft

from leakear.dashboard.locate.pipes import REFERENCE_HZ
from leakear.dashboard.locate.spectra import Spectra

Floats = npt.NDArray[np.float64]
Told = Callable[[float], None]
"""Takes how much is done."""
_OVERSAMPLE = 4
"""Samples of the correlation for each period of the highest frequency, at least."""
_DRIFT_TURN = 0.2
"""Turns of phase by which neighbouring drifts differ at most, at the highest frequency and the ends."""
_MOST_COHERENT = 0.95
"""Coherence (not squared) is taken as this at most: no pair is perfect."""
_MOST_SPREAD = 9.0
"""Excess of chance's variance that is corrected at most."""


def untold(_done: float) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Correlation:
    """Correlation of each band against delay (middle of the recording) and drift."""

    delay: Floats
    """shape (t,), s, uniform: by how much B is later than A"""
    drift: Floats
    """shape (d,), by which the delay grows in a second"""
    bands: npt.NDArray[np.float32]
    """shape (d, b, t): coefficient of correlation, real, −1 to 1"""
    count: Floats
    """shape (b,), see `Bands.count`; fewer where the correlation varies more at impossible delays"""
    kernel: npt.NDArray[np.float32]
    """shape (b, 2 · t − 1): each band's correlation of a sound with itself, peak 1 in the middle"""

    @cached_property
    def _rising(self) -> npt.NDArray[np.float32]:
        """Sum of the bands below each, weighted by their samples, shape (d, b + 1, t)."""
        out = np.zeros((self.bands.shape[0], self.bands.shape[1] + 1, self.bands.shape[2]), np.float32)
        np.cumsum(self.bands * self.count.astype(np.float32)[:, None], axis=1, out=out[:, 1:])
        return out

    def score(self, low: int, high: int) -> npt.NDArray[np.float32]:
        """Standardised sum of the bands `low` to `high` − 1, shape (d, t): normal with variance 1 without a source."""
        scale = np.float32(np.sqrt(2 / self.count[low:high].sum()))
        return (self._rising[:, high] - self._rising[:, low]) * scale


@dataclass(frozen=True)
class Found:
    """The strongest correlation."""

    score: float
    """standard deviations above chance"""
    low: int
    high: int
    """bands from `low` to `high` − 1 that were chosen"""
    drift_index: int
    delay_index: int


def correlate(
    s: Spectra, *, longest: float, possible: float, drift_bound: float, dispersion: float, told: Told = untold
) -> Correlation:
    """Correlate every band for delays of ± `longest` s and drifts of ± `drift_bound` (s of delay in a second).

    `possible`: s, delays beyond it have no source on the pipe, so what stands there is chance, or tones.

    `dispersion`: rise of the phase speed for each factor e of frequency; the delay is that at `REFERENCE_HZ`.
    `told` is given the share that is done.
    """
    step = s.frequency[1]
    top = s.frequency[s.bands.edges[-1] - 1]
    size = int(2 ** np.ceil(np.log2(max(2 * (len(s.frequency) - 1), _OVERSAMPLE * top / step))))
    reach = min(int(longest * size * step) + 2, size // 4 - 1)
    take = np.r_[-reach : reach + 1]
    drifts = _drifts(drift_bound, top, s.seconds)
    source = _warped(s.frequency, dispersion)
    out = np.empty((len(drifts), len(s.bands.count), len(take)), np.float32)
    turn = np.exp(2j * np.pi * s.frequency * (drifts[0] * s.middle_s[:, None])).astype(np.complex64) * s.cross
    if len(drifts) > 1:
        advance = np.exp(2j * np.pi * s.frequency * ((drifts[1] - drifts[0]) * s.middle_s[:, None])).astype(
            np.complex64
        )
    for d in range(len(drifts)):
        mean = turn.mean(axis=0)
        if dispersion:
            mean = np.interp(source, s.frequency, mean.real) + 1j * np.interp(source, s.frequency, mean.imag)
        out[d] = _by_band(mean, s, size)[:, take]
        if d + 1 < len(drifts):
            turn *= advance
        told((d + 1) / len(drifts))
    delay = take / (size * step)
    kernel = _by_band(s.used.astype(np.complex128), s, size)[:, np.r_[-2 * reach : 2 * reach + 1]].astype(np.float32)
    return Correlation(delay, drifts, out, _counts(out, s.bands.count, np.abs(delay) > possible), kernel)


def _counts(bands: npt.NDArray[np.float32], count: Floats, impossible: npt.NDArray[np.bool_]) -> Floats:
    """Independent samples of each band, reduced where chance alone varies more than such samples would."""
    spread = np.mean(bands[:, :, impossible].astype(np.float64) ** 2, axis=(0, 2)) * 2 * count
    return np.asarray(count / np.clip(spread, 1, _MOST_SPREAD))


def _drifts(bound: float, top: float, seconds: float) -> Floats:
    if bound <= 0:
        return np.zeros(1)
    step = 2 * _DRIFT_TURN / (top * seconds / 2)
    half = int(np.ceil(bound / step))
    return np.asarray(np.linspace(-bound, bound, 2 * half + 1))


def _warped(f: Floats, dispersion: float) -> Floats:
    """Frequency at which a dispersive delay turns the phase as a plain delay does at `f`: f' = f·(1 + d·ln(f'/ref))."""
    out = f.copy()
    for _ in range(4):
        out = f * (1 + dispersion * np.log(np.maximum(out, 5.0) / REFERENCE_HZ))
    return out


def _by_band(mean: npt.NDArray[np.complex128], s: Spectra, size: int) -> Floats:
    split = np.zeros((len(s.bands.count), size // 2 + 1), np.complex64)
    for band, (i, j) in enumerate(zip(s.bands.edges[:-1], s.bands.edges[1:], strict=True)):
        split[band, i:j] = mean[i:j] / max(int(np.count_nonzero(s.used[i:j])), 1)
    return np.asarray(scipy.fft.irfft(split, size, axis=1) * (size / 2))


def ranges(bands: int) -> list[tuple[int, int]]:
    """Ranges of neighbouring bands that are tried: an octave and wider, growing by half, overlapping."""
    out: list[tuple[int, int]] = []
    width = 4
    while width < bands:
        hop = max(1, width // 3)
        out += [(low, low + width) for low in range(0, bands - width + 1, hop)]
        width = max(width + 1, width * 3 // 2)
    return [*out, (0, bands)]


def strongest(c: Correlation, inside: npt.NDArray[np.bool_]) -> Found:
    """Find drift, delay (where `inside`, shape (t,)) and range of bands of the highest score."""
    best = Found(-1.0, 0, len(c.count), 0, 0)
    where = np.flatnonzero(inside)
    for low, high in ranges(len(c.count)):
        score = c.score(low, high)[:, where]
        top = int(np.argmax(score))
        d, t = divmod(top, len(where))
        if score[d, t] > best.score:
            best = Found(float(score[d, t]), low, high, d, int(where[t]))
    return best


def weights(c: Correlation, found: Found) -> Floats:
    """Maximum-likelihood weights γ / (1 − γ²) of each band, from the coherence at the peak, smoothed, shape (b,)."""
    seen = c.bands[found.drift_index, :, found.delay_index].astype(np.float64)
    smooth = np.convolve(np.r_[seen[0], seen, seen[-1]], (0.25, 0.5, 0.25), "valid")
    chance = np.sqrt(0.375 / (2 * c.count))
    gamma = np.where(smooth > chance, np.clip(smooth, 0, _MOST_COHERENT), 0)
    if not gamma.any():
        gamma[found.low : found.high] = 0.01
    return np.asarray(gamma / (1 - gamma**2))


def log_likelihood(c: Correlation, weight: Floats) -> Floats:
    """Log-likelihood ratio of a source against none, for each drift and delay, shape (d, t)."""
    return np.tensordot(c.bands, 2 * c.count * weight, axes=(1, 0)).astype(np.float64)

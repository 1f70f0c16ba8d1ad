"""The one spectrogram of the project: training, conversion and the node all import it from here.

A window of 10 s at 22050 Hz becomes 2049 frequencies × 431 frames in dB: a centred STFT of 4096 points with hop 512, a
periodic Hann window and zero padding, which is what librosa 0.11 computes (`librosa.stft`, then
`amplitude_to_db(ref=np.max)`) and what the reference notebook was trained on. A test holds the two
within 0.01 dB. Computed in float32 by scipy's transform (`fourier`): scipy.signal would cost the node 79 MB.
"""

import math
from functools import lru_cache

import numpy as np

from leakear.edge.spec import OWN_HEADROOM_DB, Decibels, Samples, SpectrogramSpec
from leakear.edge.spectrogram.fourier import rfft, squared

__all__ = ["Decibels", "IncrementalSpectrogram", "Samples", "SpectrogramSpec", "spectrogram"]

SILENCE_DBFS = -120.0
"""A window whose strongest bin is below this is silence: no 24-bit converter has so little noise."""
_AMIN = 1e-5
"""Smallest magnitude in librosa's amplitude_to_db."""
_CHUNK = 32
"""Frames transformed at once: 6 MB of working memory instead of 15, and it stays in the cache."""


@lru_cache(maxsize=4)
def _hann(n_fft: int) -> Samples:
    """Periodic Hann window, shape (n_fft,)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def _frames_db(padded: Samples, first: int, out: Decibels, spec: SpectrogramSpec) -> None:
    """Write frames `first`, `first + 1`, … of padded samples into `out`, shape (count, rows), as 20·log10|X|."""
    hann, band = _hann(spec.n_fft), spec.band
    framed = np.lib.stride_tricks.sliding_window_view(padded, spec.n_fft)[:: spec.hop_length]
    for start in range(0, len(out), _CHUNK):
        target = out[start : start + _CHUNK]
        spectrum = rfft(framed[first + start : first + start + len(target)] * hann)
        squared(spectrum[:, band], out=target)
    np.clip(out, _AMIN**2, np.inf, out=out)  # quicker than np.maximum with one number
    np.log10(out, out=out)
    out *= 10


def _refer(absolute: Decibels, spec: SpectrogramSpec) -> Decibels:
    """Turn 20·log10|X|, shape (frames, rows), into dB against the spec's reference, shape (rows, frames)."""
    full_scale_db = 20 * math.log10(spec.full_scale)
    peak = float(absolute.max())
    if peak - full_scale_db < SILENCE_DBFS:  # librosa would call digital silence "everything at maximum"
        return np.full(spec.shape, spec.floor, np.float32)
    if spec.reference == "own":
        reference = float(absolute.mean()) + OWN_HEADROOM_DB
    else:
        reference = peak if spec.reference == "max" else full_scale_db
    referred: Decibels = absolute - np.float32(reference)
    return np.clip(referred, spec.floor, 0, out=referred).T


def _padded(samples: Samples, spec: SpectrogramSpec) -> Samples:
    """Put half a transform of zeros at either end. Raises ValueError for another shape than (window_samples,)."""
    if samples.shape != (spec.window_samples,):
        raise ValueError(f"a window has shape ({spec.window_samples},), not {samples.shape}")
    padded = np.zeros(spec.window_samples + spec.n_fft, np.float32)
    padded[spec.n_fft // 2 : -(spec.n_fft // 2)] = samples
    return padded


def spectrogram(samples: Samples, spec: SpectrogramSpec) -> Decibels:
    """Spectrogram of one window.

    `samples`: shape (spec.window_samples,), full scale ±1. Returns float32 dB, shape spec.shape, within
    [spec.floor, 0]. Silence is the floor everywhere. Raises ValueError for another shape.
    """
    padded = _padded(samples, spec)
    absolute = np.empty((spec.frames, spec.rows), np.float32)
    _frames_db(padded, 0, absolute, spec)
    return _refer(absolute, spec)


class IncrementalSpectrogram:
    """Spectrograms of overlapping windows: only what a step added is transformed.

    Frames that touch the padding belong to one window alone and are computed each time; all others are kept. Equal
    to `spectrogram` within 1e-4 dB. A step that is no multiple of the hop is computed whole.
    """

    def __init__(self, spec: SpectrogramSpec) -> None:
        self._spec = spec
        self._absolute = np.empty((spec.frames, spec.rows), np.float32)
        self._valid = False

    def update(self, samples: Samples, advance: int | None) -> Decibels:
        """Spectrogram of the window `samples`, `advance` samples after the one before (None: after a gap)."""
        spec = self._spec
        padded = _padded(samples, spec)
        edge = -(-spec.n_fft // 2 // spec.hop_length)  # frames at either end that reach into the padding
        step, odd = divmod(advance or 0, spec.hop_length)
        kept = spec.frames - 2 * edge - step
        if not self._valid or advance is None or advance < 0 or odd or kept <= 0:
            _frames_db(padded, 0, self._absolute, spec)
        else:
            self._absolute[edge : edge + kept] = self._absolute[edge + step : edge + step + kept]
            _frames_db(padded, 0, self._absolute[:edge], spec)
            _frames_db(padded, edge + kept, self._absolute[edge + kept :], spec)
        self._valid = True
        return _refer(self._absolute, spec)

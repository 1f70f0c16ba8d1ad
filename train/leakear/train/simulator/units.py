"""Block sizes of the simulator, and conversions between levels and powers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
"""Samples in full scale ±1, or mean-square power per frequency bin; each docstring states which."""

RATE = 22050
"""Samples per second."""
BLOCK = 32768
"""Samples of one synthesised stretch of noise (1.49 s)."""
FADE = 2048
"""Samples over which neighbouring stretches are cross-faded at constant power."""
HOP = BLOCK - FADE
"""Samples by which stretches advance (1.39 s): the time resolution of scenes."""


def frequencies(block: int = BLOCK) -> Array:
    """Return the frequency of each bin, Hz; bin 0 gets a value above 0 so that power laws stay finite."""
    f = np.fft.rfftfreq(block, 1 / RATE).astype(np.float32)
    f[0] = f[1] / 2
    return f


def power(dbfs: float) -> float:
    """Mean square of a signal at this level; 0 dBFS is a full-scale sine (mean square 0.5)."""
    return 0.5 * 10 ** (dbfs / 10)


def dbfs(mean_square: float) -> float:
    """Level of a mean square, the reverse of `power`."""
    return float(10 * np.log10(max(mean_square, 1e-20) * 2))


def ratio(db: float) -> float:
    """Power ratio of a difference in decibels."""
    return float(10 ** (db / 10))


def scaled(shape: Array, mean_square: float) -> Array:
    """Power per bin with the form of `shape` and this sum; the first bin is 0 (noise has no DC)."""
    out = shape.astype(np.float32)
    out[0] = 0.0
    return np.asarray(out * np.float32(mean_square / max(float(out.sum()), 1e-30)), np.float32)


def loguniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw between two positive limits, each octave as likely as any other."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))

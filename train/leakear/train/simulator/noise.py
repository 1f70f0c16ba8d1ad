"""Gaussian noise of a given spectrum, in cross-faded stretches that can be made in any order.

Independent Gaussian sounds add by power, so leak, background, machines and sensor noise of one stretch need only one
inverse transform: a day takes about a minute on one core.
"""

from __future__ import annotations

import numpy as np
import scipy.fft

from leakear.train.simulator.units import BLOCK, FADE, HOP, Array

_ANGLE = np.linspace(0, np.pi / 2, FADE, dtype=np.float32)
RISE = np.sin(_ANGLE)
"""Fade-in that keeps the power of two independent noises constant, (FADE,)."""
FALL = np.cos(_ANGLE)
"""Fade-out to `RISE`."""


def stretch(power: Array, rng: np.random.Generator) -> Array:
    """Make samples (BLOCK,) of Gaussian noise with mean-square `power` per bin, shape (BLOCK // 2 + 1,)."""
    white = rng.standard_normal(2 * power.size, dtype=np.float32).view(np.complex64)
    white *= np.sqrt(power) * np.float32(BLOCK / 2)
    return np.asarray(scipy.fft.irfft(white, BLOCK), np.float32)


class NoiseStream:
    """Stretches of noise in order, each cross-faded into the next. Equal seeds and powers give equal samples."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._next = -1
        self._tail = np.zeros(FADE, np.float32)

    def render(self, index: int, power: Array) -> Array:
        """Make samples (HOP,) of stretch `index`. After a jump the previous stretch is made again, with this power."""
        if index != self._next:
            self._tail = self._make(index - 1, power)[HOP:] * FALL
        whole = self._make(index, power)
        whole[:FADE] = whole[:FADE] * RISE + self._tail
        self._tail = whole[HOP:] * FALL
        self._next = index + 1
        return whole[:HOP]

    def _make(self, index: int, power: Array) -> Array:
        return stretch(power, np.random.Generator(np.random.SFC64([self._seed, index + 1])))

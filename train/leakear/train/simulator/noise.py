"""Gaussian noise of a given spectrum, in cross-faded stretches that can be made in any order.

Independent Gaussian sounds add by power, so leak, background, machines and sensor noise of one stretch need only one
inverse transform. Its white noise is read at random places of a table, which costs a tenth of drawing it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from leakear.train.simulator.units import BLOCK, FADE, HOP, Array

_ANGLE = np.linspace(0, np.pi / 2, FADE, dtype=np.float32)
RISE = np.sin(_ANGLE)
"""Fade-in that keeps the power of two independent noises constant, (FADE,)."""
FALL = np.cos(_ANGLE)
"""Fade-out to `RISE`."""


TABLE = 2**20
"""Complex values of white noise in the table: of two stretches, one pair in 32 has a part of it in common, at other
frequencies."""


@lru_cache(maxsize=1)
def _table() -> npt.NDArray[np.complex64]:
    rng = np.random.Generator(np.random.SFC64(0x401E))
    return rng.standard_normal(2 * TABLE, dtype=np.float32).view(np.complex64)


def mixed(*numbers: int) -> int:
    """Return a pseudo-random number below 2^64 (splitmix64's mixing function)."""
    x = 0
    for number in numbers:
        x = (x + number + 0x9E3779B97F4A7C15) & _ALL
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _ALL
        x ^= x >> 31
    return x


_ALL = 2**64 - 1


def stretch(power: Array, place: int) -> Array:
    """Make samples (BLOCK,) of Gaussian noise with mean-square `power` per bin, shape (BLOCK // 2 + 1,)."""
    start = place % (TABLE - power.size)
    white = _table()[start : start + power.size] * (np.sqrt(power) * np.float32(BLOCK / 2))
    return np.asarray(scipy.fft.irfft(white, BLOCK, overwrite_x=True), np.float32)


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
        return whole[:HOP].copy()

    def _make(self, index: int, power: Array) -> Array:
        return stretch(power, mixed(self._seed, index + 1))

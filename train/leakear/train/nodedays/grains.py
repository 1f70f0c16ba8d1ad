"""Endless sound from a short recording: random pieces of it, cross-faded at constant power, without a seam."""

from __future__ import annotations

import numpy as np

from leakear.train.simulator.units import RATE, Array

PIECE_S = 20.0
"""Longest piece taken from a recording, s: long enough to keep how the recording varies by itself."""
FADE_S = 0.5
"""Cross-fade between two pieces, s; at most a quarter of the piece."""


class Grains:
    """A recording as an endless stream that can be read from any place; the same seed gives the same stream.

    A recording shorter than `PIECE_S` is repeated whole: it varies no more than it did when it was recorded.
    """

    def __init__(self, sound: Array, seed: int) -> None:
        """Take samples, shape (n,), at 22050 Hz; n at least one second."""
        self._sound = sound
        self._seed = seed
        self._length = min(len(sound), round(PIECE_S * RATE))
        self._fade = min(round(FADE_S * RATE), self._length // 4)
        self._step = self._length - self._fade
        rise = np.sin(np.linspace(0, np.pi / 2, self._fade, dtype=np.float32))
        self._envelope = np.ones(self._length, np.float32)
        self._envelope[: self._fade] = rise
        self._envelope[-self._fade :] = rise[::-1]

    def read(self, start: int, count: int) -> Array:
        """Return `count` samples from sample `start` on, shape (count,)."""
        out = np.zeros(count, np.float32)
        first = max(0, (start - self._length) // self._step)
        for number in range(first, (start + count) // self._step + 1):
            at = number * self._step
            low, high = max(start, at), min(start + count, at + self._length)
            if low < high:
                offset = self._offset(number)
                piece = self._sound[offset + low - at : offset + high - at]
                out[low - start : high - start] += piece * self._envelope[low - at : high - at]
        return out

    def _offset(self, number: int) -> int:
        room = len(self._sound) - self._length
        return int(np.random.default_rng([self._seed, number]).integers(room + 1)) if room else 0

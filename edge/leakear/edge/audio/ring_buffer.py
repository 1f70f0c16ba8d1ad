"""Ring buffer from the driver's real-time thread to the main thread: when it is full, the oldest frames are lost."""

import threading
import time
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.microphone import BLOCK_S


class Frames(NamedTuple):
    """One delivery of the source's thread."""

    number: int
    """of the delivery; a jump means that older ones were overwritten"""
    samples: NDArray[np.float32]
    """Shape (n, channels)"""
    lost_before: bool
    """the driver lost samples just before these"""
    monotonic: float
    """when they were handed over, seconds"""
    utc: float
    """the same moment, POSIX seconds"""
    delay_s: float | None
    """age of the first sample at that moment, seconds; None: the driver does not say"""


class RingBuffer:
    """Frames on their way between two threads."""

    def __init__(self, buffer_s: float) -> None:
        self._deque: deque[Frames] = deque(maxlen=max(2, round(buffer_s / BLOCK_S)))
        self._arrived = threading.Event()
        self._number = 0

    def deliver(self, frames: NDArray[np.float32], lost_before: bool, delay_s: float | None = None) -> None:
        """Copy frames, shape (n, channels), and return: this runs in the driver's real-time thread.

        `lost_before`: the driver lost samples before them. `delay_s`: age of the first of them; None: not known.
        """
        now = time.monotonic(), time.time()
        self._deque.append(Frames(self._number, frames.copy(), lost_before, *now, delay_s))
        self._number += 1
        self._arrived.set()

    def take(self, timeout_s: float) -> Frames | None:
        """Oldest frames, or None after `timeout_s`."""
        if not self._deque:
            self._arrived.wait(timeout_s)
        self._arrived.clear()
        return self._deque.popleft() if self._deque else None

"""A take: collects the sound of one recording from the stream of blocks, from an exact moment on.

The time of its first sample is the median of what all its blocks say, so the jitter of one block does not matter.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.blocks import Block
from leakear.edge.errors import InputDataError

CLOCK_STEP_S = 0.002
"""s by which the wall clock may move against the monotonic one during a recording"""
GAP = "Sound was lost during the recording: record again."
CLOCK_SET = "The clock of this node was set during the recording: record again."


class TakeError(InputDataError):
    """The recording cannot be used."""


@dataclass
class Take:
    """The sound of one recording, as far as it has come."""

    start: float
    """when it is to begin, s since 1970"""
    samples: int
    """how many it is to have"""
    rate: int
    """nominal samples a second, Hz"""
    _parts: list[NDArray[np.float32]] = field(default_factory=list)
    _times: list[tuple[int, float, float]] = field(default_factory=list)  # samples before, monotonic s, UTC less that
    _heard: int = 0
    _next: int = 0  # position that the next block must have

    @property
    def heard_s(self) -> float:
        """Seconds recorded so far."""
        return self._heard / self.rate

    @property
    def begun(self) -> bool:
        """Whether its first sample is there."""
        return bool(self._parts)

    def push(self, block: Block) -> bool:
        """Take what belongs to it; True once it is complete. Raises TakeError."""
        first = 0
        if not self._parts:
            first = round((self.start - block.utc) * self.rate)
            if first >= len(block.samples):
                return False
            if first < -self.rate:  # more than a second late
                raise TakeError(GAP)
            first = max(0, first)
        elif block.start != self._next:
            raise TakeError(GAP)
        part = block.samples[first : first + self.samples - self._heard]
        self._times.append((self._heard - first, block.monotonic, block.utc - block.monotonic))
        self._parts.append(part)
        self._heard += len(part)
        self._next = block.start + len(block.samples)
        return self._heard >= self.samples

    def sound(self) -> NDArray[np.float32]:
        """Return all of it, shape (samples,)."""
        return np.concatenate(self._parts)

    def began(self, drift_ppm: float) -> float:
        """Return when the first sample was heard, s since 1970. Raises TakeError when the clock was set meanwhile."""
        before, monotonic, ahead = np.asarray(self._times).T
        half = len(ahead) // 2
        if half and abs(np.median(ahead[:half]) - np.median(ahead[half:])) > CLOCK_STEP_S:
            raise TakeError(CLOCK_SET)
        starts = monotonic - before / (self.rate * (1 + drift_ppm * 1e-6))
        return float(np.median(starts) + np.median(ahead))

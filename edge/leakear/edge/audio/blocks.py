"""What a sound source yields: blocks of samples, or a named fault while there is no sound."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples as they come from a microphone or a file, already at the model's rate."""

    start: int
    """Index of the first sample since the stream began, in samples at the model's rate; a jump is a gap."""

    samples: NDArray[np.float32]
    """Shape (n,), full scale is ±1."""

    utc: float
    """When the first sample was heard, POSIX seconds."""

    monotonic: float
    """The same moment on the clock that never steps, seconds."""


@dataclass(frozen=True, slots=True)
class SensorFault:
    """The microphone gives no sound; repeated about once a second while that lasts."""

    name: str
    """`NO_DEVICE`, `NO_FRAMES` or `WRONG_RATE` of `capture`."""

    message: str
    """One sentence for people: what is wrong and what to do."""

    monotonic: float
    """When it was noticed, seconds."""

    utc: float
    """The same moment, POSIX seconds."""


def to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Turn floats of full scale ±1, any shape, into PCM; what lies beyond is clipped, a NaN becomes 0."""
    scaled = np.rint(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0).astype(np.float64) * 32768)
    return np.clip(scaled, -32768, 32767).astype(np.int16)

"""Levels as text for the saved state: a week of half hours is 15 kB."""

import base64
import zlib
from collections.abc import Sequence

import numpy as np

from leakear.edge.background.third_octaves import CENTRES_HZ, Bands, Rows

STEP_DB = 0.1
"""Resolution of the saved levels."""


def packed(entries: Rows | Sequence[Bands]) -> str:
    """Write spectra, shape (n, 25), dB, in steps of STEP_DB."""
    steps = np.rint(np.array(entries, np.float32) / STEP_DB).astype("<i2")
    return _text(steps.tobytes())


def unpacked(text: str) -> Rows:
    """Inverse of `packed`, shape (n, 25). Raises ValueError."""
    steps = np.frombuffer(_data(text), "<i2").reshape(-1, len(CENTRES_HZ))
    return steps.astype(np.float32) * np.float32(STEP_DB)


def packed_numbers(numbers: Sequence[int]) -> str:
    """Write whole numbers that mostly follow each other."""
    steps = np.diff(np.array(numbers, "<i4"), prepend=np.int32(0)).astype("<i4")
    return _text(steps.tobytes())


def unpacked_numbers(text: str) -> list[int]:
    """Inverse of `packed_numbers`. Raises ValueError."""
    return [int(number) for number in np.cumsum(np.frombuffer(_data(text), "<i4"), dtype=np.int64)]


def _text(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode("ascii")


def _data(text: str) -> bytes:
    try:
        return zlib.decompress(base64.b64decode(text, validate=True))
    except zlib.error as error:
        raise ValueError(f"the saved background cannot be read: {error}") from None

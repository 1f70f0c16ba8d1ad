"""A spectrogram as a PNG, written with zlib alone: matplotlib has no place on a node."""

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from leakear.edge.spec import Decibels

MAX_ROWS = 512
"""Pixels of height; more rows are pooled by their maximum, so that a thin line stays visible."""
_ANCHORS = ((0, 0, 16), (40, 20, 110), (150, 40, 130), (240, 110, 60), (255, 240, 170))
"""Colours from the floor to 0 dB; both lightness and hue rise, so it reads in grey too."""


def png(spectrogram: "Decibels", floor_db: float) -> bytes:
    """Draw a spectrogram, shape (rows, frames) in dB within [floor_db, 0]; low frequencies at the bottom."""
    step = -(-len(spectrogram) // MAX_ROWS)
    pooled = np.maximum.reduceat(spectrogram, np.arange(0, len(spectrogram), step), axis=0)[::-1]
    codes = np.clip(np.rint((pooled - floor_db) * (-255 / floor_db)), 0, 255).astype(np.uint8)
    height, width = codes.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, indexed colours
    scanlines = np.hstack([np.zeros((height, 1), np.uint8), codes]).tobytes()  # filter 0 before each line
    chunks = (
        (b"IHDR", header),
        (b"PLTE", _palette().tobytes()),
        (b"IDAT", zlib.compress(scanlines, 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _palette() -> NDArray[np.uint8]:
    """256 colours between the anchors, shape (256, 3)."""
    at = np.linspace(0, len(_ANCHORS) - 1, 256)
    channels = [np.interp(at, range(len(_ANCHORS)), values) for values in zip(*_ANCHORS, strict=True)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)

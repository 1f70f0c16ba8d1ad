"""FLAC: how many frames STREAMINFO promises, and files that hold several streams. Source: RFC 9639."""

import mmap
import struct
from typing import BinaryIO

from leakear.edge.audio.containers.views import Part, SoundError, View

_BEGINNING = b"fLaC\x00\x00\x00\x22"
"""Marker, head of STREAMINFO and its length."""
_TOTAL = (1 << 36) - 1
"""Bits of STREAMINFO that hold the number of frames; 0: not known."""
_LAST = b"fLaC\x80\x00\x00\x22"
"""The same where no other metadata follow."""


def parts(file: BinaryIO, start: int, end: int) -> tuple[Part, int | None]:
    """Return the stream at `start` and where another one begins, if it does. Raises SoundError."""
    following = _next(file, start + 4, end)
    file.seek(start)
    head = file.read(26)
    if len(head) < 26:
        raise SoundError("is truncated: its header is cut off; copy it again")
    packed = struct.unpack_from(">Q", head, 18)[0]
    unknown = head[:18] + struct.pack(">Q", packed & ~_TOTAL)  # else libsndfile stops at this number
    view = View(file, start + 26, (following or end) - start - 26, unknown)
    return Part(view, frames=packed & _TOTAL or None), following


def _next(file: BinaryIO, start: int, end: int) -> int | None:
    with mmap.mmap(file.fileno(), end, access=mmap.ACCESS_READ) as data:
        found = [at for mark in (_BEGINNING, _LAST) if (at := data.find(mark, start)) >= 0]
    return min(found) if found else None

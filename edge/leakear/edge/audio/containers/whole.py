"""Refuses files for ffmpeg that are cut, or hold several recordings: MP4, WMA and TTA say where they end.

ffmpeg decodes the first recording of such a file and stops without an error. Sources: ISO 14496-12 (MP4); Microsoft
Advanced Systems Format 1.2 (WMA); True Audio (TTA1).
"""

import struct
from typing import BinaryIO

from leakear.edge.audio.containers.views import SoundError, truncated

SEVERAL = "holds several recordings, one after the other; divide it with ffmpeg"
ASF = b"0&\xb2u\x8ef\xcf\x11"
"""First bytes of a WMA file."""
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_BROADCAST = 1
"""Flag of a WMA file that was written as it came: its size is not known."""
_HEADER = 1 << 16


def check(file: BinaryIO, name: str, end: int) -> None:
    """Examine a file of `end` bytes, of the kind that `ffmpeg.kind` calls `name`. Raises SoundError."""
    try:
        if name.startswith("MP4"):
            _boxes(file, end)
        elif name == "WMA":
            _asf(file, end)
        elif name == "TTA":
            _tta(file, end)
    except struct.error:
        raise SoundError("is truncated: its header is cut off; copy it again") from None


def _boxes(file: BinaryIO, end: int) -> None:
    """Refuse an MP4 file that ends within a box, or without its index."""
    at, names = 0, set()
    while at + 8 <= end:
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(8))
        if size == 1:
            size = struct.unpack(">Q", file.read(8))[0]
        if size == 0:
            size = end - at
        if size < 8 or at + size > end:
            raise SoundError(f"is truncated: it ends within its part {name.decode('latin-1')!r}; copy it again")
        if name == b"moov" and name in names:
            raise SoundError(SEVERAL)
        names.add(name)
        at += size
    if b"moov" not in names:
        raise SoundError("is truncated: the recorder did not write its index (moov); record it again")


def _asf(file: BinaryIO, end: int) -> None:
    file.seek(0)
    head = file.read(_HEADER)
    at = head.find(_FILE_PROPERTIES)
    if at < 0:
        return
    size, flags = struct.unpack_from("<Q", head, at + 40)[0], struct.unpack_from("<I", head, at + 88)[0]
    if flags & _BROADCAST or size == 0:
        return
    if size > end:
        raise truncated(f"{size} bytes", str(end))
    file.seek(size)
    if file.read(len(ASF)) == ASF:
        raise SoundError(SEVERAL)


def _tta(file: BinaryIO, end: int) -> None:
    file.seek(10)
    rate, samples = struct.unpack("<II", file.read(8))
    frames = -(-samples // max(1, rate * 256 // 245))
    if 4 * frames > end:
        raise SoundError("cannot be read as sound: its header is damaged; copy it again")
    file.seek(22)
    stop = 26 + 4 * frames + sum(struct.unpack(f"<{frames}I", file.read(4 * frames)))
    if stop > end:
        raise truncated(f"{stop} bytes", str(end))
    file.seek(stop)
    if b"TTA1" in file.read(_HEADER):  # behind a tag
        raise SoundError(SEVERAL)

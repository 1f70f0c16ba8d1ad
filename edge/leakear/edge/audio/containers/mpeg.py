"""MP3: its frames are examined, because a decoder skips damage without an error. Source: ISO 11172-3."""

import struct
from typing import BinaryIO

from leakear.edge.audio.containers.views import Part, SoundError, View, truncated

_KBIT = {
    (3, 3): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""(version, layer) → kbit/s; layer bits: 3 = I, 2 = II, 1 = III."""
_RATES = (44100, 48000, 32000)
_SLACK = 6
"""Decoded frames may be fewer by this many MPEG frames: the encoder's delay and padding are cut off."""


def is_frame(head: bytes) -> bool:
    """Tell whether these four bytes begin an MPEG audio frame."""
    return _frame(head) is not None


def _frame(head: bytes) -> tuple[int, int, int] | None:
    """Return bytes, samples and rate of the frame that these four bytes begin."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 0 or rate == 3 or bitrate in (0, 15):
        return None
    table = _KBIT[(3, layer)] if version == 3 else _KBIT[(2, 3 if layer == 3 else 2)]
    hertz = _RATES[rate] >> (0 if version == 3 else 1 if version == 2 else 2)
    bits = table[bitrate] * 1000
    if layer == 3:
        return (12 * bits // hertz + padding) * 4, 384, hertz
    samples = 576 if layer == 1 and version != 3 else 1152
    return samples // 8 * bits // hertz + padding, samples, hertz


def parts(file: BinaryIO, start: int, end: int) -> list[Part]:
    """Return the sounds from the first frame at `start` on: each Xing or Info header begins one. Raises SoundError."""
    found: list[Part] = []
    begin, frames, samples, rate, promised = start, 0, 0, 0, _promised(file, start)
    at = start
    while at < end:
        file.seek(at)
        head = file.read(10)
        frame = _frame(head)
        if frame is None or (rate and frame[2] != rate):
            behind = _tag(file, head, at, end)
            if behind is None:
                raise SoundError(f"is damaged at byte {at}: no frame begins there; copy it again")
            at = behind
            continue
        size, each, rate = frame
        if at + size > end:
            raise SoundError(f"is truncated: it ends within a frame at byte {end}; copy it again")
        if frames and (another := _promised(file, at)):
            found.append(_part(file, begin, at, (frames, samples, promised)))
            begin, frames, samples, promised = at, 0, 0, another
        at, frames, samples = at + size, frames + 1, samples + each
    return [*found, _part(file, begin, end, (frames, samples, promised))]


def _part(file: BinaryIO, begin: int, end: int, counts: tuple[int, int, int]) -> Part:
    frames, samples, promised = counts
    if promised and frames < promised:
        raise truncated(f"{promised} frames", str(frames))
    least = max(0, samples - _SLACK * (samples // max(1, frames)))
    notes = ["its Info header is damaged: some of its beginning or end may be missing"] if _damaged(file, begin) else []
    return Part(View(file, begin, end - begin), notes, frames=least, exact=False)


def _damaged(file: BinaryIO, start: int) -> bool:
    """Tell whether the Info header that begins here fails its own checksum. It says what a decoder cuts off the ends.

    Source: the tag of LAME: 36 bytes from 120 bytes behind `Xing` on, CRC-16 at its end. ffmpeg's differs: not checked.
    """
    file.seek(start)
    data = file.read(36 + 156)
    mark = max(data.find(b"Xing", 4, 60), data.find(b"Info", 4, 60))
    tag = mark + 120
    if mark < 0 or len(data) < tag + 36 or data[tag : tag + 4] != b"LAME":
        return False
    return _crc16(data[: tag + 34]) != int.from_bytes(data[tag + 34 : tag + 36], "big")


def _crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def _promised(file: BinaryIO, start: int) -> int:
    """Return how many frames the Xing or Info header promises; 0 without one."""
    file.seek(start)
    data = file.read(72)
    for mark in (b"Xing", b"Info"):
        at = data.find(mark, 4, 60)
        if at > 0 and len(data) >= at + 12 and data[at + 7] & 1:
            return int(struct.unpack_from(">I", data, at + 8)[0])
    return 0


def _tag(file: BinaryIO, head: bytes, at: int, end: int) -> int | None:
    """Return where the tag ends that begins here; None: there is no tag."""
    if head[:3] == b"ID3" and len(head) == 10:
        return id3_end(head, at)
    if head[:3] == b"TAG":
        return end if end - at <= 128 + 227 else at + 128
    if head[:8] in (b"APETAGEX", b"LYRICSBE"):
        return end
    file.seek(at)
    if end - at <= 4096 and not file.read(end - at).strip(b"\0"):
        return end
    return None


def id3_end(head: bytes, at: int) -> int:
    """Return where an ID3v2 tag ends that begins with these ten bytes."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return at + 10 + size + (10 if head[5] & 0x10 else 0)

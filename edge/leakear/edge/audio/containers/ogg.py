"""Ogg (Vorbis, Opus, FLAC): its pages are examined, because decoders skip a damaged or missing page in silence.

Several streams, one after the other ("chained"), become several parts. Source: RFC 3533.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from leakear.edge.audio.containers.views import Part, SoundError, View

_FIRST, _LAST = 2, 4
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
REPAIR = "copy it again, or keep what is left of it with `ffmpeg -i OLD -c copy NEW`"


@dataclass
class _Link:
    """One stream of a chain."""

    start: int
    serials: dict[int, int]
    """Serial number → number of its next page."""
    ended: set[int]


def parts(file: BinaryIO, start: int, end: int) -> list[Part]:
    """Return the streams of a file. Raises SoundError where one is damaged or ends too early."""
    links: list[_Link] = []
    at, heads = start, False
    while at < end:
        size, flags, serial, number = _page(file, at, end)
        if flags & _FIRST:
            if not heads:
                links.append(_Link(at, {}, set()))
            links[-1].serials[serial] = number
        if not links or serial not in links[-1].serials:
            raise SoundError(f"is damaged: byte {at} begins a page of an unknown stream; {REPAIR}")
        link = links[-1]
        if number != link.serials[serial]:
            raise SoundError(f"is damaged: sound is missing before byte {at}; {REPAIR}")
        link.serials[serial] = (number + 1) & 0xFFFFFFFF
        if flags & _LAST:
            link.ended.add(serial)
        heads, at = bool(flags & _FIRST), at + size
    ends = [link.start for link in links[1:]] + [end]
    for link, stop in zip(links, ends, strict=True):
        if link.ended != set(link.serials):
            raise SoundError(f"is truncated: its stream ends at byte {stop} without a last page; {REPAIR}")
    return [Part(View(file, link.start, stop - link.start)) for link, stop in zip(links, ends, strict=True)]


def _page(file: BinaryIO, at: int, end: int) -> tuple[int, int, int, int]:
    """Read one page; return its bytes, flags, serial number and running number. Raises SoundError."""
    file.seek(at)
    head = file.read(27)
    if len(head) < 27 and b"OggS".startswith(head[:4]):
        raise SoundError(f"is truncated: it ends at byte {end} within a page; {REPAIR}")
    if head[:4] != b"OggS" or head[4] != 0:
        raise SoundError(f"is damaged at byte {at}: no page begins there; {REPAIR}")
    flags, _, serial, number, checksum, count = struct.unpack_from("<BqIIIB", head, 5)
    table = file.read(count)
    body = file.read(sum(table))
    if at + 27 + count + sum(table) > end:
        raise SoundError(f"is truncated: it ends at byte {end} within a page; {REPAIR}")
    if _crc(head[:22] + b"\0\0\0\0" + head[26:] + table + body) != checksum:
        raise SoundError(f"is damaged at byte {at}: the checksum of a page differs; {REPAIR}")
    return 27 + count + len(body), flags, serial, number


def _crc(data: bytes) -> int:
    """CRC-32 of Ogg: polynomial 0x04C11DB7, first bit highest, from 0. zlib's is the same with bits reversed."""
    value = zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(value.to_bytes(4, "little").translate(_REVERSED), "big")

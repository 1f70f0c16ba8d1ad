"""Rare formats whose length libsndfile takes from the size of the file and not from the header.

AVR, NIST SPHERE, 8SVX, VOC, MIDI sample dump, MATLAB 5: where their header says the sound ends.
"""

import re
import struct
from collections.abc import Callable
from typing import BinaryIO

_Read = Callable[[BinaryIO, int], int | None]

_VOC_LAST = 9
"""Highest type of a block."""


def end_of_sound(file: BinaryIO, end: int) -> int | None:
    """Return the byte at which the sound ends by the header, in a file of `end` bytes; None where it does not say."""
    file.seek(0)
    head = file.read(16)
    kinds: tuple[tuple[bytes, _Read], ...] = (
        (b"2BIT", _avr), (b"NIST_1A", _nist), (b"FORM", _svx), (b"Creative Voice", _voc), (b"\xf0\x7e", _sds),
        (b"MATLAB 5.0", _matlab),
    )  # fmt: skip
    read = next((read for mark, read in kinds if head.startswith(mark)), None)
    try:
        return read(file, end) if read else None
    except (struct.error, ValueError):
        return None


def _avr(file: BinaryIO, _end: int) -> int:
    file.seek(12)
    data = file.read(18)
    stereo, bits, frames = (int(value) for value in struct.unpack(">hh10xI", data))
    return 128 + frames * (bits // 8) * (2 if stereo else 1)


def _nist(file: BinaryIO, _end: int) -> int | None:
    file.seek(0)
    text = file.read(1024)
    fields = dict(re.findall(rb"(\w+) -i (\d+)", text))
    if b"sample_count" not in fields:
        return None
    width = 1 if re.search(rb"sample_coding -s\d+ [ua]law", text) else int(fields.get(b"sample_n_bytes", b"2"))
    frame = int(fields.get(b"channel_count", b"1")) * width
    return int(text[8:16]) + int(fields[b"sample_count"]) * frame


def _svx(file: BinaryIO, end: int) -> int | None:
    at = 12
    while at + 8 <= end:
        file.seek(at)
        name, length = file.read(4), int.from_bytes(file.read(4), "big")
        at += 8
        if name == b"BODY":
            return at + length
        at += length + length % 2
    return None


def _voc(file: BinaryIO, end: int) -> int | None:
    file.seek(20)
    at = int.from_bytes(file.read(2), "little")
    while at < end:
        file.seek(at)
        kind, *size = file.read(4)
        if kind == 0:
            return at
        if kind > _VOC_LAST:  # sox counts its blocks wrongly
            return None
        length = int.from_bytes(bytes(size), "little")
        if length == 0 or length >= 0xFFFF00:  # written into a pipe
            return None
        at += 4 + length
    return at


def _sds(file: BinaryIO, _end: int) -> int:
    file.seek(0)
    head = file.read(21)
    words = head[10] | head[11] << 7 | head[12] << 14
    each = 120 // -(-head[6] // 7)
    return 21 + -(-words // each) * 127


def _matlab(file: BinaryIO, end: int) -> int:
    file.seek(126)
    order = "<" if file.read(2) == b"IM" else ">"
    at = 128
    while at + 8 <= end:
        file.seek(at)
        kind, size = (int(value) for value in struct.unpack(f"{order}II", file.read(8)))
        if kind > 0xFFFF:  # a small element: size and data in the same eight bytes
            at += 8
        else:
            at += 8 + size + -size % 8
    return at - 8  # libsndfile counts the last head twice

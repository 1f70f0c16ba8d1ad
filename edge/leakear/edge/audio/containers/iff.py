"""AIFF, AU and CAF: their lengths are checked, and corrected in a copy of the header.

Sources: Apple AIFF-C draft 1991; Sun audio(4); Apple Core Audio Format 1.0.
"""

import struct
from typing import BinaryIO

from leakear.edge.audio.containers import other
from leakear.edge.audio.containers.extent import Rest, extent, unknown
from leakear.edge.audio.containers.views import Part, SoundError, Stream, View

_WIDTH = {b"ulaw": 1, b"alaw": 1, b"ULAW": 1, b"ALAW": 1, b"fl32": 4, b"FL32": 4, b"fl64": 8, b"FL64": 8}
"""Bytes of a sample of an AIFF-C compression; others of `_PLAIN` follow from its bits."""
_PLAIN = (b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"23ni")
_LONGEST = 1 << 24
"""Longest header that is copied."""


def _chunk(data: bytes) -> tuple[bytes, int]:
    name, size = struct.unpack(">4sI", data)
    return name, size + 8


def _caf_chunk(data: bytes) -> tuple[bytes, int]:
    name, size = struct.unpack(">4sq", data)
    return name, size + 12


def aiff(file: BinaryIO, start: int, end: int) -> tuple[Part, int | None]:
    """Return the sound at `start` and where another one begins. Raises SoundError."""
    file.seek(start)
    if file.read(12)[8:] not in (b"AIFF", b"AIFC"):
        return other.parts(file, start, end), None  # 8SVX, 16SV
    at, comm, comm_at = start + 12, b"", 0
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack(">4sI", head)
        at += 8
        if name == b"SSND":
            return _ssnd(file, start, (at, size), end, (comm, comm_at))
        if name == b"COMM":
            comm, comm_at = file.read(min(size, 256)), at
        at += size + size % 2
        if at > end:
            break
        file.seek(at)
    raise SoundError("cannot be read as sound: its header has no chunk of samples; copy it again")


def _ssnd(
    file: BinaryIO, start: int, ssnd: tuple[int, int], end: int, common: tuple[bytes, int]
) -> tuple[Part, int | None]:
    (at, size), (comm, comm_at) = ssnd, common
    if len(comm) < 18:
        if unknown(size) or at + size <= end:
            return Part(View(file, start, end - start)), None  # COMM behind the samples
        raise SoundError("is truncated: its description stood behind the samples; copy it again")
    channels, frames, bits = struct.unpack_from(">HIH", comm)
    kind = comm[18:22] if len(comm) >= 22 else b"NONE"
    block = channels * (_WIDTH.get(kind) or ((bits + 7) // 8 if kind in _PLAIN else 0))
    rate = _extended(comm[8:18])
    body = at + 8
    promised = max(size - 8, frames * block) if not unknown(size) and not unknown(frames * block) else size
    found = extent(file, body, max(0, promised), end, int(rate * block), rest=Rest(_chunk, samples=b"SSND"))
    if not block or (found.following is None and not found.notes and found.length == size - 8 == frames * block):
        length = (body + found.length if found.following else end) - start
        return Part(View(file, start, length), found.notes), found.following
    if found.length == 0:
        raise SoundError("holds no samples; record it again")
    if found.length > 0xFFFF0000:
        raise SoundError("is larger than 4 GiB, which AIFF cannot hold; convert it to WAV with sox or ffmpeg")
    found.length -= found.length % block
    file.seek(start)
    head = bytearray(file.read(min(body - start, _LONGEST)))
    struct.pack_into(">I", head, comm_at - start + 2, found.length // block)
    struct.pack_into(">I", head, at - start - 4, found.length + 8)
    struct.pack_into(">I", head, 4, len(head) - 8 + found.length)
    return Part(View(file, body, found.length, bytes(head)), found.notes), found.following


def _extended(data: bytes) -> float:
    """Decode a float of 80 bits."""
    exponent, mantissa = struct.unpack(">HQ", data)
    power = (exponent & 0x7FFF) - 16383 - 63
    return float(mantissa) * 2.0**power if -200 < power < 64 else 0.0


_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
"""Encoding of an AU file → bytes of a sample."""


def _au_head(head: bytes) -> tuple[str, int, int, int]:
    """Return byte order, offset and length of the samples, bytes a second."""
    order = ">" if head[:4] == b".snd" else "<"
    offset, size, encoding, rate, channels = struct.unpack_from(f"{order}5I", head, 4)
    return order, offset, size, rate * channels * _AU_BYTES.get(encoding, 0)


def au(file: BinaryIO, start: int, end: int) -> tuple[Part, int | None]:
    """Return the sound at `start`; nothing but samples follows the header of an AU file. Raises SoundError."""
    file.seek(start)
    head = file.read(24)
    if len(head) < 24:
        raise SoundError("is truncated: its header is cut off; copy it again")
    order, offset, size, per_second = _au_head(head)
    if not 24 <= offset <= _LONGEST or start + offset > end:
        raise SoundError("cannot be read as sound: its header is damaged; copy it again")
    nothing = Rest(lambda _: (b"", 0), 24, 1)
    found = extent(file, start + offset, size, end, per_second, rest=nothing)
    if found.length == 0:
        raise SoundError("holds no samples; record it again")
    length = min(4294967295, found.length)
    fixed = head[:4] + struct.pack(f"{order}2I", 24, length) + head[12:]
    return Part(View(file, start + offset, found.length, fixed), found.notes), found.following


def piped_au(file: BinaryIO) -> Part:
    """Return the sound of an AU file that comes out of a pipe. Raises SoundError."""
    head = file.read(24)
    if len(head) < 24:
        raise SoundError("is truncated: its header is cut off; copy it again")
    order, offset, size, _ = _au_head(head)
    if not 24 <= offset <= _LONGEST:
        raise SoundError("cannot be read as sound: its header is damaged; copy it again")
    file.read(offset - 24)
    length = None if size == 0 or unknown(size) else size
    fixed = head[:4] + struct.pack(f"{order}2I", 24, 0xFFFFFFFF if length is None else length) + head[12:]
    stream = Stream(file, fixed, length)
    rate, channels = struct.unpack_from(f"{order}2I", head, 16)
    return Part(stream, stream=stream, promised=length, rate=rate, channels=channels)


def caf(file: BinaryIO, start: int, end: int) -> tuple[Part, int | None]:
    """Return the sound at `start` and where another one begins. Raises SoundError."""
    at, desc = start + 8, b""
    file.seek(at)
    while len(head := file.read(12)) == 12:
        name, size = struct.unpack(">4sq", head)
        at += 12
        if name == b"data":
            return _caf_data(file, start, (at, size), end, desc)
        if name == b"desc":
            desc = file.read(min(max(0, size), 64))
        at += size
        if size < 0 or at > end:
            break
        file.seek(at)
    raise SoundError("cannot be read as sound: its header has no chunk of samples; copy it again")


def _caf_data(file: BinaryIO, start: int, data: tuple[int, int], end: int, desc: bytes) -> tuple[Part, int | None]:
    at, size = data
    to_end = size == -1  # as the format allows
    per_second = 0
    if len(desc) >= 32:
        rate, packet_bytes, packet_frames = struct.unpack_from(">d8xII", desc)
        per_second = int(rate * packet_bytes / packet_frames) if packet_frames and 0 < rate < 1e7 else 0
    rest = Rest(_caf_chunk, 12, 1)
    found = extent(file, at, size, end, per_second, rest=rest, wide=True)
    if found.length == size:
        length = (at + size if found.following else end) - start
        return Part(View(file, start, length), found.notes), found.following
    file.seek(start)
    head = bytearray(file.read(min(at - start, _LONGEST)))
    struct.pack_into(">q", head, len(head) - 8, found.length)
    return Part(View(file, at, found.length, bytes(head)), [] if to_end else found.notes), found.following

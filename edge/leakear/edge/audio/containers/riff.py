"""WAV and its relatives (RIFF, RIFX, RF64, BW64, Wave64): libsndfile gets a header made here, with the true length.

Sources: Microsoft RIFF; EBU Tech 3306 (RF64); ITU-R BS.2088 (BW64); Sony Wave64.
"""

import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from leakear.edge.audio.containers.extent import Extent, Rest, extent, unknown
from leakear.edge.audio.containers.views import Part, SoundError, Stream, View

MAGICS = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"riff")
_W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_LIMIT = 0xFFFFF000
"""Longest data in bytes that a RIFF header is made for; more needs RF64."""
_LARGEST = 1 << 20
"""Longest format chunk that is read; others are skipped."""


@dataclass
class Header:
    """What stands before the samples."""

    start: int = 0
    """Position of the first sample in the file."""
    size: int = 0
    """Bytes of samples that the header promises."""
    wide: bool = False
    """The length has 64 bits."""
    big: bool = False
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    """`fmt `, `fact`, `ds64`"""

    @property
    def fmt(self) -> tuple[int, int, int, int, int]:
        """Format, channels, rate, bytes a second, bytes of a block."""
        return struct.unpack_from(">HHIIH" if self.big else "<HHIIH", self.chunks[b"fmt "])

    @property
    def per_second(self) -> int:
        """Bytes a second; the product of rate and block is right where the header's own value is not."""
        kind, _, rate, average, block = self.fmt
        return rate * block if kind in (1, 3, 6, 7, 0xFFFE) else average


def parts(file: BinaryIO, start: int, end: int) -> tuple[Part, int | None]:
    """Return the sound at `start` and where another one begins, if it does. Raises SoundError."""
    file.seek(start)
    header = read_header(file, end)
    found = _extent(file, header, end)
    notes = found.notes
    if header.start - start > 12 and found.length == 0:
        raise SoundError("holds no samples; record it again")
    view = View(file, header.start, found.length, head(header, found.length))
    return Part(view, notes), found.following


def piped(file: BinaryIO) -> Part:
    """Return the sound that comes out of a pipe. Raises SoundError."""
    header = read_header(file, None)
    size = None if header.size == 0 or unknown(header.size, wide=header.wide) else header.size
    stream = Stream(file, head(header, size), size)
    _, channels, rate, _, _ = header.fmt
    return Part(stream, stream=stream, promised=size, rate=rate, channels=channels)


def read_header(file: BinaryIO, end: int | None) -> Header:
    """Read up to the first sample; `end`: size of the file, None for a pipe. Raises SoundError."""
    first = file.read(12)
    if first[:4] == b"riff":
        return _read_w64(file, first)
    if len(first) < 12 or first[8:] != b"WAVE":
        raise SoundError("cannot be read as sound: it is RIFF, but not WAVE; use WAV, FLAC or Ogg Vorbis")
    header = Header(big=first[:4] == b"RIFX", wide=first[:4] in (b"RF64", b"BW64"))
    order, at = ">" if header.big else "<", (file.tell() if end is not None else 12)
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack(f"{order}4sI", head)
        at += 8
        if name == b"data":
            header.start, header.size = at, _data_size(header, size)
            return _checked(header)
        at += _skip_or_keep(file, header, name, size, at, end)
    raise SoundError("cannot be read as sound: its header has no chunk of samples; use WAV, FLAC or Ogg Vorbis")


def _skip_or_keep(file: BinaryIO, header: Header, name: bytes, size: int, at: int, end: int | None) -> int:
    """Read a chunk, or skip it; return its length with the pad byte, if it has one."""
    if end is not None and at + size > end:
        raise SoundError("cannot be read as sound: its header is damaged or cut off before the samples; copy it again")
    if name in (b"fmt ", b"fact", b"ds64") and size <= _LARGEST:
        header.chunks[name] = file.read(size)
    elif end is not None:
        file.seek(at + size)
    else:
        _discard(file, size)
    if not size % 2:
        return size
    pad = file.read(1)
    if end is not None and pad and pad != b"\0" and _unpadded(file, at + size):
        file.seek(at + size)
        return size
    return size + 1


def _unpadded(file: BinaryIO, at: int) -> bool:
    """Tell whether a chunk that libsndfile needs begins here, where a pad byte should be."""
    file.seek(at)
    name = file.read(4)
    file.seek(at + 1)
    return name.isascii() and name.decode().replace(" ", "a").isalnum() and file.read(4) not in (b"data", b"fmt ")


def _discard(file: BinaryIO, size: int) -> None:
    while size > 0:
        data = file.read(min(size, 1 << 16))
        if not data:
            return
        size -= len(data)


def _data_size(header: Header, size: int) -> int:
    if not header.wide:
        return size
    table = header.chunks.get(b"ds64", b"")
    if size != 0xFFFFFFFF or len(table) < 16:
        header.wide = size == 0xFFFFFFFF
        return size if not header.wide else -1
    return int(struct.unpack_from("<Q", table, 8)[0])


def _checked(header: Header) -> Header:
    if len(header.chunks.get(b"fmt ", b"")) < 16:
        raise SoundError("cannot be read as sound: its header does not give the format of the samples; copy it again")
    return header


def _read_w64(file: BinaryIO, first: bytes) -> Header:
    if first + file.read(4) != _W64:
        raise SoundError("cannot be read as sound: it is neither WAV nor Wave64; use WAV, FLAC or Ogg Vorbis")
    header = Header(wide=True)
    file.seek(24, 1)
    while len(head := file.read(24)) == 24:
        name, size = head[:4], struct.unpack("<q", head[16:])[0] - 24
        if name == b"data":
            header.start, header.size = file.tell(), size if size > 0 else -1
            return _checked(header)
        if not 0 <= size <= 1 << 40:
            break
        if name in (b"fmt ", b"fact") and size <= _LARGEST:
            header.chunks[name] = file.read(size)
            file.seek(-size % 8, 1)
        else:
            file.seek(size + -size % 8, 1)
    raise SoundError("cannot be read as sound: its header has no chunk of samples; use WAV, FLAC or Ogg Vorbis")


def _extent(file: BinaryIO, header: Header, end: int) -> Extent:
    order = ">" if header.big else "<"

    def chunk(data: bytes) -> tuple[bytes, int]:
        name, size = struct.unpack(f"{order}4sI", data)
        return name, size + 8

    def wave64(data: bytes) -> tuple[bytes, int]:
        tail = data[4:16] == _W64_TAIL
        return data[:4] if tail else b"\0\0\0\0", struct.unpack("<q", data[16:])[0]

    is_w64 = header.wide and b"ds64" not in header.chunks
    rest = Rest(wave64, 24, 8) if is_w64 else Rest(chunk)
    return extent(file, header.start, header.size, end, header.per_second, rest=rest, wide=header.wide)


def head(header: Header, length: int | None) -> bytes:
    """Return a header that libsndfile reads, for this many bytes of samples; None: as many as come.

    Raises SoundError.
    """
    order = ">" if header.big else "<"
    fmt = _chunk(b"fmt ", header.chunks[b"fmt "], order)
    if b"fact" in header.chunks and header.fmt[0] not in (1, 3, 0xFFFE) and _plausible(header, length):
        fmt += _chunk(b"fact", header.chunks[b"fact"], order)
    if length is not None and length < _LIMIT:
        sizes = struct.pack(f"{order}I", len(fmt) + 12 + length), struct.pack(f"{order}I", length)
        return (b"RIFX" if header.big else b"RIFF") + sizes[0] + b"WAVE" + fmt + b"data" + sizes[1]
    if header.big:
        raise SoundError("is larger than 4 GiB, which RIFX cannot hold; convert it to WAV with sox or ffmpeg")
    size = 1 << 60 if length is None else length
    ds64 = _chunk(b"ds64", struct.pack("<QQQI", size + 80, size, 0, 0), "<")
    return b"RF64\xff\xff\xff\xffWAVE" + ds64 + fmt + b"data\xff\xff\xff\xff"


def _plausible(header: Header, length: int | None) -> bool:
    """Tell whether `fact` (frames of a compressed file) fits the length: a placeholder there would cut the sound."""
    fact = header.chunks[b"fact"]
    if length is None or len(fact) < 4:
        return False
    frames, per_second = struct.unpack_from(">I" if header.big else "<I", fact)[0], header.per_second
    return bool(per_second) and abs(frames / max(1, header.fmt[2]) - length / per_second) < 1.0


def _chunk(name: bytes, body: bytes, order: str) -> bytes:
    return name + struct.pack(f"{order}I", len(body)) + body + b"\0" * (len(body) % 2)

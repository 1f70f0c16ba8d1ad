"""How long the samples of a file of chunks really are: the length in the header is often wrong.

A recorder that could not go back to the header (killed, or writing into a pipe) leaves 0 or a placeholder; a length of
32 bits wraps at 4 GiB.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from leakear.edge.audio.containers.views import SoundError, seconds, truncated

_PLACEHOLDERS = ((0x7EFFF000, 0x7F001000), (0x7FFFEF00, 0x80001000), (0xFFFFE000, 0xFFFFFFFF))
"""Ranges of lengths that writers leave: sox, arecord, ffmpeg, INT32_MAX and −1, each less a header."""
_UNKNOWN_64 = 1 << 62
_KNOWN = {b"LIST", b"bext", b"iXML", b"cue ", b"smpl", b"fact", b"PEAK", b"JUNK", b"FLLR", b"id3 ", b"ID3 ", b"inst",
          b"afsp", b"_PMX", b"aXML", b"axml", b"chna", b"labl", b"guan", b"PAD ", b"junk"}  # fmt: skip
_ID = re.compile(rb"[A-Za-z0-9 _\-]{4}")
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICS")
BEGINNINGS = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"fLaC", b"OggS", b".snd", b"caff",
              b"riff\x2e\x91\xcf\x11")  # fmt: skip
"""First bytes of a sound file: another recording begins."""


@dataclass
class Extent:
    """Where the samples end."""

    length: int
    """Bytes of samples."""
    notes: list[str] = field(default_factory=list)
    following: int | None = None
    """Where another recording begins in the same file."""


def unknown(size: int, *, wide: bool = False) -> bool:
    """Tell whether a length is a placeholder; `wide`: a length of 64 bits."""
    if wide:
        return size >= _UNKNOWN_64 or size < 0
    return any(low <= size <= high for low, high in _PLACEHOLDERS)


def extent(
    file: BinaryIO, start: int, size: int, end: int, per_second: int, *, rest: "Rest", wide: bool = False
) -> Extent:
    """Return how long the samples are that begin at `start` and are `size` long by the header. Raises SoundError.

    `end`: size of the file. `per_second`: bytes a second, 0 where that is not known.
    """
    held = end - start
    if unknown(size, wide=wide) and (size > held or size < 0):
        return Extent(held, [f"the header does not say how long it is: read to its end ({seconds(held, per_second)})"])
    if size > held:
        raise truncated(seconds(size, per_second), seconds(max(0, held), per_second))
    behind = rest.look(file, start + size, end)
    if behind.sound:
        said = "nothing" if size == 0 else seconds(size, per_second)
        return Extent(held, [f"the header says {said}, the file holds {seconds(held, per_second)}: read to its end"])
    return Extent(size, behind.notes, behind.following)


@dataclass
class Behind:
    """What follows the samples."""

    sound: bool = False
    """It is no chunk: the length in the header is wrong."""
    notes: list[str] = field(default_factory=list)
    following: int | None = None


@dataclass(frozen=True)
class Rest:
    """How chunks are written behind the samples."""

    read: Callable[[bytes], tuple[bytes, int]]
    """Head of a chunk → its id and its whole length, head included."""
    head: int = 8
    """Bytes of a chunk's head."""
    align: int = 2
    samples: bytes = b"data"
    """Id of the chunk of samples."""

    def look(self, file: BinaryIO, at: int, end: int) -> Behind:
        """Examine what follows the samples, with and without the pad byte of an odd length."""
        padded = at + -at % self.align
        found = self._chunks(file, padded, end)
        return self._chunks(file, at, end) if found.sound and padded != at else found

    def _chunks(self, file: BinaryIO, at: int, end: int) -> Behind:
        while end - at >= self.head:
            file.seek(at)
            head = file.read(self.head)
            if head.startswith(BEGINNINGS):
                return Behind(following=at)
            if head.startswith(_TAGS) or _zeros(file, at, end):
                return Behind()
            name, length = self.read(head)
            if not _ID.fullmatch(name) or length < self.head:
                return Behind(sound=True)
            if name == self.samples and length > self.head:
                raise SoundError("holds two chunks of samples; convert it with sox or ffmpeg")
            if at + length > end + 1:
                if name not in _KNOWN:
                    return Behind(sound=True)
                return Behind(
                    notes=[f"its last chunk ({name.decode().strip()}) is cut off; the sound before it is whole"]
                )
            at += length + -length % self.align
        return Behind()


def _zeros(file: BinaryIO, at: int, end: int) -> bool:
    """Tell whether only zeros follow: space that was reserved and not used."""
    file.seek(at)
    while at < end:
        data = file.read(min(1 << 20, end - at))
        if not data or data.count(0) != len(data):
            return False
        at += len(data)
    return True

"""Finds the sounds of a file, whatever kind of file it is."""

import struct
from collections.abc import Callable
from typing import BinaryIO

from leakear.edge.audio.containers import flac, iff, mpeg, ogg, other, riff
from leakear.edge.audio.containers.views import Part, SoundError

_CHAINED: dict[bytes, Callable[[BinaryIO, int, int], tuple[Part, int | None]]] = {
    **dict.fromkeys(riff.MAGICS, riff.parts),
    b"FORM": iff.aiff,
    b".snd": iff.au,
    b"dns.": iff.au,
    b"caff": iff.caf,
    b"fLaC": flac.parts,
}


def parts(file: BinaryIO, end: int) -> list[Part]:
    """Return the sounds of a file of `end` bytes, one after the other. Raises SoundError."""
    found: list[Part] = []
    at: int | None = 0
    while at is not None:
        file.seek(at)
        head = file.read(10)
        while head[:3] == b"ID3" and len(head) == 10:
            at = mpeg.id3_end(head, at)
            file.seek(at)
            head = file.read(10)
        try:
            if head[:4] in _CHAINED:
                part, at = _CHAINED[head[:4]](file, at, end)
                found.append(part)
                continue
        except struct.error:
            raise SoundError("cannot be read as sound: its header is damaged; copy it again") from None
        if head[:4] == b"OggS":
            found += ogg.parts(file, at, end)
        elif mpeg.is_frame(head):
            found += mpeg.parts(file, at, end)
        else:
            found.append(other.parts(file, at, end))
        at = None
    return found


def piped(file: BinaryIO, magic: bytes) -> Part | None:
    """Return the sound that comes out of a pipe, which is decoded as it comes; None: read it all first."""
    if magic in riff.MAGICS and magic != b"riff":
        return riff.piped(file)
    return iff.piped_au(file) if magic in (b".snd", b"dns.") else None

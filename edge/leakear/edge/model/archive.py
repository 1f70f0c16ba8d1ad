"""Reads the ZIP at the end of a model file: only the members that a model has, each with a limit, nothing else.

A model file comes over the network, so nothing that it says is believed: sizes are counted while unpacking. `zipfile`
is not used for reading, for it reads a list of any length and unpacks with LZMA and BZIP2 too.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from leakear.edge.errors import ModelError

END = struct.Struct("<4s4H2LH")
"""End of central directory: mark, disks, entries (twice), bytes and place of the directory, bytes of the comment."""
ENTRY = struct.Struct("<4s6H3L5H2L")
"""Entry of the central directory, up to the name."""
LOCAL = struct.Struct("<4s5H3L2H")
"""Header before a member, up to the name."""
STORED, DEFLATED = 0, 8
MOST_COMMENT = 2**16
NONE = "it lacks leakear's bundle"


@dataclass(frozen=True)
class Place:
    """Where a member stands."""

    name: str
    method: int
    crc: int
    packed: int
    """bytes in the file"""
    size: int
    """bytes unpacked, as the file says"""
    header: int
    """byte of its header"""


def read(data: bytes, limits: Mapping[str, int], name: str) -> tuple[int, dict[str, bytes]]:
    """Return where the ZIP begins, and its members; `limits`: name → most bytes of each that may be there.

    Raises ModelError for anything else; `name` is the file in its sentence.
    """
    places = _listed(data, limits, name)
    members = {place.name: _unpacked(data, place, limits[place.name], name) for place in places}
    return min(place.header for place in places), members


def _listed(data: bytes, limits: Mapping[str, int], name: str) -> list[Place]:
    end = data.rfind(b"PK\5\6", max(0, len(data) - END.size - MOST_COMMENT))
    if end < 0 or end + END.size > len(data):
        raise ModelError(f"{name} is a plain .tflite or is cut short: {NONE}; convert it with leakear-convert")
    _, disk, _, here, entries, size, start, comment = END.unpack_from(data, end)
    if disk or here != entries or start + size != end or end + END.size + comment != len(data):
        raise _damaged(name, "its list of members is not valid")
    if not 0 < entries <= len(limits):
        raise ModelError(f"{name} holds {entries} files, a model has at most {len(limits)}; convert the model again")
    places = []
    at = start
    for _ in range(entries):
        if at + ENTRY.size > end:
            raise _damaged(name, "its list of members is cut short")
        _, _, _, flags, method, _, _, crc, packed, size, title, extra, note, _, _, _, header = ENTRY.unpack_from(
            data, at
        )
        if data[at : at + 4] != b"PK\1\2" or flags & ~0x0806 or method not in (STORED, DEFLATED):
            raise _damaged(name, "a member is packed in a way that leakear does not use")
        text = data[at + ENTRY.size : at + ENTRY.size + title].decode("ascii", "replace")
        places.append(Place(text, method, crc, packed, size, header))
        at += ENTRY.size + title + extra + note
    _check_names([place.name for place in places], limits, name)
    return places


def _check_names(names: list[str], limits: Mapping[str, int], name: str) -> None:
    if len(set(names)) != len(names):
        raise ModelError(f"{name} holds two files of one name; convert the model again")
    for one in names:
        if one not in limits:
            raise ModelError(f"{name} holds {one[:60]!a}, which no model has; convert the model again")


def _unpacked(data: bytes, place: Place, limit: int, name: str) -> bytes:
    if place.size > limit:
        raise ModelError(f"{name}: {place.name} would unfold to {place.size} bytes; at most {limit} are allowed")
    if place.header + LOCAL.size > len(data) or data[place.header : place.header + 4] != b"PK\3\4":
        raise _damaged(name, f"{place.name} is not where its list says")
    title, extra = LOCAL.unpack_from(data, place.header)[-2:]
    start = place.header + LOCAL.size + title + extra
    packed = memoryview(data)[start : start + place.packed]
    if len(packed) != place.packed:
        raise _damaged(name, f"{place.name} is cut short")
    content = bytes(packed) if place.method == STORED else _inflated(packed, place.size, f"{name}: {place.name}")
    if len(content) != place.size or zlib.crc32(content) != place.crc:
        raise _damaged(name, f"{place.name} has a wrong size or checksum")
    return content


def _inflated(packed: memoryview, size: int, name: str) -> bytes:
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return unpacking.decompress(packed, size + 1)  # never more: a file that lies about its size is refused
    except zlib.error as error:
        raise _damaged(name, str(error)) from None


def _damaged(name: str, why: str) -> ModelError:
    return ModelError(f"{name} is damaged ({why}); copy the file again")

"""When a recording began, by what the file itself says: its broadcast wave header, else its name.

Broadcast wave (EBU Tech 3285): date, and samples since midnight or the time of day; taken for UTC, as it names no
zone. Name: date and time to the second with a Z, `2026-11-22T02-00-00Z`, `20261122T020000Z`, or as AudioMoth writes it
in UTC, `20261122_020000`. A name without a Z in another form may be of any zone and says nothing.
"""

import re
import struct
from datetime import UTC, datetime
from pathlib import Path

_BEXT = struct.Struct("<320x10s8sQ")
"""date, time, samples since midnight"""
_NAME = re.compile(
    r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)(?:[T_ ](\d\d)[-:_.]?(\d\d)[-:_.]?(\d\d)Z|_(\d\d)(\d\d)(\d\d)(?!\d))"
)
_LONGEST_SEARCH = 64
"""chunks looked at before the samples"""


def start_of(path: Path) -> float | None:
    """Return when the first sample was heard, POSIX s; None where the file does not say. Never raises."""
    try:
        stated = _of_header(path)
    except (OSError, struct.error):
        stated = None
    return _of_name(path.stem) if stated is None else stated


def _of_header(path: Path) -> float | None:
    if not path.is_file():  # a pipe can be read once only
        return None
    with path.open("rb") as file:
        if file.read(4) not in (b"RIFF", b"RF64", b"BW64") or file.read(8)[4:] != b"WAVE":
            return None
        rate = 0
        for _ in range(_LONGEST_SEARCH):
            head = file.read(8)
            if len(head) < 8 or head[:4] == b"data":
                return None
            name, size = struct.unpack("<4sI", head)
            begin = file.tell()
            if name == b"fmt ":
                rate = struct.unpack("<4xI", file.read(8))[0]
            elif name == b"bext" and size >= _BEXT.size:
                date, clock, samples = _BEXT.unpack(file.read(_BEXT.size))
                rate = rate or _rate_behind(file.read(4096), size - _BEXT.size)
                return _of_bext(date, clock, samples, rate)
            file.seek(begin + size + size % 2)
    return None


def _rate_behind(rest: bytes, skipped: int) -> int:
    """Return the rate in the format chunk that follows a broadcast header, Hz; 0: it is not there."""
    at = skipped + skipped % 2
    return int(struct.unpack_from("<12xI", rest, at)[0]) if rest[at : at + 4] == b"fmt " and len(rest) >= at + 16 else 0


def _of_bext(date: bytes, clock: bytes, samples: int, rate: int) -> float | None:
    day = re.sub(r"\D", "-", date.decode("ascii", "replace"))
    time = re.sub(r"\D", ":", clock.decode("ascii", "replace"))
    exact = samples > 0 and rate > 0
    midnight = _posix(f"{day}T00:00:00" if exact else f"{day}T{time}")
    return midnight + samples / rate if exact and midnight is not None else midnight


def _of_name(stem: str) -> float | None:
    found = _NAME.search(stem)
    if found is None:
        return None
    year, month, day, *clock = (group for group in found.groups() if group is not None)
    return _posix(f"{year}-{month}-{day}T{':'.join(clock)}")


def _posix(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return moment if moment > 0 else None

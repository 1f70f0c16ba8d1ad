"""Two sound files as one pair of simultaneous samples: read, aligned by their times, cut to their overlap."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from leakear.dashboard.locate.spectra import Clock, Recording, Samples, to_rate
from leakear.edge.audio.sound_file import opened
from leakear.edge.command_line import ProgressLine
from leakear.edge.errors import InputDataError
from leakear.edge.texts import printable

SHORTEST_S = 2.0
"""s of common sound that a pair needs."""
LONGEST_S = 60.0
"""s of a pair that are used."""
_LOWEST_RATE = 500
"""Hz."""
_SILENT = 1e-6
_TIME_REFERENCE = struct.Struct("<320x10s8sQ")
"""Beginning of a broadcast wave chunk: date, time, and samples since midnight at the first sample."""


@dataclass(frozen=True)
class Sound:
    """One channel of a file."""

    path: Path
    samples: Samples
    """shape (n,)"""
    rate: int
    """Hz"""
    start: float | None
    """POSIX seconds of the first sample, from a broadcast wave header"""
    notes: tuple[str, ...] = ()
    """what a person should know of the file"""


def read(path: Path, longest_s: float = math.inf) -> list[Sound]:
    """Read every channel of a sound file, whatever its format. Raises InputDataError.

    `longest_s`: a file that holds more is refused as soon as that is seen, whatever its header says.
    """
    with opened(path) as file:
        chunks, seconds, done_s = [], 0.0, 0.0
        line = ProgressLine(f"reading {printable(path.name)}", file.seconds)
        for chunk in file.chunks():
            seconds += chunk.frames.size / chunk.rate
            if seconds > longest_s:
                raise InputDataError(f"{path}: holds more than {longest_s:.0f} s of sound")
            chunks.append(chunk)
            done_s += len(chunk.frames) / chunk.rate
            line.update(done_s)
        line.end()
        notes = tuple(f"{printable(path)}: {note}." for note in dict.fromkeys(file.notes))
    rate = chunks[0].rate
    if any((chunk.rate, chunk.frames.shape[1]) != (rate, chunks[0].frames.shape[1]) for chunk in chunks):
        raise InputDataError(f"{path}: holds recordings of different rates or channels; divide it into files")
    data = np.concatenate([chunk.frames for chunk in chunks]).astype(np.float64)
    if not np.isfinite(data).all():
        raise InputDataError(f"{path}: holds samples that are no numbers (NaN or infinity); convert it to PCM")
    if rate < _LOWEST_RATE:
        raise InputDataError(f"{path}: a sample rate of {rate} Hz is too low to locate; record at 4000 Hz or more")
    start = _time_reference(path, rate)
    return [Sound(path, np.ascontiguousarray(data[:, channel]), rate, start, notes) for channel in range(data.shape[1])]


def one_channel(path: Path, longest_s: float = math.inf) -> Sound:
    """Read a file of one channel. Raises InputDataError, also for more than `longest_s` seconds."""
    channels = read(path, longest_s)
    if len(channels) > 1:
        raise InputDataError(f"{path}: has {len(channels)} channels; give one file with one channel for each sensor")
    return channels[0]


def two_channels(path: Path) -> tuple[Sound, Sound]:
    """Read a stereo file, A left and B right. Raises InputDataError."""
    channels = read(path)
    if len(channels) != 2:
        raise InputDataError(f"{path}: has {len(channels)} channel(s); give two files, or one stereo file")
    return channels[0], channels[1]


def pair(a: Sound, b: Sound, clock: Clock, offset_s: float | None) -> tuple[Recording, list[str]]:
    """Align two sounds; return them with what a person should know.

    `offset_s`: seconds by which B began after A; None: from the files' time references, else 0. Raises InputDataError.
    """
    notes = list(dict.fromkeys([*a.notes, *b.notes]))
    for sound in (a, b):
        if np.std(sound.samples) < _SILENT:
            raise InputDataError(f"{sound.path}: is silent; check the sensor and its gain")
    if offset_s is None:
        offset_s = b.start - a.start if a.start is not None and b.start is not None else 0.0
    rate = min(a.rate, b.rate)
    if a.rate != b.rate:
        notes.append(f"{a.path} has {a.rate} Hz and {b.path} {b.rate} Hz: both were resampled to {rate} Hz.")
    left, right = (to_rate(sound.samples, sound.rate, rate) for sound in (a, b))
    left, right, rest = _aligned(left, right, round(offset_s * rate), offset_s * rate)
    seconds = min(len(left), len(right)) / rate
    if seconds < SHORTEST_S:
        raise InputDataError(
            f"{a.path} and {b.path} overlap by {max(seconds, 0):.1f} s only, and {SHORTEST_S:.0f} s are needed: "
            "give two recordings of the same time, or correct --offset"
        )
    if abs(len(left) - len(right)) > 0.1 * rate * max(seconds, 1):
        notes.append(f"The recordings differ in length: the {seconds:.1f} s that both have were used.")
    if seconds > LONGEST_S:
        notes.append(f"The first {LONGEST_S:.0f} s of {seconds:.0f} s were used: give other minutes as further pairs.")
    count = min(len(left), len(right), round(LONGEST_S * rate))
    left, right = left[:count], right[:count]
    if np.array_equal(left, right):
        raise InputDataError(f"{a.path} and {b.path} hold the same sound: give the recordings of two sensors")
    return Recording(left, right, rate, replace(clock, offset=clock.offset - rest / rate)), notes


def _aligned(a: Samples, b: Samples, whole: int, exact: float) -> tuple[Samples, Samples, float]:
    """Cut the beginning that only one has; also return by how many samples B still begins later."""
    if whole >= 0:
        return a[whole:], b, exact - whole
    return a, b[-whole:], exact - whole


def _time_reference(path: Path, rate: int) -> float | None:
    """POSIX seconds of the first sample of a broadcast wave file, None for others."""
    with path.open("rb") as file:
        if file.read(4) not in (b"RIFF", b"RF64"):
            return None
        file.seek(12)
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"bext" and size >= _TIME_REFERENCE.size:
                date, _, samples = _TIME_REFERENCE.unpack(file.read(_TIME_REFERENCE.size))
                return _posix(date, samples, rate)
            file.seek(size + size % 2, 1)
    return None


def _posix(date: bytes, samples: int, rate: int) -> float | None:
    try:
        day = datetime.strptime(date.decode("ascii").replace(":", "-"), "%Y-%m-%d").replace(tzinfo=UTC)
    except (UnicodeDecodeError, ValueError):
        return None
    return day.timestamp() + samples / rate

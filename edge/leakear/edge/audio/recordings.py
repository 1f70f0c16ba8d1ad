"""Sound files: read as mono float32 at the model's rate.

A recording passes through the same resampler (soxr HQ, streaming, bit-equal to one call whatever the block size) and
the same `Block` as the microphone. An empty, truncated or unreadable recording, or one that holds a NaN, raises
InputDataError with the file's name.
"""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.resample import Resampler
from leakear.edge.errors import InputDataError

if TYPE_CHECKING:
    from leakear.edge.spec import SpectrogramSpec

RATES = (1000, 384_000)
"""Sample rates in Hz that are accepted, lowest and highest."""
_BLOCK_S = 1.0
"""Seconds of a recording read at once."""
_UNKNOWN_SIZE = 0xFFFFFFFF
"""Size of a RIFF chunk whose writer did not know it: a recording that was piped."""


def read_blocks(path: Path, spec: "SpectrogramSpec", *, channel: int = 1, utc: float = 0.0) -> Iterator[Block]:
    """Read a recording (WAV, FLAC, Ogg) as the microphone would deliver it.

    `channel` counts from 1. `utc`: when the recording began, POSIX seconds. Raises InputDataError.
    """
    import soundfile

    _refuse_truncated_wav(path)
    position = 0
    try:
        with soundfile.SoundFile(path) as file:
            _check(path, file.samplerate, file.channels, file.frames, channel)
            resampler = Resampler(file.samplerate, spec.sample_rate)
            left = True
            while left:
                read = file.read(math.ceil(file.samplerate * _BLOCK_S), dtype="float32", always_2d=True)
                left = file.tell() < file.frames and len(read) > 0
                samples = resampler.push(_finite(path, read[:, channel - 1]), last=not left)
                if len(samples):
                    at = position / spec.sample_rate
                    yield Block(position, samples, utc + at, at)
                position += len(samples)
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        raise InputDataError(f"{path}: cannot be read as sound ({error}); use WAV, FLAC or Ogg Vorbis") from error


def read_wav(path: Path, spec: "SpectrogramSpec", *, channel: int = 1) -> NDArray[np.float32]:
    """Read a whole recording at the model's rate, shape (n,). Raises InputDataError."""
    return np.concatenate([block.samples for block in read_blocks(path, spec, channel=channel)])


@dataclass
class JoinedRecordings:
    """Recordings one after the other as one stream of blocks."""

    spec: "SpectrogramSpec"
    begin: Callable[[int], None]
    """Called before each recording with the position of its first sample: no window may reach across the join."""
    channel: int = 1
    """From 1."""
    utc: float = 0.0
    """POSIX seconds at which the stream began."""
    position: int = 0
    """Samples so far; start of the next recording."""

    def read(self, path: Path) -> Iterator[Block]:
        """Yield the blocks of one more recording. Raises InputDataError."""
        origin = self.position
        self.begin(origin)
        for block in read_blocks(path, self.spec, channel=self.channel):
            at = (origin + block.start) / self.spec.sample_rate
            self.position = origin + block.start + len(block.samples)
            yield Block(origin + block.start, block.samples, self.utc + at, at)


def _check(path: Path, rate: int, channels: int, frames: int, channel: int) -> None:
    if frames <= 0:
        raise InputDataError(f"{path}: holds no samples; record it again")
    if not RATES[0] <= rate <= RATES[1]:
        raise InputDataError(
            f"{path}: sample rate {rate} Hz is outside {RATES[0]} to {RATES[1]} Hz; is the header damaged?"
        )
    if not 1 <= channel <= channels:
        raise InputDataError(f"{path}: has no channel {channel}, only 1 to {channels}")


def _finite(path: Path, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(samples).all():
        raise InputDataError(f"{path}: holds samples that are no numbers (NaN or infinity); convert it to PCM")
    return np.ascontiguousarray(samples)


def _refuse_truncated_wav(path: Path) -> None:
    """Refuse a truncated WAV: libsndfile would read the rest of it without an error."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size == 0:
                raise InputDataError(f"{path}: is empty; record it again")
            promised = _data_end(file)
    except OSError as error:
        raise InputDataError(f"{path}: cannot be opened ({error.strerror})") from error
    if promised is not None and promised > size:
        raise InputDataError(
            f"{path}: is truncated: its header says {promised} bytes, the file has {size}; copy it again"
        )


def _data_end(file: BinaryIO) -> int | None:
    """Byte behind the sample data of a RIFF/WAVE file; None for other formats and unknown sizes."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    while len(chunk := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            return None if size == _UNKNOWN_SIZE else file.tell() + size
        file.seek(size + size % 2, 1)
    return None

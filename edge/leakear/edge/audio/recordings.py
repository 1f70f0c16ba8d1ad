"""Recordings: read as mono float32 at the model's rate. This is the project's one reader of sound.

A recording passes through the same resampler (soxr HQ, streaming, bit-equal to one call whatever the block size) and
the same `Block` as the microphone. An empty, truncated or unreadable recording, or one that holds a NaN, raises
InputDataError with the file's name. What a person should know of a file that is read is passed to `note`.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.channels import Channel, pick
from leakear.edge.audio.containers.views import SoundError
from leakear.edge.audio.resample import Resampler
from leakear.edge.audio.sound_file import Chunk, SoundFile, opened
from leakear.edge.errors import InputDataError
from leakear.edge.texts import printable

if TYPE_CHECKING:
    from leakear.edge.spec import SpectrogramSpec

log = logging.getLogger(__name__)


def read_blocks(
    path: Path,
    spec: "SpectrogramSpec",
    *,
    channel: Channel = 1,
    utc: float = 0.0,
    note: Callable[[str], None] = log.warning,
) -> Iterator[Block]:
    """Read a recording as the microphone would deliver it: every format of libsndfile, a pipe, `-`; others by ffmpeg.

    `channel` counts from 1, or is "mix". `utc`: when the recording began, POSIX seconds. Raises InputDataError.
    """
    with opened(path) as sound:
        position = 0
        for samples in _resampled(sound, spec.sample_rate, channel):
            at = position / spec.sample_rate
            yield Block(position, samples, utc + at, at)
            position += len(samples)
        for text in dict.fromkeys(sound.notes):
            note(f"{printable(path)}: {text}")


def read_wav(path: Path, spec: "SpectrogramSpec", *, channel: Channel = 1) -> NDArray[np.float32]:
    """Read a whole recording at the model's rate, shape (n,). Raises InputDataError."""
    return np.concatenate([block.samples for block in read_blocks(path, spec, channel=channel)])


def rate_and_channels(path: Path) -> tuple[int, int]:
    """Return the sample rate in Hz and the number of channels of a recording. Raises InputDataError."""
    with opened(path) as sound:
        return sound.rate, max(1, sound.channels)


def channels(path: Path) -> int:
    """Return how many channels a recording has. Raises InputDataError."""
    return rate_and_channels(path)[1]


def seconds(path: Path) -> float | None:
    """Return how long a recording is by its header, s; None where that is not known, or it cannot be read."""
    try:
        with opened(path) as sound:
            return sound.seconds
    except InputDataError:
        return None


def _resampled(sound: SoundFile, rate: int, channel: Channel) -> Iterator[NDArray[np.float32]]:
    """Yield one channel at another rate. A part of a file with another rate continues the sound."""
    resampler, native = None, 0
    waiting: NDArray[np.float32] | None = None
    for chunk in sound.chunks():
        samples = _one(chunk, channel)
        if resampler is None or chunk.rate != native:
            if resampler is not None and waiting is not None:
                yield from _nonempty(resampler.push(waiting, last=True))
                waiting = None
            resampler, native = Resampler(chunk.rate, rate), chunk.rate
        if waiting is not None:
            yield from _nonempty(resampler.push(waiting))
        waiting = samples
    if resampler is not None and waiting is not None:
        yield from _nonempty(resampler.push(waiting, last=True))


def _nonempty(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    if len(samples):
        yield samples


def _one(chunk: Chunk, channel: Channel) -> NDArray[np.float32]:
    try:
        samples = pick(chunk.frames, channel)
    except IndexError:
        raise SoundError(f"has no channel {channel}, only 1 to {chunk.frames.shape[1]}") from None
    if not np.isfinite(samples).all():
        raise SoundError("holds samples that are no numbers (NaN or infinity); convert it to PCM")
    return np.ascontiguousarray(samples)


@dataclass
class JoinedRecordings:
    """Recordings one after the other as one stream of blocks."""

    spec: "SpectrogramSpec"
    begin: Callable[[int], None]
    """Called before each recording with the position of its first sample: no window may reach across the join."""
    utc: float = 0.0
    """POSIX seconds at which the stream began."""
    note: Callable[[str], None] = log.warning
    position: int = 0
    """Samples so far; start of the next recording."""

    def read(self, path: Path, channel: Channel) -> Iterator[Block]:
        """Yield the blocks of one more recording. Raises InputDataError."""
        origin = self.position
        self.begin(origin)
        for block in read_blocks(path, self.spec, channel=channel, note=self.note):
            at = (origin + block.start) / self.spec.sample_rate
            self.position = origin + block.start + len(block.samples)
            yield Block(origin + block.start, block.samples, self.utc + at, at)

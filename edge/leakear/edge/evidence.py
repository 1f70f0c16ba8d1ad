"""Evidence: what a WARNING or LEAK sounded and looked like, named by its event's id.

Off unless a site turns it on, because a microphone may hear speech; nothing else of the sound ever touches the disk.
The folder keeps a byte budget and the disk a floor of free space: the oldest unprotected evidence goes first, and when
that is not enough the new one is not written. A full disk is never an error of the daemon.
"""

import logging
import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio import to_int16
from leakear.edge.errors import InputDataError
from leakear.edge.options import option
from leakear.edge.picture import png

if TYPE_CHECKING:
    from leakear.edge.spectrogram import Decibels, SpectrogramSpec
    from leakear.edge.windows import Block, Window

log = logging.getLogger(__name__)

FLAC, PNG = "audio/flac", "image/png"
_SUFFIX = {FLAC: ".flac", PNG: ".png"}
_KEEP = ".keep"
"""An empty file beside the evidence that protects it."""
_EVENT_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """[evidence]: clips and pictures of alerts; off by default, because a microphone may hear speech."""

    enabled: bool = option(False, "keep a sound clip and a spectrogram of every WARNING and LEAK on this node")
    directory: str = option("", "folder for it; empty: `evidence` in the node's state directory")
    pre_roll_s: float = option(10.0, "seconds kept from before the window", minimum=0, maximum=60)
    max_mb: float = option(200.0, "megabytes the folder may hold", minimum=0, maximum=1_000_000)
    min_free_mb: float = option(
        200.0, "megabytes that stay free on the disk whatever happens", minimum=0, maximum=1_000_000
    )


class Evidence:
    """The folder of evidence and the sound of the last seconds."""

    def __init__(self, options: EvidenceOptions, spec: "SpectrogramSpec", directory: Path) -> None:
        self.refused = 0
        """recordings that found no room or no working disk"""
        self._options = options
        self._spec = spec
        self._directory = Path(options.directory) if options.directory else directory
        self._recent: deque[Block] = deque()

    def hear(self, block: "Block") -> None:
        """Remember a block for the pre-roll, in memory only."""
        if not self._options.enabled:
            return
        if self._recent and self._recent[-1].start + len(self._recent[-1].samples) != block.start:
            self._recent.clear()
        self._recent.append(block)
        kept_s = self._options.pre_roll_s + self._spec.window_seconds
        oldest = block.start + len(block.samples) - round(kept_s * self._spec.sample_rate)
        while self._recent[0].start + len(self._recent[0].samples) <= oldest:
            self._recent.popleft()

    def record(self, event_id: str, window: "Window", spectrogram: "Decibels") -> bool:
        """Keep the sound and the picture of an event. Tells whether they are on the disk."""
        if not self._options.enabled:
            return False
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            files = {
                FLAC: flac(self._with_pre_roll(window), self._spec.sample_rate),
                PNG: png(spectrogram, self._spec.floor),
            }
            if not self._make_room(sum(len(data) for data in files.values())):
                raise OSError("no room within max_mb and min_free_mb")  # noqa: TRY301
            for media_type, data in files.items():
                _write(self._path(event_id, media_type), data)
        except (OSError, RuntimeError) as error:
            self.refused += 1
            log.warning("evidence of %s is not kept: %s", event_id, error)
            return False
        return True

    def fetch(self, event_id: str, media_type: str = FLAC) -> bytes:
        """Read the evidence of an event. Raises InputDataError when there is none."""
        path = self._path(event_id, media_type)
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputDataError(f"no evidence of event {event_id} is kept on this node ({error.strerror})") from error

    def protect(self, event_id: str) -> None:
        """Keep the evidence of an event whatever the budget says."""
        self._path(event_id, FLAC).with_suffix(_KEEP).touch()

    def _path(self, event_id: str, media_type: str) -> Path:
        if not _EVENT_ID.fullmatch(event_id):
            raise InputDataError(f"{event_id!r} is no event id")
        return self._directory / (event_id + _SUFFIX[media_type])

    def _with_pre_roll(self, window: "Window") -> NDArray[np.float32]:
        before = [block.samples[: max(0, window.start - block.start)] for block in self._recent]
        wanted = round(self._options.pre_roll_s * self._spec.sample_rate)
        pre_roll = np.concatenate(before)[-wanted:] if before and wanted else window.samples[:0]
        return np.concatenate([pre_roll, window.samples])

    def _make_room(self, needed: int) -> bool:
        """Drop the oldest unprotected evidence until `needed` bytes fit."""
        for oldest in (*self._unprotected(), None):
            used = sum(path.stat().st_size for path in self._files())
            free = os.statvfs(self._directory)
            fits = used + needed <= self._options.max_mb * 1e6
            if fits and free.f_bavail * free.f_frsize - needed >= self._options.min_free_mb * 1e6:
                return True
            if oldest is not None:
                for suffix in _SUFFIX.values():
                    (self._directory / (oldest + suffix)).unlink(missing_ok=True)
        return False

    def _files(self) -> Iterator[Path]:
        return (path for path in self._directory.iterdir() if path.suffix in _SUFFIX.values())

    def _unprotected(self) -> list[str]:
        """Event ids from the oldest to the newest: version 7 UUIDs sort by time."""
        ids = {path.stem for path in self._files()}
        return sorted(name for name in ids if not (self._directory / (name + _KEEP)).exists())


def flac(samples: NDArray[np.float32], rate: int) -> bytes:
    """Compress mono sound, shape (n,), without loss at 16 bits."""
    import soundfile

    buffer = BytesIO()
    soundfile.write(buffer, to_int16(samples), rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    """Write whole or not at all."""
    temporary = path.with_suffix(path.suffix + ".part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

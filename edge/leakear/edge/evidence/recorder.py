"""Evidence: a sound clip and a picture of a WARNING or LEAK, named by its event's id; and recordings on command.

Off unless a site turns it on, because a microphone may record speech; no other sound is ever written to the disk. The
folder has a limit in bytes, and some space on the disk stays free: recordings are deleted first, then the oldest
evidence, and when that is not enough the new one is not written. A recording never takes the room of evidence. A full
disk does not stop the daemon.
"""

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.blocks import to_int16
from leakear.edge.errors import InputDataError
from leakear.edge.evidence.picture import png
from leakear.edge.files import write as write_file
from leakear.edge.options import option

if TYPE_CHECKING:
    from leakear.edge.spec import Decibels, SpectrogramSpec
    from leakear.edge.windows import Window

log = logging.getLogger(__name__)

FLAC, PNG = "audio/flac", "image/png"
NOT_KEPT = "evidence_not_kept"
"""Fault: the evidence of the newest alert could not be written."""
_SUFFIX = {FLAC: ".flac", PNG: ".png"}
_ABOUT = ".json"
"""what is known of a recording; an alert's evidence has none"""
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
    """The folder of evidence, and the sound of the last seconds in memory."""

    def __init__(self, options: EvidenceOptions, spec: "SpectrogramSpec", directory: Path) -> None:
        self.faults: dict[str, str] = {}
        """name → sentence: `evidence_not_kept` while the evidence of the newest alert could not be written"""
        self._options = options
        self._spec = spec
        self._directory = Path(options.directory) if options.directory else directory
        self._recent: NDArray[np.float32] = np.empty(0, np.float32)  # the sound up to position _recent_end
        self._recent_end = 0

    @property
    def enabled(self) -> bool:
        """Whether this site keeps evidence at all."""
        return self._options.enabled

    def remember(self, window: "Window") -> None:
        """Keep the end of a window in memory, for the pre-roll of the next ones."""
        wanted = round(self._options.pre_roll_s * self._spec.sample_rate)
        if self.enabled and wanted:
            self._recent = self._joined(window)[-(wanted + len(window.samples)) :]
            self._recent_end = window.start + len(window.samples)

    def record(self, event_id: str, window: "Window", spectrogram: "Decibels") -> bool:
        """Write the sound and the picture of an event. True: they are on the disk."""
        if not self.enabled:
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
                write_file(self._path(event_id, media_type), data)
        except (OSError, RuntimeError) as error:
            self.faults[NOT_KEPT] = (
                f"the sound of the newest alert could not be kept ({error}): make room on the disk, or see [evidence]"
            )
            log.warning("evidence of %s is not kept: %s", event_id, error)
            return False
        self.faults.clear()
        return True

    def fetch(self, event_id: str, media_type: str = FLAC) -> bytes:
        """Read the evidence of an event. Raises InputDataError when there is none."""
        path = self._path(event_id, media_type)
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputDataError(f"no evidence of event {event_id} is kept on this node ({error.strerror})") from error

    def keep_recording(self, recording_id: str, sound: bytes, about: bytes) -> None:
        """Write a FLAC file and what is known of it (JSON). Raises OSError when there is no room."""
        self._directory.mkdir(parents=True, exist_ok=True)
        if not self._make_room(len(sound) + len(about), recording=True):
            raise OSError("no room within max_mb and min_free_mb")
        write_file(self._path(recording_id, FLAC), sound)
        write_file(self._directory / (recording_id + _ABOUT), about)

    def recordings(self) -> list[str]:
        """Return the ids of the recordings, from the oldest to the newest: version 7 UUIDs sort by time."""
        return sorted(path.stem for path in self._directory.glob("*" + _ABOUT) if _EVENT_ID.fullmatch(path.stem))

    def about(self, recording_id: str) -> bytes | None:
        """Return what is known of a recording (JSON); None: it is not kept (any more)."""
        try:
            return (self._directory / (recording_id + _ABOUT)).read_bytes()
        except OSError:
            return None

    def holds(self, name: str) -> bool:
        """Whether there is sound under this name: an alert's, or a recording."""
        return self._path(name, FLAC).exists()

    def delete(self, name: str) -> None:
        """Delete the evidence of an event, or a recording; nothing happens where there is none."""
        for suffix in (*_SUFFIX.values(), _ABOUT):
            (self._directory / (name + suffix)).unlink(missing_ok=True)

    def _path(self, event_id: str, media_type: str) -> Path:
        if not _EVENT_ID.fullmatch(event_id):
            raise InputDataError(f"{event_id!r} is no event id")
        return self._directory / (event_id + _SUFFIX[media_type])

    def _joined(self, window: "Window") -> NDArray[np.float32]:
        """Return the unbroken sound up to the end of a window, shape (n,)."""
        overlap = self._recent_end - window.start
        before = self._recent[: max(0, len(self._recent) - overlap)] if overlap >= 0 else self._recent[:0]
        return np.concatenate([before, window.samples])

    def _with_pre_roll(self, window: "Window") -> NDArray[np.float32]:
        wanted = round(self._options.pre_roll_s * self._spec.sample_rate)
        return self._joined(window)[-(wanted + len(window.samples)) :]

    def _make_room(self, needed: int, *, recording: bool = False) -> bool:
        """Delete recordings, then (for evidence) the oldest evidence, until `needed` bytes fit. False: they do not."""
        recordings = self.recordings()
        evidence = [] if recording else sorted({path.stem for path in self._files()} - set(recordings))
        for oldest in (*recordings, *evidence, None):
            used = sum(path.stat().st_size for path in self._files())
            free = os.statvfs(self._directory)
            fits = used + needed <= self._options.max_mb * 1e6
            if fits and free.f_bavail * free.f_frsize - needed >= self._options.min_free_mb * 1e6:
                return True
            if oldest is not None:
                self.delete(oldest)
        return False

    def _files(self) -> Iterator[Path]:
        return (path for path in self._directory.iterdir() if path.suffix in (*_SUFFIX.values(), _ABOUT))


def flac(samples: NDArray[np.float32], rate: int) -> bytes:
    """Compress mono sound, shape (n,), without loss at 16 bits."""
    import soundfile

    buffer = BytesIO()
    soundfile.write(buffer, to_int16(samples), rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()

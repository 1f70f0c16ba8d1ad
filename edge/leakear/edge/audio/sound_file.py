"""Sound files and pipes: opened whatever their name, decoded in blocks, never taken for whole where they are not."""

import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.containers import examine, ffmpeg
from leakear.edge.audio.containers.other import reason
from leakear.edge.audio.containers.views import Part, SoundError, truncated
from leakear.edge.audio.decoder_messages import DecoderMessages
from leakear.edge.errors import InputDataError
from leakear.edge.texts import printable

STDIN = Path("-")
"""Name of standard input."""
RATES = (1000, 384_000)
"""Sample rates in Hz that are accepted, lowest and highest."""
_UNKNOWN = 1 << 50
"""Number of frames from which it is a placeholder."""
_LATE_END = {"OGG": 8192}
"""Frames by which a format's last page may state a later end than its packets reach, as encoders write it: the longest
block of Vorbis. Cut files are known by their pages (`containers.ogg`)."""


@dataclass(frozen=True)
class Chunk:
    """Decoded sound."""

    rate: int
    """Hz"""
    frames: NDArray[np.float32]
    """Shape (n, channels), full scale is ±1."""


class SoundFile:
    """A file that is open for decoding."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self._messages = DecoderMessages()
        self.notes = [note for part in parts for note in part.notes]
        """What a person should know about the file; complete when all of it is decoded."""
        self.rate, self.channels, self.seconds = self._facts()

    def _facts(self) -> tuple[int, int, float | None]:
        """Return rate and channels of the first part, and the length in s; None: not known before the end."""
        seconds: float | None = 0.0
        facts: tuple[int, int] | None = None
        for part in self._parts:
            if part.stream is not None:  # can be opened only once
                return part.rate, part.channels, None
            with self._open(part) as sound:
                facts = facts or (sound.samplerate, sound.channels)
                frames = part.frames or sound.frames
                known = 0 < frames < _UNKNOWN and seconds is not None
                seconds = (seconds or 0.0) + frames / max(1, sound.samplerate) if known else None
        return (*(facts or (0, 0)), seconds)

    def chunks(self, seconds: float = 1.0) -> Iterator[Chunk]:
        """Decode the sound in blocks of about `seconds`. Raises SoundError."""
        for number, part in enumerate(self._parts):
            with self._open(part) as sound:
                if sound.frames <= 0:
                    if len(self._parts) > 1:
                        continue
                    raise SoundError("holds no samples; record it again")
                if not RATES[0] <= sound.samplerate <= RATES[1]:
                    raise SoundError(
                        f"sample rate {sound.samplerate} Hz is outside {RATES[0]} to {RATES[1]} Hz; is the header "
                        "damaged?"
                    )
                if number:
                    self.notes.append("holds several recordings, one after the other: all are read")
                yield from self._decode(part, sound, seconds)

    def _open(self, part: Part) -> Any:
        with self._held(part):
            return _open(part)

    def _held(self, part: Part) -> AbstractContextManager[None]:
        return nullcontext() if part.exact else self._messages.held()

    def _decode(self, part: Part, sound: Any, seconds: float) -> Iterator[Chunk]:
        size, total = max(1, round(sound.samplerate * seconds)), 0
        while True:
            try:
                with self._held(part):
                    frames = sound.read(size, dtype="float32", always_2d=True)
            except (OSError, RuntimeError) as error:
                raise SoundError(f"is damaged after {total / sound.samplerate:.1f} s ({reason(error)})") from error
            if not len(frames):
                break
            total += len(frames)
            yield Chunk(sound.samplerate, frames)
        self._check_length(part, sound, total)

    def _check_length(self, part: Part, sound: Any, total: int) -> None:
        rate = sound.samplerate
        if part.stream is not None and part.promised is not None and part.stream.received < part.promised:
            raise truncated(f"{part.promised} bytes", str(part.stream.received))
        promised = part.frames or (sound.frames if sound.frames < _UNKNOWN else 0)
        if total == 0:
            raise SoundError("holds no samples; record it again")
        if total < promised - _LATE_END.get(sound.format, 0) and part.stream is None:
            said, held = f"{promised / rate:.1f} s", f"{total / rate:.1f} s"
            raise truncated(said, held) if said != held else truncated(f"{promised} samples", str(total))
        if self._messages.damaged:
            self.notes.append("its MP3 decoder met damage: some of the sound is not as it was recorded")
        if part.exact and part.frames and total > part.frames:
            self.notes.append(
                f"the header says {part.frames / rate:.1f} s, the file holds {total / rate:.1f} s: read to its end"
            )


@contextmanager
def opened(path: Path) -> Iterator[SoundFile]:
    """Open a sound file, a pipe, or standard input (`-`). Raises InputDataError with the file's name."""
    try:
        with ExitStack() as stack:
            yield SoundFile(_parts(path, stack))
    except SoundError as error:
        raise InputDataError(f"{printable(path)}: {error}") from error
    except BrokenPipeError:
        raise
    except IsADirectoryError:
        raise InputDataError(f"{printable(path)}: is a folder; name the recordings in it") from None
    except OSError as error:
        raise InputDataError(f"{printable(path)}: cannot be opened ({error.strerror or error})") from error


def _parts(path: Path, stack: ExitStack) -> list[Part]:
    file: BinaryIO = os.fdopen(os.dup(sys.stdin.fileno()), "rb") if path == STDIN else path.open("rb")
    stack.enter_context(file)
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        magic = file.read(4)
        file = io.BufferedReader(_Pushback(magic, file))
        if not magic:
            raise SoundError("is empty; record it again")
        if part := examine.piped(file, magic):
            return [part]
        path, file = _spooled(file, stack)
    elif not stat.S_ISREG(mode):
        raise SoundError("is neither a file nor a pipe; name a recording, or pipe one into `-`")
    end = os.fstat(file.fileno()).st_size
    if end == 0:
        raise SoundError("is empty; record it again")
    file.seek(0)
    if name := ffmpeg.kind(file.read(64)):
        return [stack.enter_context(ffmpeg.decoded(path, file, name, end))]
    return examine.parts(file, end)


def _spooled(pipe: BinaryIO, stack: ExitStack) -> tuple[Path, BinaryIO]:
    """Copy a pipe into a temporary file: its kind of sound is decoded from a file only."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leakear-")))
    with (folder / "sound").open("wb") as copy:
        shutil.copyfileobj(pipe, copy)
    return folder / "sound", stack.enter_context((folder / "sound").open("rb"))


class _Pushback(io.RawIOBase):
    """A pipe whose first bytes have been read already."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._first = first
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._first[: len(buffer)] or self._rest.read1(len(buffer))  # type: ignore[attr-defined]
        self._first = self._first[len(data) :] if self._first else b""
        buffer[: len(data)] = data
        return len(data)


def _open(part: Part) -> Any:
    import soundfile

    class Forward(soundfile.SoundFile):  # type: ignore[misc]
        """Never seeks: after each read soundfile would, which fails at the end of a stream and in some codecs."""

        def seekable(self) -> bool:
            return False

    try:
        part.file.seek(0)
        return Forward(part.file)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise SoundError(f"cannot be read as sound ({reason(error)}); use WAV, FLAC or Ogg Vorbis") from error

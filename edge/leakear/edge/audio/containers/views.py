"""A part of a file as a file of its own, with another header in front of it."""

import io
import os
from dataclasses import dataclass, field
from typing import BinaryIO


class SoundError(Exception):
    """A sound that cannot be used whole; its text says why and what to do, without the file's name."""


def truncated(promised: str, held: str) -> SoundError:
    """Return the error of a file that ends too early."""
    return SoundError(f"is truncated: its header says {promised}, the file has {held}; copy it again")


_KEPT = 1 << 16
"""Bytes of a pipe that can be read again."""


class _Positioned(io.RawIOBase):
    """A position within `size` bytes; `_some` gives the bytes that stand there."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; a position before the beginning is the beginning."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Read up to len(buffer) bytes."""
        target = memoryview(buffer)
        done = 0
        while done < len(target):
            data = self._some(len(target) - done)
            if not data:
                break
            target[done : done + len(data)] = data
            done += len(data)
            self._at += len(data)
        return done

    def _some(self, count: int) -> bytes:
        """Return at most `count` bytes from the position on; none at the end."""
        raise NotImplementedError


class View(_Positioned):
    """`head`, then `length` bytes of a file from `start` on, then `zeros` zero bytes."""

    def __init__(self, source: BinaryIO, start: int, length: int, head: bytes = b"", zeros: int = 0) -> None:
        super().__init__(len(head) + length + zeros)
        self._source = source
        self._start = start
        self._head = head
        self._end = len(head) + length

    def seekable(self) -> bool:
        """Return True."""
        return True

    def _some(self, count: int) -> bytes:
        if self._at < len(self._head):
            return self._head[self._at : self._at + count]
        if self._at < self._end:
            self._source.seek(self._start + self._at - len(self._head))
            return self._source.read(min(count, self._end - self._at))
        return bytes(min(count, max(0, self._size - self._at), 1 << 20))


class Stream(_Positioned):
    """`head`, then what comes out of a pipe, which can be read only once.

    Seeking only notes a position: the beginning and the next byte of the pipe can really be read.
    """

    def __init__(self, source: BinaryIO, head: bytes, length: int | None) -> None:
        super().__init__(len(head) + (1 << 60 if length is None else length))
        self._source = source
        self._kept = bytearray(head)  # libsndfile reads a little more than the header, and goes back
        self._reached = len(head)  # position of the next byte of the pipe
        self.ended = False
        """The pipe was closed by its writer."""
        self.received = 0
        """Bytes that came out of the pipe."""

    def _some(self, count: int) -> bytes:
        if self._at < len(self._kept):
            return bytes(self._kept[self._at : self._at + count])
        if self._at != self._reached:
            return b""
        data = self._source.read(min(count, self._size - self._at))
        self.ended = self.ended or not data
        if self._reached < _KEPT:
            self._kept += data
        self._reached += len(data)
        self.received += len(data)
        return data


@dataclass
class Part:
    """One sound of a file, as a file that libsndfile opens."""

    file: BinaryIO | View | Stream
    notes: list[str] = field(default_factory=list)
    """What a person should know about it, each the end of a sentence."""
    frames: int | None = None
    """How many frames the container says it holds; fewer decoded ones are an error. None: libsndfile's own number."""
    exact: bool = True
    """False: the number of decoded frames may differ from `frames` (MP3)."""
    stream: Stream | None = None
    promised: int | None = None
    """Bytes that must come out of `stream`."""
    rate: int = 0
    """Of a stream, by its header, Hz."""
    channels: int = 0
    """Of a stream."""


def seconds(size: int, per_second: int) -> str:
    """Write a number of bytes of sound as seconds where the header tells how."""
    return f"{size / per_second:.1f} s" if per_second > 0 else f"{size} bytes"

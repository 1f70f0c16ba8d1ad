"""The newest `seq` of a node, in its own file: numbering continues even when the database is lost.

The file never changes its size, so a full disk does not stop it. Two slots are written in turn, each with a checksum:
a power cut during one write leaves the other valid. The open file is also the lock against a second daemon.
"""

import errno
import fcntl
import os
import stat
import struct
import zlib
from pathlib import Path

from leakear.edge.errors import ConfigError

SLOT = struct.Struct(">QI")
"""seq, CRC-32 of it."""


class Sequence:
    """Counts events of a node. Reading and writing raise OSError as the disk does."""

    def __init__(self, path: Path) -> None:
        self.last = 0
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._lock()
            self.last = max(map(_value, (os.pread(self._file, SLOT.size, at) for at in _PLACES)))
        except BaseException:
            os.close(self._file)
            raise

    def record(self, seq: int) -> None:
        """Write `seq` durably."""
        body = seq.to_bytes(8, "big")
        os.pwrite(self._file, SLOT.pack(seq, zlib.crc32(body)), _PLACES[seq % 2])
        os.fdatasync(self._file)
        self.last = seq

    def close(self) -> None:
        """Release the lock."""
        os.close(self._file)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{self._path.parent} is in use by another leakear-edge: stop it, or give this one its own state_dir."
            ) from None


def held(path: Path) -> bool:
    """Whether a daemon holds this file now. Raises OSError: there is none, or it cannot be asked.

    Root asks for this in a folder of an unprivileged user: nothing is made, no link is followed, no pipe waited for.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(path))
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


_PLACES = (0, 64)
"""byte offsets of the two slots"""


def _value(slot: bytes) -> int:
    """Seq in a slot; 0 when it is empty or damaged."""
    if len(slot) != SLOT.size:
        return 0
    seq, check = SLOT.unpack(slot)
    return int(seq) if zlib.crc32(slot[:8]) == check else 0

"""Root looks into the state folder of a unit's unprivileged user with the rights of that user, in a child process.

What lies there may be anything: a model is native code's input, a file may be a link. The child stands in the folder
before it gives up its rights, because the unit's user alone cannot come there (`/var/lib/private`).
"""

import json
import os
import select
import signal
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from leakear.edge.errors import LeakearError

LONGEST_S = 60.0
MOST_BYTES = 65536
"""of an answer"""
_FILES = 4096
"""descriptors of this process that the child closes"""
Values = Mapping[str, Any]


def owner(folder: Path) -> tuple[int, int] | None:
    """Return user and group whose rights are needed; None: this process's own, or there is no such folder."""
    if os.geteuid() != 0:
        return None
    try:
        found = folder.stat()
    except OSError:
        return None
    return (found.st_uid, found.st_gid) if found.st_uid != 0 and stat.S_ISDIR(found.st_mode) else None


def look(folder: Path, work: Callable[[Path], Values]) -> Values:
    """Return what `work` finds in the folder, with the rights of its owner where this process is root.

    `work` gets the path under which it sees the folder; its answer is JSON. Raises LeakearError.
    """
    user = owner(folder)
    if user is None:
        return work(folder)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(folder, user, work, writing)
    os.close(writing)
    try:
        text = _read(reading, time.monotonic() + LONGEST_S)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    try:
        answer = json.loads(text)
        if isinstance(answer, dict):
            return answer
    except (ValueError, RecursionError):
        pass
    raise LeakearError(f"{folder} could not be looked at with the rights of its user: look at journalctl -u leakear")


def _work(folder: Path, user: tuple[int, int], work: Callable[[Path], Values], writing: int) -> None:
    """Give up root's rights, work, answer and end; nothing of this process's own clean-up runs."""
    try:
        os.setsid()  # a terminal of its own: none, so that nothing can be typed into root's
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nothing, standard)
        os.closerange(3, writing)
        os.closerange(writing + 1, _FILES)
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if os.fstat(place).st_uid != user[0]:
            return
        os.fchdir(place)
        os.setgroups([])
        os.setresgid(user[1], user[1], user[1])
        os.setresuid(user[0], user[0], user[0])
        with os.fdopen(writing, "w") as out:
            json.dump(work(Path()), out)
    finally:
        os._exit(0)


def _read(descriptor: int, deadline: float) -> bytes:
    """Read until the child closes its end, has written too much, or takes too long."""
    text = b""
    while len(text) <= MOST_BYTES and (left := deadline - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left)[0]:
            break
        part = os.read(descriptor, MOST_BYTES)
        if not part:
            return text
        text += part
    return b""

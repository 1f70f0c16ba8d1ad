"""What root asks the daemon of this machine, without a broker: through two files in the node's state folder.

`onsite.ask` holds the name of a command and its request, `onsite.answer` the daemon's answer: the messages of `cmd/…`.
The daemon looks once a second, and at its start. Who may write into that folder may do anything to the node anyway, so
that neither rate nor `[commands]` apply.
"""

import json
import logging
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from leakear.edge import files
from leakear.edge.errors import LeakearError
from leakear.edge.messages.codec import Message, MessageError
from leakear.edge.messages.reports import CommandResult
from leakear.edge.messages.requests import REQUESTS

log = logging.getLogger(__name__)

ASK, ANSWER = "onsite.ask", "onsite.answer"
MAX_BYTES = 16384
"""Bytes of such a file that are read."""
LOOK_S = 1.0
Asked = Mapping[str, Callable[[Any], Message]]
"""Command → what carries it out."""


class OnSite:
    """Carries out what is asked in a folder."""

    def __init__(self, folder: Path, commands: Asked) -> None:
        self._folder, self._commands = folder, commands
        self._looked = float("-inf")

    def tick(self, monotonic: float) -> None:
        """Look for a request, at most once a second of this clock."""
        if monotonic - self._looked < LOOK_S:
            return
        self._looked = monotonic
        asked = _take(self._folder / ASK)
        if asked is None:
            return
        answer = self._answer(asked)
        if not answer.ok:
            log.warning("asked on site: %s", answer.error)
        with suppress(OSError):  # a full disk: it is done all the same
            files.write(self._folder / ANSWER, answer.to_json(), mode=0o644)

    def _answer(self, asked: Mapping[str, Any]) -> CommandResult:
        request_id = str(asked.get("id", ""))[:64]
        try:
            name = str(asked.get("command"))
            if name not in self._commands:
                raise MessageError(f"There is no command {name[:40]!a} on site.")
            given = asked.get("request")
            request = REQUESTS[name].from_json({**(given if isinstance(given, dict) else {}), "id": request_id})
            done = self._commands[name](request)
        except (LeakearError, OSError) as error:
            return CommandResult(id=request_id, ok=False, error=str(error)[:500], result={})
        return CommandResult(id=request_id, ok=True, result=done.to_dict())


def ask(folder: Path, request_id: str, command: str, request: Mapping[str, Any]) -> None:
    """Ask the daemon whose state is in this folder. Raises OSError.

    Root writes into a folder of an unprivileged user here: no symbolic link is followed.
    """
    (folder / ANSWER).unlink(missing_ok=True)
    temporary = folder / f".{ASK}.{secrets.token_hex(4)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(temporary, flags, 0o644), "w") as file:
        os.fchmod(file.fileno(), 0o644)  # whatever the umask: the daemon must read it
        json.dump({"id": request_id, "command": command, "request": dict(request)}, file)
    temporary.replace(folder / ASK)


def answer(folder: Path, request_id: str) -> CommandResult | None:
    """Return the daemon's answer to this request; None: there is none yet. Raises OSError.

    Root reads in a folder of an unprivileged user here: no symbolic link is followed, and no pipe is waited for.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(folder / ANSWER, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            found = CommandResult.from_json(file.read(MAX_BYTES))
    except (FileNotFoundError, MessageError):
        return None
    return found if found.id == request_id else None


def _take(path: Path) -> dict[str, Any] | None:
    """Return what was asked, once; None: nothing was."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES)
        path.unlink()
        asked = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return None
    return asked if isinstance(asked, dict) else None

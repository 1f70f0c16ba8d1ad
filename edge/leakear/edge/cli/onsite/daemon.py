"""Asks the daemon of this machine, and waits for its answer."""

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leakear.edge.errors import LeakearError
from leakear.edge.messages.reports import CommandResult
from leakear.edge.remote import onsite

ANSWER_S = 15.0
"""s to wait for an answer: longer than the time from window to window"""


def ask(folder: Path, command: str, request: Mapping[str, Any], wait_s: float = ANSWER_S) -> CommandResult | None:
    """Return the answer of the daemon whose state is in this folder; None: it gives none. Raises LeakearError."""
    request_id = secrets.token_hex(8)
    try:
        onsite.ask(folder, request_id, command, request)
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            if found := onsite.answer(folder, request_id):
                return found
            time.sleep(0.1)
    except OSError as error:
        raise LeakearError(f"{folder}: {error.strerror}; run it as root (sudo)") from None
    return None

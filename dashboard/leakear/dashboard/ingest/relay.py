"""Messages between the servers of one database, by NOTIFY: what one tells its pages, the others tell theirs.

A message that is longer than a notification is sent in parts, in one transaction: they arrive together and in order.
"""

import asyncio
import json
import logging
import secrets
from collections import deque
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)
CHANNEL = "leakear_pages"
PART = 7500
"""characters of a notification; PostgreSQL takes less than 8000 bytes"""
LARGEST = 2**20
"""characters of a message; a larger one lets the pages of the others begin anew"""
WAITING = 10_000
"""messages that wait while the database is away; beyond it they are dropped, and the pages of the others begin anew"""
AGAIN_S = 1.0
ANEW = {"t": "anew"}
"""tells other servers to let their pages begin anew"""


class Relay:
    """Made in the event loop in which it runs. `server`: a name of this process, unlike any other."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.server = secrets.token_hex(6)
        self._waiting: deque[str] = deque()
        self._bell = asyncio.Event()
        self._count = 0
        self._parts: dict[str, list[str]] = {}
        """of messages that have not come whole yet, by server"""

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to the other servers, soon."""
        text = json.dumps(message, separators=(",", ":"))
        if len(self._waiting) >= WAITING:
            self._waiting.clear()
            text = json.dumps(ANEW)
        self._waiting.append(text if len(text) <= LARGEST else json.dumps(ANEW))
        self._bell.set()

    async def run(self) -> None:
        """Send until cancelled; while the database is away, messages wait."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            while self._waiting:
                text = self._waiting.popleft()
                try:
                    await asyncio.to_thread(self._send, text)
                except SQLAlchemyError as error:
                    log.warning("other servers cannot be told: %s", getattr(error, "orig", error))
                    self._waiting.appendleft(text)
                    await asyncio.sleep(AGAIN_S)

    def _send(self, text: str) -> None:
        self._count += 1
        parts = [text[start : start + PART] for start in range(0, len(text), PART)]
        with self._engine.begin() as connection:
            for number, part in enumerate(parts, 1):
                head = f"{self.server} {self._count} {number} {len(parts)} "
                connection.execute(select(func.pg_notify(CHANNEL, head + part)))

    def heard(self, payload: str) -> dict[str, Any] | None:
        """Return the message of another server that is whole with this notification; None: none is."""
        server, _, number, count, part = payload.split(" ", 4)
        if server == self.server:
            return None
        parts = self._parts.setdefault(server, [])
        if number == "1":
            parts.clear()
        parts.append(part)
        if number != count:
            return None
        del self._parts[server]
        if len(parts) != int(count):  # this server began to listen in the middle
            return None
        found: dict[str, Any] = json.loads("".join(parts))
        return found

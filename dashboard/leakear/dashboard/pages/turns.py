"""Limits what one user reads at a time, so that nobody's searches keep the others waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from leakear.dashboard.pages.body import Refused

AT_A_TIME = 2
"""reads of one user that are carried out at a time; the threads for all of them are a few more than the processors"""
WAITING = 100
"""reads of one user under way and in line; a page asks for three or four, and a user may have 20"""


@dataclass
class _Line:
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_A_TIME))
    count: int = 0


class Turns:
    """A line for each user who reads."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def of(self, user: str) -> AsyncIterator[None]:
        """Wait for a turn; raises Refused when too many wait."""
        line = self._lines.setdefault(user, _Line())
        if line.count >= WAITING:
            raise Refused(429, "Too many requests: wait a moment.")
        line.count += 1
        try:
            async with line.room:
                yield
        finally:
            line.count -= 1
            if not line.count:
                self._lines.pop(user, None)

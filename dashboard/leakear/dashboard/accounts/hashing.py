"""Checks passwords in a thread of its own with a short queue.

An Argon2 hash takes 64 MiB and tens of milliseconds of every core: one at a time, behind all other work of the process.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

WAITING = 4
"""log-ins that wait for the one that is checked; a further one is refused"""
NICENESS = 10

T = TypeVar("T")


class Busy(Exception):  # noqa: N818 - it is an expected result, not a failure
    """Too many log-ins wait already."""


class HashingPool:
    """One thread and its queue."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "log-in", initializer=_behind_others)
        self._waiting = 0

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Run blocking work; raises Busy when too much waits."""
        if self._waiting > WAITING:
            raise Busy
        self._waiting += 1
        job = asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        job.add_done_callback(self._done)
        return await job

    def _done(self, _job: object) -> None:
        self._waiting -= 1


def _behind_others() -> None:
    """Lower the priority of this thread; the threads that Argon2 starts inherit it."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)

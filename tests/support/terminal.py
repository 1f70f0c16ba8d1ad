"""A program in a real terminal (a pty), as over ssh: what it shows is waited for, what a person types is sent."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

WAIT_S = 60.0
OWN_TERMINAL = """
import fcntl, signal, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests were started from
"""


class Terminal:
    """`python -c code` in a terminal. `shown`: everything printed so far."""

    def __init__(self, code: str) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL + code], stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )  # fmt: skip
        os.close(slave)
        self.shown, self._seen = "", 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)

    def expect(self, pattern: str) -> None:
        """Wait until something new matches."""
        deadline = time.monotonic() + WAIT_S
        while not (found := re.search(pattern, self.shown[self._seen :])):
            assert self._read(deadline - time.monotonic()), f"{pattern!r} did not come:\n{self.shown}"
        self._seen += found.end()

    def say(self, text: str, end: str = "\n") -> None:
        """Type a line."""
        os.write(self._master, (text + end).encode())

    def interrupt(self) -> int:
        """Press Ctrl-C until the program ends (one that comes before it waits for a key is noticed at the next key)."""
        deadline = time.monotonic() + WAIT_S
        while self._process.poll() is None and time.monotonic() < deadline:
            self.say("\x03", end="")
            until = time.monotonic() + 15
            while self._read(until - time.monotonic()):
                pass
        return self.ends()

    def ends(self) -> int:
        """Wait for the end; return the exit code."""
        deadline = time.monotonic() + WAIT_S
        while self._read(deadline - time.monotonic()):
            pass
        return self._process.wait(WAIT_S)

    def _read(self, wait_s: float) -> bool:
        if wait_s <= 0 or not select.select([self._master], [], [], wait_s)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the program has ended
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)

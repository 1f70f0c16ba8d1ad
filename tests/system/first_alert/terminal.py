"""A person's terminal on the machine: types a line, waits for the prompt, says yes to apt."""

import os
import pty
import re
import select
import time
from types import TracebackType
from typing import Self

from tests.support.machine import Machine
from tests.system.first_alert.supply import PERSON

LIMIT_S = 1800.0
PROMPT = re.compile(r"\x02([0-9]+)\x03")
READY = "stty -echo; PS1= PS2= PROMPT_COMMAND='printf \"\\002%d\\003\" $?'; set +o history\n"
QUESTION = re.compile(r"\[Y/n\] ?$")
COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()=>][A-Z0-9]?|\r")


class Terminal:
    """A login shell. `shown`: what it printed so far."""

    def __init__(self, machine: Machine) -> None:
        command = ["nsenter", "-t", str(machine.leader), "-a", "env", "-i", "TERM=dumb", "LANG=C.UTF-8"]
        process, self._terminal = pty.fork()
        if process == 0:
            os.execvp(command[0], [*command, "/usr/sbin/runuser", "--login", PERSON])
        self._process, self.shown = process, ""
        os.write(self._terminal, READY.encode())
        self._prompt(self._read_until_quiet(), 60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._terminal)  # hangs the shell up
        os.waitpid(self._process, 0)

    def type(self, line: str) -> tuple[str, int, float]:
        """Type a line; return what came, the exit code and how many seconds it took."""
        began = time.monotonic()
        os.write(self._terminal, (line + "\n").encode())
        came, code = self._prompt("", LIMIT_S)
        return came, code, time.monotonic() - began

    def wait_for(self, pattern: str, seconds: float) -> str:
        """Wait until something in the background prints a line; return what came. Raises TimeoutError."""
        came, end = "", time.monotonic() + seconds
        while not re.search(pattern, came):
            if time.monotonic() > end:
                raise TimeoutError(f"{pattern} did not come within {seconds:.0f} s: {self.shown[-1000:]}")
            came += self._read(1)
        return COLOUR.sub("", came)

    def _prompt(self, came: str, seconds: float) -> tuple[str, int]:
        end = time.monotonic() + seconds
        while not (found := PROMPT.search(came)):
            if time.monotonic() > end:
                raise TimeoutError(f"no prompt after {seconds:.0f} s: {came[-2000:]}")
            came += self._read(1)
            if QUESTION.search(came[-20:]):
                os.write(self._terminal, b"y\n")
                came += "y\n"
        return COLOUR.sub("", PROMPT.sub("", came)), int(found[1])

    def _read_until_quiet(self) -> str:
        came = ""
        while new := self._read(1):
            came += new
        return came

    def _read(self, seconds: float) -> str:
        if not select.select([self._terminal], [], [], seconds)[0]:
            return ""
        try:
            new = os.read(self._terminal, 65536).decode(errors="replace")
        except OSError as error:
            raise TimeoutError(f"the shell has ended: {self.shown[-500:]}") from error
        self.shown += new
        return new

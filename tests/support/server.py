"""What every real server under test has: a process, a log, and patience that ends with the log."""

import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any


class Server:
    """Base of `Broker`, `HomeAssistant`."""

    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it wrote so far."""
        raise NotImplementedError

    def end(self, number: signal.Signals, timeout: float = 20) -> None:
        """Send a signal and wait for the end; a frozen one is thawed for it."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait(timeout)
            self.process = None

    def wait_for(self, look: Callable[[], Any], what: str, timeout: float = 30) -> Any:
        """First true result of `look`, or a failed assertion with the server's own log."""
        deadline = time.monotonic() + timeout
        while not (found := look()):
            assert self.process is None or self.process.poll() is None, f"it ended:\n{self.log}"
            assert time.monotonic() < deadline, f"no {what} in {timeout} s:\n{self.log}"
            time.sleep(0.02)
        return found

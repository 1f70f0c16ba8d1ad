"""`leakear-dashboard ingest` as a process, started again under its name."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self


class Worker:
    """One worker; `start` after `stop` or `kill` takes what waits for it."""

    def __init__(self, name: str, port: int, database: str, folder: Path, *options: str) -> None:
        self._words = ["ingest", "--name", name, "--database", database, "--broker", f"mqtt://127.0.0.1:{port}"]
        self._words += options
        self._log = folder / f"worker-{name}.log"
        self.start()

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "leakear.dashboard.cli", *self._words]
        with self._log.open("a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)

    def ready(self) -> Self:
        """Wait until it is subscribed."""
        assert self.process.stdout is not None
        assert "ready" in self.process.stdout.readline(), self._log.read_text()
        return self

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(20)

    def stop(self) -> None:
        """End it in good order."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)

    def ended(self) -> str:
        """Wait until it ends by itself; return what it said."""
        said, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self._log.read_text()
        return said

    def keep(self) -> None:
        """Start it again if it has ended, as systemd does."""
        if self.process.poll() is not None:
            self.start()

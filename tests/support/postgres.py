"""A real PostgreSQL from Debian, started by an unprivileged user in a temporary folder, ended with the tests."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support.broker import free_port

NOBODY = 65534


def programs() -> Path:
    """Folder of initdb and postgres, or a skipped test."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if found:
        return found[0].parent
    path = shutil.which("initdb")
    if path is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return Path(path).parent


class Postgres:
    """A server on a free loopback port. `settings`: further ones, such as `track_commit_timestamp=on`."""

    def __init__(self, *settings: str) -> None:
        self._settings = settings

    def __enter__(self) -> Self:
        bin_folder = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="leakear-postgres-"))
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        data, self.port, self._count = self.folder / "data", free_port(), 0
        self._pg_ctl, self._data = bin_folder / "pg_ctl", data
        self._run(bin_folder / "initdb", "-D", data, "-U", "leakear", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._pg_ctl, "-D", self._data, "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start, also after `kill`: the same port, the same data."""
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder} -F" + "".join(f" -c {each}" for each in self._settings)
        self._run(self._pg_ctl, "-D", self._data, "-o", options, "-l", self.folder / "log", "-w", "start")

    def stop(self) -> None:
        """Stop in good order; `start` starts it again."""
        self._run(self._pg_ctl, "-D", self._data, "-m", "fast", "stop")

    def kill(self) -> None:
        """kill -9 of the server and of all its processes."""
        running = self.processes()
        for each in running:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{each}").exists() for each in running):
            assert time.monotonic() < deadline, "PostgreSQL survives kill -9"
            time.sleep(0.01)

    def processes(self) -> list[int]:
        """Process ids of the server and of those that it has started."""
        server = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return [server, *map(int, children)]

    def new_database(self) -> str:
        """URL of an empty database."""
        import psycopg

        self._count += 1
        name = f"leakear_{self._count}"
        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=leakear dbname=postgres", autocommit=True) as line:
            line.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://leakear@127.0.0.1:{self.port}/{name}"

    @staticmethod
    def _run(*words: object) -> None:
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        command = [*drop, *map(str, words)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", env=os.environ | {"HOME": "/"})

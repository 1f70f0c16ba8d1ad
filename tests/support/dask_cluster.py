"""A real Dask scheduler and workers as processes of their own, and tasks for them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("", "edge", "train", "convert")
_QUIET = ("--no-dashboard",)


@dataclass
class DaskCluster:
    """`processes`: those that were started, the scheduler first."""

    folder: Path
    port: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    """Of Dask, as environment variables."""
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> "subprocess.Popen[bytes]":
        words = ["scheduler", "--host", "127.0.0.1", "--port", str(self.port), *_QUIET]
        if not self.port:
            words += ["--scheduler-file", str(self.folder / "scheduler.json")]
        process = self._start(words, self._environment(ROOT))
        if not self.port:
            self.port = _port(self.folder / "scheduler.json")
        return process

    def start_worker(self, *, threads: int = 1, root: Path = ROOT) -> "subprocess.Popen[bytes]":
        words = ["worker", self.address, "--nthreads", str(threads), "--no-nanny", *_QUIET]
        return self._start(words, self._environment(root))

    def wait_for_workers(self, count: int) -> None:
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)

    def _start(self, words: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        # A session each: the kernel shares a busy machine by sessions, and two workers are to count as two.
        log = (self.folder / f"dask-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words],
            stdout=log,
            stderr=log,
            env=environment,
            cwd=self.folder,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def _environment(self, root: Path) -> dict[str, str]:
        path = os.pathsep.join([*(str(root / part) for part in SOURCES), str(ROOT)])
        return {**os.environ, "PYTHONPATH": path, "DASK_TEMPORARY_DIRECTORY": str(self.folder), **self.settings}

    def end(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


def _port(file: Path) -> int:
    import json

    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            return int(json.loads(file.read_text())["address"].rpartition(":")[2])
        except (OSError, ValueError):
            time.sleep(0.05)
    raise TimeoutError("no scheduler")


@contextmanager
def dask_cluster(folder: Path, workers: int = 2, **settings: str) -> Iterator[DaskCluster]:
    cluster = DaskCluster(folder, settings=settings)
    try:
        cluster.start_scheduler()
        for _ in range(workers):
            cluster.start_worker()
        if workers:
            cluster.wait_for_workers(workers)
        yield cluster
    finally:
        cluster.end()


@dataclass(frozen=True)
class Job:
    """A task that leaves a line in a file when it begins, so that its runs can be counted."""

    folder: Path
    number: int
    seconds: float = 0.0

    def runs(self) -> list[int]:
        """Process of each run."""
        file = self.folder / f"job-{self.number}"
        return [int(line) for line in file.read_text().split()] if file.exists() else []


def doubled(job: Job) -> int:
    with (job.folder / f"job-{job.number}").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(job.seconds)
    return 2 * job.number


def killed(job: Job) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return job.number

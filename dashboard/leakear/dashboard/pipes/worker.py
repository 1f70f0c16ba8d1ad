"""Runs `correlating`: one process at a time, ended when it takes too long."""

import asyncio
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from leakear.dashboard.pipes.correlating import job
from leakear.dashboard.pipes.description import Described
from leakear.dashboard.pipes.recordings import Taken
from leakear.edge.errors import InputDataError

log = logging.getLogger(__name__)

LONGEST_S = 600.0
"""s that one pair may take; two are usual, but its priority is the lowest"""
_NEEDED = ("PATH", "PYTHONPATH", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""of this process's environment; the rest may hold the passwords of broker and database"""
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
FAILED = "The recordings could not be correlated: the dashboard's log says why."


class Worker:
    """Must be made in the event loop in which it is used."""

    def __init__(self) -> None:
        self._one = asyncio.Semaphore(1)

    async def correlate(self, described: Described, a: Taken, b: Taken) -> dict[str, Any]:
        """Return fields, curves and page. Raises InputDataError with one sentence."""
        async with self._one:
            with tempfile.TemporaryDirectory(prefix="leakear-locate-") as name:
                folder = Path(name)
                await asyncio.to_thread(_prepare, folder, described, a, b)
                await self._run(folder)
                answer: dict[str, Any] = json.loads((folder / "answer.json").read_text())
        if "refused" in answer:
            raise InputDataError(answer["refused"])
        return answer

    async def _run(self, folder: Path) -> None:
        command = [sys.executable, "-m", "leakear.dashboard.pipes.correlating", str(folder)]
        process = await asyncio.create_subprocess_exec(
            *command, env=environment(), stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            _, complaint = await asyncio.wait_for(process.communicate(), LONGEST_S)
        except TimeoutError as error:
            raise InputDataError(f"The correlation took longer than {LONGEST_S:.0f} s and was ended.") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0 or not (folder / "answer.json").exists():
            log.error(
                "the correlation ended with %s: %s",
                process.returncode,
                ascii(complaint.decode(errors="replace"))[-600:],
            )
            raise InputDataError(FAILED)


def environment() -> dict[str, str]:
    """Return what the process of its own gets of this one's environment."""
    return {name: os.environ[name] for name in _NEEDED if name in os.environ} | _ONE_THREAD


def _prepare(folder: Path, described: Described, a: Taken, b: Taken) -> None:
    (folder / "A.flac").write_bytes(a.content)
    (folder / "B.flac").write_bytes(b.content)
    (folder / "job.json").write_text(json.dumps(job(described, a.about.to_dict(), b.about.to_dict())))

"""Jobs that locate: queued, a few at a time and never two at one node, told to the pages, each ended exactly once."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from leakear.dashboard.broker.commander import Commander
from leakear.dashboard.fleet import Key
from leakear.dashboard.history import History, Row
from leakear.dashboard.pipes.description import Described
from leakear.dashboard.pipes.locations import Locations
from leakear.dashboard.pipes.recordings import PASSED, NodeRecordings, NodeRefuses, Taken
from leakear.dashboard.pipes.store import Pipes, ends
from leakear.dashboard.pipes.worker import Worker
from leakear.edge.errors import InputDataError
from leakear.edge.messages.recordings import Recording
from leakear.edge.messages.reports import uuid7

log = logging.getLogger(__name__)

AT_ONCE = 4
"""jobs that run together"""
WAITING = 50
"""jobs that wait at the most"""
SECONDS = 30.0
"""length of a recording on command"""
LEADS_S = (6.0, 40.0)
"""s from the request to the start; the second one for a node that is reached late"""
AGAIN_S = 5.0
"""s between two tries to store something"""
LONGEST_S = 3600.0
"""s after which a job of another server is taken for abandoned"""
BROKEN = "The location failed unexpectedly: the dashboard's log says why."

Slot = tuple[Recording, Recording]
"""recordings of one slot of the night, at A and B"""
T = TypeVar("T")
U = TypeVar("U")


@dataclass(eq=False)
class Job:
    """One location that has not ended."""

    row: Row
    """of the table `locations`"""
    pipe: Row
    slot: Slot | None
    """recordings that the nodes have already; None: they are asked for new ones"""
    seconds: float
    task: "asyncio.Task[None] | None" = None
    recording: str = ""
    """id of the recording that was asked for"""
    progress: dict[str, float] = field(default_factory=dict)
    """share of the present state at A and B, 0 to 1"""
    cancelled_by: str = ""

    @property
    def keys(self) -> tuple[Key, Key]:
        """Nodes A and B."""
        return ends(self.pipe)


class Jobs:
    """Made in the event loop in which it runs. `tell(message)` sends something to all pages."""

    def __init__(
        self, engine: Engine, history: History, commander: Commander, tell: Callable[[dict[str, Any]], None]
    ) -> None:
        self.pipes = Pipes(engine, history)
        self.locations = Locations(engine)
        self._history, self._commander, self._tell = history, commander, tell
        self._worker = Worker()
        self.shared = False
        """whether other servers of the same database may be at work as well"""
        self._jobs: list[Job] = []
        self._bell = asyncio.Event()
        self._asking = asyncio.Lock()

    async def run(self) -> None:
        """Carry out jobs until cancelled; what an earlier run left behind is told as interrupted."""
        async with self._asking:
            self._jobs.clear()
            await _stored(self.interrupt)
        async with asyncio.TaskGroup() as group:
            while True:
                for job in self._startable():
                    job.task = group.create_task(self._work(job))
                await self._bell.wait()
                self._bell.clear()

    def interrupt(self) -> int:
        """Tell as interrupted what an earlier run left behind; return how many. Blocking."""
        return self.locations.interrupt(time.time() - LONGEST_S if self.shared else math.inf)

    async def ask(self, pipe_id: str, cause: str, who: str, slot: Slot | None = None, seconds: float = SECONDS) -> Row:
        """Queue a job, or return the one that a pipe has already. Raises InputDataError."""
        async with self._asking:
            running = self.of_pipe(pipe_id)
            if running is not None:
                return self.shown(running)
            pipe = await asyncio.to_thread(self.pipes.get, pipe_id)
            if pipe is None:
                raise InputDataError("This pipe is not known: it was removed.")
            if len(self._jobs) >= WAITING:
                raise InputDataError(f"{WAITING} locations wait already: try again later.")
            a, b = ends(pipe)
            suspicions = (
                await asyncio.to_thread(self.locations.suspicion, a),
                await asyncio.to_thread(self.locations.suspicion, b),
            )
            row = await asyncio.to_thread(self.locations.add, pipe_id, cause, who, suspicions)
            await asyncio.to_thread(self._history.record_action, who, "locate", pipe["pair"], row["id"])
            job = Job(row, pipe, slot, seconds)
            self._jobs.append(job)
            self._show(job)
            self._bell.set()
            return self.shown(job)

    async def cancel(self, location_id: str, who: str) -> bool:
        """End a job; False when there is none of this id that has not ended."""
        job = next((one for one in self._jobs if one.row["id"] == location_id), None)
        if job is None:
            return False
        await asyncio.to_thread(self._history.record_action, who, "locate.cancel", job.pipe["pair"], location_id)
        job.cancelled_by = who
        if job.task is not None:
            job.task.cancel()
        elif job in self._jobs:
            await self._end(job, f"{who} cancelled it.")
        return True

    def of_pipe(self, pipe_id: str) -> Job | None:
        """Return the job of a pipe that has not ended."""
        return next((one for one in self._jobs if one.pipe["id"] == pipe_id), None)

    def shown(self, job: Job) -> Row:
        """Return a job in the form for the page."""
        return job.row | {"progress": job.progress}

    def _startable(self) -> list[Job]:
        """Return the jobs that may start: each node does one thing at a time."""
        running = [job for job in self._jobs if job.task is not None]
        busy = {key for job in running for key in job.keys}
        started: list[Job] = []
        for job in self._jobs:
            if job.task is None and len(running) + len(started) < AT_ONCE and not busy & set(job.keys):
                started.append(job)
                busy |= set(job.keys)
        return started

    async def _work(self, job: Job) -> None:
        try:
            found, heard = await self._located(job)
            await _stored(self.locations.finish, job.row["id"], found, heard)
            await self._forget(job)
        except NodeRefuses as error:
            await self._end(job, str(error), "/".join(error.key))
        except InputDataError as error:
            await self._end(job, str(error))
        except asyncio.CancelledError:
            if not job.cancelled_by:
                raise
            await self._end(job, f"{job.cancelled_by} cancelled it.")
            await self._cancel_recordings(job)
        except Exception:
            log.exception("locating on %s failed", job.pipe["pair"])
            await self._end(job, BROKEN)
        finally:
            self._bell.set()

    async def _located(self, job: Job) -> tuple[dict[str, Any], float]:
        """Record, fetch, correlate; return the result and when the sound began. Raises InputDataError."""
        nodes = [NodeRecordings(self._commander, key) for key in job.keys]
        slot = job.slot or await self._recorded(job, nodes)
        self._move(job, "fetching")
        a, b = await self._fetched(job, nodes, slot)
        self._move(job, "correlating")
        found = await self._worker.correlate(Described.of_row(job.pipe), a, b)
        return found, a.about.start_s or 0.0

    async def _recorded(self, job: Job, nodes: list[NodeRecordings]) -> Slot:
        """Let both nodes record the same seconds; when one was reached too late, once more with more time."""
        for lead in LEADS_S:
            job.recording, start = uuid7(), time.time() + lead
            self._move(job, "recording")

            def heard(key: Key, seconds: float) -> None:
                self._at(job, key, seconds / job.seconds)

            try:
                begun = await _both(*(node.start(job.recording, start, job.seconds) for node in nodes))
                end = start + job.seconds
                waits = (node.kept(about, end, heard) for node, about in zip(nodes, begun, strict=True))
                return await _both(*waits)
            except NodeRefuses as error:
                await self._cancel_recordings(job)
                if lead == LEADS_S[-1] or not str(error).startswith(PASSED):
                    raise
        raise AssertionError

    async def _fetched(self, job: Job, nodes: list[NodeRecordings], slot: Slot) -> tuple[Taken, Taken]:
        def came(key: Key, share: float) -> None:
            self._at(job, key, share)

        return await _both(*(node.fetch(about, came) for node, about in zip(nodes, slot, strict=True)))

    async def _cancel_recordings(self, job: Job) -> None:
        """Let no node keep what nobody will fetch."""
        if job.recording:
            nodes = (NodeRecordings(self._commander, key) for key in job.keys)
            await asyncio.gather(*(node.cancel(job.recording) for node in nodes), return_exceptions=True)

    def _move(self, job: Job, state: str) -> None:
        job.row["state"], job.progress = state, {"a": 0.0, "b": 0.0}
        self._show(job)

    def _at(self, job: Job, key: Key, share: float) -> None:
        job.progress["a" if key == job.keys[0] else "b"] = round(min(max(share, 0.0), 1.0), 3)
        self._show(job)

    def _show(self, job: Job) -> None:
        self._tell({"t": "location", "row": self.shown(job)})

    async def _end(self, job: Job, reason: str, node: str = "") -> None:
        await _stored(self.locations.fail, job.row["id"], reason, node)
        await self._forget(job)

    async def _forget(self, job: Job) -> None:
        """Drop a job that has ended, and show what became of it."""
        if job in self._jobs:
            self._jobs.remove(job)
        row = await asyncio.to_thread(self.locations.get, job.row["id"])
        if row is not None:
            self._tell({"t": "location", "row": row})


async def _both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, T]) -> tuple[T, T]:
    """Await both; when one fails, end the other and raise."""
    tasks = [asyncio.create_task(one), asyncio.create_task(other)]
    try:
        first, second = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return first, second


async def _stored(work: Callable[..., U], *arguments: object) -> U:
    """Store something, as often as it takes: a database that fails for a moment loses no result."""
    while True:
        try:
            return await asyncio.to_thread(work, *arguments)
        except SQLAlchemyError:
            log.exception("the location cannot be stored; trying again")
            await asyncio.sleep(AGAIN_S)

"""Everything that locates, behind one name: pipes, jobs, what happens without being asked, what it means for alerts."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine

from leakear.dashboard.broker.commander import Commander
from leakear.dashboard.fleet import Fleet
from leakear.dashboard.history import History, Row
from leakear.dashboard.pipes.automatic import Automatic
from leakear.dashboard.pipes.certainty import Certainty, certainty, together
from leakear.dashboard.pipes.jobs import Jobs

log = logging.getLogger(__name__)

ALERTS_S = 30 * 86400.0
"""s for which the certainty of an alert is shown"""
RESULTS = 20
"""results of a pipe that are looked at"""
AGAIN_S = 10.0
"""s after which locating begins again when it has failed"""


class Locating:
    """Made in the event loop in which it runs. `tell(message)` sends something to all pages."""

    def __init__(
        self,
        engine: Engine,
        history: History,
        commander: Commander,
        fleet: Fleet,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self.jobs = Jobs(engine, history, commander, tell)
        self._automatic = Automatic(self.jobs, fleet, commander)
        self.heard: Callable[[Iterable[Row]], None] = self._automatic.heard
        """takes new events; returns at once"""

    async def run(self) -> None:
        """Work until cancelled. A mistake in here ends no alert: it is logged, and locating begins again."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.jobs.run())
                    group.create_task(self._automatic.run())
            except ExceptionGroup:
                log.exception("locating failed; it begins again")
            await asyncio.sleep(AGAIN_S)

    def certainties(self) -> dict[str, dict[str, str]]:
        """Return of each recent alert what correlating says of it, by its id. Blocking."""
        linked = self.jobs.locations.of_events(time.time() - ALERTS_S)
        judged = {pipe: self._of_pipe(pipe) for pipe in {row["pipe"] for row in linked}}
        of_events: dict[str, list[Certainty]] = {}
        for event, pipe in dict.fromkeys((row[end], row["pipe"]) for row in linked for end in ("event_a", "event_b")):
            found = judged[pipe]
            if event is not None and found is not None:
                of_events.setdefault(event, []).append(found)
        chosen = {event: together(found) for event, found in of_events.items()}
        return {event: asdict(found) for event, found in chosen.items() if found is not None}

    def _of_pipe(self, pipe_id: str) -> Certainty | None:
        pipe = self.jobs.pipes.get(pipe_id)
        if pipe is None:
            return None
        return certainty(pipe["node_a"], pipe["node_b"], self.jobs.locations.of_pipe(pipe_id, RESULTS))

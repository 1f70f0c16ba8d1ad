"""A server of a city: it serves pages like the other servers of its database, and one of them leads.

Who leads takes new events, raises alerts, asks nodes for missing events, and does all else that must be done once.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from leakear.dashboard.broker.subscriber import Subscriber
from leakear.dashboard.fleet import Fleet
from leakear.dashboard.history import History
from leakear.dashboard.history.rows import batched
from leakear.dashboard.ingest.peers import Held, Peers
from leakear.dashboard.ingest.relay import Relay
from leakear.dashboard.ingest.taking import Taking
from leakear.dashboard.pipes.locating import Locating
from leakear.dashboard.storing import Storing

log = logging.getLogger(__name__)
AGAIN_S = 1.0
"""until a failed database is tried again"""


class Server(Held, Protocol):
    """What this needs of the service."""

    fleet: Fleet
    history: History
    locating: Locating
    storing: Storing

    def flush(self, now: float) -> None:
        """Update the pages."""

    async def expect_silence(self) -> None:
        """Read anew which nodes are known to be silent."""


class City:
    """Must be made in the event loop in which it runs."""

    def __init__(self, engine: Engine, server: Server, relay: Relay) -> None:
        self._server, self._relay = server, relay
        server.hub.relay = relay.tell
        server.locating.jobs.shared = True
        self._peers = Peers(server)
        storing = server.storing
        self._taking = Taking(
            engine, server.history, server.raising, in_thread=storing.run, follow=server.follow, flush=server.flush,
            note_sequence=lambda rows: storing.note_sequence(rows, rows), heard=self._heard, joined=self._peers.anew,
        )  # fmt: skip
        self._subscriber: Subscriber | None = None
        self._knows = False
        """whether it has taken over what the server that led before it knew"""

    @property
    def leads(self) -> bool:
        """Whether this server leads: from when it knows what the last one has told."""
        return self._taking.leads and self._knows

    @property
    def trouble(self) -> str | None:
        """One sentence while events are not taken, or a worker is away."""
        return self._taking.trouble

    async def run(self, subscriber: Subscriber, notify: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run until cancelled; `notify` runs while this server leads."""
        self._subscriber = subscriber
        async with asyncio.TaskGroup() as group:
            group.create_task(self._relay.run())
            group.create_task(self._taking.run(notify, self._lead))

    async def _lead(self, leads: bool) -> None:
        self._knows = False
        while leads:
            try:
                await self.renew()
                await self._server.expect_silence()
                self._knows = True
                break
            except SQLAlchemyError as error:
                log.warning("this server cannot lead yet: %s", getattr(error, "orig", error))
                await asyncio.sleep(AGAIN_S)
        if self._subscriber is not None:
            await asyncio.to_thread(self._subscriber.lead, leads=leads)

    async def renew(self) -> None:
        """Take over which events the server that leads has stored."""
        rows = await asyncio.to_thread(self._server.history.sequences)
        for part in batched(rows):
            for row in part:
                node = self._server.fleet.get((row.site, row.node))
                if node is not None and row.last_seq >= node.sequence.last:
                    node.sequence.last, node.sequence.gaps = row.last_seq, [tuple(gap) for gap in json.loads(row.gaps)]
            await asyncio.sleep(0)

    def _heard(self, payload: str) -> None:
        message = self._relay.heard(payload)
        if message is not None:
            self._peers.take(message)

"""What a server of pages shows of what another one tells."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from leakear.dashboard.fleet import STALE, Fleet
from leakear.dashboard.history import event_row, presence_row
from leakear.dashboard.history.rows import BACK, LOST, fresh
from leakear.dashboard.history.tables import open_database
from leakear.dashboard.ingest.peers import Peers
from leakear.dashboard.quiet.calendar import by_hand
from leakear.dashboard.quiet.store import QuietTimes
from leakear.dashboard.server.hub import Hub, Page
from leakear.edge.messages.reports import Identity
from tests.dashboard.test_fleet import WHO, happening, report
from tests.support.harness import until
from tests.support.postgres import Postgres

KEY = (WHO.site, WHO.node)


@pytest.fixture
def engine(postgres: Postgres) -> Iterator[Any]:
    opened = open_database(postgres.new_database())
    yield opened
    opened.dispose()


class Server:
    """A server of pages without database and broker; one page is open."""

    def __init__(self) -> None:
        self.fleet = Fleet(stale_after=60)
        self.hub = Hub(self.fleet)
        self.page = Page()
        self.fleet.take(WHO, report(), time.time() - 600)
        self.hub.join(self.page, time.time())
        self.quiet: Any = None
        self.raising, self.town = (
            SimpleNamespace(show_quiet=lambda: None),
            SimpleNamespace(places=SimpleNamespace(moved=0, version=0)),
        )

    def follow(self, who: Identity, message: Any, now: float) -> bool:
        """Apply an event."""
        return self.fleet.take(who, message, now) is not None

    def shown(self) -> list[str]:
        """Kinds of the events that the page was sent."""
        sent = [json.loads(self.page.queue.get_nowait() or "{}") for _ in range(self.page.queue.qsize())]
        return [row["kind"] for message in sent if message.get("t") == "events" for row in message["rows"]]


def test_pages_are_told_of_a_silent_node_that_another_server_found() -> None:
    async def told() -> None:
        server = Server()
        node = server.fleet.get(KEY)
        assert node is not None
        now = time.time()
        rows = [presence_row(node, LOST, "The node is silent.", now), event_row(happening(5, "LEAK"), now)]
        message = {"t": "events", "rows": [fresh(row) for row in rows]}
        Peers(server).take(json.loads(json.dumps(message)))  # type: ignore[arg-type]
        assert server.shown() == [LOST, "state"]
        assert node.state == "LEAK"

    asyncio.run(told())


def test_what_a_server_finds_or_raises_is_no_sign_of_life_of_the_node() -> None:
    async def told() -> None:
        server = Server()
        node = server.fleet.get(KEY)
        assert node is not None
        rows = [fresh(presence_row(node, kind, "The node is silent.", time.time())) for kind in (LOST, BACK)]
        raised = fresh(event_row(happening(5, "LEAK"), time.time())) | {"held": "raised"}
        for row in (*rows, raised):
            Peers(server).take({"t": "events", "rows": [row]})  # type: ignore[arg-type]
        server.fleet.update_presence(node, time.time())
        assert (node.presence, server.shown()) == (STALE, [LOST, BACK, "state"])

    asyncio.run(told())


def test_what_was_changed_while_this_server_heard_nothing_is_read_anew(engine: Any) -> None:
    """What is told while there is no connection is lost: a quiet time that was removed held back leaks for weeks."""

    async def told(missed: Callable[[Peers], None]) -> None:
        here, there = Server(), QuietTimes(engine)
        here.quiet = QuietTimes(engine)
        peers = Peers(here)  # type: ignore[arg-type]
        now = time.time()
        (quiet,) = there.add(*KEY, "filling", [by_hand("", now - 60, now + 3600, "UTC", "")], who="ana")
        missed(peers)
        await asyncio.to_thread(until, lambda: here.quiet.now(KEY, now), "the quiet time", 5)
        there.remove(quiet, "ana")
        missed(peers)
        await asyncio.to_thread(until, lambda: not here.quiet.now(KEY, now), "its end", 5)

    for missed in (lambda peers: peers.anew(), lambda peers: peers.take({"t": "anew"})):
        asyncio.run(told(missed))

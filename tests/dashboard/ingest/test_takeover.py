"""A server that takes over: it leads when it knows what the last one has told, and not before."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from leakear.dashboard.fleet import Fleet
from leakear.dashboard.history import History
from leakear.dashboard.history.tables import open_database
from leakear.dashboard.ingest.city import City
from leakear.dashboard.ingest.relay import Relay
from leakear.dashboard.quiet.store import QuietTimes
from leakear.dashboard.server.hub import Hub
from leakear.dashboard.storing import Storing
from tests.support.harness import until
from tests.support.postgres import Postgres


@pytest.fixture
def engine(postgres: Postgres) -> Iterator[Any]:
    opened = open_database(postgres.new_database())
    yield opened
    opened.dispose()


def test_a_server_leads_when_it_knows_which_nodes_are_told_as_silent(engine: Any) -> None:
    """What it knew when it was started is old: it told a second time that nodes are back, which were back for days."""

    async def run() -> None:
        seen: list[bool] = []

        async def expect_silence() -> None:
            await asyncio.sleep(0.1)
            seen.append(city.leads)

        async def notify() -> None:
            await asyncio.sleep(60)

        fleet, history = Fleet(), History(engine)
        hub = Hub(fleet)
        storing = Storing(history, fleet, hub, lambda _: None)
        server: Any = SimpleNamespace(
            fleet=fleet, hub=hub, history=history, storing=storing, quiet=QuietTimes(engine), tries=None,
            raising=SimpleNamespace(show_quiet=lambda: None),
            town=SimpleNamespace(places=SimpleNamespace(moved=0, version=0)),
            locating=SimpleNamespace(jobs=SimpleNamespace()), follow=None, take_out=None, flush=None,
            expect_silence=expect_silence,
        )  # fmt: skip
        city = City(engine, server, Relay(engine))
        job = asyncio.create_task(city.run(SimpleNamespace(lead=lambda **_: None), notify))  # type: ignore[arg-type]
        await asyncio.to_thread(until, lambda: seen and city.leads, "the lead", 20)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        storing.close()
        assert seen == [False]

    asyncio.run(run())

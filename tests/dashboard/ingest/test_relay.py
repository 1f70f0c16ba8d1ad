"""What servers of one database tell each other: long messages whole, each event once, and changes of what they hold."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from leakear.dashboard.fleet import Fleet
from leakear.dashboard.history.tables import open_database
from leakear.dashboard.ingest.relay import ANEW, CHANNEL, Relay
from leakear.dashboard.server.hub import Hub, Page
from tests.support.broker import Broker
from tests.support.harness import Dashboard, FakeNode, until
from tests.support.ingest_worker import Worker
from tests.support.postgres import Postgres


def test_a_long_message_comes_whole_and_ones_own_is_left_out(postgres: Postgres) -> None:
    url = postgres.new_database()
    engine = open_database(url)
    message = {"t": "case", "case": {"note": "ä" * 30_000}}

    async def sent() -> tuple[Relay, Relay]:
        one, other = Relay(engine), Relay(engine)
        one.tell(message)
        one.tell({"t": "map"})
        work = asyncio.create_task(one.run())
        await asyncio.sleep(0)
        while one._waiting or one._bell.is_set():  # noqa: ASYNC110 - the relay tells nobody that it is done
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)  # the last one is on its way
        work.cancel()
        return one, other

    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as line:
        line.execute(f"LISTEN {CHANNEL}".encode())
        one, other = asyncio.run(sent())
        payloads = [notice.payload for notice in line.notifies(timeout=2)]
    assert len(payloads) > 5
    assert [found for each in payloads if (found := other.heard(each))] == [message, {"t": "map"}]
    assert [one.heard(each) for each in payloads] == [None] * len(payloads)
    late = Relay.__new__(Relay)
    late.server, late._parts = "another", {}
    assert [found for each in payloads[1:] if (found := late.heard(each))] == [{"t": "map"}], "it joined in the middle"
    engine.dispose()


def test_what_does_not_fit_any_more_lets_the_others_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away for so long that messages are dropped: the others hear that, not a part of them."""
    monkeypatch.setattr("leakear.dashboard.ingest.relay.WAITING", 3)
    monkeypatch.setattr("leakear.dashboard.ingest.relay.AGAIN_S", 0.01)
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    sent: list[str] = []

    async def tell_while_away() -> None:
        relay = Relay(engine)
        tried: list[str] = []

        def send(text: str) -> None:
            if not tried:
                for number in range(1, 5):
                    relay.tell({"t": "n", "number": number})
                tried.append(text)
                raise OperationalError("", {}, Exception("away"))
            sent.append(text)

        relay._send = send  # type: ignore[method-assign]
        relay.tell({"t": "n", "number": 0})
        work = asyncio.create_task(relay.run())
        await asyncio.sleep(0.5)
        work.cancel()

    asyncio.run(tell_while_away())
    assert [json.loads(text) for text in sent] == [{"t": "n", "number": 0}, ANEW]


def test_a_page_is_told_of_an_event_once_and_again_when_it_is_raised_later() -> None:
    async def told() -> list[Any]:
        hub, page = Hub(Fleet(60.0)), Page()
        hub.join(page, 0.0)
        for held in ("held", "held", "raised"):
            hub.broadcast({"t": "events", "rows": [{"id": "1", "held": held}]})
        found = [json.loads(page.queue.get_nowait() or "") for _ in range(page.queue.qsize())]
        return [row["held"] for each in found if each["t"] == "events" for row in each["rows"]]

    assert asyncio.run(told()) == ["held", "raised"]


@pytest.fixture
def pair(mqtt: Broker, postgres: Postgres, tmp_path: Path) -> Iterator[list[Dashboard]]:
    """Two servers and a worker."""
    url, made = postgres.new_database(), []
    with Worker("1", mqtt.port, url, tmp_path):
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            place = f"mqtt://127.0.0.1:{mqtt.port}"
            made.append(Dashboard(place, tmp_path / name, "--ingest", "elsewhere", database=url).start())
        yield made
        for each in made:
            each.stop()


def post(server: Dashboard, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        server.url + path, json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


@pytest.mark.timeout(300)
def test_what_one_server_changes_the_other_knows(mqtt: Broker, pair: list[Dashboard]) -> None:
    one, other = pair
    with FakeNode(mqtt.port, "known", "relay") as node:
        node.online()
        node.report()
        for server in pair:
            server.ready().until("/api/fleet?search=relay", lambda answer: answer["found"] == 1)
        node.turn("LEAK")
        for server in pair:
            server.until("/api/fleet?search=relay", lambda answer: answer["nodes"][0]["state"] == "LEAK")
        event = one.until("/api/alerts?filter=open", lambda answer: answer["rows"])[0]
        post(other, f"/api/alerts/{event['id']}/verdict", {"verdict": "false-alarm", "note": "", "material": ""})
        for server in pair:  # the tile of a node that was judged to leak not
            server.until("/api/fleet?search=relay", lambda answer: answer["nodes"][0]["shown"] != "LEAK")
    post(other, "/api/nodes/relay/known/forget", {})
    for server in pair:
        until(lambda server=server: server.get("/api/fleet?search=relay")["found"] == 0, "the node to be gone")
    assert sum(server.get("/api/me")["line"]["leads"] for server in pair) == 1

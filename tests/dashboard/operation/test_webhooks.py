"""Work orders: every change of a case is sent in order, once it is stored, until it is taken; also after a restart."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from leakear.dashboard.cases.store import Cases
from leakear.dashboard.regular import repeated
from leakear.dashboard.webhooks.sender import Webhooks
from leakear.dashboard.webhooks.tables import posts
from leakear.edge.errors import ConfigError
from leakear.edge.messages.reports import uuid7
from tests.support.harness import until

KEY = ("site-a", "pit-1")


class Taker(HTTPServer):
    """A system that takes work orders, or refuses them."""

    answer = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.taken: list[tuple[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Taker)
        self.server.goes_on.wait(30)
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.answer < 300:
            self.server.taken.append((self.headers["idempotency-key"], json.loads(body)))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Odd(threading.Thread):
    """A server of mail: it answers, and speaks no HTTP."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.asked = 0

    def run(self) -> None:
        with suppress(OSError):
            while True:
                found, _ = self.socket.accept()
                with found:
                    self.asked += 1
                    found.sendall(b"220 mail.example ready\r\n")
                    found.recv(65536)


def serving() -> Iterator[Taker]:
    with Taker() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


taker, other = pytest.fixture(serving, name="taker"), pytest.fixture(serving, name="other")


def make(engine: Any, taker: Taker, folder: Path, *others: int) -> tuple[Webhooks, Cases]:
    """Send to a system, and to others on these ports."""
    file = folder / "webhooks"
    addresses = [f"http://127.0.0.1:{taker.server_port}/orders?key=SECRET", *(f"http://127.0.0.1:{n}/" for n in others)]
    file.write_text("# the work order system\n" + "\n".join(addresses) + "\n")
    file.chmod(0o600)
    webhooks, cases = Webhooks(engine, file, "https://leaks.example"), Cases(engine)
    cases.on_change = webhooks.on_change
    return webhooks, cases


async def send(webhooks: Webhooks) -> None:
    """Send once to each address."""
    for work in webhooks.sending():
        await work()


def due_now(engine: Any) -> None:
    with engine.begin() as connection:
        connection.execute(update(posts).values(again=0.0))


def test_changes_are_sent_in_order_and_again_until_they_are_taken(engine: Any, taker: Taker, tmp_path: Path) -> None:
    webhooks, cases = make(engine, taker, tmp_path)
    taker.answer = 500
    case = cases.open(KEY, "ana", "r1", note="wet")
    case = cases.change(case["id"], "ana", uuid7(), version=1, what="assign", given={"assigned_to": "rui"}) or {}
    asyncio.run(send(webhooks))
    assert taker.taken == []
    assert webhooks.trouble == "Work orders by address 1 of --webhooks fail and are sent again: the answer is 500."
    assert "SECRET" not in str(webhooks.states())
    taker.answer = 204
    again, _ = make(engine, taker, tmp_path)  # the dashboard was killed and started again
    asyncio.run(send(again))
    assert taker.taken == [], "not before its pause is over"
    due_now(engine)
    asyncio.run(send(again))
    assert [key for key, _ in taker.taken] == [f"{case['id']}-1", f"{case['id']}-2"]
    assert [body["change"]["what"] for _, body in taker.taken] == ["open", "assign"]
    assert taker.taken[1][1]["case"]["assigned_to"] == "rui"
    assert taker.taken[1][1]["case"]["url"] == f"https://leaks.example/cases/{case['id']}"
    asyncio.run(send(again))
    assert len(taker.taken) == 2, "nothing twice"
    with engine.connect() as connection:
        assert connection.execute(select(posts)).all() == []


def test_a_redirect_is_no_delivery(engine: Any, taker: Taker, tmp_path: Path) -> None:
    webhooks, cases = make(engine, taker, tmp_path)
    taker.answer = 302
    cases.open(KEY, "ana", "r1")
    asyncio.run(send(webhooks))
    assert webhooks.states()[0]["waiting"] == 1


def test_only_http_addresses_are_taken(engine: Any, tmp_path: Path) -> None:
    file = tmp_path / "webhooks"
    file.write_text("file:///etc/passwd\n")
    with pytest.raises(ConfigError, match=r"address 1: write http"):
        Webhooks(engine, file, None)


def test_an_address_that_speaks_no_http_is_trouble_and_is_not_asked_all_the_time(
    engine: Any, taker: Taker, tmp_path: Path
) -> None:
    odd = Odd()
    odd.start()
    webhooks, cases = make(engine, taker, tmp_path, odd.socket.getsockname()[1])
    cases.open(KEY, "ana", "r1")
    for _ in range(3):
        asyncio.run(send(webhooks))
    odd.socket.close()
    assert (odd.asked, len(taker.taken)) == (1, 1)
    assert webhooks.trouble == "Work orders by address 2 of --webhooks fail and are sent again: BadStatusLine."


def test_an_address_that_is_slow_holds_up_no_other(engine: Any, taker: Taker, other: Taker, tmp_path: Path) -> None:
    other.goes_on.clear()
    webhooks, cases = make(engine, taker, tmp_path, other.server_port)

    async def run() -> None:
        jobs = [asyncio.create_task(job) for job in repeated([(0.05, work) for work in webhooks.sending()])]
        for number in (1, 2):
            cases.open(("site-a", f"pit-{number}"), "ana", f"r{number}")
            await asyncio.to_thread(until, lambda number=number: len(taker.taken) == number, "the change", 10)
        other.goes_on.set()
        await asyncio.to_thread(until, lambda: len(other.taken) == 2, "both, late", 10)
        for job in jobs:
            job.cancel()

    asyncio.run(run())
    assert taker.taken == other.taken

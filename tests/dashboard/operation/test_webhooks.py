"""Work orders: every change of a case is sent in order, once it is stored, until it is taken; also after a restart."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from leakear.dashboard.cases.store import Cases
from leakear.dashboard.webhooks.sender import Webhooks
from leakear.dashboard.webhooks.tables import posts
from leakear.edge.errors import ConfigError
from leakear.edge.messages.reports import uuid7

KEY = ("site-a", "pit-1")


class Taker(HTTPServer):
    """A system that takes work orders, or refuses them."""

    answer = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: list[tuple[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Taker)
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.answer < 300:
            self.server.taken.append((self.headers["idempotency-key"], json.loads(body)))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def taker() -> Iterator[Taker]:
    with Taker() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def make(engine: Any, taker: Taker, folder: Path) -> tuple[Webhooks, Cases]:
    file = folder / "webhooks"
    file.write_text(f"# the work order system\nhttp://127.0.0.1:{taker.server_port}/orders?key=SECRET\n")
    file.chmod(0o600)
    webhooks, cases = Webhooks(engine, file, "https://leaks.example"), Cases(engine)
    cases.on_change = webhooks.on_change
    return webhooks, cases


def due_now(engine: Any) -> None:
    with engine.begin() as connection:
        connection.execute(update(posts).values(again=0.0))


def test_changes_are_sent_in_order_and_again_until_they_are_taken(engine: Any, taker: Taker, tmp_path: Path) -> None:
    webhooks, cases = make(engine, taker, tmp_path)
    taker.answer = 500
    case = cases.open(KEY, "ana", "r1", note="wet")
    case = cases.change(case["id"], "ana", uuid7(), version=1, what="assign", given={"assigned_to": "rui"}) or {}
    asyncio.run(webhooks.send())
    assert taker.taken == []
    assert webhooks.trouble == "Work orders by address 1 of --webhooks fail and are sent again: the answer is 500."
    assert "SECRET" not in str(webhooks.states())
    taker.answer = 204
    again, _ = make(engine, taker, tmp_path)  # the dashboard was killed and started again
    asyncio.run(again.send())
    assert taker.taken == [], "not before its pause is over"
    due_now(engine)
    asyncio.run(again.send())
    assert [key for key, _ in taker.taken] == [f"{case['id']}-1", f"{case['id']}-2"]
    assert [body["change"]["what"] for _, body in taker.taken] == ["open", "assign"]
    assert taker.taken[1][1]["case"]["assigned_to"] == "rui"
    assert taker.taken[1][1]["case"]["url"] == f"https://leaks.example/cases/{case['id']}"
    asyncio.run(again.send())
    assert len(taker.taken) == 2, "nothing twice"
    with engine.connect() as connection:
        assert connection.execute(select(posts)).all() == []


def test_a_redirect_is_no_delivery(engine: Any, taker: Taker, tmp_path: Path) -> None:
    webhooks, cases = make(engine, taker, tmp_path)
    taker.answer = 302
    cases.open(KEY, "ana", "r1")
    asyncio.run(webhooks.send())
    assert webhooks.states()[0]["waiting"] == 1


def test_only_http_addresses_are_taken(engine: Any, tmp_path: Path) -> None:
    file = tmp_path / "webhooks"
    file.write_text("file:///etc/passwd\n")
    with pytest.raises(ConfigError, match=r"address 1: write http"):
        Webhooks(engine, file, None)

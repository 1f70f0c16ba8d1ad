"""An answer of the server that was on its way while something happened takes nothing of that off the page."""

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from leakear.dashboard.broker.connection import BrokerOptions
from leakear.dashboard.history import event_row
from leakear.dashboard.history.tables import open_database
from leakear.dashboard.options import ServeOptions
from leakear.dashboard.server.hub import Page
from leakear.dashboard.service import Service
from leakear.edge.messages.reports import Event, ModelRef, utc_now, uuid7
from tests.support.harness import Browser, Dashboard, FakeNode, path_of, until

HOLD = """window.real ??= window.fetch; window.held = null;
    window.fetch = async (path, ...more) => {
        const answer = await real(path, ...more);
        if (!path.includes(arguments[0])) return answer;
        window.fetch = window.real;
        const data = await answer.json();
        await new Promise((go) => { window.held = go; });
        return { ok: answer.ok, status: answer.status, json: async () => data };
    };"""
KEEP_LINES = """const Line = window.WebSocket; window.lines = [];
    window.WebSocket = class extends Line { constructor(...a) { super(...a); window.lines.push(this); } };"""


def hold(page: Browser, path: str) -> None:
    """Keep back the next answer to a request with this in its address."""
    page.js(HOLD, path)


def let_go(page: Browser) -> None:
    """Hand over the answer; when this returns, the page has made of it what it makes of it."""
    page.js("window.held(); window.held = null")
    settle(page)


def settle(page: Browser) -> None:
    """Let the page do what it has begun."""
    page.js("return new Promise((done) => setTimeout(() => requestAnimationFrame(done), 50))")


def is_held(page: Browser) -> None:
    until(lambda: page.js("return window.held !== null"), "an answer to keep back")


def test_an_alert_that_arrives_while_the_log_is_fetched_stays(page: Browser, mqtt: Any) -> None:
    hold(page, "/api/alerts?")
    page.click('nav a[href="/alerts"]')
    is_held(page)
    with FakeNode(mqtt.port, "late-1") as node:
        entry = f'.entry[data-id="{node.turn("LEAK").id}"]'
        page.one(entry)
        let_go(page)
        page.click(f"{entry} .acknowledge")
        page.text(f"{entry} .seen", "local")


def test_an_alert_acknowledged_while_the_log_is_fetched_stays_acknowledged(page: Browser, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "late-2") as node:
        page.click('nav a[href="/alerts"]')
        entry = f'.entry[data-id="{node.turn("LEAK").id}"]'
        page.one(entry)
        hold(page, "/api/alerts?")
        page.click('[data-filter="alerts"]')
        is_held(page)
        page.click(f"{entry} .acknowledge")
        page.text(f"{entry} .seen", "local")
        let_go(page)
        page.text(f"{entry} .seen", "local", 0)


def test_an_alert_stays_in_the_list_until_its_acknowledgement_is_answered(page: Browser, mqtt: Any) -> None:
    """Among the open alerts the server no longer has it."""
    with FakeNode(mqtt.port, "late-3") as node:
        page.click('nav a[href="/alerts"]')
        entry = f'.entry[data-id="{node.turn("LEAK").id}"]'
        page.one(entry)
        hold(page, "/acknowledge")
        page.click(f"{entry} .acknowledge")
        is_held(page)
        fetched = (
            "return performance.getEntriesByType('resource').filter((e) => e.name.includes('/api/alerts?')).length"
        )
        before = page.js(fetched)
        page.click('[data-filter="open"]')
        until(lambda: page.js(fetched) > before, "the open alerts")
        settle(page)
        let_go(page)
        page.text(f"{entry} .seen", "local", 0)


def test_a_message_about_an_event_may_arrive_after_its_acknowledgement(
    page: Browser, dashboard: Dashboard, mqtt: Any
) -> None:
    script = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": KEEP_LINES})
    with FakeNode(mqtt.port, "late-4") as node:
        page.open(dashboard.url + "/alerts")
        event = node.turn("LEAK")
        entry = f'.entry[data-id="{event.id}"]'
        page.one(entry)
        row = next(row for row in dashboard.get("/api/alerts")["rows"] if row["id"] == event.id)
        page.click(f"{entry} .acknowledge")
        page.text(f"{entry} .seen", "local")
        news = json.dumps({"t": "events", "rows": [row]})
        page.js("window.lines.at(-1).onmessage({ data: arguments[0] })", news)
        page.text(f"{entry} .seen", "local", 0)
    page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_an_event_that_arrives_while_history_is_fetched_stays(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "late-5") as node:
        entry = f'.entry[data-id="{node.turn("LEAK").id}"]'
        page.open(dashboard.url + path_of(node))
        page.one(entry)
        hold(page, "/history?")
        page.click(".ranges button:nth-child(2)")
        is_held(page)
        newer = f'.entry[data-id="{node.turn("LEAK", from_state="OK").id}"]'
        page.one(newer)
        page.click(f"{entry} .acknowledge")
        page.text(f"{entry} .seen", "local")
        let_go(page)
        page.text(f"{entry} .seen", "local", 0)
        assert len(page.all(newer)) == 1


def test_an_event_is_sent_to_pages_as_soon_as_it_is_stored(tmp_path: Path) -> None:
    """Told any later, it could come after the news that somebody has acknowledged it."""
    event = Event(
        id=uuid7(), seq=1, site="site-a", node="late-6", kind="state", from_state="OK", to_state="LEAK", reason="r",
        window_start=utc_now(), window_end=utc_now(), model=ModelRef(id="m", sha256="0" * 64),
    )  # fmt: skip

    async def store() -> list[bool]:
        options = replace(ServeOptions(), clips_folder=tmp_path / "clips")
        engine = open_database(f"sqlite:///{tmp_path}/history.sqlite")
        service = Service(options, BrokerOptions("mqtt://localhost", "nobody"), engine)
        page, told = Page(), list[bool]()
        service.hub.join(page, time.time())
        page.queue.get_nowait()
        service.history.save_nodes = lambda *_: told.append(not page.queue.empty())  # type: ignore[method-assign]
        service.storing.add(event_row(event, 0.0), None)
        await service.storing.store(service.raising, 0.0)
        return told

    assert asyncio.run(store()) == [True]

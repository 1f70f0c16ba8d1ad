"""Several servers of one city behind nginx: a browser goes on at another when one is killed."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Broker
from tests.support.harness import Browser, Dashboard, FakeNode, done, until
from tests.support.ingest_worker import Worker
from tests.support.nginx import Nginx
from tests.support.places import ROOT
from tests.support.postgres import Postgres

PASSWORD = "a long enough word"


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.new_database()


@pytest.fixture
def servers(mqtt: Broker, url: str, tmp_path: Path) -> Iterator[list[Dashboard]]:
    """Two servers and a worker; `ana` may operate. The first server leads."""
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        options = ("--ingest", "elsewhere", "--lost-after", "600", "--proxy-address", "127.0.0.1")
        made.append(Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path / name, *options, database=url))
    made[0].add_user("ana", PASSWORD, "operate")
    with Worker("1", mqtt.port, url, tmp_path):
        for each in made:
            each.start()
        yield made
        for each in made:
            each.stop()


def place(server: Dashboard) -> str:
    return server.url.partition("//")[2]


@pytest.fixture
def proxy(servers: list[Dashboard]) -> Iterator[Nginx]:
    """As docs/CITY.md has it, without TLS."""
    site = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "CITY.md").read_text(), re.DOTALL)[0]
    for written, here in zip(("10.0.0.1:8080", "10.0.0.2:8080"), map(place, servers), strict=True):
        assert written in site
        site = site.replace(written, here)
    site = re.sub(r"ssl_certificate.*\n", "", site).replace("listen 443 ssl", "listen 127.0.0.1:{port}")
    with Nginx({}, site=site) as running:
        yield running


def log_in(browser: Browser, url: str) -> None:
    browser.open(f"{url}/login")
    browser.one("input[name=name]").send_keys("ana")
    browser.one("input[name=password]").send_keys(PASSWORD)
    browser.click("form button")
    browser.one(".fleet, .summary, main h1")


def asked(browser: Browser, path: str, body: str = "") -> Any:
    """Answer of an address as the page asks for it: status and JSON."""
    script = """const [path, body, done] = arguments;
    const how = body ? { method: 'POST', body, headers: { 'content-type': 'application/json' } } : {};
    fetch(path, how).then(async (a) => done([a.status, await a.json()])).catch((e) => done([0, String(e)]));"""
    browser.driver.set_script_timeout(30)
    return browser.driver.execute_async_script(script, path, body)


@pytest.mark.timeout(400)
def test_a_browser_goes_on_at_the_other_server_when_one_is_killed(
    mqtt: Broker, servers: list[Dashboard], proxy: Nginx, browser: Browser
) -> None:
    log_in(browser, proxy.url)
    browser.text('.line:not([data-line="down"])', "")
    with FakeNode(mqtt.port, "both") as node:
        node.answers = lambda _, request: done(request)
        node.online()
        node.report()
        for n in range(4):  # round robin: the page is told whichever server it is at, and whichever leads
            node.turn("LEAK", reason=f"Sound {n}.")
            browser.text(".toast", f"Sound {n}.")
            status, answer = asked(browser, "/api/nodes/site-a/both/commands/identify", "{}")
            assert (status, answer.get("ok")) == (200, True), answer
            node.turn("OK")
        assert len(node.commands) == 4
        rows = asked(browser, "/api/alerts?filter=open")[1]["rows"]
        assert len(rows) == 4
        assert asked(browser, f"/api/alerts/{rows[0]['id']}/acknowledge", "{}")[0] == 200
        for _ in servers:  # by turns: each knows the session, and what was written at the other
            assert len(asked(browser, "/api/alerts?filter=open")[1]["rows"]) == 3
        browser.one('.line:not([data-line="down"])')
        assert {asked(browser, "/api/me")[1]["line"]["leads"] for _ in range(4)} == {True, False}
        servers[0].kill()
        node.turn("LEAK", reason="After the kill.")
        until(lambda: _toast(browser, "After the kill.") or _open(browser) == 4, "the alert at the other server")
        node.turn("OK")
        browser.one('.line:not([data-line="down"])')
        until(lambda: asked(browser, "/api/me")[1]["line"]["leads"], "the other server leads")
        node.turn("LEAK", reason="By the one that is left.")
        browser.text(".toast", "By the one that is left.")
        status, answer = asked(browser, "/api/nodes/site-a/both/commands/identify", "{}")
        assert (status, answer.get("ok")) == (200, True), answer
    browser.complaints()  # the connection that was cut is one
    browser.open("about:blank")


def _toast(browser: Browser, text: str) -> bool:
    look = "return [...document.querySelectorAll('.toast')].some(e => e.textContent.includes(arguments[0]))"
    return bool(browser.js(look, text))


def _open(browser: Browser) -> int:
    status, answer = asked(browser, "/api/alerts?filter=open")
    return len(answer["rows"]) if status == 200 else 0


def tried(server: Dashboard, name: str) -> int:
    """Status of a log-in with a wrong password."""
    body = json.dumps({"name": name, "password": "wrong wrong"}).encode()
    request = urllib.request.Request(f"{server.url}/api/login", body, {"content-type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    return 200


@pytest.mark.timeout(200)
def test_wrong_log_ins_at_one_server_count_at_the_other(servers: list[Dashboard]) -> None:
    wrong = 0
    while wrong < 10:  # then the next try has to wait for half a minute
        status = tried(servers[0], "ana")
        assert status in (401, 429)
        wrong += status == 401
        time.sleep(0.5)
    assert tried(servers[1], "ana") == 429
    assert tried(servers[1], "somebody else") == 401

"""The page at 3 a.m. in a real Chromium: what is the matter, since when, what to do now; nothing false."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from leakear.dashboard.i18n import texts
from leakear.edge.messages.reports import utc_text
from tests.dashboard.test_browser import TOO_WIDE
from tests.support.broker import Broker
from tests.support.harness import Browser, Dashboard, FakeNode, done, path_of, until

EN = texts("en")
ROW = '.fleet .node[data-node="{}"]'
ABOVE = """const [one, other] = [...arguments].map((found) => document.querySelector(found).getBoundingClientRect());
return one.bottom <= other.top"""


def test_the_alert_and_what_to_do_stand_above_the_charts_and_commands_below_the_facts(
    page: Browser, dashboard: Dashboard, mqtt: Any
) -> None:
    with FakeNode(mqtt.port, "now-1") as node:
        event = node.turn("LEAK", reason="Water runs.")
        node.report(0.9, faults=("floor_drift", "outbox_disk"), queue_depth=1, threshold_from="remote")
        page.open(dashboard.url + path_of(node))
        page.text(".now .next", "What to do")
        page.text(f'.now .entry[data-id="{event.id}"]', "Water runs.")
        assert page.js(ABOVE, ".now .acknowledge", ".chart")
        assert page.js(ABOVE, ".facts", ".commands")
        page.text('.now [data-fault="outbox_disk"]', EN["remedy.outbox_disk"])
        page.text(".now", EN["remote.set"])
        page.text(".facts", EN["threshold.remote"])
        assert page.js("return document.querySelectorAll('.facts .bad').length") == 0, "a queue of 1 is no trouble"
        page.click(".now .acknowledge")
        page.text(f'.entry[data-id="{event.id}"] .seen', "local")
        node.answers = lambda _name, request: done(request)
        page.text('.now [data-command="accept-floor"]', EN["accept-floor"])
        for _ in range(2):
            page.click('.now [data-command="accept-floor"]')
        for _ in range(2):
            page.click('.commands [data-command="as-configured"]')
        until(lambda: len(node.commands) == 2, "both commands")
        assert {request.get("action") or request.get("as_configured") for _, request in node.commands} == {
            "accept_floor",
            True,
        }
        page.click('.now a[href="/help#fault-floor_drift"]')
        page.text("#fault-floor_drift", EN["remedy.floor_drift"])
        assert page.js("return document.activeElement.id") == "fault-floor_drift"


def test_a_failed_self_test_is_red_and_in_words(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    checks = [
        {"name": "model", "ok": True, "detail": "as it was"},
        {"name": "disk", "ok": False, "detail": "only 3 MiB"},
    ]
    with FakeNode(mqtt.port, "self-1") as node:
        node.answers = lambda _name, request: done(request, passed=False, checks=checks)
        node.report()
        page.open(dashboard.url + path_of(node))
        page.click('[data-command="selftest"]')
        page.text('.answer.bad[data-answer="selftest"]', EN["selftest.failed"])
        page.text('[data-check="disk"].bad', f"{EN['check.disk']}: {EN['check.bad']} only 3 MiB")


def test_a_leak_judged_false_is_red_no_longer(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "false-1") as node:
        event = node.turn("LEAK")
        node.report(0.9)
        with node.alive(0.9):
            page.one(f'{ROW.format("false-1")}[data-look="leak"]')
            page.click('nav a[href="/alerts"]')
            entry = f'.entry[data-id="{event.id}"]'
            page.text(f"{entry} .todo", EN["alert.do.LEAK"])
            page.click(f"{entry} .judge")
            page.one(f'{entry} input[value="false-alarm"]').click()
            page.click(f"{entry} form button")
            page.one(f'{entry}[data-look="gone"]')
            page.click('nav a[href="/"]')
            page.one(f'{ROW.format("false-1")}[data-look="gone"]')
            page.text(f"{ROW.format('false-1')} .badge", EN["state.judged"])


def test_enter_opens_a_node_and_back_returns_to_its_row(page: Browser, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "key-1") as one, FakeNode(mqtt.port, "key-2") as two:
        for node in (one, two):
            node.report()
        page.one(ROW.format("key-2")).send_keys(Keys.ENTER)
        page.text("h1", "key-2")
        assert page.js("return document.activeElement.id") == "main"
        page.driver.back()
        until(lambda: page.js("return document.activeElement.dataset.node") == "key-2", "the focus on its row")


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[Broker, Dashboard]]:
    """A broker and a dashboard that a test may stop."""
    with Broker(persistence=True) as broker, Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as dashboard:
        yield broker, dashboard.ready()


def test_nobody_says_all_is_quiet_who_cannot_know(browser: Browser, alone: tuple[Broker, Dashboard]) -> None:
    broker, dashboard = alone
    browser.open(dashboard.url + "/alerts")
    browser.text(".empty", EN["unknown.nothing"])
    with FakeNode(broker.port, "quiet-1") as node:
        node.online()
        node.report()
        browser.text(".empty", EN["alerts.none"])
    broker.stop()
    browser.text(".empty", EN["unknown.broker"])
    browser.text(".line", EN["line.broker"])
    dashboard.stop()
    browser.text(".empty", EN["unknown.page"])
    browser.open("about:blank")
    browser.complaints()  # of the dashboard that went


def test_an_access_list_that_lets_nothing_be_read_is_told(browser: Browser, tmp_path: Path) -> None:
    with Broker(acl="topic write leakear/#\n") as broker, FakeNode(broker.port, "unseen") as node:
        node.report()
        with Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as dashboard:
            dashboard.until("/api/me", lambda me: "access list" in (me["line"]["trouble"] or ""), 90)
            assert dashboard.get("/api/me")["line"]["heard"] is False
            browser.open(dashboard.url)
            browser.text(".line", EN["line.nothing"])
            browser.text(".trouble", "read leakear/#")
            browser.open("about:blank")


def test_a_leak_of_a_quiet_time_is_shown_held_back_and_then_raised(
    page: Browser, dashboard: Dashboard, mqtt: Any
) -> None:
    with FakeNode(mqtt.port, "quiet-2", "park") as node:
        node.report()
        page.click('nav a[href="/quiet"]')
        page.text("select[name=where]", "quiet-2")
        page.one("select[name=where]").send_keys("quiet-2")
        page.one("input[name=title]").send_keys("sprinklers")
        for name, at in (("start", time.time() - 600), ("end", time.time() + 3600)):
            text = time.strftime("%Y-%m-%dT%H:%M", time.localtime(at))
            page.js(f"document.querySelector('.case-step [name={name}]').value = arguments[0]", text)
        page.click(".case-step button.primary")
        page.text("[data-quiet]", "sprinklers")
        event = node.turn("LEAK")
        node.report(0.9)
        page.open(dashboard.url + path_of(node))
        page.text(".now .quiet", "sprinklers")
        page.text(f'.entry[data-id="{event.id}"]', "held back: sprinklers")
        assert all(case["node"] != "quiet-2" for case in dashboard.get("/api/cases")["cases"])
        page.click('nav a[href="/quiet"]')
        for _ in range(2):
            page.click("[data-quiet] button")
        page.text("main", EN["quiet.none"])
        dashboard.until("/api/cases", lambda found: any(case["node"] == "quiet-2" for case in found["cases"]))
        page.text(f'.toast[data-id="{event.id}"]', EN["alert.do.LEAK"])
        page.click('nav a[href="/settings"]')
        page.text("table", EN["did.quiet-add"])


@pytest.mark.parametrize("path", ["/", "/alerts", "/cases", "/quiet", "/reports", "/settings", "/help", "NODE"])
def test_every_page_fits_360_px_and_is_reached_by_keyboard(
    page: Browser, dashboard: Dashboard, mqtt: Any, path: str
) -> None:
    with FakeNode(mqtt.port, "narrow-1") as node:
        node.turn("LEAK")
        node.report(0.9, faults=("clipping", "publish_refused"))
        page.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False}
        )
        try:
            page.open(dashboard.url + (path_of(node) if path == "NODE" else path))
            page.one("main h1, main .fleet")
            too_wide = TOO_WIDE.replace("!e.closest('.who-cell')", "!e.closest('.who-cell, .wide')")
            with contextlib.suppress(AssertionError):
                until(lambda: page.js(too_wide) == [], f"{path} in 360 px", 20)
            assert page.js(too_wide) == []
            unnamed = page.js("""return [...document.querySelectorAll('button, a, input, select, textarea')]
                .filter((e) => !(e.textContent.trim() || e.labels?.length || e.title || e.getAttribute('aria-label')))
                .map((e) => e.outerHTML.slice(0, 80))""")
            assert unnamed == []
        finally:
            page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_alerts_of_chosen_days_are_listed_and_given_as_a_table(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "day-1") as node:
        event = node.turn("LEAK", window_end=utc_text(time.time() - 30 * 86400))
        dashboard.until("/api/alerts", lambda found: any(row["id"] == event.id for row in found["rows"]))
        page.open(dashboard.url + "/alerts")
        page.one(f'.entry[data-id="{event.id}"]')
        choose = "const e = document.querySelector('[name=since]'); e.value = arguments[0]; "
        page.js(choose + "e.dispatchEvent(new Event('change'))", time.strftime("%Y-%m-%d", time.localtime()))
        page.none(f'.entry[data-id="{event.id}"]')

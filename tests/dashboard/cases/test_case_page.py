"""From alarm to repair in a real Chromium, a real broker and both databases: nothing lost, nothing twice."""

import struct
import urllib.request
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from leakear.dashboard.i18n import texts
from leakear.edge.messages.reports import utc_text
from tests.dashboard.nights.test_stored_nights import night_event
from tests.support.harness import Browser, Dashboard, FakeNode, path_of, until
from tests.support.printed import likeness, of_html, of_pdf, words

EN = texts("en")
DAY = 86400.0
SEND = """const [path, body, end] = arguments;
fetch(path, {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)})
  .then(async (answer) => end([answer.status, await answer.json()]))"""


def picture() -> bytes:
    """Return a PNG of one grey pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


@pytest.fixture
def served(mqtt: Any, database: str, tmp_path: Path) -> Iterator[Dashboard]:
    """A dashboard of its own, on each database."""
    with Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path, database=database) as running:
        yield running.ready()


def send(page: Browser, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    status, answer = page.driver.execute_async_script(SEND, path, body)
    return status, answer


def only_case(dashboard: Dashboard) -> Any:
    (case,) = dashboard.get("/api/cases?filter=all")["cases"]
    return case


def fetched(page: Browser, kind: str) -> bytes:
    """The report behind a button of the case's page."""
    address = page.one(f'a[data-report="{kind}"]').get_attribute("href")
    assert address is not None
    with urllib.request.urlopen(address, timeout=60) as answer:
        content: bytes = answer.read()
    return content


def write(page: Browser, name: str, value: str) -> None:
    field = page.one(f'.case-step [name="{name}"]')
    field.clear()
    field.send_keys(value)


def save(page: Browser, version: int) -> None:
    """Save the step and wait for the version that it makes."""
    page.click(".case-step button.primary")
    page.one(f'main[data-version="{version}"]')


def when(posix: float) -> str:
    return datetime.fromtimestamp(posix).strftime("%Y-%m-%dT%H:%M")  # noqa: DTZ006 - as the browser's own zone has it


def set_time(page: Browser, posix: float) -> None:
    page.js("document.querySelector('.case-step [name=at]').value = arguments[0]", when(posix))


def test_from_alarm_to_a_repair_that_the_nights_confirm(
    browser: Browser, served: Dashboard, mqtt: Any, database: str, tmp_path: Path
) -> None:
    name = "case-" + database.partition(":")[0].partition("+")[0]
    photo = tmp_path / "wet.png"
    photo.write_bytes(picture())
    first = datetime.now(UTC).date() - timedelta(days=39)
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()
    levels = [-60.0 + n % 3 + (9.0 if 30 <= n < 36 else 0.0) for n in range(39)]
    nights = [night_event(first + timedelta(days=n), level, n + 1, name) for n, level in enumerate(levels)]
    with FakeNode(mqtt.port, name, start=36) as node:
        node.report()
        for event in nights[:36]:
            node.raw("event", event.to_json())
        alarm = midnight + 31 * DAY
        node.turn("LEAK", reason="Water runs.", window_start=utc_text(alarm - 10), window_end=utc_text(alarm))
        case = until(lambda: served.get("/api/cases?filter=all")["cases"], "the case of the alarm")[0]
        browser.open(f"{served.url}/cases")
        browser.text(".case .badge", EN["case.status.open"])
        browser.click(".case a.where")
        browser.one('main[data-version="1"]')
        write(browser, "assigned_to", "ben")
        save(browser, 2)
        browser.text(".next", "ben visits it next.")
        browser.click('.case-step input[value="found"]')
        browser.one('.case-step [name="photo"]').send_keys(str(photo))
        write(browser, "latitude", "-23.5")
        write(browser, "longitude", "-46.6")
        write(browser, "note", "wet ground")
        save(browser, 3)
        until(lambda: browser.js("return document.querySelector('.history .photo').naturalWidth") == 1, "the photo")
        set_time(browser, midnight + 36 * DAY)
        write(browser, "flow_low", "1")
        write(browser, "flow_high", "2")
        save(browser, 4)
        browser.text(".facts", "142 – 284 m³")  # from the first night that was louder, at 02:00
        for event in nights[36:]:
            node.seq += 1
            node.raw("event", event.to_json())
        browser.one('main[data-status="verified"][data-version="5"]')
        browser.text(".next", EN["case.next.verified"])
        browser.text(".history", "the nights after the repair are as before the leak")
        paper = of_pdf(fetched(browser, "pdf"))
        for text in (
            name,
            "wet ground",
            EN["outcome.found"],
            EN["case.status.verified"],
            "142 – 284 m³",
            "leakear",
            "ben",
        ):
            assert words(text) in paper, text
        assert likeness(of_html(fetched(browser, "html").decode()), paper) > 0.99, "but for numbers of pages"
        browser.open(served.url + path_of(node))
        browser.one('.nights[data-nights="39"][data-marks="2"]')  # the alarm and the repair
        browser.open(f"{served.url}/cases")
        browser.click('[data-filter="all"]')
        browser.text('[data-figure="precision"]', "100 %")
        assert only_case(served)["id"] == case["id"]
        assert [c["who"] for c in only_case(served)["changes"]] == ["leakear", *["local"] * 3, "leakear"]
        found = browser.complaints()
        browser.open("about:blank")  # before the dashboard goes
    assert found == []


def test_what_is_typed_survives_a_cut_network_another_operator_and_a_killed_server(
    browser: Browser, served: Dashboard, mqtt: Any, database: str
) -> None:
    with FakeNode(mqtt.port, "cut-" + database.partition(":")[0].partition("+")[0]) as node:
        node.report()
        node.turn("LEAK", reason="Water runs.")
        case = until(lambda: served.get("/api/cases?filter=all")["cases"], "the case of the alarm")[0]
        path = f"/api/cases/{case['id']}/steps"
        browser.open(f"{served.url}/cases/{case['id']}")
        browser.click('[data-step="note"]')
        browser.one('[data-form="note"]')
        write(browser, "note", "written in the pit")
        # another operator is faster: what is typed stays, and is saved over what was seen meanwhile
        stale = {"version": 1, "what": "assign", "assigned_to": "eva", "request": "other-1"}
        assert send(browser, path, stale)[0] == 200
        browser.one('main[data-version="2"]')
        status, answer = send(browser, path, {"version": 1, "what": "note", "note": "late", "request": "other-2"})
        assert (status, answer["case"]["assigned_to"]) == (409, "eva")
        assert browser.one('.case-step [name="note"]').get_attribute("value") == "written in the pit"
        # the network goes: the step waits in its form, and is done once when it is back
        browser.driver.execute_cdp_cmd("Network.enable", {})
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        browser.driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        browser.click(".case-step button.primary")
        browser.text(".case-step .answer", EN["case.offline"])
        served.kill()
        browser.driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            offline | {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1},
        )
        served.options[served.options.index("--listen") + 1] = served.url.partition("//")[2]
        served.start().ready()
        browser.one('main[data-version="3"]')
        found = only_case(served)
        assert [change["note"] for change in found["changes"] if change["what"] == "note"] == ["written in the pit"]
        assert found["assigned_to"] == "eva"
        assert browser.driver.find_elements(By.CSS_SELECTOR, ".history li[data-what=note]")
        browser.open("about:blank")
    browser.complaints()  # the browser notes what the network refused


def test_a_case_is_opened_from_a_node_and_from_an_alert_and_fits_a_phone_in_portuguese(
    page: Browser, dashboard: Dashboard, mqtt: Any
) -> None:
    other = texts("pt-BR")
    with FakeNode(mqtt.port, "pit-30") as node:
        node.report()
        page.open(dashboard.url + path_of(node))
        page.click(".titles .open-case")
        page.one('main[data-version="1"] .case-step')
        address = page.driver.current_url
        event = node.turn("WARNING")
        for there in (path_of(node), "/alerts"):
            page.open(dashboard.url + there)
            if there == "/alerts":
                page.click('[data-filter="all"]')
            entry = f'.entry[data-id="{event.id}"]'
            page.text(f"{entry} .going", EN["case.status.open"])
            assert not page.driver.find_elements(By.CSS_SELECTOR, f"{entry} .open-case"), "one open case a node"
            page.click(f"{entry} .going")
            until(lambda: page.driver.current_url == address, "the same case")
        size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
        page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        try:
            page.js("localStorage.setItem('leakear.language', 'pt-BR')")
            for there in (address, f"{dashboard.url}/cases"):
                page.open(there)
                page.one("main .case-step, main .case")
                wide = "return document.documentElement.scrollWidth > innerWidth"
                assert not page.js(wide), there
            page.text("nav", other["cases"])
            page.text(".case .badge", other["case.status.open"])
        finally:
            page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
            page.js("localStorage.removeItem('leakear.language')")


def test_an_alert_shows_the_case_that_is_opened_and_closed_meanwhile(
    page: Browser, dashboard: Dashboard, mqtt: Any
) -> None:
    with FakeNode(mqtt.port, "pit-31") as node:
        node.report()
        event = node.turn("WARNING")
        entry = f'.entry[data-id="{event.id}"]'
        page.open(f"{dashboard.url}/alerts")
        page.click('[data-filter="all"]')
        page.one(f"{entry} .open-case")
        body = {"request": "somebody-1", "site": "site-a", "node": "pit-31"}
        status, answer = send(page, "/api/cases", body)
        assert status == 200
        page.text(f"{entry} .going", EN["case.status.open"])
        case = answer["case"]
        step = {"version": case["version"], "what": "close", "request": "somebody-2"}
        assert send(page, f"/api/cases/{case['id']}/steps", step)[0] == 200
        page.one(f"{entry} .open-case")
        leak = node.turn("LEAK")
        page.text(f'.entry[data-id="{leak.id}"] .going', EN["case.status.open"])

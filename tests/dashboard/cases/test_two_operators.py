"""Two operators at one case, and a server killed while they write: who is second is told, nothing is doubled."""

import json
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.i18n import texts
from leakear.edge.messages.reports import uuid7
from tests.dashboard.test_access import PASSWORD, Client
from tests.support.harness import Browser, Dashboard, FakeNode, until

EN = texts("en")
HEARS_NO_CHANGE = """const Live = window.WebSocket;
window.WebSocket = class extends Live {
  set onmessage(take) { super.onmessage = (m) => { if (JSON.parse(m.data).t !== "case") take(m); }; }
};"""
"""a page whose live line brings a change of a case too late"""


@pytest.fixture(scope="module")
def second() -> Iterator[Browser]:
    """The other operator's Chromium."""
    running = Browser()
    yield running
    running.quit()


@pytest.fixture
def served(mqtt: Any, database: str, tmp_path: Path) -> Iterator[Dashboard]:
    """A dashboard with two operators, on each database."""
    made = Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path, database=database)
    for name in ("ana", "ben"):
        made.add_user(name, PASSWORD, "operate")
    with made:
        client = Client(made.url).log_in("ana")
        until(lambda: b'"connected":true' in client.ask("/api/me")[1], "the broker")
        yield made


def enter(page: Browser, url: str, name: str, path: str) -> None:
    page.open(url + path)
    for field, value in (("name", name), ("password", PASSWORD)):
        page.one(f'form.login input[name="{field}"]').send_keys(value)
    page.click("form.login button")
    page.none("form.login")
    page.open(url + path)
    page.one("main[data-version]")
    page.complaints()  # it notes that the page wanted a log-in


def type_note(page: Browser, words: str) -> None:
    page.click('[data-step="note"]')
    page.one('[data-form="note"] [name="note"]').send_keys(words)


def only_case(client: Client) -> Any:
    (case,) = json.loads(client.ask("/api/cases?filter=all")[1])["cases"]
    return case


def alarm(mqtt: Any, database: str, client: Client) -> Any:
    """Bring a node to LEAK; return its case."""
    with FakeNode(mqtt.port, "two-" + database.partition(":")[0].partition("+")[0]) as node:
        node.report()
        node.turn("LEAK", reason="Water runs.")
    until(lambda: b'"status"' in client.ask("/api/cases?filter=all")[1], "the case of the alarm")
    return only_case(client)


def notes(case: Any) -> dict[tuple[str, str], int]:
    return Counter((change["who"], change["note"]) for change in case["changes"] if change["what"] == "note")


def test_who_saves_second_is_told_and_loses_nothing(
    browser: Browser, second: Browser, served: Dashboard, mqtt: Any, database: str
) -> None:
    client = Client(served.url).log_in("ana")
    path = f"/cases/{alarm(mqtt, database, client)['id']}"
    enter(browser, served.url, "ana", path)
    enter(second, served.url, "ben", path)
    # Ben types; what Ana saves meanwhile is told in his form, which keeps his words
    type_note(second, "Ben's words")
    type_note(browser, "Ana's words")
    browser.click(".case-step button.primary")
    second.text(".case-step .answer", EN["case.changed"].replace("{who}", "ana").replace("{step}", EN["case.did.note"]))
    assert second.one('.case-step [name="note"]').get_attribute("value") == "Ben's words"
    second.click(".case-step button.primary")
    browser.one('main[data-version="3"]')
    second.one('main[data-version="3"]')
    # a page that does not hear of it in time is refused by the server, and told the same
    heard = second.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": HEARS_NO_CHANGE})
    second.open(served.url + path)
    second.one('main[data-version="3"]')
    type_note(second, "late words")
    type_note(browser, "early words")
    browser.click(".case-step button.primary")
    browser.one('main[data-version="4"]')
    assert second.one("main").get_attribute("data-version") == "3"
    second.click(".case-step button.primary")
    second.text(".case-step .answer", "ana has changed this case meanwhile")
    second.one('main[data-version="4"]')
    assert second.one('.case-step [name="note"]').get_attribute("value") == "late words"
    second.click(".case-step button.primary")
    second.one('main[data-version="5"]')
    second.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", heard)
    assert notes(only_case(client)) == {
        ("ana", "Ana's words"): 1, ("ben", "Ben's words"): 1, ("ana", "early words"): 1, ("ben", "late words"): 1,
    }  # fmt: skip
    # and in the same moment: whoever is second is told and saves again
    second.open(served.url + path)
    type_note(browser, "one moment, Ana")
    type_note(second, "one moment, Ben")
    both = [threading.Thread(target=one.click, args=(".case-step button.primary",)) for one in (browser, second)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    told = until(lambda: [p for p in (browser, second) if p.all(".case-step .answer:not([hidden])")], "who is second")
    assert len(told) == 1
    until(lambda: told[0].js("return !document.querySelector('.case-step button.primary').disabled"), "the refusal")
    told[0].click(".case-step button.primary")
    for page in (browser, second):
        page.one('main[data-version="7"]')
        page.open("about:blank")
        page.complaints()
    found = notes(only_case(client))
    assert (found["ana", "one moment, Ana"], found["ben", "one moment, Ben"]) == (1, 1)
    assert set(found.values()) == {1}


def test_a_position_that_another_writes_is_not_overwritten_by_a_form_that_only_named_the_pipe(
    browser: Browser, served: Dashboard, mqtt: Any, database: str
) -> None:
    client = Client(served.url).log_in("ben")
    case = alarm(mqtt, database, client)
    enter(browser, served.url, "ana", f"/cases/{case['id']}")
    browser.click('[data-step="describe"]')
    browser.one('.case-step [name="pipe"]').send_keys("DN 100")
    step = {"request": "ben-1", "version": 1, "what": "describe", "pipe": "", "position": "34 m from A"}
    assert client.ask(f"/api/cases/{case['id']}/steps", step)[0] == 200
    browser.text(".case-step .answer", "ben has changed this case meanwhile")
    browser.click(".case-step button.primary")
    browser.one('main[data-version="3"]')
    browser.open("about:blank")
    found = only_case(client)
    assert (found["pipe"], found["position"]) == ("DN 100", "34 m from A")
    assert browser.complaints() == []


def write_until_taken(client: Client, case_id: str, words: str) -> None:
    """Save a note as the page does: the same request again until an answer comes, over what the server says it is."""
    request, version = uuid7(), 0
    while True:
        try:
            step = {"request": request, "version": version, "what": "note", "note": words}
            status, answer, _ = client.ask(f"/api/cases/{case_id}/steps", step)
        except (urllib.error.URLError, OSError):  # killed: before the step, or between the step and its answer
            time.sleep(0.02)
            continue
        if status == 200:
            return
        if status == 429:
            time.sleep(0.5)
            continue
        assert status == 409, answer
        version = only_case_version(answer)


def only_case_version(answer: bytes) -> int:
    return int(json.loads(answer)["case"]["version"])


def test_a_server_killed_three_times_in_the_middle_loses_nothing_and_does_nothing_twice(
    served: Dashboard, mqtt: Any, database: str
) -> None:
    served.options[served.options.index("--listen") + 1] = served.url.partition("//")[2]
    client = Client(served.url).log_in("ana")
    case_id = alarm(mqtt, database, client)["id"]
    wanted = [f"note {number}" for number in range(40)]

    def write() -> None:
        for words in wanted:
            write_until_taken(client, case_id, words)

    def alarms() -> None:
        with FakeNode(mqtt.port, "kill-" + database.partition(":")[0].partition("+")[0]) as node:
            for _ in range(25):
                node.turn("LEAK", reason="It runs.")
                node.turn("OK")
                time.sleep(0.05)

    at_work = [threading.Thread(target=write), threading.Thread(target=alarms)]
    for thread in at_work:
        thread.start()
    for pause in (0.05, 0.3, 0.15):
        time.sleep(pause)
        served.kill()
        served.start()
    for thread in at_work:
        thread.join()
    client = Client(served.url).log_in("ana")

    def settled() -> Any:
        return [c for c in json.loads(client.ask("/api/cases?filter=all")[1])["cases"]
                if c["node"].startswith("kill") and len(c["changes"]) >= 25]  # fmt: skip

    (other,) = until(settled, "all leaks noted in one case")
    mine = next(c for c in json.loads(client.ask("/api/cases?filter=all")[1])["cases"] if c["id"] == case_id)
    assert notes(mine) == {("ana", words): 1 for words in wanted}
    assert [change["version"] for change in mine["changes"]] == list(range(1, 42))
    assert Counter(change["what"] for change in other["changes"]) == {"open": 1, "note": 24}

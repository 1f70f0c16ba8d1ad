"""The log of alerts in a real Chromium: seen, judged, listened to, and nothing of it lost half-way."""

import io
import time
import urllib.request
import zipfile
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from leakear.dashboard.i18n import texts
from leakear.edge.messages.reports import utc_text
from tests.support.fake_clips import answer_with_clip, refusal, sound
from tests.support.harness import Browser, Dashboard, FakeNode, path_of, until

EN = texts("en")
ROW = '.fleet .node[data-node="{}"]'


def test_an_alert_is_acknowledged_judged_and_exported(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "pit-3") as node:
        node.answers = answer_with_clip
        event = node.turn("LEAK", evidence=True)
        page.click('nav a[href="/alerts"]')
        entry = f'.entry[data-id="{event.id}"]'
        page.click(f"{entry} .acknowledge")
        page.text(f"{entry} .seen", "local")
        page.click(f"{entry} .judge")
        page.one(f'{entry} input[value="leak"]').click()
        page.one(f"{entry} form select").send_keys("Metal")
        page.one(f"{entry} textarea").send_keys("dug up: joint")
        page.one(f"{entry} form button").click()
        page.text(f"{entry} .badge", EN["verdict.leak"])
        page.text(f"{entry} .note", "dug up: joint")
        page.one(f"{entry} .listen")  # the clip was fetched with the verdict
    with urllib.request.urlopen(dashboard.url + "/api/export") as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    lines = archive.read("manifest.csv").decode().splitlines()
    assert lines[0] == "path,label,material,site,date,sample_rate,seconds,sha256,fold"
    mine = next(line for line in lines if event.id in line)
    assert ",Leak,Metal,site-a/pit-3," in mine
    assert archive.read(mine.split(",")[0]) == sound()


def test_a_half_filled_verdict_form_survives_updates(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    """On the log and on the node's page: news, a colleague's acknowledgement and a broken line, while one types."""
    words = "Escavado: junta rompida a 40 cm, água limpa."
    kept = """const Line = window.WebSocket; window.lines = [];
        window.WebSocket = class extends Line { constructor(...a) { super(...a); window.lines.push(this); } };"""
    script = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": kept})
    with FakeNode(mqtt.port, "form-1") as node:
        for address in ("/alerts", path_of(node)):
            event = node.turn("LEAK")
            page.open(dashboard.url + address)
            entry = f'.entry[data-id="{event.id}"]'
            page.one(f"{entry} .judge").send_keys(Keys.ENTER)
            page.one(f'{entry} input[value="leak"]').click()
            page.one(f"{entry} form select").send_keys("Metal")
            note = page.one(f"{entry} textarea")
            note.click()
            for n, letter in enumerate(words):
                page.driver.switch_to.active_element.send_keys(letter)
                if n == 5:
                    newer = node.turn("LEAK", from_state="OK")
                    page.one(f'.entry[data-id="{newer.id}"]')
                if n == 15:
                    acknowledge(dashboard, event.id)
                    page.text(f"{entry} .seen", "local")
                if n == 25:
                    cut_the_line(page)
                if n == 35:
                    node.report()
            assert note.get_attribute("value") == words
            page.driver.switch_to.active_element.send_keys(Keys.TAB, Keys.ENTER)
            page.text(f"{entry} .badge", EN["verdict.leak"])
            page.text(f"{entry} .note", words)
            page.none(f"{entry} form")
            assert page.js("return document.activeElement.closest('.entry')?.dataset.id") == event.id, "one may go on"
            judged = next(r for r in dashboard.get("/api/alerts?filter=judged")["rows"] if r["id"] == event.id)
            assert (judged["verdict"], judged["material"]) == ("leak", "Metal")
    page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def acknowledge(dashboard: Dashboard, event_id: str) -> None:
    """As a colleague at another screen does."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{dashboard.url}/api/alerts/{event_id}/acknowledge", b"{}", headers)
    urllib.request.urlopen(request).close()


def cut_the_line(page: Browser) -> None:
    """Lose the connection to the dashboard; the page then gets the whole fleet and the whole log again."""
    page.js("const old = window.lines.at(-1); old.close()")
    until(lambda: page.js("return window.lines.length") > 1, "a second connection")
    page.one('.line:not([data-line="down"])')


def test_a_verdict_that_cannot_be_saved_stays_in_its_form(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "form-2") as node:
        event = node.turn("LEAK")
        page.open(dashboard.url + "/alerts")
        entry = f'.entry[data-id="{event.id}"]'
        page.one(f"{entry} .judge").click()
        page.one(f'{entry} input[value="false-alarm"]').click()
        page.one(f"{entry} textarea").send_keys("a pump")
        page.js("window.real = window.fetch; window.fetch = () => Promise.reject(new Error('no network'))")
        page.one(f"{entry} form button").click()
        page.text(f"{entry} .answer.bad", "no network")
        page.js("window.fetch = window.real")
        page.one(f"{entry} form button").click()
        page.text(f"{entry} .note", "a pump")
        page.none(f"{entry} .answer.bad")


def test_a_clip_keeps_playing_while_its_alert_changes(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "form-3") as node:
        node.answers = answer_with_clip
        event = node.turn("LEAK", evidence=True)
        page.open(dashboard.url + "/alerts")
        entry = f'.entry[data-id="{event.id}"]'
        page.one(f"{entry} .fetch").click()
        page.one(f'{entry} .waterfall[data-drawn="yes"]')
        page.js("const a = document.querySelector('audio'); a.loop = true; a.volume = 0; return a.play()")
        node.turn("LEAK", from_state="OK")
        acknowledge(dashboard, event.id)
        page.text(f"{entry} .seen", "local")
        assert page.js("return [document.querySelector('audio').paused]") == [False]


def test_a_clip_is_fetched_played_and_drawn(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "pit-4") as node:
        node.answers = answer_with_clip
        event = node.turn("LEAK", evidence=True)
        page.open(dashboard.url + path_of(node))
        page.click(f'.entry[data-id="{event.id}"] .fetch')
        page.one(f'.entry[data-id="{event.id}"] .waterfall[data-drawn="yes"]')
        played = "const a = document.querySelector('audio'); a.volume = 0; a.play(); return a.currentTime > 0.2"
        until(lambda: page.js(played), "sound that moves on")
        assert page.js("return document.querySelector('audio').duration") == pytest.approx(3.0, abs=0.05)
        inked = """const c = document.querySelector('.entry canvas'); const d = c.getContext('2d')
            .getImageData(0, 0, c.width, c.height).data; return new Set(d.filter((_, i) => i % 4 == 0)).size"""
        assert page.js(inked) > 10
        node.answers = lambda _name, request: [refusal(request)]
        other = node.turn("WARNING", evidence=True)
        page.click(f'.entry[data-id="{other.id}"] .fetch')
        page.text(f'.entry[data-id="{other.id}"] .answer', "does not let sound leave it")
        assert page.complaints(), "the browser notes the refused request"


def test_the_bell_rings_and_notifies(page: Browser, mqtt: Any) -> None:
    page.js("""window.told = [];
        window.Notification = class { constructor(title, more) { told.push([title, more.body]); } };
        Notification.permission = 'granted'; Notification.requestPermission = () => {};
        window.tones = 0; const start = OscillatorNode.prototype.start;
        OscillatorNode.prototype.start = function (at) { window.tones += 1; return start.call(this, at); };""")
    with FakeNode(mqtt.port, "pit-14") as node:
        node.turn("LEAK")
        page.text(".toast", "pit-14")
        assert page.js("return [told.length, tones]") == [0, 0], "no sound before somebody asked for it"
        page.click("header button.icon")
        node.turn("OK")
        node.turn("LEAK", reason="Again.")
        told = [["leakear: Leak", f"pit-14 · site-a\nAgain.\n{texts('en')['alert.do.LEAK']}"]]
        until(lambda: page.js("return told") == told, "the notification")
        before = page.js("return tones")
        assert before > 2
        node.report(muted_until=utc_text(time.time() + 3600))
        page.one(f"{ROW.format('pit-14')} .mute")
        node.turn("LEAK", reason="Muted.", from_state="OK")
        page.text(".toast", "Muted.")
        assert page.js("return [told.length, tones]") == [1, before], "a muted node wakes nobody"

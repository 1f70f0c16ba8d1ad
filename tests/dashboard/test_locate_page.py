"""Locating on the page in a real Chromium: a pipe is entered, located on, shown, exported, printed."""

from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from leakear.dashboard.i18n import texts
from tests.dashboard.test_browser import TOO_WIDE
from tests.dashboard.test_locating import made, nodes, pipe_of
from tests.support.harness import Browser, Dashboard, path_of, until

EN = texts("en")
POST = """return (async (path) => (await fetch(path, {
    method: 'POST', headers: {'content-type': 'application/json'}, body: '{}'})).status)(arguments[0])"""


@pytest.fixture(scope="module")
def sounds() -> Any:
    return made()


def choose(page: Browser, css: str, value: str) -> None:
    page.one(f'{css} option[value="{value}"]')
    page.js("document.querySelector(arguments[0]).value = arguments[1]", css, value)


def position(page: Browser) -> float:
    return float(page.one(".answer-line[data-position]:not([data-position=''])", 90).get_attribute("data-position"))


def test_a_pipe_is_entered_located_on_and_shown(page: Browser, dashboard: Dashboard, mqtt: Any, sounds: Any) -> None:
    low, high = sounds[0].speed_range
    with nodes(mqtt.port, sounds) as (one, other):
        page.text('.fleet .node[data-node="pit-1"]', "pit-1")
        page.open(dashboard.url + "/pipes")
        page.text(".empty", EN["pipes.none"])
        page.click("button.add")
        choose(page, 'select[name="a"]', "site-a/pit-1")
        choose(page, 'select[name="b"]', "site-a/pit-2")
        choose(page, 'select[name="material"]', "steel")
        for name, value in (("length", 100), ("speed_low", round(high)), ("speed_high", round(low))):
            page.one(f'input[name="{name}"]').send_keys(str(value))
        page.click("form.pipe button.primary")
        page.text("form.pipe .answer.bad", "The speed is not within")
        assert all("422" in message for message in page.complaints())
        for name, value in (("speed_low", round(low)), ("speed_high", round(high))):
            page.js("document.querySelector(arguments[0]).value = arguments[1]", f'input[name="{name}"]', str(value))
        page.one("form.pipe button.primary").send_keys(Keys.ENTER)
        page.text(".entry.pipe", EN["located.never"])
        one.polls = other.polls = 3
        page.one(".entry.pipe button.locate").send_keys(Keys.ENTER)  # by keyboard
        page.text(".job h2", EN["locating.recording"])
        page.one(".job progress")
        assert position(page) == pytest.approx(30.0, abs=1.0)
        page.text(".answer-line", "m from pit-1")
        for name in ("pipe", "correlation", "coherence"):
            page.one(f'.plot[data-plot="{name}"] svg')
        assert page.all('rect[data-interval="most"]')
        assert page.all('rect[data-interval="half"]')
        page.click("button.locate")
        page.one('.plot[data-plot="intervals"] svg', 90)
        assert len(page.all(".choices .choice")) == 2
        page.one('.plot[data-plot="laid"] svg')
        assert len(page.all(".curve.laid")) == 2
        page.click(".choices li:last-child .choice")
        page.one('.choices li:last-child .choice[aria-pressed="true"]')
        assert page.one(".exports a").get_attribute("href").endswith("/report")
        page.driver.set_window_size(360, 800)
        until(lambda: page.js("return document.querySelector('.plot svg').clientWidth") < 360, "narrow drawing")
        assert page.js(TOO_WIDE) == []
        page.driver.set_window_size(1440, 900)


def test_a_leak_has_a_locate_button_and_says_how_sure_it_is(
    page: Browser, dashboard: Dashboard, mqtt: Any, sounds: Any
) -> None:
    with nodes(mqtt.port, sounds) as (one, _):
        pipe_of(dashboard, sounds[0])
        event = one.turn("LEAK")
        page.open(dashboard.url + path_of(one))
        entry = f'.entry[data-id="{event.id}"]'
        page.text(f"{entry} button.locate", "Locate with pit-2")
        page.click(f"{entry} button.locate")
        position(page)
        assert "/pipes/" in page.driver.current_url
        page.open(dashboard.url + "/alerts")
        page.text(f'{entry} .certainty[data-change="raised"]', "More certain: a steady sound between pit-1 and pit-2")
        page.js("localStorage.setItem('leakear.language', 'pt-BR')")
        page.open(dashboard.url + "/alerts")
        page.text(f"{entry} .certainty", "Mais certo")
        one.turn("OK")


def refused(page: Browser, why: str) -> bool:
    """Ask unless a job runs (alerts of the test before may have begun one); tell whether it was refused."""
    page.js("document.querySelector('button.locate:not([disabled])')?.click()")
    lines = page.js("return [...document.querySelectorAll('.answer-line')].map((line) => line.textContent)")
    return any(f"Not located. site-a/pit-2: {why}" in line for line in lines)


def test_a_refusal_of_a_node_is_shown_with_its_name(
    page: Browser, dashboard: Dashboard, mqtt: Any, sounds: Any
) -> None:
    with nodes(mqtt.port, sounds) as (_, other):
        other.refusal = "This site keeps no sound: set evidence.enabled = true on the node."
        pipe = pipe_of(dashboard, sounds[0])
        page.open(f"{dashboard.url}/pipes/{pipe}")
        until(lambda: refused(page, other.refusal), other.refusal, 120)
        page.js("localStorage.setItem('leakear.language', 'pt-BR')")
        page.open(f"{dashboard.url}/pipes/{pipe}")
        page.text(".answer-line", "site-a/pit-2: Este local não guarda som")


def test_who_may_only_look_sees_results_and_can_change_nothing(
    browser: Browser, mqtt: Any, sounds: Any, tmp_path: Any
) -> None:
    with Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path) as dashboard:
        pipe = pipe_of(dashboard, sounds[0])
        dashboard.stop()
        dashboard.add_user("eve", "a long password", "view")
        dashboard.start()
        browser.open(dashboard.url + "/login")
        browser.one('input[name="name"]').send_keys("eve")
        browser.one('input[name="password"]').send_keys("a long password" + Keys.ENTER)
        browser.one("nav.main")
        browser.open(f"{dashboard.url}/pipes/{pipe}")
        browser.text("h1", "pit-1 – pit-2")
        assert not browser.all("button.locate, button.edit, button.remove")
        browser.open(f"{dashboard.url}/pipes")
        browser.one(".entry.pipe")
        assert not browser.all("button.locate, button.add")
        for end in ("", f"/{pipe}", f"/{pipe}/remove", f"/{pipe}/locate"):
            assert browser.js(POST, f"/api/pipes{end}") == 403
        assert browser.js(POST, "/api/locations/x/cancel") == 403
        assert [message for message in browser.complaints() if not message.count("403") + message.count("401")] == []
        browser.open("about:blank")

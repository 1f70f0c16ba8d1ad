"""The page in a real Chromium, over a real broker: what a person sees and does."""

import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from selenium.webdriver.common.keys import Keys

from leakear.dashboard.i18n import texts
from leakear.edge.messages.reports import Learning, Spectrum, utc_now
from tests.support.harness import MODEL, Browser, Dashboard, FakeNode, done, path_of, until

EN = texts("en")
ROW = '.fleet .node[data-node="{}"]'
TOO_WIDE = """return [...document.querySelectorAll('body *')]
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.who-cell'))
    .map((e) => `${e.tagName} ${e.className}`)"""
SPITE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


def test_a_node_appears_leaks_goes_stale_and_comes_back(page: Browser, mqtt: Any) -> None:
    row = ROW.format("pit-1")
    with FakeNode(mqtt.port, "pit-1") as node:
        node.online()
        node.report(score=0.12, level=-61.0)
        with node.alive(0.12):
            page.text(f"{row} .badge", EN["state.OK"])
            page.text(f"{row} .figure", "0.12")
        node.turn("LEAK", reason="Water runs.")
        page.text(f"{row} .badge", EN["state.LEAK"])
        page.text(".toast", "Water runs.")
        assert page.one(f"{row} .badge svg"), "a shape beside the colour and the word"
        assert page.all(".fleet .node")[0].get_attribute("data-node") == "pit-1", "leaks first"
        node.report(score=0.1)
        node.turn("OK")
        with node.alive():
            page.text(f"{row} .badge", EN["state.OK"])
        page.text(f"{row} .badge", EN["state.stale"])  # silent for five seconds; `online` is still retained
        node.report(score=0.2)
        with node.alive(0.2):
            page.text(f"{row} .badge", EN["state.OK"])
            page.none(f'{row}[data-presence="stale"]')
        node.drop()
        page.text(f"{row} .badge", EN["state.offline"])


def test_a_leak_stays_a_leak_when_its_node_falls_silent(page: Browser, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "pit-2") as node:
        node.online()
        node.turn("LEAK")
        node.report(score=0.9)
        node.drop()
    for word in ("state.LEAK", "state.offline"):
        page.text(f"{ROW.format('pit-2')} .badge", EN[word])


def test_commands_reach_the_node_and_answers_are_shown(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "pit-5") as node:
        node.answers = lambda name, request: done(request, heard=name, threshold=request.get("threshold"))
        node.report()
        page.open(dashboard.url + path_of(node))
        page.click('[data-command="identify"]')
        page.text('[data-answer="identify"][data-ok="true"]', "identify")
        page.one('input[name="threshold"]').send_keys("0.62")
        page.click('[data-form="setthreshold"] button')
        page.text('[data-form="setthreshold"] button', EN["sure"])
        assert [name for name, _ in node.commands] == ["identify"], "the first click only asks"
        page.click('[data-form="setthreshold"] button')
        page.text('[data-answer="set"][data-ok="true"]', "0.62")
        page.click('[data-form="setmute"] button')
        page.text('[data-form="setmute"] button', EN["sure"])
        page.click('[data-form="setmute"] button')
        page.click('[data-command="calibrate-status"]')
        page.one('[data-answer="calibrate"][data-ok="true"]')
        sent = dict(node.commands)
        assert sent["calibrate"]["action"] == "status"
        sets = [request for name, request in node.commands if name == "set"]
        assert sets[0]["threshold"] == 0.62
        assert sets[1]["mute_until"] > utc_now()


def test_not_a_leak_is_stated_with_the_second_click_beside_the_alert(
    page: Browser, dashboard: Dashboard, mqtt: Any
) -> None:
    button = '[data-command="not-a-leak"]'
    learnt = Learning(background_ready=False, nights_known=2, may_say="warning")
    with FakeNode(mqtt.port, "pit-8") as node:
        node.answers = lambda name, request: done(request, heard=name)
        node.report(learning=learnt)
        page.open(dashboard.url + path_of(node))
        page.text(".titles .chip", "learning: 2 nights, may say WARNING only")
        assert page.js(f"return document.querySelector('{button}')") is None, "nothing is suspected"
        node.turn("LEAK")
        node.report(0.9, learning=learnt)
        page.text(button, EN["not-a-leak"])
        page.click(button)
        page.text(button, EN["not-a-leak.sure"])
        assert node.commands == []
        page.click(button)
        page.text(button, EN["done"])
        ((name, request),) = node.commands
        assert (name, request["action"]) == ("calibrate", "not_a_leak")


def test_the_live_spectrum_is_requested_only_while_it_is_shown(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "pit-6") as node:
        node.report()
        page.open(dashboard.url + path_of(node))
        page.click("button.watch")
        until(lambda: [r["seconds"] for n, r in node.commands if n == "watch"] == [60], "the wish to watch")
        for n in range(3):
            spectrum = Spectrum(
                time=utc_now(), low_hz=0, high_hz=11025, db=tuple(-90.0 + (n * i) % 40 for i in range(64))
            )
            node.raw("spectrum", spectrum.to_json(), qos=0)
        page.one('.waterfall[data-count="3"]')
        page.text(".axis.high", "11,025 Hz")
        page.click("button.watch")
        until(lambda: [r["seconds"] for n, r in node.commands if n == "watch"] == [60, 0], "the end of watching")


def test_a_nodes_page_shows_facts_gaps_and_history(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "pit-7") as node:
        node.report(score=0.3, faults=("clipping",), queue_depth=4)
        node.telemetry(temperature_c=81.0)
        node.turn("WARNING")
        node.turn("LEAK", publish=False)
        node.turn("OK")
        page.open(dashboard.url + path_of(node))
        page.text(".facts dd", "81 °C")
        page.text(".facts dd.bad", "2")
        page.text(".chip", EN["fault.clipping"])
        page.one('.strip .span[data-look="ok"]')
        stamp = page.one(".entry time")
        assert stamp.get_attribute("title").endswith(" UTC")
        page.click(".ranges button:nth-child(4)")
        until(lambda: len(page.all(".strip .span")) >= 2, "the states over a week")


def test_hostile_names_and_payloads_have_no_effect(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "pit-8") as node:
        node.answers = lambda _name, request: done(request, **{SPITE: SPITE, "__proto__": SPITE})
        model = replace(MODEL, id=SPITE)
        every: dict[str, Any] = {"faults": (SPITE[:60], "constructor", "__proto__"), "model": model}
        node.report(firmware=SPITE[:64], staged_model=model, **every)
        node.turn("LEAK", reason=SPITE, **every)
        node.client.publish(f"leakear/{SPITE}/x/state".replace("/script", "script"), b"{}", 1).wait_for_publish(10)
        node.client.publish("leakear/constructor/__proto__/availability", b"online", 1).wait_for_publish(10)
        page.text(".toast", SPITE)
        page.text(f"{ROW.format('pit-8')} .chip", SPITE[:60])
        page.one(ROW.format("__proto__"))
        for address in (path_of(node), "/alerts", "/"):
            page.open(dashboard.url + address)
            page.one("main .entry, main .node")
            if address == path_of(node):
                page.click('[data-command="identify"]')
                page.text("[data-answer]", SPITE)
                page.text(".facts", SPITE)
        page.one(".toolbar input").send_keys(SPITE)
        page.text(".empty", EN["nothing.found"])
        assert page.js("return [window.hacked ?? null, document.querySelectorAll('main img, main script').length]") == [
            None, 0
        ]  # fmt: skip


def test_the_page_reconnects_after_a_restart_of_the_broker(page: Browser, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "pit-9") as node:
        node.online()
        with node.alive():
            page.text(f"{ROW.format('pit-9')} .badge", EN["state.OK"])
        mqtt.kill()
        page.text(".line", EN["line.broker"])
        page.text(".trouble", str(mqtt.port))
        mqtt.start()
        page.one('.line:not([data-line="down"])')
        until(node.client.is_connected, "the node's own return")
        node.turn("LEAK")
        page.text(f"{ROW.format('pit-9')} .badge", EN["state.LEAK"])
        assert page.one(".trouble").get_attribute("hidden") == "true"


def test_the_page_reconnects_after_a_restart_of_the_dashboard(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    port = dashboard.url.rpartition(":")[2]
    with FakeNode(mqtt.port, "pit-10") as node:
        node.report()
        page.one(ROW.format("pit-10"))
        dashboard.kill()
        page.text(".line", EN["line.lost"])
        dashboard.options += ["--listen", f"127.0.0.1:{port}"]
        dashboard.start().ready()
        page.one('.line:not([data-line="down"])')
        node.turn("LEAK")
        page.text(f"{ROW.format('pit-10')} .badge", EN["state.LEAK"])
    page.complaints()  # the connections that failed meanwhile


def test_search_filter_groups_and_keyboard_work(page: Browser, mqtt: Any) -> None:
    with ExitStack() as stack:
        places = ((1, "east"), (2, "east"), (3, "west"))
        nodes = [stack.enter_context(FakeNode(mqtt.port, f"key-{n}", site)) for n, site in places]
        for node in nodes:
            node.report()
            stack.enter_context(node.alive())
        nodes[2].turn("WARNING")
        page.one("body").send_keys("/")
        page.driver.switch_to.active_element.send_keys("key-")
        until(lambda: shown(page) == ["key-3", "key-1", "key-2"], "what was searched, the urgent first")
        page.click(".tile[data-look='warning']")
        until(lambda: shown(page) == ["key-3"], "the filter")
        page.click(".tile[data-look='warning']")
        page.click(".toolbar button")
        until(lambda: [e.text for e in page.all(".site-row [role=rowheader]")] == ["west", "east"], "groups")
        page.js("document.querySelector(arguments[0]).focus()", ROW.format("key-3"))
        page.driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
        until(lambda: page.driver.switch_to.active_element.get_attribute("data-node") == "key-2", "the focus")
        page.driver.switch_to.active_element.send_keys(Keys.ENTER)
        until(lambda: page.driver.current_url.endswith("/node/east/key-2"), "the node's page")
        page.driver.back()
        page.one(ROW.format("key-3"))


def shown(page: Browser) -> list[str]:
    rows = [(e.get_attribute("aria-rowindex"), e.get_attribute("data-node")) for e in page.all(".fleet .node")]
    return [str(name) for _, name in sorted(rows, key=lambda row: int(row[0] or 0))]


def test_a_node_can_be_removed(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "pit-11") as node:
        node.online()
        node.report()
    page.open(dashboard.url + "/node/site-a/pit-11")
    page.click('[data-command="forget"]')
    page.text('[data-command="forget"]', EN["forget.sure"])
    page.click('[data-command="forget"]')
    page.one(".fleet")
    page.none(ROW.format("pit-11"))
    page.open(dashboard.url)
    page.one('.line:not([data-line="down"])')
    assert not page.all(ROW.format("pit-11")), "the broker's retained messages are gone too"


def test_portuguese_and_light_and_dark_themes_work(page: Browser, mqtt: Any) -> None:
    choice = "const s = document.querySelector('select[aria-label]'); s.value = 'pt-BR';"
    page.js(f"{choice} s.dispatchEvent(new Event('change'))")
    page.text("nav", texts("pt-BR")["fleet"])
    page.one('.line:not([data-line="down"])')
    assert page.js("return document.documentElement.lang") == "pt-BR"
    with FakeNode(mqtt.port, "pit-15") as node:
        node.turn("LEAK", reason="went on for 15 min after WARNING")
        page.text(".toast", "continuou por 15 min depois de Atenção")
        page.open(page.driver.current_url + path_of(node)[1:])
        page.text(".entry .reason", "continuou por 15 min depois de Atenção")
        page.click('[data-command="identify"]')
        page.text('[data-answer="identify"]', "O nó não respondeu em 15 s.")
    page.complaints()  # the browser notes the command that failed
    before = page.js("return getComputedStyle(document.body).backgroundColor")
    page.click("header button.icon:nth-of-type(2)")
    until(lambda: page.js("return getComputedStyle(document.body).backgroundColor") != before, "the other theme")


def test_the_page_fits_a_phone(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "pit-12-with-a-rather-long-name-for-a-node", "a-site-with-a-long-name") as node:
        node.report(faults=("clipping", "mains_dominance"))
        node.turn("LEAK", reason="W" * 300)
        size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
        page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        try:
            for address in ("/", path_of(node), "/alerts"):
                page.open(dashboard.url + address)
                page.one("main .entry, main .node")
                assert page.js(TOO_WIDE) == [], address
            for address in ("/cases", "/pipes", "/deploy"):
                page.open(dashboard.url + address)
                page.one("main h1")
                assert page.js(TOO_WIDE) == [], address
                assert page.js("return document.documentElement.scrollWidth") == size["width"], "nothing is beside it"
            heights = page.js("return [...document.querySelectorAll('button, select')].map(e => e.offsetHeight)")
            assert min(height for height in heights if height) >= 38, "a finger hits every button"
        finally:
            page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def log_in(browser: Browser, password: str) -> None:
    for name, value in (("name", "vera"), ("password", password)):
        field = browser.one(f'input[name="{name}"]')
        field.clear()
        field.send_keys(value)
    browser.click("form.login button")


def test_log_in_is_refused_and_accepted(browser: Browser, mqtt: Any, tmp_path: Path) -> None:
    made = Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path)
    made.add_user("vera", "a long password", "view")
    with made, FakeNode(mqtt.port, "pit-13") as node:
        node.report()
        browser.open(made.url + path_of(node))
        browser.one("form.login")
        log_in(browser, "wrong")
        until(lambda: browser.one(".login .wrong").text, "the refusal")
        log_in(browser, "a long password")
        browser.one('input[type="search"]').send_keys("pit-13")  # rows out of sight are not made
        browser.one(ROW.format("pit-13"))
        browser.open(made.url + path_of(node))
        browser.one(".facts")
        assert not browser.all("[data-command]"), "who may only look gets no commands"
        stolen = browser.js("return document.cookie")
        assert stolen == "", "scripts cannot read the session"
        browser.one('.line:not([data-line="down"])')
        subprocess.run(made.command("user", "add", "vera", "--password-file", str(tmp_path / "password")), check=True)
        browser.one("form.login")  # a changed password ends the sessions, also of the page that is open
        browser.complaints()
        log_in(browser, "a long password")
        browser.one(ROW.format("pit-13"))
        browser.click(f'header button[title="{EN["logout"]}"]')
        browser.one("form.login")
    browser.complaints()

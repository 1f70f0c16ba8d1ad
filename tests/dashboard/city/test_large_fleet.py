"""A fleet too large for a page: the page is sent what it shows, and looks and behaves as with a small one."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from sqlalchemy import insert

from leakear.dashboard.history.tables import nodes, open_database
from leakear.dashboard.i18n import texts
from leakear.dashboard.map.tables import positions
from leakear.dashboard.server.hub import WHOLE_LEFT
from tests.support.harness import Browser, Dashboard, FakeNode, until

EN, PT = texts("en"), texts("pt-BR")
SITES, COUNT = 60, 6000
ROW = '.fleet .node[data-node="{}"]'
NAMES = """return [...document.querySelectorAll('.fleet .node')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
    .map((e) => e.dataset.key)"""


def fill(database: str) -> None:
    engine, now = open_database(database), time.time()
    keys = [{"site": f"zone-{n % SITES}", "node": f"ear-{n}"} for n in range(COUNT)]
    known = {"first_seen": now - 9 * 86400, "last_seen": now - 3600, "last_seq": 0, "gaps": "[]"}
    said = {"accuracy": None, "source": "csv", "changed": now, "changed_by": "test"}
    with engine.begin() as connection:
        connection.execute(insert(nodes), [key | known for key in keys])
        placed = [key | said | {"longitude": -46.6 + n % 80 / 500, "latitude": -23.5 + n // 80 / 500}
                  for n, key in enumerate(keys)]  # fmt: skip
        connection.execute(insert(positions), placed)
    engine.dispose()


@pytest.fixture(scope="module")
def city(mqtt: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("city")
    options = ("--max-nodes", "10000", "--max-new-nodes", "1000", "--lost-after", "86400", "--stale-after", "60")
    made = Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", folder, *options)
    fill(made.database)
    with made as running:
        yield running.ready()


@pytest.fixture
def page(browser: Browser, city: Dashboard) -> Iterator[Browser]:
    browser.open(city.url)
    browser.js("localStorage.clear(); sessionStorage.clear()")
    browser.open(city.url)
    browser.one(".fleet .node")
    yield browser
    browser.driver.set_window_size(1440, 900)
    found = browser.complaints()
    browser.open("about:blank")
    assert found == []


def search(page: Browser, text: str) -> None:
    script = "const b=document.querySelector('.toolbar input');b.value=arguments[0];b.dispatchEvent(new Event('input'))"
    page.js(script, text)


def test_the_page_holds_what_it_shows_and_counts_all(page: Browser) -> None:
    assert COUNT > WHOLE_LEFT
    page.text(".shown", f"{COUNT:,} of {COUNT:,}")
    page.text('.tile[data-look="gone"] .number', f"{COUNT:,}")
    assert len(page.js("return [...document.querySelectorAll('.fleet .node')]")) < 40
    held = page.js("return import('/static/js/store.js').then((store) => store.fleet.nodes.size)")
    assert 0 < held <= 300
    assert page.js(NAMES)[:2] == ["zone-0/ear-0", "zone-0/ear-60"], "as people count: 0, 60, 120, …"


def test_a_leak_anywhere_comes_first_and_its_toast_says_so(page: Browser, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "ear-5999", "zone-59") as node:
        node.report()
        node.turn("LEAK", reason="Water runs far down.")
        node.report(0.97)
        page.text(ROW.format("ear-5999") + " .badge", EN["state.LEAK"])
        page.text(".toast", "Water runs far down.")
        page.text('.tile[data-look="leak"] .number', "1")
        until(lambda: page.js(NAMES)[0] == "zone-59/ear-5999", "the leak first")
        page.text(ROW.format("ear-5999") + " .figure", "0.97")
        page.click('.tile[data-look="leak"]')
        page.text(".shown", f"1 of {COUNT:,}")
        page.click('.tile[data-look="leak"]')
        search(page, EN["state.LEAK"])
        page.text(".shown", f"1 of {COUNT:,}")
        node.turn("OK")
        node.report()
        page.text(".shown", f"0 of {COUNT:,}")
        page.text(".empty p", EN["nothing.found"])


def test_a_search_finds_by_all_its_words_also_in_portuguese(page: Browser, city: Dashboard) -> None:
    search(page, "zone-7 ear-6")
    until(lambda: page.js(NAMES) and all(key.startswith("zone-7/ear-6") for key in page.js(NAMES)), "those alone")
    page.js("localStorage.setItem('leakear.language', 'pt-BR'); sessionStorage.clear()")
    page.open(city.url)
    page.one(".fleet .node")
    search(page, PT["state.stale"].upper())
    page.text(".shown", f"{COUNT:,}".replace(",", "."))
    assert page.js(NAMES)


def test_arrow_keys_reach_the_end_and_back_returns_to_the_row(page: Browser, city: Dashboard) -> None:
    page.js("document.querySelector('.fleet .node').focus()")
    focused = "return document.activeElement?.dataset.key ?? ''"

    def press(key: str) -> None:
        page.driver.switch_to.active_element.send_keys(key)

    press(Keys.ARROW_DOWN)
    until(lambda: page.js(focused) == "zone-0/ear-60", "the second row")
    press(Keys.END)
    until(lambda: page.js(focused) == "zone-59/ear-5999", "the last row, which had to be asked for")
    index = "return document.activeElement.getAttribute('aria-rowindex')"
    assert page.js(index) == str(COUNT + 1)
    assert page.js("return document.querySelector('.fleet').getAttribute('aria-rowcount')") == str(COUNT + 1)
    press(Keys.ENTER)
    page.text("h1", "ear-5999")
    page.text(".badge", EN["state.stale"])
    page.js("history.back()")
    until(lambda: page.js(focused) == "zone-59/ear-5999", "the row that was left")
    press(Keys.HOME)
    until(lambda: page.js(focused) == "zone-0/ear-0", "the first row")


def test_sites_are_heads_with_their_counts(page: Browser) -> None:
    page.click(".toolbar button")
    page.text(".site-row", "zone-0")
    assert page.js("return document.querySelector('.site-row .tally').textContent") == str(COUNT // SITES)
    page.js("document.querySelector('.rows').scrollTop = 1e9")
    page.one(ROW.format("ear-5999"))
    page.js("document.querySelector('.rows').scrollTop = 5000")
    until(lambda: "zone-1/ear-1" in page.js(NAMES), "the second site in the middle of the list")
    tops = page.js("return [...document.querySelectorAll('.rows .all > *')].map((e) => e.getBoundingClientRect().top)")
    assert len(set(tops)) == len(tops), "no two rows in one place"


def test_a_telephone_scrolls_through_it(page: Browser) -> None:
    page.driver.set_window_size(360, 740)
    page.js("document.querySelector('.rows').scrollTop = 88 * 3000")
    until(lambda: len(page.js(NAMES)) > 3, "rows in the middle")
    assert page.js("return document.documentElement.scrollWidth <= innerWidth")


def test_the_map_shows_clusters_of_the_server(page: Browser, city: Dashboard) -> None:
    page.open(city.url + "/map")
    until(lambda: len(page.all(".cluster")) > 1, "clusters")
    assert sum(int(mark.get_attribute("data-count") or 0) for mark in page.all(".cluster")) == COUNT
    page.js("sessionStorage.setItem('leakear.map', '[-23.5, -46.6, 18]')")
    page.open(city.url + "/map")
    page.click('.at-node[data-node="zone-0/ear-0"]')
    page.text(".map-popup", "ear-0")
    page.text(".map-popup .badge", EN["state.stale"])


def test_nodes_to_deploy_to_are_searched_for_and_stay_chosen(page: Browser, city: Dashboard) -> None:
    page.open(city.url + "/deploy")
    look = "const b=document.querySelector('[name=narrow]');b.value=arguments[0];b.dispatchEvent(new Event('input'))"
    page.one(".sites [data-node]")
    page.js(look, "ear-4321")
    page.click('[data-node="zone-1/ear-4321"]')
    page.js(look, "ear-1234")
    page.one('[data-node="zone-34/ear-1234"]')
    assert page.js("return document.querySelector('[data-node=\"zone-1/ear-4321\"]').checked")


def test_other_programs_ask_for_a_part_of_the_fleet(city: Dashboard) -> None:
    found = city.get("/api/fleet?search=zone-3%20ear-1&sort=name&limit=2&offset=1")
    assert (found["total"], found["found"], len(found["nodes"])) == (COUNT, len(wanted := in_zone_3()), 2)
    assert [node["node"] for node in found["nodes"]] == wanted[1:3]


def in_zone_3() -> list[str]:
    names = [
        (n % SITES, n)
        for n in range(COUNT)
        if f"zone-{n % SITES}".startswith("zone-3") and f"ear-{n}".startswith("ear-1")
    ]
    return [f"ear-{n}" for _, n in sorted(names)]

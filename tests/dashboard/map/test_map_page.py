"""The map in a real Chromium, over a real broker and both databases: placed, drawn, kept, refused."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import ElementNotInteractableException, StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from sqlalchemy import delete, insert, text

from leakear.dashboard.history.tables import open_database
from leakear.dashboard.i18n import texts
from leakear.dashboard.map.tables import positions
from leakear.dashboard.pipes.tables import locations
from tests.dashboard.map.test_files import TOWN, assert_rfc_7946
from tests.support.harness import Browser, Dashboard, FakeNode, until

EN = texts("en")
ASK = """return (async (path, body) => { const answer = await fetch(path, { method: 'POST',
    headers: {'content-type': 'application/json'}, body: JSON.stringify(body) });
    return [answer.status, await answer.json()] })(...arguments)"""
PLACES = "site,node,latitude,longitude\nsite-a,map-1,-23.55000,-46.63985\nsite-a,map-2,-23.55000,-46.63905\n"
DRAWN = "main[data-drawn]"


def ask(page: Browser, path: str, **body: Any) -> Any:
    return page.js(ASK, path, body)


@pytest.fixture
def town(page: Browser, dashboard: Dashboard) -> Iterator[Browser]:
    """The map's page, empty at the end again."""
    page.open(dashboard.url + "/map")
    page.one(DRAWN)
    yield page
    engine = open_database(dashboard.database)
    with engine.begin() as connection:
        connection.execute(delete(positions))
    engine.dispose()
    ask(page, "/api/map/clear")


def enter(page: Browser, css: str) -> None:
    """Press Enter on a mark; the map may draw it anew meanwhile."""

    def pressed() -> bool:
        try:
            page.one(css).send_keys(Keys.ENTER)
        except (StaleElementReferenceException, ElementNotInteractableException):
            return False
        return True

    until(pressed, css)


def give(page: Browser, path: Path, kind: str = "degrees") -> None:
    page.one('.map-tools input[name="file"]').send_keys(str(path))
    page.js(
        "const s = document.querySelector('[name=kind]'); s.value = arguments[0]; s.dispatchEvent(new Event('change'))",
        kind,
    )
    page.click("button.upload")


def test_pipes_and_positions_are_given_by_files_and_drawn(
    town: Browser, dashboard: Dashboard, mqtt: Any, tmp_path: Path
) -> None:
    town.text(".map-nothing", EN["map.nothing"])
    inp, table = tmp_path / "town.inp", tmp_path / "places.csv"
    inp.write_text(TOWN)
    table.write_text(PLACES)
    give(town, inp)
    town.text(".map-tools .answer", "2 pipes (1 of unknown material); left out: 2")
    town.one('main[data-pipes="2"][data-unheard="2"]')
    with FakeNode(mqtt.port, "map-1") as node:
        node.online()
        node.report()
        give(town, table)
        town.text(".map-tools .answer", "Taken: 2 positions")
        town.one('main[data-positions="2"]')
        with node.alive():
            town.open(dashboard.url + "/map")
            town.one('.at-node[data-node="site-a/map-1"][data-look="ok"]')
            until(
                lambda: town.all('.map-heard tr[data-material="unknown"]:not([data-heard="0"])'), "what the node hears"
            )
        node.turn("LEAK")
        leaking = '.at-node[data-node="site-a/map-1"][data-look="leak"]'
        town.one(f'{leaking}[aria-label="site-a/map-1, Leak"]')
        enter(town, leaking)
        town.text(".map-popup", EN["state.LEAK"])
        town.text(".map-popup", EN["map.source.csv"])
        node.turn("OK")
    actions = stored(dashboard, "SELECT who, what, target FROM actions WHERE what LIKE 'map.%'")
    assert ("", "map.pipes", "town.inp") in [("", *row[1:]) for row in actions]
    assert {row[2] for row in actions if row[1] == "map.place"} == {"site-a/map-1", "site-a/map-2"}
    assert all(row[0] for row in actions), "every change has who"


def stored(dashboard: Dashboard, query: str) -> list[Any]:
    engine = open_database(dashboard.database)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def test_a_node_is_placed_by_click_by_keyboard_and_by_the_phone(town: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    ask(town, "/api/map/upload", name="town.inp", text=TOWN)
    with FakeNode(mqtt.port, "map-3") as node:
        node.report()
        town.open(dashboard.url + "/map")
        town.one(DRAWN)
        choose(town, "site-a/map-3")
        town.click("button.pick")
        ActionChains(town.driver, duration=10).move_to_element_with_offset(
            town.one(".map-place"), 40, 30
        ).click().perform()
        town.one('.at-node[data-node="site-a/map-3"]')
        (row,) = dashboard.get("/api/map")["positions"]
        assert row["source"] == "click"
        choose(town, "site-a/map-3")
        town.click("button.pick")
        town.one(".map-place").send_keys(Keys.ARROW_RIGHT, Keys.ENTER)
        moved = until(
            lambda: [r for r in dashboard.get("/api/map")["positions"] if r["longitude"] != row["longitude"]], "a move"
        )
        assert moved[0]["changed"] > row["changed"]
        here = {"latitude": -23.5495, "longitude": -46.6395, "accuracy": 6}
        town.driver.execute_cdp_cmd(
            "Browser.grantPermissions", {"permissions": ["geolocation"], "origin": dashboard.url}
        )
        town.driver.execute_cdp_cmd("Emulation.setGeolocationOverride", here)
        choose(town, "site-a/map-3")
        town.click("button.gps")
        (found,) = until(
            lambda: [r for r in dashboard.get("/api/map")["positions"] if r["source"] == "gps"], "the phone's place"
        )
        assert (found["latitude"], found["longitude"], found["accuracy"]) == (-23.5495, -46.6395, 6)
        enter(town, '.at-node[data-node="site-a/map-3"]')
        town.click(".map-popup .take-away")
        town.none(".at-node")


def choose(page: Browser, key: str) -> None:
    page.one(f'.map-tools option[value="{key}"]')
    page.js("document.querySelector('.map-tools select').value = arguments[0]", key)


def test_a_located_leak_lies_on_the_pipes_with_its_interval(town: Browser, dashboard: Dashboard) -> None:
    ask(town, "/api/map/upload", name="town.inp", text=TOWN)
    ask(town, "/api/map/upload", name="places.csv", text=PLACES)
    values = {"a": ["site-a", "map-1"], "b": ["site-a", "map-2"], "length": 90, "material": "pvc"}
    _, made = ask(town, "/api/pipes", **values)
    result = {"position_m": 60.0, "interval_95_m": [50.0, 70.0], "interval_50_m": [55.0, 65.0]}
    engine = open_database(dashboard.database)
    row = {"id": "located-1", "pipe": made["pipe"]["id"], "cause": "person", "asked_by": "ana", "state": "done"}
    row |= dict.fromkeys(("asked", "heard", "ended"), time.time()) | dict.fromkeys(("reason", "reason_node"), "")
    with engine.begin() as connection:
        connection.execute(insert(locations).values(**row, result=json.dumps(result), curves="{}"))
    engine.dispose()
    town.open(dashboard.url + "/map")
    mark = town.one(".at-leak[data-leak]")
    assert mark.get_attribute("aria-label") == "Leak 60.0 m from map-1; 95 %: 50.0 to 70.0 m"
    (stretch,) = dashboard.get("/api/map")["stretches"]
    assert stretch["routed"]
    assert [-46.6395, -23.5499] in stretch["line"], "along the pipe, which has a corner there"
    assert stretch["leak"]["place"][0] > -46.6395, "60 of 90 m: behind the corner"
    data = dashboard.get("/api/map/geojson")
    assert_rfc_7946(data)
    kinds = [feature["properties"]["kind"] for feature in data["features"]]
    assert sorted(kinds) == ["interval 95 %", "leak", "node", "node", "pipe", "pipe", "stretch"]
    town.js("arguments[0].click()", mark)
    town.click(".map-popup a.button")
    until(lambda: f"/pipes/{made['pipe']['id']}" in town.driver.current_url, "the pipe's page")
    town.open(dashboard.url + "/map")
    ask(town, f"/api/pipes/{made['pipe']['id']}/remove")
    town.none(".at-leak")


def test_many_nodes_become_clusters_with_the_worst_state_and_open_when_chosen(
    town: Browser, dashboard: Dashboard, mqtt: Any
) -> None:
    lines = [f"site-a,many-{n},{-23.55 + n * 1e-5},{-46.64 + (n % 7) * 1e-5}" for n in range(60)]
    ask(
        town, "/api/map/upload", name="p.csv", text="\n".join(["site,node,lat,lon", *lines, "site-a,far,-23.60,-46.70"])
    )
    with FakeNode(mqtt.port, "many-7") as node:
        node.turn("LEAK")
        town.open(dashboard.url + "/map")
        cluster = '.cluster[data-count="60"][data-look="leak"][aria-label="60 nodes, the most urgent: Leak"]'
        enter(town, cluster)
        town.none('.cluster[data-count="60"]')
        node.turn("OK")


def test_a_phone_has_room_for_it_and_portuguese_too(town: Browser, dashboard: Dashboard) -> None:
    from tests.dashboard.test_browser import TOO_WIDE

    ask(town, "/api/map/upload", name="town.inp", text=TOWN)
    town.js("localStorage.setItem('leakear.language', 'pt-BR')")
    town.driver.set_window_size(360, 800)
    town.open(dashboard.url + "/map")
    town.one("main[data-drawn][data-unheard]")
    town.text(".map-tools h2", texts("pt-BR")["map.files"])
    outside = town.js(TOO_WIDE.replace("!e.closest('.who-cell')", "!e.closest('.who-cell, .map-place')"))
    town.driver.set_window_size(1440, 900)
    assert outside == []


def test_wrong_files_are_refused_in_a_sentence_and_nothing_is_changed(town: Browser, dashboard: Dashboard) -> None:
    before = dashboard.get("/api/map/network")
    for name, content, why in (
        ("town.inp", "[PIPES]\nP A B x 1 1\n", "Line 2"), ("town.shp", "", "is none of .inp"),
        ("p.json", "{", "not JSON"),
        ("p.csv", PLACES + "site-a,x,100,0\n", "Line 4"),
    ):  # fmt: skip
        status, answer = ask(town, "/api/map/upload", name=name, text=content)
        assert (status, why in answer["error"], name in answer["error"]) == (422, True, True), answer
    for body in (
        {"site": "a", "node": "b", "latitude": 91, "longitude": 0, "source": "click"},
        {"source": "click"},
        {},
    ):
        assert ask(town, "/api/map/place", **body)[0] == 422
    assert dashboard.get("/api/map/network") == before
    assert dashboard.get("/api/map")["positions"] == []
    town.complaints()


def test_who_may_only_look_sees_the_map_and_changes_nothing_and_a_restart_keeps_it(
    browser: Browser, mqtt: Any, database: str, tmp_path: Path
) -> None:
    with Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path, database=database) as dashboard:
        browser.open(dashboard.url + "/map")
        browser.one(DRAWN)
        assert ask(browser, "/api/map/upload", name="town.inp", text=TOWN)[0] == 200
        assert ask(browser, "/api/map/upload", name="places.csv", text=PLACES)[0] == 200
        before = (dashboard.get("/api/map"), dashboard.get("/api/map/network"))
        dashboard.kill()
        dashboard.start()
        assert (dashboard.get("/api/map"), dashboard.get("/api/map/network")) == before
        dashboard.add_user("eva", "a good password", "view")
        browser.open(dashboard.url + "/map")
        browser.one("form.login")
        assert ask(browser, "/api/login", name="eva", password="a good password")[0] == 200
        browser.open(dashboard.url + "/map")
        browser.one('main[data-positions="2"][data-pipes="2"]')
        assert not browser.all(".map-tools button.pick, .map-tools button.upload")
        for path in ("place", "remove", "upload", "clear"):
            assert ask(browser, f"/api/map/{path}")[0] == 403, path
        browser.complaints()
        browser.open("about:blank")

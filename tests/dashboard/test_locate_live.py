"""The whole chain: two real daemons at the ends of a simulated pipe, mosquitto, the dashboard, its page."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import Browser, Dashboard, until
from tests.support.pairs import case
from tests.support.pipe_place import Draw, Place, with_ideal_clocks

LISTEN_S = 30.0
"""s after which a daemon knows the time of its samples"""


@pytest.mark.slow
def test_a_person_presses_locate_and_reads_where_the_leak_is(browser: Browser, mqtt: Any, tmp_path: Path) -> None:
    draw = Draw(with_ideal_clocks(case(3, position=30.0), 60.0), seed=3)
    with Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path) as dashboard:
        dashboard.ready()
        place = Place(1, mqtt.port, tmp_path)
        try:
            until(lambda: place.online(dashboard), "both nodes", 60)
            browser.open(dashboard.url + "/pipes")
            place.play(draw)
            place.enter(draw, browser)
            time.sleep(LISTEN_S)
            browser.open(f"{dashboard.url}/pipes/{place.pipe}")
            browser.click("button.locate")
            browser.one(".job progress")
            at = browser.one(".answer-line[data-position]", 150).get_attribute("data-position")
            assert float(at or "nan") == pytest.approx(30.0, abs=1.0)
            assert browser.complaints() == []
        finally:
            place.end()
            browser.open("about:blank")

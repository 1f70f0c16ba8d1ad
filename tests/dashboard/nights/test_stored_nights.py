"""Nights of nodes: stored once on both databases, kept for years, judged by the same rule, shown on the node's page."""

import json
import re
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from selenium.webdriver.common.by import By

from leakear.dashboard.history import History, event_row
from leakear.dashboard.history.nights import rising_since
from leakear.dashboard.history.tables import events
from leakear.dashboard.i18n import sentence, texts
from leakear.dashboard.quiet.calendar import by_hand
from leakear.dashboard.quiet.nights import quiet_nights
from leakear.dashboard.quiet.store import QuietTimes
from leakear.edge.messages.nights import Night
from leakear.edge.messages.reports import Event, ModelRef, utc_text, uuid7
from tests.support.broker import Broker
from tests.support.harness import Browser, Dashboard, FakeNode, path_of, until
from tests.support.living_node import BORN, Asker, living_node

EN = texts("en")
TODAY = (datetime.now(UTC) - timedelta(hours=4)).date()
"""of the newest night that is over by now, at any hour of the day"""


def night(level: float | None, spread: float = 2.0) -> Night:
    return Night(
        date="2026-01-01", hours="02:00-04:00", judged=1.0 if level is not None else 0.0, level_dbfs=level,
        spread_db=None if level is None else spread, steadiness=None if level is None else 0.8,
        hz=None if level is None else 630.0, histogram_from_dbfs=None if level is None else round(level),
        histogram=() if level is None else (10, 700, 10),
    )  # fmt: skip


def night_event(day: date, level: float | None, seq: int, node: str = "pit-1") -> Event:
    ended = datetime(day.year, day.month, day.day, 4, tzinfo=UTC).timestamp()
    return Event(
        id=uuid7(ended), seq=seq, site="site-a", node=node, kind="night", from_state="OK", to_state="OK",
        reason="night", window_start=utc_text(ended - 7200), window_end=utc_text(ended), clock_synced=True,
        model=ModelRef(id="m", sha256="0" * 64), night=replace(night(level), date=day.isoformat()),
    )  # fmt: skip


def a_season(rise_db: float = 8.0, nights: int = 60, risen: int = 5) -> list[Event]:
    """Nights until today; the last ones are louder, one before heard nothing."""
    first = TODAY - timedelta(days=nights - 1)
    levels: list[float | None] = [
        -60.0 + number % 3 + (rise_db if number >= nights - risen else 0.0) for number in range(nights)
    ]
    levels[20] = None
    return [night_event(first + timedelta(days=number), level, number + 1) for number, level in enumerate(levels)]


def test_a_season_of_nights_is_stored_once_and_judged(engine: Any) -> None:
    history, season = History(engine), a_season()
    rows = [event_row(event, time.time()) for event in season]
    assert len(history.record(rows)) == 60
    assert history.record(rows) == []
    again = [event_row(replace(event, id=uuid7()), time.time()) for event in season]
    assert len(history.record(again)) == 60, "another event, the same night"
    found = history.nights.of_node(("site-a", "pit-1"), 0.0)
    assert [one["date"] for one in found["nights"]] == [event.night.date for event in season if event.night]
    assert found["known"] == 59
    assert found["rising"]
    (rise,) = found["rises"]
    assert rise["since"] == (TODAY - timedelta(days=4)).isoformat()
    assert rise["by"] > 6
    assert rise["false_per_year"] < 0.5
    assert found["nights"][-1]["histogram"] == [10, 700, 10]
    assert history.nights.of_node(("site-a", "other"), 0.0)["nights"] == []


def test_only_the_nights_asked_for_are_shown_but_all_are_judged(engine: Any) -> None:
    history = History(engine)
    history.record([event_row(event, time.time()) for event in a_season()])
    found = history.nights.of_node(("site-a", "pit-1"), time.time() - 10 * 86400)
    assert 9 <= len(found["nights"]) <= 10
    assert found["known"] == 59
    assert found["rising"]


def test_nights_of_a_quiet_time_are_shown_and_not_judged(engine: Any) -> None:
    history, quiet = History(engine), QuietTimes(engine)
    history.record([event_row(event, time.time()) for event in a_season()])
    at_one = datetime(TODAY.year, TODAY.month, TODAY.day, 1, tzinfo=UTC).timestamp()
    entry = by_hand("Park", at_one - 4 * 86400, at_one - 4 * 86400 + 2 * 3600, "UTC", "daily")
    (added,) = quiet.add("site-a", "", "irrigation", [entry], who="ana")
    with engine.connect() as connection:
        assert rising_since(connection, ("site-a", "pit-1")) is None
    found = history.nights.of_node(("site-a", "pit-1"), 0.0)
    assert [one["quiet"] for one in found["nights"]] == [None] * 55 + ["irrigation"] * 5
    assert (found["known"], found["rises"], found["rising"]) == (54, [], False)
    assert found["nights"][-1]["level"] > -55, "it is shown"
    assert history.nights.of_node(("site-b", "pit-1"), 0.0)["nights"] == []
    quiet.remove(added, "ana")
    assert history.nights.of_node(("site-a", "pit-1"), 0.0)["rising"], "a mistake hides no leak"
    with engine.connect() as connection:
        rising = rising_since(connection, ("site-a", "pit-1"))
    assert rising is not None
    assert re.search(r"without a leak once in \d+ node-years$", rising[1])
    assert sentence(rising[1], "pt-BR").startswith("as noites sobem desde")


def test_a_daily_quiet_time_of_years_is_reckoned_to_its_end(engine: Any) -> None:
    QuietTimes(engine).add("a", "n", "filling", [by_hand("", 1.5e9, 1.5e9 + 60, "UTC", "daily")], who="ana")
    nights = [(1.5e9 + n * 86400 - 3600, 1.5e9 + n * 86400 + 3600) for n in range(1000)]
    with engine.connect() as connection:
        assert quiet_nights(connection, ("a", "n"), nights) == ["filling"] * 1000
        assert quiet_nights(connection, ("a", "other"), nights) == [None] * 1000


def test_nights_are_no_entries_of_the_log_and_go_when_they_are_old(engine: Any) -> None:
    history = History(engine)
    history.record([event_row(event, time.time()) for event in a_season()])
    assert history.node_events(("site-a", "pit-1"), 0.0) == []
    assert history.counts() == {"open": 0}
    history.sweep(time.time() + 30 * 86400, 60 * 86400)
    assert 29 <= len(history.nights.of_node(("site-a", "pit-1"), 0.0)["nights"]) <= 31
    with engine.connect() as connection:
        assert len(connection.execute(events.select()).all()) <= 31


def test_a_night_that_is_no_day_ends_nothing(mqtt: Any, dashboard: Dashboard) -> None:
    """One such message ended the dashboard, and the broker brought it again at each start."""
    with FakeNode(mqtt.port, "pit-30") as node:
        event = night_event(TODAY, -60.0, 1, "pit-30").to_dict()
        node.raw("event", json.dumps(event | {"night": event["night"] | {"date": "2026-02-30"}}).encode())
        node.raw("event", night_event(TODAY, -60.0, 2, "pit-30").to_json())
        found = until(
            lambda: dashboard.get("/api/nodes/site-a/pit-30/nights?days=9")["nights"], "the night that is one"
        )
        assert [one["date"] for one in found] == [TODAY.isoformat()]


def test_the_page_of_a_node_shows_its_nights(page: Browser, dashboard: Dashboard, mqtt: Any) -> None:
    with FakeNode(mqtt.port, "pit-1") as node:
        node.report()
        season = a_season()
        for event in season[:-1]:
            node.raw("event", event.to_json())
        until(lambda: len(dashboard_nights(page, dashboard)) == 59, "59 nights")
        page.open(dashboard.url + path_of(node))
        page.one('.nights[data-nights="59"][data-rises="1"]')
        assert "Lasting rise since" in page.one(".nights-verdict").text
        assert len(page.all(".histogram .bars span")) == 3
        node.raw("event", season[-1].to_json())
        page.one('.nights[data-nights="60"]')
        node.turn("LEAK")
        page.click(".nights .ranges button:nth-of-type(1)")
        page.one('.nights[data-nights="30"][data-marks="1"]')
        choice = page.one(".night-choice select")
        choice.find_elements(By.TAG_NAME, "option")[3].click()
        page.text(".night-detail", "02:00-04:00")
        assert not page.all('.log .entry[data-subject="night"]'), "nights are no entries of the log"


def dashboard_nights(page: Browser, dashboard: Dashboard) -> list[Any]:
    asked = "return (await (await fetch('/api/nodes/site-a/pit-1/nights?days=90')).json()).nights ?? []"
    page.open(dashboard.url)
    found = page.driver.execute_async_script(
        f"const end = arguments[arguments.length - 1]; (async () => {{ {asked} }})().then(end)"
    )
    assert isinstance(found, list)
    return found


def test_a_real_node_reports_its_night_once_through_the_outbox(broker: Broker, tmp_path: Any) -> None:
    """The node was started at 08:00; its quietest hours are two minutes."""
    hours = {"night": "08:01-08:03", "time_zone": "UTC"}
    rule = {"span_s": 60, "confirm_s": 30, "clear_s": 30, "noisy_s": 60}
    with living_node(broker, tmp_path, decision=rule | hours) as life, Asker(broker, life) as asker:
        life.hear(5 * 60)
        heard = life.pump_until(lambda: nights_of(asker), "night")
        life.pump_until(lambda: life.node.outbox.depth == 0, "acknowledgement")
        assert len(heard) == 1
        (found,) = heard
        assert (found.kind, found.seq) == ("night", 1)
        assert found.night is not None
        assert found.night.date == datetime.fromtimestamp(BORN, UTC).date().isoformat()
        assert found.night.hours == "08:01-08:03"
        assert found.night.judged == 1.0
        assert sum(found.night.histogram) == 12
        assert len(nights_of(asker)) == 1


def nights_of(asker: Asker) -> list[Event]:
    sent = [Event.from_json(message.payload) for message in asker.seen.on("leakear/hill/pit-7/event")]
    return [event for event in sent if event.kind == "night"]

"""Ingest workers with a real broker and PostgreSQL: nothing lost, nothing twice, each alert raised once."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from leakear.dashboard.cli import main
from leakear.dashboard.history.tables import events, notices, open_database, samples
from leakear.dashboard.ingest.tables import arrivals, readings, workers
from tests.support.broker import Broker
from tests.support.harness import Dashboard, FakeNode, until
from tests.support.ingest_worker import Worker
from tests.support.postgres import Postgres

NOBODY_LISTENS = "json://127.0.0.1:9/alerts\n"
"""an address that takes nothing: each alert raised stays in `notices`"""


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.new_database()


@pytest.fixture
def stored(url: str) -> Iterator[Callable[[Any], int]]:
    """Counts rows of a table."""
    engine = open_database(url)
    yield lambda table: count(engine, table)
    engine.dispose()


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def elsewhere(mqtt: Broker, url: str, tmp_path: Path) -> Dashboard:
    """A dashboard that takes events from the database, with an address that fails; not started."""
    addresses = tmp_path / "addresses"
    addresses.write_text(NOBODY_LISTENS)
    addresses.chmod(0o600)
    options = ("--ingest", "elsewhere", "--notify", str(addresses), "--lost-after", "600")
    return Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path, *options, database=url)


def test_each_event_is_stored_and_raised_once_whatever_is_killed(
    mqtt: Broker, url: str, stored: Callable[[Any], int], elsewhere: Dashboard, tmp_path: Path
) -> None:
    """Workers and dashboard are killed while events come, and some events come twice."""
    team = [Worker(name, mqtt.port, url, tmp_path).ready() for name in ("1", "2")]
    elsewhere.start().ready()
    with FakeNode(mqtt.port) as node:
        for n in range(60):
            event = node.turn("OK" if n % 2 else "LEAK")
            if n % 5 == 0:
                node.raw("event", event.to_json())
            if n % 20 == 7:
                team[n % 3 % 2].kill()
                team[n % 3 % 2].start()
            if n % 20 == 13:
                elsewhere.kill()
                elsewhere.start()
        until(lambda: stored(events) == 60, "all events")
        until(lambda: stored(arrivals) == 0, "an empty queue")
        assert stored(notices) == 60  # of 30 LEAKs and their ends, for one address
        rows = elsewhere.get("/api/alerts?filter=all")["rows"]
        assert sorted(row["seq"] for row in rows) == list(range(1, 61))
        case = elsewhere.get("/api/cases")["cases"][0]
        assert len(case["changes"]) == 30  # opened by the first LEAK, noted by the others
    for worker in team:
        worker.stop()
    elsewhere.stop()


def test_what_comes_while_the_database_is_away_waits_at_the_broker(mqtt: Broker, tmp_path: Path) -> None:
    with Postgres() as server:
        url = server.new_database()
        team = [Worker(name, mqtt.port, url, tmp_path).ready() for name in ("1", "2")]
        with FakeNode(mqtt.port, "waits") as node:
            node.turn("LEAK")
            engine = open_database(url)
            until(lambda: count(engine, events) == 1, "the first event")
            engine.dispose()
            server.kill()
            for _ in range(300):
                node.turn("LEAK")
            node.report()
            server.start()
            engine = open_database(url)
            until(lambda: count(engine, events) == 301 and count(engine, readings) == 1, "all that waited")
            engine.dispose()
        for worker in team:
            worker.stop()


def test_the_share_of_a_worker_that_is_away_waits_for_its_name(
    mqtt: Broker, url: str, stored: Callable[[Any], int], tmp_path: Path
) -> None:
    """mosquitto gives a share to members that are away, too; --leave takes it and gives the membership up."""
    first, second = (Worker(name, mqtt.port, url, tmp_path).ready() for name in ("1", "2"))
    second.kill()
    with FakeNode(mqtt.port, "shares") as node:
        for _ in range(20):
            node.turn("LEAK")
        until(lambda: stored(events) == 10, "the share of the other")
        leaving = Worker("2", mqtt.port, url, tmp_path, "--leave")
        assert leaving.ended().endswith("left\n")
        assert stored(events) == 20
        assert stored(workers) == 1
        for _ in range(10):
            node.turn("LEAK")
        until(lambda: stored(events) == 30, "all, by the one that is left")
    first.stop()


def test_a_report_sent_twice_counts_once_in_its_minute(
    mqtt: Broker, url: str, stored: Callable[[Any], int], tmp_path: Path
) -> None:
    with FakeNode(mqtt.port, "twice") as node:
        node.report()  # kept by the broker, measured before there was a worker
        time.sleep(0.01)  # the next report is of another millisecond
        worker = Worker("1", mqtt.port, url, tmp_path).ready()
        report = node.make_state(0.25, -50.0).to_json()
        for _ in range(3):
            node.raw("state", report, retain=True)
        node.telemetry()
        until(lambda: stored(readings) == 2, "both reports")
        engine = open_database(url)
        with engine.connect() as connection:
            minutes = connection.execute(select(samples)).all()
            assert sum(row.level_n for row in minutes) == 2, (minutes, connection.execute(select(readings)).all())
        engine.dispose()
        worker.stop()


def test_events_that_wait_for_a_dashboard_are_not_lost_when_workers_take_over(
    mqtt: Broker, url: str, stored: Callable[[Any], int], elsewhere: Dashboard, tmp_path: Path
) -> None:
    """What the broker keeps for the one process of before is delivered to it, and nothing more."""
    before = Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path, database=url)
    before.start().ready()
    before.kill()
    with FakeNode(mqtt.port, "moves") as node:
        node.turn("LEAK")
        with Worker("1", mqtt.port, url, tmp_path):
            elsewhere.start().ready()
            until(lambda: stored(events) == 1, "the event that waited")
            node.turn("OK")
            until(lambda: stored(events) == 2, "the event for the worker")
            until(lambda: stored(notices) == 2, "the alert and its end")
            elsewhere.stop()


def test_one_dashboard_at_a_time_raises_alerts(mqtt: Broker, url: str, elsewhere: Dashboard, tmp_path: Path) -> None:
    other = Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path, "--ingest", "elsewhere", database=url)
    elsewhere.start().ready()
    other.start()
    other.until("/api/me", lambda me: me["line"]["connected"] and not me["line"]["leads"])
    elsewhere.kill()
    other.until("/api/me", lambda me: me["line"]["leads"])
    other.stop()


def test_the_page_says_that_a_worker_is_missing(mqtt: Broker, elsewhere: Dashboard) -> None:
    with elsewhere as running:
        running.until("/api/me", lambda me: "No ingest worker" in (me["line"]["trouble"] or ""))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ingest", "--database", "sqlite:///x.sqlite"], "Ingest workers need PostgreSQL"),
        (["ingest", "--database", "postgresql+psycopg://u@h/n", "--name", "a b"], "--name is 'a b'"),
        (["ingest", "--database", "postgresql+psycopg://u@h/n", "--mqtt-version", "3.1.1"], "needs MQTT 5"),
        (["--ingest", "elsewhere", "--database", "sqlite:///x.sqlite"], "--ingest elsewhere needs PostgreSQL"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--broker", "mqtt://127.0.0.1"]) == 78
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1

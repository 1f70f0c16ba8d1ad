"""The pages' queries read few of many events: by the plans of the database itself."""

import logging
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, or_, select, text

from bench.city import events_of
from bench.city_plans import faults, plans
from leakear.dashboard.alerting.alerts import Alerts
from leakear.dashboard.history import History
from leakear.dashboard.history.tables import events, nodes, open_database
from leakear.edge.messages.reports import Identity
from tests.support.postgres import Postgres

NODES = 60


def fill(engine: Engine) -> None:
    import random

    chance, now = random.Random(1), time.time()
    names = [Identity("zone", f"ear-{n}") for n in range(NODES)]
    seen = {"site": "zone", "first_seen": now, "last_seen": now, "last_seq": 0, "gaps": "[]"}
    with engine.begin() as connection:
        connection.execute(insert(nodes), [seen | {"node": who.node} for who in names])
        connection.execute(insert(events), [row for who in names for row in events_of(who, chance, now)])


def by_reading(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        if not line.startswith(" "):
            reading = line.partition(": ")[0]
        found[reading] = found.get(reading, "") + line + "\n"
    return found


@pytest.mark.parametrize(("reading", "index"), [
    ("open alerts, counted", "events_open"), ("log, open", "events_open"), ("log, alerts", "events_alerts"),
    ("log, leaks", "events_alerts"), ("log, a name", "events_alerts"), ("log, judged", "events_judged"),
    ("log, everything", "events_by_time"), ("node, events of a month", "events_by_node"),
    ("node, state before", "events_by_node"), ("judged states", "events_judged"),
])  # fmt: skip
def test_a_reading_uses_its_index(reading: str, index: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/city.sqlite"
    engine = open_database(url)
    fill(engine)
    engine.dispose()
    said = by_reading(list(plans(url)))[reading]
    assert index in said
    assert "SCAN events\n" not in said


def test_an_older_database_gets_the_indexes_that_it_lacks(engine: Engine) -> None:
    with engine.begin() as connection:
        for name in ("events_alerts", "events_open", "events_judged"):
            connection.execute(text(f"DROP INDEX {name}"))
    opened = open_database(engine.url.render_as_string(hide_password=False))
    with opened.begin() as connection:
        for name in ("events_alerts", "events_open", "events_judged"):
            connection.execute(text(f"DROP INDEX {name}"))
    opened.dispose()


def test_the_last_change_of_a_node_that_was_judged_no_leak_counts(engine: Engine) -> None:
    fill(engine)
    with engine.begin() as connection:
        rows = connection.execute(events.select().order_by(events.c.happened)).all()
        last = {row.node: row for row in rows}
        earlier = next(row for row in rows if row.id != last[row.node].id and row.node == "ear-1")
        for row in (last["ear-0"], earlier):
            connection.execute(events.update().where(events.c.id == row.id).values(verdict="false-alarm"))
    assert History(engine).judged_states() == {("zone", "ear-0"): (last["ear-0"].to_state, last["ear-0"].window_end)}


def filled_without_trigrams(url: str) -> Engine:
    """Fill a database as a version before decision 199 left it."""
    engine = open_database(url)
    fill(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX events_by_text"))
        connection.execute(text("DROP EXTENSION pg_trgm"))
    return engine


def test_postgresql_searches_the_log_by_an_index_that_older_databases_get(postgres: Postgres) -> None:
    url = postgres.new_database()
    filled_without_trigrams(url).dispose()
    url += "?options=-c%20enable_seqscan%3Doff"  # so few rows are read at once otherwise
    engine = open_database(url)
    found = or_(*(column.ilike("%nobody%") for column in (events.c.site, events.c.node, events.c.note)))
    with engine.connect() as connection:
        asked = str(select(events.c.id).where(found).compile(engine, compile_kwargs={"literal_binds": True}))
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {asked}").scalars())
    engine.dispose()
    assert plan.count("site_node_note_idx") >= 3
    assert [line for line in faults(list(plans(url))) if "Seq Scan" in line] == []


def test_a_database_without_the_extension_is_searched_all_the_same(
    postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.new_database()
    engine = filled_without_trigrams(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE plain LOGIN"))
        connection.execute(text("GRANT pg_read_all_data, pg_write_all_data TO plain"))
    engine.dispose()
    with caplog.at_level(logging.WARNING):
        opened = open_database(url.replace("leakear@", "plain@"))
    assert "searches in the log go without an index" in caplog.text
    assert Alerts(opened, History(opened)).page("all", "EAR-17")
    opened.dispose()

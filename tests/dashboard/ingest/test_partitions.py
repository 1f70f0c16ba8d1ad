"""Partitions on PostgreSQL: what belongs where, what is moved, what is dropped."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text

from leakear.dashboard.history import partitions
from leakear.dashboard.history.tables import open_database, samples
from leakear.dashboard.ingest.tables import readings

NOW = datetime(2031, 5, 30, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def server(postgres: Any) -> Any:
    engine = open_database(postgres.new_database())
    yield engine
    engine.dispose()


def reading(at: float) -> dict[str, Any]:
    return {
        "site": "a",
        "node": "b",
        "at": at,
        "kind": "s",
        "received": at,
        "score": None,
        "level": -60.0,
        "floor": None,
    }


def rows_in(engine: Any, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {table}")))


def test_partitions_are_made_ahead_and_months_have_their_lengths(server: Any) -> None:
    partitions.prepare(server, NOW)
    with server.connect() as connection:
        assert {"events_2031_05", "events_2031_06"} < set(partitions.names(connection, partitions.EVENTS))
        assert {"readings_2031_05_29", "readings_2031_06_01"} < set(partitions.names(connection, partitions.READINGS))
    assert partitions.EVENTS.end_of("events_2031_12") == datetime(2032, 1, 1, tzinfo=UTC).timestamp()
    assert partitions.EVENTS.end_of("events_other") is None


def test_what_came_before_its_partition_is_moved_into_it(server: Any) -> None:
    with server.begin() as connection:
        connection.execute(insert(readings), [reading(NOW), reading(1e12)])
    assert rows_in(server, "readings_other") == 2
    partitions.prepare(server, NOW)
    assert rows_in(server, "readings_other") == 1
    assert rows_in(server, "readings_2031_05_30") == 1


def test_old_partitions_are_dropped_unless_a_row_is_kept(server: Any) -> None:
    partitions.prepare(server, NOW)
    with server.begin() as connection:
        connection.execute(insert(readings), [reading(NOW - 86400), reading(NOW)])
    before = NOW + 86400
    dropped = partitions.drop(server, partitions.READINGS, before, kept=f"received >= {NOW}")
    assert "readings_2031_05_29" in dropped
    assert "readings_2031_05_30" not in dropped
    with server.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(readings)) == 1


def test_minutes_and_hours_are_apart(server: Any) -> None:
    zero = dict.fromkeys(("score_n", "score_sum", "level_n", "level_sum", "floor_n", "floor_sum"), 0)
    key = {"site": "a", "node": "b", "start": int(NOW)}
    with server.begin() as connection:
        connection.execute(insert(samples), [key | zero | {"seconds": 60}, key | zero | {"seconds": 3600}])
    assert rows_in(server, "samples_minutes") == rows_in(server, "samples_hours") == 1


def test_tables_of_an_older_version_stay_in_one_piece(postgres: Any) -> None:
    url = postgres.new_database()
    old = open_database(url)
    with old.begin() as connection:
        for table in ("events", "nights", "samples"):
            connection.execute(text(f"CREATE TABLE copy_{table} (LIKE {table} INCLUDING ALL)"))
            connection.execute(text(f"DROP TABLE {table}"))
            connection.execute(text(f"ALTER TABLE copy_{table} RENAME TO {table}"))
    old.dispose()
    engine = open_database(url)
    with engine.connect() as connection:
        assert partitions.names(connection, partitions.EVENTS) == []
        assert partitions.drop(engine, partitions.EVENTS, NOW) == []
    engine.dispose()

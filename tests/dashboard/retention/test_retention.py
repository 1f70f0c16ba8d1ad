"""What is kept: sizes, pruning in batches, export to Parquet, and restoring a backup, on SQLite and PostgreSQL."""

import os
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from sqlalchemy import func, select

from leakear.dashboard.cli import main
from leakear.dashboard.fleet.ring import Sums
from leakear.dashboard.history import History, event_row, pruning
from leakear.dashboard.history.samples import Samples
from leakear.dashboard.history.tables import actions, events, nights, open_database, samples
from leakear.dashboard.ingest.arrivals import put
from leakear.dashboard.ingest.readings import reading_row, store_readings, sweep_readings
from leakear.dashboard.ingest.tables import arrivals, readings
from leakear.dashboard.options import ServeOptions
from leakear.dashboard.retention.sweeping import sweep
from leakear.dashboard.retention.tiers import sizes
from leakear.edge.messages.reports import Identity, Telemetry, utc_text
from tests.dashboard.test_history import NOW, event
from tests.support.postgres import Postgres, programs

DAY = 86400.0


def fill(engine: Any) -> None:
    """Two nodes: 40 events over 40 days, minutes of two hours and their hours."""
    history, store = History(engine), Samples(engine)
    history.record([event_row(event(n, at=NOW - n * DAY), NOW) for n in range(1, 41)])
    for node in ("a", "b"):
        buckets = [(("site", node), Sums(int(NOW // 3600) * 3600 + 60 * n, 1, 0.5, 0.5)) for n in range(120)]
        store.add(buckets)
    store.roll_up(NOW + 3 * 3600)
    history.record_action("ana", "set", "site/a")


def count(engine: Any, table: Any, *where: Any) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table).where(*where)) or 0


def test_old_rows_go_in_batches_and_young_ones_stay(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "AT_ONCE", 3)
    fill(engine)
    options = ServeOptions(keep_events=10 * DAY + 60, keep_minutes=DAY, keep_hours=DAY * 400)
    sweep(History(engine), Samples(engine), options, NOW)
    assert count(engine, events) == 10
    sweep(History(engine), Samples(engine), options, NOW + 5 * DAY)
    assert count(engine, samples, samples.c.seconds == 60) == 0
    assert count(engine, samples, samples.c.seconds == 3600) == 4


def test_a_month_of_events_is_dropped_whole(postgres: Postgres) -> None:
    engine = open_database(postgres.new_database())
    now = time.time()
    made = [event_row(event(n, at=now), now) for n in range(3)]
    History(engine).record(made)
    assert "events_other" not in _places(engine)
    later = now + 70 * DAY
    sweep(History(engine), Samples(engine), ServeOptions(keep_events=DAY), later)
    month = datetime.fromtimestamp(now, UTC)
    with engine.connect() as connection:
        assert connection.scalar(select(func.to_regclass(f"events_{month:%Y_%m}"))) is None
    assert count(engine, events) == 0
    engine.dispose()


def _places(engine: Any) -> set[str]:
    with engine.connect() as connection:
        return {row[0] for row in connection.exec_driver_sql("SELECT DISTINCT tableoid::regclass::text FROM events")}


def report(at: float) -> Telemetry:
    return Telemetry(
        time=utc_text(at), uptime_s=5, level_dbfs=-60, noise_floor_dbfs=-70, noise_floor_drift_db=0.1, score=0.1,
        windows_produced=5, windows_scored=5, windows_discarded=0, windows_dropped=0, overruns=0, reconnects=0,
        real_time_factor=0.02, queue_depth=0, queue_bytes=0, temperature_c=40, disk_free_bytes=1, rss_bytes=1,
        certificate_expires=None, clock_synced=False,
    )  # fmt: skip


def test_readings_with_a_wrong_clock_go_with_their_arrival(postgres: Postgres) -> None:
    engine = open_database(postgres.new_database())
    who = Identity("site", "clockless")
    rows = [reading_row(who, report(at), NOW + late) for at, late in ((1e6, 0), (1e6 + 60, 2 * DAY), (9e9, 0))]
    assert store_readings(engine, Samples(engine), [row for row in rows if row] * 2) == 3
    assert count(engine, samples) == 2, "a minute is that of the arrival"
    sweep_readings(engine, NOW + DAY)
    assert count(engine, readings) == 1
    engine.dispose()


def test_the_command_prints_bytes_of_a_node_year(
    engine: Any, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(engine)
    found = {size.tier.name: size for size in sizes(engine)}
    assert found["minutes"].rows == 240
    assert found["hours"].rows == 4
    assert 50 < (found["minutes"].per_row or 0) < 5000
    assert found["minutes"].per_node_year == pytest.approx((found["minutes"].per_row or 0) * 1440 * 365.25)
    assert found["nights"].per_node_year is None
    assert main(["retention", "--database", database, "--tier", "events"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:3] == ["events", "40", "1"]


def test_parquet_holds_what_the_database_holds(
    engine: Any, database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(engine)
    assert main(["retention", "--database", database, "--parquet", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    tables = [parquet.read_table(path) for path in (tmp_path / "out").glob("events-*.parquet")]
    assert len(tables) > 1, "a file a month"
    seqs = sorted(seq for table in tables for seq in table["seq"].to_pylist())
    assert seqs == list(range(1, 41))
    (minutes,) = (parquet.read_table(path) for path in (tmp_path / "out").glob("minutes-*.parquet"))
    assert minutes.num_rows == 240
    assert set(minutes.column_names) == {column.name for column in samples.columns}


def test_without_pyarrow_one_sentence_says_what_to_install(
    database: str, engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    fill(engine)
    assert main(["retention", "--database", database, "--parquet", str(tmp_path / "out")]) == 78
    assert "pip install 'leakear[parquet]'" in capsys.readouterr().err


def test_a_copy_of_the_sqlite_file_is_a_backup(tmp_path: Path) -> None:
    """Made with SQLite's own backup while the database is in use."""
    kept = open_database(f"sqlite:///{tmp_path}/kept.sqlite")
    fill(kept)
    with sqlite3.connect(tmp_path / "kept.sqlite") as line, sqlite3.connect(tmp_path / "copy.sqlite") as copy:
        line.backup(copy)
    History(kept).record([event_row(event(99), NOW)])
    kept.dispose()
    restored = open_database(f"sqlite:///{tmp_path}/copy.sqlite")
    assert [count(restored, table) for table in (events, samples, actions)] == [40, 244, 1]
    assert len(History(restored).record([event_row(event(99), NOW)])) == 1
    restored.dispose()


def test_pg_dump_and_pg_restore_bring_everything_back(postgres: Postgres, tmp_path: Path) -> None:
    """Partitions, the queue of events and its numbers come back; the restored database goes on."""
    url, other = postgres.new_database(), postgres.new_database()
    kept = open_database(url)
    fill(kept)
    with kept.begin() as connection:
        put(connection, [{"id": "1" * 36}])
    kept.dispose()
    file = tmp_path / "dump"
    for program, *words in (
        ("pg_dump", "--format=custom", f"--file={file}", f"--dbname={plain(url)}"),
        ("pg_restore", "--exit-on-error", f"--dbname={plain(other)}", str(file)),
    ):
        subprocess.run([str(programs() / program), *words], check=True, env=os.environ)
    restored = open_database(other)
    assert [count(restored, table) for table in (events, samples, nights, arrivals)] == [40, 244, 0, 1]
    with restored.begin() as connection:
        put(connection, [{"id": "2" * 36}])
    assert count(restored, arrivals) == 2
    assert len(History(restored).record([event_row(event(99), NOW)])) == 1
    restored.dispose()


def plain(url: str) -> str:
    return url.replace("+psycopg", "")

"""Dividing a database of an older version: under load, killed in the middle, nothing lost and nothing doubled."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, select, text, update
from sqlalchemy.exc import OperationalError

from bench.city import fill, names
from leakear.dashboard.cli import main
from leakear.dashboard.fleet.ring import Sums
from leakear.dashboard.history import event_row, insert_new, partitions
from leakear.dashboard.history.ingest import store
from leakear.dashboard.history.samples import Samples
from leakear.dashboard.history.tables import events, nights, open_database, samples
from leakear.dashboard.retention import moving
from tests.dashboard.test_history import event
from tests.support.one_piece import in_one_piece
from tests.support.postgres import Postgres

NODES = 2500


class Load(threading.Thread):
    """What ingest and people do, all the time; it notes what the database has confirmed."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine, self._samples, self._chance = engine, Samples(engine), random.Random(1)
        with engine.connect() as connection:
            found = connection.execute(select(events.c.id, events.c.acknowledged)).all()
            self.events: dict[str, float | None] = {row.id: row.acknowledged for row in found}
            self.levels = connection.scalar(select(func.sum(samples.c.level_n))) or 0
        self.ended, self.longest, self.rounds, self.failed = threading.Event(), 0.0, 0, 0
        self._keys = [(who.site, who.node) for who in names(NODES)]
        self._seq = 0

    def run(self) -> None:
        while not self.ended.is_set():
            for work in (self._new_events, self._minutes, self._acknowledge, self._delete):
                began = time.monotonic()
                try:
                    work()
                except OperationalError:  # a deadlock: a worker tries again, too
                    self.failed += 1
                self.longest = max(self.longest, time.monotonic() - began)
            self.rounds += 1

    def _new_events(self) -> None:
        now, rows = time.time(), []
        for _ in range(20):
            self._seq += 1
            rows.append(event_row(event(100_000 + self._seq, at=now), now))
        store(self._engine, rows)
        self.events |= {row["id"]: None for row in rows}
        store(self._engine, rows)  # what comes twice counts once

    def _minutes(self) -> None:
        now = int(time.time() // 60) * 60
        chosen = self._chance.sample(self._keys, 100)
        sums = [(key, Sums(now - 60 * self._chance.randrange(4), level_n=1, level_sum=-60.0)) for key in chosen]
        self._samples.add(sums)
        self.levels += len(sums)

    def _acknowledge(self) -> None:
        now = time.time()
        some = self._chance.sample(list(self.events), 20)
        with self._engine.begin() as connection:
            connection.execute(update(events).where(events.c.id.in_(sorted(some))).values(acknowledged=now))
        self.events |= dict.fromkeys(some, now)

    def _delete(self) -> None:
        some = self._chance.sample(list(self.events), 5)
        with self._engine.begin() as connection:
            connection.execute(delete(events).where(events.c.id.in_(sorted(some))))
        for each in some:
            del self.events[each]


@pytest.fixture(scope="module")
def old(postgres: Postgres) -> str:
    """A database in one piece with the history of some thousand nodes."""
    url = postgres.new_database()
    in_one_piece(url)
    engine = open_database(url)
    fill(engine, NODES)
    engine.dispose()
    return url


def begun(url: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "leakear.dashboard.cli", "retention", "--partition", "--database", url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.timeout(300)
def test_under_load_and_killed_in_the_middle_nothing_is_lost_or_doubled(old: str) -> None:
    engine = open_database(old)
    load = Load(engine)
    load.start()
    try:
        for name in ("nights", "events", "samples"):  # killed once in each table
            moving_on = begun(old)
            assert moving_on.stdout is not None
            line = next(line for line in moving_on.stdout if f"{name}: " in line and "copied" in line)
            os.kill(moving_on.pid, signal.SIGKILL)
            moving_on.wait(20)
            assert line.startswith(name)
        last = begun(old)
        said, _ = last.communicate(timeout=200)
        assert last.returncode == 0, said
        time.sleep(0.5)
    finally:
        load.ended.set()
        load.join()
    print(f"\n{load.rounds} rounds of load, {load.failed} refused, the longest wait {load.longest:.2f} s")
    assert load.rounds > 20
    compare(engine, load)
    engine.dispose()


def compare(engine: Engine, load: Load) -> None:
    with engine.connect() as connection:
        for table in (events, nights, samples):
            assert partitions.is_partitioned(connection, table.name)
            assert connection.scalar(select(func.to_regclass(table.name + moving.NEW))) is None
        found = Counter(connection.scalars(select(events.c.id)))
        assert set(found) == set(load.events)
        assert set(found.values()) == {1}
        noted = connection.execute(select(events.c.id, events.c.acknowledged)).all()
        assert {row.id: row.acknowledged for row in noted} == load.events
        assert connection.scalar(select(func.sum(samples.c.level_n))) == load.levels
        assert connection.scalar(select(func.count()).select_from(nights)) == 3 * NODES
        here = "SELECT count(*) FROM pg_trigger WHERE tgname = 'leakear_mirror'"
        assert connection.scalar(text(here)) == 0
        indexes = set(connection.scalars(text("SELECT indexname FROM pg_indexes WHERE tablename = 'events'")))
    assert indexes == {index.name for index in events.indexes} | {"events_pkey", "events_by_text"}
    row = event_row(event(1, at=time.time()), time.time())
    assert len(store(engine, [row, row]).new) == 1


def test_a_copy_that_differs_does_not_take_the_place(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres.new_database()
    in_one_piece(url)
    engine = open_database(url)
    fill(engine, 5)
    switched: list[Any] = []
    monkeypatch.setattr(moving, "_switch", lambda _, move: switched.append(move.name))
    monkeypatch.setattr(moving, "MOVES", moving.MOVES[1:2])
    kept = moving._copy

    def losing(connection: Any, move: Any) -> Any:
        done = kept(connection, move)
        connection.execute(text("DELETE FROM events_moving WHERE id IN (SELECT id FROM events_moving LIMIT 1)"))
        return done

    monkeypatch.setattr(moving, "_copy", losing)
    assert main(["retention", "--partition", "--database", url]) == 78
    assert switched == []
    engine.dispose()


def test_one_at_a_time_and_not_on_sqlite(postgres: Postgres, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    url = postgres.new_database()
    in_one_piece(url)
    engine = open_database(url)
    with engine.connect() as connection:
        connection.execute(select(func.pg_advisory_lock(moving.LOCK)))
        assert main(["retention", "--partition", "--database", url]) == 78
    assert "is at work on this database" in capsys.readouterr().err
    engine.dispose()
    open_database(f"sqlite:///{tmp_path}/x.sqlite").dispose()
    assert main(["retention", "--partition", "--database", f"sqlite:///{tmp_path}/x.sqlite"]) == 78
    assert "SQLite has no partitions" in capsys.readouterr().err


def test_what_stands_elsewhere_than_its_time_is_in_the_last_partition(postgres: Postgres) -> None:
    url = postgres.new_database()
    in_one_piece(url)
    engine = open_database(url)
    zero = dict.fromkeys(("score_n", "score_sum", "level_n", "level_sum", "floor_n", "floor_sum"), 0)
    key = {"site": "a", "node": "b", "seconds": 60}
    with engine.begin() as connection:
        connection.execute(
            insert_new(engine, samples), [key | zero | {"start": start} for start in (60, 4_000_000_020)]
        )
    assert main(["retention", "--partition", "--database", url]) == 0
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM samples_minutes_other")) == 2
    engine.dispose()

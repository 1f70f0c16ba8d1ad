"""The outbox alone: order, restart, bounds."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakear.edge.errors import ConfigError
from leakear.edge.outbox.queue import Outbox, OutboxOptions
from tests.support.factory import Time, event, events

SMALL = OutboxOptions(max_bytes=2**14, memory_bytes=2**14, settle_s=10, retry_s=0.05)


def test_events_survive_a_restart_in_order_and_numbered_without_gap(tmp_path: Path) -> None:
    sent = []
    for _ in range(3):
        with Outbox(tmp_path / "outbox.db") as box:
            sent += [box.put(event()) for _ in range(5)]
    with Outbox(tmp_path / "outbox.db") as box:
        assert events(box) == sent
        assert [e.seq for e in sent] == list(range(1, 16))
        box.ack(*range(1, 16))
        assert box.depth == 0
    with Outbox(tmp_path / "outbox.db") as box:
        assert box.pending(9) == []
        assert box.put(event()).seq == 16  # an empty database does not start again at 1
        assert box.counters == {"put": 16, "delivered": 15, "dropped": 0, "salvaged": 0}


def test_the_newest_event_may_be_amended_before_it_is_sent(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db") as box:
        box.put(event())
        newest = box.put(event())
        assert box.amend(replace(newest, evidence=True, reason="longer than it was before"))
        assert [(e.seq, e.evidence) for e in events(box)] == [(1, False), (2, True)]
        assert box.bytes == sum(row.size for row in box.pending(9))
    with Outbox(tmp_path / "outbox.db") as box:
        assert [e.evidence for e in events(box)] == [False, True]


def test_a_process_killed_in_the_middle_loses_nothing_it_had_put(tmp_path: Path) -> None:
    script = (
        "import os, sys; from tests.support.factory import event; from leakear.edge.outbox.queue import Outbox\n"
        f"box = Outbox({str(tmp_path / 'outbox.db')!r})\n"
        "for _ in range(7): box.put(event(), state={'seq': box.last_seq + 1})\n"
        "os.kill(os.getpid(), 9)"
    )
    for _ in range(3):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == -9
    with Outbox(tmp_path / "outbox.db") as box:
        assert [e.seq for e in events(box)] == list(range(1, 22))
        assert box.load_state() == {"seq": 21}


def test_an_acknowledged_event_settles_and_is_sent_again_after_a_lost_connection(tmp_path: Path) -> None:
    now = Time()
    with Outbox(tmp_path / "outbox.db", OutboxOptions(settle_s=10), now) as box:
        for _ in range(3):
            box.put(event())
        box.ack(1)
        now.now += 11
        box.maintain()  # 1 has settled
        box.ack(2)
        box.connection_lost()
        assert [row.seq for row in box.pending(9)] == [2, 3]
        box.ack(2)
        box.connection_lost()  # the broker may have died again before it saved
        assert [row.seq for row in box.pending(9)] == [2, 3]
        box.ack(2)
        now.now += 11
        box.maintain()
        box.connection_lost()
        assert [row.seq for row in box.pending(9)] == [3]
        assert box.depth == 1
        assert box.counters["delivered"] == 2


def test_a_number_is_never_given_twice_even_when_its_event_is_gone_and_the_file_of_numbers_lags(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path) as box:
        first = box.put(event())
        numbers = (tmp_path / "outbox.seq").read_bytes()
        second = box.put(event())
    (tmp_path / "outbox.seq").write_bytes(numbers)  # killed between the two writes
    with Outbox(path) as box:
        box.ack(first.seq, second.seq)
    with Outbox(path) as box:  # acknowledged: both are gone
        assert box.put(event()).seq == 3


def test_an_alert_outlives_what_a_faulty_sensor_says_of_itself(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db", SMALL) as box:
        leak = box.put(replace(event("state"), to_state="LEAK"))
        for _ in range(200):
            box.put(replace(event("state"), from_state="OK", to_state="SENSOR_FAULT"))
        assert events(box)[0] == leak


def test_what_settled_is_not_sent_again_after_a_restart_but_after_a_reboot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Outbox(tmp_path / "outbox.db") as box:
        box.put(event())
        box.ack(1)
    with Outbox(tmp_path / "outbox.db") as box:
        assert box.pending(9) == []
        box.put(event())
        box.ack(2)
    monkeypatch.setattr("leakear.edge.outbox.recovery.boot_id", lambda: "another boot")
    with Outbox(tmp_path / "outbox.db") as box:
        assert [row.seq for row in box.pending(9)] == [2]


def test_changes_of_state_outlive_all_else_and_losses_are_reported(tmp_path: Path) -> None:
    now = Time()
    with Outbox(tmp_path / "outbox.db", SMALL, now) as box:
        for index in range(60):
            box.put(event("state" if index % 6 == 0 else "fault"))
        kept = events(box)
        states = [e for e in kept if e.kind == "state"]
        assert len(states) == 10  # every one of them
        assert box.bytes <= SMALL.max_bytes
        lost = 60 - len(kept)
        assert lost > 10
        assert box.counters["dropped"] == lost
        assert "outbox_full" in box.faults
        for index in range(60):
            box.put(event("state", reason=f"only changes {index}"))
        assert {e.kind for e in events(box)} == {"state"}
        assert events(box)[-1].reason == "only changes 59"
        lost = 120 - len(events(box))
    with Outbox(tmp_path / "outbox.db", SMALL, now) as box:  # the count survives a restart
        box.ack(*(row.seq for row in box.pending(999)))
        now.now += 100
        box.maintain()
        box.maintain()
        now.now += 100
        box.maintain()
        (report,) = events(box)
        assert (report.kind, report.dropped, report.seq) == ("dropped", lost, 121)
        assert "outbox_full" not in box.faults


def test_losses_noted_by_another_version_do_not_stop_this_one(tmp_path: Path) -> None:
    now = Time()
    path = tmp_path / "outbox.db"
    Outbox(path).close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute('INSERT INTO memory VALUES (\'given_up\', \'{"count": 7, "form": {"schema": 99}}\')')
    with Outbox(path, SMALL, now) as box:
        assert "7 events" in box.faults["outbox_full"]
        now.now += 10
        box.maintain()
        assert box.faults == {}
        assert box.put(event()).seq == 1


def test_a_second_daemon_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db"), pytest.raises(ConfigError, match="in use by another"):
        Outbox(tmp_path / "outbox.db")


def test_state_is_written_at_once_and_counters_in_batches(tmp_path: Path) -> None:
    now = Time()
    path = tmp_path / "outbox.db"
    with Outbox(path, OutboxOptions(save_s=600), now) as box:
        box.save_state({"state": "LEAK", "windows": 1}, at_once=True)
        pages = Path(f"{path}-wal").read_bytes()
        for windows in range(2, 60):
            now.now += 10
            box.save_state({"state": "LEAK", "windows": windows})
            box.maintain()
        assert Path(f"{path}-wal").read_bytes() == pages  # the card was left alone
        now.now += 600
        box.maintain()
        assert Path(f"{path}-wal").read_bytes() != pages
    with Outbox(path) as box:
        assert box.load_state() == {"state": "LEAK", "windows": 59}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from(["state", "fault", "model"])),
            st.tuples(st.just("ack"), st.integers(0, 3)),
            st.tuples(st.just("lost"), st.none()),
            st.tuples(st.just("restart"), st.none()),
            st.tuples(st.just("wait"), st.integers(0, 20)),
        ),
        max_size=40,
    )
)
def test_whatever_happens_nothing_unacknowledged_is_missing(
    tmp_path_factory: pytest.TempPathFactory, steps: list
) -> None:  # type: ignore[type-arg]
    """A model of the outbox (a plain list) against the real one."""
    path = tmp_path_factory.mktemp("model") / "outbox.db"
    now = Time()
    box = Outbox(path, OutboxOptions(), now)
    waiting: list[int] = []
    for name, value in steps:
        if name == "put":
            waiting.append(box.put(event(str(value))).seq)
        elif name == "ack":
            rows = box.pending(100)[: int(value)]
            box.ack(*(row.seq for row in rows))
            waiting = [seq for seq in waiting if seq not in [row.seq for row in rows]]
        elif name == "lost":
            box.connection_lost()
        elif name == "wait":
            now.now += value
            box.maintain()
        else:
            box.close()
            box = Outbox(path, OutboxOptions(), now)
        seqs = [row.seq for row in box.pending(100)]
        assert seqs == sorted(set(seqs))
        assert set(waiting) <= set(seqs)
        assert box.depth == len(seqs)
    box.close()
    assert json.loads(json.dumps(box.counters))["dropped"] == 0

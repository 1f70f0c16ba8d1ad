"""What the outbox remembers for the daemon: never believed when it is damaged, never lost for want of room."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from leakear.edge.messages.reports import Event
from leakear.edge.outbox.queue import Outbox, OutboxOptions
from tests.support.broker import Broker
from tests.support.factory import event
from tests.support.living_node import BORN, LEAK, Asker, living_node

STATE = {"utc": BORN, "memory": {"threshold": 0.875}}


def test_no_flipped_bit_in_what_is_remembered_stops_the_node_or_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path) as box:
        box.put(event(), state=STATE)
    whole = path.read_bytes()
    begin = whole.rindex(b'{"utc"')
    end = whole.index(b"\n", begin) + 9
    for at in range(begin, end):
        data = bytearray(whole)
        data[at] ^= 1 << (at % 8)
        path.write_bytes(data)
        with Outbox(path) as box:
            assert box.load_state() == {}
            assert "(state) were damaged" in box.faults["outbox_corrupt"]
            assert box.depth == 1


def test_a_long_value_that_changes_at_its_end_is_not_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    kept = {"levels": "x" * 40_000}
    with Outbox(path) as box:
        box.save_state({**kept, "utc": 1.5}, at_once=True)
    with Outbox(path) as box:
        before = path.with_name("outbox.db-wal").stat().st_size
        box.save_state({**kept, "utc": 1790000000.123456}, at_once=True)
        assert path.with_name("outbox.db-wal").stat().st_size - before < 5 * 4200, "pages of the log"
        assert box.load_state()["utc"] == 1790000000.123456
    with Outbox(path) as box:
        assert box.load_state() == {**kept, "utc": 1790000000.123456}


@pytest.mark.parametrize("key", ["counters", "seq", "state"])
def test_every_value_may_be_damaged(tmp_path: Path, key: str) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path) as box:
        box.put(event(), state=STATE)
    data = bytearray(path.read_bytes())
    data[data.rindex(key.encode()) + len(key)] = 0xFF  # no UTF-8 either
    path.write_bytes(data)
    with Outbox(path) as box:
        assert f"({key}) were damaged" in box.faults["outbox_corrupt"]
        assert box.put(event()).seq == 2
    with Outbox(path) as box:
        assert box.faults == {}
        assert box.depth == 2


@pytest.mark.parametrize("body", ["[]", '"x"', "1e999", '{"a": NaN}', '{"a": [1e999]}', "-Infinity"])
@pytest.mark.parametrize("key", ["counters", "given_up", "retained", "seq", "state"])
def test_a_value_of_another_kind_or_no_number_is_damage(tmp_path: Path, key: str, body: str) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path) as box:
        box.put(event(), state=STATE)
    with closing(sqlite3.connect(path)) as database, database:  # without a checksum, as version 0.1 wrote it
        database.execute("INSERT OR REPLACE INTO memory VALUES (?, ?)", (key, body))
    with Outbox(path) as box:
        assert key in ("counters", "seq", "state") or box.recall(key) is None
        assert box.load_state() == ({} if key == "state" else STATE)
        assert box.put(event()).seq == 2
        assert key == "retained" or f"({key}) were damaged" in box.faults["outbox_corrupt"]  # that one is read later


def test_a_node_whose_memory_is_damaged_starts_anew_and_says_so(broker: Broker, tmp_path: Path) -> None:
    with living_node(broker, tmp_path) as life:
        life.hear(30)
    data = bytearray((tmp_path / "outbox.db").read_bytes())
    data[data.rindex(b'"pipeline"')] ^= 4
    (tmp_path / "outbox.db").write_bytes(data)
    with living_node(broker, tmp_path) as life:
        life.hear(10)
        assert life.node.detector.pipeline.scored == 1
        assert "outbox_corrupt" in life.node.faults


def left_by_a_killed_process(path: Path) -> None:
    """Fill an outbox and die: what was written last stands in the WAL alone."""
    script = (
        "import os; from tests.support.factory import event; from leakear.edge.outbox.queue import Outbox\n"
        f"box = Outbox({str(path)!r})\n"
        f"for _ in range(3): box.put(event(), state={STATE})\n"
        "box.ack(1)\n"
        "os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == -9
    assert Path(f"{path}-wal").stat().st_size


@pytest.mark.parametrize("boot", ["the same boot", "another boot"])
def test_a_node_that_starts_on_a_full_disk_knows_and_delivers_what_is_on_it(
    tiny_disk: Path, monkeypatch: pytest.MonkeyPatch, boot: str
) -> None:
    path = tiny_disk / "outbox.db"
    left_by_a_killed_process(path)
    ballast = tiny_disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(512)):
            pass
    monkeypatch.setattr("tempfile.tempdir", str(tiny_disk))  # as on a card with one file system
    if boot == "another boot":  # what a broker acknowledged just before a power cut is sent again: that is a write
        monkeypatch.setattr("leakear.edge.outbox.recovery.boot_id", lambda: boot)
    with Outbox(path, OutboxOptions(retry_s=0.05)) as box:
        assert box.load_state() == STATE
        assert [row.seq for row in box.pending(9)][-2:] == [2, 3]
        assert box.put(event()).seq == 4
        assert "outbox_disk" in box.faults
        assert box.pending(9)[-1].seq == 4
        ballast.unlink()
        time.sleep(0.1)
        box.save_state(STATE | {"utc": BORN + 1}, at_once=True)
        assert "outbox_disk" not in box.faults
    with Outbox(path) as box:
        assert box.load_state() == STATE | {"utc": BORN + 1}
        assert [row.seq for row in box.pending(9)][-3:] == [2, 3, 4]


@pytest.mark.parametrize("set_meanwhile", [None, 0.6])
def test_what_could_not_be_read_at_the_start_is_not_overwritten_but_taken_up(
    broker: Broker, tmp_path: Path, set_meanwhile: float | None
) -> None:
    with living_node(broker, tmp_path) as life, Asker(broker, life) as asker:
        life.hear(30)
        asker.ask("set", threshold=0.875)
        usual = life.node.detector.pipeline.health.snapshot()
    path, away = tmp_path / "outbox.db", tmp_path / "away.db"
    path.rename(away)
    path.mkdir()  # nothing can be read there
    with living_node(broker, tmp_path, outbox={"retry_s": 0.05}) as life, Asker(broker, life) as asker:
        life.hear(1)
        assert "outbox_disk" in life.node.faults
        assert life.node.outbox.load_state()["memory"]["threshold"] is None
        if set_meanwhile:
            asker.ask("set", threshold=set_meanwhile)
        path.rmdir()
        away.rename(path)
        time.sleep(1.1)
        life.hear(2)
        assert life.node.detector.pipeline.decision.rule.threshold == (set_meanwhile or 0.875)
        assert life.node.detector.pipeline.health.snapshot() == usual
    with living_node(broker, tmp_path) as life:
        assert life.node.detector.remote.threshold == (set_meanwhile or 0.875)


def test_a_leak_that_could_not_be_read_at_the_start_is_not_forgotten_or_told_again(
    broker: Broker, tmp_path: Path
) -> None:
    with living_node(broker, tmp_path) as life:
        life.hear(120, LEAK)
        assert life.node.detector.pipeline.decision.state.value == "LEAK"
        since = life.node.reporter.status().since_utc
    path, away = tmp_path / "outbox.db", tmp_path / "away.db"
    path.rename(away)
    path.mkdir()  # nothing can be read there
    with living_node(broker, tmp_path, outbox={"retry_s": 0.05}) as life, Asker(broker, life) as asker:
        life.hear(20, LEAK)
        path.rmdir()
        away.rename(path)
        time.sleep(1.1)
        life.hear(150, LEAK)
        assert asker.ask("status").result["state"]["state"] == "LEAK"
        assert life.node.reporter.status().since_utc == since
        told = [Event.from_json(message.payload) for message in asker.seen.on("leakear/hill/pit-7/event")]
        assert [event.to_state for event in told if event.kind == "state"] == []

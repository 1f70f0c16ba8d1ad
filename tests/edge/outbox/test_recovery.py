"""The outbox on a bad disk: full, read-only, damaged."""

import os
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from leakear.edge.outbox.queue import Outbox, OutboxOptions
from tests.support.factory import Time, event, events

SMALL = OutboxOptions(max_bytes=2**14, memory_bytes=2**14, settle_s=10, retry_s=0.05)


def test_a_damaged_database_is_set_aside_named_and_seq_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path) as box:
        for _ in range(40):
            box.put(event())
        box.save_state({"decision": "LEAK"}, at_once=True)
    data = bytearray(path.read_bytes())
    data[:4096] = os.urandom(4096)
    path.write_bytes(data)
    with Outbox(path) as box:
        assert "outbox.corrupt" in box.faults["outbox_corrupt"]
        assert (tmp_path / "outbox.corrupt").read_bytes() == bytes(data)
        new = box.put(event())
        assert new.seq == 42  # 41 is left out: the gap shows
        assert events(box)[-1] == new
    with Outbox(path) as box:
        assert box.faults == {}
        assert box.put(event()).seq == 43


def test_a_damaged_page_costs_only_what_stood_on_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path) as box:
        for _ in range(60):
            box.put(event())
        box.save_state({"decision": "LEAK"}, at_once=True)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = bytes(4096)
    path.write_bytes(data)
    with Outbox(path) as box:
        assert "outbox_corrupt" in box.faults
        kept = [e.seq for e in events(box)]
        assert 20 < len(kept) < 60
        assert box.counters["salvaged"] == len(kept)
        assert kept == sorted(kept)
        assert box.load_state() == {"decision": "LEAK"}


def test_damage_while_running_is_survived(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path) as box:
        box.put(event())
        for name in (path, Path(f"{path}-wal")):
            name.write_bytes(os.urandom(8192))
        before = [box.put(event()).seq for _ in range(3)]
    with Outbox(path) as box:
        assert box.put(event()).seq > max(before)
        seqs = [e.seq for e in events(box)]
        assert seqs == sorted(set(seqs))
        assert "outbox_corrupt" in box.faults


def test_a_full_disk_keeps_events_in_memory_and_writes_them_when_there_is_room(tiny_disk: Path) -> None:
    now = Time()
    path = tiny_disk / "outbox.db"
    with Outbox(path, SMALL, now) as box:
        first = box.put(event())
        ballast = tiny_disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(512)):
                pass
        sent = [first]
        for _ in range(20):
            now.now += 1
            sent.append(box.put(event("fault")))
        assert "cannot be written" in box.faults["outbox_disk"]
        assert events(box) == sent
        sent[-1] = replace(sent[-1], evidence=True)
        assert box.amend(sent[-1])
        assert events(box) == sent
        box.ack(1, 2, 21)  # what is delivered meanwhile is not sent again
        assert [e.seq for e in events(box)] == list(range(3, 21))
        ballast.unlink()
        now.now += 1
        box.maintain()
        assert box.faults == {}
    with Outbox(path, SMALL) as box:
        assert [e.seq for e in events(box)] == list(range(3, 21))


def test_an_alert_that_fits_is_on_a_full_disk_although_the_saved_state_does_not_fit(tiny_disk: Path) -> None:
    now, path = Time(), tiny_disk / "outbox.db"
    with Outbox(path, SMALL, now) as box:
        box.put(event(), state={"decision": "OK"})
        (tiny_disk / "ballast").write_bytes(bytes(max(0, free(tiny_disk) - 64 * 1024)))
        large = {"state": os.urandom(100_000).hex()}
        sent = [box.put(event(), state=large | {"number": number}) for number in range(5)]
        assert "cannot be written" in box.faults["outbox_disk"]
        box._disk.close()  # power lost: what is in memory is gone
        box._memory = []
    with Outbox(path, SMALL, now) as box:
        assert events(box)[1:] == sent
        assert box.load_state() == {"decision": "OK"}
        assert box.put(event()).seq == sent[-1].seq + 1


def free(folder: Path) -> int:
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize


def test_a_card_that_turns_read_only_keeps_events_in_memory(failing_card: tuple[Path, Path]) -> None:
    folder, fail = failing_card
    now = Time()
    with Outbox(folder / "outbox.db", SMALL, now) as box:
        first = box.put(event(), state={"decision": "LEAK"})
        fail.write_text("test")
        sent = [box.put(event()) for _ in range(5)]
        assert "outbox_disk" in box.faults
        assert [e.seq for e in events(box)] == [1, 2, 3, 4, 5, 6]
        box.ack(1, 2, 3)
        now.now += 1
        assert events(box) == sent[2:]
    with Outbox(folder / "outbox.db", SMALL, now) as box:  # restarted, the card still failing
        assert "outbox_disk" in box.faults
        assert events(box) == [first]  # what was on the card is delivered, the rest went with the process
        assert box.load_state() == {"decision": "LEAK"}
        assert box.put(event()) in events(box)


def test_a_disk_that_is_read_only_from_the_start(tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with Outbox(tiny_disk / "outbox.db", SMALL) as box:
        box.put(event())
        assert [e.seq for e in events(box)] == [1]
        assert "outbox_disk" in box.faults

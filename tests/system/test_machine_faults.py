"""The fault suite: disk, card, database, descriptors and clock fail under the daemon; `make test-faults`."""

import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.broker import Broker, Subscriber
from tests.support.faults import EVENTS, STATE, Node, Tally, finish, report, wait_for_all

full = pytest.mark.slow
RANDOM = random.Random(4)


def faults_told(seen: Subscriber) -> set[str]:
    """Names of the faults that reached the broker, by event or state."""
    return {name for m in (*seen.on(EVENTS), *seen.on(STATE)) for name in m.json["faults"]}


def test_full_disk(tmp_path: Path, durable: Broker, tiny_disk: Path) -> None:
    """The disk fills up while the broker is away: memory holds the alerts until there is room."""
    node = Node(tmp_path / "node", durable, state_dir=tiny_disk)
    with Subscriber(durable, EVENTS, STATE, client_id="watcher") as seen:
        process = node.replay(speed=100, repeat=4)
        seen.wait(3, EVENTS)
        durable.stop()
        ballast = tiny_disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(512)):
                pass
        time.sleep(3)
        durable.start()
        seen.wait_for(lambda: "outbox_disk" in faults_told(seen), "fault outbox_disk")
        ballast.unlink()
        assert finish(node, process) == 0
        assert "can be written again" in node.errors()
        last, _, _ = node.outbox_state()
        wait_for_all(last, seen)
        report("disk full while the broker is away", node, seen)
        assert seen.on(STATE)[-1].json["faults"] == ["digital_silence"]


@full
def test_card_that_turns_read_only(tmp_path: Path, durable: Broker, failing_card: tuple[Path, Path]) -> None:
    folder, fail = failing_card
    node = Node(tmp_path / "node", durable, state_dir=folder)
    with Subscriber(durable, EVENTS, STATE, client_id="watcher") as seen:
        process = node.replay(speed=100, repeat=2)
        seen.wait(3, EVENTS)
        fail.write_text("test")
        assert finish(node, process) == 0
        tally = Tally.of(seen.on(EVENTS))
        print(f"\ncard turned read-only: received {tally.received}, by id {len(tally.ids)}")
        tally.check(len(tally.ids))
        assert len(tally.ids) >= 59
        assert "outbox_disk" in faults_told(seen)


def test_outbox_that_was_damaged(tmp_path: Path, durable: Broker) -> None:
    """A damaged page: what stands elsewhere is delivered, what was lost shows as a gap, numbers go on."""
    durable.stop()
    node = Node(tmp_path, durable)
    assert finish(node, node.replay(repeat=3, deadline=0)) == 69
    before, waiting, _ = node.outbox_state()
    assert waiting == before >= 89
    database = tmp_path / "state" / "outbox.db"
    data = bytearray(database.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = bytes(RANDOM.randrange(256) for _ in range(4096))
    database.write_bytes(data)
    durable.start()
    with Subscriber(durable, EVENTS, STATE, client_id="watcher") as seen:
        assert finish(node, node.replay()) == 0
        last, waiting, counters = node.outbox_state()
        wait_for_all(last, seen)
        tally = Tally.of(seen.on(EVENTS))
        kept = counters["salvaged"]
        print(f"\ndamaged outbox: put {last - 1}, salvaged {kept} of {before}, received {len(tally.ids)}")
        assert waiting == 0
        assert tally.seqs == sorted(set(tally.seqs))
        assert len(tally.ids) == kept + last - before - 1  # one number is left out on purpose
        assert kept > before / 2
        assert "outbox_corrupt" in faults_told(seen)
    assert (tmp_path / "state" / "outbox.corrupt").exists()


def test_sixteen_descriptors(tmp_path: Path, durable: Broker) -> None:
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit is not installed")
    node = Node(tmp_path, durable, prefix=("prlimit", "--nofile=16"))
    with Subscriber(durable, EVENTS, client_id="watcher") as seen:
        assert finish(node, node.replay()) == 0
        last, _, _ = node.outbox_state()
        wait_for_all(last, seen)
        report("16 file descriptors", node, seen)


@full
def test_clock_jumps(tmp_path: Path, durable: Broker) -> None:
    """+2 h, −1 d and 1970 under a running daemon: told, doubted, and order holds by seq."""
    faketime = pytest.importorskip("libfaketime", reason="the PyPI package libfaketime is not installed")
    library = next(Path(faketime.__file__).parent.rglob("libfaketime.so.1"))
    offset = tmp_path / "offset"
    offset.write_text("+0")
    node = Node(tmp_path / "node", durable)
    environment = os.environ | {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.support.clock_node", node.config, node.sound, "1500", "50"]
    jumps = {"+2h": "+7200", "−1 d": "-86400", "1970": f"-{int(time.time()) - 5}"}
    with Subscriber(durable, EVENTS, STATE, client_id="watcher") as seen, node.log.open("ab") as log:
        process = subprocess.Popen(command, stderr=log, env=environment)
        seen.wait(4, EVENTS)
        for name, jump in jumps.items():
            assert all(m.json["clock_synced"] for m in seen.on(EVENTS)[:4])
            offset.write_text(jump)
            seen.wait_for(lambda: not seen.on(EVENTS)[-1].json["clock_synced"], f"event in doubt after {name}")
            print(f"\nclock {name}: {seen.on(EVENTS)[-1].json['window_end']}, clock_synced false")
            offset.write_text("+0")
            seen.wait_for(lambda: seen.on(EVENTS)[-1].json["clock_synced"], f"belief again after {name}")
        assert finish(node, process, 280) == 0
        assert "clock_jumped" in faults_told(seen)
        last, _, _ = node.outbox_state()
        wait_for_all(last, seen)
        report("clock jumps", node, seen)

"""The fault suite: the real daemon and a real mosquitto are hurt in every way of issue and field; nothing is lost.

The default tests run a few rounds of each; `make test-faults` runs the full counts and prints what was put,
acknowledged and received.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest
from broker import Broker, Subscriber
from faults import EVENTS, STARTED, STATE, Node, Tally, finish, kill, report, wait_for_all

full = pytest.mark.slow
RANDOM = random.Random(4)


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    """End every daemon that a failed test left running."""
    yield
    for process in STARTED:
        if process.poll() is None:
            kill(process)
    STARTED.clear()


@pytest.fixture
def durable() -> Iterator[Broker]:
    """A broker with the settings of docs/DELIVERY.md."""
    with Broker(persistence=True) as broker:
        yield broker


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=full)])
@pytest.mark.timeout(900)
def test_daemon_killed_at_random_moments(tmp_path: Path, durable: Broker, kills: int) -> None:
    node = Node(tmp_path, durable)
    with Subscriber(durable, EVENTS, client_id="watcher") as seen:
        for _ in range(kills):
            process = node.replay(speed=200, repeat=1000)
            before = len(seen.messages)
            seen.wait_for(lambda before=before: len(seen.messages) > before, "event")  # type: ignore[misc]
            time.sleep(RANDOM.uniform(0, 1))
            kill(process)
        assert finish(node, node.replay()) == 0
        last, _, _ = node.outbox_state()
        wait_for_all(last, seen)
        report(f"daemon killed −9 {kills} times", node, seen)


@full
@pytest.mark.timeout(900)
def test_broker_that_saves_every_second_only_killed_at_random_moments(tmp_path: Path) -> None:
    """It has acknowledged what it then loses: the nodes send the last seconds again."""
    with Broker(persistence=True, extra="autosave_on_changes false") as broker:
        node = Node(tmp_path, broker)
        with Subscriber(broker, EVENTS, client_id="watcher") as seen:
            pass  # the session is there before the first event; nobody is at home
        process = node.replay(speed=50, repeat=9)  # outlasts the killing
        for _ in range(10):
            time.sleep(RANDOM.uniform(1.5, 2.5))
            broker.kill()
            broker.start()
        assert finish(node, process, 300) == 0
        time.sleep(2)
        with Subscriber(broker, EVENTS, client_id="watcher") as seen:
            last, _, _ = node.outbox_state()
            wait_for_all(last, seen)
            report("broker that saves once a second killed −9 10 times, watcher away", node, seen)


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=full)])
@pytest.mark.timeout(900)
def test_broker_killed_at_random_moments(tmp_path: Path, durable: Broker, kills: int) -> None:
    node = Node(tmp_path, durable)
    with Subscriber(durable, EVENTS, client_id="watcher") as seen:
        process = node.replay(speed=100, repeat=round(kills * 2.0 * 100 / 300) + 1)
        for _ in range(kills):
            time.sleep(RANDOM.uniform(0.3, 1.5))
            durable.kill()
            time.sleep(RANDOM.uniform(0, 0.5))
            durable.start()
        assert finish(node, process, 300) == 0
        last, _, _ = node.outbox_state()
        wait_for_all(last, seen)
        report(f"broker killed −9 {kills} times", node, seen)


def test_broker_absent_for_the_whole_run_then_there(tmp_path: Path, durable: Broker) -> None:
    durable.stop()
    node = Node(tmp_path, durable)
    process = node.replay(deadline=0.5)
    assert finish(node, process) == 69
    assert "stay in" in node.errors()
    last, waiting, _ = node.outbox_state()
    assert last == waiting >= 29
    durable.start()
    with Subscriber(durable, EVENTS, client_id="watcher") as seen:
        assert finish(node, node.replay()) == 0
        last, _, _ = node.outbox_state()
        wait_for_all(last, seen)
        report("broker absent for a whole run, then there", node, seen)


class Partition:
    """Two network namespaces on a cable that can be pulled (`pull`) or made to swallow everything (`swallow`)."""

    def __init__(self) -> None:
        number = os.getpid() % 250
        self.name = f"leakear{number}"
        self.here, self.there = f"10.213.{number}.1", f"10.213.{number}.2"

    def __enter__(self) -> Self:
        near, far = f"{self.name}a", f"{self.name}b"
        made = subprocess.run(["ip", "netns", "add", self.name], check=False, capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"network namespaces need root: {made.stderr.strip()}")
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self.name)
        _ip("addr", "add", f"{self.here}/24", "dev", near)
        _ip("link", "set", near, "up")
        _ip("-n", self.name, "addr", "add", f"{self.there}/24", "dev", far)
        _ip("-n", self.name, "link", "set", far, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=False)

    def pull(self) -> None:
        _ip("-n", self.name, "link", "set", f"{self.name}b", "down")

    def plug(self) -> None:
        _ip("-n", self.name, "link", "set", f"{self.name}b", "up")

    def swallow(self) -> None:
        """Half open: both ends believe in the connection, nothing passes."""
        rules = "add table ip t; add chain ip t c { type filter hook input priority 0; policy drop; }"
        _ip("netns", "exec", self.name, "nft", rules)

    def let_through(self) -> None:
        _ip("netns", "exec", self.name, "nft", "delete table ip t")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@pytest.mark.parametrize(
    ("seconds", "half_open"),
    [
        (1, False),
        pytest.param(10, False, marks=full),
        pytest.param(10, True, marks=full),
        pytest.param(300, False, marks=full),
        pytest.param(300, True, marks=full),
    ],
)
@pytest.mark.timeout(900)
def test_network_partition(tmp_path: Path, seconds: int, half_open: bool) -> None:
    with Partition() as network, Broker(persistence=True, host=network.here) as broker:
        node = Node(tmp_path, broker, mqtt={"keepalive_s": 3, "connect_timeout_s": 2})
        node.prefix = ("ip", "netns", "exec", network.name)
        speed = 100  # an event every 0.1 s
        with Subscriber(broker, EVENTS, client_id="watcher") as seen:
            process = node.replay(speed=speed, repeat=round((seconds + 4) * speed / 300) + 1, deadline=300)
            seen.wait(5)
            (network.swallow if half_open else network.pull)()
            time.sleep(seconds)
            (network.let_through if half_open else network.plug)()
            assert finish(node, process, seconds + 420) == 0
            last, _, _ = node.outbox_state()
            wait_for_all(last, seen)
            report(f"partition of {seconds} s{', half-open' if half_open else ''}", node, seen)


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
    script = Path(__file__).with_name("clock_node.py")
    command = [sys.executable, script, node.config, node.sound, "1500", "50"]
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


def hostile(rng: random.Random) -> bytes:
    """Make something a command topic should never hold."""
    deep = b'{"id":' * 5000
    kinds = [
        lambda: rng.randbytes(rng.randrange(2000)),
        lambda: rng.randbytes(150_000),  # larger than any command may be
        lambda: deep,
        lambda: b'{"id":"' + b"x" * rng.randrange(100_000) + b'"}',
        lambda: json.dumps({"id": "1", "threshold": rng.choice([1e308, -1, "0.5", None, [], True])}).encode(),
        lambda: json.dumps({"id": "1", "step_s": rng.choice([0, -5, 1e-9, 1e12])}).encode(),
        lambda: json.dumps({"id": "1", "event_id": "../../etc/passwd"}).encode(),
        lambda: json.dumps({"id": "1", "part": 0, "parts": 10**9, "data": "QUFB", "sha256": "0" * 64}).encode(),
        lambda: b'{"id":NaN,"schema":' + b"9" * 4000 + b"}",
    ]
    return rng.choice(kinds)()


def rss_mb(pid: int) -> float:
    """Resident memory, MB."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024


@pytest.mark.parametrize("count", [400, pytest.param(12_000, marks=full)])
@pytest.mark.timeout(900)
def test_hostile_input_on_every_command_topic(tmp_path: Path, broker: Broker, count: int) -> None:
    node = Node(tmp_path, broker)
    names = ("identify", "status", "set", "clip", "calibrate", "selftest", "model", "watch", "nonsense", "a/b")
    with Subscriber(broker, EVENTS, STATE, "leakear/site/n1/cmd/+/result") as seen, Subscriber(broker, "-") as flood:
        process = node.replay(speed=50, repeat=10_000)
        seen.wait(10, EVENTS)
        threshold = seen.on(STATE)[-1].json["threshold"]
        for index in range(count // 4):  # warm: code and buffers are there
            flood.client.publish(f"leakear/site/n1/cmd/{names[index % len(names)]}", hostile(RANDOM), index % 2)
        time.sleep(2)
        before = rss_mb(process.pid)
        for index in range(count):
            flood.client.publish(f"leakear/site/n1/cmd/{names[index % len(names)]}", hostile(RANDOM), index % 2)
            if index % 200 == 199:
                flood.publish("leakear/site/n1/cmd/clip", b"{}")  # waits until all before it is through
        seen.publish("leakear/site/n1/cmd/identify", {"id": "sentinel"})
        time.sleep(4)  # the rate limit is a bucket that fills again
        for attempt in range(10):
            seen.publish("leakear/site/n1/cmd/status", {"id": f"after-{attempt}"})
            time.sleep(1)
            answers = [m.json for m in seen.on("leakear/site/n1/cmd/status/result")]
            good = [a for a in answers if a["ok"] and a["id"].startswith("after-")]
            if good:
                break
        assert good, "the node no longer answers"
        after = rss_mb(process.pid)
        refused = good[-1]["result"]["commands_refused"]
        assert process.poll() is None
        kill(process)
        assert seen.on(STATE)[-1].json["threshold"] == threshold
        accepted = [m.json for m in seen.on("leakear/site/n1/cmd/+/result") if m.json["ok"]]
        assert all(a["id"] == "sentinel" or a["id"].startswith("after-") or a["id"] == "1" for a in accepted)
        print(
            f"\nhostile input: {count + count // 4} payloads on {len(names)} topics, refused {refused}, others by size;"
            f" RSS {before:.1f} → {after:.1f} MB, events meanwhile {len(seen.on(EVENTS))}"
        )
        assert after - before < 8

"""Floods against the real dashboard and a real mosquitto: what memory they cost, and how late another node's LEAK is.

Run by `make test-attacks`, which prints the figures.
"""

import http.client
import io
import json
import resource
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.messages.reports import Event, uuid7
from tests.support.broker import Broker
from tests.support.factory import event
from tests.support.fake_clips import answer_with_clip
from tests.support.harness import Dashboard, FakeNode, resident, until
from tests.support.partition import Partition
from tests.support.shipped_broker import ShippedBroker

pytestmark = pytest.mark.slow
MIB = 2**20
LATE_S = 2.0
"""another node's LEAK may be so late at most"""
LEAKS = 10
CLIP = 4_000_000
"""bytes of a clip that another node sends meanwhile: 90 s of sound"""


SILENT = """import socket, sys, time
held = []
while True:
    try:
        held.append(socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.5))
    except OSError:
        time.sleep(0.05)
    if len(held) > int(sys.argv[3]):
        held.pop(0).close()
        time.sleep(0.01)
"""


class Watched:
    """A dashboard under attack: memory before and at most, and the delay of a real node's alerts."""

    def __init__(self, broker: Broker, dashboard: Dashboard) -> None:
        self.broker, self.dashboard = broker, dashboard
        assert dashboard.process is not None
        self.pid = dashboard.process.pid
        self.before, self.broker_before = resident(self.pid), resident(broker.pid)
        self.most, self.broker_most = self.before, self.broker_before
        self.delays: list[float] = []
        self.page: list[float] = []

    def stored(self, event_id: str) -> bool:
        path = self.dashboard.database.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=10)) as line:
            return line.execute("select 1 from events where id = ?", (event_id,)).fetchone() is not None

    def leaks(self, count: int = LEAKS) -> None:
        """Let a real node report leaks, one after the other, and measure each."""
        with FakeNode(self.broker.port, "real") as node:
            for n in range(count):
                began = time.monotonic()
                event = node.turn("LEAK", from_state="OK", reason=f"leak {n}")
                until(lambda: self.stored(event.id), "the leak in the log", 150)  # noqa: B023
                self.delays.append(time.monotonic() - began)
                self.look()
                time.sleep(max(0.0, 1 - self.delays[-1]))

    def look(self) -> None:
        self.most = max(self.most, resident(self.pid))
        self.broker_most = max(self.broker_most, resident(self.broker.pid))
        host, port = self.dashboard.url.partition("//")[2].split(":")
        began = time.monotonic()
        try:
            with closing(http.client.HTTPConnection(host, int(port), timeout=30)) as line:
                line.request("GET", "/static/icon.svg")
                line.getresponse().read()
            self.page.append(time.monotonic() - began)
        except OSError:
            self.page.append(float("inf"))

    def report(self, name: str, **more: object) -> None:
        log = (self.dashboard.folder / "dashboard.log").stat().st_size
        figures = {
            "leaks": f"{len(self.delays)} of {LEAKS}", "delay_s": round(max(self.delays), 2),
            "page_s": round(max(self.page), 2), "dashboard_mib": [self.before // MIB, self.most // MIB],
            "mosquitto_mib": [self.broker_before // MIB, self.broker_most // MIB], "log_kib": log >> 10, **more,
        }  # fmt: skip
        print(f"\n{name}: {json.dumps(figures)}")


@contextmanager
def watched(folder: Path, *, user: bool = False, files: int = 1024, extra: str = "") -> Iterator[Watched]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Broker(extra=extra) as broker:
        made = Dashboard(f"mqtt://127.0.0.1:{broker.port}", folder)
        if user:
            made.add_user("ana", "correct horse battery", "operate")
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        made.start()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        try:
            with FakeNode(broker.port, "first") as node:
                found = Watched(broker, made)

                sent: list[str] = []

                def heard() -> bool:
                    sent.append(node.turn("OK").id)
                    return any(map(found.stored, sent))

                until(heard, "the first event", 30)
            found.before = resident(found.pid)
            yield found
        finally:
            made.kill()


@contextmanager
def running(work: Callable[[threading.Event], None], count: int = 1) -> Iterator[threading.Event]:
    """Threads that work until the end."""
    end = threading.Event()
    threads = [threading.Thread(target=work, args=(end,), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield end
    end.set()
    for thread in threads:
        thread.join(30)


def test_silent_connections(tmp_path: Path) -> None:
    """1,300 connections that say nothing, opened again when they are closed."""
    with watched(tmp_path) as found:
        host, port = found.dashboard.url.partition("//")[2].split(":")

        attackers = [subprocess.Popen([sys.executable, "-c", SILENT, host, port, "650"]) for _ in range(2)]
        try:
            time.sleep(5)
            found.leaks()
        finally:
            for attacker in attackers:
                attacker.kill()
                attacker.wait()
        found.report("1,300 silent connections")
    assert max(found.delays) <= LATE_S
    assert max(found.page) <= LATE_S


def test_log_ins(tmp_path: Path) -> None:
    """64 connections that try passwords, each of another name; and 200 at once for one name."""
    with watched(tmp_path, user=True) as found:
        host, port = found.dashboard.url.partition("//")[2].split(":")
        answers: Counter[int] = Counter()

        def guess(name: str) -> int:
            with closing(http.client.HTTPConnection(host, int(port), timeout=60)) as line:
                body = json.dumps({"name": name, "password": "x" * 20})
                headers = {"content-type": "application/json", "connection": "close"}
                line.request("POST", "/api/login", body, headers)
                return line.getresponse().status

        def guesses(end: threading.Event) -> None:
            n = 0
            while not end.is_set():
                n += 1
                try:
                    answers[guess(f"name-{threading.get_ident()}-{n}")] += 1
                except OSError:
                    answers[0] += 1

        with running(guesses, 64):
            time.sleep(2)
            found.leaks()
        one: Counter[int] = Counter()
        start = threading.Barrier(200)

        def once() -> None:
            start.wait()
            try:
                one[guess("ana")] += 1
            except OSError:
                one[0] += 1

        threads = [threading.Thread(target=once) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found.look()
        found.report("log-ins by 64 connections", answers=dict(answers), guesses_for_one_name=dict(one))
    assert max(found.delays) <= LATE_S
    assert max(found.page) <= LATE_S
    assert one[401] <= 5


def pump(port: int, topic: str, payload: bytes, count: int, *, client: str = "flood") -> subprocess.Popen[bytes]:
    """Publish a payload many times, as fast as the broker takes it."""
    command = ["mosquitto_pub", "-p", str(port), "-i", client, "-t", topic, "-q", "0", "-l"]
    made = subprocess.Popen(command, stdin=subprocess.PIPE)

    def feed() -> None:
        assert made.stdin is not None
        with made.stdin as out:
            for _ in range(count):
                out.write(payload + b"\n")

    threading.Thread(target=feed, daemon=True).start()
    return made


def answer(size: int) -> bytes:
    """An answer that nobody asked for."""
    result: dict[str, Any] = {"data": "A" * size}
    return json.dumps({"schema": 1, "id": "x", "ok": True, "error": None, "result": result}).encode()


def test_answers_nobody_asked_for(tmp_path: Path) -> None:
    """31,400 answers of 18 kB."""
    with watched(tmp_path) as found:
        flood = pump(found.broker.port, "leakear/site-a/evil/cmd/status/result", answer(18_000), 31_400)
        found.leaks()
        flood.wait(60)
        time.sleep(1)
        found.look()
        found.report("31,400 answers nobody asked for")
    assert max(found.delays) <= LATE_S
    assert found.most - found.before < 64 * MIB


def test_large_events_of_one_node(tmp_path: Path) -> None:
    """260 messages of 262 kB on a node's own event topic."""
    with watched(tmp_path) as found:
        flood = pump(found.broker.port, "leakear/site-a/evil/event", b"x" * 262_000, 260)
        found.leaks()
        flood.wait(60)
        found.report("260 events of 262 kB")
    assert max(found.delays) <= LATE_S


@pytest.mark.parametrize("qos", ["0", "1"])
def test_valid_events_of_one_node(qos: str, tmp_path: Path) -> None:
    """100,000 leaks that a node reports with its own password, as fast as the shipped broker takes them."""
    with ShippedBroker() as broker:
        found = flooded(broker, tmp_path, qos, f"100,000 valid events, QoS {qos}")
    assert max(found.delays) <= LATE_S


@pytest.mark.parametrize("again", [False, True], ids=["one connection", "ever new connections"])
def test_valid_events_of_one_node_behind_the_shipped_limits(tmp_path: Path, again: bool) -> None:
    """The same at QoS 0 with `limits.nft`: a program in C cannot fill the broker's queue of the dashboard."""
    name = f"100,000 valid events behind limits.nft, {'ever new connections' if again else 'one connection'}"
    nodes = (("hill", "n1"), ("hill", "n2"), ("hill", "n3"))
    with Partition() as network:
        prefix = ("ip", "netns", "exec", network.name)
        with ShippedBroker(nodes=nodes, prefix=prefix, host=network.there) as broker:
            network.load(shipped_limits(broker))
            found = flooded(broker, tmp_path, "0", name, clip=bytes(CLIP), again=again)
    assert max(found.delays) <= LATE_S


def shipped_limits(broker: ShippedBroker) -> Path:
    """The file that `systemd/broker install` wrote, for the port of this broker."""
    path = broker.folder / "limits.nft"
    path.write_text(path.read_text().replace("nodes_port = 8883", f"nodes_port = {broker.port}"))
    return path


@contextmanager
def attacking(broker: ShippedBroker, lines: Path, qos: str, *, again: bool) -> Iterator[None]:
    """Send the lines from n1's account in one connection, or begin a new one as often as it gets in."""
    login = ["-h", broker.host, "-i", "hill.n1", "-u", "hill.n1", "-P", broker.words["hill.n1"]]
    command = ["mosquitto_pub", "-p", str(broker.port), *login, "-t", "leakear/hill/n1/event", "-q", qos, "-l"]
    end = threading.Event()

    def attack() -> None:
        while not end.is_set():
            with lines.open("rb") as file, subprocess.Popen(command, stdin=file, stderr=subprocess.DEVNULL) as flood:
                end.wait(0.3 if again else 600)
                flood.kill()

    thread = threading.Thread(target=attack)
    thread.start()
    yield
    end.set()
    thread.join()


def flooded(
    broker: ShippedBroker, folder: Path, qos: str, name: str, *, clip: bytes = b"", again: bool = False
) -> Watched:
    """Measure n2's leaks while n1 floods; with a clip also whether that of n3 arrives meanwhile."""
    secret = folder / "broker-password"
    secret.write_text(broker.words["operator"])
    options = ("--username", "operator", "--password-file", str(secret))
    lines = folder / "lines"
    with lines.open("wb") as file:
        for n in range(1, 100_001):
            file.write(leak_of("n1", n).to_json() + b"\n")
    with (
        Dashboard(f"mqtt://{broker.host}:{broker.watchers_port}", folder, *options) as made,
        broker.as_node("hill.n2") as victim,
        uploading(broker, made, clip) as arrived,
    ):
        made.ready()
        found = Watched(broker, made)
        with attacking(broker, lines, qos, again=again):
            for n in range(1, LEAKS + 1):
                mine = leak_of("n2", n)
                began = time.monotonic()
                victim.publish("leakear/hill/n2/event", mine.to_json())
                until(lambda: found.stored(mine.id), "the leak in the log", 150)  # noqa: B023
                found.delays.append(time.monotonic() - began)
                found.look()
            arrived.wait(150)
        size = sum(path.stat().st_size for path in folder.glob("dashboard.sqlite*")) >> 20
        left_out = made.get("/api/me")["line"]["dropped"]
        found.report(name, left_out=left_out, database_mib=size)
    assert arrived.is_set(), "the clip did not arrive"
    return found


@contextmanager
def uploading(broker: ShippedBroker, dashboard: Dashboard, clip: bytes) -> Iterator[threading.Event]:
    """A node that sends a clip as soon as it is asked, which is at once; the event is set when the dashboard has it."""
    arrived = threading.Event()
    if not clip:
        arrived.set()
        yield arrived
        return
    dashboard.ready()
    login = ("hill.n3", broker.words["hill.n3"])
    with FakeNode(broker.port, "n3", "hill", host=broker.host, user=login) as node:
        node.answers = lambda name, request: answer_with_clip(name, request, wav(clip))
        told = node.turn("LEAK")
        dashboard.until("/api/alerts", lambda found: any(row["id"] == told.id for row in found["rows"]))

        def fetch() -> None:
            request = urllib.request.Request(
                f"{dashboard.url}/api/alerts/{told.id}/fetch", b"{}", {"content-type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=180) as answer:
                assert answer.status == 200
            arrived.set()

        thread = threading.Thread(target=fetch)
        thread.start()
        yield arrived
        thread.join()


def wav(samples: bytes) -> bytes:
    """A recording, 16 bit, 22050 Hz."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 22050, 0, "NONE", ""))
        file.writeframes(samples)
    return out.getvalue()


def leak_of(node: str, seq: int) -> Event:
    return replace(event(), id=uuid7(), site="hill", node=node, seq=seq, from_state="OK", to_state="LEAK")

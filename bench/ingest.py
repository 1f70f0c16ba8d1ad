"""Ingest by worker processes: what is sent, stored and shown, how fast, and at what cost.

    python -m bench.ingest                                   # 1,000 and 10,000 nodes for 10 minutes each
    python -m bench.ingest --nodes 10000 --minutes 2
    python -m bench.ingest --nodes 2000 --kill worker 20     # kill -9, one after the other, while all goes on
    python -m bench.ingest --nodes 2000 --kill postgres 10
    python -m bench.ingest --nodes 2000 --kill broker 10
    python -m bench.ingest --nodes 500 --minutes 1 --page    # watch a page in a real Chromium, too

A node reports once a minute; of a hundred nodes one has an event a second: WARNING, OK or (one in forty) LEAK. One
in fifty messages is sent twice. mosquitto, PostgreSQL (with fsync), two workers, a dashboard and a page's WebSocket
are real and on this machine. Counted at three places: the fleet, the database, the page. Latency: from the time in
an event's id to the commit of its row (by PostgreSQL's clock), and to its arrival at the page. Exit code 1 when
anything is missing or doubled.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psycopg
from websockets.sync.client import connect

from bench.ingest_fleet import made, speak
from bench.ingest_page import RealPage
from tests.support.broker import Broker
from tests.support.harness import TOKENS, Dashboard
from tests.support.ingest_worker import Worker
from tests.support.postgres import Postgres

PATIENCE_S = 180
"""after the end, until everything has been stored: a node is asked again for what a broker has lost"""
KILL_EVERY_S = 4.0
PERSISTENCE = "persistence true\npersistence_location {folder}/store/\n"
AUTOSAVE = {"changes": "autosave_interval 1\nautosave_on_changes true\n", "10s": "autosave_interval 10\n"}
"""when mosquitto writes all that it keeps: after each change, or every 10 s"""
TICK = os.sysconf("SC_CLK_TCK")


class Page:
    """A page's WebSocket that notes when it is told of which event; it connects again when it is cut off."""

    def __init__(self, dashboard: Dashboard) -> None:
        self.seen: Counter[str] = Counter()
        self.latencies: list[float] = []
        self._place = dashboard.url.partition("//")[2]
        self._ended = False
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def close(self) -> None:
        """Leave."""
        self._ended = True
        self._thread.join(20)

    def _read(self) -> None:
        head = {"authorization": f"Bearer {TOKENS[self._place]}", "origin": f"http://{self._place}"}
        while not self._ended:
            with (
                suppress(Exception),
                connect(f"ws://{self._place}/live", additional_headers=head, max_size=None, compression=None) as line,
            ):
                while not self._ended:
                    with suppress(TimeoutError):
                        self._note(json.loads(line.recv(1)))
            time.sleep(0.2)

    def _note(self, message: dict[str, Any]) -> None:
        if message["t"] == "events":
            now = time.time()
            for row in message["rows"]:
                self.seen[row["id"]] += 1
                self.latencies.append(now - made(row["id"]))


def cpu_s(pids: list[int]) -> float:
    """Processor time of processes, with their ended children."""
    total = 0.0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:13])) / TICK
    return total


def mebibytes(pids: list[int]) -> float:
    """Proportional set size: what several processes share counts once."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


class Run:
    """One fleet for some minutes."""

    def __init__(self, stack: ExitStack, nodes: int, autosave: str, *, page: bool) -> None:
        self.nodes = nodes
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leakear-ingest-")))
        self.folder = folder
        self.postgres = stack.enter_context(
            Postgres("track_commit_timestamp=on", "fsync=on", "max_wal_size=2GB", "shared_buffers=256MB")
        )
        self.broker = stack.enter_context(Broker(quiet=True, extra=PERSISTENCE + AUTOSAVE[autosave]))
        self.database = self.postgres.new_database()
        self.workers = [Worker(name, self.broker.port, self.database, folder) for name in ("1", "2")]
        for worker in self.workers:
            worker.ready()
            stack.callback(worker.stop)
        limits = ("--max-nodes", "200000", "--max-new-nodes", "200000")
        options = ("--ingest", "elsewhere", "--lost-after", "9999", *limits)
        place = f"mqtt://127.0.0.1:{self.broker.port}"
        self.dashboard = stack.enter_context(Dashboard(place, folder, *options, database=self.database)).ready()
        self.page = Page(self.dashboard)
        stack.callback(self.page.close)
        self.real_page = RealPage(self.dashboard) if page else None
        if self.real_page:
            stack.callback(self.real_page.close)
        self.line, other = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self.fleet = context.Process(target=speak, args=(self.broker.port, nodes, nodes / 100, other))
        self.fleet.start()
        stack.callback(self.fleet.kill)

    def processes(self) -> dict[str, list[int]]:
        """Process ids by what they are."""
        assert self.dashboard.process is not None
        found = {f"worker {n}": [worker.process.pid] for n, worker in enumerate(self.workers, 1)}
        found |= {"mosquitto": [self.broker.pid], "dashboard": [self.dashboard.process.pid]}
        return found | {"PostgreSQL": self.postgres.processes(), "fleet": [self.fleet.pid or 0]}

    def query(self, text: str) -> list[Any]:
        """Rows of a query; none while the database does not answer."""
        with suppress(psycopg.OperationalError), psycopg.connect(self.database.replace("+psycopg", "")) as line:
            return line.execute(text.encode()).fetchall()
        return []

    def counts(self) -> dict[str, int]:
        """Count what is stored."""
        rows = self.query(
            "SELECT (SELECT count(*) FROM events WHERE seq IS NOT NULL), (SELECT count(*) FROM readings), "
            "(SELECT coalesce(sum(level_n), 0) FROM samples WHERE seconds = 60), (SELECT count(*) FROM arrivals), "
            "(SELECT count(*) FROM events WHERE alert AND to_state = 'LEAK'), "
            "(SELECT count(*) FROM case_changes WHERE what IN ('open', 'note', 'reopen'))"
        )
        names = ("events", "reports", "in minutes", "not taken", "LEAKs", "in cases")
        return dict(zip(names, map(int, rows[0]), strict=True)) if rows else {}


def kill(run: Run, what: str, times: int) -> None:
    """Kill -9 and start again, so many times, at an interval."""
    for n in range(times):
        time.sleep(KILL_EVERY_S)
        if what == "worker":
            for worker in run.workers:
                worker.kill()
                worker.start()
        elif what == "postgres":
            run.postgres.kill()
            time.sleep(1)
            run.postgres.start()
        else:
            run.broker.kill()
            run.broker.start()
        for worker in run.workers:
            worker.keep()
        print(f"  kill -9 of {what}: {n + 1} of {times}", end="\r", flush=True)
    time.sleep(KILL_EVERY_S)
    print()


def measure(nodes: int, minutes: float, autosave: str, killed: tuple[str, int] | None, *, page: bool) -> bool:
    """Run one fleet and print its figures; tells whether nothing was lost or doubled."""
    with ExitStack() as stack:
        run = Run(stack, nodes, autosave, page=page)
        while run.counts().get("reports", 0) < nodes:  # all nodes have reported once
            time.sleep(1)
        before, began = {name: cpu_s(pids) for name, pids in run.processes().items()}, time.monotonic()
        if killed:
            kill(run, *killed)
        else:
            time.sleep(minutes * 60)
        took, used = time.monotonic() - began, {name: cpu_s(pids) for name, pids in run.processes().items()}
        memory = {name: mebibytes(pids) for name, pids in run.processes().items()}
        run.line.send("stop")
        sent = run.line.recv()
        counts, waited = drained(run, sent, broker=killed is not None and killed[0] == "broker")
        run.line.send("end")
        sent |= run.line.recv()
        latencies = [
            float(row[0]) for row in run.query(
                "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) - ('x' || left(replace(id, '-', ''), 12))"
                "::bit(48)::bigint / 1000.0 FROM events WHERE seq IS NOT NULL"
            )
        ]  # fmt: skip
        print(f"{nodes} nodes, {took:.0f} s: {sent['events']} events and {sent['reports']} reports sent, "
              f"{sent['twice']} of them twice, {sent['resent']} again because the dashboard asked; "
              f"all stored {waited:.0f} s after the end")  # fmt: skip
        print(f"  stored: {counts}; at the page: {len(run.page.seen)} events, {sum(run.page.seen.values())} times")
        for name, values in (("to row", latencies), ("to page", run.page.latencies)):
            print(f"  event {name:7}: p50 {share(values, 0.5):.3f} s, p99 {share(values, 0.99):.3f} s, "
                  f"most {share(values, 1):.3f} s")  # fmt: skip
        if not killed:
            for name, seconds in used.items():
                print(f"  {name:10}: {(seconds - before[name]) / took:6.1%} of a core, {memory[name]:6.0f} MiB")
        good = complete(sent, counts, run.page, killed)
        return (run.real_page is None or show_page(run.real_page, counts["LEAKs"], killed)) and good


def drained(run: Run, sent: dict[str, int], *, broker: bool) -> tuple[dict[str, int], float]:
    """Wait until everything is stored and taken; return the counts, and for how long it took.

    `broker`: it was killed; the reports that it had acknowledged and lost do not come any more.
    """
    began, counts = time.monotonic(), run.counts()
    while time.monotonic() - began < PATIENCE_S:
        all_events = counts and counts["events"] == sent["events"] and not counts["not taken"]
        if all_events and (counts["reports"] == sent["reports"] or broker):
            break
        time.sleep(1)
        for worker in run.workers:
            worker.keep()
        counts = run.counts() or counts
    return counts, time.monotonic() - began


def complete(sent: dict[str, int], counts: dict[str, int], page: Page, killed: tuple[str, int] | None) -> bool:
    """Whether all counts agree."""
    wrong = []
    if counts["events"] != sent["events"]:
        wrong.append(f"{sent['events'] - counts['events']} events are missing")
    lost = sent["reports"] - counts["reports"]
    if lost and killed and killed[0] == "broker":
        print(f"  {lost} reports that the broker had acknowledged went with it")
    elif lost:
        wrong.append(f"{lost} reports are missing")
    if counts["in minutes"] != counts["reports"]:
        wrong.append(f"the minutes count {counts['in minutes']} reports")
    if counts["LEAKs"] != counts["in cases"]:
        wrong.append(f"{counts['LEAKs']} LEAKs and {counts['in cases']} of them in cases")
    if not killed and (len(page.seen) != sent["events"] or max(page.seen.values()) > 1):
        wrong.append("the page was told of another number of events")
    print("  " + ("; ".join(wrong) or "sent = stored, each once, each alert raised once"))
    return not wrong


def show_page(page: RealPage, alerts: int, killed: tuple[str, int] | None) -> bool:
    """Print what the real page has shown; tells whether it was every alert, once."""
    page.wait(alerts)
    came, shown = page.came(), page.latencies()
    print(f"  Chromium: {len(came)} of {alerts} alerts, {sum(came.values())} times, {len(shown)} of them for a frame; "
          f"p50 {share(shown, 0.5):.3f} s, p99 {share(shown, 0.99):.3f} s, most {share(shown, 1):.3f} s; "
          f"heap {page.heap_at_first:.1f} → {page.heap():.1f} MiB")  # fmt: skip
    return killed is not None or (len(came) == alerts and max(came.values(), default=1) == 1)


def share(values: list[float], part: float) -> float:
    """Return the value below which a part of them lies."""
    ranked = sorted(values) or [float("nan")]
    return ranked[min(int(part * len(ranked)), len(ranked) - 1)]


def main() -> int:
    """Measure each fleet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--autosave", choices=AUTOSAVE, default="10s", help="when the broker saves what it keeps (10s)")
    parser.add_argument("--kill", nargs=2, metavar=("WHAT", "TIMES"), help="worker, postgres or broker")
    parser.add_argument("--page", action="store_true", help="count the alerts on a page in a real Chromium, too")
    args = parser.parse_args()
    killed = (args.kill[0], int(args.kill[1])) if args.kill else None
    good = [measure(nodes, args.minutes, args.autosave, killed, page=args.page) for nodes in args.nodes]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())

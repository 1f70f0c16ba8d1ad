"""A page of a city in a real Chromium, with 1,000, 10,000 and 100,000 nodes in the same run.

    python -m bench.city_page                                  # some 25 minutes
    python -m bench.city_page --nodes 3000 --minutes 0.5       # a short try
    python -m bench.city_page --nodes 100000 --postgres        # with PostgreSQL instead of SQLite

Prints a column for each city: time to the first view, to the answer of a search, from a LEAK published to its row, and
memory of page and server over some minutes in which each node speaks once a minute; then how each query of the pages is
answered (EXPLAIN). Exit 1 when a budget is missed.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.city import Speaker, fill, names
from bench.city_plans import plans
from leakear.dashboard.history.tables import open_database
from tests.support.broker import Broker
from tests.support.harness import Browser, Dashboard, FakeNode, resident, until
from tests.support.postgres import Postgres

BUDGETS = {"first view, s": 1.0, "search, s": 0.3, "LEAK to its row, s": 2.0, "LEAK to its toast, s": 2.0}
ON_LOAD = """window.firstView = null;
const look = () => {
  const shown = document.querySelector('.shown')?.textContent ?? '';
  if (document.querySelectorAll('.fleet .node').length > 5 && /[1-9]/.test(shown)) window.firstView = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);"""
SEARCH = """const [text, done] = arguments;
const box = document.querySelector('input[type=search]'), began = performance.now();
box.value = text; box.dispatchEvent(new Event('input', { bubbles: true }));
const look = () => {
  const rows = [...document.querySelectorAll('.fleet .node')];
  if (rows.length && rows.every((row) => row.dataset.key.includes(text))) done((performance.now() - began) / 1000);
  else if (performance.now() - began > 20000) done(20); else requestAnimationFrame(look);
};
requestAnimationFrame(look);"""
WATCH = """window.leaks = {}; window.toasts = {};
const see = () => {
  for (const row of document.querySelectorAll('.fleet .node')) {
    const { key, state } = row.dataset;
    if (state !== 'LEAK') delete window.leaks[key]; else window.leaks[key] ??= Date.now() / 1000;
  }
  for (const toast of document.querySelectorAll('.toast')) window.toasts[toast.dataset.id] ??= Date.now() / 1000;
  requestAnimationFrame(see);
};
requestAnimationFrame(see);"""


TOAST = "return window.toasts[arguments[0]]"


def first_view(browser: Browser, url: str) -> float:
    """Open the page; return the seconds to its first rows."""
    browser.open("about:blank")
    browser.open(url)
    return float(until(lambda: browser.js("return window.firstView"), "the first view", 60)) / 1000


def searches(browser: Browser, count: int) -> list[float]:
    """Search for one node after another; return the seconds to each answer."""
    browser.driver.set_script_timeout(60)
    found: list[float] = []
    for who in names(count)[:: max(1, count // 12)]:
        found.append(float(browser.driver.execute_async_script(SEARCH, who.node)))
        time.sleep(0.5)
    browser.js("const b=document.querySelector('input[type=search]');b.value='';b.dispatchEvent(new Event('input'))")
    return found


def leaks(browser: Browser, port: int, rounds: int) -> tuple[list[float], list[float]]:
    """Let nodes leak one after the other; return the seconds to their rows and to their toasts."""
    browser.js(WATCH)
    rows, toasts = [], []
    for who in names(rounds):
        key = f"{who.site}/{who.node}"
        with FakeNode(port, who.node, who.site, start=1000) as node:
            node.report()
            node.turn("OK", from_state="LEAK")
            time.sleep(1)
            sent = time.time()
            event = node.turn("LEAK", reason="Bench.")
            node.report(0.97, seq=node.seq)
            rows.append(until(lambda key=key: browser.js("return window.leaks[arguments[0]]", key), "the row") - sent)
            toasts.append(until(lambda event=event: browser.js(TOAST, event.id), "the toast") - sent)
            node.turn("OK")
            node.report(seq=node.seq)
    return rows, toasts


def page_mib(browser: Browser) -> float:
    """Return the used heap of the page after a collection, MiB."""
    browser.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    return float(browser.js("return performance.memory.usedJSHeapSize")) / 2**20


def speak(port: int, count: int, rate: float, seconds: float, ready: Any) -> None:
    """Speak for the city, in a process of its own."""
    speaker = Speaker(port, count)
    speaker.introduce()
    ready.set()
    speaker.speak(rate, seconds)
    speaker.close()


def wait_for_states(dashboard: Dashboard, count: int) -> int:
    """Wait until nearly all nodes are heard, or no further ones for some seconds; return how many are not."""
    silent, since = count + 1, time.monotonic()
    while time.monotonic() - since < 15:
        said = dashboard.get("/api/fleet?limit=1")
        now = said["counts"]["gone"] + count - said["total"]
        if now < silent - 0.001 * count:
            silent, since = now, time.monotonic()
        if silent <= 0.01 * count:
            break
        time.sleep(1)
    return silent


def processor_s(pid: int) -> float:
    """Return the processor time of a process, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(count: int, minutes: float, broker: Broker, dashboard: Dashboard, browser: Browser) -> dict[str, float]:
    """Return the figures of one city."""
    assert dashboard.process is not None
    pid, figures = dashboard.process.pid, {}
    first_view(browser, dashboard.url)  # fills the browser's cache
    figures["first view, s"] = statistics.median(first_view(browser, dashboard.url) for _ in range(5))
    found = searches(browser, count)
    figures["search, s"], figures["search, longest, s"] = statistics.median(found), max(found)
    rows, toasts = leaks(browser, broker.port, 10)
    figures["LEAK to its row, s"], figures["LEAK to its toast, s"] = max(rows), max(toasts)
    time.sleep(5)
    began, used, heap, memory = time.monotonic(), processor_s(pid), [page_mib(browser)], [resident(pid) / 2**20]
    while time.monotonic() - began < minutes * 60:
        time.sleep(10)
        heap.append(page_mib(browser))
        memory.append(resident(pid) / 2**20)
    took = time.monotonic() - began
    figures |= {"page heap at first, MiB": heap[0], "page heap half-way, MiB": heap[len(heap) // 2],
                "page heap at the end, MiB": heap[-1], "nodes on the page": browser.js(
                    "return document.querySelectorAll('.fleet .node').length")}  # fmt: skip
    figures |= {"server memory at first, MiB": memory[0], "server memory at the end, MiB": memory[-1],
                "server KiB a node": memory[-1] * 1024 / count}  # fmt: skip
    figures["server processors"] = (processor_s(pid) - used) / took
    figures["reports dropped"] = dashboard.get("/api/me")["line"]["dropped"]
    return figures


def city(count: int, minutes: float, browser: Browser, folder: Path, database: str) -> dict[str, float]:
    """Make a city, open its page, return the figures."""
    context = multiprocessing.get_context("spawn")
    with Broker() as broker:
        limit = str(2 * count)
        options = ("--max-nodes", limit, "--max-new-nodes", limit)
        dashboard = Dashboard(f"mqtt://127.0.0.1:{broker.port}", folder, *options, database=database)
        engine = open_database(dashboard.database)
        began = time.monotonic()
        fill(engine, count)
        engine.dispose()
        filled = time.monotonic() - began
        ready = context.Event()
        speaker = context.Process(target=speak, args=(broker.port, count, count / 60, 3600, ready))
        speaker.start()
        try:
            ready.wait(600)
            began = time.monotonic()
            with dashboard:
                dashboard.ready()
                silent = wait_for_states(dashboard, count)
                started = time.monotonic() - began
                figures = measure(count, minutes, broker, dashboard, browser)
        finally:
            speaker.terminate()
            speaker.join()
    at_first = {"filling the database, s": filled, "start until states are known, s": started}
    return at_first | {"nodes without one by then": silent} | figures


def show(columns: dict[int, dict[str, float]]) -> None:
    """Print a table."""
    print(f"{'':30}" + "".join(f"{count:>12,}" for count in columns))
    for name in next(iter(columns.values())):
        print(f"{name:30}" + "".join(f"{figures[name]:12.3f}" for figures in columns.values()))


@contextmanager
def databases(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database."""
    if not args.postgres:
        yield f"sqlite:///{folder}/dashboard.sqlite"
        return
    with Postgres("fsync=on", "max_wal_size=2GB", "shared_buffers=256MB") as server:
        yield server.new_database()


def main() -> int:
    """Print the figures."""
    wish = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wish.add_argument("--nodes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    wish.add_argument("--minutes", type=float, default=3, help="for each city, in which memory is watched")
    wish.add_argument("--postgres", action="store_true", help="with a PostgreSQL of its own (SQLite)")
    args = wish.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    columns: dict[int, dict[str, float]] = {}
    browser = Browser(1440, 900, "--enable-precise-memory-info")
    browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": ON_LOAD})
    try:
        for count in args.nodes:
            with tempfile.TemporaryDirectory(prefix="leakear-city-") as folder, databases(args, Path(folder)) as url:
                columns[count] = city(count, args.minutes, browser, Path(folder), url)
                show({count: columns[count]})
                if count == args.nodes[-1]:
                    print("\n".join(plans(url)), flush=True)
    finally:
        browser.quit()
    show(columns)
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    over = [f"{name}: {figures[name]:.2f}" for figures in columns.values() for name, most in BUDGETS.items()
            if figures[name] > most]  # fmt: skip
    print("within budget" if not over else f"OVER BUDGET: {'; '.join(over)}")
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())

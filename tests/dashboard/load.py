"""A fleet that speaks once a second per node, a real page that shows it, and a stopwatch: `make test-dashboard-load`.

Latency is counted in the browser, on each animation frame: from the time a node wrote into its message to the frame in
which its row shows that message. The nodes are simulated; broker, dashboard, database and Chromium are real. Exit 1
when a budget is missed.
"""

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support.broker import Broker
from tests.support.harness import Browser, Dashboard, FakeNode, resident

BUDGET_P99_S = 1.0
BUDGET_GROWTH = 0.05
"""of resident memory over the second half"""
STOPWATCH = """
window.seen = {rows: [], alerts: [], long: 0, frames: 0};
const last = new Map();
function look() {
  for (const row of document.querySelectorAll('.fleet .node')) {
    const end = row.querySelector('time').dateTime;
    if (end && last.get(row) !== end) {
      if (last.has(row)) window.seen.rows.push(Date.now() - Date.parse(end));
      last.set(row, end);
    }
  }
  window.seen.frames += 1;
  requestAnimationFrame(look);
}
new MutationObserver((changes) => {
  for (const change of changes) for (const toast of change.addedNodes) {
    const born = parseInt((toast.dataset?.id ?? '').replaceAll('-', '').slice(0, 12), 16);
    if (born) window.seen.alerts.push(Date.now() - born);
  }
}).observe(document.querySelector('.toasts'), {childList: true});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.seen.long = Math.max(window.seen.long, entry.duration);
}).observe({entryTypes: ['longtask']});
look();
"""


def speak(port: int, count: int, seconds: float) -> None:
    """Publish the state of each node once a second, evenly spread; every two seconds one node leaks."""
    noise = random.Random(1)
    node = FakeNode(port, "load")
    states = [json.loads(node.make_state(0.1, -60.0).to_json()) for _ in range(count)]
    for n, state in enumerate(states):
        state |= {"site": f"site-{n // 50:02}", "node": f"node-{n:04}"}
    began, sent = time.time(), 0
    while time.time() - began < seconds:
        due = int((time.time() - began) * count)
        for n in range(sent, due):
            state = states[n % count]
            state |= {"score": round(noise.random() * 0.4, 3), "level_dbfs": round(-60 + noise.gauss(0, 2), 2)}
            state["window_end"] = stamp()
            topic = f"leakear/{state['site']}/{state['node']}/state"
            node.client.publish(topic, json.dumps(state), 0, retain=n < count)
        if sent // (2 * count) != due // (2 * count):
            leak(node, noise.choice(states))
        sent = due
        time.sleep(0.02)


def leak(node: FakeNode, state: dict[str, Any]) -> None:
    """One alert."""
    state["seq"] += 1
    event = node.turn("LEAK", publish=False, site=state["site"], node=state["node"], seq=state["seq"], from_state="OK")
    node.client.publish(f"leakear/{event.site}/{event.node}/event", event.to_json(), 1)


def stamp() -> str:
    from leakear.edge.messages.reports import utc_now

    return utc_now()


def percentile(values: list[float], share: float) -> float:
    """Seconds."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000 if ordered else float("nan")


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def measure(nodes: int, minutes: float) -> dict[str, float]:
    """Run it; give the figures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(Broker())
        dashboard = stack.enter_context(Dashboard(f"mqtt://127.0.0.1:{broker.port}", folder)).ready()
        spoken = (broker.port, nodes, minutes * 60 + 45)
        speaker = multiprocessing.get_context("spawn").Process(target=speak, args=spoken)
        speaker.start()
        stack.callback(speaker.join)
        stack.callback(speaker.terminate)
        page = Browser(1440, 900)
        stack.callback(page.quit)
        return watch(page, dashboard, nodes, minutes)


def watch(page: Browser, dashboard: Dashboard, nodes: int, minutes: float) -> dict[str, float]:
    assert dashboard.process is not None
    page.open(dashboard.url)
    page.text(".shown", f"{nodes:,} of {nodes:,}", timeout=60)
    time.sleep(20)  # all rows drawn, all caches warm
    page.js(STOPWATCH)
    pid, began = dashboard.process.pid, time.time()
    busy, memory = processor_seconds(pid), []
    while time.time() - began < minutes * 60:
        time.sleep(5)
        memory.append(resident(pid) / 2**20)
    seen, took = page.js("return window.seen"), time.time() - began
    half = len(memory) // 2
    line = dashboard.get("/api/me")["line"]
    return {
        "nodes": nodes,
        "minutes": minutes,
        "row updates seen": len(seen["rows"]),
        "row latency p50 s": percentile(seen["rows"], 0.5),
        "row latency p99 s": percentile(seen["rows"], 0.99),
        "row latency max s": percentile(seen["rows"], 1),
        "alerts seen": len(seen["alerts"]),
        "alert latency p50 s": percentile(seen["alerts"], 0.5),
        "alert latency p99 s": percentile(seen["alerts"], 0.99),
        "frames a second": seen["frames"] / took,
        "longest task of the page ms": seen["long"],
        "server memory after a minute MiB": memory[min(12, half)],
        "server memory half-way MiB": memory[half],
        "server memory at the end MiB": memory[-1],
        "server memory growth in the second half": max(memory[-3:]) / memory[half] - 1,
        "server processor share of one core": (processor_seconds(pid) - busy) / took,
        "page heap MiB": page.js("return performance.memory.usedJSHeapSize") / 2**20,
        "reports dropped": line["dropped"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=10)
    args = parser.parse_args()
    figures = measure(args.nodes, args.minutes)
    for name, value in figures.items():
        print(f"{name:42} {value:10.3f}")
    slow = max(figures["row latency p99 s"], figures["alert latency p99 s"]) > BUDGET_P99_S
    grows = figures["server memory growth in the second half"] > BUDGET_GROWTH
    print("within budget" if not slow and not grows else "OVER BUDGET")
    return int(slow or grows)


if __name__ == "__main__":
    sys.exit(main())

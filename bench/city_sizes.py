"""What a city needs, on paper: from what was measured, to a million nodes. The arithmetic is printed with the table.

    python -m bench.city_sizes             # fills a PostgreSQL of its own for the bytes of a row
    python -m bench.city_sizes --nodes 50000 --servers 3

Processor time and memory come from runs whose commands stand beside them below; bytes of rows and of messages are
measured in this run. Beyond 10,000 nodes (100,000 for a server of pages) nothing was run: the table says what the
slopes say. A range is from its cheapest to its dearest reading.
"""

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert

from bench.city import MODEL, events_of, fill, names, states
from leakear.dashboard.history.tables import open_database
from leakear.dashboard.ingest.tables import readings
from leakear.dashboard.options import ServeOptions
from leakear.dashboard.retention.tiers import sizes
from leakear.edge.messages.reports import Event, utc_text
from tests.support.postgres import Postgres

DAY, YEAR = 86400.0, 365.25
REPORTS = (1.0, 2.0)
"""a node's reports a minute: of state, and of telemetry as well"""
EVENTS = (1.0, 10.0)
"""a node's events a day, its night among them"""
MESSAGES = {1000: 1205 / 120 + 4008 / 240, 10_000: 60_164 / 600 + 10_000 / 60}
"""messages a second of `python -m bench.ingest --nodes 1000 --minutes 2` and `--nodes 10000 --minutes 10`"""
CPU = {"ingest workers": (0.18, 0.66), "PostgreSQL": (0.07, 0.28), "mosquitto": (0.006, 0.019)}
"""cores of all processes of a kind in these two runs"""
EVENT_S = (0.59 - 0.20) / 90, 0.59 / 100
"""processor time of the server that leads for an event: by the slope of the two runs, and with all else on the event"""
REPORT_S = 0.5 / (100_000 / 60)
"""of any server for a report: half a core at 100,000 a minute, `python -m bench.city_page --nodes 100000`"""
WORKER_MIB, SERVER_KIB, BROKER_KIB = 65, 11, (21 - 4) * 1024 / 9000
"""memory of a worker; of a server of pages a node (100,000); of the broker a node (the two runs)"""
BUSY = 0.7
"""share of a core that a worker may use: what waited must be caught up with"""
SEGMENT = 40 + 29 + 40
"""bytes around a message that travels alone: TCP/IP, TLS 1.2 with AES-GCM, and the empty segment that acknowledges"""
ROWS = 2000
"""nodes by which the bytes of rows are measured"""


@dataclass(frozen=True)
class Measured:
    """Bytes."""

    row: dict[str, float]
    """of a row with its indexes, by tier"""
    report: float
    """of a report on the line"""
    event: float
    """of an event on the line"""


def measured() -> Measured:
    """Fill a database and make messages; return their bytes."""
    with Postgres() as server:
        engine = open_database(server.new_database())
        fill(engine, ROWS)
        now = time.time()
        with engine.begin() as connection:
            for ago in range(20):
                rows = [{"site": w.site, "node": w.node, "at": now - 60 * ago, "kind": "s", "received": now,
                         "score": 0.1, "level": -60.0, "floor": -70.0} for w in names(ROWS)]  # fmt: skip
                connection.execute(insert(readings), rows)
        row = {size.tier.name: size.per_row or 0.0 for size in sizes(engine)}
        engine.dispose()
    state = states(1)[0]
    return Measured(row, _on_line(state, "state"), _on_line(_event(), "event"))


def _event() -> Event:
    who = names(1)[0]
    row = next(events_of(who, random.Random(1), time.time()))
    return Event(
        id=row["id"], seq=1, site=who.site, node=who.node, kind="state", from_state="WARNING", to_state="LEAK",
        reason=row["reason"], window_start=utc_text(row["window_start"]), window_end=utc_text(row["window_end"]),
        clock_synced=True, score=0.9, level_dbfs=-50.0, on_fraction=0.9, model=MODEL,
    )  # fmt: skip


def _on_line(message: Any, name: str) -> float:
    topic = f"leakear/{message.site}/{message.node}/{name}"
    return (
        len(message.to_json()) + len(topic) + 8 + SEGMENT
    )  # 8: fixed header, length of the topic, packet id, properties


Range = tuple[float, float]


def table(nodes: int, servers: int, found: Measured) -> Iterator[tuple[str, Range, str, str]]:
    """Yield what so many nodes need: name, from and to, unit, and how it is reckoned."""
    reports = (nodes * REPORTS[0] / 60, nodes * REPORTS[1] / 60)
    events = (nodes * EVENTS[0] / DAY, nodes * EVENTS[1] / DAY)
    messages = (reports[0] + events[0], reports[1] + events[1])
    yield (
        "messages",
        messages,
        "a second",
        f"{REPORTS[0]:g} to {REPORTS[1]:g} reports a node-minute, {EVENTS[0]:g} to {EVENTS[1]:g} events a node-day",
    )
    few, many = MESSAGES[1000], MESSAGES[10_000]
    for name, (at_few, at_many) in CPU.items():
        slope, whole = (at_many - at_few) / (many - few), at_many / many
        low, high = sorted((slope, whole))
        yield (
            name,
            (messages[0] * low, messages[1] * high),
            "cores",
            f"{1000 * low:.2f} to {1000 * high:.2f} ms a message",
        )
        if name == "ingest workers":
            count = (math.ceil(messages[0] * low / BUSY), math.ceil(messages[1] * high / BUSY))
            yield "workers", count, "processes", f"each at most {BUSY:.0%} of a core"
            memory = (count[0] * WORKER_MIB / 1024, count[1] * WORKER_MIB / 1024)
            yield "workers, memory", memory, "GiB", f"{WORKER_MIB} MiB each"
    lead = (reports[0] * REPORT_S + events[0] * EVENT_S[0], reports[1] * REPORT_S + events[1] * EVENT_S[1])
    yield (
        "server that leads",
        lead,
        "cores",
        f"{1000 * REPORT_S:.2f} ms a report, {1000 * EVENT_S[0]:.1f} to {1000 * EVENT_S[1]:.1f} ms an event",
    )
    memory_each = nodes * SERVER_KIB / 2**20
    yield "each server of pages, memory", (memory_each, memory_each), "GiB", f"{SERVER_KIB} KiB a node"
    broker = nodes * BROKER_KIB / 2**20
    yield (
        "broker, retained and sessions",
        (broker, broker),
        "GiB",
        f"{BROKER_KIB:.1f} KiB a node, without its connections",
    )
    rate = [8e-6 * (r * found.report + e * found.event) for r, e in zip(reports, events, strict=True)]
    yield (
        "into the broker",
        (rate[0], rate[1]),
        "Mbit/s",
        f"{found.report:.0f} bytes a report, {found.event:.0f} an event",
    )
    out = (rate[0] * (1 + servers), rate[1] * (1 + servers))
    yield "out of the broker", out, "Mbit/s", f"once to a worker, once to each of {servers} servers"
    yield from _database(nodes, found)


def _database(nodes: int, found: Measured) -> Iterator[tuple[str, Range, str, str]]:
    kept = ServeOptions()
    a_day = {
        "readings": (1440 * REPORTS[0], 1440 * REPORTS[1]), "minutes": (1440.0, 1440.0), "hours": (24.0, 24.0),
        "nights": (1.0, 1.0), "events": EVENTS,
    }  # fmt: skip
    days = {
        "readings": kept.keep_readings, "minutes": kept.keep_minutes, "hours": kept.keep_hours,
        "nights": kept.keep_events, "events": kept.keep_events,
    }  # fmt: skip
    total = [0.0, 0.0]
    for tier, (low, high) in a_day.items():
        span, row = days[tier] / DAY, found.row[tier]
        size = (nodes * low * span * row / 2**40, nodes * high * span * row / 2**40)
        total = [total[0] + size[0], total[1] + size[1]]
        yield f"{tier}, {span:.0f} days", size, "TiB", f"{row:.0f} bytes a row, {low:g} to {high:g} a node-day"
    yield "database", (total[0], total[1]), "TiB", "the sum; room for as much again where old tables are divided"


def figure(span: Range) -> str:
    """Return a range with two digits that count."""
    texts = [f"{value:,.0f}" if value >= 100 else f"{value:.2g}" for value in span]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} – {texts[1]}"


def main() -> int:
    """Print the table."""
    wish = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wish.add_argument("--nodes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    wish.add_argument("--servers", type=int, default=2, help="servers of pages (2)")
    args = wish.parse_args()
    found = measured()
    columns = [list(table(count, args.servers, found)) for count in args.nodes]
    print("| | unit | " + " | ".join(f"{count:,} nodes" for count in args.nodes) + " | reckoned by |")
    print("|---|---|" + "---|" * (len(columns) + 1))
    for lines in zip(*columns, strict=True):
        name, _, unit, how = lines[0]
        print(f"| {name} | {unit} | " + " | ".join(figure(line[1]) for line in lines) + f" | {how} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

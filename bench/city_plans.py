"""How the database answers the pages' queries: each SELECT of each reading, with its plan and its time.

    python -m bench.city_plans sqlite:///FILE              # or postgresql+psycopg://…
    python -m bench.city_plans --postgres 100000           # starts a PostgreSQL and fills it with so many nodes

Exit 1 when a reading takes more than 0.3 s, or a query goes through a whole table of the history (Seq Scan).
"""

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Engine, event, select, text

from bench.city import fill
from leakear.dashboard.alerting.alerts import Alerts
from leakear.dashboard.cases.store import Cases
from leakear.dashboard.history import History
from leakear.dashboard.history.samples import Samples
from leakear.dashboard.history.tables import nodes, open_database
from leakear.dashboard.map.store import Places
from leakear.dashboard.priority.reading import ranked

EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN (ANALYZE, BUFFERS OFF) "}
MOST_S = 0.3
WHOLE = re.compile(r"Seq Scan on (?:events|samples|nights|readings)|SCAN (?:events|samples|nights|readings)$")
"""a plan that reads all rows of a table that grows"""
NOTHING = re.compile(r"cost=0.00..0.00 |never executed")
"""of a partition that holds no row yet, or is left out"""
NOBODY = "no such node"
"""a search without a match has to look at all that it may look at"""
START = "start: "
"""readings of the start of a server, which no page waits for"""


def readings(engine: Engine) -> dict[str, Callable[[], object]]:
    """Return what pages read, by name."""
    history = History(engine)
    alerts, samples, cases = Alerts(engine, history), Samples(engine), Cases(engine)
    with engine.connect() as connection:
        key = tuple(connection.execute(select(nodes.c.site, nodes.c.node).limit(1)).one())
    now, last = time.time(), alerts.page("all")[-1]["id"]
    return {
        "open alerts, counted": history.counts,
        **{f"log, {which}": lambda which=which: alerts.page(which) for which in ("open", "alerts", "leaks", "judged")},
        "log, everything": lambda: alerts.page("all"),
        "log, everything, next page": lambda: alerts.page("all", before=last),
        "log, alerts, next page": lambda: alerts.page("alerts", before=last),
        "log, a name": lambda: alerts.page("alerts", key[1]),
        "log, open, a name": lambda: alerts.page("open", key[1]),
        "log, everything, a name": lambda: alerts.page("all", key[1]),
        "log, everything, no match": lambda: alerts.page("all", NOBODY),
        "log, alerts, no match": lambda: alerts.page("alerts", NOBODY),
        "log, alerts of a day": lambda: alerts.page("alerts", span=(now - 86400, now)),
        "node, events of a month": lambda: history.node_events(key, now - 30 * 86400),
        "node, open alerts": lambda: alerts.open_of(key),
        "node, state before": lambda: history.state_before(key, now - 86400),
        "node, chart of an hour": lambda: samples.series(key, now - 3600, now),
        "node, chart of a day": lambda: samples.series(key, now - 86400, now),
        "node, chart of a year": lambda: samples.series(key, now - 365 * 86400, now),
        "node, nights": lambda: history.nights.of_node(key, now - 90 * 86400),
        "judged states": history.judged_states,
        "open cases": lambda: ranked(engine, cases.page("open"), now),
        "all cases, figures": cases.figures,
        "map, positions changed": lambda: Places(engine).stamp(),
        "map, a cluster": lambda: Places(engine).positions_of([key]),
        START + "positions": lambda: Places(engine).spread(),
        START + "silent nodes": history.reported_lost,
    }  # fmt: skip


def plans(url: str) -> Iterator[str]:
    """Yield lines: a reading and its time, then each of its queries' plans."""
    engine = open_database(url, make=False)
    said: list[tuple[str, Any]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: object, _k: object, statement: str, parameters: Any, _x: object, _m: object) -> None:
        if statement.startswith("SELECT"):
            said.append((statement, parameters))

    for name, read in readings(engine).items():
        read()
        said.clear()
        began = time.perf_counter()
        read()
        took = time.perf_counter() - began
        yield f"{name}: {1000 * took:.1f} ms"
        queries = list(said)
        with engine.connect() as connection:
            for statement, parameters in queries:
                found = connection.connection.cursor()
                found.execute(EXPLAIN[engine.dialect.name] + statement, parameters)
                yield from (f"    {row[-1]}" for row in found.fetchall())
    engine.dispose()


def faults(lines: list[str]) -> list[str]:
    """Return the readings that are too slow or go through a whole table, with what is wrong."""
    wrong, name = [], ""
    for line in lines:
        if not line.startswith(" "):
            name, _, took = line.rpartition(": ")
            if float(took.split()[0]) > 1000 * MOST_S and not name.startswith(START):
                wrong.append(line)
        elif WHOLE.search(line.split("  (")[0]) and not name.startswith(START) and not NOTHING.search(line):
            wrong.append(f"{name}: {line.strip()}")
    return wrong


def filled(count: int) -> Iterator[str]:
    """Yield the plans of a PostgreSQL of its own with so many nodes."""
    from tests.support.postgres import Postgres

    with Postgres("max_wal_size=2GB", "shared_buffers=256MB") as server:
        url = server.new_database()
        engine = open_database(url)
        fill(engine, count)
        with engine.begin() as connection:  # as autovacuum does within a minute
            connection.execute(text("ANALYZE"))
        engine.dispose()
        yield from plans(url)


def main() -> int:
    """Print the plans."""
    wish = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wish.add_argument("database", nargs="?", help="URL")
    wish.add_argument("--postgres", type=int, metavar="NODES", help="fill a PostgreSQL of its own")
    args = wish.parse_args()
    if (args.database is None) == (args.postgres is None):
        wish.error("give the URL of a database, or --postgres NODES")
    lines = list(filled(args.postgres) if args.postgres else plans(args.database))
    print("\n".join(lines))
    wrong = faults(lines)
    print("\n".join(["WRONG:", *wrong]) if wrong else f"each within {1000 * MOST_S:.0f} ms, none through a whole table")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

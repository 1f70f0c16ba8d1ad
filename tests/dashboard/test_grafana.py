"""The Grafana dashboard's queries, each run on a real PostgreSQL that the dashboard's own code has filled.

Grafana itself is not here: its macros and variables are expanded by hand, as its documentation says it does.
"""

import json
import re
from typing import Any

import psycopg
import pytest

from leakear.dashboard.alerting.alerts import Alerts
from leakear.dashboard.fleet import Fleet
from leakear.dashboard.fleet.ring import Sums
from leakear.dashboard.history import History, event_row
from leakear.dashboard.history.samples import Samples
from leakear.dashboard.history.tables import open_database
from tests.dashboard.test_history import HOUR0, KEY, NOW, event
from tests.support.places import ROOT
from tests.support.postgres import Postgres

FILE = ROOT / "examples" / "grafana" / "dashboard.json"
BOARD = json.loads(FILE.read_text())
QUERIES = {panel["title"]: panel["targets"][0]["rawSql"] for panel in BOARD["panels"]}
QUERIES["annotation"] = BOARD["annotations"]["list"][0]["target"]["rawSql"]
QUERIES |= {f"variable {v['name']}": v["query"] for v in BOARD["templating"]["list"] if v["type"] == "query"}


def expanded(sql: str) -> str:
    sql = re.sub(r"\$__unixEpochFilter\((\w+)\)", rf"\1 >= {HOUR0 - 60} AND \1 <= {2 * NOW:.0f}", sql)
    sql = sql.replace("$__unixEpochTo()", f"{HOUR0 + 3600}").replace("$__unixEpochFrom()", f"{HOUR0 - 60}")
    sql = sql.replace("${site:sqlstring}", f"'{KEY[0]}'").replace("${node:sqlstring}", f"'{KEY[1]}','other'")
    assert "$" not in sql, "a macro or variable that this test does not know"
    return sql


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> str:
    url = postgres.new_database()
    engine = open_database(url)
    history = History(engine)
    leak = event(1)
    history.record([event_row(leak, NOW), event_row(event(2, "OK", at=NOW + 60), NOW)])
    Alerts(engine, history).judge(leak.id, "ana", "leak", "", "Metal")
    history.record([event_row(event(3, "SENSOR_FAULT", at=NOW + 90), NOW)])
    sums = Sums(HOUR0)
    sums.add(0.5, -50.0, -60.0)
    Samples(engine).add([(KEY, sums)])
    fleet = Fleet()
    node = fleet.node(KEY)
    assert node is not None
    for seq in (1, 2, 5):
        node.sequence.see(seq)
    history.save_nodes(fleet, NOW)
    engine.dispose()
    return url.replace("+psycopg", "")


@pytest.mark.parametrize("title", QUERIES)
def test_each_query_runs_and_finds_rows(filled: str, title: str) -> None:
    with psycopg.connect(filled) as line:
        answer = line.execute(expanded(QUERIES[title]).encode())
        names = [column.name for column in answer.description or ()]
        rows: list[Any] = answer.fetchall()
    assert rows
    if title in ("Score (highest of each interval)", "Level (mean)", "Noise floor (mean)", "States"):
        assert names == ["time", "metric", "value"]
    if title == "Nodes":
        assert rows[0][3] == 2, "events missing"
    if title == "Open alerts":
        assert rows == [(1,)]


def test_the_file_is_a_complete_grafana_dashboard() -> None:
    assert BOARD["title"] == "leakear"
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert "id" not in BOARD, "an id of somebody's Grafana must not travel"

"""The page that brings a model to nodes, in a real browser, with real nodes on a real broker."""

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.i18n import texts
from tests.edge.remote.test_model_update import OLD_ID, SECOND, configured, made
from tests.edge.remote.test_trial import ALWAYS
from tests.support.harness import Browser, Dashboard, until
from tests.support.paced_node import PacedNode

__all__ = ["configured"]

EN = texts("en")
NODES = ("pit-1", "pit-2")


@pytest.fixture
def dashboard(broker: Any, tmp_path: Path) -> Iterator[Dashboard]:
    with Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as running:
        yield running.ready()


@pytest.fixture
def nodes(broker: Any, dashboard: Dashboard, tmp_path: Path, configured: dict[str, Any]) -> Iterator[list[PacedNode]]:
    started = []
    for name in NODES:
        state = tmp_path / name
        node = {"site": "hill", "name": name, "state_dir": str(state), "telemetry_s": 5}
        started.append(PacedNode(broker.port, state, node=node, model=configured))
    yield started
    for each in started:
        each.end(signal.SIGTERM)


def post(dashboard: Dashboard, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(dashboard.url + path, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def choose(browser: Browser, dashboard: Dashboard, model: Path) -> None:
    """Open the page, choose all nodes and a file."""
    browser.open(dashboard.url + "/deploy")
    for name in NODES:
        browser.one(f'input[data-node="hill/{name}"]')
    browser.click('input[data-site="hill"]')
    browser.one('input[name="model"]').send_keys(str(model))
    browser.click('[data-command="deploy"]')


def status(browser: Browser, name: str, wanted: str) -> None:
    browser.one(f'tr[data-node="hill/{name}"][data-status="{wanted}"]', timeout=90)


def test_a_model_reaches_all_nodes_in_waves_and_is_taken_back(
    browser: Browser, dashboard: Dashboard, nodes: list[PacedNode], tmp_path: Path
) -> None:
    (tmp_path / "second.tflite").write_bytes(SECOND)
    choose(browser, dashboard, tmp_path / "second.tflite")
    status(browser, "pit-1", "trial")
    status(browser, "pit-2", "waiting")
    browser.text("tr", EN["deploy.until"])
    status(browser, "pit-1", "in use")
    status(browser, "pit-2", "trial")
    browser.open(dashboard.url + "/node/hill/pit-2")
    browser.text(".facts", EN["fact.trial"])
    browser.open(dashboard.url + "/deploy")
    status(browser, "pit-2", "in use")
    browser.click('input[data-site="hill"]')
    browser.click('[data-command="rollback"]')
    browser.text('.answer[data-ok="true"]', f"hill/pit-2: {EN['deploy.isback'].format(model=OLD_ID)}")
    status(browser, "pit-1", "failed")
    assert browser.complaints() == []
    browser.open("about:blank")


def test_a_bad_model_stops_at_the_first_node(
    browser: Browser, dashboard: Dashboard, nodes: list[PacedNode], tmp_path: Path
) -> None:
    (tmp_path / "always.tflite").write_bytes(ALWAYS)
    choose(browser, dashboard, tmp_path / "always.tflite")
    status(browser, "pit-1", "failed")
    browser.text('[role="alert"]', "did not pass its trial")
    rollout = dashboard.get("/api/deploy")["rollout"]
    assert [node["status"] for node in rollout["nodes"]] == ["failed", "waiting"]
    browser.open("about:blank")


def test_what_no_node_would_take_and_unknown_nodes_are_refused(dashboard: Dashboard, tmp_path: Path) -> None:
    import base64

    unsigned = base64.b64encode(made("unsigned", "2027-01-01T00:00:00Z", key=None)).decode()
    signed = base64.b64encode(SECOND).decode()
    for body, code, sentence in [
        ({"model": unsigned, "nodes": [["hill", "pit-1"]]}, 422, "is not signed"),
        ({"model": "AAAA", "nodes": [["hill", "pit-1"]]}, 422, "no model file"),
        ({"model": 3, "nodes": [["hill", "pit-1"]]}, 422, "no model file"),
        ({"model": signed, "nodes": [["hill", "pit-1"]]}, 404, "not known"),
        ({"model": signed, "nodes": [["hill"]]}, 422, "named by its site"),
        ({"model": signed, "nodes": [["+", "#"]]}, 422, "site is"),
        ({"model": signed, "nodes": []}, 422, "Choose at least one"),
    ]:  # fmt: skip
        got, answer = post(dashboard, "/api/deploy/start", body)
        assert (got, sentence in answer["error"]) == (code, True), answer
    assert post(dashboard, "/api/deploy/rollback", {"nodes": [["hill", "pit-9"]]})[0] == 404
    assert dashboard.get("/api/deploy") == {"rollout": None}


def test_who_may_only_view_sends_no_model(dashboard: Dashboard, broker: Any, tmp_path: Path) -> None:
    dashboard.add_user("vera", "a long password", "view")
    dashboard.add_user("otto", "a long password", "operate")
    login = json.dumps({"name": "vera", "password": "a long password"}).encode()
    request = urllib.request.Request(dashboard.url + "/api/login", login, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        cookie = answer.headers["set-cookie"].split(";")[0]
    headers = {"content-type": "application/json", "cookie": cookie}
    for path in ("start", "stop", "rollback"):
        change = urllib.request.Request(f"{dashboard.url}/api/deploy/{path}", b"{}", headers, method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(change)
        assert refused.value.code == 403
    seen = urllib.request.Request(f"{dashboard.url}/api/deploy", headers=headers)
    until(lambda: json.load(urllib.request.urlopen(seen)) == {"rollout": None}, "view")

"""/metrics: who may read it, that it is what Prometheus takes, and that the alert rules ask for figures that exist."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.dashboard.test_access import PASSWORD, Client
from tests.dashboard.test_strangers import raw
from tests.support.broker import Broker
from tests.support.harness import Dashboard, FakeNode, until
from tests.support.places import ROOT

RULES = yaml.safe_load((ROOT / "examples" / "grafana" / "alerts.yaml").read_text(encoding="utf-8"))
ASKED = [ROOT / "examples" / name for name in ("grafana/alerts.yaml", "grafana/health.json", "prometheus/rules.yaml")]


def read(dashboard: Dashboard, **headers: str) -> tuple[int, str]:
    """Ask without a cookie."""
    status, answer = raw(dashboard.url, "GET", "/metrics", **headers)
    return status, answer.decode()


def figures(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_figures_of_dashboard_and_nodes_are_read_and_hold_no_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("metrics-secret-1\n")
    notify = tmp_path / "notify"
    notify.write_text("jsons://user:hidden@hooks.example/leaks\n")
    for path in (secret, notify):
        path.chmod(0o600)
    options = ("--metrics-token", str(secret), "--notify", str(notify))
    with Broker() as broker, FakeNode(broker.port, "pit-1", "east") as node:
        node.turn("LEAK")
        node.report(0.9, faults=("clipping",))
        with Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path, *options) as dashboard:
            dashboard.ready()
            assert read(dashboard)[0] == 401, "no token"
            assert read(dashboard, authorization="Bearer wrong")[0] == 401

            def shown() -> Any:
                status, text = read(dashboard, authorization="Bearer metrics-secret-1")
                assert status == 200
                return text if "leakear_node_up{" in text else None

            text = until(shown, "a node in the figures")
    found = figures(text)
    assert found["leakear_node_leak"]["pit-1", "east"] == 1
    assert found["leakear_node_fault"]["pit-1", "east"] == 1
    assert found["leakear_broker_connected"][()] == 1
    assert not any(word in text for word in ("hidden", "metrics-secret-1", "hooks.example", dashboard.entry[-20:]))
    asked = {name for path in ASKED for name in re.findall(r"leakear_\w+", path.read_text(encoding="utf-8"))}
    asked = {name.removesuffix("_total") for name in asked if not name.startswith("leakear_edge")}
    assert len(asked) >= 9
    assert asked <= set(found)
    assert len({rule["uid"] for group in RULES["groups"] for rule in group["rules"]}) == 16


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not here: apt-get install prometheus")
def test_promtool_takes_figures_and_rules_and_the_rules_speak_when_they_should() -> None:
    folder = ROOT / "examples" / "prometheus"
    for words in (("check", "rules", "rules.yaml"), ("test", "rules", "tests.yaml")):
        done = subprocess.run(["promtool", *words], cwd=folder, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_token_asking_from_this_machine_gives_no_right(tmp_path: Path) -> None:
    with Dashboard("mqtt://127.0.0.1:1", tmp_path) as dashboard:
        dashboard.add_user("ana", PASSWORD, "view")
        assert read(dashboard)[0] == 401
        assert read(dashboard, authorization="Bearer ")[0] == 401
        assert Client(dashboard.url).log_in("ana").ask("/metrics")[0] == 200

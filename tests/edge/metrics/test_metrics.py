"""/metrics of a node: a real node, real HTTP, and strangers that are slow, many or loud."""

import logging
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from leakear.edge.errors import ConfigError
from leakear.edge.messages.reports import utc_text
from leakear.edge.metrics import MetricsOptions, MetricsServer, exposition, server
from leakear.edge.node.events import level_of, state_message
from leakear.edge.settings import Settings
from tests.support.broker import Broker, free_port
from tests.support.living_node import LEAK, Life, living_node
from tests.support.places import ROOT
from tests.support.sound_servers import until

ASKED = [ROOT / "examples" / name for name in ("grafana/alerts.yaml", "grafana/health.json", "prometheus/rules.yaml")]


def ask(port: int, path: str = "/metrics", method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def figures(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {tuple(v for k, v in sample.labels.items() if k not in ("site", "node")): sample.value
                      for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }  # fmt: skip


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[tuple[Life, int]]:
    port = free_port()
    given: Any = {"metrics": {"port": port}, "mqtt": {"username": "n", "password": "broker-secret-7"}}
    with Broker() as broker, living_node(broker, tmp_path, **given) as life:
        yield life, port


def test_a_real_node_gives_its_figures_and_no_secret(measured: tuple[Life, int]) -> None:
    life, port = measured
    until(lambda: "503" in str(ask(port)[0]) or ask(port)[0] == 200, "the server")
    life.hear(30)
    text = ask(port)[1]
    life.hear(120, LEAK)
    status, later = ask(port)
    assert status == 200
    before, after = figures(text), figures(later)
    assert after["leakear_edge_state"]["LEAK",] == 1
    assert sum(after["leakear_edge_state"].values()) == 1
    assert after["leakear_edge_windows_scored"][()] > before["leakear_edge_windows_scored"][()]
    assert after["leakear_edge_level_dbfs"][()] == pytest.approx(level_of(life.node.reporter.status().last), abs=1)
    assert after["leakear_edge_clock_bound_seconds"][()] == pytest.approx(0.0004)
    (version,) = after["leakear_edge_info"]
    info = life.node.reporter.status()
    assert version[1:] == (info.model.id, info.model.sha256)
    assert {"leakear_edge_queue_events", "leakear_edge_faults", "leakear_edge_clock_synced"} <= set(after)
    assert "broker-secret-7" not in later
    assert ask(port, "/")[0] == 404
    assert ask(port, method="POST")[0] == 405


def test_rules_and_charts_ask_for_figures_that_exist(measured: tuple[Life, int]) -> None:
    life, _ = measured
    life.hear(20)
    telemetry = replace(life.node.reporter.telemetry(), temperature_c=40.0, certificate_expires=utc_text(0.0))
    text = exposition(state_message(life.node.reporter.status()), telemetry, connected=True)
    asked = {name for path in ASKED for name in re.findall(r"leakear_edge_\w+", path.read_text(encoding="utf-8"))}
    assert len(asked) >= 11
    assert {name.removesuffix("_total") for name in asked} <= set(figures(text.decode()))
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], input=text, check=True)


def test_off_unless_a_port_is_named(tmp_path: Path) -> None:
    assert Settings.from_mapping({}, "t", {}).metrics == MetricsOptions(port=0, listen="127.0.0.1")
    with Broker() as broker, living_node(broker, tmp_path):
        assert "metrics" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConfigError, match=r"\[metrics\] listen is 'pump-house': give an IP address"):
        MetricsOptions(listen="pump-house")


@pytest.fixture
def small() -> Iterator[MetricsServer]:
    with MetricsServer(MetricsOptions(port=free_port()), lambda: b"leakear_edge_up 1\n") as running:
        until(lambda: running.port, "the server")
        yield running


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def test_strangers_who_say_nothing_are_few_and_not_for_long(
    small: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SLOW_S", 1.0)
    idle = [connected(small.port) for _ in range(server.CONNECTIONS)]
    with connected(small.port) as more:
        assert more.recv(10) == b"", "one too many"
    for line in idle:
        assert line.recv(10) == b"", "too slow"
        line.close()
    assert ask(small.port) == (200, "leakear_edge_up 1\n")


def send_without_end(line: socket.socket) -> None:
    for _ in range(1000):
        line.sendall(b"GET /metrics HTTP/1.1\r\nx: " + b"x" * 100)
        time.sleep(0.001)


def test_a_request_without_end_is_closed(small: MetricsServer) -> None:
    with connected(small.port) as line, pytest.raises(OSError, match=r"reset|pipe"):
        send_without_end(line)
    assert ask(small.port)[0] == 200


def test_an_address_that_is_taken_is_said_once_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "AGAIN_S", 0.1)
    with socket.socket() as other, caplog.at_level(logging.ERROR):
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with MetricsServer(MetricsOptions(port=port), lambda: b"x 1\n") as waiting:
            until(lambda: caplog.records, "the error")
            time.sleep(0.5)
            other.close()
            until(lambda: waiting.port, "the server")
            assert ask(port)[0] == 200
    (said,) = caplog.messages
    assert said.startswith(f"[metrics] 127.0.0.1 port {port} cannot be used")

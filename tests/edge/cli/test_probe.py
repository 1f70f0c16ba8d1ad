"""`leakear-edge check` asks the broker as the node itself, and never disturbs one that runs."""

from pathlib import Path
from typing import Any

import pytest

from leakear.edge.cli import probe
from leakear.edge.settings import Settings
from tests.support.broker import Broker, Subscriber
from tests.support.living_node import living_node

NAME = {"site": "hill", "name": "pit-7"}


def settings(broker: Broker, folder: Path, **mqtt: Any) -> Settings:
    given = {"node": NAME | {"state_dir": str(folder)}, "mqtt": {"host": broker.host, "port": broker.port} | mqtt}
    return Settings.from_mapping(given, environment={})


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
@pytest.mark.parametrize(("prefix", "status"), [("leakear-hill", "ok"), ("leakear-check", "fault")])
def test_a_broker_that_admits_certain_client_ids_is_asked_with_the_nodes(
    tmp_path: Path, protocol: str, prefix: str, status: str
) -> None:
    with Broker(extra=f"clientid_prefixes {prefix}") as broker:
        found = probe.broker(settings(broker, tmp_path, protocol=protocol))
    assert found.status == status, found
    assert "leakear-hill-pit-7" in found.detail


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
@pytest.mark.parametrize("may", ["leakear/hill/pit-7/#", "leakear/hill/pit-8/#"])
def test_the_right_to_write_is_tried(tmp_path: Path, protocol: str, may: str) -> None:
    with Broker(passwords={"n": "p"}, acl=f"user n\ntopic write {may}\n") as broker:
        found = probe.broker(settings(broker, tmp_path, protocol=protocol, username="n", password="p"))
    assert (found.status == "ok") == may.endswith("pit-7/#"), found
    assert found.detail != "p"


def test_a_broker_without_retained_messages_is_a_warning(tmp_path: Path) -> None:
    for protocol in ("auto", "3.1.1"):
        with Broker(extra="retain_available false") as broker:
            found = probe.broker(settings(broker, tmp_path, protocol=protocol))
        assert (found.status, "retain_available" in found.detail) == ("warning", True), found


def test_a_running_daemon_keeps_its_connection_and_its_availability(broker: Broker, tmp_path: Path) -> None:
    with living_node(broker, tmp_path) as life, Subscriber(broker, "leakear/#") as seen:
        life.hear(2)
        found = probe.broker(settings(broker, tmp_path))
        assert found.status == "ok"
        assert "daemon runs" in found.remedy
        life.hear(2)
        assert life.node.link is not None
        assert (life.node.link.connected, life.node.link.reconnects) == (True, 0)
        assert b"offline" not in [m.payload for m in seen.on("leakear/hill/pit-7/availability")]


def test_commands_that_wait_for_the_node_are_still_there_after_a_check(broker: Broker, tmp_path: Path) -> None:
    with living_node(broker, tmp_path):
        pass  # it has a session now
    with Subscriber(broker, "nothing") as operator:
        operator.publish("leakear/hill/pit-7/cmd/set", {"id": "waits", "threshold": 0.9})
    assert probe.broker(settings(broker, tmp_path)).status == "ok"
    with living_node(broker, tmp_path) as life:
        life.hear(2)
        rule = life.node.detector.pipeline.decision.rule
        life.pump_until(lambda: life.node.detector.pipeline.decision.rule.threshold == 0.9, f"the command; {rule}")

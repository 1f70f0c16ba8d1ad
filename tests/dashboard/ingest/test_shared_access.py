"""The account of ingest workers under the shipped access list, and what a worker says where it may not read."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from leakear.dashboard.history.tables import events, open_database
from leakear.dashboard.ingest.tables import readings
from tests.support.broker import Broker
from tests.support.fake_node import FakeNode
from tests.support.harness import until
from tests.support.ingest_worker import Worker
from tests.support.postgres import Postgres
from tests.support.shipped_broker import ShippedBroker

SECURITY = sorted(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))


def as_ingest(broker: ShippedBroker, folder: Path) -> tuple[str, ...]:
    secret = folder / "secret"
    secret.write_text(broker.words["ingest"])
    secret.chmod(0o600)
    return "--username", "ingest", "--password-file", str(secret)


def count(url: str, table: Any) -> int:
    engine = open_database(url)
    with engine.connect() as connection:
        found = connection.scalar(select(func.count()).select_from(table)) or 0
    engine.dispose()
    return found


def test_workers_share_what_nodes_send_with_the_shipped_access_list(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()
    with ShippedBroker(watchers=("ingest", "operator")) as broker:
        options = as_ingest(broker, tmp_path)
        login = ("hill.n1", broker.words["hill.n1"])
        with (
            Worker("1", broker.watchers_port, url, tmp_path, *options),
            Worker("2", broker.watchers_port, url, tmp_path, *options),
            FakeNode(broker.port, "n1", "hill", user=login) as node,
        ):
            for _ in range(20):
                node.turn("LEAK")
            node.report()
            node.telemetry()
            until(lambda: count(url, events) == 20 and count(url, readings) == 2, "all that was sent")


def test_the_account_reads_what_a_worker_stores_and_writes_nothing() -> None:
    with (
        ShippedBroker(watchers=("ingest", "operator")) as broker,
        broker.watch("leakear/#", "$share/other/leakear/+/+/availability", user="ingest") as worker,
        broker.watch("leakear/#", user="operator") as operator,
        broker.as_node("hill.n1", "leakear/hill/n1/cmd/+") as node,
    ):
        worker.client.publish("leakear/hill/n1/cmd/identify", b"from the worker", 1)
        for topic in ("event", "state", "cmd/resend/result"):
            worker.client.publish(f"leakear/hill/n1/{topic}", b"forged", 1)
        time.sleep(0.3)
        worker.wait_for(worker.client.is_connected, "connection")
        for topic in ("availability", "spectrum", "cmd/clip/result", "event", "state", "telemetry"):
            node.publish(f"leakear/hill/n1/{topic}", b"mine")
        operator.publish("leakear/hill/n1/cmd/identify", b"from the operator")
        node.wait_for(lambda: len(node.messages) > 0, "a command")
        worker.wait(1, "leakear/hill/n1/telemetry")
        assert {m.topic.rpartition("/")[2] for m in worker.messages} == {"event", "state", "telemetry"}
        assert {m.payload for m in (*worker.messages, *operator.messages)} == {b"mine"}
        assert {m.payload for m in node.messages} == {b"from the operator"}


@pytest.mark.skipif(not SECURITY, reason="mosquitto's plugin for dynamic security is not installed")
def test_a_refused_subscription_is_told(postgres: Postgres, tmp_path: Path) -> None:
    """mosquitto refuses it by this plugin; by an access list it grants it and delivers nothing."""
    extra = f"plugin {SECURITY[0]}\nplugin_opt_config_file {{folder}}/security.json\n"
    broker = Broker(extra=extra)
    allowed = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    rules = broker.folder / "security.json"
    rules.write_text(json.dumps({"defaultACLAccess": allowed, "clients": [], "groups": [], "roles": []}))
    if os.geteuid() == 0:
        os.chown(rules, 65534, 65534)
    with broker:
        worker = Worker("1", broker.port, postgres.new_database(), tmp_path)
        log = tmp_path / "worker-1.log"
        until(lambda: "does not allow" in log.read_text(), "the refusal in the log")
        assert "$share/" in log.read_text()
        worker.kill()
        assert worker.process.stdout is not None
        assert "ready" not in worker.process.stdout.read()

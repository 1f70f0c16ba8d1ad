"""Between broker and history: nothing lost, nothing doubled, and what is missing is said."""

import json
import re
import ssl
import urllib.request
from pathlib import Path
from typing import Any

from leakear.dashboard.history import History
from leakear.dashboard.history.tables import open_database
from tests.support.broker import Broker
from tests.support.certificates import Authority
from tests.support.harness import TOKENS, Dashboard, FakeNode, until


def address(broker: Any) -> str:
    return f"mqtt://127.0.0.1:{broker.port}"


def log_of(dashboard: Dashboard) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = dashboard.get("/api/alerts?filter=all")["rows"]
    return rows


def seqs(dashboard: Dashboard) -> list[int]:
    return sorted(row["seq"] for row in log_of(dashboard) if row["seq"] is not None)


def test_events_sent_while_the_dashboard_was_down_are_stored_once(broker: Any, tmp_path: Path) -> None:
    """Stopped in good order, killed, and killed in the middle: each event is in the log exactly once."""
    dashboard = Dashboard(address(broker), tmp_path)
    with FakeNode(broker.port) as node:
        dashboard.start().ready()
        node.turn("LEAK")
        until(lambda: seqs(dashboard) == [1], "the first event")
        dashboard.stop()
        for _ in range(30):
            node.turn("LEAK")
        dashboard.start()
        until(lambda: len(seqs(dashboard)) == 31, "the events of the pause")
        dashboard.kill()
        first = node.turn("LEAK")
        dashboard.start()
        for _ in range(40):
            node.turn("LEAK")
        dashboard.kill()
        node.raw("event", first.to_json())
        dashboard.start()
        until(lambda: len(seqs(dashboard)) >= 72, "all events")
        node.turn("OK")
        until(lambda: 73 in seqs(dashboard), "the last event")
        assert seqs(dashboard) == list(range(1, 74))
        dashboard.stop()


def test_a_missing_event_is_shown_until_it_arrives(broker: Any, tmp_path: Path) -> None:
    with FakeNode(broker.port) as node, Dashboard(address(broker), tmp_path) as dashboard:
        dashboard.ready()
        node.turn("WARNING")
        late = node.turn("LEAK", publish=False)
        node.turn("LEAK", publish=False)
        node.turn("LEAK")

        def gaps(dashboard: Dashboard) -> Any:
            import sqlite3

            with sqlite3.connect(dashboard.database.removeprefix("sqlite:///")) as line:
                found = line.execute("select gaps from nodes").fetchone()
            return json.loads(found[0]) if found else None

        until(lambda: gaps(dashboard) == [[2, 3]], "the hole")
        node.raw("event", late.to_json())
        until(lambda: gaps(dashboard) == [[3, 3]], "the smaller hole")


def test_malformed_messages_are_counted_and_skipped(broker: Any, tmp_path: Path) -> None:
    """A broker holds back what is not acknowledged: an unreadable event must not stop those behind it."""
    with FakeNode(broker.port) as node, Dashboard(address(broker), tmp_path) as dashboard:
        dashboard.ready()
        for rubbish in (b"", b"\xff\xfe", b"[]", b'{"schema":1}', b"[" * 5000, b'{"id":NaN}', b"x" * 300_000):
            for suffix in ("event", "state", "telemetry", "availability", "spectrum", "cmd/set/result"):
                node.raw(suffix, rubbish)
        node.raw("event", node.turn("LEAK", publish=False).to_json().replace(b"node-1", b"node-2"))
        node.client.publish("leakear/a b/<script>/event", b"{}", 1).wait_for_publish(10)
        node.turn("LEAK")
        until(lambda: seqs(dashboard) == [2], "the good event")
        assert len(log_of(dashboard)) == 1


def test_a_node_without_network_is_an_alert(broker: Any, tmp_path: Path) -> None:
    options = ("--stale-after", "5", "--lost-after", "1")
    with Dashboard(address(broker), tmp_path, *options) as dashboard, FakeNode(broker.port) as node:
        dashboard.ready()
        node.online()
        node.report()
        node.drop()
        until(lambda: [r["kind"] for r in log_of(dashboard)] == ["lost"], "the alert")
        with FakeNode(broker.port) as again:
            again.online()
            again.report()
            until(lambda: [r["kind"] for r in log_of(dashboard)] == ["back", "lost"], "the return")


def test_tls_to_the_broker_and_https_to_the_page_work(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, page = (authority.issue(name) for name in ("broker", "page"))
    with Broker(cafile=authority.cafile, certfile=server.certificate, keyfile=server.key) as broker:
        options = ("--ca", str(authority.cafile), "--certificate", str(page.certificate), "--key", str(page.key))
        with Dashboard(f"mqtts://127.0.0.1:{broker.port}", tmp_path, *options) as dashboard:
            assert dashboard.url.startswith("https://")
            trust = ssl.create_default_context(cafile=authority.cafile)

            def connected() -> bool:
                token = {"authorization": f"Bearer {TOKENS[dashboard.url.partition('//')[2]]}"}
                asked = urllib.request.Request(dashboard.url + "/api/me", headers=token)
                with urllib.request.urlopen(asked, context=trust, timeout=20) as answer:
                    return bool(json.load(answer)["line"]["connected"])

            until(connected, "the subscription")


def test_a_broker_with_passwords_and_mqtt_3_works(tmp_path: Path) -> None:
    with Broker(passwords={"dash": "a secret"}) as broker:
        secret = tmp_path / "secret"
        secret.write_bytes(b"\xef\xbb\xbfa secret\r\n")  # as a Windows editor saves it
        options = ("--username", "dash", "--password-file", str(secret), "--mqtt-version", "3.1.1")
        with Dashboard(address(broker), tmp_path, *options) as dashboard:
            dashboard.ready()
        kept, dropped = r"\(p[24], c0", r"-reports \(p[24], c1"  # mosquitto until 2.0 calls MQTT 3.1.1 version 2
        assert re.search(kept, broker.log), "MQTT 3.1.1, and the session for events is kept"
        assert re.search(dropped, broker.log), "that for reports is not"


def test_an_event_does_not_wait_behind_reports(tmp_path: Path) -> None:
    """Over one connection a broker sends in order: who cannot keep up would hear of a leak minutes late."""
    with Broker(extra="log_type subscribe\n") as broker, Dashboard(address(broker), tmp_path) as dashboard:
        dashboard.ready()
        name = History(open_database(dashboard.database)).client_id()
        assert f"{name} 1 leakear/+/+/event" in broker.log
        assert f"{name}-reports 0 leakear/+/+/state" in broker.log
        assert f"{name} 0 leakear/+/+/state" not in broker.log

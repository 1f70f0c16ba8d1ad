"""The thread that keeps the connection, when something unforeseen happens: it goes on, and says what it is."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from leakear.edge.errors import DeliveryError
from leakear.edge.messages.reports import Identity, parse_utc
from leakear.edge.mqtt.connection import Connection
from leakear.edge.mqtt.link import Link, MqttOptions
from leakear.edge.mqtt.reconnect import Connector
from leakear.edge.outbox.queue import Outbox
from tests.support.broker import Broker
from tests.support.certificates import DAY, Authority
from tests.support.factory import event

WAITS = {"reconnect_first_s": 0.05, "reconnect_last_s": 0.1, "reconnect_refused_s": 0.05}


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[Callable[..., Link]]:
    """Make links that are stopped at the end."""
    with Outbox(tmp_path / "outbox.db") as box:
        made: list[Link] = []

        def make(broker: Broker, **changes: Any) -> Link:
            options = MqttOptions(**({"host": "localhost", "port": broker.port} | WAITS | changes))
            made.append(Link(options, Identity("site", "n1"), box))
            box.put(event())
            made[-1].start()
            return made[-1]

        yield make
        for link in made:
            link.stop()


def pump(link: Link, until: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline, link.faults
        link.pump()
        time.sleep(0.005)


def test_a_certificate_that_cannot_be_looked_at_is_a_fault_until_it_can(
    tmp_path: Path, linked: Callable[..., Link]
) -> None:
    authority = Authority(tmp_path)
    server, mine = authority.issue("server"), authority.issue("mine", ends=50 * DAY)
    shown = tmp_path / "shown.pem"
    shown.symlink_to(mine.certificate)
    files = {"ca_file": str(authority.cafile), "client_certificate": str(shown), "client_key": str(mine.key)}
    tls = {"cafile": authority.cafile, "certfile": server.certificate, "keyfile": server.key}
    with Broker(**tls, require_certificate=True) as broker:
        link = linked(broker, tls=True, **files)
        assert link.drain(20)
        shown.unlink()
        shown.symlink_to("long" * 100)  # looking at it is an error of the file system, not "it is not there"
        broker.stop()
        broker.start()
        pump(link, lambda: "mqtt_files" in link.faults)
        assert f"mqtt.client_certificate: {shown}" in link.faults["mqtt_files"]
        shown.unlink()
        shown.symlink_to(mine.certificate)
        pump(link, lambda: link.connected)


def test_the_unforeseen_is_a_fault_and_the_next_attempt_succeeds(
    broker: Broker, linked: Callable[..., Link], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, failures = Connection.run, iter(range(3))

    def run(connection: Connection) -> None:
        if next(failures, None) is not None:
            raise KeyError("nobody thought of this")
        whole(connection)

    monkeypatch.setattr(Connection, "run", run)
    link = linked(broker)
    pump(link, lambda: "mqtt_failed" in link.faults)
    assert "KeyError: 'nobody thought of this'" in link.faults["mqtt_failed"]
    assert link.drain(20)


def test_a_network_thread_that_is_gone_ends_the_daemon_which_is_then_started_anew(
    broker: Broker, linked: Callable[..., Link], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_: Connector) -> float:
        raise SystemExit

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(Connector, "_attempt", end)
    link = linked(broker)
    with pytest.raises(DeliveryError, match="has ended"):
        pump(link, lambda: False)


def test_a_ca_file_that_only_openssl_can_read_does_not_stop_the_node(
    tmp_path: Path, linked: Callable[..., Link], caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("server", ends=30 * DAY)
    der = x509.load_pem_x509_certificate(authority.cafile.read_bytes()).public_bytes(Encoding.DER)
    trusted = tmp_path / "trusted.pem"  # what `openssl x509 -trustout` makes: certificate and (no) trust settings
    body = base64.encodebytes(der + b"\x30\x00").decode()
    trusted.write_text(f"-----BEGIN TRUSTED CERTIFICATE-----\n{body}-----END TRUSTED CERTIFICATE-----\n")
    with Broker(cafile=authority.cafile, certfile=server.certificate, keyfile=server.key) as broker:
        link = linked(broker, tls=True, ca_file=str(trusted))
        assert link.drain(20)
        assert link.certificate_expires is not None
        assert abs(parse_utc(link.certificate_expires) - time.time() - 30 * 86400) < 300
    assert f"the expiry date of the CA certificate {trusted} cannot be read" in caplog.text

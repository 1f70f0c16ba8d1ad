"""TLS and passwords against a real mosquitto: what works, and the one sentence for each thing that does not."""

import datetime as dt
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.errors import ConfigError
from leakear.edge.messages.reports import Identity, parse_utc
from leakear.edge.mqtt.link import Link, MqttOptions
from leakear.edge.outbox.queue import Outbox
from tests.support.broker import Broker
from tests.support.certificates import DAY, Authority, Issued
from tests.support.factory import event

NODE = Identity("site", "n1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pki")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db") as box:
        yield box


def tls_broker(authority: Authority, server: Issued, **changes: Any) -> Broker:
    return Broker(cafile=authority.cafile, certfile=server.certificate, keyfile=server.key, **changes)


def options(broker: Broker, authority: Authority, **changes: Any) -> MqttOptions:
    given: dict[str, Any] = {"host": "localhost", "port": broker.port, "tls": True, "ca_file": str(authority.cafile)}
    given["reconnect_first_s"] = given["reconnect_last_s"] = 0.05
    return MqttOptions(**(given | changes))


def delivered(link: Link, outbox: Outbox) -> bool:
    outbox.put(event())
    link.start()
    return link.drain(20)


def refused(link: Link, broker: Broker, seconds: float = 0.6) -> str:
    """Pump for a while; the faults' sentences, when there was no storm of attempts (a refused one waits a minute)."""
    link.start()
    deadline = time.monotonic() + 20
    while not link.faults and time.monotonic() < deadline:
        link.pump()
        time.sleep(0.01)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        link.pump()
        time.sleep(0.01)
    link.stop()
    assert broker.log.count("New connection") <= 2, broker.log
    return " ".join(link.faults.values())


def test_own_authority_works_and_the_end_of_certificates_is_known(authority: Authority, outbox: Outbox) -> None:
    soon = authority.issue("soon", ends=dt.timedelta(days=10, minutes=1))
    with tls_broker(authority, soon) as broker:
        link = Link(options(broker, authority), NODE, outbox)
        assert delivered(link, outbox)
        ends = link.certificate_expires
        assert ends is not None
        assert abs(parse_utc(ends) - time.time() - 10 * 86400) < 300
        assert "ends in 10 days" in link.faults["certificate_expires"]
        link.stop()


def test_a_client_certificate_is_shown(authority: Authority, outbox: Outbox) -> None:
    mine = authority.issue("n1", ends=50 * DAY)
    files = {"client_certificate": str(mine.certificate), "client_key": str(mine.key)}
    with tls_broker(authority, authority.issue("server"), require_certificate=True) as broker:
        link = Link(options(broker, authority, **files), NODE, outbox)
        assert delivered(link, outbox)
        assert link.certificate_expires is not None
        assert abs(parse_utc(link.certificate_expires) - time.time() - 50 * 86400) < 300  # the sooner of the two
        assert link.faults == {}
        link.stop()


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("wrong CA", "comes from a CA this node does not trust: set mqtt.ca_file"),
        ("wrong host name", "is for another host name than localhost: set mqtt.host"),
        ("expired", "has expired (this node's clock says"),
        ("not yet valid", "is not valid yet by this node's clock"),
        ("client certificate missing", "wants a client certificate: set mqtt.client_certificate"),
        ("client certificate of another CA", "this node's certificate"),
        ("bad password", "refuses the password of user n1|does not let user n1 in"),
        ("no password", "does not let a client without a user name in"),
        ("no TLS there", "does not speak TLS on this port"),
        ("TLS too old", "offers no TLS 1.3"),
    ],
)
def test_each_refusal_is_one_sentence_and_no_storm(
    folder: Path, authority: Authority, outbox: Outbox, case: str, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stranger = Authority(folder, "stranger")
    changes: dict[str, Any] = {}
    setup: dict[str, Any] = {}
    server = authority.issue("server")
    if case == "wrong CA":
        changes["ca_file"] = str(stranger.cafile)
    elif case == "wrong host name":
        server = authority.issue("elsewhere", host="broker.example")
    elif case == "expired":
        server = authority.issue("old", begins=-10 * DAY, ends=-DAY)
    elif case == "not yet valid":
        server = authority.issue("new", begins=DAY, ends=10 * DAY)
    elif case == "client certificate missing":
        setup["require_certificate"] = True
    elif case == "client certificate of another CA":
        setup["require_certificate"] = True
        other = stranger.issue("n1")
        changes |= {"client_certificate": str(other.certificate), "client_key": str(other.key)}
    elif case == "bad password":
        setup["passwords"] = {"n1": "right"}
        changes |= {"username": "n1", "password": "wrong-secret"}
    elif case == "no password":
        setup["passwords"] = {"n1": "right"}
    elif case == "TLS too old":
        changes["tls_minimum"] = "1.3"
    broker = Broker(**setup) if case == "no TLS there" else tls_broker(authority, server, **setup)
    if case == "TLS too old":
        limit = broker.folder / "openssl.cnf"
        limit.write_text("openssl_conf=d\n[d]\nssl_conf=s\n[s]\nsystem_default=x\n[x]\nMaxProtocol=TLSv1.2\n")
        broker.prefix = ("env", f"OPENSSL_CONF={limit}")
    with broker:
        outbox.put(event())
        said = refused(Link(options(broker, authority, **changes), NODE, outbox), broker)
    assert any(part in said for part in sentence.split("|")), said
    assert said.count(". ") <= 1  # one sentence
    assert outbox.depth == 1
    assert "wrong-secret" not in caplog.text


def test_an_unusable_file_is_named_before_anything_starts(folder: Path, authority: Authority, outbox: Outbox) -> None:
    mine, other = authority.issue("a"), authority.issue("b")
    empty = folder / "empty.pem"
    empty.write_text("")
    for wrong, words in (
        ({"ca_file": str(empty)}, f"mqtt.ca_file: {empty}"),
        ({"client_certificate": str(mine.certificate), "client_key": str(other.key)}, "with its key cannot be used"),
        ({"client_certificate": str(mine.certificate), "client_key": "/none"}, "mqtt.client_key: /none is not there"),
    ):
        given = {"tls": True, "ca_file": str(authority.cafile)} | wrong
        with pytest.raises(ConfigError, match=words):
            Link(MqttOptions(**given), NODE, outbox).start()  # type: ignore[arg-type]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_credentials_of_systemd_win_and_the_environment_and_files_work(
    mark: bytes, tmp_path: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Broker(passwords={"n1": "right"}) as broker:
        file = tmp_path / "password"
        file.write_bytes(mark + b"right\r\n")
        by_file = MqttOptions(host=broker.host, port=broker.port, username="n1", password_file=str(file))
        link = Link(by_file, NODE, outbox)
        assert delivered(link, outbox)
        link.stop()
        credentials = tmp_path / "credentials"
        credentials.mkdir()
        (credentials / "mqtt-username").write_bytes(mark + b"n1\n")
        (credentials / "mqtt-password").write_bytes(mark + b"right")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
        link = Link(MqttOptions(host=broker.host, port=broker.port, username="x", password="wrong"), NODE, outbox)
        assert delivered(link, outbox)
        link.stop()


def test_a_renewed_certificate_is_found_within_a_day(folder: Path, authority: Authority, outbox: Outbox) -> None:
    copy = folder / "mine.pem"
    first, second = authority.issue("first", ends=5 * DAY), authority.issue("second", ends=90 * DAY)
    with tls_broker(authority, authority.issue("server"), require_certificate=True) as broker:
        copy.write_bytes(first.certificate.read_bytes() + first.key.read_bytes())
        given = options(broker, authority, client_certificate=str(copy))
        later = 0.0
        link = Link(given, NODE, outbox, monotonic=lambda: time.monotonic() + later)
        assert delivered(link, outbox)
        assert "certificate_expires" in link.faults
        copy.write_bytes(second.certificate.read_bytes() + second.key.read_bytes())
        later = 90_000.0  # more than a day
        deadline = time.monotonic() + 20
        while link.reconnects < 1 and time.monotonic() < deadline:
            link.pump()
            time.sleep(0.01)
        assert "certificate_expires" not in link.faults
        link.stop()

"""Connections to the page: silent and slow ones end, and never use up the process's file descriptors."""

import resource
import socket
import sqlite3
import subprocess
import time
import urllib.request
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.server import connections
from leakear.dashboard.server.connections import MOST, RESERVE, most_connections
from leakear.dashboard.server.log_limit import LINES, LogLimit
from tests.dashboard.test_notify import Hook
from tests.support.broker import Broker
from tests.support.harness import Dashboard, FakeNode, until

FILES = 300


class Confined(Dashboard):
    """A dashboard with few file descriptors."""

    def command(self, *words: str) -> list[str]:
        return ["prlimit", f"--nofile={FILES}", *super().command(*words)]


def place_of(dashboard: Dashboard) -> tuple[str, int]:
    host, port = dashboard.url.partition("//")[2].split(":")
    return host, int(port)


def test_silent_connections_leave_the_page_the_log_and_the_notifications_alone(broker: Any, tmp_path: Path) -> None:
    """More connections than the process has descriptors."""
    with Hook().open() as hook, ExitStack() as held:
        notify = tmp_path / "notify"
        notify.write_text(hook.url)
        made = Confined(f"mqtt://127.0.0.1:{broker.port}", tmp_path, "--notify", str(notify))
        dashboard = held.enter_context(made).ready()
        node = held.enter_context(FakeNode(broker.port))  # before the others: paho cannot use descriptors over 1023
        for _ in range(FILES * 4):
            held.enter_context(socket.create_connection(place_of(dashboard)))
        with urllib.request.urlopen(dashboard.url + "/api/me", timeout=10) as answer:
            assert answer.status == 200
        node.turn("LEAK", reason="Water runs.")
        until(hook.told, "the notification")
        dashboard.until("/api/alerts", lambda log: len(log["rows"]) == 1)
        log = (tmp_path / "dashboard.log").read_text()
        assert "Traceback" not in log
        assert len(log) < 20_000


POST = b"POST /api/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\nabc"


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", POST],
)
def test_a_request_that_is_never_complete_ends(sent: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Dashboard("mqtt://127.0.0.1:1", tmp_path) as dashboard:
        with socket.create_connection(place_of(dashboard)) as line:
            line.settimeout(60)
            line.sendall(sent)
            while line.recv(4096):
                pass
        assert "no complete request" in (tmp_path / "dashboard.log").read_text()


ASK = b"GET /static/js/node.js HTTP/1.1\r\nhost: x\r\n\r\n"


def test_who_asks_and_never_reads_is_ended(tmp_path: Path) -> None:
    with Dashboard("mqtt://127.0.0.1:1", tmp_path) as dashboard, socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(place_of(dashboard))
        line.settimeout(1)

        def ended() -> bool:
            try:
                time.sleep(0.03)
                line.sendall(ASK)
            except TimeoutError:
                return False  # the server reads no more from it
            except OSError:
                return True
            return False

        until(ended, "the end of the connection", 120)


def test_a_second_request_before_the_answer_to_the_first_ends_the_connection(tmp_path: Path) -> None:
    with Dashboard("mqtt://127.0.0.1:1", tmp_path) as dashboard:
        with socket.create_connection(place_of(dashboard), 30) as line:
            line.sendall(ASK * 1000)
            got = bytearray()
            while piece := line.recv(65536):
                got += piece
        assert got.count(b"HTTP/1.1 200 OK") == 1
        with socket.create_connection(place_of(dashboard), 30) as line:
            for _ in range(3):
                line.sendall(ASK)
                assert line.recv(65536).startswith(b"HTTP/1.1 200 OK")
                time.sleep(0.3)
                line.setblocking(False)
                with suppress(BlockingIOError):
                    while line.recv(65536):
                        pass
                line.settimeout(30)


def test_a_page_that_stays_open_is_not_ended(tmp_path: Path) -> None:
    """A WebSocket says nothing for hours; the time for a request does not count for it."""
    from tests.dashboard.test_access import handshake
    from tests.support.harness import TOKENS

    with Dashboard("mqtt://127.0.0.1:1", tmp_path) as dashboard:
        host, port = place_of(dashboard)
        token = TOKENS[f"{host}:{port}"]
        with socket.create_connection((host, port)) as line:
            lines = ["GET /live HTTP/1.1", f"host: {host}:{port}", "upgrade: websocket", "connection: Upgrade",
                     "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
                     f"authorization: Bearer {token}", f"origin: {dashboard.url}", "", ""]  # fmt: skip
            line.sendall("\r\n".join(lines).encode())
            line.settimeout(connections.REQUEST_S + 10)
            began = time.monotonic()
            while time.monotonic() - began < connections.REQUEST_S + 3:
                assert line.recv(65536), "the fleet's changes keep coming"
        assert handshake(dashboard.url, origin=dashboard.url) == 403


def test_connections_leave_a_reserve_of_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    for limits, wanted in (((1024, 1024), (1024 - RESERVE) // 2), ((200, 200), 36), ((100, 100), connections.FEWEST)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limits=limits: limits)
        assert most_connections() == wanted
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1 << 20))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: told.append(limits))
    assert most_connections() == MOST
    assert told == [(connections.WANTED_FILES, 1 << 20)]


def test_the_log_has_a_limit_for_each_kind_of_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import logging

    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    limit = LogLimit()

    def line(text: str = "a connection from %s") -> logging.LogRecord:
        return logging.LogRecord("x", logging.WARNING, "", 0, text, ("y",), None)

    assert sum(limit.filter(line()) for _ in range(1000)) == LINES
    assert limit.filter(line("another %s"))
    now[0] = 61.0
    first = line()
    assert limit.filter(first)
    assert first.getMessage() == f"a connection from y ({1000 - LINES} more such lines were left out)"


def test_what_the_dashboard_makes_is_readable_by_its_user_alone(broker: Any, tmp_path: Path) -> None:
    from tests.support.fake_clips import answer_with_clip

    with Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as dashboard, FakeNode(broker.port) as node:
        dashboard.ready()
        node.answers = answer_with_clip
        event = node.turn("LEAK", evidence=True)
        dashboard.until("/api/alerts", lambda log: len(log["rows"]) == 1)
        headers = {"content-type": "application/json"}
        for path, body in ((f"/api/alerts/{event.id}/fetch", b"{}"), (f"/api/alerts/{event.id}/verdict", VERDICT)):
            urllib.request.urlopen(urllib.request.Request(dashboard.url + path, body, headers)).close()
        import subprocess

        subprocess.run(dashboard.command("export", str(tmp_path / "field.zip")), check=True)
        made = [tmp_path / "field.zip", *tmp_path.glob("dashboard.sqlite*"), tmp_path / "clips",
                *(tmp_path / "clips").iterdir()]  # fmt: skip
        assert len(made) >= 5
        assert [path for path in made if path.stat().st_mode & 0o077] == []


VERDICT = b'{"verdict":"leak"}'


def test_an_older_database_becomes_private_and_that_is_said(tmp_path: Path) -> None:
    with Dashboard("mqtt://127.0.0.1:1", tmp_path) as dashboard:
        pass
    path = tmp_path / "dashboard.sqlite"
    path.chmod(0o644)
    with dashboard:
        assert path.stat().st_mode & 0o777 == 0o600
    assert f"{path} was readable by other users" in (tmp_path / "dashboard.log").read_text()
    with closing(sqlite3.connect(path)) as line:
        assert line.execute("select count(*) from about").fetchone()[0] >= 2


def test_a_secret_file_that_others_may_read_is_named(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("broker password")
    for mode, warned in ((0o644, True), (0o600, False)):
        secret.chmod(mode)
        folder = tmp_path / oct(mode)
        folder.mkdir()
        with Dashboard("mqtt://127.0.0.1:1", folder, "--password-file", str(secret)):
            pass
        assert (f"chmod 600 {secret}" in (folder / "dashboard.log").read_text()) is warned


def test_a_second_server_on_the_same_sqlite_database_is_refused_until_the_first_has_ended(
    broker: Broker, tmp_path: Path
) -> None:
    with Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as first:
        second = Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path)
        done = subprocess.run(second.command(*second.options), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 78
        assert "Another leakear-dashboard serves from" in done.stderr
        assert done.stderr.count("\n") == 1
        assert first.process is not None
        first.process.kill()
        first.process.wait()
        with second:
            second.ready()

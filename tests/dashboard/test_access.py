"""Who gets in, and what they may do: asked of the real server, by HTTP alone."""

import json
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.accounts.throttle import FREE_TRIES, Throttle
from leakear.dashboard.options import ServeOptions, parse_listen, refuse_open_access
from leakear.edge.errors import ConfigError
from tests.support.harness import Dashboard
from tests.support.places import ROOT

PASSWORD = "correct horse battery"
SECRET = "broker-secret-7"
READS = [
    "/api/me", "/api/alerts", "/api/export", "/api/nodes/a/b/history", "/api/alerts/x/clip", "/api/pipes",
    "/api/pipes/x", "/api/pipes/x/locations.csv", "/api/certainties", "/api/locations/x", "/api/locations/x/report",
    "/api/cases", "/api/cases/x", "/api/cases/x/photos/1", "/api/deploy",
]  # fmt: skip
WRITES = [
    "/api/nodes/a/b/commands/identify", "/api/nodes/a/b/forget", "/api/alerts/x/acknowledge", "/api/alerts/x/verdict",
    "/api/alerts/x/fetch", "/api/pipes", "/api/pipes/x", "/api/pipes/x/remove", "/api/pipes/x/locate",
    "/api/locations/x/cancel", "/api/cases", "/api/cases/x/steps", "/api/deploy/start", "/api/deploy/stop",
    "/api/deploy/rollback",
]  # fmt: skip


class Client:
    """A browser's manners without a browser."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers = {"origin": url, "content-type": "application/json"}

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        data = None if body is None else json.dumps(body).encode()
        wanted = {
            k: v for k, v in {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}.items() if v
        }
        request = urllib.request.Request(self.url + path, data, wanted)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers

    def log_in(self, name: str, password: str = PASSWORD) -> "Client":
        status, _, headers = self.ask("/api/login", {"name": name, "password": password})
        assert status == 200
        self.cookie = headers["set-cookie"]
        self.headers["cookie"] = self.cookie.split(";")[0]
        return self


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """One with two users and no broker behind it."""
    secret = tmp_path_factory.mktemp("secret") / "password"
    secret.write_text(SECRET)
    options = ("--username", "dash", "--password-file", str(secret))
    made = Dashboard("mqtt://127.0.0.1:1", tmp_path_factory.mktemp("dashboard"), *options)
    made.add_user("ana", PASSWORD, "operate")
    made.add_user("vera", PASSWORD, "view")
    with made:
        yield made


def test_nothing_without_log_in(dashboard: Dashboard) -> None:
    stranger = Client(dashboard.url)
    for path in READS:
        assert stranger.ask(path)[0] == 401, path
    for path in WRITES:
        assert stranger.ask(path, {})[0] == 401, path
    assert stranger.ask("/api/me", cookie="leakear_session=guess")[0] == 401
    assert stranger.ask("/")[0] == 200, "the page itself is no secret: it shows the log-in"


def test_wrong_passwords_and_unknown_names_give_the_same_answer_and_are_throttled(dashboard: Dashboard) -> None:
    stranger = Client(dashboard.url)
    answers = [stranger.ask("/api/login", {"name": name, "password": "x"})[:2] for name in ("ana", "nobody")]
    assert answers[0] == answers[1] == (401, b'{"error":"wrong"}')
    tries = [stranger.ask("/api/login", {"name": "eve", "password": "x"})[0] for _ in range(FREE_TRIES)]
    assert tries == [401] * FREE_TRIES
    # The pause doubles: sooner or later it outlasts the slowest machine's next try.
    assert any(stranger.ask("/api/login", {"name": "eve", "password": "x"})[0] == 429 for _ in range(9))
    for rubbish in ([], "x", {"name": "ana"}, None, {"name": "a" * 9000, "password": "x"}):
        assert stranger.ask("/api/login", rubbish if rubbish is not None else 0)[0] == 401


def test_the_throttles_wait_doubles_and_is_limited() -> None:
    throttle = Throttle()
    for n in range(FREE_TRIES + 3):
        throttle.failed("who", float(n))
    assert throttle.wait("who", FREE_TRIES + 2.0) == 8.0
    assert throttle.wait("who", FREE_TRIES + 99.0) == 0.0
    assert throttle.wait("other", 0.0) == 0.0
    throttle.succeeded("who")
    assert throttle.wait("who", FREE_TRIES + 2.0) == 0.0


def test_the_cookie_is_http_only_and_same_site(dashboard: Dashboard) -> None:
    cookie = Client(dashboard.url).log_in("ana").cookie.lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_viewers_can_read_but_not_operate(dashboard: Dashboard) -> None:
    vera = Client(dashboard.url).log_in("vera")
    assert json.loads(vera.ask("/api/me")[1])["role"] == "view"
    assert vera.ask("/api/alerts")[0] == 200
    for path in WRITES:
        assert vera.ask(path, {})[0] == 403, path
    assert vera.ask("/api/export")[0] == 403


def test_operators_can_command_and_judge(dashboard: Dashboard) -> None:
    ana = Client(dashboard.url).log_in("ana")
    status, answer, _ = ana.ask("/api/nodes/a/b/commands/identify", {})
    assert status == 422
    assert b"no connection to the broker" in answer
    assert ana.ask("/api/nodes/a/b/commands/model", {})[0] == 404, "a browser sends no models"
    assert ana.ask("/api/nodes/a/b/commands/set", {"threshold": 7})[0] == 422
    assert ana.ask("/api/nodes/a/b/commands/set", {"treshold": 0.5})[0] == 422
    assert ana.ask("/api/nodes/a%2F%23/b/commands/identify", {})[0] in (404, 422), "no wildcard gets into a topic"
    assert ana.ask("/api/alerts/x/acknowledge", {})[0] == 404
    for number in ("9" * 10, "9" * 30, "9" * 5000):
        assert ana.ask(f"/api/cases/x/photos/{number}")[0] == 404, "no database has a column for it"
    for path in ("/api/pipes/%00", "/api/locations/%00", "/api/cases/%00"):
        assert ana.ask(path)[0] == 422, path
    assert ana.ask("/api/alerts/x/verdict", {"verdict": "x" * 20_000})[0] == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"content_type": "multipart/form-data"}, 415),
    ],
)
def test_requests_of_other_web_sites_change_nothing(dashboard: Dashboard, headers: dict[str, str], status: int) -> None:
    ana = Client(dashboard.url).log_in("ana")
    for path in (*WRITES, "/api/login", "/api/logout"):
        assert ana.ask(path, {}, **headers)[0] == status, path
    assert ana.ask("/api/me")[0] == 200, "still logged in"


def test_log_out_ends_the_session(dashboard: Dashboard) -> None:
    ana = Client(dashboard.url).log_in("ana")
    assert ana.ask("/api/logout", {})[0] == 200
    assert ana.ask("/api/me")[0] == 401


def test_the_page_gets_no_secret(dashboard: Dashboard) -> None:
    ana = Client(dashboard.url).log_in("ana")
    static = ROOT / "dashboard" / "leakear" / "dashboard" / "static"
    paths = ["/", "/api/me", "/api/alerts", *(f"/static/{p.relative_to(static)}" for p in static.rglob("*.*"))]
    for path in paths:
        status, body, headers = ana.ask(path)
        assert status == 200, path
        assert SECRET.encode() not in body
        assert b"argon2" not in body
        assert "script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert ana.ask("/static/../cli.py")[0] == 404
    assert ana.ask("/static/%2e%2e/cli.py")[0] == 404
    database = (dashboard.folder / "dashboard.sqlite").read_bytes()
    assert PASSWORD.encode() not in database
    assert ana.headers["cookie"].split("=")[1].encode() not in database


def handshake(url: str, **headers: str) -> int:
    """Status of a WebSocket handshake."""
    host = url.removeprefix("http://")
    lines = {"host": host, "upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13",
             "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", **headers}  # fmt: skip
    name, port = host.split(":")
    with socket.create_connection((name, int(port))) as line:
        line.sendall(("GET /live HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n").encode())
        return int(line.recv(100).split()[1])


def test_the_websocket_needs_log_in_and_our_own_origin(dashboard: Dashboard) -> None:
    cookie = Client(dashboard.url).log_in("vera").headers["cookie"]
    assert handshake(dashboard.url, origin=dashboard.url) == 403
    assert handshake(dashboard.url, origin="https://evil.example", cookie=cookie) == 403
    assert handshake(dashboard.url, origin=dashboard.url, cookie=cookie) == 101


def test_without_users_only_loopback_host_names_have_access(tmp_path: Path) -> None:
    """A web site that points its name at 127.0.0.1 (DNS rebinding) is a stranger."""
    with Dashboard("mqtt://127.0.0.1:1", tmp_path) as open_one:
        local = Client(open_one.url)
        assert json.loads(local.ask("/api/me")[1])["name"] == "local"
        assert local.ask("/api/me", host="evil.example")[0] == 401
        port = open_one.url.rpartition(":")[2]
        assert handshake(open_one.url, host=f"evil.example:{port}", origin=f"http://evil.example:{port}") == 403


def test_the_proxy_header_counts_only_from_the_proxy(tmp_path: Path) -> None:
    options = ("--proxy-user-header", "X-Forwarded-User", "--proxy-operator", "ana")
    with Dashboard("mqtt://127.0.0.1:1", tmp_path, *options) as behind:
        client = Client(behind.url)
        assert client.ask("/api/me")[0] == 401, "behind a proxy nobody is local"
        assert json.loads(client.ask("/api/me", x_forwarded_user="ana")[1])["role"] == "operate"
        assert json.loads(client.ask("/api/me", x_forwarded_user="vera")[1])["role"] == "view"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with Dashboard("mqtt://127.0.0.1:1", elsewhere, *options, "--proxy-address", "192.0.2.1") as behind:
        assert Client(behind.url).ask("/api/me", x_forwarded_user="ana")[0] == 401


def test_without_log_in_it_listens_only_on_loopback(tmp_path: Path) -> None:
    dashboard = Dashboard("mqtt://127.0.0.1:1", tmp_path, "--listen", "0.0.0.0:0")
    refused = subprocess.run(
        dashboard.command(*dashboard.options), capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 78
    assert "user add" in refused.stderr
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        refuse_open_access(ServeOptions(host=host), has_users=False)
    for host in ("0.0.0.0", "::", "192.0.2.7", "example.com"):
        with pytest.raises(ConfigError):
            refuse_open_access(ServeOptions(host=host), has_users=False)
        refuse_open_access(ServeOptions(host=host), has_users=True)


@pytest.mark.parametrize(
    "words",
    [
        ["--broker", "http://x"], ["--broker", "mqtt://x:99999"], ["--broker", "mqtt://x", "--listen", "8080"],
        ["--broker", "mqtt://x", "--stale-after", "1"], ["--broker", "mqtt://x", "--notify", "/no/such/file"],
        ["--broker", "mqtt://x", "--database", "mysql://x/y"], ["--broker", "mqtt://x", "--certificate", "c.pem"],
        ["--broker", "mqtt://x", "--certificate", "/no/such", "--key", "/no/such"], ["user", "remove", "nobody"],
        ["--broker", "mqtts://x", "--ca", "/no/such"], ["--broker", "mqtts://x", "--ca", __file__], ["user", "list"],
        ["export", "field.zip"],
    ],
)  # fmt: skip
def test_a_wrong_setting_gives_one_sentence_and_exit_code_78(words: list[str], tmp_path: Path) -> None:
    from leakear.dashboard.cli import main

    place = [] if "--database" in words else ["--database", f"sqlite:///{tmp_path}/x.sqlite"]
    assert main([*words, *place]) == 78
    assert list(tmp_path.glob("*.zip")) == []
    assert words[0] == "--broker" or not (tmp_path / "x.sqlite").exists(), "what only reads makes no database"


@pytest.mark.parametrize("flag", ["--ca", "--client-certificate"])
@pytest.mark.parametrize("file", ["/no/such", __file__])
def test_the_error_for_an_unusable_broker_file_names_it(
    flag: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from leakear.dashboard.cli import main

    assert main(["--broker", "mqtts://x", flag, file, "--database", f"sqlite:///{tmp_path}/x.sqlite"]) == 78
    assert f"{flag} {file}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bogus"], "there is no command bogus"),
        (["--broker", "mqtt://x", "--max-nodes", "0"], "argument --max-nodes"),
        (["user", "add"], "needs a name"),
    ],
)
def test_wrong_usage_gives_exit_code_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    from leakear.dashboard.cli import main

    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["export", "/proc/x.zip"], ["export", "."], ["--broker", "mqtt://x", "--clips", "/proc/x"]]
)
def test_the_error_for_an_unwritable_file_names_it(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from leakear.dashboard.cli import main

    assert main(words) == 1
    assert words[-1] in capsys.readouterr().err


def test_account_commands_print_what_they_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from leakear.dashboard.cli import main

    secret = tmp_path / "secret"
    secret.write_text("long enough a password\n")
    place = ["--database", f"sqlite:///{tmp_path}/x.sqlite"]
    add = ["user", "add", "ana", "--password-file", str(secret), *place]
    assert (main(add), main(["user", "add", "--role", "operate", *add[2:]]), main(["user", "list", *place])) == (
        0,
        0,
        0,
    )
    assert capsys.readouterr().out == (
        f"ana: added, role view, in {tmp_path}/x.sqlite\nana: changed, role operate, in {tmp_path}/x.sqlite\n"
        "ana\toperate\n"
    )
    assert (main(["user", "remove", "ana", *place]), main(["user", "list", *place])) == (0, 0)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("ana: removed\n", "leakear-dashboard: there are no users\n")
    assert main(["export", str(tmp_path / "field.zip"), *place]) == 65
    assert not list(tmp_path.glob("*.zip*"))


def test_without_a_terminal_the_error_names_password_file(tmp_path: Path) -> None:
    dashboard = Dashboard("mqtt://127.0.0.1:1", tmp_path)
    asked = subprocess.run(
        dashboard.command("user", "add", "ana"), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False, start_new_session=True,
    )  # fmt: skip
    assert (asked.returncode, asked.stderr.count("\n")) == (78, 1)
    assert "--password-file" in asked.stderr


def test_ctrl_c_ends_it_without_output(tmp_path: Path) -> None:
    with Dashboard("mqtt://127.0.0.1:1", tmp_path) as running:
        assert running.process is not None
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(20) == 0
    assert "Traceback" not in (tmp_path / "dashboard.log").read_text()


def test_listen_addresses() -> None:
    assert parse_listen("[::1]:80") == ("::1", 80)
    assert parse_listen("0.0.0.0:8080") == ("0.0.0.0", 8080)

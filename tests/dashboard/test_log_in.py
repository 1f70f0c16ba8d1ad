"""The log-in: guessing is limited by name, address and overall, leaves a trace, and delays nobody else."""

import asyncio
import http.client
import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.accounts.hashing import WAITING, Busy, HashingPool
from leakear.dashboard.accounts.throttle import BURST, FREE_PER_ADDRESS, FREE_TRIES, LogInLimits
from leakear.dashboard.options import ServeOptions, refuse_open_access
from leakear.edge.errors import ConfigError
from tests.dashboard.test_access import PASSWORD, Client, handshake
from tests.support.harness import TOKENS, Dashboard


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    made = Dashboard("mqtt://127.0.0.1:1", tmp_path)
    made.add_user("ana", PASSWORD, "operate")
    with made:
        yield made


def log_of(dashboard: Dashboard) -> str:
    return (dashboard.folder / "dashboard.log").read_text()


def at_once(dashboard: Dashboard, names: list[str]) -> Counter[int]:
    """Wrong passwords for these names, all at the same moment."""
    host, port = dashboard.url.partition("//")[2].split(":")
    answers: Counter[int] = Counter()
    start = threading.Barrier(len(names))

    def guess(name: str) -> None:
        with closing(http.client.HTTPConnection(host, int(port), timeout=60)) as line:
            line.connect()
            start.wait()
            body = json.dumps({"name": name, "password": "wrong" * 3})
            line.request("POST", "/api/login", body, {"content-type": "application/json"})
            answers[line.getresponse().status] += 1

    threads = [threading.Thread(target=guess, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_simultaneous_guesses_for_one_name_count_before_they_are_checked(dashboard: Dashboard) -> None:
    answers = at_once(dashboard, ["ana"] * 60)
    assert set(answers) == {401, 429}
    assert answers[401] <= FREE_TRIES


def test_guesses_of_many_names_are_slowed_and_written_to_the_journal(dashboard: Dashboard) -> None:
    answers = at_once(dashboard, [f"name-{n}" for n in range(60)])
    assert set(answers) == {401, 429}
    assert answers[401] <= FREE_PER_ADDRESS
    log = log_of(dashboard)
    assert "failed log-in as 'name-" in log
    assert "from 127.0.0.1" in log
    assert log.count("\n") < 100, "one line for each of a limited number"


def test_a_name_in_the_journal_stays_on_its_line(dashboard: Dashboard) -> None:
    Client(dashboard.url).ask("/api/login", {"name": "x\nWARNING forged", "password": "y"})
    assert "\nWARNING forged" not in log_of(dashboard)


def test_a_user_who_has_logged_in_is_not_locked_out_by_strangers_elsewhere() -> None:
    limits = LogInLimits()
    made, _ = limits.begin("ana", "10.0.0.1", 0.0)
    assert made is not None
    limits.right(made)
    for n in range(2000):
        limits.begin("ana" if n % 2 else f"name-{n}", f"10.1.{n // 250}.{n % 250}", 1.0)
    assert limits.begin("rui", "10.0.0.2", 1.0)[0] is None, "the budget of all is used up"
    assert limits.begin("ana", "10.0.0.1", 1.0)[0] is not None


def test_all_addresses_together_have_a_limit() -> None:
    limits = LogInLimits()
    allowed = [limits.begin(f"n{n}", f"10.0.{n // 250}.{n % 250}", 0.0)[0] for n in range(500)]
    assert sum(made is not None for made in allowed) == BURST


def test_the_queue_for_hashing_is_short() -> None:
    async def run() -> Counter[str]:
        pool, go = HashingPool(), threading.Event()

        async def one() -> str:
            try:
                await pool.run(go.wait, 20)
            except Busy:
                return "busy"
            return "done"

        jobs = [asyncio.create_task(one()) for _ in range(50)]
        await asyncio.sleep(0.1)
        go.set()
        return Counter(await asyncio.gather(*jobs))

    assert asyncio.run(run()) == {"done": WAITING + 1, "busy": 49 - WAITING}


ODD = [
    b'"\\ud800"', b'{"name":"\\ud800","password":"x"}', b'{"name":"\\u0000","password":"\\u0000"}', b"[" * 3000,
    b'{"name":{"a":1},"password":[1]}', b'{"name":1e999,"password":NaN}', b"\xff\xfe", b"{" + b'"a":' * 900 + b"1",
    b'{"name":"ana","password":"\\udfff"}', b"9" * 4000, b"nul", b'{"name":null,"password":null}',
]  # fmt: skip


@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_odd_requests_without_log_in_are_refused_and_not_an_error(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = None if where == "sqlite" else request.getfixturevalue("postgres").new_database()
    dashboard = Dashboard("mqtt://127.0.0.1:1", tmp_path, database=url)
    dashboard.add_user("ana", PASSWORD, "operate")
    with dashboard:
        stranger = Client(dashboard.url)
        for path in ("/api/login", "/api/logout", "/api/alerts/x/verdict"):
            for body in ODD:
                assert raw(dashboard, path, body) in (200, 401, 422, 429), (path, body[:30])
        for cookie in ("leakear_session=\x80\xff", "leakear_session=" + "A" * 43, "=;=;", "leakear_session=\x00"):
            assert stranger.ask("/api/me", cookie=cookie)[0] in (400, 401)
        ana = Client(dashboard.url).log_in("ana")
        for path in (
            "/api/nodes/a%00/b/history", "/api/nodes/a/b/history?seconds=nan", "/api/nodes/a/b/history?seconds=1e999",
            "/api/alerts?search=%00", "/api/alerts?before=%00", "/api/alerts?filter=%00", "/api/alerts/%00/clip",
            "/api/alerts/x/clip?family=%00", "/api/nodes/a%20b/c/history",
        ):  # fmt: skip
            assert ana.ask(path)[0] in (404, 422), path
        for path in ("/api/nodes/a/b%00/commands/identify", "/api/alerts/%00/acknowledge", "/api/nodes/a/%00/forget"):
            assert ana.ask(path, {})[0] in (404, 422), path
        for body in (
            b'{"verdict":"leak","note":"\\u0000"}',
            b'{"verdict":"\\ud800"}',
            b"[" * 3000,
            b'{"x":[1%s]}' % (b"0" * 400),
        ):
            headers = ana.headers
            asked = urllib.request.Request(dashboard.url + "/api/alerts/x/verdict", body, headers)
            with pytest.raises(urllib.error.HTTPError, match="422"):
                urllib.request.urlopen(asked)
        pipe = {"a": ["s", "a"], "b": ["s", "b"], "material": "steel", "length": 10**400}
        assert ana.ask("/api/pipes", pipe)[0] == 422
    assert "Traceback" not in log_of(dashboard)


def raw(dashboard: Dashboard, path: str, body: bytes) -> int:
    host, port = dashboard.url.partition("//")[2].split(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=60)) as line:
        line.request("POST", path, body, {"content-type": "application/json"})
        return line.getresponse().status


def test_without_users_the_page_wants_the_start_token(tmp_path: Path) -> None:
    """A default nginx passes `Host: 127.0.0.1`, and any program of this machine can send it."""
    with Dashboard("mqtt://127.0.0.1:1", tmp_path) as alone:
        place = alone.url.partition("//")[2]
        token = TOKENS.pop(place)
        assert len(token) == 32
        stranger = Client(alone.url)
        status, body, _ = stranger.ask("/api/me")
        assert (status, json.loads(body)["start"]) == (401, True)
        assert stranger.ask("/api/nodes/a/b/forget", {})[0] == 401
        assert handshake(alone.url, origin=alone.url) == 403
        assert stranger.ask("/?token=wrong")[2]["set-cookie"] is None
        cookie = enter(place, token)
        assert "httponly" in cookie.lower()
        assert "samesite=strict" in cookie.lower()
        opened = Client(alone.url)
        opened.headers["cookie"] = cookie.split(";")[0]
        assert json.loads(opened.ask("/api/me")[1])["name"] == "local"
        assert opened.ask("/api/me", host="evil.example")[0] == 401, "DNS rebinding"
        assert handshake(alone.url, origin=alone.url, cookie=opened.headers["cookie"]) == 101
        alone.stop()
        alone.start()
        assert TOKENS.pop(alone.url.partition("//")[2]) == token, "an address that is kept works after a restart"
        alone.add_user("ana", PASSWORD, "view")
        opened.url = alone.url
        assert opened.ask("/api/me")[0] == 401, "with users the token counts no more"


def enter(place: str, token: str) -> str:
    """Open the printed address; return the cookie. The answer leads to an address without the token."""
    host, port = place.split(":")
    with closing(http.client.HTTPConnection(host, int(port))) as line:
        line.request("GET", f"/?token={token}")
        answer = line.getresponse()
        assert (answer.status, answer.headers["location"]) == (303, "./")
        return str(answer.headers["set-cookie"])


def test_behind_a_proxy_without_users_nobody_operates(tmp_path: Path) -> None:
    with Dashboard("mqtt://127.0.0.1:1", tmp_path, "--proxy-address", "127.0.0.1") as behind:
        assert behind.entry.endswith("/")
        assert Client(behind.url).ask("/api/me")[0] == 401


def test_two_proxy_headers_name_nobody(tmp_path: Path) -> None:
    with Dashboard("mqtt://127.0.0.1:1", tmp_path, "--proxy-user-header", "X-Forwarded-User") as behind:
        host, port = behind.url.partition("//")[2].split(":")
        for names, status in ((["ana"], 200), (["ana", "eve"], 401), (["eve", "ana"], 401), (["a" * 81], 401)):
            with closing(http.client.HTTPConnection(host, int(port))) as line:
                line.putrequest("GET", "/api/me")
                for name in names:
                    line.putheader("X-Forwarded-User", name)
                line.endheaders()
                assert line.getresponse().status == status, names


def test_behind_a_proxy_the_limit_is_that_of_the_clients_address(tmp_path: Path) -> None:
    made = Dashboard("mqtt://127.0.0.1:1", tmp_path, "--proxy-address", "127.0.0.1")
    made.add_user("ana", PASSWORD, "view")
    with made:
        client = Client(made.url)
        for n in range(FREE_PER_ADDRESS + 5):
            client.ask("/api/login", {"name": f"n{n}", "password": "x"}, x_forwarded_for="192.0.2.1, 192.0.2.7")
        body = {"name": "ana", "password": PASSWORD}
        assert client.ask("/api/login", body, x_forwarded_for="192.0.2.7")[0] == 429
        assert client.ask("/api/login", body, x_forwarded_for="192.0.2.7, 192.0.2.8")[0] == 200
    assert "from 192.0.2.7" in log_of(made)


def test_a_proxy_that_logs_nobody_in_needs_users() -> None:
    from leakear.dashboard.options import ProxyOptions

    proxy = ProxyOptions(None, frozenset({"10.0.0.1"}))
    with pytest.raises(ConfigError):
        refuse_open_access(ServeOptions(host="0.0.0.0", proxy=proxy), has_users=False)


def test_https_pages_have_a_host_cookie_and_hsts_and_data_is_not_kept(tmp_path: Path) -> None:
    made = Dashboard("mqtt://127.0.0.1:1", tmp_path, "--public-url", "https://leaks.example")
    made.add_user("ana", PASSWORD, "view")
    with made:
        ana = Client(made.url).log_in("ana")
        assert ana.cookie.startswith("__Host-leakear_session=")
        assert "; Secure" in ana.cookie
        assert "Domain" not in ana.cookie
        _, _, headers = ana.ask("/api/me")
        assert headers["strict-transport-security"].startswith("max-age=")
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "words",
    [
        ["--broker", "mqtt://ana:S3CRET@host:99999"], ["--broker", "mqt://ana:S3CRET@host"],
        ["--broker", "mqtt://x", "--database", "postgres//ana:S3CRET@host/db"],
        ["--broker", "mqtt://x", "--database", "postgresql+psycopg://ana:S3CRET@127.0.0.1:1/db"],
        ["--broker", "mqtt://x", "--database", "nodb://ana:S3CRET@host/db"],
        ["mqtt://ana:S3CRET@host"], ["--brokr", "mqtt://ana:S3CRET@host", "--broker", "mqtt://x"],
        ["--broker", "mqtt://x", "mqtt://ana:S3CRET@host"],
    ],
)  # fmt: skip
def test_errors_quote_no_password(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from leakear.dashboard.cli import main

    place = [] if "--database" in words else ["--database", f"sqlite:///{tmp_path}/x.sqlite"]
    try:
        assert main([*words, *place]) == 78
    except SystemExit as ended:
        assert ended.code == 2  # noqa: PT017 - usage errors end the program
    said = capsys.readouterr().err
    assert said
    assert "S3CRET" not in said


def test_apprise_writes_no_address_to_the_log(tmp_path: Path) -> None:
    notify = tmp_path / "notify"
    notify.write_text("nonsense://x?password=S3CRET\n")
    dashboard = Dashboard("mqtt://127.0.0.1:1", tmp_path, "--notify", str(notify))
    import subprocess

    done = subprocess.run(
        dashboard.command(*dashboard.options), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 78
    assert "S3CRET" not in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("json://x\n".encode("utf-16"), "UTF-16"), (b"\xe9\n", "not UTF-8"), (b"x" * 70_000, "larger than"),
    ],
)  # fmt: skip
def test_files_of_windows_editors_are_named_in_one_sentence(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from leakear.dashboard.cli import main

    path = tmp_path / "file"
    path.write_bytes(content)
    place = ["--database", f"sqlite:///{tmp_path}/x.sqlite"]
    for words in (["--broker", "mqtt://x", "--notify", str(path)], ["user", "add", "a", "--password-file", str(path)]):
        assert main([*words, *place]) == 78
        err = capsys.readouterr().err
        assert said in err
        assert str(path) in err


def test_a_byte_order_mark_is_no_part_of_a_password(tmp_path: Path, engine: Any) -> None:
    from leakear.dashboard.accounts.users import Users
    from leakear.dashboard.cli import main

    path = tmp_path / "password"
    path.write_bytes(b"\xef\xbb\xbfa long password\r\n")
    url = engine.url.render_as_string(hide_password=False)
    assert main(["user", "add", "ana", "--password-file", str(path), "--database", url]) == 0
    assert Users(engine).log_in("ana", "a long password")


def test_the_page_says_where_the_start_token_is_and_the_printed_address_opens_it(browser: Any, tmp_path: Path) -> None:
    from leakear.dashboard.i18n import texts

    with Dashboard("mqtt://127.0.0.1:1", tmp_path) as alone:
        TOKENS.pop(alone.url.partition("//")[2])
        browser.open(alone.url)
        browser.text("p.start", texts("en")["login.start"])
        browser.complaints()  # the browser notes the refused request
        browser.open(alone.entry)
        browser.text("nav", texts("en")["fleet"])
        assert "token" not in browser.driver.current_url
        assert browser.js("return document.cookie") == "", "scripts cannot read the token"
        browser.open("about:blank")

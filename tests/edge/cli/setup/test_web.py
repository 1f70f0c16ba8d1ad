"""Setup as a page: who may use it, what it answers, and a person with a keyboard and a narrow screen."""

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leakear.edge.audio.fake_microphone import FakeSource
from leakear.edge.cli.setup.web import connections, guard, server
from leakear.edge.cli.setup.web.guard import HEADER, Guard
from leakear.edge.cli.setup.web.session import Session
from leakear.edge.settings import Settings
from tests.support.broker import Broker, Subscriber, free_port

WIDE = """return [...document.querySelectorAll('body *')]
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML)"""


class Page:
    """A running page, and a browser without a screen that asks it."""

    THREAD = "set-up page"

    def __init__(
        self, config: Path, capsys: pytest.CaptureFixture[str], gain: float = 0.1, open_s: float = 600
    ) -> None:
        self.port = free_port()
        noise = (np.random.default_rng(0).standard_normal((48000, 1)) * gain).astype(np.float32)
        self.result: list[int] = []
        given = (config, "127.0.0.1", self.port, FakeSource(noise), open_s)
        run = lambda: self.result.append(server.serve(*given))  # noqa: E731
        self.thread = threading.Thread(target=run, name=self.THREAD, daemon=True)
        self.thread.start()
        shown, deadline = "", time.monotonic() + 30
        while not (found := re.search(r"code (\S{4}-\S{4})", shown)):
            assert time.monotonic() < deadline, shown
            time.sleep(0.02)
            shown += capsys.readouterr().out
        self.code = found[1]
        self.headers = {"Content-Type": "application/json"}

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", f"/ask/{path}", data, self.headers | headers)
        answer = connection.getresponse()
        found = json.loads(answer.read() or b"{}")
        if cookie := answer.getheader("Set-Cookie"):
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            self.headers |= {"Cookie": cookie.partition(";")[0], HEADER: found["token"]}
        connection.close()
        return answer.status, found

    def end(self) -> int:
        self.thread.join(60)
        return self.result[0]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "leakear.toml"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No page outlives its test: minutes later it would say so in the output of another one."""
    sessions: list[Session] = []

    def session(*given: Any) -> Session:
        sessions.append(Session(*given))
        return sessions[-1]

    monkeypatch.setattr(server, "FAREWELL_S", 0.1)
    monkeypatch.setattr(server, "Session", session)
    yield
    for each in sessions:
        each.done.set()
    for thread in threading.enumerate():
        if thread.name == Page.THREAD:
            thread.join(60)


def test_the_code_opens_one_session_which_wrong_codes_do_not_end(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Page(config, capsys, open_s=20)
    assert page.post("state", {})[0] == 403
    assert page.post("open", {"code": "\ud800"}) == (403, {"error": "code", "left": guard.TRIES - 1})
    assert page.post("open", {"code": page.code.lower().replace("-", " ")})[0] == 200
    assert page.post("state", {})[0] == 200
    for _ in range(guard.TRIES + 1):
        assert page.post("open", {"code": page.code})[0] == 403
    assert page.post("state", {})[0] == 200


def test_wrong_codes_of_a_stranger_leave_the_person_his_tries() -> None:
    who = Guard()
    assert [who.open("x", "10.0.0.66") for _ in range(2 * guard.TRIES)] == [None] * 2 * guard.TRIES
    assert who.left("10.0.0.66") == 0
    assert who.open(who.code, "10.0.0.66") is None
    assert not who.closed
    assert who.open(who.code, "10.0.0.7") is not None


def test_too_many_wrong_codes_end_the_page(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "ALL_TRIES", 3)
    page = Page(config, capsys)
    assert [page.post("open", {"code": "x"})[0] for _ in range(3)] == [403] * 3
    assert page.end() == 1
    assert not config.exists()


def test_a_name_that_another_site_points_here_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = Page(config, capsys, open_s=20)
    assert page.post("open", {"code": "x"}, Host=f"evil.example:{page.port}")[0] == 421
    assert page.post("open", {"code": page.code}, Host=f"localhost:{page.port}")[0] == 200
    name, who = socket.gethostname(), Guard("Node.Example")
    assert all(map(who.own_name, (name, f"{name}.local:8090", "[fe80::1]:8090", "10.0.0.1:1", "node.example:80")))
    assert not any(
        map(who.own_name, ("", "evil.example", f"{name}.evil.example", "127.0.0.1.evil.example", "[x", ":1"))
    )


def test_slow_strangers_do_not_keep_the_person_out(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SLOW_S", 1.0)
    page = Page(config, capsys, open_s=60)
    head = (
        b"POST /ask/open HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
    )
    with ExitStack() as held:
        slow = [
            held.enter_context(socket.create_connection(("127.0.0.1", page.port), source_address=("127.0.0.2", 0)))
            for _ in range(3 * connections.CONNECTIONS)
        ]
        for one in slow:
            with suppress(OSError):  # those beyond the limit are closed at once
                one.sendall(head)
        assert page.post("open", {"code": page.code})[0] == 200
        for one in slow:  # and the others after their time, however often they send a byte
            one.settimeout(30)
            with suppress(ConnectionError):
                assert one.recv(1) == b""


@pytest.mark.parametrize(
    "head", [b"Content-Length: " + b"9" * 5000, b"\r\n".join(b"X: " + b"y" * 4000 for _ in range(8)), b"Host: [::1"]
)
def test_a_strange_request_leaves_no_traceback(config: Path, capfd: pytest.CaptureFixture[str], head: bytes) -> None:
    page = Page(config, capfd, open_s=20)
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as one:
        one.sendall(
            b"POST /ask/open HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" + head + b"\r\n\r\n"
        )
        with suppress(ConnectionError):
            while one.recv(4096):
                pass
    assert page.post("open", {"code": page.code})[0] == 200
    assert capfd.readouterr().err == ""


def test_a_request_of_another_site_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = Page(config, capsys, open_s=20)
    page.post("open", {"code": page.code})
    assert page.post("state", {}, Origin="http://evil.example")[0] == 403
    assert page.post("state", {}, Origin=f"http://127.0.0.1:{page.port}")[0] == 200
    assert page.post("state", {}, **{HEADER: "x"})[0] == 403
    assert page.post("state", {}, Cookie="leakear-setup=x")[0] == 403
    assert page.post("state", {}, **{"Content-Type": "text/plain"})[0] == 400
    assert page.post("state", b"[1]")[0] == 400
    assert page.post("state", b"{" * 100000)[0] == 400
    with suppress(BrokenPipeError, ConnectionResetError):  # it may end the connection before all of it is sent
        assert page.post("state", {"ca": "x" * server.MAX_BODY})[0] == 400
    assert page.post("nothing", {})[0] == 404


def test_it_ends_by_itself(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Page(config, capsys, open_s=0.5).end() == 1


def test_it_is_for_the_local_network_alone() -> None:
    assert all(
        map(guard.local, ("127.0.0.1", "::1", "192.168.1.7", "10.0.0.1", "fe80::1%eth0", "::ffff:10.0.0.1", "fd00::2"))
    )
    assert not any(map(guard.local, ("8.8.8.8", "2001:4860::1", "::ffff:8.8.8.8", "nonsense", "")))
    assert Guard().code != Guard().code


@pytest.mark.parametrize(
    ("key", "value"),
    [("site", "a b"), ("broker", "x"), ("ca", "QQ=="), ("user", ""), ("ca", 1), ("password", "\ud800")],
)
def test_answers_are_checked_as_in_the_terminal(
    config: Path, capsys: pytest.CaptureFixture[str], key: str, value: object
) -> None:
    page = Page(config, capsys, open_s=20)
    page.post("open", {"code": page.code})
    given = {"site": "hill", "name": "n", "broker": "mqtts://b", "user": "u", "password": "p", key: value}
    status, found = page.post("try", given)
    assert (status, found["key"]) == (200, key), found


def test_digital_silence_is_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = Page(config, capsys, gain=0.0, open_s=60)
    page.post("open", {"code": page.code})
    deadline = time.monotonic() + 30
    while not (found := page.post("level", {"device": "Fake microphone"})[1]):
        assert time.monotonic() < deadline
    assert found["fault"] == "digital_silence"


@pytest.fixture
def browser() -> Iterator[Any]:
    pytest.importorskip("selenium")
    from tests.support.harness import Browser

    if not Path("/usr/bin/chromium").exists():
        pytest.skip("chromium is not installed: apt-get install chromium chromium-driver")
    found = Browser(500, 800)
    found.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    )
    yield found
    found.quit()


def test_a_person_with_a_keyboard_on_a_narrow_screen(
    config: Path, capsys: pytest.CaptureFixture[str], broker: Broker, browser: Any
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def keys(*typed: str) -> None:
        ActionChains(browser.driver).send_keys(*typed).perform()

    def focused() -> str:
        return str(browser.js("const e = document.activeElement; return e.name || e.id"))

    page = Page(config, capsys)
    browser.open(f"http://127.0.0.1:{page.port}/")
    browser.text("h1", "Set up this leakear node")
    browser.driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
    assert focused() == "code"
    keys("WRONG", Keys.ENTER)
    browser.text('[data-error="code"]', "9 tries left")
    keys(*[Keys.BACKSPACE] * 5, page.code, Keys.ENTER)
    browser.one('#form:not([hidden]) option[value="Fake microphone"]')
    browser.text("#level", "dBFS")
    wait(lambda: focused() == "site")
    assert browser.js("return innerWidth") == 360
    assert browser.js(WIDE) == []
    keys("two words", Keys.ENTER)
    browser.text('[data-error="site"]', "use 1 to 64 letters")
    wait(lambda: focused() == "site")
    keys(*[Keys.BACKSPACE] * 9, "hill", Keys.TAB, *[Keys.BACKSPACE] * 70, "pit-7", Keys.TAB, Keys.TAB, Keys.TAB)
    wait(lambda: focused() == "broker")
    with Subscriber(broker, "leakear/#") as seen:
        keys(f"mqtt://127.0.0.1:{broker.port}", Keys.ENTER)
        browser.text("#tried", "The broker accepts this node.")
        browser.text("#difference", '+site = "hill"')
        assert browser.js(WIDE) == []
        wait(lambda: focused() == "write")
        keys(Keys.ENTER)
        browser.text("#alert", "as a test")
        event = json.loads(seen.wait(1, "leakear/hill/pit-7/event")[0].payload)
    assert (event["kind"], event["to"]) == ("test", "OK")
    assert page.end() == 0
    settings = Settings.load(config, {})
    assert (settings.node.identity.topic(""), settings.audio.device) == ("leakear/hill/pit-7/", "Fake microphone")


def test_the_page_speaks_portuguese(config: Path, capsys: pytest.CaptureFixture[str], browser: Any) -> None:
    page = Page(config, capsys, open_s=30)
    browser.open(f"http://127.0.0.1:{page.port}/")
    browser.js("const s = document.querySelector('#language'); s.value = 'pt-BR'; s.dispatchEvent(new Event('change'))")
    browser.text("h1", "Configurar este nó leakear")


def wait(look: Any) -> None:
    deadline = time.monotonic() + 30
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_both_languages_have_the_same_texts() -> None:
    folder = Path(server.__file__).parent / "static"
    english, other = (json.loads((folder / f"{name}.json").read_text()) for name in ("en", "pt-BR"))
    assert set(english) == set(other)
    page = (folder / "page.html").read_text() + (folder / "page.js").read_text()
    used = set(re.findall(r'data-text="([\w.]+)"', page)) | set(re.findall(r'\bt\("([\w.]+)"', page))
    assert used <= set(english)
    for key, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", other[key])), key

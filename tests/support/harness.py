"""What the dashboard's tests share: the real program as a process, a real Chromium, a node made of messages."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from leakear.edge.messages.reports import CommandResult, Event, Identity, ModelRef, State, Telemetry, utc_text, uuid7

MODEL = ModelRef(id="test-model", sha256="0" * 64)
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=en-US",
    "--autoplay-policy=no-user-gesture-required", "--force-color-profile=srgb", "--hide-scrollbars",
]  # fmt: skip


TOKENS: dict[str, str] = {}
"""start token of each dashboard without users, by host and port; empty where there are users"""


class _WithToken(urllib.request.BaseHandler):
    """Adds the start token to the requests of this process, as a browser's cookie does."""

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        if (token := TOKENS.get(request.host)) and not request.has_header("Authorization"):
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        return request

    https_request = http_request


urllib.request.install_opener(urllib.request.build_opener(_WithToken()))


class Dashboard:
    """`leakear-dashboard` as a process of its own."""

    def __init__(self, broker_url: str, folder: Path, *options: str, database: str | None = None) -> None:
        self.folder = folder
        self.database = database or f"sqlite:///{folder}/dashboard.sqlite"
        self.options = ["--broker", broker_url, *options]
        if "--listen" not in options:
            self.options += ["--listen", "127.0.0.1:0"]
        self.url = ""
        self.entry = ""
        """the address it prints; without users it holds the start token"""
        self.process: subprocess.Popen[str] | None = None

    def command(self, *words: str) -> list[str]:
        place = ["--database", self.database, "--clips", str(self.folder / "clips")]
        return [sys.executable, "-m", "leakear.dashboard.cli", *words, *place]

    def start(self) -> Self:
        log = (self.folder / "dashboard.log").open("a")
        self.process = subprocess.Popen(self.command(*self.options), stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        self.entry = self.process.stdout.readline().strip()
        self.url, _, token = self.entry.partition("/?token=")
        self.url = self.url.rstrip("/")
        TOKENS[self.url.partition("//")[2]] = token
        assert self.url.startswith("http"), (self.folder / "dashboard.log").read_text()
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ready(self) -> Self:
        """Wait until it is subscribed: what is sent before the first time is sent to nobody."""
        self.until("/api/me", lambda me: me["line"]["connected"])
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)
        self.process = None

    def add_user(self, name: str, password: str, role: str) -> None:
        path = self.folder / "password"
        path.write_text(password)
        command = self.command("user", "add", name, "--role", role, "--password-file", str(path))
        subprocess.run(command, check=True)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return json.load(answer)

    def until(self, path: str, found: Callable[[Any], Any], timeout: float = 60) -> Any:
        return until(lambda: found(self.get(path)), f"what was expected of {path}", timeout)


def until(look: Callable[[], Any], what: str, timeout: float = 60) -> Any:
    """First true result of `look`, or a failed assertion."""
    deadline = time.monotonic() + timeout
    while not (found := look()):
        assert time.monotonic() < deadline, f"no {what} within {timeout} s"
        time.sleep(0.05)
    return found


class Browser:
    """A Chromium with what the tests ask of it."""

    def __init__(self, width: int = 1440, height: int = 900, *flags: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self._entered: set[str] = set()
        self._profile = tempfile.TemporaryDirectory(prefix="leakear-chromium-", ignore_cleanup_errors=True)
        window = (f"--user-data-dir={self._profile.name}", f"--window-size={width},{height}")
        for flag in (*FLAGS, *window, *flags):
            options.add_argument(flag)
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))

    def quit(self) -> None:
        self.driver.quit()
        self._profile.cleanup()

    def open(self, url: str) -> None:
        """Open an address; before the first one of a dashboard without users, its start token."""
        place = url.partition("//")[2].partition("/")[0]
        token = TOKENS.get(place)
        if token and token not in self._entered:
            self._entered.add(token)
            self.driver.get(f"http://{place}/?token={token}")
        self.driver.get(url)

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str, timeout: float = 60) -> WebElement:
        """First element that matches, waited for."""
        found: list[WebElement] = until(lambda: self.all(css), css, timeout)
        return found[0]

    def text(self, css: str, wanted: str, timeout: float = 60) -> None:
        """Wait until an element that matches shows a text."""
        look = "return [...document.querySelectorAll(arguments[0])].some(e => e.textContent.includes(arguments[1]))"
        until(lambda: self.js(look, css, wanted), f"{wanted!r} in {css}", timeout)

    def none(self, css: str, timeout: float = 60) -> None:
        until(lambda: not self.all(css), f"absence of {css}", timeout)

    def click(self, css: str, timeout: float = 60) -> None:
        until(
            lambda: self.js("const e=document.querySelector(arguments[0]);if(e)e.click();return !!e", css), css, timeout
        )

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def complaints(self) -> list[str]:
        """Errors in the browser's console that no test expects."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


class FakeNode:
    """Speaks as a node does, through the node's own message classes."""

    def __init__(self, port: int, node: str = "node-1", site: str = "site-a", *, start: int = 0) -> None:
        self.who = Identity(site, node)
        self.seq = start
        self.state = "OK"
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.answers: Callable[[str, dict[str, Any]], list[CommandResult]] = lambda _name, _request: []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, f"{site}-{node}", protocol=paho.MQTTv5)
        self.client.will_set(self.who.topic("availability"), "offline", 1, retain=True)
        self.client.on_message = self._on_message
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect("127.0.0.1", port, 5)
        self.client.loop_start()
        self.client.subscribe(self.who.topic("cmd/+"), 1)
        assert subscribed.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def online(self) -> None:
        self.raw("availability", b"online", retain=True)

    def drop(self) -> None:
        """Cut the line without a goodbye."""
        self.client.loop_stop()
        line = self.client.socket()
        assert line is not None
        line.close()

    def report(self, score: float | None = 0.1, level: float | None = -60.0, **changes: Any) -> None:
        self.raw("state", replace(self.make_state(score, level), **changes).to_json(), retain=True)

    @contextmanager
    def alive(self, score: float = 0.1) -> Iterator[Self]:
        """Report every second, so that it does not turn stale meanwhile, however long the page takes."""
        end = threading.Event()

        def speak() -> None:
            while not end.wait(1):
                self.report(score)

        speaker = threading.Thread(target=speak)
        speaker.start()
        try:
            yield self
        finally:
            end.set()
            speaker.join()

    def make_state(self, score: float | None, level: float | None) -> State:
        now = utc_text(time.time())
        return State(
            site=self.who.site, node=self.who.node, state=self.state, since=now, score=score, level_dbfs=level,
            noise_floor_dbfs=-70.0, faults=(), threshold=0.5, muted_until=None, model=MODEL, firmware="1.0",
            window_end=now, window_s=10, step_s=1, clock_synced=True, seq=self.seq, queue_depth=0,
        )  # fmt: skip

    def turn(self, state: str, *, reason: str = "It changed.", publish: bool = True, **changes: Any) -> Event:
        self.seq += 1
        now = time.time()
        event = Event(
            id=uuid7(), seq=self.seq, site=self.who.site, node=self.who.node, kind="state", from_state=self.state,
            to_state=state, reason=reason, window_start=utc_text(now - 10), window_end=utc_text(now),
            clock_synced=True, score=0.97, level_dbfs=-40.0, on_fraction=0.95, model=MODEL,
        )  # fmt: skip
        event = replace(event, **changes)
        self.state = state
        if publish:
            self.raw("event", event.to_json())
        return event

    def telemetry(self, **changes: Any) -> None:
        message = Telemetry(
            time=utc_text(time.time()), uptime_s=5, level_dbfs=-60, noise_floor_dbfs=-70, noise_floor_drift_db=0.1,
            score=0.1, windows_produced=5, windows_scored=5, windows_discarded=0, windows_dropped=0, overruns=0,
            reconnects=0, real_time_factor=0.02, queue_depth=0, queue_bytes=0, temperature_c=40,
            disk_free_bytes=1 << 30, rss_bytes=80 << 20, certificate_expires=None, clock_synced=True,
        )  # fmt: skip
        self.raw("telemetry", replace(message, **changes).to_json(), qos=0)

    def raw(self, suffix: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        self.client.publish(self.who.topic(suffix), payload, qos, retain).wait_for_publish(10)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        name, request = message.topic.rpartition("/")[2], json.loads(message.payload)
        self.commands.append((name, request))
        for answer in self.answers(name, request):
            self.client.publish(self.who.topic(f"cmd/{name}/result"), answer.to_json(), 1)


def path_of(node: FakeNode) -> str:
    """Address of its page."""
    return f"/node/{node.who.site}/{node.who.node}"


def done(request: dict[str, Any], **result: Any) -> list[CommandResult]:
    """One good answer."""
    return [CommandResult(id=request["id"], ok=True, result=result)]


def resident(pid: int) -> int:
    """Resident memory of a process, bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

"""What the dashboard's tests share: the real program as a process, a real Chromium, a node made of messages."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.support.fake_node import MODEL, FakeNode, done, path_of

__all__ = ["MODEL", "TOKENS", "Browser", "Dashboard", "FakeNode", "done", "path_of", "resident", "until"]
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


def resident(pid: int) -> int:
    """Resident memory of a process, bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

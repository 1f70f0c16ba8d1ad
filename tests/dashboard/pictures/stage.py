"""The town's dashboard with its broker and nodes, an empty dashboard, and a node that is being set up: all real."""

import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from leakear.edge.messages.reports import utc_text
from tests.dashboard.pictures.town import ROLES, SILENT, build, changes, everybody
from tests.dashboard.screenshots import MODEL, STAR, breathe, hiss, sing
from tests.support.broker import Broker, free_port
from tests.support.fake_clips import answer_with_clip
from tests.support.harness import Browser, Dashboard, FakeNode, done

PASSWORD = "água fria 1987"
CHECKS = [
    {"name": "sensor", "ok": False, "detail": "no window has come yet"},
    {"name": "clock", "ok": True, "detail": "synchronised"},
    {"name": "broker", "ok": True, "detail": "connected"},
    {"name": "outbox", "ok": True, "detail": "3 events wait"},
    {"name": "disk", "ok": False, "detail": "outbox_disk"},
]
"""as `remote/selftest.py` words them"""
SETUP = """import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
import numpy as np
from leakear.edge.audio.fake_microphone import FakeSource
from leakear.edge.cli.setup.web import server
noise = (np.random.default_rng(0).standard_normal((48000, 1)) * 0.1).astype(np.float32)
server.serve(Path(sys.argv[1]), "127.0.0.1", int(sys.argv[2]), FakeSource(noise), 7200)
"""


class Taker(BaseHTTPRequestHandler):
    """Takes notifications and work orders."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Stage:
    """Everything that is photographed. `pages`: addresses of the town that have a name; `setup`: a node's set-up."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._stop = threading.Event()
        self.pages: dict[str, str] = {}

    def __enter__(self) -> Self:
        enter = self._held.enter_context
        folder = Path(enter(tempfile.TemporaryDirectory()))
        for name in ("town", "empty"):
            (folder / name).mkdir()
        self.folder = folder
        self.broker, self.quiet_broker = enter(Broker()), enter(Broker())
        self.town = self._town(folder / "town")
        self.empty = enter(Dashboard(f"mqtt://127.0.0.1:{self.quiet_broker.port}", folder / "empty"))
        self.setup, _ = self.set_up()
        self.star = self._star()
        speaker = threading.Thread(target=self._speak)
        speaker.start()
        self._held.callback(speaker.join)
        self._held.callback(self._stop.set)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def _town(self, folder: Path) -> Dashboard:
        taker = self._held.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Taker))
        threading.Thread(target=taker.serve_forever, daemon=True).start()
        self._held.callback(taker.shutdown)
        for name, kind in (("notify", "json"), ("webhooks", "http")):
            (folder / name).write_text(f"{kind}://127.0.0.1:{taker.server_port}/avisos\n")
            (folder / name).chmod(0o600)
        given = ("--notify", str(folder / "notify"), "--webhooks", str(folder / "webhooks"), "--stale-after", "600")
        given += ("--lost-after", "3", "--public-url", "https://vazamentos.example", "--health-report", "mon-07:00")
        made = Dashboard(f"mqtt://127.0.0.1:{self.broker.port}", folder, *given)
        self.pages = build(made.database, folder, time.time())
        made.add_user("ana", PASSWORD, "operate")
        return self._held.enter_context(made)

    def set_up(self) -> tuple[str, str]:
        """Begin the set-up of a node; return its address and the code that opens it, once."""
        port = free_port()
        command = [sys.executable, "-c", SETUP, str(self.folder / "leakear.toml"), str(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._held.callback(process.wait)
        self._held.callback(process.kill)
        assert process.stdout is not None
        code = process.stdout.readline().partition("code ")[2].split()[0]
        return f"http://127.0.0.1:{port}/", code

    def _star(self) -> FakeNode:
        node = self._held.enter_context(FakeNode(self.broker.port, STAR[1], STAR[0]))
        content = hiss()

        def answer(name: str, request: dict[str, Any]) -> Any:
            if name == "selftest":
                return done(request, passed=False, checks=CHECKS)
            return answer_with_clip(name, request, content)

        node.answers = answer
        return node

    def _speak(self) -> None:
        """All nodes report every two seconds, but for the one that has fallen silent; until the broker stops."""
        voice = FakeNode(self.broker.port, "voice", "voice")
        began = time.time()
        actors = everybody()
        breathe(self.star)
        while True:
            for actor in actors:
                key = (actor.site, actor.name)
                if key == SILENT:
                    continue
                given = {
                    "state": "OK",
                    "since": utc_text(began - 1500),
                    "firmware": "0.2.0",
                    **changes(ROLES.get(key, {})),
                }
                score, level, floor = (
                    (None,) * 3 if given["state"] == "SENSOR_FAULT" else actor.hear(time.time(), began)
                )
                made = replace(voice.make_state(score, level), site=actor.site, node=actor.name, model=MODEL)
                made = replace(made, noise_floor_dbfs=floor, seq=17 if key == STAR else 0, **given)
                voice.client.publish(f"leakear/{actor.site}/{actor.name}/state", made.to_json(), 0)
            if self._stop.wait(2):
                voice.__exit__(None, None, None)
                return

    def cut(self) -> None:
        """Stop the town's broker, once."""
        if not self._stop.is_set():
            self._stop.set()
            self.broker.stop()

    def sing(self) -> None:
        """Spectra for the live picture."""
        sing(self.star, 60)

    def log_in(self, page: Browser) -> None:
        page.open(self.town.url + "/login")
        page.one("input[name=name]").send_keys("ana")
        page.one("input[name=password]").send_keys(PASSWORD)
        page.click("form.login button.primary")
        page.one("header.top")

"""The weekly health report: each line says what to do; by command, on the page, and sent once a week by itself."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.alerting.notifications import Notifications
from leakear.dashboard.alerting.notifier import Notifier
from leakear.dashboard.health.weekday import DAYS, Weekly, parse_weekly
from leakear.dashboard.health.weekly import HealthReport, kept
from leakear.dashboard.options import ServeOptions
from leakear.dashboard.reports.brand import Brand
from leakear.dashboard.reports.health import health_document
from leakear.dashboard.reports.plain import render_text
from leakear.edge.errors import ConfigError
from tests.support.harness import Browser, Dashboard, FakeNode, until

CARE: dict[str, Any] = {
    "nodes": 4,
    "problems": {
        "deaf": [["east", "pit-1", "stuck, clipping"]], "silent": [["east", "pit-2", "2026-11-29 03:00 UTC"]],
        "drifting": [], "learning": [["east", "pit-3", "2"]], "clock": [["east", "pit-3", ""]],
        "power": [["east", "pit-1", "restarts_often"]], "disk": [["east", "pit-3", "90 MiB"]], "queue": [],
    },
    "versions": {"leakear 0.2": 4},
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("en", ["- east / pit-1: stuck signal, clipping: Check the sensor's supply and cable. Lower the gain.",
                "- east / pit-2: last heard 2026-11-29 03:00 UTC: Look at power and network there",
                "- east / pit-3: 2 nights known: Wait: three nights", "Nodes that need care: 3"]),
        ("pt-BR", ["- east / pit-2: ouvido por último 2026-11-29 03:00 UTC: Veja energia e rede no local"]),
    ],
)  # fmt: skip
def test_each_line_says_what_is_wrong_and_what_to_do(language: str, lines: list[str]) -> None:
    text = render_text(health_document(CARE, 1.8e9, language, Brand("Águas")))
    for line in lines:
        assert line in text
    told = [line for line in text.splitlines() if line.startswith("- ")]
    assert len(told) == sum(map(len, CARE["problems"].values()))
    assert all(line.count(": ") >= 2 for line in told), "where: what: what to do"
    well = {"nodes": 1, "problems": {kind: [] for kind in CARE["problems"]}, "versions": {}}
    assert "No node needs care." in render_text(health_document(well, 1.8e9, "en", Brand()))


def test_a_weekday_and_hour_of_this_machine() -> None:
    monday = Weekly(0, 7, 0)
    now = datetime(2026, 11, 30, 7, 0).timestamp()  # noqa: DTZ001 - a Monday, in the machine's own zone
    assert monday.last(now) == now
    assert monday.last(now - 1) == pytest.approx(now - 7 * 86400, abs=3600)
    assert parse_weekly("sun-23:59") == Weekly(6, 23, 59)
    assert str(parse_weekly("sun-03:05")) == "sun-03:05"
    for wrong in ("mon", "mon-24:00", "Mon-07:00", "day-07:00", "mon-7:00"):
        with pytest.raises(ConfigError, match=f"--health-report is '{wrong}': write DAY-HH:MM"):
            parse_weekly(wrong)
    with pytest.raises(ConfigError, match="give that file too"):
        ServeOptions(health_report=monday)


class Mailbox:
    """Takes what Apprise posts; refuses while `fails`."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.fails = False
        box = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if not box.fails:
                    box.got.append(json.loads(body))
                self.send_response(500 if box.fails else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    box = Mailbox()
    (tmp_path / "notify").write_text(box.address)
    (tmp_path / "notify").chmod(0o600)
    yield box
    box.server.shutdown()
    box.server.server_close()


def made(engine: Any, folder: Path, weekly: Weekly | None) -> HealthReport:
    notifier = Notifier(folder / "notify", None, Notifications(engine))
    return HealthReport(
        engine, notifier, lambda: CARE, weekly, language="en", brand="x", public_url="https://l.example"
    )


def due_now() -> Weekly:
    moment = datetime.fromtimestamp(time.time() - 60)  # noqa: DTZ006 - in the machine's own zone
    return Weekly(moment.weekday(), moment.hour, moment.minute)


def test_it_is_sent_once_when_due_also_after_a_failure_and_a_restart(
    engine: Any, mailbox: Mailbox, tmp_path: Path
) -> None:
    asyncio.run(made(engine, tmp_path, None).step())
    assert mailbox.got == [], "off unless asked for"
    later = datetime.fromtimestamp(time.time() + 2 * 86400)  # noqa: DTZ006
    asyncio.run(made(engine, tmp_path, Weekly(later.weekday(), later.hour, later.minute)).step())
    assert mailbox.got == [], "not due"
    mailbox.fails = True
    asyncio.run(made(engine, tmp_path, due_now()).step())
    mailbox.fails = False
    for _ in range(3):
        asyncio.run(made(engine, tmp_path, due_now()).step())
    (sent,) = mailbox.got
    assert sent["title"] == "leakear: Health of the fleet"
    assert "- east / pit-2: last heard" in sent["message"]
    assert sent["message"].rstrip().endswith("https://l.example/reports")
    found = kept(engine)
    assert found is not None
    assert found[0] == CARE


def test_on_the_page_and_by_the_command(page: Browser, dashboard: Dashboard, mqtt: Any, tmp_path: Path) -> None:
    with FakeNode(mqtt.port, "pit-77") as node:
        node.report(faults=("stuck",), clock_synced=False)
        until(lambda: ["site-a", "pit-77", "stuck"] in dashboard.get("/api/reports/health")["problems"]["deaf"], "it")
        page.open(f"{dashboard.url}/reports")
        page.text('[data-problem="deaf"]', "it says the remedy")
        page.text('[data-problem="deaf"] a', "stuck signal")
        assert (
            page.one('a[data-health="pdf"]')
            .get_attribute("href")
            .endswith("/api/reports/health?format=pdf&language=en")
        )  # type: ignore[union-attr]


def test_the_command_tells_the_newest_state_and_says_when_there_is_none(
    engine: Any, database: str, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "leakear.dashboard.cli", "report", str(tmp_path / "h.txt"), "--health", "--database"]
    none = subprocess.run([*words, database], check=False, capture_output=True, text=True)
    assert (none.returncode, "holds no health of a fleet" in none.stderr) == (65, True)
    (tmp_path / "notify").write_text("")
    made(engine, tmp_path, None).keep(CARE, 1.8e9)
    subprocess.run([*words, database], check=True, capture_output=True)
    text = (tmp_path / "h.txt").read_text()
    assert "State of 2027-01-15 08:00 UTC." in text
    assert "- east / pit-3: 90 MiB left: Free the disk" in text
    assert set(DAYS) == {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

"""Alerts reach people by e-mail and webhook, also when the server at the other end was down: real servers, ours."""

import asyncio
import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from leakear.edge.messages.reports import utc_text, uuid7
from tests.support.broker import free_port
from tests.support.factory import event
from tests.support.harness import Browser, Dashboard, FakeNode, until


class Hook(http.server.ThreadingHTTPServer):
    """Takes notifications as JSON; answers with `status`."""

    def __init__(self, port: int = 0, status: int = 200) -> None:
        super().__init__(("127.0.0.1", port), Taker)
        self.status = status
        self.got: list[dict[str, Any]] = []
        self.tried: list[str] = []
        """first line of each notification, accepted or not"""

    @contextmanager
    def open(self) -> Iterator["Hook"]:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        yield self
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/"

    def told(self) -> list[str]:
        """First line of each notification that was accepted."""
        return [notice["message"].splitlines()[0] for notice in self.got]


class Taker(http.server.BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        notice = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.tried.append(notice["message"].splitlines()[0])
        if self.server.status == 200:
            self.server.got.append(notice)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class Postbox:
    """An SMTP server that asks for a password."""

    def __init__(self, port: int) -> None:
        self.letters: list[Message] = []
        self.controller = Controller(
            self, "127.0.0.1", port, authenticator=self._known, auth_required=True, auth_require_tls=False
        )

    @contextmanager
    def open(self) -> Iterator["Postbox"]:
        self.controller.start()
        yield self
        self.controller.stop()

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.letters.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"

    @staticmethod
    def _known(_server: object, _session: object, _envelope: object, _way: str, data: object) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"leakear", b"secret word")
        return AuthResult(success=right)


def letter_url(port: int) -> str:
    """Apprise's address of the postbox."""
    query = "smtp=127.0.0.1&from=leakear@site.example&to=ana@site.example&mode=insecure"
    return f"mailto://leakear:secret%20word@127.0.0.1:{port}/?{query}"


@contextmanager
def watching(
    broker: Any, folder: Path, *urls: str, language: str = "pt-BR", options: tuple[str, ...] = ()
) -> Iterator[Dashboard]:
    notify = folder / "notify"
    notify.write_text("# the control room\n" + "\n".join(urls) + "\n")
    options += ("--notify", str(notify), "--language", language, "--public-url", "https://leaks.example")
    with Dashboard(f"mqtt://127.0.0.1:{broker.port}", folder, *options) as dashboard:
        yield dashboard.ready()


def test_an_alert_is_sent_once_by_mail_and_by_webhook(broker: Any, tmp_path: Path) -> None:
    with (
        Hook().open() as hook, Postbox(free_port()).open() as box, FakeNode(broker.port) as node,
        watching(broker, tmp_path, hook.url, letter_url(box.controller.port)),
    ):  # fmt: skip
        node.turn("WARNING")
        node.turn("LEAK", reason="on 95% of the last 30 min")
        until(lambda: hook.got and box.letters, "both notifications")
        node.turn("SENSOR_FAULT", reason="no_frames")
        until(lambda: len(hook.got) == len(box.letters) == 2, "both of the next alert")
        node.turn("OK", reason="Repaired.")
        until(lambda: len(hook.got) == len(box.letters) == 3, "the end of the alert")
    assert hook.got[0]["title"] == "leakear: Vazamento: site-a / node-1", "a warning wakes nobody"
    assert hook.told() == ["em 95% dos últimos 30 min", "não chega som", "Repaired."]
    assert [notice["type"] for notice in hook.got] == ["failure", "warning", "success"]
    assert hook.got[2]["title"] == "leakear: Tudo bem de novo: site-a / node-1"
    letter = box.letters[0]
    assert (letter["subject"], letter["to"]) == ("leakear: Vazamento: site-a / node-1", "ana@site.example")
    text = letter.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
    assert "em 95% dos últimos 30 min" in text
    assert "https://leaks.example/node/site-a/node-1" in text


def test_a_server_that_is_down_gets_the_alert_later(browser: Browser, broker: Any, tmp_path: Path) -> None:
    port = free_port()
    with Hook().open() as hook, watching(broker, tmp_path, letter_url(port), hook.url) as dashboard:
        with FakeNode(broker.port) as node:
            for n in range(3):
                node.turn("LEAK", reason=f"Leak {n}.", from_state="OK")
        until(lambda: len(hook.got) == 3, "the webhook, which does not wait for the mail server")
        browser.open(dashboard.url)
        browser.js("localStorage.setItem('leakear.language', 'pt-BR')")
        browser.open(dashboard.url)
        browser.text(".trouble", "As notificações pelo endereço 1 de --notify falham; alertas à espera: 3.")
        with Postbox(port).open() as box:
            until(lambda: len(box.letters) == 3, "the letters", timeout=90)
            browser.one('.line:not([data-line="down"])')
            until(lambda: browser.one(".trouble").get_attribute("hidden"), "the end of the trouble")
        assert sorted(hook.told()) == ["Leak 0.", "Leak 1.", "Leak 2."], "nobody is told twice"
        browser.js("localStorage.clear()")
        browser.open("about:blank")


def test_a_muted_nodes_alerts_are_stored_and_sent_only_if_they_outlast_the_mute(broker: Any, tmp_path: Path) -> None:
    with Hook().open() as hook, FakeNode(broker.port) as node, watching(broker, tmp_path, hook.url) as dashboard:
        node.report(score=0.25, muted_until=utc_text(time.time() + 3600))
        until_heard(dashboard, 0.25)
        node.turn("LEAK", reason="Works in the street.")
        node.turn("OK")
        node.turn("WARNING")
        node.turn("LEAK", reason="Water runs.")
        dashboard.until("/api/alerts", lambda log: len(log["rows"]) == 2)
        assert hook.told() == []
        node.report(score=0.5, muted_until=None)
        until(hook.told, "the notification")
    assert hook.told() == ["Water runs."]


def test_a_fault_and_a_silent_node_are_told_when_the_mute_ends_also_after_a_restart(
    broker: Any, tmp_path: Path
) -> None:
    quick = ("--lost-after", "1")
    with Hook().open() as hook, FakeNode(broker.port) as node:
        with watching(broker, tmp_path, hook.url, options=quick) as dashboard:
            mute = time.time() + 20
            node.report(score=0.25, muted_until=utc_text(mute))
            until_heard(dashboard, 0.25)
            node.turn("SENSOR_FAULT", reason="no_frames")
            node.raw("availability", b"offline", retain=True)
            dashboard.until("/api/alerts", lambda log: len(log["rows"]) == 2)
        with watching(broker, tmp_path, hook.url, options=quick):
            until(lambda: len(hook.got) == 2, "both notifications")
    assert time.time() > mute
    assert [notice["title"] for notice in hook.got] == [
        "leakear: Falha do sensor: site-a / node-1", "leakear: Nó em silêncio: site-a / node-1",
    ]  # fmt: skip
    assert all("alertas do nó estavam silenciados" in notice["message"] for notice in hook.got)


def until_heard(dashboard: Dashboard, score: float) -> None:
    """Reports come over another connection than events: wait until this one was taken."""
    dashboard.until(
        "/api/nodes/site-a/node-1/history", lambda node: score in ((node["recent"] or {}).get("score") or [])
    )


def test_an_unsent_alert_is_sent_after_a_restart(broker: Any, tmp_path: Path) -> None:
    with Hook(status=503).open() as hook:
        with FakeNode(broker.port) as node, watching(broker, tmp_path, hook.url) as dashboard:
            node.turn("LEAK", reason="Water runs.")
            until(lambda: dashboard.get("/api/me")["line"]["trouble"], "the failure")
            dashboard.kill()
        hook.status = 200
        with watching(broker, tmp_path, hook.url):
            until(hook.told, "the notification")
    assert hook.told() == ["Water runs."]


@pytest.mark.parametrize("line", ["nonsense://x", "not an address"])
def test_an_unknown_address_is_refused_without_printing_it(tmp_path: Path, line: str) -> None:
    from leakear.dashboard.alerting.notifications import Notifications
    from leakear.dashboard.alerting.notifier import Notifier
    from leakear.dashboard.history.tables import open_database
    from leakear.edge.errors import ConfigError

    (tmp_path / "notify").write_text(f"\n{line}?password=secret\n")
    with pytest.raises(ConfigError, match="address 1") as caught:
        Notifier(tmp_path / "notify", None, Notifications(open_database("sqlite://")))
    assert "secret" not in str(caught.value)


def test_any_error_is_logged_and_notifying_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from leakear.dashboard.alerting import notifier
    from leakear.dashboard.alerting.notifications import Notifications
    from leakear.dashboard.history import History, event_row
    from leakear.dashboard.history.tables import open_database

    monkeypatch.setattr(notifier, "LOOK_S", 0.05)
    monkeypatch.setattr(notifier, "FIRST_PAUSE_S", 0.05)
    right, odd = notifier.wording, ["a sentence that cannot be written"]

    class Odd(Notifications):
        failures = 2

        def next(self, address: str, limit: int = 500) -> list[Any]:
            self.failures -= 1
            if self.failures >= 0:
                raise RuntimeError("the rows are odd")
            return super().next(address, limit)

        def keep_only(self, addresses: Any) -> None:  # noqa: ARG002 - it fails whatever is given
            raise ValueError("the addresses are odd")

    def wording(*given: Any) -> tuple[str, str]:
        if odd:
            raise KeyError(odd.pop())
        return right(*given)

    monkeypatch.setattr(notifier, "wording", wording)
    engine, alert = open_database(f"sqlite:///{tmp_path}/db"), replace(event(), to_state="LEAK", reason="Water runs.")
    with Hook().open() as hook:
        (tmp_path / "notify").write_text(hook.url)
        made = notifier.Notifier(tmp_path / "notify", None, Odd(engine))
        History(engine).record([event_row(alert, time.time())], lambda _: made.addresses)

        async def run() -> None:
            job = asyncio.create_task(made.run())
            await asyncio.to_thread(until, lambda: hook.got, "the alert", 30)
            job.cancel()

        asyncio.run(run())
        assert len(hook.got) == 1
    said = caplog.text
    assert all(words in said for words in ("the rows are odd", "the addresses are odd", "cannot be written"))


@pytest.mark.parametrize("works", [True, False])
def test_an_alert_that_waited_for_days_is_tried_once_before_it_is_given_up(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    """It waits in the database while no dashboard runs: where ingest workers store it, or after a crash."""
    from leakear.dashboard.alerting import notifier
    from leakear.dashboard.alerting.notifications import Notifications
    from leakear.dashboard.history import History, event_row

    monkeypatch.setattr(notifier, "FIRST_PAUSE_S", 0.05)
    old, new = (replace(event(), id=uuid7(), to_state="LEAK", reason=reason) for reason in ("Old.", "New."))
    with Hook(status=200 if works else 503).open() as hook:
        (tmp_path / "notify").write_text(hook.url)
        notices = Notifications(engine)
        made = notifier.Notifier(tmp_path / "notify", None, notices)

        def waiting() -> list[str]:
            return [row["reason"] for row in notices.next(*made.addresses)]

        for each, age_days in ((old, 3), (new, 0)):
            row = event_row(each, time.time() - 86400 * age_days)
            History(engine).record([row], lambda _: made.addresses)
        assert waiting() == ["Old.", "New."]

        async def run() -> None:
            job = asyncio.create_task(made.run())
            await asyncio.to_thread(until, lambda: waiting() == ([] if works else ["New."]), "the first tries", 30)
            job.cancel()

        asyncio.run(run())
        assert hook.tried[0] == "Old."
        assert hook.told() == (["Old.", "New."] if works else [])

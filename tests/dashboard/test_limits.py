"""What one user may ask of nodes and of the server, and what a node may make the dashboard keep or show."""

import asyncio
import contextlib
import io
import json
import threading
import urllib.error
import urllib.request
import wave
import zipfile
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from leakear.dashboard.alerting.alerts import Alerts
from leakear.dashboard.broker.watches import LEAVE_S, RENEW_S, WATCH_S, Watches
from leakear.dashboard.evidence.clips import Clips
from leakear.dashboard.evidence.manifest import write_zip
from leakear.dashboard.fleet import Fleet
from leakear.dashboard.history import History, event_row
from leakear.dashboard.pages.live import OPENED, PAGES
from leakear.dashboard.server.hub import Hub, Page
from leakear.edge.errors import InputDataError
from tests.dashboard.test_access import PASSWORD, Client
from tests.dashboard.test_history import KEY, NOW, event, flac
from tests.dashboard.test_notify import Postbox, letter_url, watching
from tests.support.broker import HUGE_PACKETS, Broker, free_port
from tests.support.fake_clips import answer_with_clip, sound
from tests.support.harness import Dashboard, FakeNode, resident, until


def test_a_node_is_asked_to_watch_once_in_half_a_minute() -> None:
    """However often pages open and close the live spectrum."""
    asked: list[tuple[float, float]] = []
    now = 0.0
    watches = Watches(lambda _key, seconds: asked.append((now, seconds)))
    for n in range(1200):
        now = n / 10
        watches.update([KEY] if n % 2 else [], now)
    starts = [at for at, seconds in asked if seconds]
    assert len(starts) <= 120 / RENEW_S + 1
    assert len(asked) <= 2 * len(starts)
    now = 1000.0
    asked.clear()
    watches.update([KEY], now)
    now += LEAVE_S
    for _ in range(5):
        watches.update([], now)
        now += LEAVE_S
    assert [seconds for _, seconds in asked] == [WATCH_S, 0]


def test_a_viewers_wishes_do_not_flood_the_broker(broker: Any, tmp_path: Path) -> None:
    """A page that asks for the live spectrum as fast as it can."""
    made = Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path)
    made.add_user("vera", PASSWORD, "view")
    with made, FakeNode(broker.port) as node:
        vera = Client(made.url).log_in("vera")
        until(lambda: json.loads(vera.ask("/api/me")[1])["line"]["connected"], "the broker")
        node.report()
        history = "/api/nodes/site-a/node-1/history"
        until(lambda: json.loads(vera.ask(history)[1])["recent"], "the node")
        headers = {"Cookie": vera.headers["cookie"], "Origin": made.url}
        address = made.url.replace("http", "ws") + "/live"

        async def ended(line: ClientConnection) -> None:
            async with asyncio.timeout(30):
                while True:
                    await line.recv()

        async def wish() -> None:
            """Send wishes, and read until the server ends the connection."""
            async with connect(address, additional_headers=headers) as line:
                with contextlib.suppress(ConnectionClosed):
                    for n in range(20_000):
                        await line.send(json.dumps({"watch": ["site-a", "node-1"], "spectrum": n % 2 == 0}))
                        if n % 100 == 0:
                            await asyncio.sleep(0.01)
                with pytest.raises(ConnectionClosed):
                    await ended(line)

        async def pages() -> list[str]:
            lines = [await connect(address, additional_headers=headers) for _ in range(PAGES)]
            with pytest.raises(InvalidStatus, match="403"):
                await connect(address, additional_headers=headers)
            return [str(await line.close()) for line in lines]

        asyncio.run(wish())
        asyncio.run(pages())
        assert len([name for name, _ in node.commands if name == "watch"]) <= 4


def test_a_users_changes_are_limited(broker: Any, tmp_path: Path) -> None:
    made = Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path)
    for name in ("ana", "rui"):
        made.add_user(name, PASSWORD, "operate")
    with made:
        ana, rui = (Client(made.url).log_in(name) for name in ("ana", "rui"))
        answers = {ana.ask("/api/alerts/x/acknowledge", {})[0] for _ in range(150)}
        assert answers == {404, 429}
        assert rui.ask("/api/alerts/x/acknowledge", {})[0] == 404


def test_a_user_does_not_open_pages_without_end(tmp_path: Path) -> None:
    """Each page that opens is sent the whole fleet."""
    made = Dashboard("mqtt://127.0.0.1:1", tmp_path)
    made.add_user("vera", PASSWORD, "view")
    made.add_user("ana", PASSWORD, "view")
    with made:
        clients = {name: Client(made.url).log_in(name) for name in ("vera", "ana")}

        async def opened(name: str, count: int) -> int:
            headers = {"cookie": clients[name].headers["cookie"], "origin": made.url}
            whole = 0
            for _ in range(count):
                try:
                    async with connect(made.url.replace("http", "ws") + "/live", additional_headers=headers) as line:
                        whole += json.loads(await line.recv())["t"] == "fleet"
                except (InvalidStatus, ConnectionClosed):
                    continue
            return whole

        assert OPENED <= asyncio.run(opened("vera", 200)) < 150
        assert asyncio.run(opened("ana", 3)) == 3, "another user's are not limited by it"


def test_pages_that_open_between_two_updates_are_sent_one_text_and_miss_nothing() -> None:
    fleet = Fleet()
    hub = Hub(fleet)
    pages = [Page(), Page(), Page()]
    hub.join(pages[0], 1.0)
    hub.join(pages[1], 1.1)
    node = fleet.node(("site-a", "n1"), 1.2)
    assert node is not None
    hub.changed(node)
    hub.flush(1.5, {})
    hub.join(pages[2], 1.6)
    first, second, third = ([page.queue.get_nowait() for _ in range(page.queue.qsize())] for page in pages)
    assert first == second
    assert first[0] is second[0]
    assert json.loads(first[1])["heads"][0]["node"] == "n1"
    assert json.loads(third[0])["nodes"][0]["node"] == "n1"


def test_one_users_reads_wait_for_each_other_and_not_for_those_of_others() -> None:
    from leakear.dashboard.pages.turns import AT_A_TIME, WAITING, Turns

    async def many() -> tuple[int, int, bool]:
        turns, end = Turns(), asyncio.Event()
        most, running, refused = 0, 0, 0

        async def read(user: str) -> None:
            nonlocal most, running, refused
            try:
                async with turns.of(user):
                    running += 1
                    most = max(most, running)
                    await end.wait()
                    running -= 1
            except InputDataError:
                refused += 1

        jobs = [asyncio.create_task(read("vera")) for _ in range(WAITING + 5)]
        await asyncio.sleep(0.05)
        async with turns.of("ana"):
            end.set()
        await asyncio.gather(*jobs)
        async with asyncio.timeout(5), turns.of("vera"):
            return most, refused, not end.is_set()

    assert asyncio.run(many()) == (AT_A_TIME, 5, False)


def clip(rate: int = 8000, frames: int = 8000) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(bytes(2 * frames))
    return out.getvalue()


PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x00\x00\x00\x02\x00" + b"\x08\x00\x00\x00\x00" * 4
BAD = [
    ("audio/flac", b""), ("audio/flac", b"fLaC"), ("audio/flac", b"fLaC" + bytes(60)), ("audio/flac", clip()),
    ("audio/wav", b"RIFF"), ("audio/wav", b"RIFF\xff\xff\xff\xffWAVE"), ("audio/wav", flac(8000, 1)),
    ("audio/wav", clip()[:30]), ("audio/wav", clip(rate=1)), ("audio/wav", clip(frames=0)),
    ("audio/wav", clip()[:24] + bytes(4) + clip()[28:]), ("audio/wav", clip()[:22] + bytes(2) + clip()[24:]),
    ("image/png", b"<svg/>"), ("image/png", PICTURE[:16] + b"\xff" * 8 + PICTURE[24:]),
    ("image/png", PICTURE[:16]),
]  # fmt: skip


@pytest.mark.parametrize(("media_type", "content"), BAD)
def test_a_damaged_clip_is_refused_at_arrival(media_type: str, content: bytes, tmp_path: Path) -> None:
    from leakear.dashboard.history.tables import open_database

    clips = Clips(open_database("sqlite://"), tmp_path / "clips", 1 << 24)
    with pytest.raises(InputDataError):
        clips.store("id", media_type, content)
    assert not (tmp_path / "clips").exists() or not list((tmp_path / "clips").iterdir())


def test_good_clips_are_kept(engine: Any, tmp_path: Path) -> None:
    clips = Clips(engine, tmp_path / "clips", 1 << 24)
    for media_type, content in (("audio/flac", flac(8000, 1)), ("audio/wav", sound()), ("image/png", PICTURE)):
        clips.store("id", media_type, content)
    assert clips.path("id", "audio") is not None


def test_one_bad_clip_or_link_does_not_stop_the_export(engine: Any, tmp_path: Path) -> None:
    """Clips that an older version has stored, and a link that somebody put into the folder."""
    history, secret = History(engine), tmp_path / "secret"
    alerts, clips = Alerts(engine, history), Clips(engine, tmp_path / "clips", 1 << 24)
    secret.write_bytes(clip())
    made = [event(n, at=NOW + n) for n in range(4)]
    history.record([event_row(e, NOW) for e in made])
    for e in made:
        alerts.judge(e.id, "ana", "leak", "", "")
        clips.store(e.id, "audio/wav", clip())
    (tmp_path / "clips" / f"{made[1].id}.wav").write_bytes(b"RIFF of nothing")
    linked = tmp_path / "clips" / f"{made[2].id}.wav"
    linked.unlink()
    linked.symlink_to(secret)
    with (tmp_path / "field.zip").open("wb") as out:
        assert write_zip(alerts, clips, out) == 2
    with zipfile.ZipFile(tmp_path / "field.zip") as archive:
        assert len(archive.namelist()) == 3
    clips.store(made[2].id, "audio/wav", clip(frames=100))
    assert secret.read_bytes() == clip(), "a new clip replaces the link, and not what it leads to"
    with pytest.raises(InputDataError):
        clips.read(secret.parent)


def test_the_archive_is_not_written_through_a_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from leakear.dashboard.cli import main
    from leakear.dashboard.history.tables import open_database

    url = f"sqlite:///{tmp_path}/x.sqlite"
    open_database(url).dispose()
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "field.zip").symlink_to(target)
    assert main(["export", str(tmp_path / "field.zip"), "--database", url]) == 78
    assert "symbolic link" in capsys.readouterr().err
    assert target.read_text() == "precious"


def test_a_damaged_clip_of_a_node_is_an_answer(broker: Any, tmp_path: Path) -> None:
    with Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as dashboard, FakeNode(broker.port) as node:
        dashboard.ready()
        node.answers = lambda name, request: answer_with_clip(name, request, b"fLaC" + bytes(60))
        made = node.turn("LEAK", evidence=True)
        dashboard.until("/api/alerts", lambda log: len(log["rows"]) == 1)
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{dashboard.url}/api/alerts/{made.id}/fetch", b"{}", headers)
        with pytest.raises(urllib.error.HTTPError, match="422"):
            urllib.request.urlopen(request)


def test_markup_of_a_node_is_plain_text_in_a_letter(broker: Any, tmp_path: Path) -> None:
    spite = '<a href="https://evil.example">Water runs</a> <b>now</b>'
    with (
        Postbox(free_port()).open() as box, FakeNode(broker.port) as node,
        watching(broker, tmp_path, letter_url(box.controller.port)),
    ):  # fmt: skip
        node.turn("LEAK", reason=spite)
        until(lambda: box.letters, "the letter")
    kinds = [part.get_content_type() for part in box.letters[0].walk()]
    assert "text/html" not in kinds
    assert spite in box.letters[0].get_body(("plain",)).get_content()  # type: ignore[attr-defined]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_huge_message_costs_no_memory_and_the_next_one_arrives(version: str, tmp_path: Path) -> None:
    """MQTT 5 keeps it away; under 3.1.1 it is read in small pieces, dropped, and acknowledged."""
    with Broker(extra=HUGE_PACKETS) as broker, FakeNode(broker.port) as node:
        options = ("--mqtt-version", version)
        with Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path, *options) as dashboard:
            dashboard.ready()
            assert dashboard.process is not None
            node.turn("WARNING")
            dashboard.until("/api/alerts?filter=all", lambda log: len(log["rows"]) == 1)
            most = before = resident(dashboard.process.pid)
            end = threading.Event()

            def look() -> None:
                nonlocal most
                while not end.wait(0.02):
                    most = max(most, resident(dashboard.process.pid))  # type: ignore[union-attr]

            looker = threading.Thread(target=look)
            looker.start()
            huge = b"x" * (60 << 20)
            for suffix, qos in (("event", 1), ("state", 1)):
                node.client.publish(node.who.topic(suffix), huge, qos).wait_for_publish(60)
            node.turn("LEAK", reason="Water runs.")
            dashboard.until("/api/alerts", lambda log: len(log["rows"]) == 1)
            end.set()
            looker.join()
            assert most - before < 20 << 20
        with Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path, *options) as again:
            again.ready()
            node.turn("LEAK", from_state="OK", reason="After the restart.")
            again.until("/api/alerts", lambda log: len(log["rows"]) == 2)

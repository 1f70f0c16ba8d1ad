"""Answers of nodes, and events that a node is asked for again: real broker, real dashboard."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.broker.answers import ANSWERS, NoAnswer, Waiting
from leakear.dashboard.broker.commander import Commander
from leakear.dashboard.broker.resend import AGAIN_S, SETTLE_S, TAIL_S, Resend
from leakear.dashboard.evidence.clips import Assembly
from leakear.dashboard.fleet import ONLINE, Fleet, Node
from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import CommandResult, Event, uuid7
from tests.dashboard.test_fleet import NOW, WHO, happening, report
from tests.support.broker import Broker
from tests.support.harness import Dashboard, FakeNode, done, until


def test_answers_are_subscribed_to_only_while_a_command_waits(tmp_path: Path) -> None:
    with (
        Broker(extra="log_type subscribe\nlog_type unsubscribe\n") as broker, FakeNode(broker.port) as node,
        Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as dashboard,
    ):  # fmt: skip
        dashboard.ready()
        assert "/result" not in broker.log
        node.answers = lambda _name, request: done(request, heard=True)
        answer = post(dashboard, "/api/nodes/site-a/node-1/commands/identify", {})
        assert answer["result"] == {"heard": True}
        assert "-answers 0 leakear/site-a/node-1/cmd/+/result" in broker.log
        until(lambda: "-answers leakear/site-a/node-1/cmd/+/result" in broker.log, "the end of the subscription")


def test_other_answers_and_unusable_ones_are_skipped(broker: Any, tmp_path: Path) -> None:
    """A node answers with rubbish, another id, infinity and half a surrogate pair, and then properly."""
    with FakeNode(broker.port) as node, Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as dashboard:
        dashboard.ready()

        def answers(name: str, request: dict[str, Any]) -> list[CommandResult]:
            topic, asked = node.who.topic(f"cmd/{name}/result"), request["id"].encode()
            head = b'{"schema":1,"ok":true,"error":null,"id":"'
            for payload in (
                b"", asked, head + b'other","result":{}}', head + asked + b'","result":{"x":1e999}}',
                head + asked + rb'","result":{"x":"\ud800"}}', head + asked + rb'","result":{"\u0000":1}}',
                head + asked + b'","result":' + b"[" * 5000, b"x" * 300_000 + asked,
            ):  # fmt: skip
                node.client.publish(topic, payload, 1)
            return done(request, n=7)

        node.answers = answers
        assert post(dashboard, "/api/nodes/site-a/node-1/commands/status", {})["result"] == {"n": 7}


def test_a_page_cannot_choose_the_id_of_a_request(broker: Any, tmp_path: Path) -> None:
    with FakeNode(broker.port) as node, Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as dashboard:
        dashboard.ready()
        node.answers = lambda _name, request: done(request, n=1)
        assert post(dashboard, "/api/nodes/site-a/node-1/commands/identify", {"id": "mine"})["ok"]
        assert node.commands[0][1]["id"] != "mine"


def test_a_node_that_answers_without_end_keeps_nobody_else_waiting() -> None:
    """Its answers are all there at once, each a part that is there already."""
    event_id, turns = uuid7(), 0
    assembly = Assembly(event_id)
    part = {"event_id": event_id, "media_type": "audio/flac", "part": 0, "parts": 2, "data": "AAAA"}

    class Flood:
        @asynccontextmanager
        async def waiting(self, key: Any, request: str) -> AsyncIterator[Waiting]:
            waits = Waiting(key, request, asyncio.get_running_loop())
            for _ in range(2 * ANSWERS):
                waits.offer(CommandResult(id=request, ok=True, error=None, result=part).to_json())
            assert len(waits.payloads) == ANSWERS
            yield waits

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def fetch() -> None:
        waiting = asyncio.create_task(others())
        commander = Commander(lambda *_: True, Flood())  # type: ignore[arg-type]
        with pytest.raises(NoAnswer, match="not all that was asked for"):
            await commander.ask_all(("s", "n"), "clip", {}, lambda answer: assembly.add(answer.result))
        waiting.cancel()

    asyncio.run(fetch())
    assert turns >= ANSWERS


def test_a_part_that_is_no_base64_is_refused() -> None:
    event_id = uuid7()
    part = {"event_id": event_id, "media_type": "audio/flac", "part": 0, "parts": 2}
    for data in ("é", "A", {}):
        with pytest.raises(InputDataError, match="not base64"):
            Assembly(event_id).add({**part, "data": data})


def post(dashboard: Dashboard, path: str, body: Any) -> Any:
    import json
    import urllib.request

    headers = {"content-type": "application/json"}
    request = urllib.request.Request(dashboard.url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


class Keeping(FakeNode):
    """A node that keeps its events and sends them again when it is asked."""

    def __init__(self, port: int, node: str) -> None:
        self.kept: dict[int, Event] = {}
        super().__init__(port, node)
        self.answers = self._again

    def lose(self, state: str, **changes: Any) -> Event:
        """Record an event that the broker loses."""
        event = self.turn(state, publish=False, **changes)
        self.kept[event.seq] = event
        return event

    def _again(self, name: str, request: dict[str, Any]) -> list[CommandResult]:
        if name != "resend":
            return done(request)
        wanted = range(request["from_seq"], request["to_seq"] + 1)
        found = [self.kept[n] for n in wanted if n in self.kept]
        for event in found * 2:  # twice: it is stored once
            self.client.publish(self.who.topic("event"), replace(event, resent=True).to_json(), 1)
        return done(request, count=len(found))


def test_a_lost_alert_is_asked_for_again(broker: Any, tmp_path: Path) -> None:
    """One inside a gap, and one after which nothing else happened: only the node's report knows it."""
    with (
        Keeping(broker.port, "gap") as gap, Keeping(broker.port, "tail") as tail,
        Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as dashboard,
    ):  # fmt: skip
        dashboard.ready()
        for node in (gap, tail):
            node.online()
            node.report()
            node.turn("WARNING")
        lost = [gap.lose("LEAK", reason="lost in a gap"), tail.lose("LEAK", reason="lost at the end")]
        gap.turn("OK")
        end = threading.Event()

        def speak() -> None:
            while not end.wait(1):
                gap.report()
                tail.report()

        speaker = threading.Thread(target=speak)
        speaker.start()
        try:
            dashboard.until(
                "/api/alerts", lambda log: {row["id"] for row in log["rows"]} == {each.id for each in lost}, 90
            )
        finally:
            end.set()
            speaker.join()
        asked = [(r["from_seq"], r["to_seq"]) for n, r in gap.commands + tail.commands if n == "resend"]
        assert asked == [(2, 2), (2, 2)]
        assert len(dashboard.get("/api/alerts?filter=all")["rows"]) == 5


def node_with(last: int, *gaps: tuple[int, int]) -> Node:
    fleet = Fleet()
    node = fleet.take(WHO, report(seq=last), NOW)
    assert node is not None
    node.sequence.last, node.sequence.gaps = last, list(gaps)
    return node


def asking() -> Resend:
    return Resend(Fleet(), None, lambda _: None)  # type: ignore[arg-type]


def test_the_same_events_are_asked_for_after_two_minutes_then_ever_later_up_to_an_hour() -> None:
    resend, node = asking(), node_with(20, (3, 4), (9, 9))
    assert resend.due(node, NOW) is None, "a late event may still come"
    later = NOW + SETTLE_S
    assert [resend.due(node, later) for _ in range(3)] == [(9, 9), (3, 4), None]
    node.sequence.gaps = [(4, 4), (9, 9)]
    assert resend.due(node, later + 60) is None, "a part of what was asked for"
    waits = [AGAIN_S[0] * 2**n for n in range(5)] + [AGAIN_S[1]] * 3
    for wait_s in waits:
        assert resend.due(node, later + wait_s - 1) is None
        later += wait_s
        assert [resend.due(node, later) for _ in range(3)] == [(9, 9), (4, 4), None]
    node.sequence.gaps = [(30, 30)]
    resend.due(node, later)
    assert resend.due(node, later + SETTLE_S) == (30, 30)
    assert resend.due(node, later + SETTLE_S + AGAIN_S[0]) == (30, 30), "another gap begins anew"


def test_the_rest_of_a_long_gap_is_asked_for_after_the_answer() -> None:
    """The node sends some at a time and names the first one that it left out."""
    resend, node = asking(), node_with(500, (3, 400))
    resend.due(node, NOW)
    later = NOW + SETTLE_S
    assert resend.due(node, later) == (3, 400)
    resend.answered(node.key, (3, 400), 103)
    node.sequence.gaps = [(50, 400)]
    resend.due(node, later)
    assert resend.due(node, later + SETTLE_S) == (103, 400)
    for wrong in (None, "103", 103, 401, 2, True):
        resend.answered(node.key, (103, 400), wrong)
    assert resend.due(node, later + 100) is None


def test_a_silent_node_is_not_asked() -> None:
    resend, node = asking(), node_with(20, (3, 4))
    resend.due(node, NOW)
    node.presence = "stale"
    assert resend.due(node, NOW + 100) is None


def test_a_huge_gap_is_asked_for_in_part() -> None:
    resend, node = asking(), node_with(2**53 - 1, (3, 2**53 - 2))
    resend.due(node, NOW)
    asked = resend.due(node, NOW + 100)
    assert asked == (2**53 - 2 - 999, 2**53 - 2)


def test_events_that_wait_at_the_node_are_not_missing() -> None:
    resend, node = asking(), node_with(5)
    node.report = report(seq=7, queue_depth=2)
    for n in range(10):
        assert resend.due(node, NOW + n * TAIL_S) is None
    assert node.sequence.missing == 0
    node.report = report(seq=7)
    for n in range(4):
        resend.due(node, NOW + 1000 + n * TAIL_S / 2)
    assert node.sequence.gaps == [(6, 7)]


def test_an_event_sent_again_does_not_set_the_state() -> None:
    from dataclasses import replace

    fleet = Fleet()
    fleet.take(WHO, report(seq=4), NOW)
    fleet.take(WHO, replace(happening(8, "LEAK"), clock_synced=True), NOW)
    node = fleet.take(WHO, replace(happening(7, "OK"), clock_synced=True), NOW + 1)
    assert node is not None
    assert node.state == "LEAK"


def test_nodes_with_many_gaps_leave_others_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = [NOW], list[str]()

    class Silent:
        async def ask(self, key: tuple[str, str], *_: object) -> object:
            asked.append(key[1])
            raise NoAnswer("it does not answer")

    fleet = Fleet()
    for n in range(30):
        node = fleet.node(("site-a", f"n{n}"), NOW)
        assert node is not None
        node.presence = ONLINE
        for seq in range(1, 100 if n < 29 else 4, 2):
            node.sequence.see(seq)
    resend = Resend(fleet, Silent(), lambda _: None)  # type: ignore[arg-type]
    monkeypatch.setattr("leakear.dashboard.broker.resend.time.time", lambda: now[0])
    for _ in range(3):
        asyncio.run(resend.ask())
        now[0] += 20
    assert len(asked) == 40
    assert "n29" in asked

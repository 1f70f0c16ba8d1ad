"""cmd/resend: events that a broker acknowledged and lost are sent again, marked, slowly, and no more than is kept."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.messages.reports import Event
from leakear.edge.messages.requests import ResendRequest
from leakear.edge.mqtt.dispatcher import CommandRefused
from leakear.edge.mqtt.link import Link
from leakear.edge.outbox.queue import Outbox, OutboxOptions
from leakear.edge.remote.resend import MOST, PER_SECOND, WAITING, Resender
from tests.support.broker import Broker, Subscriber
from tests.support.factory import event
from tests.support.links import NODE, options, pump
from tests.support.living_node import Asker, living_node

EVENTS = "leakear/site/n1/event"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db", OutboxOptions(settle_s=0, retry_s=0.05, keep_events=5000)) as made:
        yield made


def acknowledged(box: Outbox, count: int) -> list[Event]:
    sent = [box.put(event()) for _ in range(count)]
    box.ack(*(one.seq for one in sent))
    return sent


def request(first: int, last: int) -> ResendRequest:
    return ResendRequest(id="a", from_seq=first, to_seq=last)


def test_what_was_acknowledged_goes_out_again_marked_and_otherwise_the_same(broker: Broker, box: Outbox) -> None:
    link = Link(options(broker), NODE, box)
    resender = Resender(box, link)
    sent = acknowledged(box, 5)
    link.start()
    assert link.drain(20)
    with Subscriber(broker, "leakear/#") as seen:
        found = resender.handle(request(2, 4))
        assert (found.events, found.next_seq) == (3, None)
        now = [1000.0]

        def later() -> bool:
            now[0] += 1
            resender.tick(now[0])
            return len(seen.on(EVENTS)) >= 3

        pump(link, later)
        again = [Event.from_json(m.payload) for m in seen.on(EVENTS)]
        assert again == [replace(one, resent=True) for one in sent[1:4]]
        assert all(m.qos == 1 and not m.retain for m in seen.on(EVENTS))
        assert box.depth == 0  # asking changes nothing
    link.stop()


def test_it_is_slow_and_bounded(broker: Broker, box: Outbox) -> None:
    link = Link(options(broker), NODE, box)
    resender = Resender(box, link)
    acknowledged(box, MOST + 30)
    found = resender.handle(request(1, 10_000))
    assert (found.events, found.next_seq) == (MOST, MOST + 1)
    assert (resender.handle(request(1, MOST)).events, len(resender._waiting)) == (MOST, MOST)  # none twice in line
    resender.tick(1000)  # without a broker they wait
    assert len(resender._waiting) == MOST
    link.start()
    assert link.drain(20)
    with Subscriber(broker, EVENTS) as seen:
        resender.tick(1000 + 60)
        resender.tick(1000 + 60.01)
        pump(link, lambda: len(seen.messages) == PER_SECOND)
        assert len(resender._waiting) == MOST - PER_SECOND
    link.stop()


def test_too_many_in_line_are_refused(box: Outbox, broker: Broker) -> None:
    acknowledged(box, WAITING + 1)
    resender = Resender(box, Link(options(broker), NODE, box))
    for start in range(1, WAITING, MOST):
        resender.handle(request(start, start + MOST - 1))
    with pytest.raises(CommandRefused, match="ask later"):
        resender.handle(request(1001, 1001))
    with pytest.raises(CommandRefused, match="less than"):
        resender.handle(request(5, 4))


def test_only_the_newest_are_kept_over_restarts_and_for_an_older_version_they_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, OutboxOptions(settle_s=0, keep_events=3)) as box:
        acknowledged(box, 10)
        assert [row.seq for row in box.kept(1, 99, 99)] == [8, 9, 10]
    with Outbox(path, OutboxOptions(settle_s=0, keep_events=3)) as box:
        assert [row.seq for row in box.kept(9, 99, 99)] == [9, 10]
        assert box.pending(99) == []
        assert (box.depth, box.bytes) == (0, 0)
        box.put(event())
        assert [row.seq for row in box.pending(99)] == [11]


def test_what_settles_yet_can_be_asked_for_too(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db", OutboxOptions(settle_s=100)) as box:
        acknowledged(box, 2)
        assert [row.seq for row in box.kept(1, 9, 9)] == [1, 2]


def test_what_was_delivered_gives_way_to_what_waits(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db", OutboxOptions(settle_s=0, max_bytes=8192)) as box:
        acknowledged(box, 5)
        assert len(box.kept(1, 99, 99)) == 5
        for _ in range(30):
            box.put(event())
        assert box.kept(1, 99, 99) == []


def test_a_node_answers_over_mqtt_and_an_event_lost_by_the_broker_is_found_again(
    broker: Broker, tmp_path: Path
) -> None:
    with living_node(broker, tmp_path, outbox={"settle_s": 0}) as life:
        life.hear(2)
        for _ in range(4):
            life.node.reporter.announce("fault", "something")
        life.pump_until(lambda: not life.node.outbox.depth, "acknowledgement")
        with Asker(broker, life) as asker:  # comes too late: it has missed the events
            last = life.node.outbox.last_seq
            answer = asker.ask("resend", from_seq=1, to_seq=last)
            assert answer.result == {"events": last, "next_seq": None}
            life.hear(3)
            topic = "leakear/hill/pit-7/event"
            life.pump_until(lambda: len(asker.seen.on(topic)) >= last, "events")
            found: list[dict[str, Any]] = [json.loads(m.payload) for m in asker.seen.on(topic)]
            assert [(one["seq"], one["resent"]) for one in found][:last] == [(n, True) for n in range(1, last + 1)]
            assert not asker.ask("resend", from_seq=3, to_seq=1).ok
            assert not asker.ask("resend", from_seq=0, to_seq=1).ok

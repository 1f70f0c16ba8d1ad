"""A node that was renamed is asked for what is missing of its former name, under the name that it has now."""

import asyncio
import time
from typing import Any

import pytest

from leakear.dashboard.broker.answers import NoAnswer
from leakear.dashboard.broker.resend import Resend
from leakear.dashboard.fleet import ONLINE, Fleet
from leakear.dashboard.fleet.node import OFFLINE
from leakear.dashboard.history import History, event_row
from leakear.edge.compose import _announce_name
from tests.dashboard.test_history import event

OLD, NEW = ("site-a", "pit-7"), ("site-b", "pit-8")


def reason(former: str) -> str:
    """The sentence of a real node."""
    said: list[str] = []

    class Reporter:
        def announce(self, _kind: str, text: str) -> None:
            said.append(text)

    _announce_name(Reporter(), former)  # type: ignore[arg-type]
    return said[0]


def renamed(history: History, seq: int, before: tuple[str, str], after: tuple[str, str], at: float) -> None:
    told = event(seq, "OK", at, site=after[0], node=after[1], kind="fault", reason=reason("/".join(before)))
    history.record([event_row(told, at)])


class Asked:
    """Notes who is asked, and does not answer."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, str]] = []

    async def ask(self, key: tuple[str, str], *_: object) -> object:
        self.keys.append(key)
        raise NoAnswer("it does not answer")


def fleet(**presence: str) -> Fleet:
    made = Fleet()
    for key in (OLD, NEW):
        node = made.node(key, time.time())
        assert node is not None
        node.presence = presence.get(key[1].replace("-", "_"), ONLINE)
    old = made.get(OLD)
    assert old is not None
    for seq in (1, 5):
        old.sequence.see(seq)
    return made


def ask(history: History, nodes: Fleet, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    now, asked = [time.time()], Asked()
    resend = Resend(nodes, asked, lambda _: None, history)  # type: ignore[arg-type]
    monkeypatch.setattr("leakear.dashboard.broker.resend.time.time", lambda: now[0])
    for _ in range(2):
        asyncio.run(resend.ask())
        now[0] += 20
    return asked.keys


def test_the_present_name_is_asked_for_events_of_the_former_one(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    history, nodes = History(engine), fleet(pit_7=OFFLINE)
    assert ask(history, nodes, monkeypatch) == [], "nobody knows yet that it is there under another name"
    renamed(history, 6, OLD, NEW, time.time())
    assert ask(history, nodes, monkeypatch) == [NEW]


def test_a_node_that_has_its_former_name_again_is_asked_under_it(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    history, nodes = History(engine), fleet(pit_8=OFFLINE)
    renamed(history, 6, OLD, NEW, time.time() - 60)
    renamed(history, 7, NEW, OLD, time.time())
    assert history.present_names() == {NEW: OLD}
    assert ask(history, nodes, monkeypatch) == [OLD]


def test_a_number_that_came_under_another_name_is_not_missing(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node was old, then new, and is old again: 2 and 3 went out while it was new, 4 is lost."""
    history, nodes = History(engine), fleet(pit_8=OFFLINE)
    renamed(history, 2, OLD, NEW, time.time() - 60)
    history.record([event_row(event(3, at=time.time(), site=NEW[0], node=NEW[1]), time.time())])
    renamed(history, 5, NEW, OLD, time.time())
    history.record([event_row(event(4, at=time.time(), site="other", node="node"), time.time())])
    assert ask(history, nodes, monkeypatch) == [OLD]
    old = nodes.get(OLD)
    assert old is not None
    assert old.sequence.gaps == [(4, 4)]


def test_names_follow_each_other_and_what_is_no_such_sentence_counts_nothing(engine: Any) -> None:
    history, now = History(engine), time.time()
    third = ("site-b", "pit-9")
    renamed(history, 6, OLD, NEW, now - 60)
    renamed(history, 7, NEW, third, now)
    odd = event(8, "OK", now, site="x", node="y", kind="fault", reason="This node was here until now: a/b")
    state = event(9, "OK", now, site="x", node="z", reason=reason("site-a/pit-1"))
    history.record([event_row(odd, now), event_row(state, now)])
    assert history.present_names() == {OLD: third, NEW: third}

"""Invented nodes displace neither known ones nor leaks, and their alerts bury nobody's."""

import json
import time
from pathlib import Path
from typing import Any

from leakear.dashboard.alerting.notifications import Notifications
from leakear.dashboard.alerting.wording import LINES, PER_NODE, wording_of_many
from leakear.dashboard.fleet import Fleet
from leakear.dashboard.fleet.admission import NEW_S
from leakear.dashboard.fleet.silent_nodes import NEW_LOST, SilentNodes
from leakear.dashboard.history import History, event_row
from leakear.edge.messages.reports import Availability, Identity
from tests.dashboard.test_fleet import NOW, happening, report
from tests.dashboard.test_history import event
from tests.dashboard.test_notify import Hook, Postbox, letter_url, watching
from tests.support.broker import Broker, free_port
from tests.support.harness import Dashboard, FakeNode, until

KNOWN = 5


def fleet_with_known(limit: int = 100, new_limit: int = 10) -> Fleet:
    fleet = Fleet(limit=limit, new_limit=new_limit)
    for n in range(KNOWN):
        fleet.add((f"site-{n}", "node"), NOW - 2 * NEW_S).last_seen = NOW
    return fleet


def invent(fleet: Fleet, count: int, now: float = NOW, state: str = "OK", name: str = "evil") -> None:
    for n in range(count):
        who = Identity(name, f"n{n}")
        fleet.take(who, report(now, site=who.site, node=who.node, state=state), now)


def names(fleet: Fleet) -> set[str]:
    return {node.site for node in fleet}


def test_invented_nodes_fill_only_the_limit_of_new_ones() -> None:
    fleet = fleet_with_known()
    invent(fleet, 5200)
    assert len(fleet) == KNOWN + 10
    assert len([node for node in fleet if node.site != "evil"]) == KNOWN
    assert fleet.refused == 5190


def test_a_new_node_in_leak_always_gets_in() -> None:
    fleet = fleet_with_known()
    invent(fleet, 5200)
    leak = fleet.take(Identity("real", "pit"), happening(1, "LEAK"), NOW)
    assert leak is not None
    invent(fleet, 5200, state="LEAK", name="liar")
    assert fleet.get(("real", "pit")) is leak
    assert len([node for node in fleet if node.site.startswith("site-")]) == KNOWN
    assert len(fleet) <= 110
    assert {node.site for node in fleet.displaced} == {"evil"}


def test_a_silent_new_node_gives_way_to_another() -> None:
    fleet = fleet_with_known()
    invent(fleet, 10)
    later = NOW + fleet.stale_after + 1
    assert fleet.take(Identity("real", "pit"), report(later), later) is not None
    assert len(fleet.displaced) == 1


def test_a_node_heard_over_a_day_is_known() -> None:
    fleet = fleet_with_known()
    invent(fleet, 10)
    who = Identity("evil", "n0")
    fleet.take(who, Availability.ONLINE, NOW + NEW_S)
    assert not fleet.admission.is_new(("evil", "n0"))
    assert fleet.admission.is_new(("evil", "n1"))


def test_a_first_fleet_is_shown_whole() -> None:
    """While no node is known, all may be new: an installation's first day."""
    fleet = Fleet(limit=100, new_limit=10)
    invent(fleet, 200)
    assert len(fleet) == 100


def test_known_nodes_come_back_first_after_a_restart(engine: Any) -> None:
    history, fleet = History(engine), Fleet(limit=100, new_limit=10)
    invent(fleet, 100, NOW)
    known = fleet.add(("real", "pit"), NOW - 2 * NEW_S)
    known.last_seen = NOW - 100
    history.save_nodes(fleet, NOW)
    again = Fleet(limit=100, new_limit=10)
    history.restore(again)
    assert len(again) == 11
    assert again.get(("real", "pit")) is not None
    history.sweep(NOW + 8 * 86400, 1e9)
    third = Fleet(limit=100, new_limit=10)
    history.restore(third)
    assert names(third) == {"real"}, "who was heard for less than a day is forgotten after a week"


def test_losses_of_new_nodes_are_limited() -> None:
    silent, fleet = SilentNodes(0.0, ()), fleet_with_known(1000, 1000)
    invent(fleet, 300)
    for node in fleet:
        node.presence = "offline"
    lost = [node for node in fleet if silent.check(node, NOW, new=fleet.admission.is_new(node.key))]
    assert len(lost) == NEW_LOST + KNOWN
    assert {node.site for node in lost} > {f"site-{n}" for n in range(KNOWN)}


def test_a_flood_of_topics_leaves_the_real_leak_in_the_fleet(tmp_path: Path) -> None:
    with Broker() as broker, FakeNode(broker.port, "pit", "real") as node:
        options = ("--max-nodes", "300", "--max-new-nodes", "50")
        with Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path, *options) as dashboard:
            dashboard.ready()
            for n in range(600):
                node.client.publish(f"leakear/evil/n{n}/availability", b"online", 0)
            until(lambda: dashboard.get("/api/me")["line"]["refused"] > 200, "a full fleet")
            node.turn("LEAK", reason="Water runs.")
            node.report()
            history = "/api/nodes/real/pit/history"
            dashboard.until(history, lambda found: (found["recent"] or {}).get("score"))
            alerts = dashboard.until("/api/alerts", lambda found: found["rows"])  # shown before it is stored
            assert [row["node"] for row in alerts] == ["pit"]


def test_many_alerts_are_few_messages_and_the_known_node_comes_first(broker: Any, tmp_path: Path) -> None:
    """Three hundred alerts of invented nodes around a real one."""
    with Hook().open() as hook, Postbox(free_port()).open() as box:
        with watching(broker, tmp_path, hook.url, letter_url(box.controller.port), language="en") as dashboard:
            dashboard.stop()
            with FakeNode(broker.port, "pit", "real") as node:
                for n in range(300):
                    who = Identity("evil", f"n{n}")
                    fake = event(1, site=who.site, node=who.node, reason="fake", at=time.time())
                    node.client.publish(who.topic("event"), fake.to_json(), 1)
                node.turn("LEAK", reason="Water runs.")
                with_known_node(dashboard, ("real", "pit"))
                dashboard.start().ready()
                told = until(lambda: [n for n in hook.got if "real / pit" in n["message"]], "the real alert")
                until(lambda: [m for m in box.letters if "real / pit" in str(m)], "the letter")
                dashboard.until("/api/alerts?filter=all", lambda log: len(log["rows"]) == 100)
        assert len(hook.got) <= 25
        assert "real / pit" in told[0]["message"].splitlines()[0] or told[0]["title"].endswith("real / pit")


def with_known_node(dashboard: Dashboard, key: tuple[str, str]) -> None:
    """As if the node had been heard for days."""
    from leakear.dashboard.history.tables import open_database

    engine, fleet = open_database(dashboard.database), Fleet()
    fleet.add(key, time.time() - 3 * NEW_S).last_seen = time.time()
    History(engine).save_nodes(fleet, time.time())
    engine.dispose()


def test_one_nodes_alerts_take_few_lines_of_a_message() -> None:
    flood = [event_row(event(n, node="evil", reason=f"fake {n}"), NOW + n) | {"known": True} for n in range(300)]
    real = event_row(event(1, node="pit", reason="Water runs."), NOW + 400) | {"known": True}
    title, body = wording_of_many([*flood, real], "https://leaks.example", "en")
    assert title.startswith("leakear: 301 alerts: Leak: site-a / evil")
    lines = body.splitlines()
    assert sum("evil" in line for line in lines) == PER_NODE
    assert "Leak: site-a / pit: Water runs." in lines
    assert lines[-2:] == ["297 more alerts: see the list of alerts.", "https://leaks.example/alerts"]
    many = [event_row(event(n, node=f"n{n}"), NOW) | {"known": False} for n in range(300)]
    assert "site-a / pit" in wording_of_many([*many, real], None, "en")[1].splitlines()[0], "known nodes first"
    assert len(wording_of_many(many, None, "en")[1].splitlines()) == LINES + 1


def test_next_says_which_nodes_are_known(engine: Any) -> None:
    history, fleet = History(engine), Fleet()
    fleet.add(("site-a", "node-1"), NOW - 2 * NEW_S).last_seen = NOW
    history.save_nodes(fleet, NOW)
    rows = [event_row(event(1), NOW), event_row(event(2, node="new"), NOW)]
    history.record(rows, lambda _: ["address"])
    found = Notifications(engine).next("address")
    assert {row["node"]: row["known"] for row in found} == {"node-1": True, "new": False}
    assert json.dumps(found)

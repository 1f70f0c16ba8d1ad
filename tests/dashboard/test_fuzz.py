"""Ten thousand damaged messages against the real dashboard, on SQLite and PostgreSQL: nothing good is lost.

Run by `make fuzz-dashboard`, which prints the figures.
"""

import json
import random
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from leakear.dashboard.broker.subscriber import LARGEST
from leakear.dashboard.history.tables import events, set_aside
from leakear.edge.fields import MAX_INTEGER
from leakear.edge.messages.reports import Event, MessageError, Spectrum, utc_now, uuid7
from tests.support.harness import Dashboard, FakeNode, done, resident, until

pytestmark = pytest.mark.slow
COUNT = 10_000
NODES = 20
"""that send them: of one node alone, the dashboard takes 100 events a second"""
SEED = 20261129
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 0.5, -0.0, 2**31, -(2**31), 2**53, MAX_INTEGER, -MAX_INTEGER, 2**63, 10**400, "1e999",
    "-1e999", "NaN", "", "\x00", "\ud800", "\udfff\ud800", "a" * 65, "a" * 501, "a" * 70_000, "é" * 500,
    "\U0001f6b0" * 500, "' OR 1=1 --",
    "<script>", "../../etc", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z", "2026-02-30T00:00:00.000Z",
    "LEAK", [], {}, [None], [[]] * 70, ["x"] * 64, ["\ud800"], {"id": "m"}, {"": {"": {}}}, 1e308, -1e308, 5e-324,
]  # fmt: skip


def telemetry() -> dict[str, Any]:
    """A good one, as a node sends it."""
    node = FakeNode.__new__(FakeNode)
    sent: list[bytes] = []
    node.raw = lambda _suffix, payload, **_: sent.append(payload)  # type: ignore[method-assign]
    node.telemetry()
    return json.loads(sent[0])  # type: ignore[no-any-return]


def good(node: FakeNode, dice: random.Random) -> tuple[str, dict[str, Any]]:
    kind = dice.choice(["event", "event", "state", "telemetry", "spectrum", "cmd/status/result"])
    if kind == "event":
        state = dice.choice(["LEAK", "OK", "WARNING"])
        return kind, json.loads(node.turn(state, publish=False, id=uuid7()).to_json())
    if kind == "state":
        return kind, json.loads(node.make_state(0.5, -50.0).to_json())
    if kind == "telemetry":
        return kind, telemetry()
    if kind == "spectrum":
        return kind, json.loads(Spectrum(time=utc_now(), low_hz=0, high_hz=9, db=(-60.0,) * 64).to_json())
    return kind, json.loads(done({"id": "x"}, a=1)[0].to_json())


def damaged(data: dict[str, Any], dice: random.Random) -> bytes:
    """Change some values, then perhaps some bytes."""
    for _ in range(dice.choice([0, 1, 1, 1, 2, 3])):
        key = dice.choice([*data, "unknown", "\ud800", ""])
        if dice.random() < 0.2:
            data.pop(key, None)
        else:
            data[key] = dice.choice(VALUES)
    text = json.dumps(data, ensure_ascii=dice.random() < 0.7)
    for word in ("1e999", "-1e999", "NaN"):
        text = text.replace(f'"{word}"', word)
    payload = bytearray(text.encode("utf-8", "surrogatepass"))
    if dice.random() < 0.25:
        for _ in range(dice.randint(1, 4)):
            payload[dice.randrange(len(payload))] = dice.randrange(256)
    if dice.random() < 0.05:
        payload = payload[: dice.randrange(len(payload))]
    return bytes(payload)


def test_damaged_messages_lose_no_good_one(broker: Any, database: str, tmp_path: Path) -> None:
    dice, wanted = random.Random(SEED), set[str]()
    dashboard = Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path, database=database)
    with ExitStack() as ends, dashboard:
        nodes = [ends.enter_context(FakeNode(broker.port, f"node-{n}")) for n in range(NODES)]
        dashboard.ready()
        assert dashboard.process is not None
        pid = dashboard.process.pid
        until(lambda: dashboard.get("/api/me")["line"]["connected"], "the broker")
        before = resident(pid)
        for n in range(COUNT):
            node = dice.choice(nodes)
            kind, data = good(node, dice)
            payload = damaged(data, dice)
            topic = node.who.topic(kind if dice.random() < 0.97 else kind + dice.choice(["/x", " ", "é", "/" * 150]))
            sent = node.client.publish(topic, payload, dice.choice([0, 1]) if kind != "event" else 1)
            if topic.endswith("/event"):
                wanted |= parsed(payload, node)
            if n % 200 == 0:
                sent.wait_for_publish(30)
        last = nodes[0].turn("LEAK", reason="after all")
        engine = create_engine(database)

        def stored() -> set[str]:
            with engine.connect() as connection:
                return set(connection.scalars(select(events.c.id).where(events.c.seq.is_not(None))))

        with suppress(AssertionError):  # each node has a connection of its own: the last leak may overtake others
            until(lambda: wanted | {last.id} <= stored(), "every good event", 120)
        found = stored()
        with engine.connect() as connection:
            refused = connection.scalar(select(func.count(set_aside.c.id)))
        line = dashboard.get("/api/me")["line"]
        figures = {
            "database": engine.dialect.name, "messages": COUNT, "good_events": len(wanted), "stored": len(found) - 1,
            "lost": len(wanted - found), "unreadable": line["unread"], "set_aside": refused,
            "dashboard_mib": [before >> 20, resident(pid) >> 20],
        }  # fmt: skip
        print(f"\n{json.dumps(figures)}")
        engine.dispose()
    assert wanted <= found
    assert found - wanted == {last.id}
    assert refused == 0
    assert "Traceback" not in (tmp_path / "dashboard.log").read_text()


def parsed(payload: bytes, node: FakeNode) -> set[str]:
    """Id of an event that can be read and is not larger than a node's event can be."""
    if len(payload) > LARGEST:
        return set()
    try:
        event = Event.from_json(payload)
    except MessageError:
        return set()
    return {event.id} if (event.site, event.node) == (node.who.site, node.who.node) else set()

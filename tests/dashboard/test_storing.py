"""What a node may send by the contract can be stored, and a row that cannot be stored stops no other."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from leakear.dashboard.history import History, event_row, ingest
from leakear.dashboard.history.tables import events, nodes, open_database, set_aside
from leakear.edge.fields import MAX_INTEGER, declared
from leakear.edge.messages.reports import EVENT_KINDS, STATES, Event, MessageError, ModelRef
from tests.dashboard.test_history import NOW, event
from tests.support.harness import Dashboard, FakeNode, until

WIDE = "\U0001f6b0"
"""a character of four bytes"""


def extremes() -> list[dict[str, Any]]:
    """Changes that bring each field of an event to what the contract allows at most and at least."""
    found: list[dict[str, Any]] = []
    for field in declared(Event):
        rule = field.rule
        if field.kind is int:
            found += [{field.attribute: MAX_INTEGER}, {field.attribute: int(rule.minimum or 0)}]
        elif rule.minimum is not None and rule.maximum is not None:
            found += [{field.attribute: rule.minimum}, {field.attribute: rule.maximum}]
        elif field.attribute in ("site", "node"):
            found.append({field.attribute: "n" * 64})
    found += [{"from_state": state, "to_state": state} for state in STATES] + [{"kind": kind} for kind in EVENT_KINDS]
    found += [{"reason": WIDE * 500}, {"faults": (WIDE * 64,) * 64}]
    found.append({"model": ModelRef(id=WIDE * 128, sha256="f" * 64)})
    moments = ("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z")
    return found + [{"window_start": moments[0], "window_end": moments[n], "clock_synced": bool(n)} for n in (0, 1)]


def test_every_field_at_its_limits_is_stored(engine: Any) -> None:
    history = History(engine)
    for changes in extremes():
        made = replace(event(1), **changes)
        assert Event.from_json(made.to_json()) == made, changes
        assert len(history.record([event_row(made, NOW)])) == 1, changes
    assert history.refused == 0


def test_a_refused_row_is_set_aside_and_the_others_are_stored(engine: Any) -> None:
    history = History(engine)
    rows = [event_row(event(n), NOW) for n in range(1, 6)]
    rows[1]["reason"] = None
    rows[3]["reason"] = "half \ud800 of a pair"
    assert [row["seq"] for row in history.record(rows, lambda _: ["address"])] == [1, 3, 5]
    assert history.refused == 2
    with engine.connect() as connection:
        kept = connection.execute(select(set_aside)).all()
    assert [json.loads(row.row)["seq"] for row in kept] == [2, 4]
    assert all(row.reason for row in kept)


def test_only_the_newest_refused_rows_are_kept(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "KEPT_ASIDE", 3)
    history = History(engine)
    for n in range(6):
        history.record([event_row(event(n), NOW) | {"reason": None}])
    with engine.connect() as connection:
        kept = connection.scalars(select(set_aside.c.row).order_by(set_aside.c.id)).all()
    assert [json.loads(row)["seq"] for row in kept] == [3, 4, 5]


def test_columns_of_an_older_postgresql_database_are_widened(postgres: Any) -> None:
    url = postgres.new_database()
    old = open_database(url)
    with old.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE events ALTER COLUMN dropped TYPE INTEGER")
        connection.execute(insert(nodes).values(site="a", node="b", first_seen=NOW))
    old.dispose()
    engine = open_database(url)
    assert len(History(engine).record([event_row(event(1, kind="dropped", dropped=2**31), NOW)])) == 1
    engine.dispose()


@pytest.mark.parametrize("value", ["1e999", "-1e999", "1e400"])
@pytest.mark.parametrize("key", ["score", "level_dbfs", "on_fraction", "seq", "dropped"])
def test_infinite_numbers_are_refused(key: str, value: str) -> None:
    payload = json.loads(event(1).to_json()) | {key: "VALUE"}
    with pytest.raises(MessageError, match=key):
        Event.from_json(json.dumps(payload).replace('"VALUE"', value))


@pytest.mark.parametrize("text", ["\x00", "\ud800", "a\udfffb"])
def test_unusable_characters_are_refused_in_every_text(text: str) -> None:
    whole = json.loads(event(1).to_json())
    for key, value in whole.items():
        if isinstance(value, str):
            with pytest.raises(MessageError):
                Event.from_json(json.dumps(whole | {key: text}))


def test_an_event_at_the_limits_does_not_stop_the_log(broker: Any, database: str, tmp_path: Path) -> None:
    """`dropped` = 2^31 and seq = 2^53 - 1 of one node; then another node's LEAK, and a restart."""
    address = f"mqtt://127.0.0.1:{broker.port}"
    dashboard = Dashboard(address, tmp_path, database=database)

    def reasons() -> list[str]:
        return [row["reason"] for row in dashboard.get("/api/alerts?filter=all")["rows"]]

    with FakeNode(broker.port, "evil") as evil, FakeNode(broker.port, "good") as good, dashboard:
        dashboard.ready()
        evil.turn("OK", kind="dropped", dropped=2**31, reason="evil")
        evil.turn("OK", kind="dropped", dropped=MAX_INTEGER, seq=MAX_INTEGER, reason="evil")
        good.turn("LEAK", reason="good")
        until(lambda: sorted(reasons()) == ["evil", "evil", "good"], "all three")
        dashboard.stop()
        dashboard.start().ready()
        good.turn("LEAK", reason="after", from_state="OK")
        until(lambda: "after" in reasons(), "the leak after the restart")


def test_a_database_that_fails_refuses_nothing(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the row's own fault sets it aside: what the database cannot take now is stored later."""
    from sqlalchemy.exc import OperationalError

    def fail(*_: object) -> bool:
        raise OperationalError("insert", {}, Exception("disk full"))

    history = History(engine)
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "_insert", fail)
        with pytest.raises(OperationalError):
            history.record([event_row(event(1), NOW)])
    assert history.refused == 0
    assert len(history.record([event_row(event(1), NOW)])) == 1
    with engine.connect() as connection:
        assert connection.scalar(select(func.count(events.c.id))) == 1

"""The history on SQLite and on a real PostgreSQL: the same tests, the same results."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from leakear.dashboard.accounts.users import Role, Users
from leakear.dashboard.alerting.alerts import Alerts
from leakear.dashboard.evidence.clips import Clips
from leakear.dashboard.evidence.manifest import COLUMNS, write_zip
from leakear.dashboard.fleet import Fleet
from leakear.dashboard.fleet.ring import Sums
from leakear.dashboard.history import History, event_row, presence_row
from leakear.dashboard.history.samples import Samples
from leakear.dashboard.history.tables import about, open_database, samples
from leakear.edge.errors import ConfigError, InputDataError
from leakear.edge.messages.reports import Event, Identity, ModelRef, utc_text, uuid7

NOW = 1_790_000_000.0
HOUR0 = int(NOW // 3600) * 3600
KEY = ("site-a", "node-1")


def event(seq: int, to: str = "LEAK", at: float = NOW, **changes: Any) -> Event:
    made = Event(
        id=uuid7(at), seq=seq, site=KEY[0], node=KEY[1], kind="state", from_state="OK", to_state=to, reason="r",
        window_start=utc_text(at - 10), window_end=utc_text(at), clock_synced=True, score=0.9, level_dbfs=-40.0,
        model=ModelRef(id="m", sha256="0" * 64), evidence=True,
    )  # fmt: skip
    return replace(made, **changes)


def test_a_repeated_event_is_stored_once(engine: Any) -> None:
    history = History(engine)
    rows = [event_row(event(n), NOW) for n in (1, 2)]
    assert len(history.record(rows)) == 2
    third = event_row(event(3), NOW)
    assert [row["seq"] for row in history.record([*rows, third, third])] == [3]
    assert history.counts() == {"open": 3}


def test_an_alarm_with_a_wrong_clock_is_dated_by_its_arrival(engine: Any) -> None:
    history = History(engine)
    past, future = event(1, at=100.0, clock_synced=False), event(2, at=NOW + 1e7)
    history.record([event_row(past, NOW), event_row(future, NOW)])
    history.sweep(NOW + 60, 3600)
    assert [row["happened"] for row in Alerts(engine, history).page()] == [NOW, NOW]


def test_alerts_are_acknowledged_judged_filtered_and_searched(engine: Any) -> None:
    history = History(engine)
    alerts = Alerts(engine, history)
    leak, warning = event(1, at=NOW), event(2, "WARNING", at=NOW + 1)
    history.record([event_row(leak, NOW + 5), event_row(warning, NOW + 5)])
    assert [row["id"] for row in alerts.page("open")] == [leak.id], "a warning needs nobody's acknowledgement"
    seen = alerts.acknowledge(leak.id, "ana")
    assert seen is not None
    assert alerts.acknowledge(leak.id, "rui") == seen, "the first one counts"
    assert alerts.page("open") == []
    judged = alerts.judge(warning.id, "rui", "false-alarm", "100 % a pump_1", "Metal")
    assert judged is not None
    assert (judged["verdict"], judged["verdict_by"], judged["acknowledged_by"]) == ("false-alarm", "rui", "rui")
    assert [row["id"] for row in alerts.page("judged")] == [warning.id]
    assert [row["id"] for row in alerts.page("all", "100 %")] == [warning.id]
    assert alerts.page("all", "p%mp") == [], "a percent sign is looked for, not a wildcard"
    assert [row["id"] for row in alerts.page("all", before=warning.id)] == [leak.id]
    assert alerts.judge("no-such-id", "rui", "leak", "", "") is None
    for wrong in (("leek", "", ""), ("leak", "x" * 2001, ""), ("leak", "", "Gold")):
        with pytest.raises(InputDataError):
            alerts.judge(leak.id, "rui", *wrong)


def test_log_pages_have_no_gap_when_events_have_equal_times(engine: Any) -> None:
    """A node without a clock: what its outbox delivers has the one time of its arrival."""
    history = History(engine)
    alerts = Alerts(engine, history)
    made = [event(n, at=float(n), clock_synced=False) for n in range(1, 251)]
    history.record([event_row(e, NOW) for e in made])
    first = alerts.page("all")
    second = alerts.page("all", before=first[-1]["id"])
    third = alerts.page("all", before=second[-1]["id"])
    assert [len(rows) for rows in (first, second, third)] == [100, 100, 50]
    assert [row["seq"] for row in (*first, *second, *third)] == list(range(250, 0, -1))


def test_nodes_and_their_gaps_survive_a_restart(engine: Any) -> None:
    history, fleet = History(engine), Fleet()
    node = fleet.node(KEY)
    assert node is not None
    for seq in (5, 6, 9):
        node.sequence.see(seq)
    node.last_seen = NOW
    history.save_nodes(fleet, NOW)
    again = Fleet()
    History(engine).restore(again)
    restored = again.get(KEY)
    assert restored is not None
    assert (restored.sequence.last, restored.sequence.gaps, restored.last_seen) == (9, [(7, 8)], NOW)
    assert again.update_presence(restored, NOW + 1000) is False
    assert restored.presence == "stale"
    history.forget_node(KEY, NOW)
    empty = Fleet()
    history.restore(empty)
    assert len(empty) == 0


def test_lost_nodes_are_known_after_a_restart(engine: Any) -> None:
    history, fleet = History(engine), Fleet()
    first, second = fleet.node(KEY), fleet.node(("site-a", "node-2"))
    assert first is not None
    assert second is not None
    history.record([presence_row(first, "lost", "r", NOW), presence_row(second, "lost", "r", NOW)])
    history.record([presence_row(second, "back", "r", NOW + 1)])
    assert history.reported_lost() == {KEY}


def test_parts_of_a_minute_and_of_an_hour_are_summed(engine: Any) -> None:
    store = Samples(engine)
    for half in ((0.2, -50.0), (0.8, -40.0)):
        sums = Sums(HOUR0)
        sums.add(half[0], half[1], -60.0)
        store.add([(KEY, sums)])
    later = Sums(HOUR0 + 60)
    later.add(None, -30.0, None)
    store.add([(KEY, later)])
    minutes = store.series(KEY, HOUR0, HOUR0 + 120)
    assert minutes["seconds"] == 60
    assert (minutes["score"], minutes["score_max"]) == ([0.5, None], [0.8, None])
    assert (minutes["level_min"], minutes["level_max"], minutes["floor"]) == ([-50, -30], [-40, -30], [-60, None])
    for _ in range(2):  # adding up twice changes nothing
        store.roll_up(HOUR0 + 3600 + 5)
        hours = store.series(KEY, HOUR0 - 90 * 86400, HOUR0 + 3600)
        assert (hours["seconds"], hours["start"]) == (3600, [HOUR0])
        assert (hours["score"], hours["level"], hours["level_max"]) == ([0.5], [-40.0], [-30.0])


def test_sparklines_survive_a_restart(engine: Any) -> None:
    store, fleet = Samples(engine), Fleet()
    node = fleet.node(KEY)
    assert node is not None
    sums = Sums(HOUR0)
    sums.add(0.4, -50.0, None)
    store.add([(KEY, sums), (("gone", "node"), sums)])
    store.refill(fleet, HOUR0 + 90)
    assert node.ring.last(9, HOUR0 + 89)[0] == [0.4] * 6 + [None] * 3
    assert node.ring.last(9, HOUR0 + 89)[1][:6] == [-50.0] * 6


def test_a_long_chart_includes_the_present_hour(engine: Any) -> None:
    store = Samples(engine)
    for start in (HOUR0, HOUR0 + 3600 + 60):
        sums = Sums(start)
        sums.add(0.5, None, None)
        store.add([(KEY, sums)])
    store.roll_up(HOUR0 + 3600 + 130)
    found = store.series(KEY, HOUR0 - 90 * 86400, HOUR0 + 3600 + 130)
    assert found["start"] == [HOUR0, HOUR0 + 3660]


def test_retention_keeps_hours_after_minutes_and_drops_old_events(engine: Any) -> None:
    history, store = History(engine), Samples(engine)
    sums = Sums(HOUR0)
    sums.add(0.7, -40.0, None)
    store.add([(KEY, sums)])
    store.sweep(HOUR0 + 30 * 86400, keep_minutes_s=14 * 86400, keep_hours_s=365 * 86400)
    with engine.connect() as connection:
        assert list(connection.scalars(select(samples.c.seconds))) == [3600]
    store.sweep(HOUR0 + 500 * 86400, keep_minutes_s=14 * 86400, keep_hours_s=365 * 86400)
    assert store.series(KEY, 0, NOW + 1e9)["start"] == []
    history.record([event_row(event(n, at=NOW + 5000 * n), NOW + 9e9) for n in (0, 1)])
    history.sweep(NOW + 6000, 3000)
    assert [row["seq"] for row in history.node_events(KEY, 0)] == [1]


def test_the_client_id_stays_and_another_schema_is_refused(database: str) -> None:
    engine = open_database(database)
    assert History(engine).client_id() == History(engine).client_id()
    with engine.begin() as connection:
        connection.execute(update(about).where(about.c.name == "schema").values(value="99"))
    engine.dispose()
    with pytest.raises(ConfigError, match="99"):
        open_database(database)


def test_users_and_sessions(engine: Any) -> None:
    users = Users(engine)
    assert not users.any()
    users.add("ana", "correct horse", Role.OPERATE)
    secret = users.log_in("ana", "correct horse")
    assert secret is not None
    assert users.log_in("ana", "wrong horse") is None
    assert users.log_in("nobody", "correct horse") is None
    found = users.of_session(secret)
    assert found is not None
    assert found.operates
    assert users.of_session(secret + "x") is None
    users.add("ana", "another horse", Role.VIEW)
    assert users.of_session(secret) is None, "a changed password ends the sessions"
    secret = users.log_in("ana", "another horse") or ""
    users.log_out(secret)
    assert users.of_session(secret) is None
    with pytest.raises(ConfigError, match="at least"):
        users.add("bob", "short", Role.VIEW)
    assert users.remove("ana")
    assert not users.any()


def flac(rate: int, seconds: int) -> bytes:
    import io

    import numpy as np
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, np.random.default_rng(1).normal(0, 0.01, rate * seconds), rate, format="FLAC")
    return out.getvalue()


def test_leakear_train_reads_the_export(engine: Any, tmp_path: Path) -> None:
    dataset = pytest.importorskip("leakear.train.data.dataset")
    history = History(engine)
    alerts, clips = Alerts(engine, history), Clips(engine, tmp_path / "clips", 1 << 24)
    made = [event(n, at=NOW + n, node=f"node-{n % 2}") for n in range(4)]
    history.record([event_row(e, NOW) for e in made])
    for e, verdict in zip(made, ("leak", "false-alarm", "unknown", "leak"), strict=True):
        alerts.judge(e.id, "ana", verdict, "", "Metal")
        if e is not made[3]:
            clips.store(e.id, "audio/flac", flac(8000, 10))
    archive = tmp_path / "field.zip"
    with archive.open("wb") as out:
        assert write_zip(alerts, clips, out) == 2, "no clip, no lesson; not known, no lesson"
    with zipfile.ZipFile(archive) as unpacked:
        unpacked.extractall(tmp_path / "field")
    header = (tmp_path / "field" / "manifest.csv").read_text().splitlines()[0]
    assert header == ",".join(COLUMNS)
    recordings = dataset.load(tmp_path / "field")
    assert sorted(r.label for r in recordings) == ["Leak", "NoLeak"]
    assert {r.material for r in recordings} == {"Metal"}
    assert len({r.site for r in recordings}) == 2


def test_clips_are_checked_and_limited(engine: Any, tmp_path: Path) -> None:
    from leakear.dashboard.evidence.clips import Assembly

    clips = Clips(engine, tmp_path / "clips", 1000)
    with pytest.raises(InputDataError, match="disk space for clips"):
        clips.store("id", "audio/flac", b"x" * 2000)
    good = {"event_id": "id", "media_type": "audio/wav", "part": 0, "parts": 2, "data": "AAAA"}
    for wrong in (
        {"media_type": "text/html"}, {"event_id": "other"}, {"part": 2}, {"parts": 10**9}, {"data": "*"}, {"part": "0"},
    ):  # fmt: skip
        with pytest.raises(InputDataError):
            Assembly("id").add(good | wrong)
    assembly = Assembly("id")
    assert not assembly.add(good | {"part": 1, "data": "BBBB"})
    assert assembly.add(good)
    assert assembly.content == b"\0\0\0\x04\x10\x41"
    assert json.dumps(clips.path("../../etc/passwd", "audio")) == "null"


def test_a_message_must_match_its_topic() -> None:
    row = event_row(event(1), NOW)
    assert Identity(row["site"], row["node"]) == Identity(*KEY)

"""Cases on SQLite and on a real PostgreSQL: nothing is lost, nothing is done twice, every change has who and when."""

import base64
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from leakear.dashboard.cases import room
from leakear.dashboard.cases.changes import LARGEST_PHOTO
from leakear.dashboard.cases.store import ITSELF, LEAKS, Cases, Conflict
from leakear.dashboard.fleet import Node
from leakear.dashboard.history import History, event_row, presence_row
from leakear.dashboard.history.case_tables import case_changes
from leakear.dashboard.history.rows import LOST
from leakear.dashboard.nights.repair_check import HELD, NOISE_STAYS, UNKNOWN, WAITING, check_repair
from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import Event, ModelRef, utc_text, uuid7
from tests.dashboard.nights.test_stored_nights import night_event

KEY = ("site-a", "pit-1")
DAY = 86400.0
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 50


@pytest.fixture
def history(engine: Any) -> History:
    made = History(engine)
    made.also = Cases(engine).on_event
    return made


@pytest.fixture
def cases(engine: Any) -> Cases:
    return Cases(engine)


def leak(at: float, seq: int = 1, state: str = "LEAK") -> Event:
    return Event(
        id=uuid7(at), seq=seq, site=KEY[0], node=KEY[1], kind="state", from_state="WARNING", to_state=state,
        reason="6.1 dB over the background in 2 of 3 nights", window_start=utc_text(at - 10), window_end=utc_text(at),
        clock_synced=True, model=ModelRef(id="m", sha256="0" * 64),
    )  # fmt: skip


def step(cases: Cases, case: Any, what: str, who: str = "ana", **given: Any) -> Any:
    request = given.pop("request", uuid7())
    return cases.change(case["id"], who, request, version=case["version"], what=what, given=given)


def only(cases: Cases) -> Any:
    (case,) = cases.page()
    return case


def test_a_leak_opens_one_case_whatever_is_sent_again(history: History, cases: Cases) -> None:
    row = event_row(leak(time.time()), time.time())
    history.record([row])
    history.record([row])
    (case,) = cases.page()
    assert (case["site"], case["node"], case["status"], case["opened_by"], case["event_id"]) == (
        *KEY,
        "open",
        ITSELF,
        row["id"],
    )
    assert case["certainty"] == row["reason"]
    assert case["since"] == row["happened"]
    history.record([event_row(leak(time.time(), 2), time.time())])
    (case,) = cases.page()
    assert [(change["what"], change["who"]) for change in case["changes"]] == [("open", ITSELF), ("note", ITSELF)]


def test_the_silence_of_a_node_in_leak_and_its_dropped_events_open_no_case_and_are_no_further_leak(
    history: History, cases: Cases
) -> None:
    node = Node(0, *KEY)
    node.state = "LEAK"
    dropped = replace(leak(time.time(), 3), kind="dropped", from_state="LEAK", dropped=2)
    others = [presence_row(node, LOST, "silent", time.time()), event_row(dropped, time.time())]
    history.record(others)
    assert cases.page() == []
    history.record([event_row(leak(time.time()), time.time())])
    history.record([row | {"id": uuid7()} for row in others])
    assert [change["what"] for change in only(cases)["changes"]] == ["open"]


def test_a_warning_opens_none_but_a_person_may(history: History, cases: Cases) -> None:
    row = event_row(leak(time.time(), state="WARNING"), time.time())
    history.record([row])
    assert cases.page() == []
    case = cases.open(KEY, "ana", "r1", row["id"])
    assert (case["opened_by"], case["certainty"]) == ("ana", row["reason"])
    assert cases.open(KEY, "ben", "r2")["id"] == case["id"], "one open case a node"
    with pytest.raises(InputDataError, match="This alert is not known"):
        cases.open(("site-a", "other"), "ana", "r3", "no such event")


def test_from_alarm_to_repair_every_step_has_who_and_when(history: History, cases: Cases) -> None:
    began = time.time() - 5 * DAY
    history.record([event_row(leak(began), began)])
    (case,) = cases.page()
    case = step(cases, case, "assign", assigned_to="ben")
    case = step(cases, case, "describe", pipe="DN 100", position="34 m from A", who="ben")
    photo = base64.b64encode(PNG).decode()
    case = step(
        cases,
        case,
        "visit",
        who="ben",
        outcome="found",
        note="wet",
        latitude=-23.5,
        longitude=-46.6,
        photo=photo,
        at=began + DAY,
    )
    case = step(cases, case, "repair", who="ben", at=began + 2 * DAY, flow_low=0.5, flow_high=1.5)
    assert case["status"] == "repaired"
    assert [(c["version"], c["who"], c["what"]) for c in case["changes"]] == [
        (1, ITSELF, "open"), (2, "ana", "assign"), (3, "ben", "describe"), (4, "ben", "visit"), (5, "ben", "repair"),
    ]  # fmt: skip
    assert all(abs(change["at"] - time.time()) < 600 for change in case["changes"][1:])
    assert [change["photo"] for change in case["changes"]] == [False, False, False, True, False]
    assert cases.photo(case["id"], 4) == ("image/png", PNG)
    assert case["water"] == pytest.approx([0.5 * 48, 1.5 * 48], rel=1e-6)
    assert cases.repairs(KEY, 0.0) == [pytest.approx(began + 2 * DAY)]
    found = cases.figures()
    assert (found["visited"], found["found"], found["precision"], found["open"]) == (1, 1, 1.0, 1)
    assert found["time_to_visit"] == pytest.approx(DAY, abs=1)
    assert found["time_to_repair"] == pytest.approx(2 * DAY, abs=1)
    assert found["water"] == pytest.approx([24, 72], rel=1e-6)


def test_a_visit_that_finds_nothing_ends_the_case_and_is_counted(cases: Cases) -> None:
    for number, outcome in enumerate(("not-found", "pressure-valve", "found")):
        step(cases, cases.open(("site-a", f"pit-{number}"), "ana", uuid7()), "visit", outcome=outcome)
    found = cases.figures()
    assert found["precision"] == pytest.approx(1 / 3)
    assert found["false_by_kind"] == {"not-found": 1, "pressure-valve": 1}
    assert found["false_by_node"] == {"site-a/pit-0": 1, "site-a/pit-1": 1}
    assert [case["node"] for case in cases.page()] == ["pit-2"]


def test_two_who_edit_at_once_lose_nothing(cases: Cases) -> None:
    case = cases.open(KEY, "ana", "r1")
    step(cases, case, "assign", assigned_to="ben")
    with pytest.raises(Conflict, match=r"ana has changed this case meanwhile \(assign\)") as refused:
        step(cases, case, "note", who="ben", note="my note")
    assert refused.value.case["assigned_to"] == "ben"
    assert step(cases, refused.value.case, "note", who="ben", note="my note")["version"] == 3


def test_many_at_the_same_moment_each_step_counts_once(cases: Cases) -> None:
    case_id = cases.open(KEY, "ana", "r1")["id"]

    def write(who: str) -> None:
        for number in range(5):
            request = f"{who}-{number}"
            while True:
                now = cases.get(case_id)
                assert now is not None
                try:
                    cases.change(case_id, who, request, version=now["version"], what="note", given={"note": request})
                    break
                except Conflict:
                    continue

    writers = [threading.Thread(target=write, args=(who,)) for who in ("ana", "ben", "eva")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    case = cases.get(case_id)
    assert case is not None
    notes = [change["note"] for change in case["changes"] if change["what"] == "note"]
    assert sorted(notes) == sorted(f"{who}-{number}" for who in ("ana", "ben", "eva") for number in range(5))
    assert case["version"] == 16


def test_the_same_request_again_is_done_once(cases: Cases) -> None:
    case = cases.open(KEY, "ana", "r1")
    for _ in range(3):
        again = step(cases, case, "note", note="once", request="the-same")
    assert again["version"] == 2


def test_a_leak_after_the_repair_opens_the_case_again(history: History, cases: Cases) -> None:
    began = time.time() - 5 * DAY
    history.record([event_row(leak(began), began)])
    step(cases, cases.page()[0], "repair", at=began + DAY)
    history.record([event_row(leak(time.time(), 2), time.time())])
    (case,) = cases.page()
    assert (case["status"], case["reopened"], case["repaired"]) == ("open", 1, None)
    assert case["changes"][-1]["who"] == ITSELF


def test_a_leak_from_before_the_repair_that_comes_after_it_is_noted_and_opens_nothing_again(
    history: History, cases: Cases
) -> None:
    """The node had no network while it was repaired: what it tells now is the leak that was found."""
    at = time.time() - 7200
    history.record([event_row(leak(at), at + 1)])
    case = step(cases, only(cases), "repair", at=at + 3600)
    history.record([event_row(leak(at + 1800, seq=3), time.time())])
    case = only(cases)
    assert (case["status"], case["reopened"]) == ("repaired", 0)
    assert [change["what"] for change in case["changes"]] == ["open", "repair", "note"]


@pytest.mark.parametrize(("after", "status", "reopened"), [(0.0, "verified", 0), (9.0, "open", 1)])
def test_the_nights_after_a_repair_decide(
    history: History, cases: Cases, after: float, status: str, reopened: int
) -> None:
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    first = (today - timedelta(days=40)).date()
    levels = [-60.0 + n % 3 + (9.0 if 30 <= n < 36 else after if n >= 36 else 0.0) for n in range(39)]
    nights = [
        event_row(night_event(first + timedelta(days=n), level, n + 10), time.time()) for n, level in enumerate(levels)
    ]
    history.record(nights[:36])
    began = datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp() + 30 * DAY
    history.record([event_row(leak(began), began)])
    case = step(cases, cases.page()[0], "repair", at=began + 5.5 * DAY)
    assert cases.check_repairs() == [], "no night is known after it"
    history.record(nights[36:38])
    assert cases.check_repairs(KEY) == [], "two nights prove little"
    history.record(nights[38:])
    (changed,) = cases.check_repairs(KEY)
    assert (changed["id"], changed["status"], changed["reopened"]) == (case["id"], status, reopened)
    assert changed["changes"][-1]["who"] == ITSELF
    assert "nights after the repair" in changed["changes"][-1]["note"]
    assert cases.check_repairs() == []


def test_a_case_is_suspected_since_the_nights_rise(history: History, cases: Cases) -> None:
    first = datetime.now(UTC).date() - timedelta(days=40)
    levels = [-60.0 + n % 3 + (9.0 if n >= 30 else 0.0) for n in range(40)]
    history.record(
        [event_row(night_event(first + timedelta(days=n), level, n), time.time()) for n, level in enumerate(levels)]
    )
    history.record([event_row(leak(time.time(), 50), time.time())])
    (case,) = cases.page()
    since = datetime.fromtimestamp(case["since"], UTC).date()
    assert since == first + timedelta(days=30)
    assert case["certainty"].startswith(
        "6.1 dB over the background in 2 of 3 nights; the nights rise since " + since.isoformat()
    )


BEFORE, DURING = np.array([10.0, 11, 10, 12, 11, 10, 11, 12, 10]), np.array([20.0, 21, 20])


@pytest.mark.parametrize(
    ("before", "during", "after", "result"),
    [
        (BEFORE, DURING, [10.0, 11, 12], HELD),
        (BEFORE, DURING, [20.0, 19, 11], NOISE_STAYS),
        (BEFORE, DURING, [20.0, 10, 11], HELD),
        (BEFORE, DURING, [20.0, 19], WAITING),
        (BEFORE[:4], DURING, [20.0, 19, 20], UNKNOWN),
        (BEFORE, BEFORE, [30.0, 30, 30], NOISE_STAYS),
        (BEFORE, [], [10.0, 11, 10], HELD),
    ],
)
def test_nights_after_a_repair(before: Any, during: Any, after: Any, result: str) -> None:
    assert check_repair(np.array(before), np.array(during), np.array(after)) == result


@pytest.mark.parametrize(
    ("what", "given", "sentence"),
    [
        ("dance", {}, "A case has no step 'dance'"),
        ("verify", {}, "A case has no step 'verify'"),
        ("visit", {}, "The outcome is 'None': use found"),
        ("visit", {"outcome": "found", "latitude": 4}, "needs latitude and longitude"),
        ("visit", {"outcome": "found", "latitude": 91, "longitude": 1}, "latitude must be a number from -90 to 90"),
        ("visit", {"outcome": "found", "photo": "!"}, "photo must be base64"),
        ("visit", {"outcome": "found", "photo": "é"}, "photo must be base64"),
        ("visit", {"outcome": "found", "photo": base64.b64encode(b"GIF89a").decode()}, "must be a JPEG or PNG"),
        ("visit", {"outcome": "found", "photo": base64.b64encode(PNG + bytes(LARGEST_PHOTO)).decode()}, "most 4 MiB"),
        ("visit", {"outcome": "found", "at": 4e9}, "lies in the future"),
        ("repair", {"flow_low": 2, "flow_high": 1}, "flow_low is above flow_high"),
        ("repair", {"at": 5}, "before the leak was suspected"),
        ("note", {"note": "x" * 2001}, "note must be a text of at most 2000 characters"),
        ("assign", {"assigned_to": 7}, "assigned_to must be a text"),
        ("reopen", {}, "The case is open: it cannot be re-opened now"),
    ],
)  # fmt: skip
def test_a_step_that_cannot_be_is_told(cases: Cases, what: str, given: dict[str, Any], sentence: str) -> None:
    case = cases.open(KEY, "ana", "r1")
    with pytest.raises(InputDataError, match=sentence):
        step(cases, case, what, **given)
    after = cases.get(case["id"])
    assert after is not None
    assert after["version"] == 1


def test_a_node_that_reports_leaks_without_end_fills_no_case(history: History, cases: Cases) -> None:
    now = time.time()
    history.record([event_row(leak(now, seq), now) for seq in range(LEAKS + 50)])
    (case,) = cases.page()
    assert len(case["changes"]) == 1 + LEAKS
    step(cases, case, "visit", outcome="found")
    repaired = step(cases, only(cases), "repair")
    later = time.time() + 1  # after the repair, however long a busy machine took
    history.record([event_row(leak(later, LEAKS + 51), later)])
    assert only(cases)["status"] == "open", repaired


def test_a_case_has_room_for_so_much_and_no_more(cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CHANGES", 6)
    monkeypatch.setattr(room, "PHOTOS", 2)
    case = cases.open(KEY, "ana", "r")
    photo = base64.b64encode(PNG).decode()
    for _ in range(2):
        case = step(cases, case, "visit", outcome="found", photo=photo)
    with pytest.raises(InputDataError, match="has 2 photos"):
        step(cases, case, "visit", outcome="found", photo=photo)
    for _ in range(3):
        case = step(cases, case, "note", note="again")
    with pytest.raises(InputDataError, match="has 6 changes"):
        step(cases, case, "note", note="again")
    assert step(cases, case, "close")["status"] == "closed"


def test_closed_cases_are_swept_with_their_photos_and_open_ones_stay(cases: Cases) -> None:
    case = cases.open(KEY, "ana", "r1")
    case = step(cases, case, "visit", outcome="found", photo=base64.b64encode(PNG).decode())
    going = cases.open(("site-a", "pit-2"), "ana", "r2")
    closed = step(cases, case, "close")
    cases.sweep(closed["closed"])
    assert cases.photo(case["id"], 2) is not None, "not old enough"
    cases.sweep(time.time() + 1)
    assert [row["id"] for row in cases.page("all")] == [going["id"]]
    assert cases.photo(case["id"], 2) is None
    with cases.engine.connect() as connection:
        assert set(connection.scalars(select(case_changes.c.case_id))) == {going["id"]}


def test_a_closed_case_is_not_opened_again_beside_another(cases: Cases) -> None:
    old = step(cases, cases.open(KEY, "ana", "r1"), "close")
    cases.open(KEY, "ana", "r2")
    with pytest.raises(InputDataError, match="Another case of this node is open"):
        step(cases, old, "reopen")


def test_an_event_is_stored_even_when_its_case_cannot_be(
    history: History, cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import IntegrityError

    def fails(*_: object, **__: object) -> None:
        raise IntegrityError("insert", {}, Exception("somebody else was faster"))

    monkeypatch.setattr(Cases, "_insert", fails)
    history.also = cases.on_event
    assert len(history.record([event_row(replace(leak(time.time())), time.time())])) == 1
    assert history.refused == 0
    assert cases.page() == []

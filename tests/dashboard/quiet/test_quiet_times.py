"""Quiet times on both databases: what comes during one is recorded and held back, and never lost."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from leakear.dashboard.history.tables import actions
from leakear.dashboard.quiet.calendar import Entry, by_hand, read_ics, spans
from leakear.dashboard.quiet.store import QuietTimes
from leakear.edge.errors import InputDataError
from tests.dashboard.quiet.place import KEY, NOW, Place, leak

ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:one
DTSTART;TZID=Europe/Lisbon:20260301T220000
DTEND;TZID=Europe/Lisbon:20260302T010000
RRULE:FREQ=DAILY;UNTIL=20260410T235959Z
EXDATE;TZID=Europe/Lisbon:20260303T220000
SUMMARY:Irrigation of the park
END:VEVENT
BEGIN:VEVENT
UID:one
RECURRENCE-ID;TZID=Europe/Lisbon:20260305T220000
DTSTART;TZID=Europe/Lisbon:20260305T180000
DTEND;TZID=Europe/Lisbon:20260305T190000
SUMMARY:Irrigation, earlier
END:VEVENT
BEGIN:VEVENT
UID:two
DTSTART;VALUE=DATE:20260320
SUMMARY:Building site
END:VEVENT
END:VCALENDAR
"""


def test_a_leak_in_a_quiet_time_is_held_back_and_raised_when_it_goes_on(place: Place) -> None:
    entry = by_hand("park", NOW - 600, NOW + 3600, "Europe/Lisbon", "")
    place.quiet.add("site-a", "", "irrigation", [entry], who="ana")
    event = leak(NOW, 1)
    assert place.store(event)["quiet"] == "irrigation: park"
    assert place.told() == []
    assert place.cases.page("all") == []
    (shown,) = place.history.node_events(KEY, 0.0)
    assert (shown["quiet"], shown["held"]) == ("irrigation: park", "held"), "recorded, with its mark"
    assert place.raise_what_is_due(NOW + 60) == [], "the quiet time goes on"
    again = QuietTimes(place.engine)  # a restart in between loses nothing
    assert again.now(KEY, NOW + 60) is not None
    (raised,) = place.raise_what_is_due(NOW + 3601)
    assert raised["id"] == event.id
    assert place.told() == [event.id]
    assert [case["event_id"] for case in place.cases.page("open")] == [event.id]
    assert place.raise_what_is_due(NOW + 7200) == [], "once"
    (shown,) = place.history.node_events(KEY, 0.0)
    assert shown["held"] == "raised"


def test_a_leak_that_ends_in_the_quiet_time_is_recorded_and_nobody_is_told(place: Place) -> None:
    place.quiet.add(*KEY, "filling", [by_hand("", NOW - 600, NOW + 3600, "UTC", "")], who="ana")
    place.store(leak(NOW, 1))
    place.store(leak(NOW + 1, 2, "LEAK", "OK"))
    assert place.raise_what_is_due(NOW + 3601) == []
    assert place.told() == [], "no alert, and no all-clear of an alert that nobody got"
    assert {row["held"] for row in place.history.node_events(KEY, 0.0)} == {"ended", None}


def test_other_nodes_and_other_alerts_are_raised_at_once(place: Place) -> None:
    place.quiet.add("site-a", "pit-2", "construction", [by_hand("", NOW - 600, NOW + 3600, "UTC", "")], who="ana")
    first = place.store(leak(NOW, 1))
    place.quiet.add("site-a", "pit-1", "construction", [by_hand("", NOW - 600, NOW + 3600, "UTC", "")], who="ana")
    fault = place.store(replace(leak(NOW, 2), to_state="SENSOR_FAULT"))
    assert place.told() == [first["id"], fault["id"]]


def test_a_quiet_time_that_is_removed_raises_what_it_held_back(place: Place) -> None:
    (one,) = place.quiet.add(*KEY, "other", [by_hand("", NOW - 600, NOW + 86400, "UTC", "")], who="ana")
    event = leak(NOW, 1)
    place.store(event)
    assert place.quiet.remove(one, "rui")
    assert not place.quiet.remove(one, "rui")
    assert [row["id"] for row in place.raise_what_is_due(NOW + 1)] == [event.id]
    with place.engine.connect() as connection:
        done = connection.execute(select(actions.c.who, actions.c.what).order_by(actions.c.id)).all()
    assert [tuple(row) for row in done] == [("ana", "quiet-add"), ("rui", "quiet-remove")]
    assert [row["kind"] for row in place.quiet.history(NOW - 600, NOW + 60)] == ["other"], "reports still know it"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_calendar_is_read_with_zones_exceptions_and_moved_occurrences() -> None:
    daily, moved, whole_day = read_ics(ICS)
    march = list(spans(daily, at("2026-03-01"), at("2026-03-07")))
    began = [datetime.fromtimestamp(start, UTC).strftime("%d %H:%M") for start, _ in march]
    assert began == ["01 22:00", "02 22:00", "04 22:00", "06 22:00"], "without the exception and the moved one"
    summer = [datetime.fromtimestamp(start, UTC).hour for start, _ in spans(daily, at("2026-03-28"), at("2026-04-01"))]
    assert summer[0] == 22
    assert summer[-1] == 21, "22:00 in Lisbon, also when clocks have changed"
    assert not list(spans(daily, at("2026-04-12"), at("2026-05-01"))), "UNTIL"
    assert [end - start for start, end in spans(moved, at("2026-03-01"), at("2026-03-31"))] == [3600.0]
    assert list(spans(whole_day, at("2026-03-19"), at("2026-03-22"))) == [(at("2026-03-20"), at("2026-03-21"))]
    assert Entry.from_json(daily.to_json()) == daily


@pytest.mark.parametrize("text", [
    "", "no calendar", ICS.replace("FREQ=DAILY", "FREQ=SECONDLY"), ICS.replace("20260302T010000", "20270302T010000"),
    ICS.replace("BEGIN:VEVENT", "BEGIN:VTODO").replace("END:VEVENT", "END:VTODO"), ICS * 2000,
    ICS.replace("DTSTART", "X-DTSTART"), ICS.replace("RRULE:FREQ=DAILY", "RRULE:FREQ=DAILY;COUNT=x"),
])  # fmt: skip
def test_what_is_no_usable_calendar_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(InputDataError, match=r"^[A-Z].*\.$"):
        read_ics(text)


def test_a_sensor_that_fails_is_told_although_a_leak_is_held_back_and_the_leak_waits_on(place: Place) -> None:
    place.quiet.add(*KEY, "filling", [by_hand("", NOW - 600, NOW + 3600, "UTC", "")], who="ana")
    event = leak(NOW, 1)
    place.store(event)
    fault = place.store(leak(NOW + 1, 2, "LEAK", "SENSOR_FAULT"))
    assert place.told() == [fault["id"]], "a deaf node is never held back"
    assert [row["id"] for row in place.raise_what_is_due(NOW + 3601)] == [event.id]


def test_a_leak_that_goes_on_after_a_fault_is_raised_once(place: Place) -> None:
    place.quiet.add(*KEY, "filling", [by_hand("", NOW - 600, NOW + 3600, "UTC", "")], who="ana")
    place.store(leak(NOW, 1))
    place.store(leak(NOW + 1, 2, "LEAK", "SENSOR_FAULT"))
    again = place.store(leak(NOW + 2, 3, "SENSOR_FAULT", "LEAK"))
    assert again["quiet"] == "filling"
    assert [row["id"] for row in place.raise_what_is_due(NOW + 3601)] == [again["id"]]


def test_a_leak_that_is_gone_when_the_fault_ends_is_held_no_longer(place: Place) -> None:
    place.quiet.add(*KEY, "filling", [by_hand("", NOW - 600, NOW + 3600, "UTC", "")], who="ana")
    place.store(leak(NOW, 1))
    fault = place.store(leak(NOW + 1, 2, "LEAK", "SENSOR_FAULT"))
    clear = place.store(leak(NOW + 2, 3, "SENSOR_FAULT", "OK"))
    assert place.told() == [fault["id"], clear["id"]]
    assert place.raise_what_is_due(NOW + 3601) == []


def test_an_end_that_comes_late_ends_no_leak_that_began_after_it(place: Place) -> None:
    """A node was asked again for what was missing: the end of last week's leak comes after this one's beginning."""
    place.quiet.add(*KEY, "filling", [by_hand("", NOW - 600, NOW + 3600, "UTC", "")], who="ana")
    event = leak(NOW, 4)
    place.store(event)
    place.store(leak(NOW - 7 * 86400, 2, "LEAK", "OK"))
    assert place.told() == []
    assert [row["id"] for row in place.raise_what_is_due(NOW + 3601)] == [event.id]


def test_an_all_clear_that_comes_late_is_not_sent_while_the_node_is_in_an_alarm_again(place: Place) -> None:
    first, second = place.store(leak(NOW - 900, 1)), place.store(leak(NOW - 60, 4))
    place.store(leak(NOW - 600, 2, "LEAK", "OK"))
    assert place.told() == [first["id"], second["id"]]
    clear = place.store(leak(NOW - 30, 5, "LEAK", "OK"))
    assert place.told() == [first["id"], second["id"], clear["id"]]


def test_a_late_all_clear_is_sent_where_no_alarm_followed(place: Place) -> None:
    first = place.store(leak(NOW - 900, 1))
    place.store(leak(NOW - 60, 3, "OK", "WARNING"))
    clear = place.store(leak(NOW - 600, 2, "LEAK", "OK"))
    assert {first["id"], clear["id"]} <= set(place.told())

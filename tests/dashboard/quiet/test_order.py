"""Events that come late, and ends that follow only after a warning."""

import time

import pytest

from leakear.dashboard.history import event_row
from leakear.edge.messages.reports import Event
from tests.dashboard.quiet.place import NOW, Place, leak

HOUR_S = 3600.0


def store(place: Place, events: list[Event], *, together: bool) -> list[str]:
    """Store events as they come, in one batch or in several; return their ids."""
    rows = [event_row(event, time.time()) for event in events]
    for batch in [rows] if together else [[row] for row in rows]:
        place.history.record(batch, place.raising.addresses)
    return [event.id for event in events]


@pytest.mark.parametrize("alert", ["SENSOR_FAULT", "LEAK"])
def test_an_alert_that_comes_after_its_end_is_told_to_nobody_when_the_mute_ends(place: Place, alert: str) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    begin, end = leak(NOW - HOUR_S, 1, "OK", alert), leak(NOW, 2, alert, "OK")
    store(place, [end, begin], together=False)
    place.report()
    place.look()
    assert place.told() == []
    assert place.cases.page("open") == []


def test_a_leak_that_comes_after_the_fault_that_hides_it_is_told_when_the_mute_ends(place: Place) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    water, fault = leak(NOW - HOUR_S, 1), leak(NOW, 2, "LEAK", "SENSOR_FAULT")
    store(place, [fault, water], together=False)
    place.report()
    place.look()
    assert sorted(place.told()) == sorted([water.id, fault.id])


@pytest.mark.parametrize("between", ["WARNING", "NOISY"])
@pytest.mark.parametrize("alert", ["SENSOR_FAULT", "LEAK"])
def test_the_end_of_an_alert_is_told_where_another_state_came_between(place: Place, alert: str, between: str) -> None:
    began = place.turn("OK", alert)
    place.turn(alert, between)
    assert place.told() == [began]
    ended = place.turn(between, "OK")
    assert place.told() == [began, ended]
    place.turn("OK", between)
    place.turn(between, "OK")
    assert place.told() == [began, ended], "it is told once"


@pytest.mark.parametrize("between", ["WARNING", "NOISY"])
def test_the_end_of_what_nobody_was_told_of_is_told_to_nobody(place: Place, between: str) -> None:
    place.turn("OK", between)
    place.turn(between, "OK")
    place.report(muted_until=time.time() + HOUR_S)
    place.turn("OK", "SENSOR_FAULT")
    place.turn("SENSOR_FAULT", between)
    place.turn(between, "OK")
    place.report()
    place.look()
    assert place.told() == []


def test_an_end_after_another_state_waits_for_the_end_of_the_mute(place: Place) -> None:
    began = place.turn("OK", "LEAK")
    place.report(muted_until=time.time() + HOUR_S)
    place.turn("LEAK", "WARNING")
    ended = place.turn("WARNING", "OK")
    place.look()
    assert place.told() == [began]
    place.report()
    place.look()
    assert place.told() == [began, ended]

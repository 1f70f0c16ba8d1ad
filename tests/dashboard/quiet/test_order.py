"""Events that come late, out of order or of a node whose clock was wrong, and ends that follow only after a warning."""

import time
from dataclasses import replace

import pytest

from leakear.dashboard.history import event_row
from leakear.edge.messages.reports import Event
from tests.dashboard.quiet.place import KEY, NOW, Place, leak

HOUR_S = 3600.0


def of_a_boot(alert: str) -> list[Event]:
    """An alert before the clock of a started node was right, and its end after that; the broker was away until now."""
    wrong = replace(leak(NOW - 2 * HOUR_S, 1, "OK", alert), clock_synced=False)
    return [wrong, leak(NOW - HOUR_S, 2, alert, "OK")]


def store(place: Place, events: list[Event], *, together: bool) -> list[str]:
    """Store events as they come, in one batch or in several; return their ids."""
    rows = [event_row(event, time.time()) for event in events]
    for batch in [rows] if together else [[row] for row in rows]:
        place.history.record(batch, place.raising.addresses)
    return [event.id for event in events]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("alert", ["SENSOR_FAULT", "LEAK"])
def test_the_end_of_an_alert_that_came_before_the_clock_was_right_is_told(
    place: Place, alert: str, together: bool
) -> None:
    stored = store(place, of_a_boot(alert), together=together)
    assert place.told() == stored
    assert [row["id"] for row in place.history.node_events(KEY, 0.0)] == stored[::-1]


@pytest.mark.parametrize("together", [True, False])
def test_an_alert_of_a_wrong_clock_that_ended_during_the_mute_is_told_to_nobody(place: Place, together: bool) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    store(place, of_a_boot("LEAK"), together=together)
    place.report()
    place.look()
    assert place.told() == []


def test_an_alert_of_a_wrong_clock_that_follows_an_end_is_not_over(place: Place) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    events = [*of_a_boot("LEAK"), replace(leak(NOW, 3, "OK", "LEAK"), clock_synced=False)]
    stored = store(place, events, together=True)
    place.report()
    place.look()
    assert place.told() == stored[-1:]


def test_a_clock_that_is_years_behind_and_called_right_dates_nothing(place: Place) -> None:
    wrong, end = of_a_boot("LEAK")
    years_ago = NOW - 10 * 365 * 24 * HOUR_S
    store(place, [wrong, replace(leak(years_ago, 2, "LEAK", "OK"), id=end.id)], together=True)
    (kept,) = [row for row in place.history.node_events(KEY, 0.0) if row["id"] == wrong.id]
    assert kept["happened"] >= NOW


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


def test_an_event_that_comes_again_after_it_was_deleted_is_stored_and_held_again(place: Place) -> None:
    """A node whose clock is years behind: nothing of it may stop what is stored or raised of others."""
    place.report(muted_until=time.time() + HOUR_S)
    event = leak(NOW - 6 * 365 * 24 * HOUR_S, 1)
    for _ in range(2):
        place.store(event)
        place.turn("LEAK", "OK")
        place.history.sweep(time.time(), 5 * 365 * 24 * HOUR_S)
    assert place.history.refused == 0
    place.store(event)
    place.report()
    place.look()
    assert place.told() == [event.id]

"""Ends of alerts that come only after a warning."""

import time

import pytest

from tests.dashboard.quiet.place import Place

HOUR_S = 3600.0


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

"""A muted node on both databases: what still stands when the mute ends is told then, once, of whatever kind it is."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.alerting.alerts import Alerts
from leakear.dashboard.history import event_row
from leakear.dashboard.history.rows import BACK, LOST
from leakear.dashboard.quiet.calendar import by_hand
from tests.dashboard.quiet.place import KEY, NOW, Place, leak
from tests.dashboard.test_notify import Hook
from tests.support.harness import until

HOUR_S = 3600.0
ALERTS = ("LEAK", "SENSOR_FAULT", LOST, "dropped")
"""what somebody is told of"""
ENDS = {"LEAK": "OK", "SENSOR_FAULT": "OK", LOST: BACK}


def begin(place: Place, kind: str, from_state: str = "OK") -> str:
    """An alert begins; return the id of its event."""
    if kind == LOST:
        return place.presence(LOST)
    if kind == "dropped":
        event = replace(leak(time.time(), 7, "OK", "OK"), kind="dropped", dropped=3)
        return str(place.store(event)["id"])
    return place.turn(from_state, kind)


def end(place: Place, kind: str) -> str:
    """The alert is over; return the id of the event that says so."""
    return place.presence(BACK) if kind == LOST else place.turn(kind, "OK")


@pytest.mark.parametrize("kind", ALERTS)
def test_an_alert_that_outlasts_the_mute_is_told_once_when_it_ends(place: Place, kind: str) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    alert = begin(place, kind)
    place.look()
    assert place.told() == []
    place.report()
    place.look()
    place.look()
    assert place.told() == [alert]


@pytest.mark.parametrize("kind", ENDS)
def test_an_alert_that_ends_during_the_mute_is_told_to_nobody_and_neither_is_its_end(place: Place, kind: str) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    begin(place, kind)
    end(place, kind)
    place.report()
    place.look()
    assert place.told() == []


@pytest.mark.parametrize("kind", ENDS)
def test_the_end_of_an_alert_that_was_told_is_told_when_the_mute_ends(place: Place, kind: str) -> None:
    alert = begin(place, kind)
    place.report(muted_until=time.time() + HOUR_S)
    clear = end(place, kind)
    place.look()
    assert place.told() == [alert]
    place.report()
    place.look()
    assert place.told() == [alert, clear]


def test_an_end_is_told_at_once_where_the_mute_is_over(place: Place) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    fault = place.turn("OK", "SENSOR_FAULT")
    place.report()
    place.look()
    clear = place.turn("SENSOR_FAULT", "OK")
    assert place.told() == [fault, clear]


@pytest.mark.parametrize("together", [True, False])
def test_changes_within_one_millisecond_have_the_order_of_their_numbers(place: Place, together: bool) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    changes = (("OK", "LEAK"), ("LEAK", "OK"), ("OK", "WARNING"), ("WARNING", "LEAK"))
    rows = [event_row(leak(NOW, seq, *change), time.time()) for seq, change in enumerate(changes, 1)]
    for batch in [rows] if together else [[row] for row in rows]:
        place.history.record(batch, place.raising.addresses)
    place.report()
    place.look()
    assert place.told() == [rows[-1]["id"]]


def test_a_warning_is_told_to_nobody_muted_or_not(place: Place) -> None:
    place.turn("OK", "WARNING")
    place.report(muted_until=time.time() + HOUR_S)
    place.turn("OK", "WARNING")
    place.report()
    place.look()
    assert place.told() == []


def test_a_leak_that_outlasts_the_mute_opens_its_case_then(place: Place) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    event = leak(time.time(), 1)
    assert place.store(event)["quiet"] == "mute"
    assert place.raise_what_is_due(time.time() + 60) == []
    assert place.cases.page("open") == []
    (raised,) = place.raise_what_is_due(time.time() + HOUR_S + 1)
    assert (raised["id"], place.told()) == (event.id, [event.id])
    assert [case["event_id"] for case in place.cases.page("open")] == [event.id]
    (shown,) = place.history.node_events(KEY, 0.0)
    assert (shown["quiet"], shown["held"]) == ("mute", "raised")


def test_a_leak_that_was_judged_a_false_alarm_during_the_mute_is_told_to_nobody(place: Place) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    alert = begin(place, "LEAK")
    Alerts(place.engine, place.history).judge(alert, "ana", "false-alarm", "", "")
    place.report()
    place.look()
    assert place.told() == []
    assert place.cases.page() == []
    end(place, "LEAK")
    place.look()
    assert place.told() == []


def test_a_leak_whose_verdict_is_taken_back_is_told(place: Place) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    alert = begin(place, "LEAK")
    for verdict in ("false-alarm", "unknown"):
        Alerts(place.engine, place.history).judge(alert, "ana", verdict, "", "")
        place.report()
        place.look()
        assert place.told() == ([] if verdict == "false-alarm" else [alert])


def test_what_was_told_before_the_mute_is_not_told_again(place: Place) -> None:
    alert = place.turn("OK", "SENSOR_FAULT")
    place.report(muted_until=time.time() + HOUR_S)
    place.report()
    place.look()
    assert place.told() == [alert]


def test_a_leak_and_the_fault_that_hides_it_are_both_told(place: Place) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    alerts = [place.turn("WARNING", "LEAK"), place.turn("LEAK", "SENSOR_FAULT"), place.presence(LOST)]
    place.report()
    place.look()
    assert place.told() == alerts


@pytest.mark.parametrize("kind", ENDS)
def test_of_several_ends_during_the_mute_the_last_is_told(place: Place, kind: str) -> None:
    alert = begin(place, kind)
    place.report(muted_until=time.time() + HOUR_S)
    end(place, kind)
    begin(place, kind)
    clear = end(place, kind)
    place.report()
    place.look()
    assert place.told() == [alert, clear]


@pytest.mark.parametrize("kind", ENDS)
def test_no_end_is_told_of_what_began_again_during_the_mute(place: Place, kind: str) -> None:
    first = begin(place, kind)
    place.report(muted_until=time.time() + HOUR_S)
    end(place, kind)
    second = begin(place, kind)
    place.report()
    place.look()
    assert place.told() == [first, second]
    last = end(place, kind)
    assert place.told() == [first, second, last]


def test_an_end_is_told_although_a_warning_followed_it(place: Place) -> None:
    alert = place.turn("WARNING", "LEAK")
    place.report(muted_until=time.time() + HOUR_S)
    clear = place.turn("LEAK", "OK")
    place.turn("OK", "WARNING")
    place.report()
    place.look()
    assert place.told() == [alert, clear]


def test_the_end_of_a_fault_that_was_told_is_told_although_a_leak_followed_it_in_a_quiet_time(place: Place) -> None:
    place.quiet.add(*KEY, "filling", [by_hand("", NOW - 600, NOW + 4 * HOUR_S, "UTC", "")], who="ana")
    fault = place.turn("OK", "SENSOR_FAULT")
    place.turn("SENSOR_FAULT", "LEAK")
    clear = place.turn("LEAK", "OK")
    assert place.told() == [fault, clear]


def test_a_leak_of_a_quiet_time_waits_on_while_its_node_is_muted(place: Place) -> None:
    until = time.time() + HOUR_S
    place.quiet.add(*KEY, "filling", [by_hand("", NOW - 600, until, "UTC", "")], who="ana")
    event = leak(time.time(), 1)
    assert place.store(event)["quiet"] == "filling"
    place.report(muted_until=until + HOUR_S)
    assert place.raise_what_is_due(until + 1) == []
    assert [row["id"] for row in place.raise_what_is_due(until + HOUR_S + 1)] == [event.id]


def test_a_quiet_time_holds_back_the_leak_alone_when_the_mute_ends(place: Place) -> None:
    place.quiet.add(*KEY, "filling", [by_hand("", NOW - 600, NOW + 4 * HOUR_S, "UTC", "")], who="ana")
    place.report(muted_until=time.time() + HOUR_S)
    place.turn("WARNING", "LEAK")
    fault = place.turn("LEAK", "SENSOR_FAULT")
    place.report()
    place.look()
    assert place.told() == [fault]


@pytest.mark.parametrize("kind", ALERTS)
def test_after_a_restart_a_mute_holds_until_the_end_that_was_known(place: Place, kind: str) -> None:
    until = time.time() + HOUR_S
    place.report(muted_until=until)
    alert = begin(place, kind)
    place.restart()
    assert place.raise_what_is_due(until - 10) == []
    assert [row["id"] for row in place.raise_what_is_due(until + 1)] == [alert]


def test_after_a_restart_what_comes_before_the_report_is_held_back_with_what_is_held_back(place: Place) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    alerts = [place.turn("WARNING", "LEAK")]
    place.restart()
    alerts.append(place.turn("LEAK", "SENSOR_FAULT"))
    place.look()
    assert place.told() == []
    place.report()
    place.look()
    assert place.told() == alerts


def test_where_no_mute_is_known_an_alert_is_told_at_once(place: Place) -> None:
    """Events may come before the node's report: too much rather than too little."""
    alert = place.turn("WARNING", "LEAK")
    assert place.told() == [alert]


def test_a_mute_that_is_prolonged_holds_on_and_after_a_restart_too(place: Place) -> None:
    until = time.time() + HOUR_S
    place.report(muted_until=until)
    alert = place.turn("OK", "SENSOR_FAULT")
    place.report(muted_until=until + HOUR_S)
    assert place.raise_what_is_due(until - 10) == []
    place.restart()
    assert place.raise_what_is_due(until + 10) == []
    assert [row["id"] for row in place.raise_what_is_due(until + HOUR_S + 1)] == [alert]


def test_of_two_servers_one_raises(engine: Any, tmp_path: Path) -> None:
    """The one that leads looks; should another take over meanwhile, nobody is told twice."""
    one, other = Place(engine, tmp_path), Place(engine, tmp_path)
    for each in (one, other):
        each.report(muted_until=time.time() + HOUR_S)
    alert = one.turn("OK", "SENSOR_FAULT")
    for each in (one, other):
        each.report()
        each.look()
    assert one.told() == [alert]


def test_what_is_raised_keeps_what_a_person_has_noted_meanwhile(place: Place) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    alert = place.turn("OK", "SENSOR_FAULT")
    Alerts(place.engine, place.history).acknowledge(alert, "ana")
    place.report()
    place.look()
    (shown,) = [message["row"] for message in place.shown if message["t"] == "alert"]
    assert (shown["id"], shown["held"], shown["acknowledged_by"]) == (alert, "raised", "ana")


def test_the_loss_of_a_node_that_was_taken_out_of_service_meanwhile_is_told_to_nobody(place: Place) -> None:
    place.report(muted_until=time.time() + HOUR_S)
    water = place.turn("WARNING", "LEAK")
    place.presence(LOST)
    place.fleet.forget(KEY)
    place.raising.holding.forget(KEY, time.time())
    place.raise_what_is_due(time.time() + HOUR_S + 1)
    assert place.told() == [water]


def test_an_alert_that_was_held_back_for_days_is_sent_and_not_given_up_as_too_old(place: Place) -> None:
    then = time.time() - 3 * 24 * HOUR_S
    with Hook().open() as hook:
        place.tell_to(hook.url)
        place.report(muted_until=time.time() - 60)
        place.history.record([event_row(leak(then, 1), then)], place.raising.addresses)
        assert place.told() == []
        place.look()

        async def run() -> None:
            job = asyncio.create_task(place.notifier.run())
            await asyncio.to_thread(until, hook.told, "the notification", 20)
            job.cancel()

        asyncio.run(run())
        assert len(hook.got) == 1
    assert "while the alerts of the node were muted" in hook.got[0]["message"]

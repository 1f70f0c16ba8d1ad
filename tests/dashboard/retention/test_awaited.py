"""What is too old, and still waited for, stays: an alert that is held back, or that could not be sent yet."""

import time
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.history import event_row, partitions
from leakear.dashboard.quiet.calendar import by_hand
from tests.dashboard.quiet.place import KEY, Place, leak

DAY = 86400.0
THEN = time.time() - 70 * DAY
"""in a month that has ended long ago"""


@pytest.fixture
def place(engine: Any, tmp_path: Path) -> Place:
    """A dashboard with partitions for back then, where the database has any."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            partitions.divide(connection, partitions.EVENTS, "events", THEN, THEN + 1)
    return Place(engine, tmp_path)


def test_a_leak_that_is_held_back_for_longer_than_events_are_kept_is_raised(place: Place) -> None:
    now = time.time()
    place.quiet.add(*KEY, "filling", [by_hand("", now - 20 * DAY, now + 60, "UTC", "")], who="ana")
    event = leak(THEN, 1)
    place.history.record([event_row(event, now - DAY)], place.raising.addresses)
    place.history.sweep(now, 7 * DAY)
    assert [row["id"] for row in place.raise_what_is_due(now + 120)] == [event.id]
    place.history.sweep(now, 7 * DAY)
    assert place.told() == [event.id]
    place.notifications.done([event.id], *place.notifier.addresses)
    place.history.sweep(now, 7 * DAY)
    assert place.history.node_events(KEY, 0.0) == []


def test_an_alert_that_waits_for_its_address_stays_until_it_is_sent(place: Place) -> None:
    event = leak(THEN, 1)
    place.store(event)
    place.history.sweep(time.time(), 7 * DAY)
    assert place.told() == [event.id]

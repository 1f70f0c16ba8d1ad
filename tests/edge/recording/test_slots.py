"""Slots of the night: the same at every node of a place, whatever it heard before."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from leakear.edge.recording.slots import next_slot

NIGHT = (120, 240)  # 02:00 to 04:00
LISBON = ZoneInfo("Europe/Lisbon")


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def texts(start: float, count: int, zone: ZoneInfo, night: tuple[int, int] = NIGHT) -> list[str]:
    found = []
    for _ in range(count):
        start = next_slot(start, night, zone, 4)
        found.append(datetime.fromtimestamp(start, UTC).isoformat()[:16])
    return found


def test_slots_are_spread_over_the_night_in_the_places_own_time() -> None:
    summer = ["2026-07-01T01:00", "2026-07-01T01:30", "2026-07-01T02:00", "2026-07-01T02:30", "2026-07-02T01:00"]
    assert texts(utc("2026-06-30T12:00"), 5, LISBON) == summer
    assert texts(utc("2026-01-10T12:00"), 1, LISBON) == ["2026-01-11T02:00"]


def test_a_night_over_midnight() -> None:
    found = texts(utc("2026-01-10T12:00"), 4, LISBON, (23 * 60, 3 * 60))
    assert found == ["2026-01-10T23:00", "2026-01-11T00:00", "2026-01-11T01:00", "2026-01-11T02:00"]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_two_nodes_agree_in_nights_in_which_the_clocks_change(day: str) -> None:
    """Whatever they asked last: the node that was started at midnight finds the same slots."""
    noon, midnight = utc(f"{day}T00:00") - 43200, utc(f"{day}T00:00")
    assert texts(noon, 6, LISBON)[-4:] == texts(midnight, 6, LISBON)[-4:]


def test_the_zone_of_the_system_is_used_without_one() -> None:
    start = next_slot(utc("2026-01-10T12:00"), NIGHT, None, 4)
    assert start > utc("2026-01-10T12:00")
    assert datetime.fromtimestamp(start).astimezone().hour == 2

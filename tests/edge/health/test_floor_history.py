"""Floor history: the hours of a week, and what they say of the noise floor."""

import json

import pytest

from leakear.edge.health.floor_history import ENOUGH, HOURS, LOUD_DBFS, FloorHistory, Hour


def history(*hours: Hour) -> FloorHistory:
    made = FloorHistory()
    for hour in hours:
        made.add(hour)
    return made


def steady(count: int, level: float = -60.0, start: int = 0, *, leak_free: bool = True) -> list[Hour]:
    return [Hour(start + number, level, 8000.0, level + 10, leak_free) for number in range(count)]


def test_windows_of_one_hour_become_one_row() -> None:
    windows = [Hour(6, -61, 8000, -51), Hour(7, -60, 8000, -50), Hour(7, -65, 7000, -55), Hour(7, -62, 9000, -40)]
    assert history(*windows).snapshot()["hours"] == [
        [6, -61, 8000, -51, True],
        [7, -65, 9000, -40, True],
    ]


@pytest.mark.parametrize("flags", [(True, False), (False, True)])
def test_one_suspected_window_marks_its_hour(flags: tuple[bool, bool]) -> None:
    rows = history(*(Hour(7, -60, 8000, -50, free) for free in flags)).snapshot()["hours"]
    assert rows[0][4] is False


def test_a_week_is_kept() -> None:
    rows = history(*steady(HOURS + 2)).snapshot()["hours"]
    assert [rows[0][0], rows[-1][0], len(rows)] == [2, HOURS + 1, HOURS]


def test_there_is_a_floor_at_once_and_statistics_after_a_day() -> None:
    assert FloorHistory().floor_dbfs is None
    short, day = history(*steady(ENOUGH - 1)), history(*steady(ENOUGH))
    assert (short.floor_dbfs, short.quietest_dbfs, short.bandwidth_hz, short.drift_db) == (-60, None, None, None)
    assert (day.floor_dbfs, day.quietest_dbfs, day.bandwidth_hz, day.drift_db) == (-60, -60, 8000, 0)


def test_the_floor_is_that_of_this_hour_and_the_one_before() -> None:
    assert history(Hour(1, -70, 1, 0), Hour(2, -60, 1, 0), Hour(3, -50, 1, 0)).floor_dbfs == -60


def test_the_drift_is_measured_from_the_median() -> None:
    assert history(*steady(10, -80), *steady(20, -60, 10), *steady(2, -50, 30)).drift_db == pytest.approx(10)


def test_the_bandwidth_is_the_median_of_the_week() -> None:
    assert history(*(Hour(number, -60, 100.0 * number, 0) for number in range(101))).bandwidth_hz == 5000


def test_the_quietest_level_ignores_hours_with_a_suspected_leak() -> None:
    assert history(*steady(30), *steady(100, -45, 30, leak_free=False)).quietest_dbfs == -60


def test_the_first_week_stays_the_reference_when_later_weeks_are_quieter() -> None:
    faded = history(*steady(HOURS), *steady(HOURS, -80, HOURS))
    assert faded.quietest_dbfs == -60
    assert history(*steady(HOURS), *steady(HOURS, -50, HOURS)).quietest_dbfs == -50


def test_the_range_needs_as_many_hours_and_covers_only_those() -> None:
    made = history(Hour(0, -90, 1, 0.0), *steady(5, start=1))
    assert made.range_dbfs(7) is None
    assert made.range_dbfs(6) == (-90, 0)
    assert made.range_dbfs(5) == (-60, -50)


def test_a_snapshot_restores_the_history() -> None:
    saved = json.loads(json.dumps(history(*steady(HOURS), *steady(9, -80, HOURS, leak_free=False)).snapshot()))
    again = FloorHistory()
    again.restore(saved)
    assert again.snapshot() == saved
    assert again.quietest_dbfs == -60


def test_rows_of_an_older_version_are_loud_and_without_suspicion() -> None:
    again = FloorHistory()
    again.restore({"hours": [[number, -60, 8000] for number in range(HOURS + 1)]})
    assert again.snapshot()["hours"][0] == [1, -60.0, 8000.0, LOUD_DBFS, True]
    assert again.snapshot()["first_dbfs"] is None


@pytest.mark.parametrize("saved", [{}, {"hours": [[1]]}, {"hours": [["x", 1, 2]]}, {"hours": [], "first_dbfs": "x"}])
def test_a_damaged_snapshot_is_refused_and_changes_nothing(saved: object) -> None:
    made = history(*steady(3))
    before = made.snapshot()
    with pytest.raises((ValueError, TypeError, KeyError)):
        made.restore(saved)
    assert made.snapshot() == before

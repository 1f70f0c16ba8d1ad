"""The levels of a night: once a night, in the place's own time, over restarts; a deaf night is told, too."""

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakear.edge.decision.night_levels import BINS, NightLevels, NightLog
from leakear.edge.decision.nights import local_time
from leakear.edge.decision.observation import Observation
from leakear.edge.decision.rule import DecisionRule
from leakear.edge.decision.state_machine import Decision

HOURS = (120, 240)
STEP = 60.0
BANDS = np.linspace(-80, -90, 25).astype(np.float32)
BANDS[13] = -60.0  # 630 Hz


def hear(
    log: NightLog, first: datetime, levels: list[float | None], zone: str = "UTC", hours: tuple[int, int] = HOURS
) -> list[NightLevels]:
    """Hear one window a minute from a time on; None: a window without a score."""
    closed = []
    for number, level in enumerate(levels):
        utc = (first + timedelta(minutes=number)).timestamp()
        score = None if level is None else 0.1
        seen = Observation(time_s=utc, utc=utc, step_s=STEP, score=score, dbmin=level, quiet=BANDS)
        night = log.update(local_time(utc, ZoneInfo(zone)), seen, hours)
        closed += [night] if night else []
    return closed


def night_of(day: int, *levels: float | None) -> NightLevels:
    (found,) = hear(NightLog(), datetime(2026, 3, day, 1, 50, tzinfo=UTC), [-50.0] * 10 + list(levels) + [-50.0] * 20)
    return found


def test_a_night_has_its_lowest_level_spread_steadiness_and_loudest_band() -> None:
    found = night_of(3, *[-60.0] * 84, *[-58.0] * 24, *[-70.0] * 12)
    assert date.fromordinal(found.day) == date(2026, 3, 3)
    assert (found.level_dbfs, found.spread_db, found.steadiness, found.judged) == (-70.0, 12.0, 0.7, 1.0)
    assert found.hz == pytest.approx(630, rel=0.01)
    assert found.histogram_from_dbfs == -70
    assert [(at, count) for at, count in enumerate(found.histogram) if count] == [(0, 12), (10, 84), (12, 24)]
    assert found.last_utc - found.first_utc == 119 * 60


def test_only_what_was_judged_counts() -> None:
    found = night_of(3, *[-60.0] * 30, *[None] * 90)
    assert (found.judged, found.level_dbfs) == (0.25, -60.0)
    assert sum(found.histogram) == 30


def test_a_deaf_night_is_told() -> None:
    found = night_of(3, *[None] * 120)
    assert (found.judged, found.level_dbfs, found.spread_db, found.hz, found.histogram) == (0.0, None, None, None, ())


def test_what_is_much_louder_counts_in_the_last_bin() -> None:
    found = night_of(3, *[-100.0] * 119, -10.0)
    assert len(found.histogram) == BINS
    assert found.histogram[-1] == 1


@pytest.mark.parametrize(
    ("zone", "day", "windows"),
    [
        ("America/Sao_Paulo", datetime(2026, 3, 3, 5, tzinfo=UTC), 120),
        ("Europe/Lisbon", datetime(2026, 3, 29, 1, tzinfo=UTC), 120),
    ],
)  # fmt: skip
def test_the_hours_are_those_of_the_place(zone: str, day: datetime, windows: int) -> None:
    (found,) = hear(NightLog(), day - timedelta(hours=1), [-60.0] * 300, zone)
    assert sum(found.histogram) == windows
    assert found.first_utc == day.timestamp()


def test_a_night_over_midnight_is_one_night_and_has_the_date_of_its_beginning() -> None:
    first = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)
    (found,) = hear(NightLog(), first, [-60.0] * 480, hours=(23 * 60, 60 * 5))
    assert date.fromordinal(found.day) == date(2026, 3, 3)
    assert sum(found.histogram) == 360


def test_a_clock_set_back_reports_no_night_twice() -> None:
    log, first = NightLog(), datetime(2026, 3, 3, 1, 50, tzinfo=UTC)
    assert len(hear(log, first, [-60.0] * 150)) == 1
    assert not hear(log, first, [-60.0] * 150)
    assert len(hear(log, first + timedelta(days=1), [-60.0] * 150)) == 1


def test_nights_are_told_after_a_clock_that_was_a_year_ahead() -> None:
    log, first = NightLog(), datetime(2026, 3, 3, 1, 50, tzinfo=UTC)
    assert len(hear(log, first + timedelta(days=365), [-60.0] * 150)) == 1
    for day in range(3):
        assert len(hear(log, first + timedelta(days=day), [-60.0] * 150)) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 149), st.lists(st.one_of(st.none(), st.floats(-90, -20)), min_size=150, max_size=150))
def test_a_restart_changes_nothing(cut: int, levels: list[float | None]) -> None:
    first = datetime(2026, 3, 3, 1, 50, tzinfo=UTC)
    log = NightLog()
    before = hear(log, first, levels[:cut])
    again = NightLog()
    again.restore(json.loads(json.dumps(log.snapshot())))
    after = hear(again, first + timedelta(minutes=cut), levels[cut:])
    assert before + after == hear(NightLog(), first, levels)


@pytest.mark.parametrize("damage", [{"day": "x"}, {"seconds": [1]}, {"bands": [1.0]}, {"counts": [1]}, {"heard": None}])
def test_a_foreign_snapshot_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        NightLog().restore(NightLog().snapshot() | damage)


def test_a_state_saved_before_there_were_night_levels_is_restored() -> None:
    decision = Decision(DecisionRule(time_zone="UTC"))
    saved = decision.snapshot()
    del saved["night_log"]
    Decision(DecisionRule(time_zone="UTC")).restore(saved, 0.0, 0.0)

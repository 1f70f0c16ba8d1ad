"""Nights: two risen nights of three are a leak, one is a warning, two quiet ones end it; uses of one night are none."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakear.edge.background.background import Excess
from leakear.edge.background.night_rule import FEWEST
from leakear.edge.background.third_octaves import CENTRES_HZ
from leakear.edge.decision.nights import GONE_S, LOUD_DB, SINCE_INSTALLATION, UNLIKE, Night, Nights, local_time
from leakear.edge.decision.observation import Observation, State

STEP = 600.0
BAND = 14
LEVEL_DB = -60.0
RISE_DB = 4.0
"""More than the limit of a place that does not vary, and less than LOUD_DB."""
FAINT_DB = 0.3
BEGAN = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOURS = (120, 240)
WITH = np.where(np.arange(25) // 2 == BAND // 2, LEVEL_DB, -90.0).astype(np.float32)
WITHOUT = WITH - np.float32(RISE_DB)


class Place:
    """Nights of a node, in windows of ten minutes."""

    def __init__(self, zone: str = "UTC", began: datetime = BEGAN, hours: tuple[int, int] = HOURS) -> None:
        self.nights, self.zone, self.hours, self.utc = Nights(), ZoneInfo(zone), hours, began
        self.closed: list[Night] = []

    def hear(self, hours: float, step_s: float = STEP, **window: Any) -> list[Night]:
        """Hear the same for some hours; return the nights that ended."""
        closed = []
        for _ in range(round(hours * 3600 / step_s)):
            self.utc += timedelta(seconds=step_s)
            closed += self.window(step_s, **window)
        return closed

    def window(
        self, step_s: float, db: float | None = FAINT_DB, score: float | None = 0.1, apart_db: float = 0.0, **more: Any
    ) -> list[Night]:
        excess = (
            None if db is None else Excess(db, float(CENTRES_HZ[BAND]), weather=False, band=BAND, level_db=LEVEL_DB)
        )
        time_s = self.utc.timestamp()
        seen = Observation(
            time_s=time_s, utc=time_s, step_s=step_s, score=score, excess=excess, apart_db=apart_db, **more
        )
        night = self.nights.update(local_time(time_s, self.zone), seen, 0.5, self.hours)
        self.closed += [night] if night else []
        return [night] if night else []

    def until(self, hour: int, minute: int) -> None:
        """Hear nothing new until a time of the day, UTC."""
        while (self.utc.hour, self.utc.minute) != (hour, minute):
            self.hear(STEP / 3600)

    def days(self, *nights: float, score: float = 0.1, hours: float = 2.0) -> list[str]:
        """Hear one day for each excess, dB, which stands for some hours from two at night on; return the states."""
        states = []
        for db in nights:
            self.until(1, 50)
            self.hear(hours + STEP / 3600, db=db, score=score)
            self.hear(5.0 - hours)
            states.append(self.nights.state.value)
        return states


def known(nights: int = 7) -> Place:
    """A place at which nothing ever changed."""
    place = Place()
    assert set(place.days(*[FAINT_DB] * nights)) == {"OK"}
    return place


def test_two_risen_nights_of_three_are_a_leak_and_two_quiet_ones_end_it() -> None:
    place = known()
    assert place.nights.limit_db < RISE_DB
    assert place.days(RISE_DB, RISE_DB, FAINT_DB, FAINT_DB) == ["WARNING", "LEAK", "LEAK", "OK"]
    assert place.nights.reason == "two nights without it"
    place = known()
    assert place.days(RISE_DB, FAINT_DB, RISE_DB, FAINT_DB, FAINT_DB) == ["WARNING", "WARNING", "LEAK", "LEAK", "OK"]


def test_two_risen_nights_far_apart_are_no_leak() -> None:
    assert known().days(RISE_DB, FAINT_DB, FAINT_DB, RISE_DB, FAINT_DB, FAINT_DB) == [
        "WARNING",
        "WARNING",
        "OK",
        "WARNING",
        "WARNING",
        "OK",
    ]


def test_the_reason_names_excess_frequency_limit_and_nights() -> None:
    place = known()
    limit = place.nights.limit_db
    place.days(RISE_DB)
    assert place.nights.reason == (
        f"{RISE_DB} dB over the background through the night around {place.nights.last[-1].hz:.0f} Hz "
        f"(limit of this node {limit:.1f} dB, 8 nights known)"
    )
    place.days(RISE_DB)
    assert "dB over the background in 2 of 3 nights around" in place.nights.reason
    assert place.nights.last[-1].hz == pytest.approx(np.sqrt(CENTRES_HZ[BAND] * CENTRES_HZ[BAND + 1]))


def test_one_night_of_a_long_use_neither_alarms_nor_raises_the_limit() -> None:
    place = known()
    before = place.nights.limit_db
    assert "LEAK" not in place.days(5.5, *[FAINT_DB] * 6)
    assert place.nights.limit_db <= before
    assert "LEAK" not in place.days(5.5, FAINT_DB)


def test_a_use_of_an_hour_and_a_half_does_not_stand_through_the_night() -> None:
    place = known()
    place.days(RISE_DB, hours=1.3)
    assert place.nights.state is State.OK
    assert place.nights.last[-1].excess_db == FAINT_DB


def test_the_limit_is_learnt_from_nights_below_it_and_never_from_risen_ones() -> None:
    place = known(4)
    before = place.nights.limit_db
    below = before - 0.2
    assert set(place.days(*[below] * 5)) == {"OK"}
    assert place.nights.limit_db > before
    limit = place.nights.limit_db
    assert place.days(*[5.9] * 6)[1:] == ["LEAK"] * 5
    assert place.nights.limit_db <= limit, "a leak never raises it"


@pytest.mark.parametrize(("nights", "state"), [(FEWEST - 1, "OK"), (FEWEST, "WARNING")])
def test_the_first_nights_raise_nothing(nights: int, state: str) -> None:
    place = known(nights)
    assert place.days(5.9) == [state]
    assert (place.nights.last[-1].limit_db is None) == (state == "OK")


@pytest.mark.parametrize(
    ("excess", "score", "risen"),
    [
        (RISE_DB, 0.0, True),
        (LOUD_DB, UNLIKE, True),
        (LOUD_DB, UNLIKE - 0.01, False),
        (LOUD_DB - 0.01, 0.0, True),
        (1.99, 1.0, False),
        (2.0, 1.0, False),
        (2.01, 1.0, True),
    ],
)
def test_a_loud_night_that_is_unlike_a_leak_is_not_risen(excess: float, score: float, risen: bool) -> None:
    assert Night(1, excess, BAND, LEVEL_DB, score, 2.0).risen is risen
    assert not Night(1, excess, BAND, LEVEL_DB, score, None).risen


def test_the_night_has_what_it_was_judged_on() -> None:
    place = Place()
    place.days(*[FAINT_DB] * 3)
    limit = place.nights.limit_db
    place.days(RISE_DB, score=0.4)
    (*_, night) = place.closed
    assert night == Night((BEGAN + timedelta(days=4)).toordinal(), RISE_DB, BAND, LEVEL_DB, pytest.approx(0.4), limit)


def test_a_sound_that_is_gone_for_an_hour_ends_it() -> None:
    place = known()
    place.days(RISE_DB, RISE_DB)
    assert place.nights.state is State.LEAK
    place.hear(3.0, quiet=WITH)
    place.hear(GONE_S / 3600 / 2, quiet=WITHOUT)
    place.hear(0.5, quiet=WITH)
    place.hear((GONE_S - STEP) / 3600, quiet=WITHOUT)
    place.hear(1.0)  # nothing known
    assert place.nights.state is State.LEAK
    place.hear(STEP / 3600, quiet=WITHOUT)
    assert place.nights.state is State.OK
    assert place.nights.reason == "what rose in the night is no longer heard"
    assert place.days(FAINT_DB) == ["OK"]


def test_a_part_of_the_sound_that_is_left_does_not_end_it() -> None:
    place = known()
    place.days(RISE_DB, RISE_DB)
    place.hear(10.0, quiet=WITHOUT + np.float32(0.2 * RISE_DB))
    assert place.nights.state is State.LEAK


def test_a_leak_since_installation_is_a_warning_from_the_second_night_on_and_stays() -> None:
    place = Place()
    states = place.days(*[0.0] * 9, score=0.9)
    assert states == ["OK", *["WARNING"] * 8]
    assert place.nights.reason == "sounds like a leak in every night since installation"
    place.hear(10.0, quiet=WITHOUT)
    assert place.nights.state is State.WARNING, "no sound that rose, so none that is gone"
    assert place.days(0.0, score=0.1) == ["OK"]
    assert set(place.days(*[0.0] * 3, score=0.9)) == {"OK"}, "not since installation any more"


def test_a_leak_since_installation_needs_no_background() -> None:
    place = Place()
    place.hear(24 * 3, db=None, score=0.9)
    assert (place.nights.state, place.nights.known) == (State.WARNING, 3)
    assert place.closed == []


def test_most_of_each_first_night_must_sound_like_a_leak() -> None:
    place = Place()
    for _ in range(4):
        place.hear(24 * SINCE_INSTALLATION * 0.95, score=0.9)
        place.hear(24 * (1 - SINCE_INSTALLATION * 0.95), score=0.1)
    place.days(0.0)
    assert place.nights.state is State.OK


def test_low_scores_of_low_confidence_do_not_say_that_there_was_no_leak() -> None:
    place = Place()
    place.days(0.0, 0.0, score=0.9)
    assert place.nights.state is State.WARNING
    place.hear(48, score=0.1, fault="floor_drift", low_confidence=True)
    assert (place.nights.state, place.nights.known) == (State.WARNING, 2)
    place.hear(24, score=0.9, fault="floor_drift", low_confidence=True)
    assert (place.nights.state, place.nights.known) == (State.WARNING, 3)


def test_what_a_person_calls_no_leak_ends_it_and_only_a_louder_one_is_found_again() -> None:
    place = known()
    place.days(RISE_DB, RISE_DB)
    place.nights.accept()
    assert place.nights.state is State.OK
    assert place.nights.reason == "a person has stated that there is no leak"
    assert set(place.days(*[RISE_DB] * 4)) == {"OK"}
    louder = place.nights.limit_db + 0.5
    assert place.days(louder, louder, score=0.5)[-1] == "LEAK"


def test_a_sound_accepted_since_installation_does_not_warn_again() -> None:
    place = Place()
    place.days(0.0, 0.0, 0.0, score=0.9)
    place.nights.accept()
    assert set(place.days(0.0, 0.0, 0.0, score=0.9)) == {"OK"}


@pytest.mark.parametrize(("judged", "counts"), [(0.45, False), (0.55, True)])
def test_half_of_the_night_must_be_judged(judged: float, counts: bool) -> None:
    place = known()
    place.until(1, 50)
    place.hear(1 / 6 + 2 * judged, step_s=60.0, db=RISE_DB)
    place.hear(2 * (1 - judged), step_s=60.0, db=None, score=None)
    place.hear(0.5)
    assert (place.nights.state is State.WARNING) == counts
    assert place.nights.known == 7 + counts


@pytest.mark.parametrize("first", [{"score": None, "db": None, "fault": "no_device"}, {}])
def test_the_first_window_after_the_night_may_be_of_any_length(first: dict[str, Any]) -> None:
    place = known()
    place.until(1, 50)
    place.hear(2.0, db=RISE_DB)
    place.utc += timedelta(hours=0.5)
    (night,) = place.window(0.0, **first)
    assert night.risen
    assert place.nights.state is State.WARNING


def test_a_node_that_is_off_until_the_next_night_does_not_join_two_nights() -> None:
    place = known()
    place.until(1, 50)
    place.hear(1.5, db=RISE_DB)
    place.utc += timedelta(hours=23.0)  # it is 02:20 of the next day
    (night,) = place.hear(0.5)
    assert (night.day, night.excess_db) == ((place.utc - timedelta(days=1)).toordinal(), RISE_DB)
    place.hear(2.0)
    assert place.closed[-1].day == place.utc.toordinal()
    assert place.closed[-1].excess_db == FAINT_DB


def test_a_night_over_midnight_is_one_night() -> None:
    place = Place(hours=(23 * 60, 2 * 60))
    place.hear(10.5)
    place.hear(3.9, db=RISE_DB)
    place.hear(20)
    (night,) = place.closed
    assert (night.day, night.excess_db) == (BEGAN.toordinal(), RISE_DB)


@pytest.mark.parametrize(
    ("zone", "began", "hours"),
    [
        ("Europe/Berlin", datetime(2026, 3, 26, 12, tzinfo=UTC), (120, 240)),
        ("Europe/Berlin", datetime(2026, 10, 22, 12, tzinfo=UTC), (120, 240)),
        ("Europe/Berlin", datetime(2026, 10, 22, 12, tzinfo=UTC), (90, 150)),  # 02:00 to 02:30 comes twice
        ("Europe/Lisbon", datetime(2026, 10, 22, 12, tzinfo=UTC), (30, 210)),
        ("America/New_York", datetime(2026, 3, 5, 12, tzinfo=UTC), (120, 240)),
        ("Asia/Kolkata", datetime(2026, 3, 5, 12, tzinfo=UTC), (120, 240)),
        ("Pacific/Auckland", datetime(2026, 4, 2, 12, tzinfo=UTC), (120, 240)),
    ],
)
def test_every_local_day_has_one_night_also_where_the_clock_changes(
    zone: str, began: datetime, hours: tuple[int, int]
) -> None:
    place = Place(zone, began, hours)
    place.hear(24 * 6)
    days = [night.day for night in place.closed]
    assert days == list(range(days[0], days[0] + 6))


def test_the_night_is_that_of_the_place() -> None:
    place = Place("Asia/Kolkata", datetime(2026, 3, 5, 12, tzinfo=UTC))
    place.hear(8.4)  # 20:30 UTC is 02:00 there
    assert place.closed == []
    place.hear(2.2, db=RISE_DB)
    assert place.closed[0].excess_db == RISE_DB
    assert local_time(0.0, None).utcoffset() is not None


def test_odd_nights_do_not_widen_the_limit_and_a_changing_place_does() -> None:
    calm, odd, changing = Place(), Place(), Place()
    for number in range(12):
        calm.hear(24, apart_db=0.2)
        odd.hear(24, apart_db=9.0 if number % 4 == 3 else 0.2)
        changing.hear(24, apart_db=3.0)
    assert odd.nights.limit_db == pytest.approx(calm.nights.limit_db, abs=0.2)
    assert changing.nights.limit_db > calm.nights.limit_db + 1


def test_a_risen_night_does_not_count_as_a_change_of_the_place() -> None:
    place = known()
    before = place.nights.variation.snapshot()
    place.until(1, 50)
    place.hear(2.0, db=RISE_DB, apart_db=9.0)
    place.hear(1.0)
    assert place.nights.state is State.WARNING
    assert place.nights.variation.snapshot() == before


def restored(nights: Nights) -> Nights:
    again = Nights()
    again.restore(json.loads(json.dumps(nights.snapshot())))
    return again


def scene(seed: int) -> list[dict[str, Any]]:
    """Windows of nine days in which everything happens."""
    rng = np.random.default_rng(seed)
    windows = []
    for day in range(9):
        db = float(rng.choice([FAINT_DB, 5.0, 5.0, 7.0])) if day > 3 else FAINT_DB
        score, left = float(rng.choice([0.1, 0.9])), rng.random() < 0.6
        for _ in range(48):
            heard = rng.random() < 0.9
            windows.append(
                {
                    "db": db + float(rng.normal(0, 0.2)) if heard else None,
                    "score": score if heard else None,
                    "apart_db": abs(float(rng.normal(0, 1))),
                    "quiet": WITH if left else WITHOUT,
                }
            )
    return windows


def states(windows: list[dict[str, Any]], cut: Callable[[int], bool]) -> list[tuple[str, str, tuple[Night, ...]]]:
    place, found = Place(), []
    for number, window in enumerate(windows):
        if cut(number):
            place.nights = restored(place.nights)
        before = place.nights.state
        place.hear(1 / 2, step_s=1800.0, **window)
        changed = place.nights.state is not before
        found.append((place.nights.state.value, place.nights.reason if changed else "", place.nights.last))
    return found


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 999), every=st.integers(1, 40))
def test_restarts_at_any_window_change_no_later_night(seed: int, every: int) -> None:
    windows = scene(seed)
    assert states(windows, lambda number: number % every == 0) == states(windows, lambda _: False)


def test_the_scenes_hold_every_state() -> None:
    """A property over days without an alert would prove nothing."""
    entered = [state for seed in range(4) for state, _, _ in states(scene(seed), lambda _: False)]
    assert set(entered) == {"OK", "WARNING", "LEAK"}


@pytest.mark.parametrize("damage", [{"last": [{"day": 1}]}, {"tonight": {}}, {"state": "WET"}, {"variation": ["x"]}])
def test_a_foreign_snapshot_is_refused_and_changes_nothing(damage: dict[str, Any]) -> None:
    nights = known(3).nights
    before = nights.snapshot()
    with pytest.raises((ValueError, TypeError, KeyError)):
        nights.restore(before | damage)
    assert nights.snapshot() == before

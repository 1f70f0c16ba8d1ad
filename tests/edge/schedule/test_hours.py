"""Listening hours: across midnight, through both clock changes, and what cannot be read."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakear.edge.errors import ConfigError
from leakear.edge.schedule import ScheduleOptions
from leakear.edge.settings import Settings, unheard_hours

LISBON = ZoneInfo("Europe/Lisbon")


def utc(text: str, zone: ZoneInfo = LISBON, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def until(at: str, *listen: str) -> str | None:
    found = ScheduleOptions(listen=listen).schedule(LISBON).asleep_until(utc(at))
    return None if found is None else datetime.fromtimestamp(found, LISBON).strftime("%d %H:%M")


def test_without_hours_it_always_listens() -> None:
    assert until("2026-11-29T12:00") is None
    assert (ScheduleOptions().longest_sleep_s, ScheduleOptions().schedule(LISBON).awake_s) == (0, 86400)


def test_it_listens_in_its_hours_and_knows_when_the_next_ones_begin() -> None:
    assert until("2026-11-29T01:59", "02:00-04:00") == "29 02:00"
    assert until("2026-11-29T02:00", "02:00-04:00") is None
    assert until("2026-11-29T03:59", "02:00-04:00") is None
    assert until("2026-11-29T04:00", "02:00-04:00") == "30 02:00"
    assert until("2026-11-29T05:00", "02:00-04:00", "12:00-12:30") == "29 12:00"
    assert ScheduleOptions(listen=("02:00-04:00", "03:00-05:00")).schedule(LISBON).awake_s == 3 * 3600
    assert ScheduleOptions(listen=("02:00-04:00",)).longest_sleep_s == 22 * 3600


def test_hours_across_midnight() -> None:
    assert until("2026-11-29T22:59", "23:00-01:00") == "29 23:00"
    assert until("2026-11-29T23:30", "23:00-01:00") is None
    assert until("2026-11-30T00:59", "23:00-01:00") is None
    assert until("2026-11-30T01:00", "23:00-01:00") == "30 23:00"
    assert until("2026-11-30T00:10", "22:00-00:00") == "30 22:00"


def heard(day: str, listen: str) -> float:
    """Hours listened within a local day."""
    schedule = ScheduleOptions(listen=(listen,)).schedule(LISBON)
    first = utc(f"{day}T00:00")
    following = datetime.fromisoformat(day) + timedelta(days=1)
    minutes = range(int(first), int(utc(following.isoformat())), 60)
    return sum(schedule.asleep_until(minute) is None for minute in minutes) / 60


def test_no_clock_change_shortens_listening() -> None:
    """Lisbon: 29 March 2026 01:00 → 02:00, 25 October 2026 02:00 → 01:00."""
    assert heard("2026-03-29", "01:00-02:00") == 1
    assert heard("2026-03-29", "00:30-02:30") == 2
    assert heard("2026-10-25", "01:00-02:00") == 2
    assert heard("2026-10-25", "00:30-02:30") == 3
    assert heard("2026-11-10", "01:00-02:00") == 1


@given(st.integers(0, 1439), st.integers(30, 1439), st.floats(utc("2026-01-01"), utc("2027-01-01")))
def test_it_always_wakes(first: int, length: int, at: float) -> None:
    begin, end = (timedelta(minutes=minute % 1440) for minute in (first, first + length))
    text = "-".join(f"{t.seconds // 3600:02d}:{t.seconds // 60 % 60:02d}" for t in (begin, end))
    schedule = ScheduleOptions(listen=(text,)).schedule(LISBON)
    wakes = schedule.asleep_until(at)
    assert wakes is None or (at < wakes <= at + 25 * 3600 and schedule.asleep_until(wakes) is None)


@pytest.mark.parametrize("text", ["", "2-4", "02:00", "02:00-02:00", "25:00-26:00", "02:00-02:20", "02:00-04:0a"])
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"\[schedule\] listen"):
        ScheduleOptions(listen=(text,))


def test_commands_wait_at_the_broker_for_the_waking() -> None:
    asleep = {"schedule": {"listen": ["02:00-04:00"]}}
    assert Settings.from_mapping(asleep, environment={}).mqtt.session_expiry_s == 23 * 3600
    assert Settings.from_mapping(asleep | {"mqtt": {"session_expiry_s": 5}}, environment={}).mqtt.session_expiry_s == 5
    assert Settings.from_mapping({}, environment={}).mqtt.session_expiry_s == 3600


@pytest.mark.parametrize(
    ("listen", "decision", "sentences"),
    [
        ([], {}, []),
        (["02:00-04:00"], {}, []),
        (["09:00-17:00"], {}, ["no night is ever compared"]),
        (["03:15-05:00"], {}, ["no night is ever compared"]),
        (["02:00-03:00"], {}, ["no night is ever compared"]),  # half of it: less some seconds, which is too little
        (["02:00-03:10"], {}, ["no night is ever compared"]),  # judged, and counted as known, but never compared
        (["02:00-02:40", "03:10-04:00"], {}, ["no night is ever compared"]),
        (["02:00-03:20"], {}, []),
        (["01:30-03:10"], {}, []),
        (["02:00-02:30", "02:30-04:00"], {}, []),
        (["02:00-03:10"], {"span_s": 600.0}, []),
        (["23:30-03:30"], {"night": "23:00-03:00"}, []),
        (["09:00-17:00"], {"rise_db": 0.0}, []),
        (["02:00-04:00"], {"quiet_hours": "12:00-13:00", "time_zone": "Europe/Lisbon"}, ["no LEAK is confirmed"]),
        (["02:00-04:00"], {"quiet_hours": "03:00-05:00", "time_zone": "Europe/Lisbon"}, []),
    ],
)
def test_hours_that_a_node_needs_and_sleeps_through_are_told(
    listen: list[str], decision: dict[str, object], sentences: list[str]
) -> None:
    found = unheard_hours(Settings.from_mapping({"schedule": {"listen": listen}, "decision": decision}, environment={}))
    assert len(found) == len(sentences)
    assert all(part in whole for part, whole in zip(sentences, found, strict=True))

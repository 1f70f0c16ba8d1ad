"""Background: an excess that lasts is found and never learned; what stops is learned."""

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from leakear.edge.background.background import STEADY_S, TRACE_S, Background, Excess, apart_db
from leakear.edge.background.entries import ENOUGH, EVERY_S, FIRST_DELAY
from leakear.edge.background.packed import packed
from leakear.edge.background.third_octaves import ABSENT_DB, CENTRES_HZ, Bands, quiet_levels
from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram.short_spectra import short_powers

STEP = 120.0
SPAN = 1800.0
COUNTS_DB = DecisionRule().rise_db
DAY = 86400.0


def surroundings(seconds: float, rng: np.random.Generator, leak: tuple[float, float, float] | None = None) -> Bands:
    """Levels of a place: traffic that is louder by day, over the sensor's noise. `leak`: dB SNR, from Hz, to Hz."""
    traffic = -40 - 20 * np.log10(CENTRES_HZ / 31) + 4 * np.sin(2 * np.pi * seconds / DAY) + rng.normal(0, 1)
    power = 10 ** (traffic / 10) + 10 ** (-75 / 10)
    if leak:
        db, low, high = leak
        quiet = -40 - 20 * np.log10(CENTRES_HZ / 31)
        here = (low <= CENTRES_HZ) & (high >= CENTRES_HZ)
        power = power + here * 10 ** ((np.maximum(quiet, -75) + db) / 10)
    return np.asarray(10 * np.log10(power) + rng.normal(0, 0.3, 25), np.float32)


def hear(
    background: Background,
    hours: float,
    *,
    start: float = 0.0,
    leak: tuple[float, float, float] | None = None,
) -> list[Excess | None]:
    rng = np.random.default_rng(int(start) + 1)
    times = start + np.arange(STEP, hours * 3600 + 1, STEP)
    return [background.update(t, STEP, surroundings(t, rng, leak)) for t in times.tolist()]


@cache
def three_days() -> tuple[dict[str, Any], float]:
    """The state of a node that has heard its place for three days, and the largest excess of the third."""
    background = Background(SPAN)
    excesses = hear(background, 72)
    first = next(number for number, excess in enumerate(excesses) if excess is not None)
    assert first * STEP == pytest.approx((ENOUGH + FIRST_DELAY) * EVERY_S, abs=3 * EVERY_S)
    return background.snapshot(), max(known(excesses))


def grown() -> Background:
    """A background that is known."""
    background = Background(SPAN)
    background.restore(three_days()[0])
    return background


def known(excesses: list[Excess | None]) -> list[float]:
    return [excess.db for excess in excesses if excess is not None]


def test_an_excess_is_reported_after_more_than_two_days() -> None:
    assert three_days()[1] < COUNTS_DB
    assert ENOUGH * EVERY_S > 2 * DAY


def test_there_is_no_excess_until_half_of_the_span_was_heard() -> None:
    rng = np.random.default_rng(3)
    background = Background(SPAN)
    week = [surroundings(EVERY_S * number, rng) for number in range(ENOUGH)]
    background.restore({"moments": packed(week), "pending": packed([]), "since_s": 0.0})
    excesses = hear(background, 1)
    assert [excess is None for excess in excesses] == [True] * 7 + [False] * 23
    assert [excess is None for excess in hear(background, 0.5, start=9 * DAY)] == [True] * 7 + [False] * 8


def test_a_faint_excess_that_lasts_is_found_with_its_frequency_and_ends() -> None:
    background = grown()
    excesses = hear(background, 2, start=3 * DAY, leak=(4.0, 600, 1700))
    last = excesses[-1]
    assert last is not None
    assert 2 < last.db < 7
    assert 600 < last.hz < 1700
    assert not last.weather
    after = hear(background, 1, start=3 * DAY + 7200)
    assert after[-1] is not None
    assert after[-1].db < 1


def test_a_use_shorter_than_the_span_is_no_excess() -> None:
    background = grown()
    hear(background, 0.5, start=3 * DAY - SPAN)
    excesses = known(hear(background, 25 / 60, start=3 * DAY, leak=(20.0, 200, 5000)))
    assert max(excesses) < COUNTS_DB


def test_a_sound_that_lasts_never_joins_the_background() -> None:
    background = grown()
    for day in range(3, 8):
        excesses = known(hear(background, 24, start=day * DAY, leak=(6.0, 600, 1700)))
        assert min(excesses[30:]) > 2
    assert len(background.entries.past) == len(grown().entries.past)


def test_a_sound_that_lasts_never_joins_though_a_machine_comes_and_goes_beside_it() -> None:
    background = grown()
    for hour in range(3 * 24, 6 * 24, 2):
        hear(background, 1, start=hour * 3600, leak=(14.0, 600, 4000))
        hear(background, 1, start=(hour + 1) * 3600, leak=(6.0, 600, 1700))
    last = hear(background, 1, start=6 * DAY, leak=(6.0, 600, 1700))[-1]
    assert last is not None
    assert last.db > 2


def test_a_sound_that_stops_joins_the_background_and_is_no_excess_again() -> None:
    background = grown()
    machine = (12.0, 600, 4000)
    first = hear(background, 4, start=3 * DAY, leak=machine)[-1]
    hear(background, 3, start=3 * DAY + 4 * 3600)
    assert background.entries.held == []
    again = hear(background, 4, start=4 * DAY, leak=machine)[-1]
    assert first is not None
    assert again is not None
    assert first.db > 5
    assert again.db < 1
    louder = hear(background, 1, start=4 * DAY + 4 * 3600, leak=(30.0, 600, 4000))[-1]
    assert louder is not None
    assert louder.db > 5


def test_an_accepted_sound_is_no_excess_and_a_louder_one_is() -> None:
    background = grown()
    hear(background, 1.2, start=3 * DAY, leak=(8.0, 600, 1700))
    background.accept()
    after = hear(background, 1, start=3 * DAY + 4320, leak=(8.0, 600, 1700))[-1]
    louder = hear(background, 1, start=3 * DAY + 8640, leak=(18.0, 600, 1700))[-1]
    assert after is not None
    assert louder is not None
    assert after.db < COUNTS_DB
    assert louder.db > 4


def test_what_is_held_back_later_has_the_sound_that_was_found() -> None:
    background = grown()
    hear(background, 3, start=3 * DAY)
    faint = np.asarray(background.now)
    background.hold_back(14, float(faint[14:16].mean()) + 3.0, 2.0)
    assert background.entries.held == [], "nothing was that loud"
    background.hold_back(14, float(faint[14:16].mean()) + 1.0, 2.0)
    assert background.entries.held != []


def test_a_half_hour_is_as_far_apart_from_the_past_as_from_its_most_similar_entry() -> None:
    past = np.full((3, 25), -60, np.float32)
    past[1] -= 9
    past[2, 14:16] += 4
    now = np.full(25, -60, np.float32)
    assert apart_db(now, past) == 0
    now[14:16] += 3
    assert apart_db(now, past) == pytest.approx(1.0), "up or down"
    now[14] += 20
    assert apart_db(now, past) == pytest.approx(1.0), "both of two bands"
    now[0] += 30
    assert apart_db(now, past) == pytest.approx(1.0), "bands that do not count"


def test_how_far_apart_is_known_after_the_first_entries() -> None:
    background = Background(SPAN)
    assert background.apart_db is None
    background = grown()
    hear(background, 1, start=3 * DAY)
    assert background.apart_db is not None
    assert background.apart_db < 4
    hear(background, 2, start=3 * DAY + 3600, leak=(15.0, 600, 4000))
    assert background.apart_db > 5


def test_louder_surroundings_are_no_excess() -> None:
    background = grown()
    rng = np.random.default_rng(9)
    traffic = -40 - 20 * np.log10(CENTRES_HZ / 31)
    excess = None
    for minute in range(60):  # by 4 dB
        power = 10 ** ((traffic + 8 + rng.normal(0, 0.5)) / 10) + 10 ** (-75 / 10)
        excess = background.update(3 * DAY + 60.0 * minute, 60.0, np.asarray(10 * np.log10(power), np.float32))
    assert excess is not None
    assert excess.db < COUNTS_DB


@pytest.mark.parametrize("swing_db", [0.0, 5.0])
def test_a_high_excess_may_be_rain_until_it_has_long_been_steady(swing_db: float) -> None:
    background = grown()
    found = []
    for quarter in range(16):  # an hour and a quarter longer than rain is steady
        db = 15.0 + swing_db * (quarter % 8 // 4)
        found += hear(background, 0.25, start=3 * DAY + quarter * 900, leak=(db, 4000, 9000))
    for excess in found[15 : round((STEADY_S - 3 * TRACE_S) / STEP)]:
        assert excess is not None
        assert excess.db > COUNTS_DB
        assert excess.weather
    last = found[-1]
    assert last is not None
    assert last.weather == (swing_db > 0)


def test_rain_does_not_join_the_background_while_it_lasts() -> None:
    background = grown()
    for quarter in range(40):
        hear(background, 0.25, start=3 * DAY + quarter * 900, leak=(15.0 + 5.0 * (quarter % 8 // 4), 3000, 9000))
    last = hear(background, 1, start=3 * DAY + 36000, leak=(15.0, 3000, 9000))[-1]
    assert last is not None
    assert last.db > 5


def test_a_restart_changes_little_and_what_is_saved_is_small() -> None:
    first, second = grown(), Background(SPAN)
    hear(first, 24, start=3 * DAY, leak=(6.0, 600, 1700))
    text = json.dumps(first.snapshot())
    assert len(text) < 80 * (len(first.entries.past) + len(first.entries.held) + 144)
    second.restore(json.loads(text))
    assert second.ready
    one = hear(first, 2, start=8 * DAY, leak=(6.0, 600, 1700))[-1]
    two = hear(second, 2, start=8 * DAY, leak=(6.0, 600, 1700))[-1]
    assert one is not None
    assert two is not None
    assert two.db == pytest.approx(one.db, abs=0.1)


def test_the_state_of_an_earlier_version_is_dropped() -> None:
    background = grown()
    background.restore({"past": "AAAA", "pending": "", "since_s": 0.0})
    assert not background.ready


@pytest.mark.parametrize("damage", [{}, {"moments": "!", "pending": "", "since_s": 0}, {"moments": "AAAA"}])
def test_a_foreign_snapshot_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Background(SPAN).restore(damage)


def test_a_forgotten_background_is_learned_again() -> None:
    background = grown()
    background.forget()
    assert not background.ready
    assert known(hear(background, 2, start=3 * DAY)) == []


def test_a_tone_has_its_level_in_its_band_and_a_knock_has_none() -> None:
    spec = SpectrogramSpec()
    time = np.arange(spec.window_samples) / spec.sample_rate
    tone = (0.1 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
    knock = np.zeros_like(tone)
    knock[100_000:101_000] = 0.5
    levels = quiet_levels(short_powers(tone + knock, spec), spec)
    at = int(np.argmin(np.abs(CENTRES_HZ - 1000)))
    assert int(levels.argmax()) == at
    assert levels[at] == pytest.approx(-20 + 1.76, abs=0.3)  # a Hann window spreads a tone over 1.5 bins of power
    assert levels[at + 3] < -60
    slow = SpectrogramSpec(sample_rate=8000)
    assert quiet_levels(short_powers(np.zeros(slow.window_samples, np.float32), slow), slow)[-1] == ABSENT_DB

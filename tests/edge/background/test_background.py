"""What is usual here: a rise that stays is heard, what comes and goes is learnt, suspicion and weather are not."""

import json

import numpy as np
import pytest

from leakear.edge.background.background import ENOUGH, EVERY_S, PENDING, STEADY_S, Rise, Usual
from leakear.edge.background.third_octaves import ABSENT_DB, CENTRES_HZ, Bands, quiet_levels
from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.spectrogram import SpectrogramSpec

STEP = 60.0
SPAN = 1800.0
QUIETLY = DecisionRule().rise_db
DAY = 86400.0


def surroundings(seconds: float, rng: np.random.Generator, rise: tuple[float, float, float] | None = None) -> Bands:
    """Levels of a place: traffic that swells by day over a noise floor of the sensor; `rise`: dB SNR, from, to Hz."""
    traffic = -40 - 20 * np.log10(CENTRES_HZ / 31) + 4 * np.sin(2 * np.pi * seconds / DAY) + rng.normal(0, 1)
    power = 10 ** (traffic / 10) + 10 ** (-75 / 10)
    if rise:
        db, low, high = rise
        quiet = -40 - 20 * np.log10(CENTRES_HZ / 31)
        here = (low <= CENTRES_HZ) & (high >= CENTRES_HZ)
        power = power + here * 10 ** ((np.maximum(quiet, -75) + db) / 10)
    return np.asarray(10 * np.log10(power) + rng.normal(0, 0.3, 25), np.float32)


def hear(
    usual: Usual,
    hours: float,
    *,
    start: float = 0.0,
    rise: tuple[float, float, float] | None = None,
    learn: bool = True,
) -> list[Rise | None]:
    rng = np.random.default_rng(int(start) + 1)
    times = start + np.arange(STEP, hours * 3600 + 1, STEP)
    return [usual.update(t, STEP, surroundings(t, rng, rise), learn=learn) for t in times.tolist()]


def known(rises: list[Rise | None]) -> list[float]:
    return [rise.db for rise in rises if rise is not None]


def test_more_than_two_days_must_be_heard_before_anything_is_said() -> None:
    usual = Usual(SPAN)
    rises = hear(usual, 72)
    first = next(number for number, rise in enumerate(rises) if rise is not None)
    assert first * STEP == pytest.approx((ENOUGH + PENDING + 1) * EVERY_S, abs=3 * EVERY_S)
    assert max(known(rises)) < QUIETLY


def test_a_faint_rise_that_stays_is_heard_where_it_is_and_ends() -> None:
    usual = Usual(SPAN)
    assert max(known(hear(usual, 72))) < QUIETLY
    rises = hear(usual, 2, start=3 * DAY, rise=(4.0, 600, 1700))
    last = rises[-1]
    assert last is not None
    assert 2 < last.db < 7
    assert 600 < last.hz < 1700
    assert not last.weather
    after = hear(usual, 1, start=3 * DAY + 7200)
    assert after[-1] is not None
    assert after[-1].db < 1


def test_a_use_shorter_than_the_span_is_no_rise() -> None:
    usual = Usual(SPAN)
    hear(usual, 72)
    rises = known(hear(usual, 25 / 60, start=3 * DAY, rise=(20.0, 200, 5000)))
    assert max(rises) < QUIETLY


def test_what_is_heard_under_suspicion_never_becomes_usual() -> None:
    usual = Usual(SPAN)
    hear(usual, 72)
    hear(usual, 1, start=3 * DAY, rise=(6.0, 600, 1700))
    hear(usual, 72, start=3 * DAY + 3600, rise=(6.0, 600, 1700), learn=False)
    last = hear(usual, 1, start=7 * DAY, rise=(6.0, 600, 1700), learn=False)[-1]
    assert last is not None
    assert last.db > 3


def test_a_suspicion_costs_two_hours_of_learning_and_not_all_of_it() -> None:
    usual = Usual(SPAN)
    hear(usual, 66)
    hear(usual, 0.5, start=66 * 3600, learn=False)
    hear(usual, 2, start=66.5 * 3600)
    assert not usual.ready
    hear(usual, 3, start=68.5 * 3600)
    assert usual.ready


def test_what_stays_without_suspicion_becomes_usual_after_half_a_day() -> None:
    usual = Usual(SPAN)
    hear(usual, 72)
    rises = hear(usual, 16, start=3 * DAY, rise=(6.0, 600, 1700))
    for hours, still in ((1, True), (11, True), (16, False)):
        rise = rises[hours * 60 - 1]
        assert rise is not None
        assert (rise.db > 3) == still, hours


def test_surroundings_louder_than_ever_are_no_rise() -> None:
    usual = Usual(SPAN)
    hear(usual, 72)
    rng = np.random.default_rng(9)
    traffic = -40 - 20 * np.log10(CENTRES_HZ / 31)
    rise = None
    for minute in range(60):  # by 4 dB
        power = 10 ** ((traffic + 8 + rng.normal(0, 0.5)) / 10) + 10 ** (-75 / 10)
        rise = usual.update(3 * DAY + 60.0 * minute, STEP, np.asarray(10 * np.log10(power), np.float32), learn=True)
    assert rise is not None
    assert rise.db < QUIETLY


@pytest.mark.parametrize("swing_db", [0.0, 5.0])
def test_a_high_rise_may_be_rain_until_it_has_long_been_steady(swing_db: float) -> None:
    usual = Usual(SPAN)
    hear(usual, 72)
    said = []
    for quarter in range(16):  # an hour and a quarter longer than rain is steady
        db = 15.0 + swing_db * (quarter % 8 // 4)
        said += hear(usual, 0.25, start=3 * DAY + quarter * 900, rise=(db, 3000, 9000))
    for rise in said[30 : round(STEADY_S / STEP)]:
        assert rise is not None
        assert rise.db > QUIETLY
        assert rise.weather
    last = said[-1]
    assert last is not None
    assert last.weather == (swing_db > 0)


def test_a_low_rise_may_be_wind_until_it_has_long_been_steady() -> None:
    usual = Usual(SPAN)
    hear(usual, 72)
    said = hear(usual, 4, start=3 * DAY, rise=(6.0, 190, 260))
    early, last = said[90], said[-1]
    assert early is not None
    assert last is not None
    assert early.db > QUIETLY
    assert early.weather
    assert not last.weather


def test_rain_does_not_become_usual() -> None:
    usual = Usual(SPAN)
    hear(usual, 72)
    for quarter in range(80):
        hear(usual, 0.25, start=3 * DAY + quarter * 900, rise=(15.0 + 5.0 * (quarter % 8 // 4), 3000, 9000))
    last = hear(usual, 1, start=4 * DAY, rise=(15.0, 3000, 9000))[-1]
    assert last is not None
    assert last.db > 5


def test_a_restart_changes_little_and_a_week_is_small() -> None:
    first, second = Usual(SPAN), Usual(SPAN)
    hear(first, 8 * 24)
    text = json.dumps(first.snapshot())
    assert len(text) < 21_000
    second.restore(json.loads(text))
    assert second.ready
    one = hear(first, 2, start=8 * DAY, rise=(6.0, 600, 1700))[-1]
    two = hear(second, 2, start=8 * DAY, rise=(6.0, 600, 1700))[-1]
    assert one is not None
    assert two is not None
    assert two.db == pytest.approx(one.db, abs=0.1)


def test_what_an_earlier_version_kept_is_learnt_anew() -> None:
    usual = Usual(SPAN)
    hear(usual, 72)
    usual.restore({"past": "AAAA", "pending": "", "since_s": 0.0})
    assert not usual.ready


@pytest.mark.parametrize("damage", [{}, {"moments": "!", "pending": "", "since_s": 0}, {"moments": "AAAA"}])
def test_a_foreign_snapshot_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Usual(SPAN).restore(damage)


def test_what_was_forgotten_is_learnt_anew() -> None:
    usual = Usual(SPAN)
    hear(usual, 72)
    usual.forget()
    assert not usual.ready
    assert known(hear(usual, 2, start=3 * DAY)) == []


def test_a_tone_stands_in_its_band_at_its_level_and_a_knock_nowhere() -> None:
    spec = SpectrogramSpec()
    time = np.arange(spec.window_samples) / spec.sample_rate
    tone = (0.1 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
    knock = np.zeros_like(tone)
    knock[100_000:101_000] = 0.5
    levels = quiet_levels(tone + knock, spec)
    at = int(np.argmin(np.abs(CENTRES_HZ - 1000)))
    assert int(levels.argmax()) == at
    assert levels[at] == pytest.approx(-20 + 1.76, abs=0.3)  # a Hann window spreads a tone over 1.5 bins of power
    assert levels[at + 3] < -60
    slow = SpectrogramSpec(sample_rate=8000)
    assert quiet_levels(np.zeros(slow.window_samples, np.float32), slow)[-1] == ABSENT_DB

"""Background: an excess that lasts is found; short sounds are learned; suspicion and weather are not."""

import json

import numpy as np
import pytest

from leakear.edge.background.background import ENOUGH, EVERY_S, PENDING, STEADY_S, Background, Excess, packed
from leakear.edge.background.third_octaves import ABSENT_DB, CENTRES_HZ, Bands, quiet_levels
from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram.short_spectra import short_powers

STEP = 60.0
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
    learn: bool = True,
) -> list[Excess | None]:
    rng = np.random.default_rng(int(start) + 1)
    times = start + np.arange(STEP, hours * 3600 + 1, STEP)
    return [background.update(t, STEP, surroundings(t, rng, leak), learn=learn) for t in times.tolist()]


def known(excesses: list[Excess | None]) -> list[float]:
    return [excess.db for excess in excesses if excess is not None]


def test_an_excess_is_reported_after_more_than_two_days() -> None:
    background = Background(SPAN)
    excesses = hear(background, 72)
    first = next(number for number, excess in enumerate(excesses) if excess is not None)
    assert first * STEP == pytest.approx((ENOUGH + PENDING + 1) * EVERY_S, abs=3 * EVERY_S)
    assert max(known(excesses)) < COUNTS_DB


def test_there_is_no_excess_until_half_of_the_span_was_heard() -> None:
    rng = np.random.default_rng(3)
    background = Background(SPAN)
    week = [surroundings(EVERY_S * number, rng) for number in range(ENOUGH)]
    background.restore({"moments": packed(week), "pending": packed([]), "since_s": 0.0})
    excesses = hear(background, 1)
    assert [excess is None for excess in excesses] == [True] * 14 + [False] * 46
    assert [excess is None for excess in hear(background, 0.5, start=9 * DAY)] == [True] * 14 + [False] * 16


def test_a_faint_excess_that_lasts_is_found_with_its_frequency_and_ends() -> None:
    background = Background(SPAN)
    assert max(known(hear(background, 72))) < COUNTS_DB
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
    background = Background(SPAN)
    hear(background, 72)
    excesses = known(hear(background, 25 / 60, start=3 * DAY, leak=(20.0, 200, 5000)))
    assert max(excesses) < COUNTS_DB


def test_levels_under_suspicion_never_join_the_background() -> None:
    background = Background(SPAN)
    hear(background, 72)
    hear(background, 1, start=3 * DAY, leak=(6.0, 600, 1700))
    hear(background, 72, start=3 * DAY + 3600, leak=(6.0, 600, 1700), learn=False)
    last = hear(background, 1, start=7 * DAY, leak=(6.0, 600, 1700), learn=False)[-1]
    assert last is not None
    assert last.db > 3


def test_a_suspicion_removes_two_hours_of_learning_only() -> None:
    background = Background(SPAN)
    hear(background, 66)
    hear(background, 0.5, start=66 * 3600, learn=False)
    hear(background, 2, start=66.5 * 3600)
    assert not background.ready
    hear(background, 3, start=68.5 * 3600)
    assert background.ready


def test_a_lasting_sound_without_suspicion_joins_the_background_after_half_a_day() -> None:
    background = Background(SPAN)
    hear(background, 72)
    excesses = hear(background, 16, start=3 * DAY, leak=(6.0, 600, 1700))
    for hours, still in ((1, True), (11, True), (16, False)):
        excess = excesses[hours * 60 - 1]
        assert excess is not None
        assert (excess.db > 3) == still, hours


def test_louder_surroundings_are_no_excess() -> None:
    background = Background(SPAN)
    hear(background, 72)
    rng = np.random.default_rng(9)
    traffic = -40 - 20 * np.log10(CENTRES_HZ / 31)
    excess = None
    for minute in range(60):  # by 4 dB
        power = 10 ** ((traffic + 8 + rng.normal(0, 0.5)) / 10) + 10 ** (-75 / 10)
        excess = background.update(
            3 * DAY + 60.0 * minute, STEP, np.asarray(10 * np.log10(power), np.float32), learn=True
        )
    assert excess is not None
    assert excess.db < COUNTS_DB


@pytest.mark.parametrize("swing_db", [0.0, 5.0])
def test_a_high_excess_may_be_rain_until_it_has_long_been_steady(swing_db: float) -> None:
    background = Background(SPAN)
    hear(background, 72)
    found = []
    for quarter in range(16):  # an hour and a quarter longer than rain is steady
        db = 15.0 + swing_db * (quarter % 8 // 4)
        found += hear(background, 0.25, start=3 * DAY + quarter * 900, leak=(db, 3000, 9000))
    for excess in found[30 : round(STEADY_S / STEP)]:
        assert excess is not None
        assert excess.db > COUNTS_DB
        assert excess.weather
    last = found[-1]
    assert last is not None
    assert last.weather == (swing_db > 0)


def test_a_low_excess_may_be_wind_until_it_has_long_been_steady() -> None:
    background = Background(SPAN)
    hear(background, 72)
    found = hear(background, 4, start=3 * DAY, leak=(6.0, 190, 260))
    early, last = found[90], found[-1]
    assert early is not None
    assert last is not None
    assert early.db > COUNTS_DB
    assert early.weather
    assert not last.weather


def test_rain_does_not_join_the_background() -> None:
    background = Background(SPAN)
    hear(background, 72)
    for quarter in range(80):
        hear(background, 0.25, start=3 * DAY + quarter * 900, leak=(15.0 + 5.0 * (quarter % 8 // 4), 3000, 9000))
    last = hear(background, 1, start=4 * DAY, leak=(15.0, 3000, 9000))[-1]
    assert last is not None
    assert last.db > 5


def test_a_restart_changes_little_and_a_week_is_small() -> None:
    first, second = Background(SPAN), Background(SPAN)
    hear(first, 8 * 24)
    text = json.dumps(first.snapshot())
    assert len(text) < 21_000
    second.restore(json.loads(text))
    assert second.ready
    one = hear(first, 2, start=8 * DAY, leak=(6.0, 600, 1700))[-1]
    two = hear(second, 2, start=8 * DAY, leak=(6.0, 600, 1700))[-1]
    assert one is not None
    assert two is not None
    assert two.db == pytest.approx(one.db, abs=0.1)


def test_the_state_of_an_earlier_version_is_dropped() -> None:
    background = Background(SPAN)
    hear(background, 72)
    background.restore({"past": "AAAA", "pending": "", "since_s": 0.0})
    assert not background.ready


@pytest.mark.parametrize("damage", [{}, {"moments": "!", "pending": "", "since_s": 0}, {"moments": "AAAA"}])
def test_a_foreign_snapshot_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Background(SPAN).restore(damage)


def test_a_forgotten_background_is_learned_again() -> None:
    background = Background(SPAN)
    hear(background, 72)
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

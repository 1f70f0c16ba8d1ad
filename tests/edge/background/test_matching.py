"""Matching: sounds of the past account for the present; the rest is the excess."""

import numpy as np
import pytest

from leakear.edge.background import matching
from leakear.edge.background.matching import BackgroundMatcher, Match
from leakear.edge.background.third_octaves import CENTRES_HZ, Bands

FLOOR = -75.0
TRAFFIC = -40 - 20 * np.log10(CENTRES_HZ / 31)
MACHINE = np.where((CENTRES_HZ > 200) & (CENTRES_HZ < 900), -52.0, -120.0)
FRIDGE = np.where((CENTRES_HZ > 1500) & (CENTRES_HZ < 4500), -60.0, -120.0)


def heard(*sounds: np.ndarray, traffic_db: float = 0.0) -> Bands:
    power = 10 ** (FLOOR / 10) + sum(10 ** (s / 10) for s in (TRAFFIC + traffic_db, *sounds))
    return np.asarray(10 * np.log10(power), np.float32)


def noise(db: float, low: float, high: float) -> np.ndarray:
    """A sound of `db` against what a quiet night holds there."""
    here = (low <= CENTRES_HZ) & (high >= CENTRES_HZ)
    return np.where(here, heard() + db, -150.0)


def background(*kinds: Bands, count: int = 12, seed: int = 0) -> BackgroundMatcher:
    rng = np.random.default_rng(seed)
    rows = [kind + rng.normal(0, 0.2, kind.size) for kind in kinds for _ in range(count)]
    return BackgroundMatcher(np.array(rows, np.float32))


QUIET = [heard(traffic_db=db) for db in (-1.0, 0.0, 1.0, 3.0)]


def match(now: Bands, *more: Bands) -> Match:
    return background(*QUIET, *more).match(now)


@pytest.mark.parametrize("traffic_db", [-4.0, -1.0, 0.0, 2.0, 3.0, 6.0, 8.0])
def test_louder_and_quieter_surroundings_match(traffic_db: float) -> None:
    assert match(heard(traffic_db=traffic_db)).excess_db < 0.8


@pytest.mark.parametrize("snr_db", [-3.0, 0.0, 6.0, 20.0])
@pytest.mark.parametrize("traffic_db", [-1.0, 0.0, 3.0])
def test_an_added_sound_is_found_at_its_frequency(snr_db: float, traffic_db: float) -> None:
    now = heard(noise(snr_db, 450, 1300), traffic_db=traffic_db)
    added = (now - heard(traffic_db=traffic_db))[int(np.searchsorted(CENTRES_HZ, 700))]
    found = match(now)
    assert found.excess_db == pytest.approx(added, abs=1.0)
    assert 450 <= CENTRES_HZ[found.band] <= 1300


def test_a_leak_that_fills_the_bands_that_vary_is_not_taken_for_surroundings() -> None:
    """Traffic varies most in the bands where it is loudest."""
    now = heard(noise(7.0, 200, 320))
    assert match(now).excess_db > 4


def test_one_band_alone_counts_half() -> None:
    assert match(heard(noise(10.0, 990, 1010))).excess_db == pytest.approx(5.2, abs=0.7)


def test_a_known_machine_matches_and_a_new_one_does_not() -> None:
    assert match(heard(MACHINE), heard(MACHINE)).excess_db < 0.8
    assert match(heard(MACHINE)).excess_db > 5


def test_two_known_sounds_at_once_match_and_a_third_does_not() -> None:
    both = heard(MACHINE, FRIDGE)
    assert match(both, heard(MACHINE)).excess_db > 5
    assert match(both, heard(MACHINE), heard(FRIDGE)).excess_db < 0.8
    leak = noise(25.0, 4900, 8100)
    assert match(heard(MACHINE, FRIDGE, leak), heard(MACHINE), heard(FRIDGE)).excess_db > 10


def test_a_loud_entry_does_not_hide_an_excess_elsewhere() -> None:
    """An entry with rain is too loud in high bands to match a sound without rain."""
    rain = heard(noise(20.0, 4900, 8100))
    assert match(heard(noise(6.0, 600, 6500)), rain).excess_db > 3


def test_an_automatic_gain_does_not_hide_a_leak() -> None:
    """A gain control makes everything quieter: the bands between those of the leak show it."""
    now = heard(noise(12.0, 450, 1300)) - 8
    assert match(now).excess_db > 2


@pytest.mark.parametrize(("low", "high", "counts"), [(60, 130, False), (190, 260, True)])
def test_a_sound_below_the_lowest_band_does_not_count(low: float, high: float, *, counts: bool) -> None:
    """It comes from traffic and wind."""
    assert (match(heard(noise(12.0, low, high))).excess_db > 3) == counts


def test_bands_beyond_the_sampling_rate_do_not_count() -> None:
    past = np.array(QUIET * 10, np.float32)
    now = heard(noise(6.0, 450, 1300))
    past[:, 20:], now[20:] = -140.0, -140.0
    found = BackgroundMatcher(past).match(now)
    assert found.excess_db > 3
    assert CENTRES_HZ[found.band] < 1300


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("seed", range(8))
def test_the_lowest_penalties_are_found_without_computing_all(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    levels = (rng.normal(-60, 3, (25, 700)) + rng.normal(0, 4, (1, 700))).astype(np.float32)
    now = (levels[:, 3] + rng.normal(0, 1, 25)).astype(np.float32)
    penalties = matching._penalties(now, levels)
    found = matching._lowest(now, levels, count)
    assert penalties[found].tolist() == np.sort(penalties)[:count].tolist()


def test_pairs_tried_together_match_as_pairs_tried_one_by_one() -> None:
    rng = np.random.default_rng(11)
    tried = 0
    for seed in range(40):
        sounds = [noise(rng.uniform(3, 12), *sorted(rng.uniform(60, 8000, 2))) for _ in range(8)]
        matcher = background(heard(), *map(heard, sounds), seed=seed)
        now = np.asarray(heard() + rng.uniform(0, 8, CENTRES_HZ.size), np.float32)
        best = matching._lowest(now, matcher._levels, matching.PAIRED)
        one_by_one = matching._match(now, matcher._levels[:, best[0]])
        if one_by_one.penalty > matching.PAIRS_FROM_DB:
            tried += 1
            for first in best:
                pairs = matching._decibels(matcher._powers[:, first, None] + matcher._added)
                pair = matching._match(now, pairs[:, matching._lowest(now, pairs, 1)[0]])
                one_by_one = min(one_by_one, pair, key=lambda match: match.penalty)
        found = matcher.match(now)
        assert (found.excess_db, found.band, found.penalty) == (
            one_by_one.excess_db,
            one_by_one.band,
            one_by_one.penalty,
        )
    assert tried > 20

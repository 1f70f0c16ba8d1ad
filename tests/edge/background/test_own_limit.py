"""The limit that a node learns: above the largest excess of its past, with a margin that follows its changes."""

import json
import math

import pytest

from leakear.edge.background.own_limit import DAYS, MARGIN, PRIOR_DB, PRIOR_NIGHTS, OwnLimit, Variation


def changed(*changes: float) -> float:
    variation = Variation()
    for change in changes:
        variation.add(change)
    return variation.change_db


def test_the_limit_is_the_largest_excess_of_the_past_but_for_one_odd_day_and_the_margin() -> None:
    limit = OwnLimit()
    assert limit.db(2.0) == 2.0 * MARGIN
    for excess, largest in ((1.0, 0.0), (3.0, 1.0), (2.0, 2.0), (-4.0, 2.0)):
        limit.add(excess)
        assert limit.db(0.0) == largest
    assert limit.db(1.5) == 2.0 + 1.5 * MARGIN


def test_what_a_person_has_stated_counts_at_once() -> None:
    limit = OwnLimit()
    limit.teach(4.0)
    assert limit.db(0.0) == 4.0


def test_an_excess_below_the_background_does_not_lower_the_limit() -> None:
    limit = OwnLimit([-3.0])
    limit.add(-2.0)
    assert limit.db(0.0) == 0.0


def test_the_largest_excess_is_forgotten_after_a_quarter() -> None:
    limit = OwnLimit([9.0, 9.0])
    for _ in range(DAYS - 2):
        limit.add(1.0)
    assert limit.db(0.0) == 9.0
    limit.add(1.0)
    assert limit.db(0.0) == 1.0


def test_of_an_unknown_place_the_change_is_that_of_other_places() -> None:
    assert changed() == PRIOR_DB


def test_the_change_of_a_calm_place_shrinks_with_every_night_known() -> None:
    change = [changed(*[0.3] * nights) for nights in range(1, 30)]
    assert change == sorted(change, reverse=True)
    assert 0.3 < change[-1] < PRIOR_DB / 2


def test_a_place_that_changes_more_than_others_has_a_wider_margin() -> None:
    change = [changed(*[3 * PRIOR_DB] * nights) for nights in range(1, 30)]
    assert change == sorted(change)
    assert change[0] > PRIOR_DB
    assert change[-1] < 3 * PRIOR_DB


def test_the_change_is_a_root_mean_square() -> None:
    assert changed(1.0, 3.0) == pytest.approx(math.sqrt((PRIOR_NIGHTS * PRIOR_DB**2 + 1 + 9) / (PRIOR_NIGHTS + 2)))


@pytest.mark.parametrize("nights", [6, 30, 90])
def test_a_third_of_odd_nights_does_not_widen_the_margin(nights: int) -> None:
    odd = [20.0 if number % 3 == 2 else 0.5 for number in range(nights)]
    assert changed(*odd) == pytest.approx(changed(*[0.5] * nights))
    assert changed(*odd[: nights // 2], *[20.0] * (nights // 2)) > 2 * changed(*odd)


def test_changes_are_forgotten_after_a_quarter() -> None:
    assert changed(*[9.0] * DAYS, *[0.5] * DAYS) == changed(*[0.5] * DAYS)


def test_a_restart_changes_nothing() -> None:
    variation, limit = Variation(), OwnLimit()
    for number in range(40):
        variation.add(math.sin(number) ** 2 * 3.337)
        limit.add(math.cos(number) ** 2 * 1.739)
    again = Variation(json.loads(json.dumps(variation.snapshot())))
    assert again.change_db == variation.change_db
    assert OwnLimit(json.loads(json.dumps(limit.snapshot()))).db(1.0) == limit.db(1.0)


@pytest.mark.parametrize("damage", [["x"], [None], [[1]]])
def test_a_foreign_snapshot_is_refused(damage: list[object]) -> None:
    for part in (Variation, OwnLimit):
        with pytest.raises((ValueError, TypeError)):
            part(damage)  # type: ignore[arg-type]

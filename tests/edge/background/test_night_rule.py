"""The night rule: repeats against the limit that follows from a place's own past, the same for one place and many."""

import numpy as np
import pytest

from leakear.edge.background.night_rule import NODE, Followed, Margins, NightRule, follow
from leakear.edge.decision.nights import Night

RULE = NightRule(repeats=3, nights=3, odd=0.15)
CALM = [10.0, 11.0, 10.0, 10.0, 11.0, 10.0, 9.0] * 6


def followed(*places: list[float], rule: NightRule = RULE, factor: float = 2.0) -> Followed:
    longest = max(map(len, places))
    levels = np.array([place + [np.nan] * (longest - len(place)) for place in places])
    return follow(levels, rule, Margins(factor), step=1.0)


def test_a_node_needs_two_of_three_nights() -> None:
    assert [bool(NODE.lasting(risen)) for risen in ([True], [True, False, True], [True, False, False])] == [
        False,
        True,
        False,
    ]
    assert NODE.reached(np.array([3.0, 1.0, 2.0])) == 2.0
    assert Night.__doc__


def test_the_limit_is_the_past_without_its_odd_nights_and_the_margin() -> None:
    assert RULE.limit([1.0, 2.0, 9.0], 0.5) == 2.5
    assert RULE.limit([[1.0, 2.0, 9.0], [-np.inf, -np.inf, 5.0]], [0.0, 1.0]).tolist() == [2.0, -np.inf]


def test_a_lasting_rise_is_noticed_after_the_repeats_and_never_joins_the_past() -> None:
    found = followed(CALM + [16.0] * 30)
    assert not found.lasting[0, : len(CALM) + 2].any()
    assert found.lasting[0, len(CALM) + 2 :].all()


@pytest.mark.parametrize("nights", [1, 2])
def test_what_ends_before_the_repeats_is_no_rise(nights: int) -> None:
    assert not followed(CALM + [30.0] * nights + CALM).lasting.any()


def test_a_place_that_always_varies_needs_more() -> None:
    wild = [10.0, 16.0, 8.0, 14.0, 11.0, 17.0, 9.0] * 6
    assert followed(CALM + [16.0] * 3).lasting[0, -1]
    assert not followed(wild + [16.0] * 3).lasting.any()


def test_many_places_at_once_are_judged_as_each_alone() -> None:
    rng = np.random.default_rng(7)
    places = [list(np.round(rng.normal(12, scale, length))) for scale, length in ((1, 60), (4, 35), (0.2, 20), (1, 4))]
    places[0][40:] = [25.0] * 20
    together = followed(*places)
    assert together.lasting.any()
    for row, place in enumerate(places):
        alone = followed(place)
        for name in ("risen", "lasting", "strength", "known"):
            both = getattr(together, name)[row, : len(place)], getattr(alone, name)[0]
            np.testing.assert_array_equal(*both, err_msg=name)


def test_each_night_is_judged_as_if_it_were_the_newest() -> None:
    rng = np.random.default_rng(8)
    levels = list(np.round(rng.normal(12, 2, 50))) + [22.0] * 6
    whole = followed(levels)
    for night in range(10, 56):
        part = followed(levels[: night + 1])
        assert part.lasting[0, -1] == whole.lasting[0, night]


def test_too_few_nights_say_nothing() -> None:
    for nights in range(7):
        found = followed([float(level) for level in range(0, 10 * nights, 10)] or [np.nan])
        assert not found.lasting.any()

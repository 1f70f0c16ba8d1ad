"""Entries: what stops joins the background, what lasts never does, what is found later is held back."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from leakear.edge.background.entries import (
    DELAY,
    ENOUGH,
    ENTRIES,
    FIRST_DELAY,
    GONE_ENTRIES,
    GONE_SHARE,
    MOST_HELD,
    OWN_SOUND,
    Entries,
)
from leakear.edge.background.packed import STEP_DB, packed, packed_numbers, unpacked
from leakear.edge.background.third_octaves import Bands

QUIET_DB = -80.0
BAND, OTHER = 12, 18
EXCESS_DB = 5.0


def levels(*sounds: tuple[int, float]) -> Bands:
    """Levels of a quiet place with sounds of some dB over it in the pair of bands from one on."""
    found = np.full(25, QUIET_DB, np.float32)
    for band, excess_db in sounds:
        found[band : band + 2] += np.float32(excess_db)
    return found


LEAK = levels((BAND, EXCESS_DB))


def known(entries: Entries | None = None, count: int = ENOUGH) -> Entries:
    """Entries of a node that has heard its place for long enough."""
    entries = entries or Entries()
    for _ in range(count + FIRST_DELAY):
        entries.add(levels())
    assert entries.enough
    return entries


def contains(entries: Entries, sought: Bands) -> bool:
    return bool((np.abs(entries.past - sought).max(axis=1) < STEP_DB).any())


def test_a_new_node_learns_everything_after_half_a_day() -> None:
    entries = Entries()
    for number in range(FIRST_DELAY):
        entries.add(levels((BAND, number)))
    assert len(entries.past) == 0
    entries.add(levels())
    np.testing.assert_array_equal(entries.past, [levels((BAND, 0.0))])


def test_there_is_enough_after_so_many_entries_and_no_earlier() -> None:
    entries = Entries()
    for _ in range(ENOUGH + FIRST_DELAY - 1):
        entries.add(levels())
    assert not entries.enough
    entries.add(levels())
    assert entries.enough


def test_what_is_nothing_new_joins_after_three_days() -> None:
    entries = known()
    faint = levels((BAND, 0.3))
    entries.add(faint)
    joined = 0
    while not contains(entries, faint):
        entries.add(levels())
        joined += 1
    assert joined == DELAY


def test_a_sound_that_stops_joins_the_background() -> None:
    entries = known()
    before = len(entries.past)
    for _ in range(5):
        entries.hold(LEAK, BAND, EXCESS_DB)
    for _ in range(GONE_ENTRIES - 1):
        entries.add(levels())
    assert (len(entries.held), contains(entries, LEAK)) == (5, False)
    entries.add(levels())
    assert (len(entries.held), len(entries.past)) == (0, before + 5)
    assert contains(entries, LEAK)


@pytest.mark.parametrize(("left", "stopped"), [(GONE_SHARE * 0.9, True), (GONE_SHARE * 1.1, False), (0.5, False)])
def test_a_sound_has_stopped_when_little_of_its_excess_is_left(left: float, stopped: bool) -> None:
    entries = known()
    entries.hold(LEAK, BAND, EXCESS_DB)
    for _ in range(GONE_ENTRIES + 1):
        entries.add(levels((BAND, left * EXCESS_DB)))
    assert contains(entries, LEAK) is stopped


def test_the_entries_that_show_it_follow_each_other() -> None:
    entries = known()
    entries.hold(LEAK, BAND, EXCESS_DB)
    for _ in range(20):
        entries.add(levels())
        entries.add(levels((BAND, 0.5 * EXCESS_DB)))
    assert not contains(entries, LEAK)


def lasting(number: int) -> tuple[Bands, int]:
    """A leak alone."""
    return LEAK, BAND


def beside_a_machine(number: int) -> tuple[Bands, int]:
    """A leak, with a louder machine beside it every third half hour, which makes the largest excess."""
    if number % 3:
        return LEAK, BAND
    return levels((BAND, EXCESS_DB), (OTHER, 9.0)), OTHER


@pytest.mark.parametrize("sound", [lasting, beside_a_machine])
def test_a_sound_that_lasts_for_thirty_days_never_joins(sound: Callable[[int], tuple[Bands, int]]) -> None:
    entries = known()
    past = entries.past
    for number in range(30 * 48):
        heard, band = sound(number)
        entries.hold(heard, band, EXCESS_DB if band == BAND else 9.0)
    assert entries.past is past
    assert len(entries.held) == MOST_HELD


def test_a_machine_that_stops_beside_a_lasting_leak_does_not_take_the_leak_with_it() -> None:
    entries = known()
    for _ in range(10):
        for _ in range(4):
            entries.hold(levels((BAND, EXCESS_DB), (OTHER, 9.0)), OTHER, 9.0)
        for _ in range(4):
            entries.hold(LEAK, BAND, EXCESS_DB)
    assert not contains(entries, levels((BAND, EXCESS_DB), (OTHER, 9.0)))
    assert not contains(entries, LEAK)
    for _ in range(GONE_ENTRIES):
        entries.add(levels())
    assert contains(entries, LEAK), "both have stopped"
    assert entries.held == []


def test_only_the_oldest_of_too_many_held_entries_are_dropped() -> None:
    entries = known()
    for number in range(MOST_HELD + 3):
        entries.hold(levels((BAND, EXCESS_DB + number)), BAND, EXCESS_DB + number)
    assert len(entries.held) == MOST_HELD
    assert entries.held[0].entry.levels[BAND] == QUIET_DB + EXCESS_DB + 3


def test_a_leak_that_is_found_later_is_held_back() -> None:
    entries = known()
    faint = levels((BAND, 0.45))
    for _ in range(DELAY // 2):
        entries.add(levels())
    for _ in range(DELAY // 2):
        entries.add(faint)
    entries.hold_back(BAND, QUIET_DB + 0.4, 0.45)
    assert len(entries.held) == DELAY // 2
    for _ in range(DELAY + 1):
        entries.add(levels((BAND, 0.3)))
    assert not contains(entries, faint)
    for _ in range(GONE_ENTRIES):
        entries.add(levels())
    assert contains(entries, faint), "it has stopped"


def test_what_is_held_back_is_at_least_as_loud_as_the_leak_in_its_bands() -> None:
    entries = known()
    for heard in (levels((BAND, 3.0)), levels((BAND, 2.99)), levels((OTHER, 9.0))):
        entries.add(heard)
    entries.hold_back(BAND, QUIET_DB + 3.0, 3.0)
    (held,) = entries.held
    np.testing.assert_array_equal(held.entry.levels, levels((BAND, 3.0)))
    assert held.gone_db == pytest.approx(QUIET_DB + 3.0 * GONE_SHARE)


def test_what_a_person_accepts_joins_at_once() -> None:
    entries = known()
    entries.hold(LEAK, BAND, EXCESS_DB)
    waiting = levels((OTHER, 0.2))
    entries.add(waiting)
    entries.accept()
    assert entries.held == []
    assert contains(entries, LEAK)
    assert contains(entries, waiting)
    before = len(entries.past)
    entries.accept()
    assert len(entries.past) == before


def test_the_background_is_one_week() -> None:
    entries = known(count=ENTRIES + DELAY + 50)
    assert len(entries.past) == ENTRIES
    newest = levels((BAND, 1.0))
    for _ in range(ENTRIES + DELAY):
        entries.add(newest)
    assert not contains(entries, levels())
    assert len(entries.past) == ENTRIES


def test_forgotten_entries_are_gone() -> None:
    entries = known()
    entries.hold(LEAK, BAND, EXCESS_DB)
    entries.forget()
    assert (entries.enough, len(entries.past), entries.held) == (False, 0, [])
    entries.accept()
    assert len(entries.past) == 0, "nothing waits"


def restored(entries: Entries) -> Entries:
    again = Entries()
    again.restore(json.loads(json.dumps(entries.snapshot())))
    return again


def test_restarts_at_any_entry_change_nothing_later() -> None:
    rng = np.random.default_rng(4)
    whole, cut = known(), known()
    for number in range(400):
        kind = rng.choice(["add", "hold", "back", "faint"], p=[0.6, 0.2, 0.05, 0.15])
        db = round(float(rng.uniform(1, 8)), 1)
        if number % int(rng.integers(1, 9)) == 0:
            cut = restored(cut)
        for entries in (whole, cut):
            if kind == "hold":
                entries.hold(levels((BAND, db)), BAND, db)
            elif kind == "back":
                entries.hold_back(BAND, QUIET_DB + 0.2, 0.3)
            else:
                entries.add(levels((BAND, 0.3)) if kind == "faint" else levels())
        assert cut.past.shape == whole.past.shape
        np.testing.assert_allclose(cut.past, whole.past, atol=1e-4)
        assert [(held.band, held.quiet) for held in cut.held] == [(held.band, held.quiet) for held in whole.held]


def test_version_0_1_has_no_held_entries() -> None:
    entries = Entries()
    entries.restore({"moments": packed([levels()] * 400), "pending": packed([LEAK] * (DELAY + 9))})
    assert (len(entries.past), entries.held) == (ENTRIES, [])
    assert len(unpacked(entries.snapshot()["pending"])) == DELAY


@pytest.mark.parametrize(
    "damage",
    [
        {"moments": "!"},
        {"pending": "AAAA"},
        {"held": {"levels": packed([LEAK]), "about": []}},
        {"held": {"levels": packed([LEAK]), "about": [[1, 2]]}},
        {"held": {"about": []}},
    ],
)
def test_a_foreign_snapshot_is_refused_and_changes_nothing(damage: dict[str, object]) -> None:
    entries = known()
    entries.hold(LEAK, BAND, EXCESS_DB)
    before = entries.snapshot()
    with pytest.raises((ValueError, TypeError, KeyError)):
        entries.restore(before | damage)
    assert entries.snapshot() == before


def test_levels_are_saved_in_steps_and_none_is_text_too() -> None:
    rows = np.random.default_rng(2).uniform(-140, 10, (7, 25)).astype(np.float32)
    np.testing.assert_allclose(unpacked(packed(rows)), rows, atol=STEP_DB / 2 + 1e-4)
    assert unpacked(packed([])).shape == (0, 25)
    again = unpacked(packed(rows))
    np.testing.assert_array_equal(unpacked(packed(again)), again)


def test_the_background_of_other_sounds_leaves_out_the_half_hours_of_one() -> None:
    entries = known()
    for band in (BAND, OTHER):
        sound, number = levels((band, EXCESS_DB)), entries.count
        entries.hold(sound, band, EXCESS_DB)
        for _ in range(OWN_SOUND + GONE_ENTRIES):
            entries.add(levels())
        assert contains(entries, sound)
        others = entries.of_other_sounds(number)
        assert len(others) < len(entries.past)
        assert not (np.abs(others - sound).max(axis=1) < STEP_DB).any()
    assert (np.abs(others - LEAK).max(axis=1) < STEP_DB).any(), "another sound stays"


def test_a_background_saved_without_numbers_belongs_to_other_sounds() -> None:
    entries = known()
    saved = {key: value for key, value in entries.snapshot().items() if key not in {"numbers", "count"}}
    again = Entries()
    again.restore(saved)
    assert len(again.of_other_sounds(3)) == len(again.past) == len(entries.past)
    for _ in range(DELAY + 1):
        again.add(levels())
    upgraded = Entries()
    upgraded.restore(again.snapshot())
    assert upgraded.snapshot() == again.snapshot(), "old entries and new ones together"
    again.restore(entries.snapshot())
    assert again.snapshot() == entries.snapshot()
    with pytest.raises(ValueError, match="not whole"):
        again.restore(entries.snapshot() | {"numbers": packed_numbers([1, 2])})

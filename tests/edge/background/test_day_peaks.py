"""Day peaks: a limit that forgets what has become an everyday sound, and counts one sound of two days once."""

import json

import numpy as np
import pytest

from leakear.edge.background.day_peaks import A_TURN, DayPeaks, Peak
from leakear.edge.background.entries import OWN_SOUND
from leakear.edge.background.third_octaves import Bands

LEVELS = np.linspace(-80, -50, 25, dtype=np.float32)


def days(*peaks: tuple[float, int]) -> DayPeaks:
    """Days whose peaks are (dB, number of the half hour)."""
    made = DayPeaks()
    for db, entry in peaks:
        made.today = Peak(db, LEVELS, entry)
        made.end_day(leak=False)
    return made


def compared(made: DayPeaks, left_db: float, days: int) -> float:
    """Compare all peaks again; return the limit."""
    for _ in range(-(-days // A_TURN)):
        made.compare_again(lambda *_: left_db)
    return made.limit_db(0.0)


def test_the_limit_is_the_second_largest_day_and_what_the_place_changes() -> None:
    made = days((5.0, 0), (9.0, 100), (7.0, 200))
    assert (made.limit_db(0.0), made.limit_db(1.5)) == (7.0, 8.5)


def test_a_sound_that_is_known_by_now_raises_the_limit_no_longer() -> None:
    made = days((9.0, 0), (9.0, 100), (7.0, 200))
    assert compared(made, 0.4, 3) == pytest.approx(0.4)


@pytest.mark.parametrize("left_db", [12.0, float("inf")])
def test_a_sound_is_never_newer_than_it_was(left_db: float) -> None:
    made = days((9.0, 0), (8.0, 100))
    assert compared(made, left_db, 2) == 8.0


def test_one_sound_that_is_heard_when_a_day_ends_counts_once() -> None:
    assert days((65.0, 600), (66.0, 604), (1.0, 700)).limit_db(0.0) == 1.0
    assert days((65.0, 600), (66.0, 601 + OWN_SOUND), (1.0, 700)).limit_db(0.0) == 65.0


def test_every_peak_gets_its_turn() -> None:
    made, asked = days(*((9.0, 100 * number) for number in range(5))), []

    def left_db(levels: Bands, entry: int) -> float:
        asked.append(entry)
        np.testing.assert_array_equal(levels, LEVELS)
        return 9.0

    for _ in range(5):
        made.compare_again(left_db)
    assert sorted(set(asked)) == [0, 100, 200, 300, 400]


def test_a_leak_teaches_nothing_and_a_persons_word_counts_at_once() -> None:
    made = DayPeaks()
    made.today = Peak(9.0, LEVELS, 0)
    made.end_day(leak=True)
    assert made.limit_db(0.0) == 0
    made.today = Peak(9.0, LEVELS, 10)
    made.accept()
    assert compared(made, 0.0, 2) == 9.0, "and is not compared again"


def test_what_is_saved_goes_on() -> None:
    made = days((9.0, 0), (0.2, 60), (7.0, 200))
    made.today = Peak(3.0, LEVELS, 300)
    again = DayPeaks.restored(json.loads(json.dumps(made.snapshot())))
    assert again.snapshot() == made.snapshot()
    for both in (made, again):
        both.end_day(leak=False)
    assert compared(again, 2.0, 4) == compared(made, 2.0, 4) == 2.0


@pytest.mark.parametrize(
    "damage",
    [
        {"peaks": []},
        {"peaks": [[6.0, 1, True], [0.0, 0, True]]},
        {"peaks": [[float("inf"), 1, True], [0.0, 0, False]]},
        {"peaks": [[6.0, 10**12, True], [0.0, 0, False]]},
    ],
)
def test_damaged_peaks_are_refused_and_do_not_stop_the_node(damage: dict[str, object]) -> None:
    saved = days((6.0, 1)).snapshot() | damage
    with pytest.raises(ValueError, match="saved"):
        DayPeaks.restored(saved)

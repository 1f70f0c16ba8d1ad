"""Two models on the same windows: what a new one may say differently, and what it may not."""

from leakear.edge.decision.comparison import DAY_S, Comparison, Verdict

QUIET, ON, ALERT, ALERT_ONLY = Verdict(False, False), Verdict(True, False), Verdict(True, True), Verdict(False, True)
STEP_S = 10.0


def compared(*spans: tuple[float, Verdict, Verdict]) -> Comparison:
    """Give the comparison after spans of (hours, new, old)."""
    made = Comparison()
    for hours, new, old in spans:
        for _ in range(round(hours * 3600 / STEP_S)):
            made.add(STEP_S, new, old)
    return made


def test_a_model_that_says_the_same_passes() -> None:
    same = compared((10, QUIET, QUIET), (4, ON, ON), (10, ALERT, ALERT))
    assert same.refused(DAY_S) is None
    assert same.taken_back(DAY_S, tried=True) is None
    assert (same.heard_s, same.old_on_s) == (DAY_S, 14 * 3600)


def test_a_model_that_says_leak_always_is_refused_after_two_hours_and_a_half() -> None:
    assert compared((0.5, ON, QUIET), (2.3, ALERT, QUIET)).refused(DAY_S) is None
    why = compared((0.5, ON, QUIET), (2.5, ALERT, QUIET)).refused(DAY_S)
    assert why == "it alone would have alerted for 2.5 h"
    why = compared((12.5, ON, QUIET)).refused(DAY_S)
    assert why == "it alone hears a leak in 12.5 h of 12.5 h", "where nothing stands above the background: no alert"


def test_a_model_that_says_never_is_refused_where_the_old_one_hears_something() -> None:
    assert compared((24, QUIET, QUIET)).refused(DAY_S) is None, "there was nothing to hear"
    assert "no alert in 2.5 h in which the old one had" in str(compared((2.5, QUIET, ALERT)).refused(DAY_S))
    assert "hears nothing in 12.5 h" in str(compared((12.5, QUIET, ON)).refused(DAY_S))


def test_what_the_old_one_heard_counts_no_more_when_a_person_calls_it_wrong() -> None:
    wrong = compared((2.3, QUIET, ALERT))
    wrong.old_was_wrong()
    for _ in range(360):
        wrong.add(STEP_S, QUIET, ALERT)
    assert wrong.refused(DAY_S) is None


def test_four_alerts_a_day_that_the_old_one_does_not_share_are_too_many() -> None:
    three = compared(*[(0.1, ALERT_ONLY, QUIET), (1, QUIET, QUIET)] * 3)
    assert three.refused(DAY_S) is None
    four = compared(*[(0.1, ALERT_ONLY, QUIET), (1, QUIET, QUIET)] * 4)
    for why in (four.refused(DAY_S), four.taken_back(DAY_S, tried=True), four.taken_back(DAY_S, tried=False)):
        assert str(why).startswith("it began 4 alerts within ")
    shared = compared(*[(0.1, ALERT_ONLY, ALERT), (1, QUIET, QUIET)] * 9)
    assert shared.taken_back(DAY_S, tried=True) is None


def test_a_lasting_alert_of_the_model_that_decides_is_no_reason_to_take_it_back() -> None:
    leak = compared((0.5, ON, QUIET), (20, ALERT, QUIET))
    assert leak.taken_back(DAY_S, tried=True) is None
    assert leak.taken_back(DAY_S, tried=False) is None


def test_a_deaf_model_that_decides_is_taken_back_unless_a_person_chose_it_without_a_trial() -> None:
    deaf = compared((2.5, QUIET, ALERT))
    assert "no alert in 2.5 h" in str(deaf.taken_back(DAY_S, tried=True))
    assert deaf.taken_back(DAY_S, tried=False) is None
    useless = compared((12.5, ON, QUIET))
    assert "it alone hears a leak" in str(useless.taken_back(DAY_S, tried=True))


def test_a_snapshot_continues() -> None:
    before = compared((1, ALERT, QUIET), (0.2, ON, ALERT))
    assert Comparison.restored(before.snapshot()) == before

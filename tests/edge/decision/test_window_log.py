"""Window log: what a span of it contains, in share, coverage and extent."""

import pytest

from leakear.edge.decision.window_log import LoggedWindow, WindowLog

STEP = 10.0


def logged(
    time_s: float, *, on: bool | None = True, sure: bool = False, lost: bool = False, above: bool | None = None
) -> LoggedWindow:
    return LoggedWindow(time_s=time_s, step_s=STEP, on=on, like=on, sure=sure, lost=lost, above=above)


def test_a_summary_counts_only_the_windows_of_its_span_that_count() -> None:
    on = [True, True, None, False, True]  # the first is older than the span
    log = WindowLog(logged(STEP * (number + 1), on=found) for number, found in enumerate(on))
    found = log.scores(40)
    assert (found.share, found.covered, found.extent_s) == (pytest.approx(2 / 3), 0.75, 30)


def test_excesses_are_summarised_apart_from_scores() -> None:
    log = WindowLog([logged(10, on=False, above=True), logged(20, on=True, above=None)])
    assert (log.excesses(20).share, log.excesses(20).covered) == (1, 0.5)
    assert (log.scores(20).share, log.scores(20).covered) == (0.5, 1)
    log.forget_excesses()
    assert (log.excesses(20).share, log.excesses(20).covered) == (0, 0)


def test_windows_older_than_the_horizon_are_removed() -> None:
    log = WindowLog()
    for number in range(1, 8):
        log.add(logged(STEP * number), 30)
    assert [row[0] for row in log.snapshot(70)] == [20, 10, 0]


def test_the_newest_window_that_counts_may_be_older_than_the_newest() -> None:
    log = WindowLog([logged(10), logged(20, on=None)])
    assert (log.newest_s, log.newest_counted_s) == (20, 10)
    assert (WindowLog().newest_s, WindowLog().newest_counted_s) == (None, None)


def test_sure_needs_nine_tenths_of_the_span_and_every_window() -> None:
    sure = [logged(STEP * number, sure=True) for number in range(1, 11)]
    assert not WindowLog(sure[:8]).sure_for(100)
    assert WindowLog(sure[:9]).sure_for(100)
    assert not WindowLog([*sure[:9], logged(100, sure=False)]).sure_for(100)
    assert WindowLog([*sure[:9], logged(100, on=None)]).sure_for(100), "a window that does not count changes nothing"


def test_the_counted_share_is_unknown_until_nine_tenths_of_the_span_are_known() -> None:
    windows = [logged(STEP * number, on=None if number % 2 else False, lost=number % 2 == 1) for number in range(1, 11)]
    assert WindowLog().counted_share(100) is None
    assert WindowLog(windows[:8]).counted_share(100) is None
    assert WindowLog(windows).counted_share(100) == 0.5


def test_a_window_with_a_fault_is_neither_counted_nor_lost() -> None:
    assert WindowLog([logged(STEP * number, on=None) for number in range(1, 11)]).counted_share(100) is None


def test_the_log_of_an_older_node_has_no_excesses() -> None:
    log = WindowLog.restored([[10.0, 10.0, True, False, False], [0.0, 10.0, None, False, True, True]], 100)
    assert log.snapshot(100) == [[10, 10, True, False, False, None, True], [0, 10, None, False, True, True, None]]

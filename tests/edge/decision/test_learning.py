"""What a node may say with what it has learnt of its place."""

import pytest

from leakear.edge.decision.judge import Judge
from leakear.edge.decision.learning import (
    ALL,
    LASTING_LEAKS,
    NIGHTS_TO_BACKGROUND,
    STRONG_LEAKS,
    WARNING_ONLY,
    learning,
)
from leakear.edge.decision.rule import DecisionRule
from leakear.edge.spec import SpectrogramSpec

CAUTIOUS = DecisionRule(leak_needs_background=True)


@pytest.mark.parametrize(
    ("rule", "ready", "nights", "may_say"),
    [
        (CAUTIOUS, False, 0, WARNING_ONLY),
        (CAUTIOUS, False, 9, WARNING_ONLY),
        (CAUTIOUS, True, 2, WARNING_ONLY),
        (CAUTIOUS, True, 3, LASTING_LEAKS),
        (CAUTIOUS, True, CAUTIOUS.strong_nights, ALL),
        (DecisionRule(), False, 9, STRONG_LEAKS),
        (DecisionRule(rise_db=0, leak_needs_background=True), True, 9, STRONG_LEAKS),
        (DecisionRule(leak_needs_background=True, fast_s=60), False, 0, STRONG_LEAKS),
    ],
)
def test_a_node_says_more_the_more_it_knows(rule: DecisionRule, ready: bool, nights: int, may_say: str) -> None:
    learnt = learning(rule, background_ready=ready, nights_known=nights, limit_db=2.0)
    assert (learnt.background_ready, learnt.nights_known, learnt.may_say) == (ready, nights, may_say)
    assert learnt.limit_db == (2.0 if ready and rule.rise_db else None)


def test_a_new_node_has_learnt_nothing_and_its_background_takes_three_nights() -> None:
    judge = Judge(CAUTIOUS, SpectrogramSpec(), step_s=10)
    assert (judge.learning.may_say, judge.learning.nights_known, judge.suspects) == (WARNING_ONLY, 0, False)
    assert NIGHTS_TO_BACKGROUND == 3

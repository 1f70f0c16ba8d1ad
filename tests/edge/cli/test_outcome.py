"""The last sentence of a replay, for every outcome."""

from dataclasses import replace

import pytest

from leakear.edge.cli.replay.outcome import Heard, sentence
from leakear.edge.decision.learning import Learning
from leakear.edge.decision.rule import DecisionRule
from leakear.edge.decision.state_machine import State

NEW, KNOWN = Learning(False, 0, "warning", None), Learning(True, 12, "all", 2.4)
HEARD = Heard(
    windows=8, scored=8, on=8, scored_s=80, repeat=1, state=State.OK, worst=State.OK, reason="", warned_s=0,
    excess_db=None, faults={}, rule=DecisionRule(), learning=NEW,
)  # fmt: skip
WARNED = replace(HEARD, state=State.WARNING, worst=State.WARNING, reason="sounds like a leak", scored_s=9000)


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (HEARD, "Sounds like a leak in 8 of 8 windows, but 80 s are too short: an alarm needs 45 minutes"),
        (HEARD, "of it. Try --repeat 38."),
        (replace(HEARD, windows=1, scored=1, on=1, scored_s=10), "an alarm needs 45 minutes of it. Try --repeat 300."),
        (replace(HEARD, windows=40, scored=40, on=40, scored_s=400, repeat=40), "--repeat 300."),
        (replace(HEARD, on=3), "Quiet: 3 of 8 windows sound like a leak. Nothing to do."),
        (replace(HEARD, on=6, scored_s=9000), "but never in 90% of 30 minutes in a row"),
        (replace(HEARD, scored_s=9000, learning=KNOWN), "but not above the background of this place"),
        (replace(HEARD, windows=0, scored=0, on=0), "Nothing was judged"),
        (replace(HEARD, windows=140, scored=20, on=0, faults={"stuck": "one value"}),
         "Quiet: 0 of 20 windows sound like a leak. 120 of 140 windows could not be judged (stuck: one value)"),
        (replace(HEARD, windows=9), "1 of 9 windows could not be judged: nothing is known about them."),
        (replace(HEARD, windows=0, scored=0, on=0, recordings=2, refused=2),
         "Nothing was heard: 2 of 2 recordings could not be used."),
        (replace(HEARD, on=3, recordings=2, refused=1),
         "3 of 8 windows sound like a leak. 1 of 2 recordings could not be used, or only in part"),
        (replace(HEARD, scored=0, on=0, faults={"stuck": "one value"}),
         "Not judged: 0 of 8 windows could be scored (stuck: one value). Nothing is known about a leak."),
        (replace(HEARD, state=State.SENSOR_FAULT, on=0, faults={"dc_offset": "far from zero"}), "(dc_offset: far from"),
        (replace(HEARD, state=State.NOISY, scored=2, on=0), "Not judged: 2 of 8 windows could be scored."),
        (WARNED, "WARNING: sounds like a leak. A LEAK needs the background of the place, known after 3 nights there"),
        (replace(WARNED, learning=KNOWN, warned_s=300), "A LEAK needs 10 more minutes of it."),
        (replace(WARNED, learning=KNOWN, warned_s=1800, excess_db=1.5), "(below 2.5 dB) must come back in two nights"),
        (replace(WARNED, learning=KNOWN, warned_s=1800, excess_db=5.0), "It must go on without a break"),
        (replace(WARNED, state=State.LEAK, worst=State.LEAK), "LEAK: sounds like a leak. Send somebody."),
        (replace(WARNED, state=State.OK, worst=State.LEAK), "LEAK, which has ended: sounds like a leak."),
    ],
)  # fmt: skip
def test_the_last_line_tells_a_person_what_to_do(heard: Heard, expected: str) -> None:
    assert expected in sentence(heard)
    assert sentence(heard).endswith(".")

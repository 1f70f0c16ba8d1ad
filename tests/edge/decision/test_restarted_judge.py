"""A judge that goes on after a restart, sleep or fault decides as if there had been none: what was known still is."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from leakear.edge.background.entries import ENOUGH
from leakear.edge.background.packed import packed
from leakear.edge.background.third_octaves import Bands
from leakear.edge.decision.judge import Judge
from leakear.edge.decision.state_machine import DecisionRule, State
from tests.edge.decision.test_judge import HEALTHY, SPEC

RULE = DecisionRule(leak_needs_background=True)
PUMP = np.full(25, -60, np.float32)
"""quiet levels of a sound of the place that scores as a leak"""
LEAK = PUMP + np.float32(10)
STEP = 30.0


class Node:
    """A node that knows its pump."""

    def __init__(self, rule: DecisionRule = RULE) -> None:
        self.judge, self.time_s = Judge(rule, SPEC, step_s=STEP), 0.0
        entries = {"moments": packed([PUMP] * ENOUGH), "pending": packed([]), "since_s": 0.0}
        self.judge.restore({"usual": entries}, 0.0, 0.0)

    def hear(self, minutes: float, levels: Bands = PUMP, score: float = 0.9) -> list[State]:
        """Return the states that it entered."""
        entered = []
        for _ in range(round(minutes * 60 / STEP)):
            self.time_s += STEP
            health = self.judge.check(HEALTHY, self.time_s - 10)
            verdict = self.judge.window(health, time_s=self.time_s, utc=self.time_s, score=score, levels=levels)
            entered += [verdict.transition.target] if verdict.transition else []
        return entered

    def restart(self, gap_s: float = 10.0) -> None:
        saved, rule = json.loads(json.dumps(self.judge.snapshot())), self.judge.rule
        self.time_s += gap_s
        self.judge = Judge(rule, SPEC, step_s=STEP)
        self.judge.restore(saved, self.time_s, gap_s)

    def sleep(self) -> None:
        self.judge.pause(time_s=self.time_s, utc=self.time_s, until=self.time_s + 3600)
        self.time_s += 3600

    def lose_the_sensor(self) -> None:
        for _ in range(3600):
            self.time_s += 1
            self.judge.sensor_fault("no_frames", time_s=self.time_s, utc=self.time_s)


@pytest.mark.parametrize("minutes", [0.5, 5, 20, 60])
def test_a_known_sound_that_scores_as_a_leak_is_no_alert_after_a_restart(minutes: float) -> None:
    node = Node()
    assert node.hear(30, score=0.1) == []
    assert node.hear(60) == []
    for _ in range(3):
        node.restart()
        assert node.hear(minutes) == []


def test_what_a_person_called_no_leak_is_none_after_a_restart() -> None:
    node = Node()
    node.hear(30, score=0.1)
    assert node.hear(60, LEAK) == [State.WARNING]
    node.judge.accept()
    assert node.hear(90, LEAK) == [State.OK]
    node.restart()
    assert node.hear(60, LEAK) == []


def test_it_is_accepted_as_a_whole_right_after_a_restart() -> None:
    node = Node()
    node.hear(30, score=0.1)
    assert node.hear(60, LEAK) == [State.WARNING]
    node.restart()
    assert node.hear(5, LEAK) == []
    node.judge.accept()
    assert node.hear(90, LEAK) == [State.OK]


@pytest.mark.parametrize("minutes", [5.0, 10.0])
def test_a_new_sound_is_told_however_often_the_node_restarts(minutes: float) -> None:
    """What was known before the restarts is not known for ever."""
    node = Node()
    node.hear(60, score=0.1)
    entered: list[State] = []
    for _ in range(round(90 / minutes)):
        node.restart()
        entered += node.hear(minutes, LEAK)
    assert State.WARNING in entered


def test_a_leak_goes_on_over_a_restart() -> None:
    node = Node()
    node.hear(30, score=0.1)
    assert node.hear(40, LEAK) == [State.WARNING]
    node.restart()
    assert node.hear(40, LEAK) == []
    assert node.judge.decision.state is State.WARNING


def test_levels_of_another_span_are_not_those_of_this_one() -> None:
    node = Node()
    node.hear(60)
    node.restart(gap_s=RULE.span_s + STEP)
    node.hear(1)
    assert node.judge.background.now is None


def test_levels_from_before_a_long_fault_are_not_those_of_this_span() -> None:
    node = Node()
    node.hear(60)
    node.lose_the_sensor()
    node.restart()
    node.hear(1)
    assert node.judge.background.now is None


def restart_after_an_hour(node: Node) -> None:
    node.restart(3600)


@pytest.mark.parametrize("interrupt", [Node.sleep, Node.lose_the_sensor, restart_after_an_hour])
def test_a_leak_that_scores_low_by_now_ends_when_its_level_is_known_to_be_gone(
    interrupt: Callable[[Node], None],
) -> None:
    """Too little was heard for it when the scores alone said "quiet for 10 min" of a sound that went on."""
    node = Node(DecisionRule())
    leak = PUMP + np.float32(4)
    node.hear(30, score=0.1)
    assert node.hear(60, leak) == [State.WARNING, State.LEAK]
    assert node.hear(60, leak, score=0.1) == []
    for _ in range(2):
        interrupt(node)
        assert State.OK not in node.hear(60, leak, score=0.1)
        assert node.judge.decision.state is State.LEAK
    interrupt(node)
    assert node.hear(25, score=0.1)[-1] is State.OK

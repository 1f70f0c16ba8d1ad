"""Judge: health, background, lasting faults and state machine give one verdict."""

import json
from dataclasses import replace

import numpy as np
import pytest

from leakear.edge.decision.judge import NO_SCORE, NOT_JUDGED, Judge, Verdict
from leakear.edge.decision.state_machine import DecisionRule, State
from leakear.edge.health.measures import BROKEN, Measures
from leakear.edge.spec import SpectrogramSpec

SPEC = SpectrogramSpec()
RULE = DecisionRule(span_s=60, confirm_s=30, clear_s=30, noisy_s=60)
HEALTHY = replace(BROKEN, finite=True, level_dbfs=-28.0, l05=-40.0, l50=-35.0, l95=-20.0, bandwidth_hz=10000.0)
LEVELS = np.full(25, -60, np.float32)


def judge() -> Judge:
    return Judge(RULE, SPEC, step_s=10.0)


def hear(node: Judge, end: float, score: float = 0.1, measures: Measures = HEALTHY) -> Verdict:
    health = node.check(measures, end - 10)
    return node.window(health, time_s=end, utc=end, score=score, levels=LEVELS)


def test_a_steady_high_score_is_a_leak() -> None:
    node = judge()
    states = [hear(node, 10.0 * number, 0.9).state for number in range(1, 14)]
    assert list(dict.fromkeys(states)) == [State.OK, State.WARNING, State.LEAK]


def test_a_fault_of_one_window_is_not_shown_and_a_lasting_one_is() -> None:
    node = judge()
    first = hear(node, 10, measures=BROKEN)
    assert (first.state, first.faults) == (State.OK, ())
    verdict = hear(node, 20, measures=BROKEN)
    assert (verdict.state, verdict.faults, verdict.score) == (State.SENSOR_FAULT, ("nan",), None)
    lost = node.lost(time_s=30, utc=30)
    assert (lost.state, lost.faults) == (State.SENSOR_FAULT, ("nan",)), "a lost window does not end it"
    assert hear(node, 40).faults == ()


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1, 1.5])
def test_a_score_that_is_no_probability_is_a_fault(score: float) -> None:
    node = judge()
    hear(node, 10, score)
    verdict = hear(node, 20, score)
    assert (verdict.state, verdict.faults, verdict.score) == (State.SENSOR_FAULT, (NO_SCORE,), None)


def test_a_sensor_fault_is_shown_at_once() -> None:
    verdict = judge().sensor_fault("no_frames", time_s=1, utc=1)
    assert (verdict.state, verdict.faults) == (State.SENSOR_FAULT, ("no_frames",))


def test_with_low_confidence_quiet_a_high_score_still_counts() -> None:
    node = judge()
    states = []
    for number in range(1, 14):
        health = replace(node.check(HEALTHY, 10.0 * number - 10), faults=("floor_drift",))
        time_s = 10.0 * number
        states.append(node.window(health, time_s=time_s, utc=time_s, score=0.9, levels=LEVELS).state)
    assert list(dict.fromkeys(states)) == [State.OK, State.SENSOR_FAULT, State.WARNING, State.LEAK]


def test_what_is_learned_anew_forgets_background_and_excesses() -> None:
    node = judge()
    hear(node, 10)
    saved = node.snapshot()
    marks = [[*mark[:5], True] for mark in saved["decision"]["marks"]]
    node.restore(saved | {"decision": saved["decision"] | {"by_rise": True, "marks": marks}}, 10, 0)
    node.learn_anew()
    after = node.snapshot()
    assert (after["decision"]["by_rise"], after["decision"]["marks"][0][5]) == (False, None)
    assert after["usual"] == judge().snapshot()["usual"]
    assert after["health"] == saved["health"], "the noise floor stays"


def test_an_accepted_floor_forgets_the_noise_floor_and_the_background() -> None:
    node = judge()
    hear(node, 10)
    node.accept_floor()
    assert node.snapshot()["health"] == judge().snapshot()["health"]
    assert node.snapshot()["usual"] == judge().snapshot()["usual"]


def test_too_many_lost_windows_are_not_judged() -> None:
    node = judge()
    verdict = [node.lost(time_s=10 * number, utc=10 * number) for number in range(1, 9)][-1]
    assert (verdict.state, verdict.faults) == (State.NOISY, (NOT_JUDGED,))


def test_the_saved_state_has_the_keys_of_version_0_1_and_continues() -> None:
    node, again = judge(), judge()
    for number in range(1, 14):
        hear(node, 10.0 * number, 0.9)
    hear(node, 140, measures=BROKEN)
    hear(node, 150, measures=BROKEN)
    saved = json.loads(json.dumps(node.snapshot()))
    assert list(saved) == ["decision", "health", "usual", "told"]
    assert set(saved["decision"]) == {"heard", "shown", "announced", "age_s", "by_rise", "marks"}
    assert set(saved["usual"]) == {"moments", "pending", "since_s"}
    again.restore(saved, 1000.0, 5.0)
    assert again.lost(time_s=1010, utc=1010).faults == ("nan",)
    assert hear(again, 1020, 0.9).state is State.LEAK


def test_the_decision_of_an_older_node_is_read() -> None:
    saved = judge().snapshot()
    decision = saved["decision"] | {"marks": [[10.0, 10.0, True, False, False]]}
    del decision["by_rise"], decision["announced"]
    node = judge()
    node.restore(saved | {"decision": decision}, 100, 0)
    assert node.decision.on_fraction == 1

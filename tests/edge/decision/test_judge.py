"""Judge: health, background, lasting faults and state machine give one verdict."""

import json
import tracemalloc
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

from leakear.edge.background.entries import ENOUGH
from leakear.edge.background.packed import packed
from leakear.edge.background.third_octaves import Bands
from leakear.edge.decision.judge import CLIPPING_S, NO_SCORE, NOT_JUDGED, Judge, Verdict
from leakear.edge.decision.state_machine import DecisionRule, State
from leakear.edge.health.measures import BROKEN, Measures
from leakear.edge.spec import SpectrogramSpec

SPEC = SpectrogramSpec()
RULE = DecisionRule(span_s=60, confirm_s=30, clear_s=30, noisy_s=60)
HEALTHY = replace(BROKEN, finite=True, level_dbfs=-28.0, l05=-40.0, l95=-20.0, bandwidth_hz=10000.0)
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
    limits = saved["decision"]["limits"]
    limits["days"]["LEAK"] = {"peaks": [[7.0, 0, False]] * 3, "levels": packed([]), "turn": 0}
    node.restore(saved | {"decision": saved["decision"] | {"marks": marks, "limits": limits}}, 10, 0)
    assert node.decision.hours.limit_db >= 7
    node.learn_anew()
    after = node.snapshot()
    assert node.decision.hours.limit_db < 7
    assert after["decision"]["marks"][0][5] is None
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
    assert set(saved) == {"decision", "health", "usual", "told", "lately"}
    assert set(saved["decision"]) >= {"heard", "shown", "announced", "age_s", "marks"}
    assert set(saved["usual"]) >= {"moments", "pending", "since_s"}
    again.restore(saved, 1000.0, 5.0)
    assert again.lost(time_s=1010, utc=1010).faults == ("nan",)
    assert hear(again, 1020, 0.9).state is State.LEAK


def test_the_decision_of_an_older_node_is_read() -> None:
    saved = judge().snapshot()
    decision = {"heard": "OK", "shown": "OK", "age_s": 5.0, "by_rise": False}
    node = judge()
    node.restore(saved | {"decision": decision | {"marks": [[10.0, 10.0, True, False, False]]}}, 100, 0)
    assert node.decision.on_fraction == 1


CLIPPED = replace(HEALTHY, clip_ratio=0.5, l05=-12.0)
LONG = DecisionRule(time_zone="UTC")


def minutes(node: Judge, start: float, count: float, score: float, *measures: Measures) -> list[Verdict]:
    """Hear windows with these measures in turn for some minutes."""
    ends = [start + 10.0 * (number + 1) for number in range(round(count * 6))]
    return [hear(node, end, score, measures[number % len(measures)]) for number, end in enumerate(ends)]


def test_transient_clipping_neither_faults_nor_silences() -> None:
    node = Judge(LONG, SPEC, step_s=10.0)
    site = minutes(node, 0, 60, 0.1, CLIPPED, HEALTHY, HEALTHY)
    assert {(verdict.state, verdict.faults) for verdict in site} == {(State.OK, ())}
    assert all(verdict.score is not None for verdict in site)
    leak = minutes(node, 3600, 60, 0.9, CLIPPED, HEALTHY, HEALTHY)
    entered = [verdict.transition.target for verdict in leak if verdict.transition]
    assert entered == [State.WARNING, State.LEAK]


def test_clipping_of_some_minutes_is_no_fault() -> None:
    node = Judge(LONG, SPEC, step_s=10.0)
    minutes(node, 0, 20, 0.1, HEALTHY)
    assert {verdict.state for verdict in minutes(node, 1200, CLIPPING_S / 60 * 0.45, 0.1, CLIPPED)} == {State.OK}


def test_steady_clipping_is_a_fault_and_a_high_score_still_counts() -> None:
    node = Judge(LONG, SPEC, step_s=10.0)
    minutes(node, 0, 20, 0.1, HEALTHY)
    quiet = minutes(node, 1200, 30, 0.1, CLIPPED)
    assert (quiet[-1].state, quiet[-1].faults) == (State.SENSOR_FAULT, ("clipping",))
    leak = minutes(node, 3000, 90, 0.9, CLIPPED)
    assert [verdict.transition.target for verdict in leak if verdict.transition] == [State.WARNING, State.LEAK]
    assert leak[-1].faults == ("clipping",)
    assert node.decision.pipe is State.LEAK
    minutes(node, 8400, 60, 0.1, CLIPPED)
    assert node.decision.pipe is State.LEAK, "its quiet has low confidence"
    after = minutes(node, 12000, 60, 0.1, HEALTHY)
    assert (after[-1].state, after[-1].faults) == (State.OK, ())


def test_a_fault_that_lasted_ends_with_a_window_that_only_clips() -> None:
    node = judge()
    for number in range(1, 4):
        hear(node, 10.0 * number, measures=BROKEN)
    verdict = hear(node, 40, measures=CLIPPED)
    assert (verdict.state, verdict.faults) == (State.OK, ())


@pytest.mark.parametrize("faults", [("clipping",), ("floor_drift",)])
def test_a_scored_fault_that_lasted_lasts_over_a_restart(faults: tuple[str, ...]) -> None:
    def heard(node: Judge, time_s: float) -> Verdict:
        health = replace(node.check(HEALTHY, time_s - 10), faults=faults)
        return node.window(health, time_s=time_s, utc=time_s, score=0.1, levels=LEVELS)

    node, again = judge(), judge()
    verdicts = [heard(node, 10.0 * number) for number in range(1, 90)]
    assert verdicts[-1].state is State.SENSOR_FAULT
    again.restore(json.loads(json.dumps(node.snapshot())), 5000.0, 20.0)
    verdict = heard(again, 5010)
    assert (verdict.state, verdict.faults, verdict.transition) == (State.SENSOR_FAULT, faults, None)
    assert hear(again, 5020).state is State.OK


def known(node: Judge) -> None:
    """Let a node know its background, and six nights in which nothing was new."""
    entries = {"moments": packed([LEVELS] * ENOUGH), "pending": packed([]), "since_s": 0.0}
    node.restore({"usual": entries}, 0.0, 0.0)
    days(node, 0.0, 6, LEVELS)


def days(node: Judge, start: float, count: float, levels: Bands, score: float = 0.1) -> list[State]:
    """Hear the same for some days, a window every quarter of an hour; return the states entered."""
    entered = []
    for end in (start + 900.0 * np.arange(1, count * 96 + 1)).tolist():
        health = node.check(HEALTHY, end - 10)
        verdict = node.window(health, time_s=end, utc=end, score=score, levels=levels)
        entered += [verdict.transition.target] if verdict.transition else []
    return entered


def sound(band: int, db: float) -> Bands:
    """Levels of the place with a sound of some dB over it in three bands."""
    levels = LEVELS.copy()
    levels[band : band + 3] += np.float32(db)
    return levels


def test_a_faint_leak_is_found_in_nights_stays_and_ends_with_its_sound() -> None:
    node = Judge(LONG, SPEC, step_s=900.0)
    known(node)
    limit = node.decision.nights.limit_db
    leak = sound(12, limit + 1.0)
    assert days(node, 6 * 86400.0, 10, leak) == [State.WARNING, State.LEAK]
    assert len(node.background.entries.held) > 9 * 47, "it never joins"
    assert days(node, 16 * 86400.0, 0.25, LEVELS) == [State.OK]
    assert node.decision.nights.reason == "what rose in the night is no longer heard"
    assert node.background.entries.held == [], "it has stopped"


def test_an_accepted_sound_is_no_alarm_again_and_a_louder_one_is() -> None:
    node = Judge(LONG, SPEC, step_s=900.0)
    known(node)
    machine = sound(12, 5.0)
    assert days(node, 6 * 86400.0, 2.5, machine, score=0.9)[-1] is State.LEAK
    node.accept()
    assert days(node, 8.5 * 86400.0, 4, machine, score=0.9) == [State.OK]
    assert days(node, 12.5 * 86400.0, 1, LEVELS) == []
    assert days(node, 13.5 * 86400.0, 2, machine, score=0.9) == []
    assert days(node, 15.5 * 86400.0, 4, sound(12, 25.0), score=0.9)[-1] is State.LEAK


def test_the_excess_is_computed_beside_clipping() -> None:
    node = Judge(LONG, SPEC, step_s=900.0)
    known(node)
    leak, time_s = sound(12, 5.0), 6 * 86400.0
    for number in range(1, 9):
        end = time_s + 900.0 * number
        node.window(node.check(CLIPPED, end - 10), time_s=end, utc=end, score=0.1, levels=leak)
    assert node.background.now is not None
    np.testing.assert_allclose(node.background.now, leak, atol=1e-3)


def test_entries_that_hold_a_leak_found_later_are_held_back() -> None:
    node = Judge(LONG, SPEC, step_s=900.0)
    known(node)
    asked = []
    with patch.object(node.background, "hold_back", lambda *given: asked.append(given)):
        days(node, 6 * 86400.0, 2, sound(12, 5.0))
        days(node, 8 * 86400.0, 2, LEVELS)
    nights = [night for night in node.decision.nights.last if night.risen]
    assert len(asked) == 2
    assert nights == [] or asked[-1] == (nights[-1].band, nights[-1].level_db, nights[-1].excess_db)


def test_a_faint_leak_never_joins_the_background_of_a_node_that_sleeps_after_its_nights() -> None:
    node = Judge(LONG, SPEC, step_s=900.0)
    known(node)
    entered = []
    for night in range(6, 90):
        leak = sound(12, 0.45) if night >= 46 else LEVELS
        begin = 86400.0 * night + 7200
        for end in (begin + 900.0 * np.arange(8)).tolist():
            verdict = node.window(node.check(HEALTHY, end - 10), time_s=end, utc=end, score=0.4, levels=leak)
            entered += [verdict.transition.target] if verdict.transition else []
        verdict = node.pause(time_s=begin + 7200, utc=begin + 7200, until=begin + 86400)
        entered += [verdict.transition.target] if verdict.transition else []
    assert entered == [State.WARNING, State.LEAK], "and it goes on"


def test_what_a_node_learns_is_bounded() -> None:
    """Memory grows while the background fills; every day has a leak-like use and faults."""
    node, some, sizes = Judge(LONG, SPEC, step_s=900.0), np.random.default_rng(3), []
    tracemalloc.start()
    try:
        for number in range(96 * 42):
            end, quarter = 900.0 * (number + 1), number % 96
            loud = quarter in range(70, 78)
            measures = BROKEN if quarter == 50 else CLIPPED if quarter == 51 else HEALTHY
            levels = (sound(12, 20.0) if loud else LEVELS) + some.normal(0, 0.3, 25).astype(np.float32)
            node.window(node.check(measures, end - 10), time_s=end, utc=end, score=0.9 if loud else 0.1, levels=levels)
            if quarter == 95:
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    grown = [(sizes[last] - sizes[first]) / 1e3 for first, last in ((0, 13), (13, 27), (27, 41))]
    print(f"\nin the first, second and third fortnight: {', '.join(f'{kb:.0f}' for kb in grown)} kB")
    assert grown[0] > 300, "else nothing was learnt"
    assert grown[2] < 30

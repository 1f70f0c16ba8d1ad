"""State machine: use of water never alarms, a leak does, quiet clears, a fault is shown, a restart changes nothing."""

import json
from typing import Any

import pytest

from leakear.edge.background.background import Excess
from leakear.edge.decision.state_machine import Decision, DecisionRule, Observation, State

STEP = 10.0
DAY = 86400.0


def window(time: float, score: float | None, level: float | None = None, **more: Any) -> Observation:
    """A window that ended at a time, for both clocks."""
    return Observation(time_s=time, utc=time, step_s=more.pop("step_s", STEP), score=score, dbmin=level, **more)


def run(decision: Decision, *parts: tuple[float | None, float], start: float = 0.0) -> list[tuple[str, float]]:
    """Feed (score, minutes) one after the other; return the states entered with their minute."""
    time, entered = start, []
    for score, minutes in parts:
        for _ in range(round(minutes * 60 / STEP)):
            time += STEP
            change = decision.update(window(time, score, -40.0))
            if change:
                entered.append((change.target.value, (time - start) / 60))
    return entered


def test_a_leak_warns_then_alarms_then_clears() -> None:
    states = run(Decision(DecisionRule()), (0.1, 60), (0.9, 120), (0.1, 60))
    assert [s for s, _ in states] == ["WARNING", "LEAK", "OK"]
    assert states[0][1] == pytest.approx(60 + 27), "as soon as 90 % of 30 min are on"
    assert states[1][1] <= 60 + 60
    assert 180 < states[2][1] <= 190


@pytest.mark.parametrize("minutes", [0.2, 5, 20, 25])
def test_use_of_water_never_alarms(minutes: float) -> None:
    assert run(Decision(DecisionRule()), (0.1, 40), (0.99, minutes), (0.1, 40)) == []


def test_use_never_alarms_though_its_pauses_could_not_be_judged() -> None:
    decision = Decision(DecisionRule())
    assert run(decision, (0.1, 40), (None, 2), (0.99, 25), (None, 3), (0.1, 40)) == []


def test_a_leak_is_found_though_a_third_of_the_windows_is_lost() -> None:
    decision = Decision(DecisionRule())
    parts = [(score, 1 / 6) for _ in range(180) for score in (0.9, None, 0.9)]
    assert [s for s, _ in run(decision, (0.1, 40), *parts)] == ["WARNING", "LEAK"]


def test_an_interrupted_sound_is_no_leak() -> None:
    parts = [(0.9, 20), (0.1, 10)] * 10
    assert run(Decision(DecisionRule()), *parts) == []


def test_a_warning_whose_sound_ends_is_no_leak() -> None:
    assert [s for s, _ in run(Decision(DecisionRule()), (0.9, 32), (0.1, 30))] == ["WARNING", "OK"]


def test_use_on_top_of_a_leak_changes_nothing() -> None:
    assert [s for s, _ in run(Decision(DecisionRule()), (0.8, 90), (0.99, 10), (0.8, 90))] == ["WARNING", "LEAK"]


def test_the_level_gate_mutes_what_is_too_quiet_to_be_a_leak() -> None:
    assert run(Decision(DecisionRule(level_gate_dbfs=-30)), (0.99, 120)) == []


def test_a_fault_is_shown_until_the_first_good_window_and_the_leak_stays() -> None:
    decision = Decision(DecisionRule())
    run(decision, (0.9, 90))
    assert decision.state is State.LEAK
    change = decision.update(window(5500, None, fault="no_frames"))
    assert change is not None
    assert (change.target, change.reason) == (State.SENSOR_FAULT, "no_frames")
    assert decision.update(window(5510, None)) is None
    change = decision.update(window(5520, 0.9))
    assert change is not None
    assert change.target is State.LEAK


def test_faulty_windows_count_neither_way() -> None:
    decision = Decision(DecisionRule())
    run(decision, (0.1, 40))
    time = 2400.0
    for _ in range(600):
        time += STEP
        decision.update(window(time, 0.99, -10.0, fault="clipping"))
    assert decision.update(window(time + STEP, 0.1)).target is State.OK  # type: ignore[union-attr]


def faulty(decision: Decision, start: float, hours: float) -> float:
    """Have a sensor fault, repeated once a minute; return when it ends."""
    for minute in range(round(hours * 60)):
        decision.update(window(start + 60 * minute, None, fault="no_device", step_s=0.0))
    return start + hours * 3600


def test_a_warning_ends_after_hours_of_a_sensor_fault() -> None:
    decision = Decision(DecisionRule())
    assert [s for s, _ in run(decision, (0.1, 30), (0.95, 30))] == ["WARNING"]
    end = faulty(decision, 3610, 5)
    assert [s for s, _ in run(decision, (0.95, 14), (0.1, 10), start=end)] == ["OK"], "a tap is no leak"


def test_a_sound_with_a_fault_in_it_is_not_confirmed() -> None:
    decision = Decision(DecisionRule())
    assert [s for s, _ in run(decision, (0.1, 30), (0.95, 30))] == ["WARNING"]
    end = faulty(decision, 3610, 0.3)
    assert [s for s, _ in run(decision, (0.95, 8), (0.1, 30), start=end)] == ["WARNING", "OK"]


@pytest.mark.parametrize(("gap_s", "states"), [(60, []), (8 * 3600, ["OK"])])
def test_a_warning_ends_after_hours_without_power(gap_s: float, states: list[str]) -> None:
    before, after = Decision(DecisionRule()), Decision(DecisionRule())
    assert [s for s, _ in run(before, (0.1, 30), (0.95, 30))] == ["WARNING"]
    after.restore(json.loads(json.dumps(before.snapshot())), time_s=100, gap_s=gap_s)
    assert [s for s, _ in run(after, (0.95, 8), start=100)] == states


def test_a_leak_that_holds_after_a_sensor_fault_is_no_new_alert() -> None:
    decision = Decision(DecisionRule())
    run(decision, (0.9, 90))
    end = faulty(decision, 5410, 72)
    change = decision.update(window(end, 0.1, -40.0))
    assert change is not None
    assert (change.target, change.again) == (State.LEAK, True)
    assert change.reason == "SENSOR_FAULT ended; LEAK as last heard"
    assert [s for s, _ in run(decision, (0.1, 12), start=end)] == ["OK"]


def low_confidence(decision: Decision, *parts: tuple[float, float], start: float = 0.0) -> list[str]:
    """Feed (score, minutes) of a sensor that may be off the pipe; return the states entered."""
    time, entered = start, []
    for score, minutes in parts:
        for _ in range(round(minutes * 60 / STEP)):
            time += STEP
            change = decision.update(window(time, score, -40.0, fault="floor_drift", low_confidence=True))
            entered += [change.target.value] if change else []
    return entered


def test_a_leak_is_found_with_low_confidence_quiet() -> None:
    decision = Decision(DecisionRule())
    assert low_confidence(decision, (0.1, 60), (0.9, 90)) == ["SENSOR_FAULT", "WARNING", "LEAK"]
    assert low_confidence(decision, (0.1, 600), start=20_000) == ["SENSOR_FAULT"], (
        "and low-confidence quiet clears nothing"
    )
    assert [s for s, _ in run(decision, (0.1, 8), start=80_000)] == ["LEAK", "OK"]


def test_with_low_confidence_quiet_a_sound_with_pauses_is_no_leak() -> None:
    parts = [(0.9, 2), (0.1, 1)] * 60  # windows that are not on do not count, and must not be taken for on
    assert low_confidence(Decision(DecisionRule()), *parts) == ["SENSOR_FAULT"]


def test_too_many_lost_windows_make_noisy_with_hysteresis() -> None:
    decision = Decision(DecisionRule())
    lost = [(score, 1 / 6) for _ in range(120) for score in (0.1, None, None)]
    half = [(score, 1 / 6) for _ in range(60) for score in (0.1, 0.1, 0.1, None, None)]
    assert [s for s, _ in run(decision, (0.1, 20), *lost, *half)] == ["NOISY"]
    assert [s for s, _ in run(decision, (0.1, 20), start=20000)] == ["OK"]


def test_confirmation_may_wait_for_the_quiet_hours() -> None:
    decision = Decision(DecisionRule(quiet_hours="02:00-04:00"))
    states = run(decision, (0.9, 240))
    assert [s for s, _ in states] == ["WARNING", "LEAK"]
    assert states[1][1] == pytest.approx(120, abs=0.5)


def test_the_fast_path_takes_only_loud_and_sure() -> None:
    rule = DecisionRule(fast_s=120, fast_level_dbfs=-45)
    assert run(Decision(rule), (0.999, 3))[0][0] == "LEAK"
    assert run(Decision(rule), (0.98, 20)) == []


def test_the_fast_path_needs_its_whole_time() -> None:
    (state,) = run(Decision(DecisionRule(fast_s=120, fast_level_dbfs=-45)), (0.999, 10))
    assert state == ("LEAK", pytest.approx(1.8, abs=0.2))


def test_a_loud_and_sure_sound_does_not_begin_a_leak_again() -> None:
    decision = Decision(DecisionRule(fast_s=120, fast_level_dbfs=-45))
    ((_, minute),) = run(decision, (0.999, 10))
    assert decision.snapshot()["age_s"] == pytest.approx((10 - minute) * 60)


def test_every_limit_itself_counts() -> None:
    at_the_limits = DecisionRule(
        threshold=0.6, level_gate_dbfs=-40, fast_s=7200, fast_score=0.9, fast_level_dbfs=-40, quiet_hours="23:00-23:01"
    )
    assert [s for s, _ in run(Decision(at_the_limits), (0.6, 60))] == ["WARNING"]
    assert [s for s, _ in run(Decision(at_the_limits), (0.9, 130))] == ["WARNING", "LEAK"]


def test_a_window_with_low_confidence_quiet_does_not_complete_the_quiet() -> None:
    def leaking_then_quiet(minutes: float) -> Decision:
        decision = Decision(DecisionRule())
        run(decision, (0.9, 90), (0.1, minutes))
        return decision

    ((_, cleared),) = run(leaking_then_quiet(0), (0.1, 20), start=5400)
    for low_confidence_windows in (1, 3):
        decision = leaking_then_quiet(cleared - 1 / 6)
        assert decision.state is State.LEAK
        low_confidence(decision, (0.1, low_confidence_windows / 6), start=5400 + cleared * 60 - STEP)
        assert decision.leak_suspected


def nights(decision: Decision, *parts: tuple[float, float | None], days: int = 1, start: float = 0.0) -> list[Any]:
    """Hear whole days of (P(leak), excess in dB) in windows of half an hour; return the transitions."""
    time, changes = start, []
    for score, db in parts:
        for _ in range(48 * days):
            time += 1800.0
            excess = None if db is None else Excess(db, 1000.0, weather=False, band=14, level_db=-60.0)
            change = decision.update(window(time, score, -40.0, excess=excess, step_s=1800.0))
            changes += [change] if change else []
    return changes


UTC_RULE = DecisionRule(time_zone="UTC")


def test_what_returns_in_two_nights_is_a_leak_whose_evidence_are_the_nights() -> None:
    decision = Decision(UTC_RULE)
    assert nights(decision, (0.1, 0.2), days=6) == []
    warning, leak = nights(decision, (0.1, 4.0), days=2, start=6 * DAY)
    assert (warning.target, leak.target) == (State.WARNING, State.LEAK)
    assert leak.decided_on.by == warning.decided_on.by == "nights"
    assert (warning.decided_on.nights_risen, leak.decided_on.nights_risen, leak.decided_on.nights_known) == (1, 2, 8)
    assert leak.decided_on.excess_db == pytest.approx(4.0)
    assert leak.decided_on.limit_db < 4
    assert "in 2 of 3 nights" in leak.reason
    (ended,) = nights(decision, (0.1, 0.2), days=2, start=8 * DAY)
    assert (ended.target, ended.reason, ended.decided_on) == (State.OK, "two nights without it", None)


def test_nights_say_nothing_under_a_rule_that_uses_no_background() -> None:
    assert nights(Decision(DecisionRule(time_zone="UTC", rise_db=0)), (0.1, 0.2), (0.1, 4.0), days=5) == []


def test_the_worse_of_hours_and_nights_is_shown_with_its_own_evidence() -> None:
    decision = Decision(UTC_RULE)
    nights(decision, (0.1, 0.2), days=6)
    (warning,) = nights(decision, (0.1, 4.0), start=6 * DAY)
    assert warning.decided_on.by == "nights"
    leaks = nights(decision, (0.9, 9.0), start=7 * DAY)
    assert [(change.target, change.decided_on.by) for change in leaks] == [(State.LEAK, "hours")]
    assert leaks[0].decided_on.limit_db == decision.hours.limit_db


def test_a_background_that_is_not_known_leaves_the_score_as_evidence() -> None:
    decision = Decision(UTC_RULE)
    changes = nights(decision, (0.9, None))
    assert [change.target for change in changes] == [State.WARNING, State.LEAK]
    assert {change.decided_on.by for change in changes} == {"score"}
    assert changes[0].decided_on.excess_db is None


def test_a_leak_since_installation_is_never_dropped() -> None:
    decision = Decision(DecisionRule(time_zone="UTC", leak_needs_background=True))
    (warning,) = nights(decision, (0.9, None), days=2)
    assert warning.target is State.WARNING
    assert nights(decision, (0.9, 0.0), days=9, start=2 * DAY) == []
    assert decision.state is State.WARNING
    decision.update(window(11 * DAY + 7200, 0.1, -40.0, step_s=1800.0))
    assert decision.nights.reason == "sounds like a leak in every night since installation"


def test_low_confidence_hides_no_leak_since_installation() -> None:
    decision = Decision(UTC_RULE)
    nights(decision, (0.9, None), days=3)
    low_confidence(decision, (0.1, 60), start=3 * DAY)
    assert decision.nights.state is State.WARNING


def test_what_a_person_states_ends_the_state_with_that_reason() -> None:
    decision = Decision(UTC_RULE)
    nights(decision, (0.1, 0.2), days=6)
    nights(decision, (0.9, 4.0), days=2, start=6 * DAY)
    assert (decision.hours.state, decision.nights.state) == (State.LEAK, State.LEAK)
    decision.accept()
    change = decision.update(window(8 * DAY + 60, 0.9, -40.0, excess=Excess(0.1, 1000.0, weather=False)))
    assert change is not None
    assert (change.target, change.again) == (State.OK, False)
    assert change.reason == "a person has stated that there is no leak"
    decision.accept()
    change = decision.update(window(8 * DAY + 120, None, fault="no_frames"))
    assert change is not None
    assert change.reason == "no_frames"
    change = decision.update(window(8 * DAY + 130, 0.1))
    assert change is not None
    assert change.reason == "SENSOR_FAULT ended"


def test_what_is_forgotten_ends_the_nights_and_the_limit() -> None:
    decision = Decision(UTC_RULE)
    nights(decision, (0.1, 0.2), days=6)
    nights(decision, (0.1, 4.0), days=2, start=6 * DAY)
    decision.forget_excesses()
    assert (decision.nights.state, decision.nights.known) == (State.OK, 0)
    assert [change.target for change in nights(decision, (0.1, None), start=8 * DAY)] == [State.OK]


def test_a_fault_is_shown_over_a_leak_of_the_nights() -> None:
    decision = Decision(UTC_RULE)
    nights(decision, (0.1, 0.2), days=6)
    nights(decision, (0.1, 4.0), days=2, start=6 * DAY)
    assert decision.state is State.LEAK
    assert low_confidence(decision, (0.1, 1), start=8 * DAY) == ["SENSOR_FAULT"]
    change = decision.update(window(8 * DAY + 100, 0.1))
    assert change is not None
    assert (change.target, change.again) == (State.LEAK, True)


def test_noisy_stays_over_a_restart_as_long_as_without_one() -> None:
    lost = [(score, 1 / 6) for _ in range(60) for score in (0.1, None, None)]
    half = [(score, 1 / 6) for _ in range(60) for score in (0.1, 0.1, 0.1, None, None)]
    whole, first, second = Decision(DecisionRule()), Decision(DecisionRule()), Decision(DecisionRule())
    for decision in (whole, first):
        run(decision, (0.1, 20), *lost, *half)
    assert whole.state is State.NOISY
    second.restore(json.loads(json.dumps(first.snapshot())), time_s=5000, gap_s=0)
    assert run(second, *half, start=5000) == run(whole, *half, start=5000) == []
    assert second.state is State.NOISY


def test_a_restart_changes_nothing() -> None:
    whole, first = Decision(DecisionRule()), Decision(DecisionRule())
    expected = run(whole, (0.1, 30), (0.9, 20), (0.9, 60))
    before = run(first, (0.1, 30), (0.9, 20))
    second = Decision(DecisionRule())
    second.restore(json.loads(json.dumps(first.snapshot())), time_s=1_000_000, gap_s=0)
    after = run(second, (0.9, 60), start=1_000_000)
    assert before + [(s, t + 50) for s, t in after] == [(s, pytest.approx(t)) for s, t in expected]


def test_a_foreign_snapshot_is_refused() -> None:
    with pytest.raises(ValueError, match="unusable"):
        Decision(DecisionRule()).restore({"heard": "OK"}, 0, 0)

"""Node-days: found leaks, delays and false alarms of whole days."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from leakear.edge.decision.state_machine import DecisionRule, State
from leakear.edge.errors import UsageError
from leakear.edge.pipeline import Pipeline
from leakear.edge.windows import WindowOptions
from leakear.train.cli import nodedays
from leakear.train.nodedays import report
from leakear.train.nodedays.background_sound import Night
from leakear.train.nodedays.outcome import (
    judge,
    on_by_disturbance,
    poisson_interval,
    poisson_upper,
    share_interval,
    summarise,
)
from leakear.train.nodedays.recorded_day import Change, RecordedDay, Row, decide, judged, record
from leakear.train.nodedays.runs import START_UTC, NodeDay, Plan, run, stream
from leakear.train.simulator import Site
from leakear.train.simulator.day import Day
from leakear.train.simulator.units import HOP, RATE
from tests.support.level_scorer import SPEC, LevelScorer, OpenLevel
from tests.support.recorded import recorded_day

RULE = DecisionRule()
MINUTE = 60.0


def truth(leak: tuple[float, float] | None, *events: dict[str, object], seconds: float = 86400.0) -> dict[str, object]:
    leaks = [] if leak is None else [{"kind": "leak", "start_s": leak[0], "end_s": leak[1], "snr_db": 5.0}]
    return {"seconds": seconds, "events": [*leaks, *events]}


def series(on: list[tuple[float, float]], hours: float = 3.0, step_s: float = 30.0) -> RecordedDay:
    end = np.arange(step_s, hours * 3600, step_s)
    score = np.full(end.size, 0.1)
    for start, stop in on:
        score[(end > start) & (end <= stop)] = 0.9
    return recorded_day(score, step_s)


def test_exact_intervals_match_the_tables() -> None:
    assert poisson_upper(0) == pytest.approx(2.996, abs=0.001)  # the rule of three
    assert poisson_interval(3) == pytest.approx((0.619, 8.767), abs=0.001)
    assert poisson_interval(0)[0] == 0
    assert share_interval(15, 15)[0] == pytest.approx(0.782, abs=0.001)
    assert share_interval(5, 10) == pytest.approx((0.187, 0.813), abs=0.001)


def test_use_of_25_minutes_is_no_leak_and_two_hours_are() -> None:
    assert State.LEAK not in [c.state for c in decide(series([(600, 600 + 25 * MINUTE)]), RULE)]
    changes = decide(series([(600, 600 + 120 * MINUTE)]), RULE)
    assert [c.state for c in changes] == [State.WARNING, State.LEAK, State.OK]


def test_a_found_leak_has_its_delay_and_an_early_alarm_is_false() -> None:
    changes = [Change(1000, State.WARNING), Change(1900, State.LEAK), Change(4000, State.OK), Change(9000, State.LEAK)]
    outcome = judge("d", truth((5000, 20000)), changes, RULE, 0.0)
    assert outcome.found
    assert outcome.delay_s == 4000
    assert [a.at_s for a in outcome.false_alarms] == [1900]
    assert outcome.warnings == 1
    assert outcome.dry_s == 86400 - 15000


def test_a_fault_during_a_leak_is_not_a_second_alarm() -> None:
    day = series([(0, 10800)])
    day.kind[200:210] = Row.SENSOR_FAULT
    day.fault[200:210] = "no_frames"
    assert [c.state for c in decide(day, RULE)].count(State.LEAK) == 1


def test_a_false_alarm_names_its_sounds() -> None:
    fan = {"kind": "machine", "name": "fan", "start_s": 0.0, "end_s": 6000.0}
    short = {"kind": "short", "name": "speech", "start_s": 1500.0, "end_s": 1600.0}
    outcome = judge("d", truth(None, fan, short), [Change(3000, State.LEAK)], RULE, 0.0)
    assert outcome.false_alarms[0].causes == ("fan",)
    assert judge("d", truth(None), [Change(3000, State.LEAK)], RULE, 0.0).false_alarms[0].causes == ("surroundings",)


def test_a_summary_adds_up() -> None:
    found = judge("a", truth((0, 86400)), [Change(3600, State.LEAK)], RULE, 0.0)
    missed = judge("b", truth((0, 86400)), [], RULE, 0.0)
    false = judge("c", truth(None), [Change(3600, State.LEAK)], RULE, 0.0)
    summary = summarise([found, missed, false])
    assert summary["detection_rate"] == 0.5
    assert summary["delay_median_min"] == 60
    assert summary["false_alarms_per_day"] == 1
    assert summary["false_alarms_per_week_upper95"] == pytest.approx(7 * 4.744, abs=0.01)
    assert summary["by_snr"]["0 to 10 dB"] == (1, 2)


def test_windows_on_are_counted_by_disturbance() -> None:
    pump = {"kind": "machine", "name": "pump", "start_s": 0.0, "end_s": 3600.0}
    counts = on_by_disturbance(truth(None, pump), series([(0, 3600)]), RULE, 0.0)
    assert counts["pump"][0] == counts["pump"][1] > 100
    assert counts["nothing"][0] == 0


def test_a_recorded_day_is_the_same_after_save_and_load(tmp_path: Path) -> None:
    day = Day(Site.draw(2), 1, leak=True, snr_db=30.0)
    pipeline = Pipeline(LevelScorer(), SPEC, RULE, WindowOptions(step_s=60.0))
    recorded = record(day.blocks(hours=(0.0, 2.0), step_s=60.0), pipeline)
    assert len(recorded.score) == 120
    recorded.save(tmp_path / "day.npz")
    loaded = RecordedDay.load(tmp_path / "day.npz")
    assert (loaded.step_s, loaded.spec, loaded.health) == (recorded.step_s, recorded.spec, recorded.health)
    for name in ("kind", "monotonic", "start_utc", "end_utc", "score", "measures", "levels", "fault", "gap_s"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(recorded, name))
    assert decide(loaded, RULE) == decide(recorded, RULE) != []


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return Plan(
        tmp_path_factory.mktemp("days"), OpenLevel(), days=2, first_site=40, step_s=120.0, snr_db=20.0, hours=3.0
    )


def test_days_run_in_processes_are_kept_and_reported(plan: Plan) -> None:
    days = run(plan, jobs=2)
    kept = {path: path.stat().st_mtime_ns for path in (plan.out / "recorded").glob("*.npz")}
    assert len(kept) == 2
    again = run(plan, jobs=1)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert all(
        np.array_equal(a.recorded.score, b.recorded.score, equal_nan=True) for a, b in zip(days, again, strict=True)
    )
    found = report.report(days, RULE, sweep=True, jobs=1)
    nodedays.write(plan.out, found)
    assert json.loads((plan.out / "report.json").read_text())["summary"]["node_days"] == 0.25  # two times three hours
    assert (plan.out / "det.png").stat().st_size > 5000
    assert "false alarms" in report.text(found)
    assert [p["threshold"] for p in found["det"]] == sorted(report.SWEEP)


def test_a_site_at_another_place_of_a_plan_has_another_day_and_is_recorded_anew(plan: Plan, tmp_path: Path) -> None:
    first = run(replace(plan, out=tmp_path, days=1), jobs=1)[0]
    then = run(replace(plan, out=tmp_path, days=3, first_site=38), jobs=1)[2]
    assert first.name.split("-")[:4] == then.name.split("-")[:4] == ["sim", "000040", "day", "leak"]
    assert not np.array_equal(first.recorded.score, then.recorded.score)
    assert first.truth["events"] != then.truth["events"]


def test_days_before_are_recorded_and_the_first_is_not_judged(tmp_path: Path) -> None:
    some = Plan(tmp_path, OpenLevel(), days=1, first_site=40, step_s=200.0, calibrate=True, hours=17.0, before=1)
    day = run(some, jobs=1)[0]
    assert len(day.recorded.score) == pytest.approx(2 * 17 * 18, abs=1)
    assert day.recorded.levels.shape == (len(day.recorded.score), 25)
    assert (day.truth["seconds"], day.truth["judged_from_s"]) == (2 * 17 * 3600, 17 * 3600)
    leak = next(e for e in day.truth["events"] if e["kind"] == "leak")
    assert 17 * 3600 < leak["start_s"] < leak["end_s"] <= 34 * 3600
    assert day.before is not None
    assert len(day.before.score) == pytest.approx(17 * 18, abs=1), "the whole day before"
    assert report.outcome(day, RULE).judged_s == 17 * 3600
    second = day.recorded.between(day.start_utc + 17 * 3600, np.inf)
    assert np.nanmin(second.dbmin) > -80  # every window is whole: no silence of the pauses reaches into it


def test_a_faint_leak_is_found_by_its_nights_where_the_score_is_low() -> None:
    days = series([], hours=192.0, step_s=120.0)
    days.levels[:] += np.random.default_rng(3).normal(0, 0.3, days.levels.shape)
    days.levels[-2160:, 14:18] += 5  # the last three days
    found = [c for c in decide(days, RULE) if c.state is State.LEAK]
    assert [c.utc / 3600 for c in found] == [pytest.approx(120.0 + 24 + 4.1, abs=0.2)]
    assert decide(days, DecisionRule(rise_db=0)) == []


def test_an_alarm_that_stands_when_judging_begins_is_counted() -> None:
    before = [Change(1000, State.LEAK)]
    later = truth(None) | {"judged_from_s": 5000.0}
    assert [a.at_s for a in judge("d", later, before, RULE, 0.0).false_alarms] == [5000]
    assert judge("d", later, [*before, Change(4000, State.OK)], RULE, 0.0).false_alarms == ()


def test_another_step_is_recorded_separately(plan: Plan, tmp_path: Path) -> None:
    other = Plan(tmp_path, OpenLevel(), days=1, first_site=40, step_s=60.0, snr_db=20.0, hours=0.5)
    assert len(run(other, jobs=1)[0].recorded.score) == 30


def noisy(quiet_logit: float, seed: int = 1) -> RecordedDay:
    """Five hours of a quiet night, a window every 10 s."""
    rng = np.random.default_rng(seed)
    logits = quiet_logit + 0.3 * rng.standard_normal(1799)
    return recorded_day(1 / (1 + np.exp(-logits)), 10.0, -40 + rng.standard_normal(logits.size))


def test_a_calibrated_node_moves_its_threshold_over_its_own_night() -> None:
    low, high = (report.learn(noisy(logit), RULE) for logit in (-4.0, 1.0))
    assert low.threshold == RULE.threshold / 2  # never below half of the model's own
    assert 0.7 < high.threshold < 0.95  # the night's median is 0.73, but no half hour stays there
    assert -40 < low.level_gate_dbfs < -37
    day = NodeDay("d", truth(None, seconds=18000.0), noisy(1.0, seed=2), 0.0, noisy(1.0))
    found = report.report([day], RULE, sweep=False)
    assert found["summary"]["false_alarms"] == 1
    assert found["calibrated"]["false_alarms"] == 0
    assert found["calibration_refused"] == {}
    assert "calibrated nodes" in report.text(found)


def test_rules_are_read_and_refused_by_name() -> None:
    assert nodedays.parse_rule(["span_s=2400", "quiet_hours=02:00-04:00"]) == {
        "span_s": 2400.0,
        "quiet_hours": "02:00-04:00",
    }
    with pytest.raises(UsageError, match="no key"):
        nodedays.parse_rule(["sapn_s=2400"])
    with pytest.raises(UsageError, match="not a number"):
        nodedays.parse_rule(["span_s=long"])


def test_a_night_plays_recordings_with_pauses(shared_data: Path) -> None:
    site = Site.draw(6)
    night = Night(site, 0, shared_data / "background", leak_db=None, minutes=1.0, pause_s=60.0)
    names = [event["name"] for event in night.truth()["events"]]
    assert {"rain", "sea-waves", "chainsaw", "helicopter", "running_tap"} <= set(names)
    rain = next(e for e in night.events if e["name"] == "rain")
    levels: dict[bool, list[float]] = {True: [], False: []}
    for block in night.blocks():
        if block.monotonic > rain["end_s"] + 60:
            break
        if block.monotonic > rain["start_s"] - 60:
            levels[rain["start_s"] <= block.monotonic < rain["end_s"]].append(float(np.mean(block.samples**2)))
    quiet, loud = np.median(levels[False]), np.median(levels[True])
    assert loud > quiet
    with_leak = Night(site, 0, shared_data / "background", leak_db=10.0, minutes=1.0).truth()
    assert with_leak["events"][0]["kind"] == "leak"


def test_a_node_with_listening_hours_hears_them_alone() -> None:
    day = series([(600, 600 + 120 * MINUTE)])
    assert decide(day, RULE) != []
    asleep = replace(day, listen=(hours_without(day),))
    assert decide(asleep, RULE) == []
    seen = list(judged(asleep, asleep.judge(RULE)))
    assert [row.health for row in seen] == [None], "one row for the whole sleep"


def test_only_the_sound_of_the_listening_hours_is_made(tmp_path: Path) -> None:
    plan = Plan(
        out=tmp_path,
        model=OpenLevel(),
        days=1,
        first_site=3,
        step_s=30.0,
        before=1,
        listen=("02:00-02:30", "23:45-00:15"),
    )
    site = Site.draw(3)
    days = [Day(site, 0, leak=False, date=date) for date in (5, 6)]
    heard = list(stream(days, plan))
    hours = [(datetime.fromtimestamp(block.utc, UTC).strftime("%H:%M")) for block in heard]
    assert len(set(hours)) == 60 + 2, "the two times, and a window of sleep after each"
    assert {hours[0], hours[-1]} == {"23:45", "02:30"}
    assert [block.start / RATE for block in heard] == pytest.approx([block.utc - START_UTC for block in heard])
    assert [block.monotonic for block in heard] == pytest.approx([block.utc - START_UTC for block in heard])
    second = next(block for block in heard if block.monotonic > 86400 and block.utc % 86400 < 8000)
    index = round((second.monotonic - 86400) * RATE / HOP)
    made_again = [days[1].render(number) for number in (index - 1, index)]
    assert np.array_equal(second.samples, made_again[1]), "the day's own sound"
    recorded = record(iter(heard), Pipeline(LevelScorer(), SPEC, RULE, WindowOptions(step_s=30.0)))
    pauses = [row for row in judged(replace(recorded, listen=plan.listen), recorded.judge(RULE)) if row.health is None]
    assert len(pauses) >= 4, "it goes to sleep four times"


def hours_without(day: RecordedDay) -> str:
    """Return listening hours, UTC, that begin after a recorded day has ended."""
    begin = datetime.fromtimestamp(float(day.end_utc[-1]) + 600, UTC)
    return f"{begin:%H:%M}-{begin + timedelta(minutes=40):%H:%M}"

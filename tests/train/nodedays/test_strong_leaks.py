"""Strong leaks beside leak-free days: each meets the node as it was, and changes nothing of what was recorded."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.edge.decision.rule import DecisionRule
from leakear.edge.decision.state_machine import State
from leakear.train.cli import PROGRAM
from leakear.train.nodedays import strong_leaks
from leakear.train.nodedays.places import Role
from leakear.train.nodedays.real_runs import Plan, node_days, run
from leakear.train.nodedays.recorded_day import RecordedDay
from leakear.train.nodedays.runs import FileModel
from leakear.train.nodedays.sounds import in_band
from leakear.train.simulator.units import RATE
from tests.support.places import TINY


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Two nodes without a leak, each two days of three hours; an hour of each leak is heard."""
    monkeypatch.setattr(strong_leaks, "HEARD_S", 3600.0)
    rng, sounds = np.random.default_rng(3), tmp_path / "sounds" / "long"
    sounds.mkdir(parents=True)
    for name, level in (("bar", 0.1), ("dryer", 0.05)):
        soundfile.write(sounds / f"{name}.flac", rng.standard_normal(8 * RATE) * level, RATE)
    return Plan(
        out=tmp_path / "out",
        model=FileModel(TINY),
        folders=(sounds.parent,),
        nodes=2,
        step_s=120.0,
        before=1,
        dry=True,
        day_s=10800.0,
    )


def test_leaks_are_tried_after_the_days_before_and_leave_no_trace(plan: Plan) -> None:
    dry = [day.recorded.score for day in run(plan, jobs=1)]
    trials = strong_leaks.run(plan, DecisionRule(), 2, jobs=1)
    assert [trial.node for trial in trials] == [0, 0, 1, 1]
    assert all(plan.day_s <= trial.onset_s and 5 <= trial.snr_db <= 20 for trial in trials)
    kept = {path: path.stat().st_mtime_ns for path in (plan.out / "recorded").glob("*.npz")}
    assert len(kept) == 2 + 4
    for branch in (plan.out / "recorded").glob("*-strong-*.npz"):
        assert np.isfinite(RecordedDay.load(branch).score).mean() > 0.9
    assert strong_leaks.run(plan, DecisionRule(), 2, jobs=1) == trials
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    for before, after in zip(dry, run(plan, jobs=1), strict=True):
        np.testing.assert_array_equal(before, after.recorded.score)


def test_a_leak_has_the_stated_level_and_is_heard_beside_the_same_days(plan: Plan) -> None:
    days, _ = node_days(plan, 1)
    leak, between = days.another_leak(7, 6000.0), (6000.0, 6060.0)
    alone = np.concatenate([block.samples for block in days.blocks(between=between)])
    np.testing.assert_array_equal(alone, np.concatenate([block.samples for block in days.blocks()][600:606]))
    days.tracks = [track for track in days.tracks if track.role is Role.SCENE]
    quiet, both = (
        np.concatenate([block.samples for block in days.blocks(between=between, beside=beside)])[5 * RATE :]
        for beside in ((), (leak,))
    )
    assert 10 * np.log10(in_band(both - quiet) / in_band(quiet)) == pytest.approx(leak.spells[0].db, abs=1.5)


def test_a_node_that_suspects_something_is_no_trial() -> None:
    trials = [
        strong_leaks.Trial(1, "a", 6.0, 0.0, State.OK, 1900.0, None),
        strong_leaks.Trial(1, "b", 9.0, 0.0, State.OK, 2000.0, 3000.0),
        strong_leaks.Trial(2, "c", 9.0, 0.0, State.WARNING, 20.0, 30.0),
        strong_leaks.Trial(3, "d", 9.0, 0.0, State.OK, 7200.0, 9000.0),
    ]
    found = strong_leaks.summary(trials)
    assert (found["leaks"], found["suspected_already"], found["nodes"]) == (3, 1, 2)
    assert (found["warning_within_hour"], found["leak_within_hour"]) == (2, 1)
    assert (found["warning_at_all"], found["leak_at_all"]) == (3, 2)
    assert "within the hour WARNING or LEAK 2 of 3" in strong_leaks.text(found)
    assert "none" in strong_leaks.text(strong_leaks.summary([]))


def test_strong_leaks_need_days_without_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert PROGRAM.run(["realdays", str(tmp_path), "--out", str(tmp_path / "out"), "--strong-leaks", "2"]) == 2
    assert "--dry" in capsys.readouterr().err

"""The daemon's transitions and those of the evaluation of a recorded day are the same, one by one."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakear.edge.audio.blocks import SensorFault
from leakear.edge.background.entries import ENOUGH
from leakear.edge.background.packed import packed
from leakear.edge.decision.state_machine import DecisionRule, Transition
from leakear.train.nodedays.recorded_day import RecordedDay, Recorder, decide, judged
from tests.support.scripted import RATE, SPEC, Heard, Script, silence

Timed = tuple[float, Transition]
"""Seconds since 1970 and transition."""
START_UTC = 1_700_000_000.0
SHORT = DecisionRule(span_s=60, confirm_s=30, clear_s=30, noisy_s=60)


class Daemon:
    """A node that judges, is recorded, restarts from its saved state and changes its rule."""

    def __init__(self, rule: DecisionRule, step_s: float) -> None:
        self.script = Script()
        self.pipeline = self.script.pipeline(rule, step_s)
        self.recorder = Recorder(self.pipeline.step_s, SPEC)
        self.transitions: list[Timed] = []
        self.rules: dict[int, DecisionRule] = {}
        """rule from a result on, by its number"""
        self.results = 0
        self.seconds = 0.0
        self._start = 0

    def hear(self, seconds: float, heard: Heard, piece_s: float = 3600.0) -> None:
        """Hear something for a while."""
        self.script.now = heard
        while seconds > 1e-9:
            piece = min(seconds, piece_s)
            self._push(silence(self._start, piece, START_UTC + self.seconds, self.seconds))
            self._start += round(piece * RATE)
            self.seconds += piece
            seconds -= piece

    def lose(self, seconds: float) -> None:
        """Lose samples."""
        self._start += round(seconds * RATE)
        self.seconds += seconds

    def fault(self, name: str, count: int) -> None:
        """Deliver nothing for some seconds."""
        for _ in range(count):
            self._push(SensorFault(name, "", self.seconds, START_UTC + self.seconds))
            self.seconds += 1
        self._start += count * RATE

    def restart(self, gap_s: float) -> None:
        """Stop and start again from the saved state."""
        saved = json.loads(json.dumps(self.pipeline.snapshot()))
        rule, step_s = self.pipeline.judge.rule, self.pipeline.step_s
        self.pipeline, self._start = self.script.pipeline(rule, step_s), 0
        self.seconds += gap_s
        self.restore(saved, gap_s)

    def restore(self, saved: dict[str, Any], gap_s: float) -> None:
        self.pipeline.restore(saved, self.seconds, gap_s)
        self.recorder.restart(self.seconds, START_UTC + self.seconds, gap_s)

    def change_rule(self, rule: DecisionRule) -> None:
        """Judge by another rule from the next window on."""
        self.pipeline.judge.rule = rule
        self.rules[self.results] = rule

    def _push(self, item: Any) -> None:
        with self.script.playing():
            for result in self.pipeline.push(item):
                self.recorder.add(result)
                self.results += 1
                if result.transition:
                    self.transitions.append((result.end_utc, result.transition))


def evaluated(
    day: RecordedDay, rule: DecisionRule, rules: dict[int, DecisionRule], before: dict[str, Any] | None = None
) -> list[Timed]:
    """Judge a recorded day as the evaluation does, with the rule changed where the daemon's was."""
    judge = day.judge(rules.get(0, rule))
    if before is not None:
        judge.restore(before, 0.0, 0.0)
    transitions = []
    for number, seen in enumerate(judged(day, judge), 1):
        if seen.verdict.transition:
            transitions.append((float(day.end_utc[seen.row]), seen.verdict.transition))
        if number in rules:
            seen.judge.rule = rules[number]
    return transitions


def times(transitions: list[Timed]) -> list[tuple[str, float]]:
    return [(transition.target.value, utc - START_UTC) for utc, transition in transitions]


def broken_windows(node: Daemon) -> None:
    """Have windows with values that are no numbers until 120 s, then a leak."""
    node.hear(120.0, Heard(0.9, broken=True), piece_s=1.0)
    node.hear(110.0, Heard(0.9))


def windows_with_gaps(node: Daemon) -> None:
    """Have a gap in every window until 120 s, then a leak."""
    for _ in range(12):
        node.hear(9.0, Heard(0.9))
        node.lose(0.25)
    node.hear(110.0, Heard(0.9))


@pytest.mark.parametrize("begin", [broken_windows, windows_with_gaps])
def test_a_leak_after_two_bad_minutes_is_found_at_the_same_second(begin: Callable[[Daemon], None]) -> None:
    """Version 0.1 recorded `not_judged` as a fault of the window: its evaluation found such leaks later."""
    node = Daemon(SHORT, 1.0)
    begin(node)
    assert times(node.transitions)[-2:] == [("WARNING", 173.0), ("LEAK", 203.0)]
    day = node.recorder.recorded()
    assert evaluated(day, SHORT, {}) == node.transitions
    changes = [(change.state.value, change.utc - START_UTC) for change in decide(day, SHORT)]
    assert changes == [("WARNING", 173.0), ("LEAK", 203.0)]


def test_a_leak_during_floor_drift_is_found_at_the_same_second() -> None:
    """Version 0.1 did not record low-confidence quiet: its evaluation found nothing."""
    rule = DecisionRule()
    node = Daemon(rule, 60.0)
    hour = 3600.0
    node.hear(30 * hour, Heard(0.1, -40.0))
    node.hear(2 * hour, Heard(0.1, -60.0))
    node.hear(1 * hour, Heard(0.95, -56.5))
    found = [(state, seconds / hour) for state, seconds in times(node.transitions) if state in {"WARNING", "LEAK"}]
    assert found == [("WARNING", pytest.approx(32.43, abs=0.01)), ("LEAK", pytest.approx(32.68, abs=0.01))]
    day = node.recorder.recorded()
    assert evaluated(day, rule, {}) == node.transitions
    assert [c.state.value for c in decide(day, rule)] == ["WARNING", "LEAK"]


LEVELS = np.linspace(-45, -70, 25).astype(np.float32)
"""Third octaves of the place."""


@cache
def two_days_later() -> dict[str, Any]:
    """Return the saved state of a node that has a background and two days of its noise floor."""
    node = Daemon(RULES[0], 180.0)
    node.hear(48 * 3600.0, Heard(0.05, -40.0, LEVELS))
    saved: dict[str, Any] = json.loads(json.dumps(node.pipeline.snapshot()))
    entries = LEVELS + np.random.default_rng(4).normal(0, 0.3, (ENOUGH + 20, 25)).astype(np.float32)
    saved["usual"] = {"moments": packed(entries), "pending": packed(entries[:24]), "since_s": 900.0}
    return saved


RULES = (
    DecisionRule(span_s=900, confirm_s=600, clear_s=600, noisy_s=600, rise_s=600),
    DecisionRule(span_s=900, confirm_s=300, clear_s=300, noisy_s=600, rise_db=0, threshold=0.8),
    DecisionRule(span_s=1800, confirm_s=900, rise_s=600, rise_db=2.0, quiet_hours="02:00-14:00"),
    DecisionRule(span_s=600, confirm_s=300, clear_s=300, noisy_s=600, rise_s=300, fast_s=300, fast_level_dbfs=-45),
)


@dataclass(frozen=True)
class Part:
    """What happens for a while."""

    kind: str
    minutes: float = 10.0
    score: float = 0.1
    level_dbfs: float = -40.0
    excess_db: float = 0.0
    band: int = 14
    rule: int = 0


minutes = st.sampled_from([2.0, 10.0, 25.0, 60.0, 240.0])
SOUNDS = st.builds(
    Part,
    kind=st.just("sound"),
    minutes=minutes,
    score=st.sampled_from([0.1, 0.6, 0.9, 0.999, float("nan"), 1.5]),
    level_dbfs=st.sampled_from([-40.0, -40.0, -30.0, -56.5, -60.0]),  # the last two: floor_drift
    excess_db=st.sampled_from([0.0, 0.0, 1.2, 4.0]),
    band=st.sampled_from([9, 14, 21]),
)
OTHERS = st.builds(
    Part,
    kind=st.sampled_from(["broken", "gaps", "fault", "restart", "rule"]),
    minutes=minutes,
    score=st.sampled_from([0.1, 0.9]),
    rule=st.integers(0, len(RULES) - 1),
)


def play(node: Daemon, part: Part) -> None:
    levels = LEVELS.copy()
    levels[part.band : part.band + 3] += np.float32(part.excess_db)
    heard = Heard(part.score, part.level_dbfs, levels)
    if part.kind == "sound":
        node.hear(part.minutes * 60, heard)
    elif part.kind == "broken":
        node.hear(part.minutes * 60, replace(heard, broken=True))
    elif part.kind == "gaps":
        for _ in range(round(part.minutes)):
            node.hear(68.0, heard)
            node.lose(3.0)
    elif part.kind == "fault":
        node.fault("no_frames", round(part.minutes * 2))
    elif part.kind == "restart":
        node.restart(part.minutes * 60)
    else:
        node.change_rule(RULES[part.rule])


@settings(max_examples=25, deadline=None)
@given(parts=st.lists(SOUNDS | OTHERS, min_size=4, max_size=14))
def test_days_of_everything_are_judged_alike(parts: list[Part]) -> None:
    node = Daemon(RULES[0], 60.0)
    node.pipeline.restore(two_days_later(), 0.0, 0.0)
    for part in parts:
        play(node, part)
    found = evaluated(node.recorder.recorded(), RULES[0], node.rules, two_days_later())
    assert found == node.transitions


def test_the_days_contain_every_kind_of_transition() -> None:
    """A property that holds over days without an alert would prove nothing."""
    leak = [Part("sound", 60.0, 0.9), Part("sound", 60.0, 0.1)]
    above = [Part("sound", 120.0, 0.9, -40.0, db) for db in (8.0, 0.0)]
    drift = [Part("sound", 60.0, 0.1, -60.0), Part("sound", 60.0, 0.9, -56.5)]
    broken = [Part("broken", 10.0), Part("gaps", 25.0), Part("fault", 10.0), Part("restart", 10.0)]
    changed = [Part("rule", rule=3), Part("sound", 10.0, 0.999), Part("sound", 25.0, float("nan"))]
    node = Daemon(RULES[0], 60.0)
    node.pipeline.restore(two_days_later(), 0.0, 0.0)
    for part in [*leak, *above, *drift, *broken, *changed]:
        play(node, part)
    assert {state for state, _ in times(node.transitions)} == {"OK", "WARNING", "LEAK", "NOISY", "SENSOR_FAULT"}
    assert any("over the background" in transition.reason for _, transition in node.transitions)
    assert evaluated(node.recorder.recorded(), RULES[0], node.rules, two_days_later()) == node.transitions


def test_another_rule_gives_the_transitions_of_a_node_under_that_rule() -> None:
    parts = [Part("sound", 60.0, 0.1, -60.0), Part("sound", 90.0, 0.9, -56.5), Part("sound", 90.0, 0.1, -40.0, 4.0)]
    days: list[tuple[DecisionRule, RecordedDay, list[Timed]]] = []
    for rule in RULES:
        node = Daemon(rule, 60.0)
        node.pipeline.restore(two_days_later(), 0.0, 0.0)
        for part in parts:
            play(node, part)
        days.append((rule, node.recorder.recorded(), node.transitions))
    assert len({repr(transitions) for _, _, transitions in days}) == len(RULES)
    for _, day, _ in days:
        for rule, _, transitions in days:
            assert evaluated(day, rule, {}, two_days_later()) == transitions

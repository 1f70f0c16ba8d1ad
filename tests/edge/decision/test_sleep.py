"""A scheduled sleep is neither quiet nor a fault: what was suspected goes on, what was not begins anew."""

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from leakear.edge.background.background import Excess
from leakear.edge.decision.observation import Need, Observation, State
from leakear.edge.decision.rule import DecisionRule
from leakear.edge.decision.state_machine import Decision
from leakear.edge.decision.stretches import Stretches

STEP, LEAK, OFF, LOUD_DB = 60.0, 0.9, 0.1, 6.0
ZONE = "Europe/Lisbon"
BEGIN = datetime(2026, 11, 10, 2, tzinfo=ZoneInfo(ZONE)).timestamp()
DAY, NIGHT = 86400.0, 120


class Sleeper:
    """The decision of a node that listens from 02:00 to 04:00."""

    def __init__(self, **rule: Any) -> None:
        self.decision = Decision(DecisionRule(time_zone=ZONE, **rule))
        self.time_s = BEGIN
        self.entered: list[str] = []

    def hear(self, minutes: int, score: float | None = OFF, db: float | None = 0.2) -> None:
        for _ in range(minutes):
            self.time_s += STEP
            excess = None if db is None else Excess(db, 1000.0, weather=False)
            self.take(step_s=STEP, score=score, dbmin=-40.0, excess=excess)

    def take(self, *, utc: float | None = None, **seen: Any) -> None:
        moment = self.time_s if utc is None else utc
        change = self.decision.update(Observation(time_s=self.time_s, utc=moment, **seen))
        self.entered += [change.target.value] if change else []

    def sleep(self, hours: float = 22.0, *, restarted: bool = False) -> None:
        until = self.time_s + hours * 3600
        self.take(utc=until, step_s=0.0, score=None)
        self.decision.pause()
        saved = json.loads(json.dumps(self.decision.snapshot()))
        self.time_s = until
        if restarted:
            rule, self.decision = self.decision.rule, Decision(self.decision.rule)
            self.decision = Decision(rule)
            self.decision.restore(saved, self.time_s, hours * 3600)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_warning_goes_on_after_the_sleep_and_is_confirmed_by_new_sound_alone(*, restarted: bool) -> None:
    node = Sleeper()
    node.hear(85)
    node.hear(35, LEAK, LOUD_DB)
    assert node.entered == ["WARNING"]
    node.sleep(restarted=restarted)
    node.hear(14, LEAK, LOUD_DB)
    assert node.entered == ["WARNING"]
    node.hear(3, LEAK, LOUD_DB)
    assert node.entered == ["WARNING", "LEAK"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_leak_stays_one_through_the_sleep_and_ends_by_quiet_that_is_heard(*, restarted: bool) -> None:
    node = Sleeper()
    node.hear(NIGHT, LEAK, LOUD_DB)
    assert node.entered == ["WARNING", "LEAK"]
    node.sleep(restarted=restarted)
    assert node.decision.state is State.LEAK
    node.hear(8)
    assert node.entered == ["WARNING", "LEAK"]
    node.hear(5)
    assert node.entered == ["WARNING", "LEAK", "OK"]


def test_a_warning_that_has_gone_ends_by_quiet() -> None:
    node = Sleeper()
    node.hear(85)
    node.hear(35, LEAK, LOUD_DB)
    node.sleep()
    node.hear(12)
    assert node.entered == ["WARNING", "OK"]


def test_two_uses_of_water_in_two_nights_are_no_leak() -> None:
    node = Sleeper()
    node.hear(95)
    node.hear(25, LEAK, LOUD_DB)
    node.sleep()
    node.hear(25, LEAK, LOUD_DB)
    assert node.entered == []
    node.hear(10, LEAK, LOUD_DB)
    assert node.entered == ["WARNING"]


def test_the_sleep_is_no_noise_and_a_noisy_place_stays_so() -> None:
    node = Sleeper()
    node.hear(NIGHT)
    node.sleep()
    node.hear(NIGHT)
    assert node.entered == []
    node.take(step_s=STEP, score=None)
    for _ in range(15):
        node.time_s += STEP
        node.take(step_s=STEP, score=None)
    assert node.entered == ["NOISY"]
    node.sleep()
    node.hear(1)
    assert node.entered == ["NOISY"]


def test_a_night_is_told_when_the_node_goes_to_sleep() -> None:
    node = Sleeper()
    node.hear(NIGHT - 1)
    assert node.decision.nights.known == 0
    node.take(utc=node.time_s + 22 * 3600 + STEP, step_s=0.0, score=None)
    assert node.decision.night_levels is not None
    assert node.decision.night_levels.judged == pytest.approx(1, abs=0.02)
    assert node.decision.nights.known == 1
    assert node.decision.closed_night is not None


def test_a_night_that_has_not_begun_is_not_told_when_the_node_wakes_early() -> None:
    """After a power cut by day it listens until its clock is right."""
    node = Sleeper()
    told = []
    for _ in range(3):
        node.hear(NIGHT - 1)
        node.sleep(22 + 1 / 60)
        told.append(node.decision.night_levels)
        node.take(utc=node.time_s - 14 * 3600, step_s=STEP, score=OFF, dbmin=-40.0)
        assert node.decision.night_levels is None
    assert [night.day - told[0].day for night in told if night and told[0]] == [0, 1, 2]
    assert all(night and night.judged > 0.9 for night in told)


def test_a_faint_leak_is_found_by_two_nights_of_three() -> None:
    node = Sleeper()
    for db in (0.2, 0.3, 0.2, 0.3, 0.2, 0.3, 0.2, 0.3, 5.0, 5.0):
        node.hear(NIGHT, OFF if db < 1 else 0.4, db)
        node.sleep()
    assert node.entered == ["WARNING", "LEAK"]


def test_a_sound_that_a_sleep_cuts_off_teaches_nothing() -> None:
    stretches = Stretches()
    stretches[Need.LIKE].hear(1800, 1800)
    stretches[Need.LIKE].hear(4000, 1800)
    stretches.pause()
    stretches.end()
    assert stretches[Need.LIKE].longest_s == 0

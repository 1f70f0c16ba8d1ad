"""After "not a leak" in a node's first days what was heard stays silent, a steady sound far above it is told."""

import json
import math
import re
from unittest.mock import patch

import numpy as np
import pytest

from leakear.edge.background.entries import ENOUGH
from leakear.edge.background.own_limit import PRIOR_DB
from leakear.edge.background.third_octaves import CENTRES_HZ, Bands
from leakear.edge.decision.judge import Judge
from leakear.edge.decision.observation import LOUD_DB
from leakear.edge.decision.state_machine import DecisionRule, State
from leakear.edge.health.measures import BROKEN, Measures
from leakear.edge.spec import SpectrogramSpec

RULE = DecisionRule(leak_needs_background=True, time_zone="UTC")
STEP = 300.0
HEALTHY = Measures(
    **{name: getattr(BROKEN, name) for name in BROKEN.__dataclass_fields__}
    | {"finite": True, "level_dbfs": -28.0, "l05": -40.0, "l95": -20.0, "bandwidth_hz": 10000.0}
)
QUIET = -50 - 6 * np.log2(CENTRES_HZ / 31)
"""levels of the place at rest: less above than below, as traffic is, dB"""
STARTS = [3600.0 * hour for hour in (0, 11, 18)]


class Node:
    """A node that was installed a moment ago, a window every five minutes. Its levels vary."""

    def __init__(self, start: float = 0.0, rule: DecisionRule = RULE) -> None:
        self.judge, self.time_s = Judge(rule, SpectrogramSpec(), step_s=STEP), start
        self._some = np.random.default_rng(5)

    def hear(
        self, hours: float, score: float, db: float = 0.0, *, bands: slice = slice(None), sway_db: float = 0.0
    ) -> list[State]:
        """Hear the place, in some bands by some dB louder, for some hours; return the states entered.

        `sway_db`: by how much that rises and falls within two hours.
        """
        entered = []
        for _ in range(round(hours * 3600 / STEP)):
            self.time_s += STEP
            health = self.judge.check(HEALTHY, self.time_s - 10)
            levels = self._levels(db + sway_db * math.sin(2 * math.pi * self.time_s / 7200), bands)
            verdict = self.judge.window(health, time_s=self.time_s, utc=self.time_s, score=score, levels=levels)
            entered += [verdict.transition.target] if verdict.transition else []
        return entered

    def restart(self, gap_s: float = 20.0) -> None:
        """Save, stop, and go on from what was saved."""
        saved, rule = json.loads(json.dumps(self.judge.snapshot())), self.judge.rule
        self.time_s += gap_s
        self.judge = Judge(rule, SpectrogramSpec(), step_s=STEP)
        self.judge.restore(saved, self.time_s, gap_s)

    def sleep(self, hours: float) -> None:
        """Close the microphone until the next listening hours."""
        self.judge.pause(time_s=self.time_s, utc=self.time_s, until=self.time_s + 3600 * hours)
        self.time_s += 3600 * hours

    def _levels(self, db: float, bands: slice) -> Bands:
        levels = QUIET + self._some.normal(0, 1) + self._some.normal(0, 0.5, len(QUIET))
        levels[bands] += db
        return np.asarray(levels, np.float32)


PUMP = slice(9, 16)
"""250 Hz to 1 kHz"""
PUMP_DB = 12.0
JET = slice(16, 22)
"""1250 Hz to 4 kHz"""


def accepted(start: float = 0.0, rest: float = 5.0) -> Node:
    """A node that heard a pump after some hours, warned, and was told that it is no leak."""
    node = Node(start)
    assert node.hear(rest, 0.1) == []
    assert node.hear(1, 0.9, PUMP_DB, bands=PUMP) == [State.WARNING]
    node.judge.accept()
    return node


@pytest.mark.parametrize("start", STARTS)
def test_a_leak_that_begins_after_the_verdict_is_told(start: float) -> None:
    node = Node(start)
    node.hear(5, 0.1)
    assert node.hear(1, 0.9) == [State.WARNING]
    node.judge.accept()
    assert node.hear(2, 0.1) == [State.OK]
    assert node.hear(5, 0.99, 20.0) == [State.WARNING], "it would be learnt without a word"
    reason = node.judge.decision.hours.reason
    assert re.search(r"; \d\d\.\d dB over all that was called no leak, around \d+ Hz; the background of this", reason)
    assert node.hear(67, 0.99, 20.0) == [], "it stays"
    assert node.judge.background.ready
    assert node.hear(1, 0.1) == [State.OK]


@pytest.mark.parametrize("start", STARTS)
def test_the_accepted_sound_stays_silent_until_the_place_is_known_and_later(start: float) -> None:
    node = accepted(start)
    assert node.hear(5, 0.9, PUMP_DB, bands=PUMP) == [State.OK]
    for _ in range(5):  # it runs for hours, at another level each time
        for db in (PUMP_DB + 5, PUMP_DB - 4, PUMP_DB + 2):
            assert node.hear(5, 0.99, db, bands=PUMP) == []
        assert node.hear(1, 0.1) == []
    assert node.judge.background.ready


@pytest.mark.parametrize("db", [-6.0, 0.0, 3.0, 6.0])
def test_a_node_installed_beside_a_running_pump_knows_nothing_else_and_bears_a_few_db(db: float) -> None:
    node = Node()
    assert node.hear(1, 0.9, PUMP_DB, bands=PUMP) == [State.WARNING]
    node.judge.accept()
    assert node.hear(14, 0.9, PUMP_DB + db, bands=PUMP) == [State.OK]


@pytest.mark.parametrize("verdict_after", [0.5, 1, 6])
def test_a_sound_whose_level_comes_and_goes_is_no_news(verdict_after: float) -> None:
    """Surroundings grow by 20 dB from night to day: a leak is steady, they are not."""
    node = Node()
    assert node.hear(verdict_after + 0.5, 0.9) == [State.WARNING]
    node.judge.accept()
    assert node.hear(20, 0.9, 14.0, sway_db=8.0) == [State.OK]


def test_another_sound_is_told_beside_the_accepted_one_and_may_be_accepted_too() -> None:
    node = accepted()
    assert node.hear(1, 0.9, PUMP_DB, bands=PUMP) == [State.OK]
    assert node.hear(5, 0.9, 16.0, bands=JET) == [State.WARNING]
    node.judge.accept()
    assert node.hear(1, 0.9, 16.0, bands=JET) == [State.OK]
    assert node.hear(12, 0.9, 16.0, bands=JET) == []
    assert node.hear(5, 0.9, PUMP_DB, bands=PUMP) == []


def test_a_louder_sound_that_scores_as_no_leak_is_none() -> None:
    node = accepted()
    node.hear(1, 0.1)
    assert node.hear(14, 0.1, 30.0, bands=JET) == []


def test_less_than_the_margin_of_a_loud_new_sound_is_not_told() -> None:
    """From LOUD_DB over the limit on the new sound alone decides the score; below it the accepted one may."""
    node = accepted()
    margin = PRIOR_DB + LOUD_DB
    node.hear(1, 0.1)
    assert node.hear(5, 0.99, margin - 2.5, bands=JET) == []
    assert node.hear(5, 0.99, margin + 2.5, bands=JET) == [State.WARNING]


@pytest.mark.parametrize(("minutes", "restarts"), [(10, 1), (60, 1), (5, 12), (20, 6)])
def test_a_restart_forgets_neither_what_was_accepted_nor_that_something_was(minutes: int, restarts: int) -> None:
    node = accepted()
    for _ in range(restarts):
        node.restart()
        assert set(node.hear(minutes / 60, 0.99, PUMP_DB, bands=PUMP)) <= {State.OK}
    node.restart()
    node.hear(1, 0.1)
    assert node.hear(5, 0.99, 20.0) == [State.WARNING]
    node.restart()
    assert node.hear(10, 0.99, 20.0) == []
    assert node.judge.decision.state is State.WARNING


def test_a_leak_is_told_though_the_node_restarts_every_hour() -> None:
    node = accepted()
    node.hear(1, 0.1)
    entered: list[State] = []
    for _ in range(6):
        node.restart()
        entered += node.hear(1, 0.99, 20.0)
    assert entered == [State.WARNING]


def test_a_node_with_listening_hours_tells_it_in_a_later_night() -> None:
    node = accepted()
    assert node.hear(1, 0.1) == [State.OK]
    entered: list[State] = []
    for _ in range(3):
        node.sleep(22)
        entered += node.hear(2, 0.99, 20.0)
    assert entered == [State.WARNING]


def test_where_nothing_was_heard_nothing_is_above_it() -> None:
    node = Node()
    node.judge.accept()
    assert node.hear(11, 0.99, 20.0) == []
    assert node.judge.waits


def test_a_node_without_a_verdict_compares_with_nothing() -> None:
    node = Node()
    with patch.object(node.judge.background, "steady_excess", side_effect=AssertionError):
        assert node.hear(20, 0.1) == []
        assert node.hear(6, 0.9, PUMP_DB, bands=PUMP) == [State.WARNING]
    assert "no leak" not in node.judge.decision.hours.reason
    assert 0 < len(node.judge.background.entries.past) < ENOUGH

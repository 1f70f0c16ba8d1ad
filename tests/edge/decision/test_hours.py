"""Hours: a leak-like sound above everything that this node has heard warns, then alarms; use, weather and quiet end."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakear.edge.background.background import Excess
from leakear.edge.decision.hours import Hours
from leakear.edge.decision.limits import HOLD
from leakear.edge.decision.observation import Need, Observation, State
from leakear.edge.decision.rule import DecisionRule

STEP = 60.0
LEAK, LIKE, OFF = 0.9, 0.3, 0.1
HIGH_DB, LOW_DB, LOUD_DB, VERY_LOUD_DB = 6.0, 0.2, 8.0, 12.0


class Node:
    """Hours of one node, a window a minute."""

    def __init__(self, change_db: float = 0.0, **rule: Any) -> None:
        self.hours, self.time_s = Hours(DecisionRule(**rule)), 0.0
        self.hours.limits.change_db = change_db

    def hear(
        self,
        minutes: float,
        score: float | None = OFF,
        db: float | None = LOW_DB,
        *,
        weather: bool = False,
        **more: Any,
    ) -> list[str]:
        """Hear the same for a while; return the states entered."""
        entered = []
        for _ in range(round(minutes * 60 / STEP)):
            self.time_s += STEP
            excess = None if db is None else Excess(db, 1000.0, weather)
            seen = Observation(
                time_s=self.time_s, utc=self.time_s, step_s=STEP, score=score, dbmin=-40.0, excess=excess, **more
            )
            entered += [self.hours.state.value] if self.hours.update(seen) else []
        return entered

    def restart(self, gap_s: float = 0.0) -> None:
        saved = json.loads(json.dumps(self.hours.snapshot()))
        self.hours, before = Hours(self.hours.rule), self.hours
        self.time_s += gap_s
        self.hours.restore(saved, self.time_s - gap_s)
        self.hours.limits.change_db = before.limits.change_db
        self.hours.limits.nights_known = before.limits.nights_known


def longest_s(node: Node, kind: Need = Need.LEAK) -> float:
    """The longest sound of such a score that has ended at this node."""
    return node.hours._stretches[kind].longest_s


def leaking() -> Node:
    node = Node()
    node.hear(60)
    assert node.hear(90, LEAK, HIGH_DB) == ["WARNING", "LEAK"]
    return node


def test_a_leak_warns_alarms_and_clears_with_its_reasons() -> None:
    node = Node()
    assert node.hear(60) == []
    assert node.hear(40, LEAK, HIGH_DB) == ["WARNING"]
    assert node.hours.reason == (
        "sounds like a leak in 90% of the last 30 min, 6.0 dB over the background around 1000 Hz "
        f"(limit of this node {node.hours.limit_db:.1f} dB)"
    )
    assert node.hear(40, LEAK, HIGH_DB) == ["LEAK"]
    assert node.hours.reason.startswith("went on for 15 min after WARNING, 6.0 dB over the background")
    assert node.hear(30) == ["OK"]
    assert node.hours.reason == "quiet for 10 min"


@pytest.mark.parametrize(("score", "db"), [(LEAK, LOW_DB), (OFF, HIGH_DB)])
def test_neither_the_score_nor_the_excess_alone_is_a_leak(score: float, db: float) -> None:
    node = Node()
    node.hear(60)
    assert node.hear(240, score, db) == []


def test_the_excess_must_last_too() -> None:
    node = Node()
    node.hear(60)
    for _ in range(30):
        assert node.hear(3, LEAK, HIGH_DB) == []
        assert node.hear(2, LEAK, LOW_DB) == []


def test_a_short_use_is_no_leak_and_a_warning_whose_sound_ends_neither() -> None:
    node = Node()
    node.hear(60)
    assert node.hear(25, LEAK, HIGH_DB) + node.hear(60) == []
    assert node.hear(30, LEAK, HIGH_DB) + node.hear(60) == ["WARNING", "OK"]


def test_without_a_background_the_score_decides() -> None:
    node = Node()
    node.hear(60, db=None)
    assert node.hear(90, LEAK, None) == ["WARNING", "LEAK"]
    assert "the background of this place is not known yet" in node.hours.reason
    node = Node(rise_db=0)
    assert node.hear(90, LEAK, LOW_DB) == ["WARNING", "LEAK"]
    assert node.hours.reason == "went on for 15 min after WARNING"


def test_a_leak_may_need_a_known_background() -> None:
    node = Node(leak_needs_background=True)
    node.hours.limits.nights_known = node.hours.rule.strong_nights
    assert node.hear(240, LEAK, None) == ["WARNING"]
    assert node.hear(30, LEAK, HIGH_DB) == ["LEAK"]


def test_a_warning_since_installation_stays_when_the_background_is_known() -> None:
    node = Node(leak_needs_background=True)
    assert node.hear(240, LEAK, None) == ["WARNING"]
    assert node.hear(600, LEAK, LOW_DB) == []
    assert node.hours.state is State.WARNING
    assert node.hear(60, OFF, LOW_DB) == ["OK"]


def test_the_limit_is_the_larger_of_the_rule_and_the_place() -> None:
    assert Node(rise_db=1.5).hours.limit_db == 1.5
    assert Node(rise_db=1.5, change_db=9.0).hours.limit_db > 1.5
    varying = Node(change_db=2 * HIGH_DB)
    varying.hear(60)
    assert varying.hear(240, LEAK, HIGH_DB) == []


def day_with_use(node: Node, db: float, minutes: float = 29) -> list[str]:
    entered = node.hear(60) + node.hear(minutes, LEAK, db) + node.hear(60)
    node.hours.end_day()
    return entered


def test_the_limit_grows_with_the_largest_excess_that_sounded_like_a_leak() -> None:
    node = Node()
    assert day_with_use(node, HIGH_DB) == ["WARNING", "OK"]
    assert node.hours.limit_db == node.hours.rule.rise_db, "one odd day does not count"
    assert day_with_use(node, HIGH_DB) == ["WARNING", "OK"]
    assert node.hours.limit_db == pytest.approx(HIGH_DB)
    day_with_use(node, HIGH_DB / 2)
    assert node.hours.limit_db == pytest.approx(HIGH_DB)
    assert day_with_use(node, HIGH_DB - 0.1) == []
    assert day_with_use(node, HIGH_DB + 1.0) == ["WARNING", "OK"]


def test_an_excess_that_does_not_sound_like_a_leak_or_not_for_long_teaches_nothing() -> None:
    node = Node()
    for score, minutes in ((OFF, 600), (LEAK, 20)):
        node.hear(minutes, score, HIGH_DB)
        node.hear(60)
        node.hours.end_day()
    assert node.hours.limit_db == node.hours.rule.rise_db


def test_a_leak_never_raises_the_limit() -> None:
    node = leaking()
    before = node.hours.limit_db
    node.hours.end_day()
    node.hear(600, LEAK, 2 * HIGH_DB)
    node.hours.end_day()
    node.hear(60)
    node.hours.end_day()
    assert node.hours.limit_db == before
    assert node.hear(90, LEAK, HIGH_DB) == ["WARNING", "LEAK"]


def test_a_day_teaches_once() -> None:
    node = Node()
    day_with_use(node, HIGH_DB)
    for _ in range(91):
        node.hours.end_day()
    assert node.hours.limit_db == node.hours.rule.rise_db


def test_a_suspicion_holds_a_little_below_the_limit() -> None:
    node = leaking()
    limit = node.hours.limit_db
    assert node.hear(120, OFF, limit * (HOLD + 0.01)) == []
    assert node.hear(60, OFF, limit * (HOLD - 0.01)) == ["OK"]


def test_rain_on_a_leak_does_not_end_it() -> None:
    node = leaking()
    assert node.hear(300, OFF, 2 * HIGH_DB, weather=True) == []
    assert node.hours.state is State.LEAK
    assert node.hear(60, LEAK, HIGH_DB) == []
    assert node.hear(60, OFF, LOW_DB, weather=True) == ["OK"], "weather below the limit hides nothing"


def test_rain_alone_raises_nothing_though_it_sounds_like_a_leak() -> None:
    node = Node()
    node.hear(60)
    assert node.hear(300, LEAK, HIGH_DB, weather=True) == []


def test_an_accepted_sound_does_not_alarm_again_and_a_louder_one_does() -> None:
    node = Node()
    node.hear(60)
    assert node.hear(32, LEAK, HIGH_DB) == ["WARNING"]
    node.hours.accept()
    assert (node.hours.state, node.hours.reason) == (State.OK, "a person has stated that there is no leak")
    assert node.hear(300, LEAK, HIGH_DB - 0.1) == []
    assert node.hear(60, LEAK, HIGH_DB + 2) == ["WARNING", "LEAK"]


def test_a_sound_accepted_before_the_background_is_known_waits_for_it() -> None:
    node = Node()
    assert node.hear(240, LEAK, None) == ["WARNING", "LEAK"]
    node.hours.accept()
    assert node.hear(120, LEAK, None) == []
    node.restart()
    assert node.hear(240, LEAK, None) == []
    assert node.hear(300, LEAK, LOW_DB) == [], "it is part of the background"
    assert node.hear(60, LEAK, HIGH_DB) == ["WARNING", "LEAK"]


def test_after_the_background_is_known_the_score_alone_counts_again() -> None:
    node = Node()
    node.hours.accept()
    node.hear(10, OFF, LOW_DB)
    assert node.hear(60, LEAK, None) == ["WARNING", "LEAK"]
    unused = Node(rise_db=0)
    unused.hours.accept()
    assert unused.hear(60, LEAK, LOW_DB) == ["WARNING", "LEAK"]


def test_what_is_forgotten_is_learned_again() -> None:
    node = Node()
    day_with_use(node, HIGH_DB)
    node.hear(32, LEAK, HIGH_DB + 1)
    node.hours.forget()
    assert node.hours.limit_db == node.hours.rule.rise_db
    assert node.hours._log.excesses(1800).covered == 0
    assert node.hours._log.scores(1800).covered > 0.9
    node.hours.end_day()
    assert node.hours.limit_db == node.hours.rule.rise_db


def test_a_warning_ends_when_nothing_could_be_judged_for_long() -> None:
    node = Node()
    node.hear(60)
    assert node.hear(32, LEAK, HIGH_DB) == ["WARNING"]
    assert node.hear(30, None) == []
    assert node.hear(300, None) == []
    assert node.hear(1, LEAK, HIGH_DB) == ["OK"]
    assert node.hours.reason == "nothing could be judged for 331 min"


def test_a_leak_does_not_end_when_nothing_could_be_judged_for_long() -> None:
    node = leaking()
    assert node.hear(300, None) + node.hear(5, LEAK, HIGH_DB) == []


PARTS = st.tuples(
    st.sampled_from([2, 7, 20, 29, 45, 90]),
    st.sampled_from([LEAK, LEAK, LIKE, OFF, None]),
    st.sampled_from([HIGH_DB, HIGH_DB, LOUD_DB, 1.2, LOW_DB, None]),
    st.booleans(),
    st.booleans(),
)


def play(parts: list[tuple[int, float | None, float | None, bool, bool]], every: int) -> list[tuple[str, str]]:
    node, found = Node(), []
    for number, (minutes, score, db, weather, low) in enumerate(parts):
        fault = "floor_drift" if low and score is not None else None
        for minute in range(minutes):
            node.hear(1, score, db, weather=weather, fault=fault, low_confidence=fault is not None)
            found.append((node.hours.state.value, f"{node.hours.limit_db} {node.hours.on_share:.9f} {longest_s(node)}"))
            if every and (number + minute) % every == 0:
                node.restart()
        if number % 4 == 3:
            node.hours.end_day()
    return found


@settings(max_examples=12, deadline=None)
@given(parts=st.lists(PARTS, min_size=4, max_size=10), every=st.integers(1, 17))
def test_restarts_at_any_window_change_nothing_later(parts: Any, every: int) -> None:
    assert play(parts, every) == play(parts, 0)


@pytest.mark.parametrize(
    "damage", [{"heard": "WET"}, {"marks": [[1]]}, {"limits": {"need": "x"}}, {"age_s": None}, {"stretches": {}}]
)
def test_a_foreign_snapshot_is_refused_and_changes_nothing(damage: dict[str, Any]) -> None:
    node = leaking()
    before = node.hours.snapshot()
    with pytest.raises((ValueError, TypeError, KeyError)):
        node.hours.restore(before | damage, node.time_s)
    assert node.hours.snapshot() == before


def test_leak_within_the_hour_needs_a_known_place() -> None:
    node = Node(leak_needs_background=True)
    node.hear(60)
    assert node.hear(120, LEAK, HIGH_DB) == ["WARNING"]
    node.hours.limits.nights_known = node.hours.rule.strong_nights
    assert node.hear(2, LEAK, HIGH_DB) == ["LEAK"]


def known_place(change_db: float = 0.0) -> Node:
    node = Node(change_db, leak_needs_background=True)
    node.hours.limits.nights_known = node.hours.rule.strong_nights
    node.hear(60)
    return node


def test_leak_needs_a_sound_that_lasts_longer_than_any_that_ended_here() -> None:
    node = known_place()
    node.hear(180, LEAK, LOW_DB)  # a use whose sound is known, for three hours
    node.hear(60)
    node.hours.end_day()
    assert longest_s(node) == pytest.approx(180 * 60, abs=600)
    assert node.hear(150, LEAK, HIGH_DB) == ["WARNING"]
    node.restart(60.0)
    assert node.hear(60, LEAK, HIGH_DB) == ["LEAK"]
    node.hear(60)
    assert longest_s(node) == pytest.approx(210 * 60, abs=600)


def test_a_loud_sound_that_is_like_a_leak_only_is_measured_by_its_own_kind() -> None:
    node = known_place()
    node.hear(240, LIKE, LOUD_DB)  # a machine, for four hours: LEAK, since nothing like it ever ended here
    node.hear(60)
    assert longest_s(node) == 0
    assert longest_s(node, Need.LIKE) == pytest.approx(240 * 60, abs=900)
    assert node.hear(90, LIKE, LOUD_DB + 1) + node.hear(60) == ["WARNING", "OK"]
    assert node.hear(60, LEAK, HIGH_DB) == ["WARNING", "LEAK"], "it sounds like a leak, and no such sound ended here"


def test_a_sound_of_more_than_half_a_day_is_no_use_and_teaches_nothing() -> None:
    node = known_place()
    assert node.hear(13 * 60, LEAK, HIGH_DB) == ["WARNING", "LEAK"]
    node.hear(60)
    assert longest_s(node) == 0


def test_a_long_time_without_windows_ends_the_sound_that_was_heard() -> None:
    node = known_place()
    node.hear(120, LEAK, LOW_DB)
    node.time_s += 5 * 3600
    node.hear(120, LEAK, LOW_DB)
    node.hear(60)
    assert longest_s(node) == pytest.approx(120 * 60, abs=600)


def test_a_loud_new_sound_need_not_score_as_a_leak_only_not_be_unlike_one() -> None:
    node = known_place()
    assert node.hear(120, LIKE, node.hours.limit_db + 5) == []
    node.hear(60)
    assert node.hear(120, OFF, node.hours.limit_db + 7) == []
    assert node.hear(40, LIKE, LOUD_DB) == ["WARNING"]
    assert node.hours.reason.startswith("a loud new sound, possibly a leak, in 90% of the last 30 min, 8.0 dB over")
    assert node.hear(200, LIKE, LOUD_DB - 1) == ["LEAK"]
    assert node.hear(60) == ["OK"]


def test_a_very_loud_new_sound_warns_whatever_its_score_and_is_never_a_leak_by_that() -> None:
    node = known_place()
    assert node.hear(31, OFF, VERY_LOUD_DB) == ["WARNING"]
    assert node.hours.reason.startswith("a very loud new sound that does not sound like a leak in ")
    assert node.hours.on_share == 0
    node.restart(20.0)
    assert node.hear(24 * 60, OFF, VERY_LOUD_DB) == []
    assert node.hear(40, OFF, LOW_DB) == ["OK"]
    node.hear(60)
    assert node.hear(60, LEAK, VERY_LOUD_DB) == ["WARNING", "LEAK"]


def test_the_share_in_a_reason_is_that_of_its_own_words() -> None:
    """With the score of any kind enough, every window counts: 100 % of them would say nothing, and nothing true."""
    node = known_place()
    assert node.hear(9, LEAK, VERY_LOUD_DB) == ["WARNING"]
    said = node.hours.reason
    assert re.match(r"a very loud new sound that does not sound like a leak in [78]\d% of the last 30 min", said), said
    node = known_place()
    assert node.hear(2) + node.hear(28, LEAK, LOW_DB) + node.hear(6, LEAK, VERY_LOUD_DB) == ["WARNING"]
    assert node.hours.reason.startswith("sounds like a leak in 100% of the last 30 min")
    node = known_place()
    assert node.hear(30, LEAK, LOW_DB) + node.hear(2, OFF, LOW_DB) + node.hear(6, LEAK, VERY_LOUD_DB) == ["WARNING"]
    assert node.hours.reason.startswith("sounds like a leak in 93% of the last 30 min")


def test_a_very_loud_new_sound_does_not_hide_that_the_sensor_fell_silent() -> None:
    node = known_place()
    assert node.hear(31, OFF, VERY_LOUD_DB) == ["WARNING"]
    assert node.hear(60, OFF, None, fault="quiet", low_confidence=True) == ["OK"]
    assert not node.hours.still_on


@pytest.mark.parametrize(("fault", "warns"), [("clipping", True), ("clipping, dc_offset", False)])
def test_a_very_loud_new_sound_that_clips_all_the_time_warns_too(fault: str, *, warns: bool) -> None:
    node = known_place()
    entered = node.hear(60, OFF, VERY_LOUD_DB, fault=fault, low_confidence=True, clips=True)
    assert entered == (["WARNING"] if warns else [])
    assert node.hours.still_on is warns, "or it would be a SENSOR_FAULT alone"
    assert node.hear(12 * 60, OFF, VERY_LOUD_DB, fault=fault, low_confidence=True, clips=True) == []
    assert node.hear(60) == (["OK"] if warns else [])


@pytest.mark.parametrize("unknown", [{"db": None}, {"db": VERY_LOUD_DB, "weather": True}])
def test_a_warning_of_any_score_ends_when_its_excess_stays_unknown(unknown: dict[str, Any]) -> None:
    node = known_place()
    assert node.hear(31, OFF, VERY_LOUD_DB) == ["WARNING"]
    node.restart(20.0)
    assert node.hear(20, OFF, **unknown) == []
    assert node.hear(100, OFF, **unknown) == ["OK"]


def test_a_place_must_be_known_before_a_sound_of_any_score_is_news() -> None:
    node = known_place()
    node.hours.limits.nights_known -= 1
    assert node.hear(120, OFF, 30.0) == []


def test_a_machine_that_was_very_loud_on_other_days_is_no_news() -> None:
    node = known_place(change_db=0.5)
    for number in range(3):
        assert node.hear(40, OFF, VERY_LOUD_DB) == (["WARNING"] if number < 2 else [])
        node.hear(60)
        node.hours.end_day()
    assert node.hear(40, OFF, VERY_LOUD_DB + 1) == ["WARNING"]


def test_what_clips_teaches_no_limit() -> None:
    node = Node()
    for _ in range(3):
        node.hear(60)
        assert node.hear(40, LEAK, 60.0, clips=True) == ["WARNING"]
        node.hear(60)
        node.hours.end_day()
    assert node.hours.limit_db == node.hours.rule.rise_db
    assert node.hear(60, LEAK, HIGH_DB) == ["WARNING", "LEAK"], "or the node would be deaf to it"


def test_what_was_said_of_a_loud_sound_holds_over_a_restart_and_in_the_rain() -> None:
    node = known_place()
    assert node.hear(60, LIKE, LOUD_DB) == ["WARNING", "LEAK"]
    node.restart(30.0)
    assert node.hear(20, LIKE, None) == []  # the background is not compared for the first quarter of an hour
    assert node.hear(60, LIKE, LOUD_DB, weather=True) == []
    assert node.hear(20, LIKE, LOUD_DB) == []
    assert node.hear(30) == ["OK"]


def test_a_machine_that_was_loud_on_other_days_is_no_news_and_hides_no_leak_that_scores() -> None:
    node = known_place(change_db=0.5)
    for _ in range(3):
        node.hear(40, LIKE, LOUD_DB)
        node.hear(60)
        node.hours.end_day()
    assert node.hours.limit_db == pytest.approx(node.hours.rule.rise_db)
    assert node.hear(120, LIKE, LOUD_DB) == []
    node.hear(60)
    assert node.hear(40, LEAK, HIGH_DB) == ["WARNING"]
    node.hear(60)
    assert node.hear(40, LIKE, LOUD_DB + 1) == ["WARNING"]


def test_a_loud_sound_that_a_person_calls_no_leak_is_learnt_at_once() -> None:
    node = known_place(change_db=0.5)
    assert node.hear(40, LIKE, LOUD_DB) == ["WARNING"]
    node.hours.accept()
    assert node.hear(120, LIKE, LOUD_DB) == []


@pytest.mark.parametrize("off", [{"loud_db": 0.0, "very_loud_db": 0.0}, {"rise_db": 0.0}])
def test_without_it_only_the_score_counts(off: dict[str, float]) -> None:
    node = Node(**off)
    node.hear(60)
    assert node.hear(120, LIKE, 30.0) == []


@pytest.mark.parametrize(
    "rule", [{"clear_s": 86400.0}, {"clear_s": 21600.0}, {"clear_s": 21600.0, "clear_fraction": 0.4}]
)
def test_quiet_before_an_alert_does_not_end_it(rule: dict[str, float]) -> None:
    node = Node(**rule)
    assert node.hear(24 * 60) == []
    assert node.hear(120, LEAK, HIGH_DB) == ["WARNING", "LEAK"]
    assert node.hear(120) == []
    assert node.hear(26 * 60) == ["OK"]


def test_a_sound_that_is_sure_at_once_is_one_alert() -> None:
    node = Node(fast_s=60.0, fast_level_dbfs=-50.0, clear_s=1800.0)
    node.hear(60)
    assert node.hear(20, 1.0, HIGH_DB) == ["LEAK"]
    assert node.hear(20) == []
    assert node.hear(12) == ["OK"]

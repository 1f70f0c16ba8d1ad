"""The fleet in memory: what messages make of a node, and what they must not."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leakear.dashboard.fleet import ASLEEP, LATE_S, LONGEST_SLEEP_S, OFFLINE, ONLINE, STALE, Fleet
from leakear.dashboard.fleet.ring import SLOT_S, SLOTS, Ring
from leakear.dashboard.fleet.sequence import MAX_GAPS, Sequence
from leakear.dashboard.fleet.silent_nodes import SilentNodes
from leakear.dashboard.history import event_row
from leakear.dashboard.history.ingest import ends_alarm
from leakear.edge.messages.reports import Availability, Event, Identity, ModelRef, State, utc_text, uuid7

NOW = 1_790_000_000.0
WHO = Identity("site-a", "node-1")
MODEL = ModelRef(id="m", sha256="0" * 64)


def report(at: float = NOW, **changes: object) -> State:
    text = utc_text(at)
    state = State(
        site=WHO.site, node=WHO.node, state="OK", since=text, score=0.2, level_dbfs=-50.0, noise_floor_dbfs=-60.0,
        faults=(), threshold=0.5, muted_until=None, model=MODEL, firmware="1", window_end=text, window_s=10, step_s=1,
        clock_synced=True, seq=1, queue_depth=0,
    )  # fmt: skip
    return replace(state, **changes)  # type: ignore[arg-type]


def happening(seq: int, state: str) -> Event:
    return Event(
        id=uuid7(), seq=seq, site=WHO.site, node=WHO.node, kind="state", from_state="OK", to_state=state, reason="r",
        window_start=utc_text(NOW - 10), window_end=utc_text(NOW), model=MODEL,
    )  # fmt: skip


def test_a_nodes_first_message_adds_it_online() -> None:
    fleet = Fleet()
    node = fleet.take(WHO, report(), NOW)
    assert node is not None
    assert (node.state, node.presence, node.score, node.level) == ("OK", ONLINE, 0.2, -50.0)


def test_a_node_that_sleeps_is_neither_lost_nor_online_until_it_should_have_woken() -> None:
    fleet, silent = Fleet(stale_after=60), SilentNodes(30, [])
    until = NOW + 22 * 3600
    fleet.take(WHO, Availability.ONLINE, NOW)
    fleet.take(WHO, report(state="WARNING", asleep_until=utc_text(until)), NOW)
    node = fleet.take(WHO, Availability.ASLEEP, NOW)
    assert node is not None
    for at in (NOW, NOW + 3600, until + LATE_S - 1):
        fleet.update_presence(node, at)
        assert (node.presence, node.head()["asleep"], node.state) == (ASLEEP, until, "WARNING")
        assert silent.check(node, at) is None
    fleet.update_presence(node, until + LATE_S + 1)
    assert node.presence == STALE
    assert silent.check(node, until + LATE_S + 1) is None
    found = silent.check(node, until + LATE_S + 40)
    assert found is not None
    fleet.take(WHO, Availability.ONLINE, until + 5000)
    fleet.take(WHO, report(until + 5000), until + 5000)
    assert (node.presence, node.head()["asleep"]) == (ONLINE, None)
    assert fleet.take(WHO, Availability.OFFLINE, until + 5001) is node
    assert node.presence == OFFLINE


def test_a_retained_sleep_is_known_to_a_dashboard_that_starts_later() -> None:
    fleet = Fleet(stale_after=60)
    fleet.take(WHO, Availability.ASLEEP, NOW, retained=True)
    node = fleet.take(WHO, report(NOW - 3600, asleep_until=utc_text(NOW + 3600)), NOW, retained=True)
    assert node is not None
    assert node.presence == ASLEEP


def test_no_node_sleeps_for_longer_than_a_schedule_lets_it() -> None:
    fleet, forever = Fleet(stale_after=60), "2099-01-01T00:00:00.000Z"
    fleet.take(WHO, report(asleep_until=forever), NOW)
    node = fleet.take(WHO, Availability.ASLEEP, NOW)
    assert node is not None
    for after, presence in ((3600, ASLEEP), (LONGEST_SLEEP_S, ASLEEP), (LONGEST_SLEEP_S + LATE_S + 1, STALE)):
        fleet.update_presence(node, NOW + after)
        assert node.presence == presence, after


def test_a_retained_sleep_without_a_time_is_believed_for_a_day_alone() -> None:
    for ahead, presence in ((3600, ASLEEP), (LONGEST_SLEEP_S + 3600, STALE)):
        fleet = Fleet(stale_after=60)
        undated = report(clock_synced=False, asleep_until=utc_text(NOW + ahead))
        node = fleet.take(WHO, undated, NOW, retained=True)
        assert node is not None
        assert node.presence == presence, ahead


def test_a_test_alert_of_a_new_node_does_not_take_the_place_of_a_leak() -> None:
    fleet = Fleet(limit=1, new_limit=1)
    fleet.take(WHO, report(), NOW)
    for kind, admitted in (("test", False), ("state", True)):
        other = Identity("site", f"other-{kind}")
        event = replace(happening(1, "LEAK"), kind=kind, site=other.site, node=other.node)
        assert (fleet.take(other, event, NOW + 1) is not None) == admitted


def test_a_test_alert_says_nothing_of_a_node() -> None:
    fleet = Fleet()
    node = fleet.take(WHO, replace(happening(0, "OK"), kind="test"), NOW)
    assert node is not None
    assert (node.state, node.sequence.last) == ("UNKNOWN", 0)
    fleet.take(WHO, report(state="LEAK"), NOW)
    fleet.take(WHO, replace(happening(0, "OK"), kind="test"), NOW)
    assert node.state == "LEAK"
    row = event_row(replace(happening(0, "OK"), kind="test"), NOW)
    assert (row["alert"], ends_alarm(row | {"from_state": "LEAK"})) == (False, False)


def test_what_was_given_up_says_nothing_of_the_present_state() -> None:
    fleet = Fleet()
    node = fleet.take(WHO, report(state="LEAK"), NOW)
    assert node is not None
    lost = replace(happening(9, "OK"), kind="dropped", dropped=3)
    fleet.take(WHO, lost, NOW + 1)
    assert node.state == "LEAK"


def test_a_silent_node_turns_stale_although_online_is_still_retained() -> None:
    fleet = Fleet(stale_after=60)
    fleet.take(WHO, Availability.ONLINE, NOW, retained=True)
    node = fleet.take(WHO, report(), NOW)
    assert node is not None
    assert not fleet.update_presence(node, NOW + 59)
    assert fleet.update_presence(node, NOW + 61)
    assert node.presence == STALE
    fleet.take(WHO, report(NOW + 70), NOW + 70)
    assert node.presence == ONLINE


@pytest.mark.parametrize(
    ("age", "synced", "presence"),
    [(10.0, True, ONLINE), (3 * 86400.0, True, STALE), (-3 * 86400.0, True, ONLINE), (10.0, False, STALE)],
)
def test_a_retained_message_counts_from_its_own_time(age: float, synced: bool, presence: str) -> None:
    """A dashboard that starts is told of all nodes at once, also of those that died last week."""
    node = Fleet(stale_after=180).take(WHO, report(NOW - age, clock_synced=synced), NOW, retained=True)
    assert node is not None
    assert node.presence == presence
    assert node.last_seen is None or node.last_seen <= NOW, "a clock that runs ahead makes nobody fresh for ever"


def test_a_node_that_was_heard_while_the_dashboards_own_clock_was_ahead_turns_stale_in_time() -> None:
    fleet = Fleet(stale_after=180)
    node = fleet.take(WHO, report(), NOW + 86400)
    assert node is not None
    assert not fleet.update_presence(node, NOW), "the clock was set right"
    assert fleet.update_presence(node, NOW + 181)
    assert node.presence == STALE
    other = fleet.take(Identity("site-a", "node-2"), Availability.ONLINE, NOW + 86400, retained=True)
    assert other is not None
    assert not fleet.update_presence(other, NOW)
    assert fleet.update_presence(other, NOW + 181)
    assert other.presence == STALE


def test_the_last_will_does_not_count_as_seen() -> None:
    fleet = Fleet()
    fleet.take(WHO, report(), NOW)
    node = fleet.take(WHO, Availability.OFFLINE, NOW + 5)
    assert node is not None
    assert (node.presence, node.last_seen) == (OFFLINE, NOW)


def test_an_event_sets_the_state_unless_the_report_is_newer() -> None:
    fleet = Fleet()
    node = fleet.take(WHO, report(seq=4), NOW)
    assert node is not None
    fleet.take(WHO, happening(5, "LEAK"), NOW)
    assert node.state == "LEAK"
    fleet.take(WHO, report(seq=7, state="OK"), NOW + 100)
    fleet.take(WHO, happening(6, "WARNING"), NOW + 101)
    assert node.state == "OK", "an event from the outbox of yesterday is history, not news"


def test_a_verdict_counts_for_the_leak_that_was_judged_and_for_no_later_one() -> None:
    """The dashboard was away while the leak ended and another began: the report comes before both events."""
    fleet = Fleet()
    node = fleet.take(WHO, report(state="LEAK", seq=5), NOW)
    assert node is not None
    node.judged = ("LEAK", NOW)
    assert node.head()["judged"]
    fleet.take(WHO, report(NOW + 60, state="LEAK", seq=5, since=utc_text(NOW)), NOW + 60)
    assert node.head()["judged"], "it goes on"
    fleet.take(WHO, report(NOW + 9000, state="LEAK", seq=9, since=utc_text(NOW + 7000)), NOW + 9000, retained=True)
    assert not node.head()["judged"]


def test_a_verdict_of_before_a_restart_counts_for_no_later_leak() -> None:
    fleet = Fleet()
    node = fleet.add((WHO.site, WHO.node), NOW)
    node.judged = ("LEAK", NOW)
    fleet.take(WHO, report(NOW + 9000, state="LEAK", seq=9, since=utc_text(NOW + 7000)), NOW + 9000, retained=True)
    assert (node.state, node.head()["judged"]) == ("LEAK", False)


def test_a_report_older_than_an_event_does_not_replace_its_state() -> None:
    """They come over two connections: a report can wait behind others while the event after it is long there."""
    fleet = Fleet()
    fleet.take(WHO, report(NOW - 60, seq=4, state="LEAK"), NOW - 60)
    event = replace(happening(5, "OK"), from_state="LEAK", clock_synced=True)
    node = fleet.take(WHO, event, NOW)
    assert node is not None
    fleet.take(WHO, report(NOW - 1, seq=4, state="LEAK", score=0.9), NOW + 90)
    assert (node.state, node.since, node.score) == ("OK", NOW, 0.9)
    fleet.take(WHO, report(NOW, seq=5, state="OK"), NOW + 91)
    fleet.take(WHO, report(NOW + 10, seq=6, state="WARNING"), NOW + 92)
    assert node.state == "WARNING", "what holds now is news although its event has not come yet"


@pytest.mark.parametrize("change", [{}, {"clock_synced": False}, {"window_end": None}])
def test_a_report_with_restarted_seq_is_accepted(change: dict[str, object]) -> None:
    fleet = Fleet()
    node = fleet.take(WHO, replace(happening(500, "LEAK"), clock_synced=True), NOW)
    assert node is not None
    at = NOW - 1e6 if change else NOW + 10
    fleet.take(WHO, report(at, **{"seq": 0, "state": "OK", **change}), NOW + 10)
    assert node.state == "OK"


def test_the_number_of_nodes_is_limited() -> None:
    fleet = Fleet(limit=10)
    for n in range(50):
        fleet.take(Identity("s", f"n{n}"), Availability.ONLINE, NOW)
    assert (len(fleet), fleet.refused) == (10, 40)


def test_the_ring_keeps_an_hour_with_gaps() -> None:
    ring = Ring()
    ring.add(NOW, 0.5, -50, -60)
    ring.add(NOW + 1, 0.9, -51, None)
    ring.add(NOW + 3 * SLOT_S, 0.1, None, None)
    score, level, _ = ring.last(5, NOW + 3 * SLOT_S)
    assert score == [None, 0.9, None, None, 0.1], "the highest of a slot: a short alarm must not vanish in a mean"
    assert level == [None, -51.0, None, None, None]
    ring.add(NOW + 2 * SLOTS * SLOT_S, 0.3, None, None)
    assert ring.last(SLOTS, NOW + 2 * SLOTS * SLOT_S)[0].count(None) == SLOTS - 1, "what is older than an hour is gone"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine
@given(st.lists(st.floats(0, 20_000), max_size=60), st.floats(0, 20_000))
def test_the_ring_has_no_values_that_were_not_added(offsets: list[float], now: float) -> None:
    ring = Ring()
    for n, offset in enumerate(sorted(offsets)):
        ring.add(NOW + offset, (n + 1) / 100, None, None)
    shown = [v for v in ring.last(SLOTS, NOW + now)[0] if v is not None]
    came = [o for o in offsets if 0 <= (NOW + now) // SLOT_S - (NOW + o) // SLOT_S < SLOTS]
    assert len(shown) == len({(NOW + o) // SLOT_S for o in came if (NOW + o) // SLOT_S > ring.head - SLOTS})


def test_gaps_in_seq_are_counted_filled_and_limited() -> None:
    seen = Sequence()
    assert not seen.see(500), "a dashboard that was installed later misses nothing"
    seen.see(501)
    seen.see(505)
    assert (seen.missing, seen.gaps) == (3, [(502, 504)])
    seen.see(503)
    assert seen.gaps == [(502, 502), (504, 504)]
    seen.see(1)
    assert (seen.last, seen.gaps) == (1, []), "an outbox that was lost counts from the beginning"
    for n in range(3, 3 + 4 * MAX_GAPS, 2):
        seen.see(n)
    assert len(seen.gaps) == seen.missing == MAX_GAPS


def test_a_silent_node_is_one_alert_after_the_grace_period_and_its_return_one_event() -> None:
    fleet, silent = Fleet(stale_after=10), SilentNodes(30, ())
    node = fleet.take(WHO, report(), NOW)
    assert node is not None
    assert silent.check(node, NOW) is None
    fleet.take(WHO, Availability.OFFLINE, NOW + 1)
    assert silent.check(node, NOW + 2) is None
    assert (silent.check(node, NOW + 40) or ("",))[0] == "lost"
    assert silent.check(node, NOW + 41) is None
    fleet.take(WHO, Availability.ONLINE, NOW + 50)
    assert (silent.check(node, NOW + 50) or ("",))[0] == "back"
    assert silent.check(node, NOW + 51) is None


def test_an_event_that_was_kept_for_hours_is_no_sign_that_a_silent_node_is_back() -> None:
    """The connection of the events was down, or the share of an ingest worker that was away waited at the broker."""
    fleet, silent = Fleet(stale_after=60), SilentNodes(30, ())
    node = fleet.take(WHO, report(), NOW)
    assert node is not None
    fleet.update_presence(node, NOW + 3600)
    assert silent.check(node, NOW + 3600) is None
    assert (silent.check(node, NOW + 3640) or ("",))[0] == "lost"
    kept = replace(happening(5, "LEAK"), window_end=utc_text(NOW + 10), clock_synced=True)
    fleet.take(WHO, kept, NOW + 7200)
    assert (node.state, node.presence, node.last_seen) == ("LEAK", STALE, NOW + 10)
    assert silent.check(node, NOW + 7200) is None


def test_a_loss_that_an_earlier_run_reported_is_not_reported_again() -> None:
    node = Fleet().take(WHO, report(NOW - 9999), NOW, retained=True)
    assert node is not None
    assert SilentNodes(0, [node.key]).check(node, NOW + 100) is None
    assert SilentNodes(0, ()).check(node, NOW + 100) is not None

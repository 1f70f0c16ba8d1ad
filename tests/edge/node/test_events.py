"""Events and the state message say what result and status hold, and each change is reported once."""

from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leakear.edge.audio.sample_clock import Timing
from leakear.edge.decision.learning import Learning
from leakear.edge.decision.night_levels import NightLevels
from leakear.edge.decision.state_machine import DecidedOn, State, Transition
from leakear.edge.health.measures import BROKEN
from leakear.edge.health.monitor import Health
from leakear.edge.messages.reports import Event, Identity, ModelRef, utc_text
from leakear.edge.node.events import EventWriter, floor_of, level_of, muted_text, night_event, state_message
from leakear.edge.node.status import Counters, NodeStatus
from leakear.edge.pipeline import Result
from leakear.edge.recording.clock_bound import Bound

LEARNT = Learning(True, 4, "all", 2.345)
MODEL, STAGED = ModelRef(id="m", sha256="0" * 64), ModelRef(id="n", sha256="1" * 64)
RESULT = Result(State.OK, None, 1.8e9, 1.8e9 + 10, score=0.25)
ALARM = replace(
    RESULT, state=State.WARNING, transition=Transition(State.OK, State.WARNING, "on 95% of the last 30 min", 0.95)
)


def status(*faults: str, **changes: Any) -> NodeStatus:
    given = {
        "identity": Identity("hill", "pit-7"), "model": MODEL, "staged_model": STAGED, "trial": None,
        "sample_rate": 22050, "window_s": 10.0, "step_s": 5.0, "monotonic": 70.0, "utc": 1.8e9 + 11, "uptime_s": 60.0,
        "clock": Bound("chrony", 0.0012345678), "timing": Timing(-12.34567, 0.98765, 0.0004321987),
        "clock_synced": True, "state": "WARNING", "since_utc": 1.8e9 - 5, "on_fraction": 0.95, "last": RESULT,
        "faults": dict.fromkeys(faults, "A sentence."), "threshold": 0.7, "level_gate_dbfs": -50.0,
        "threshold_from": "site", "muted_until": None, "asleep_until": None, "learning": LEARNT,
        "seq": 4, "queue_depth": 3, "queue_bytes": 2, "connected": True,
        "certificate_expires": None, "real_time_factor": None, "mono_microphone": False,
        "counters": Counters(0, 0, 0, 0, 0, 0),
    }  # fmt: skip
    return NodeStatus(**(given | changes))


def heard(level_dbfs: float, floor_dbfs: float) -> Result:
    measures = {name: getattr(BROKEN, name) for name in BROKEN.__dataclass_fields__} | {"level_dbfs": level_dbfs}
    health = Health(**measures, noise_floor_dbfs=floor_dbfs, noise_floor_drift_db=None, faults=())
    return replace(RESULT, health=health)


def made(event: Event | None) -> Event:
    assert event is not None
    return event


def test_a_change_of_state_is_an_event_with_the_result_and_the_status() -> None:
    event = made(EventWriter().event_of(ALARM, status("stuck", clock_synced=False)))
    assert (event.site, event.node, event.kind, event.seq) == ("hill", "pit-7", "state", 0)
    assert (event.from_state, event.to_state, event.reason) == ("OK", "WARNING", "on 95% of the last 30 min")
    assert (event.window_start, event.window_end) == (utc_text(1.8e9), utc_text(1.8e9 + 10))
    assert (event.score, event.on_fraction, event.faults, event.model) == (0.25, 0.95, ("stuck",), MODEL)
    assert not event.clock_synced


def test_an_alert_carries_what_it_was_decided_on() -> None:
    found = DecidedOn(
        by="hours", on_share=0.97123, excess_db=6.234, hz=629.96, limit_db=2.4, nights_known=12, nights_risen=1
    )
    assert ALARM.transition is not None
    alarm = replace(ALARM, transition=replace(ALARM.transition, decided_on=found))
    assert made(EventWriter().event_of(alarm, status())).to_dict()["decided_on"] == {
        "by": "hours", "on_share": 0.9712, "excess_db": 6.23, "hz": 629.96, "limit_db": 2.4, "nights_known": 12,
        "nights_risen": 1,
    }  # fmt: skip
    assert made(EventWriter().event_of(ALARM, status())).decided_on is None


def test_a_change_of_state_sets_since_when_it_holds() -> None:
    writer = EventWriter()
    writer.event_of(RESULT, status())
    assert writer.since_utc == 0
    writer.event_of(ALARM, status())
    assert writer.since_utc == 1.8e9 + 10


def test_faults_that_began_and_ended_at_once_are_one_event() -> None:
    writer = EventWriter()
    writer.event_of(RESULT, status("stuck", "dc_offset"))
    event = made(writer.event_of(RESULT, status("nan", "clipping")))
    assert (event.kind, event.reason) == ("fault", "began: clipping, nan; ended: dc_offset, stuck")
    assert (event.from_state, event.to_state) == ("OK", "OK")
    assert event.faults == ("nan", "clipping")


def test_a_fault_named_in_a_change_of_state_is_not_reported_again() -> None:
    writer = EventWriter()
    writer.event_of(ALARM, status("stuck"))
    assert writer.event_of(RESULT, status("stuck")) is None


def test_an_announcement_changes_no_state_and_keeps_the_reported_faults() -> None:
    writer = EventWriter()
    writer.event_of(RESULT, status("stuck"))
    event = writer.announcement("model", "x" * 600, RESULT, status("stuck", "nan"))
    assert (event.kind, event.from_state, event.to_state, event.faults) == ("model", "WARNING", "WARNING", ("stuck",))
    assert event.reason == "x" * 500


def test_what_was_reported_before_a_restart_is_not_reported_again() -> None:
    before, after = EventWriter(), EventWriter()
    before.event_of(ALARM, status("stuck"))
    after.restore(before.snapshot())
    assert after.since_utc == 1.8e9 + 10
    assert after.event_of(RESULT, status("stuck")) is None


@pytest.mark.parametrize("saved", [{}, {"since_utc": "x", "faults": []}, {"since_utc": 5.0, "faults": None}])
def test_a_damaged_snapshot_is_refused_and_changes_nothing(saved: dict[str, Any]) -> None:
    writer = EventWriter()
    writer.event_of(ALARM, status("stuck"))
    known = writer.snapshot()
    with pytest.raises((KeyError, TypeError, ValueError)):
        writer.restore(saved)
    assert writer.snapshot() == known


def test_the_state_message_says_what_the_status_holds() -> None:
    message = state_message(status("stuck", last=heard(-40.004, -60.0), muted_until=1.9e9)).to_dict()
    expected = {
        "site": "hill", "node": "pit-7", "state": "WARNING", "since": utc_text(1.8e9 - 5), "score": 0.25,
        "level_dbfs": -40.0, "noise_floor_dbfs": -60.0, "faults": ["stuck"], "threshold": 0.7,
        "level_gate_dbfs": -50.0, "threshold_from": "site", "muted_until": utc_text(1.9e9),
        "window_end": utc_text(1.8e9 + 10), "window_s": 10.0, "step_s": 5.0, "clock_synced": True, "seq": 4,
        "clock": {"source": "chrony", "bound_s": 0.0012346},
        "sample_clock": {"drift_ppm": -12.346, "drift_uncertainty_ppm": 0.988, "uncertainty_s": 0.000432},
        "queue_depth": 3, "limit_db": 2.35, "learning": {"background_ready": True, "nights_known": 4, "may_say": "all"},
        "model": MODEL.to_dict(), "staged_model": STAGED.to_dict(),
    }  # fmt: skip
    assert {key: message[key] for key in expected} == expected


def test_the_state_message_before_the_first_result_has_no_measurement() -> None:
    message = state_message(status(last=None))
    assert (message.score, message.level_dbfs, message.noise_floor_dbfs, message.window_end) == (None,) * 4


@pytest.mark.parametrize(("level", "sent"), [(-1000.0, -400.0), (100.0, 20.0), (-40.126, -40.13)])
def test_levels_are_rounded_and_stay_within_what_a_message_may_carry(level: float, sent: float) -> None:
    assert level_of(heard(level, 0.0)) == floor_of(heard(0.0, level)) == sent


def test_a_result_without_health_has_no_level() -> None:
    assert (level_of(RESULT), floor_of(RESULT), level_of(None), floor_of(None)) == (None,) * 4


def test_an_unmuted_node_has_no_time_until_when() -> None:
    assert muted_text(cast("NodeStatus", SimpleNamespace(muted_until=None))) is None
    assert muted_text(cast("NodeStatus", SimpleNamespace(muted_until=1.9e9))) == utc_text(1.9e9)


NIGHT = NightLevels(
    day=date(2026, 11, 23).toordinal(), first_utc=1.8e9 - 7190, last_utc=1.8e9, judged=0.98123, level_dbfs=-55.3,
    spread_db=1.8, steadiness=0.93333, hz=629.96, histogram_from_dbfs=-56, histogram=(41, 622, 44), excess_db=6.123,
    limit_db=2.456,
)  # fmt: skip


def test_a_night_is_an_event_that_changes_no_state() -> None:
    event = night_event(NIGHT, RESULT, status("stuck"), minutes=(120, 245))
    assert (event.kind, event.from_state, event.to_state, event.faults) == ("night", "WARNING", "WARNING", ("stuck",))
    assert (event.window_start, event.window_end) == (utc_text(1.8e9 - 7200), utc_text(1.8e9))
    assert event.reason == "night of 2026-11-23: level -55.3 dBFS, 98% judged"
    assert event.night is not None
    assert event.night.to_dict() == {
        "date": "2026-11-23", "hours": "02:00-04:05", "judged": 0.981, "level_dbfs": -55.3, "spread_db": 1.8,
        "steadiness": 0.933, "hz": 630.0, "histogram_from_dbfs": -56, "histogram": [41, 622, 44], "excess_db": 6.12,
        "limit_db": 2.46,
    }  # fmt: skip
    assert Event.from_json(event.to_json()) == event


def test_a_deaf_night_is_an_event_without_levels() -> None:
    deaf = replace(NIGHT, judged=0.0, level_dbfs=None, spread_db=None, steadiness=None, hz=None, excess_db=None)
    deaf = replace(deaf, histogram_from_dbfs=None, histogram=(), limit_db=None)
    event = night_event(deaf, RESULT, status(), minutes=(120, 240))
    assert event.reason == "night of 2026-11-23: nothing could be judged, 0% judged"
    assert Event.from_json(event.to_json()) == event

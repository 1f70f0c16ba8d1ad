"""A simulated node publishes what a real one does."""

from pathlib import Path

import pytest

from leakear.edge.messages.reports import Event, Identity
from leakear.edge.mqtt.options import MqttOptions
from leakear.edge.simulation.node import FleetOptions, SimulatedNode


@pytest.mark.parametrize(("nights", "ready", "may_say"), [(1, False, "strong leaks"), (3, True, "all")])
def test_state_and_telemetry_say_what_is_learnt(tmp_path: Path, nights: int, ready: bool, may_say: str) -> None:
    node = SimulatedNode(Identity("hill", "n1"), FleetOptions(MqttOptions(), 60, 60, introduce=False), tmp_path, 3)
    node._nights = nights
    for message in (node.state_message(), node.telemetry_message()):
        assert message.learning is not None
        assert (message.learning.nights_known, message.learning.background_ready) == (nights, ready)
        assert (message.learning.may_say, message.limit_db is not None) == (may_say, ready)
    node.outbox.close()


def test_the_night_that_is_over_is_reported_once_over_restarts(tmp_path: Path) -> None:
    told = []
    for seed in (3, 4):
        node = SimulatedNode(
            Identity("hill", "n1"), FleetOptions(MqttOptions(), 60, 60, introduce=False), tmp_path, seed
        )
        for now in (0.0, 60.0):
            node._night(now)
        told += [Event.from_json(row.payload) for row in node.outbox.pending(10) if row.kind == "night"]
        node.outbox.close()
    assert [event.seq for event in told] == [1, 1]  # the same one, still in the outbox
    night = told[0].night
    assert night is not None
    assert sum(night.histogram) == 720
    assert night.hours == "02:00-04:00"

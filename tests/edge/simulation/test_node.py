"""A simulated node publishes what a real one does."""

from pathlib import Path

import pytest

from leakear.edge.messages.reports import Identity
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

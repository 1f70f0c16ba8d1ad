"""Version of MQTT: auto falls back to 3.1.1 or takes turns, a configured version never changes."""

import paho.mqtt.client as paho
import pytest

from leakear.edge.mqtt.protocol_version import ProtocolVersion, text


@pytest.mark.parametrize(
    ("configured", "number"), [("auto", paho.MQTTv5), ("5", paho.MQTTv5), ("3.1.1", paho.MQTTv311)]
)
def test_the_first_attempt_has_the_configured_version(configured: str, number: int) -> None:
    assert ProtocolVersion(configured).number == number


def test_auto_falls_back_for_good_after_a_refusal() -> None:
    version = ProtocolVersion("auto")
    assert version.attempt_ended(refused=True, hung_up=False), "3.1.1 is tried at once"
    for hung_up in (False, True, True, False):
        assert version.number == paho.MQTTv311
        assert not version.attempt_ended(refused=False, hung_up=hung_up)
    assert version.number == paho.MQTTv311


def test_auto_does_not_try_at_once_after_a_refusal_of_3_1_1() -> None:
    version = ProtocolVersion("auto")
    version.attempt_ended(refused=True, hung_up=False)
    assert not version.attempt_ended(refused=True, hung_up=False)


def test_auto_takes_turns_while_the_broker_hangs_up() -> None:
    version, numbers = ProtocolVersion("auto"), []
    for _ in range(4):
        numbers.append(version.number)
        assert not version.attempt_ended(refused=False, hung_up=True), "it waits before the next attempt"
    assert numbers == [paho.MQTTv5, paho.MQTTv311, paho.MQTTv5, paho.MQTTv311]


def test_auto_returns_to_5_after_a_connection_with_3_1_1() -> None:
    version = ProtocolVersion("auto")
    version.attempt_ended(refused=False, hung_up=True)
    version.attempt_ended(refused=False, hung_up=False)
    assert version.number == paho.MQTTv5


def test_auto_stays_with_5_when_attempts_end_otherwise() -> None:
    version = ProtocolVersion("auto")
    assert not version.attempt_ended(refused=False, hung_up=False)
    assert version.number == paho.MQTTv5


@pytest.mark.parametrize(("configured", "number"), [("5", paho.MQTTv5), ("3.1.1", paho.MQTTv311)])
@pytest.mark.parametrize(("refused", "hung_up"), [(True, False), (False, True)])
def test_a_configured_version_never_changes(configured: str, number: int, *, refused: bool, hung_up: bool) -> None:
    version = ProtocolVersion(configured)
    for _ in range(3):
        assert not version.attempt_ended(refused=refused, hung_up=hung_up)
        assert version.number == number


def test_the_text_of_a_version_is_as_configured() -> None:
    assert [text(paho.MQTTv5), text(paho.MQTTv311)] == ["5", "3.1.1"]

"""Addresses that can never work are refused when they are read, with the remedy; the others pass."""

from pathlib import Path

import pytest

from leakear.edge.errors import ConfigError
from leakear.edge.mqtt import address
from leakear.edge.settings import Settings


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("", "name the broker"),
        ("mqtt://broker.local:1883", 'host = "broker.local", port = 1883'),
        ("mqtts://broker.local", 'host = "broker.local" and tls = true'),
        ("mqtt://ana:geheim@broker.local:1884/x", 'host = "broker.local", port = 1884'),
        ("tcp://10.0.0.5", 'host = "10.0.0.5"'),
        ("mqtt://[::1]:1883", 'host = "::1", port = 1883'),
        ("127.0.0.1:1883", 'host = "127.0.0.1", port = 1883'),
        ("broker.local:1883", 'host = "broker.local", port = 1883'),
        ("[::1]", 'host = "::1"'),
        ("[fe80::1]:8883", 'host = "fe80::1", port = 8883'),
        (" localhost ", "blank"),
        ("wss://broker.example/mqtt", "websockets are not spoken"),
        ("http://192.0.2.1", "websockets are not spoken"),
        ("ana:geheim@broker.local", "holds a user"),
        ("broker local", "neither a host name nor an address"),
        ("256.1.1.1", "neither"),
        ("1.2.3", "neither"),
        ("a..b", "neither"),
        ("broker.local/mqtt", "neither"),
        ("x" * 64, "neither"),
        ("\\\\server", "neither"),
    ],
)
def test_what_can_never_work_is_refused_with_the_remedy(host: str, says: str) -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.host") as refused:
        address.check(host)
    assert says in str(refused.value)
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    "host",
    ["localhost", "broker.local", "broker.local.", "my_broker", "10.0.0.5", "::1", "fe80::1%eth0", "bröker.example"],
)
def test_names_and_addresses_pass(host: str) -> None:
    address.check(host)


def test_a_line_end_of_an_environment_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"mqtt\] host = 'broker.local\\r': holds control characters"):
        Settings.load(environment={"LEAKEAR_MQTT_HOST": "broker.local\r"})


@pytest.mark.parametrize(
    "prefix", ["homeassistant/#", "ha/+", "ha/", "/ha", "", "a//b", "ha   # topic", " ha", "ha ", "$SYS", "leakear/x"]
)
def test_a_discovery_prefix_that_is_no_topic_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match=r"\[homeassistant\] prefix"):
        Settings.from_mapping({"homeassistant": {"prefix": prefix}}, environment={})


@pytest.mark.parametrize("prefix", ["homeassistant", "ha", "my/home", "Haus 2/ha", "leakears"])
def test_a_discovery_prefix_that_is_a_topic_passes(prefix: str) -> None:
    assert Settings.from_mapping({"homeassistant": {"prefix": prefix}}, environment={}).homeassistant.prefix == prefix


@pytest.mark.parametrize(
    "given",
    [
        {"node": {"site": "a/b"}}, {"node": {"site": "#"}}, {"node": {"name": "pit+7"}}, {"node": {"name": "ü"}},
        {"mqtt": {"client_id": "a\nb"}}, {"homeassistant": {"area": "a\0b"}},
    ],
)  # fmt: skip
def test_other_texts_that_go_to_the_broker_are_checked_too(given: dict[str, dict[str, str]]) -> None:
    with pytest.raises(ConfigError):
        Settings.from_mapping(given, environment={})


def test_a_variable_that_names_no_key_is_named_itself(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("")
    with pytest.raises(ConfigError, match="environment variable LEAKEAR_MQTT_SERVICE_HOST"):
        Settings.load(tmp_path / "a.toml", {"LEAKEAR_MQTT_SERVICE_HOST": "10.0.0.1"})

"""What the node tells Home Assistant is true: every topic it names gets a message, every template its keys."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.messages.reports import STATES, Identity
from leakear.edge.messages.requests import ModelRequest, SetRequest
from leakear.edge.mqtt.homeassistant import BIRTH, BIRTH_SPREAD_S, Discovery, HomeassistantOptions
from tests.support.broker import Broker
from tests.support.contract import validator
from tests.support.living_node import LEAK, Asker, Life, living_node

CONFIG = "homeassistant/device/leakear-hill/pit-7/config"
IDENTITY = Identity("hill", "pit-7")


def introduction(**options: str) -> dict[str, Any]:
    payload = Discovery(IDENTITY, HomeassistantOptions(**options), "0.1.0", 60).payload()
    found: dict[str, Any] = json.loads(payload)
    return found


def topics(node: Any) -> Iterator[tuple[str, str]]:
    """Every (key, topic) anywhere in the introduction."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key.endswith("_topic"):
                yield key, value
            else:
                yield from topics(value)


@pytest.fixture
def life(broker: Broker, tmp_path: Path) -> Iterator[Life]:
    with living_node(broker, tmp_path) as it:
        yield it


def test_every_advertised_topic_gets_a_message(broker: Broker, life: Life) -> None:
    with Asker(broker, life) as asker:
        life.hear(120, LEAK)
        (config,) = life.pump_until(lambda: asker.seen.on(CONFIG), "introduction")
        advertised = {topic for key, topic in topics(json.loads(config.payload)) if key != "command_topic"}
        assert {topic.rsplit("/", 1)[1] for topic in advertised} == {"availability", "state", "event", "telemetry"}
        for topic in advertised:
            life.pump_until(lambda topic=topic: asker.seen.on(topic), f"message on {topic}")


def test_every_key_a_template_reads_is_in_the_message() -> None:
    data = introduction()
    for name, part in data["components"].items():
        topic = part.get("state_topic", data["state_topic"]).rsplit("/", 1)[1]
        known = validator(topic).schema["properties"]  # type: ignore[index]
        for template in (part["value_template"], part.get("json_attributes_template", "")):
            read = set(re.findall(r"value_json\.(\w+)", template))
            assert read <= set(known), name
            assert read or not template, (name, template)


def test_the_introduction_has_what_the_issue_asks_for() -> None:
    data = introduction(name="Pit seven", area="Garden")
    parts = data["components"]
    assert data["device"]["name"] == "Pit seven"
    assert data["device"]["suggested_area"] == "Garden"
    assert parts["leak"]["device_class"] == "moisture"
    assert parts["health"]["device_class"] == "problem"
    assert {"score", "level", "noise_floor", "state"} <= set(parts)
    assert parts["firmware"]["entity_category"] == parts["model"]["entity_category"] == "diagnostic"
    assert (parts["event"]["platform"], parts["update"]["platform"]) == ("event", "update")
    assert parts["state"]["options"] == [state.lower() for state in STATES]
    assert len({part["unique_id"] for part in parts.values()}) == len(parts)
    assert "object_id" not in json.dumps(data), "deprecated in Home Assistant"
    expiring = [name for name, part in parts.items() if "expire_after" in part]
    assert expiring == ["temperature"], "an alarm that expires would flap"


def test_two_nodes_are_never_one_device() -> None:
    ids = {str(Discovery(Identity(*name), HomeassistantOptions(), "1", 1).to_dict()["device"]["identifiers"])
           for name in (("a_b", "c"), ("a", "b_c"), ("a-b", "c"), ("a", "b-c"))}  # fmt: skip
    assert len(ids) == 4


def test_what_home_assistant_would_send_is_what_the_node_reads() -> None:
    parts = introduction()["components"]
    number = parts["threshold"]
    for value in (number["min"], number["max"], 0.5):
        sent = number["command_template"].replace("{{ value }}", str(value))
        assert SetRequest.from_json(sent).threshold == value
    assert number["command_topic"] == IDENTITY.topic("cmd/set")
    assert ModelRequest.from_json(parts["update"]["payload_install"]).action == "install"
    assert parts["update"]["command_topic"] == IDENTITY.topic("cmd/model")


def test_the_node_introduces_itself_again_when_home_assistant_is_born(broker: Broker, life: Life) -> None:
    with Asker(broker, life) as asker:
        life.hear(1)
        life.pump_until(lambda: asker.seen.on(CONFIG), "introduction")
        life.pump_until(lambda: asker.seen.on("leakear/+/+/state"), "state")
        states = len(asker.seen.on("leakear/+/+/state"))
        asker.seen.publish("homeassistant/status", BIRTH)
        asker.ask("status")
        assert len(asker.seen.on(CONFIG)) == 1, "not all nodes of a fleet at the same moment"
        life.hear(BIRTH_SPREAD_S + 1)
        life.pump_until(lambda: len(asker.seen.on(CONFIG)) == 2, "second introduction")
        life.pump_until(lambda: len(asker.seen.on("leakear/+/+/state")) > states, "state")
        asker.seen.publish("homeassistant/status", b"offline")
        life.hear(BIRTH_SPREAD_S + 1)
        asker.ask("status")
        assert len(asker.seen.on(CONFIG)) == 2


def retained_introductions(broker: Broker, life: Life) -> int:
    """How many introductions a Home Assistant that comes now would find."""
    assert life.node.link is not None
    assert life.node.link.drain(20)
    with Asker(broker, life) as late:
        late.ask("status")  # whatever was retained has arrived before its answer
        return len(late.seen.on("homeassistant/#"))


def test_a_site_may_stay_silent_or_take_the_device_away(broker: Broker, tmp_path: Path) -> None:
    with living_node(broker, tmp_path, homeassistant={"discovery": "off"}) as life:
        life.hear(1)
        assert retained_introductions(broker, life) == 0
    with living_node(broker, tmp_path) as life:
        life.hear(1)
        assert retained_introductions(broker, life) == 1
    with living_node(broker, tmp_path, homeassistant={"discovery": "remove"}) as life:
        life.hear(1)
        assert retained_introductions(broker, life) == 0


def test_the_document_names_every_entity_and_the_size_of_the_message() -> None:
    text = (Path(__file__).parents[3] / "docs" / "HOME_ASSISTANT.md").read_text(encoding="utf-8")
    table = text.split("| entity |")[1].split("\n\n")[0]
    found = Discovery(IDENTITY, HomeassistantOptions(), "0.1.0", 60)
    names = [part["name"] for part in found.to_dict()["components"].values()]
    assert len(names) == 16
    assert [name for name in names if name not in table] == []
    assert f"It has {len(found.payload()) / 1000:.0f} kB" in text

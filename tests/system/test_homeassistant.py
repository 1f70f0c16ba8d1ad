"""A real Home Assistant sees a real node: it appears, follows, is commanded, goes away at the last will, comes back.

`make test-homeassistant` builds Home Assistant's root file system, and runs this inside a network namespace that has
nothing but a loopback device.
"""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.broker import Broker, Subscriber
from tests.support.homeassistant import HomeAssistant
from tests.support.homeassistant_page import Page, until
from tests.support.paced_node import PacedNode
from tests.support.places import ROOT

EXAMPLES = ROOT / "examples" / "home-assistant"
DEVICE = "leakear_hill_pit_7"
LEAK, HEALTH = f"binary_sensor.{DEVICE}_leak", f"binary_sensor.{DEVICE}_health"
ENTITIES = {
    LEAK, HEALTH, f"event.{DEVICE}_event", f"sensor.{DEVICE}_state", f"sensor.{DEVICE}_score", f"sensor.{DEVICE}_level",
    f"sensor.{DEVICE}_noise_floor", f"sensor.{DEVICE}_firmware", f"sensor.{DEVICE}_model",
    f"sensor.{DEVICE}_events_waiting", f"sensor.{DEVICE}_processor_temperature", f"number.{DEVICE}_threshold",
    f"update.{DEVICE}_model_update", f"sensor.{DEVICE}_nights_known", f"sensor.{DEVICE}_learning",
}  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def home() -> Iterator[tuple[HomeAssistant, Broker]]:
    root = os.environ.get("LEAKEAR_HOMEASSISTANT")
    if not root or not Path(root, "opt/ha/bin/hass").exists():
        pytest.skip("no Home Assistant here: make test-homeassistant builds one (root, mmdebstrap, 2 GB)")
    automations = (EXAMPLES / "automation.yaml").read_text()
    with Broker() as broker, HomeAssistant(Path(root), broker.port, automations) as running:
        yield running, broker


@pytest.fixture
def node(home: tuple[HomeAssistant, Broker], tmp_path: Path) -> Iterator[PacedNode]:
    running = PacedNode(home[1].port, tmp_path)
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGTERM)


def test_a_node_appears_follows_obeys_goes_and_returns(home: tuple[HomeAssistant, Broker], node: PacedNode) -> None:
    assistant, _ = home
    assistant.wait_for(lambda: set(assistant.states()) >= ENTITIES, "all entities")
    assistant.wait_state(LEAK, "off")
    assistant.wait_state(HEALTH, "off")
    assistant.wait_state(f"sensor.{DEVICE}_state", "ok")
    for entity in ENTITIES:  # the temperature only comes with the next telemetry
        assistant.wait_for(lambda entity=entity: assistant.state(entity) != "unavailable", f"{entity} available")

    node.hear("leak")
    assistant.wait_state(LEAK, "on", 60)
    event = assistant.states()[f"event.{DEVICE}_event"]["attributes"]
    assert event["event_type"] == "leak"
    assert event["reason"]
    assert float(assistant.state(f"sensor.{DEVICE}_score") or 0) > 0.5

    assert "Leak at leakear hill pit-7" in rendered_card(assistant)
    assert event["reason"] in rendered_card(assistant)

    node.hear("deaf")
    assistant.wait_state(HEALTH, "on", 60)
    assistant.wait_state(LEAK, "unknown", 60)
    node.hear("quiet")
    assistant.wait_state(HEALTH, "off", 60)
    assistant.wait_state(LEAK, "off", 120)

    set_value = {"entity_id": f"number.{DEVICE}_threshold", "value": 0.83}
    assistant.call("POST", "/api/services/number/set_value", set_value)
    assistant.wait_state(f"number.{DEVICE}_threshold", "0.83")

    node.end(signal.SIGKILL)
    assistant.wait_state(LEAK, "unavailable")
    node.start()
    assistant.wait_state(LEAK, "off", 60)
    assistant.wait_state(f"number.{DEVICE}_threshold", "0.83")

    node.end(signal.SIGTERM)
    assistant.wait_state(LEAK, "unavailable")


def test_the_card_is_drawn_by_home_assistant_s_own_page(
    home: tuple[HomeAssistant, Broker], node: PacedNode, tmp_path: Path
) -> None:
    assistant, _ = home
    assistant.wait_state(LEAK, "off", 60)
    card = yaml.safe_load((EXAMPLES / "card.yaml").read_text())
    with Page(assistant, card) as page:
        page.wait("Meter pit")
        page.wait("Last day")
        for name in ("Leak", "Health", "State", "Threshold", "Model", "Firmware", "Events waiting"):
            page.wait(name)
        assert "Leak at leakear" not in page.text()
        node.hear("leak")
        page.wait("Leak at leakear hill pit-7", 90)
        page.wait(str(assistant.states()[f"event.{DEVICE}_event"]["attributes"]["reason"]))
        until(lambda: page.count("history-graph canvas, ha-chart-base canvas, canvas"), "the graph")
        assert page.count("hui-error-card, hui-warning") == 0, page.text()
        page.browser.driver.save_screenshot(str(tmp_path / "card.png"))
        node.hear("quiet")


def rendered_card(assistant: HomeAssistant) -> str:
    """The example card's text, as Home Assistant renders it."""
    card = yaml.safe_load((EXAMPLES / "card.yaml").read_text())
    text = card["cards"][0]["card"]["content"]
    return str(assistant.call("POST", "/api/template", {"template": text}))


def test_the_examples_name_entities_that_exist(home: tuple[HomeAssistant, Broker], node: PacedNode) -> None:
    assistant, _ = home
    assistant.wait_state(LEAK, "off", 60)
    for name in ("card.yaml", "automation.yaml"):
        named = set(re.findall(rf"\b\w+\.{DEVICE}_\w+", (EXAMPLES / name).read_text()))
        assert named <= set(assistant.states())
    assert assistant.state("automation.leak") == "on"
    assert assistant.state("automation.leak_detector_does_not_listen") == "on"


def test_a_home_assistant_that_restarts_finds_the_node_again(
    home: tuple[HomeAssistant, Broker], node: PacedNode
) -> None:
    assistant, broker = home
    assistant.wait_state(LEAK, "off", 60)
    with Subscriber(broker, "homeassistant/#") as seen:
        introductions = len(seen.wait(1, "homeassistant/device/#"))
        assistant.stop()
        assistant.start()
        assistant.wait_state(LEAK, "off", 60)
        seen.wait_for(lambda: b"online" in [m.payload for m in seen.on("homeassistant/status")], "birth")
        seen.wait(introductions + 1, "homeassistant/device/#")


def test_a_node_that_removes_itself_is_gone(
    home: tuple[HomeAssistant, Broker], node: PacedNode, tmp_path: Path
) -> None:
    assistant, broker = home
    assistant.wait_state(LEAK, "off", 60)
    node.end(signal.SIGTERM)
    leaving = PacedNode(broker.port, tmp_path, homeassistant={"discovery": "remove"})
    try:
        assistant.wait_for(lambda: not set(assistant.states()) & ENTITIES, "removal")
    finally:
        leaving.end(signal.SIGTERM)

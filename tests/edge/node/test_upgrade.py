"""A state folder and a configuration of version 0.1 are taken over without loss (tests/data/make_state_01.py)."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.compose import open_node
from leakear.edge.decision.rule import DecisionRule
from leakear.edge.messages.reports import Event, utc_text
from leakear.edge.node.node import Node
from leakear.edge.settings import SECTIONS, Settings
from tests.support.broker import Broker, Subscriber
from tests.support.living_node import QUIET, Life, TrueClock
from tests.support.places import DATA

OLD = DATA / "state-0.1"
EXPECTED: dict[str, Any] = json.loads((OLD / "expected.json").read_text())
SAVED = EXPECTED["saved"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD, tmp_path / "node"))


def settings(folder: Path, **mqtt: object) -> Settings:
    changed = {f"LEAKEAR_MQTT_{key.upper()}": str(value) for key, value in mqtt.items()}
    places = {
        "LEAKEAR_NODE_STATE_DIR": str(folder / "state"),
        "LEAKEAR_MODEL_PATH": str(folder / "first.tflite"),
        "LEAKEAR_MODEL_PUBLIC_KEY": str(folder / "key.pem"),
    }
    return Settings.load(folder / "leakear.toml", places | changed)


@contextmanager
def upgraded(folder: Path, broker: Broker | None = None) -> Iterator[Node]:
    """Start the node of this version ten seconds after that of 0.1 ended; no sound yet."""
    given = settings(folder, host=broker.host, port=broker.port) if broker else settings(folder)
    with open_node(given, TrueClock(), connect=broker is not None) as node:
        node.open()
        node.idle(1000.0, EXPECTED["utc"] + 10)
        yield node


def test_every_section_of_the_configuration_is_read(folder: Path) -> None:
    text = (folder / "leakear.toml").read_text()
    known = {f"[{name}]" for name in SECTIONS} - {"[metrics]", "[recording]", "[schedule]"}  # which version 0.1 had not
    assert {line for line in text.splitlines() if line.startswith("[")} == known
    read = settings(folder)
    assert (read.node.site, read.node.name, read.node.telemetry_s) == ("hill", "pit-7", 120.0)
    assert (read.window.step_s, read.decision["rise_db"], read.commands.max_mute_days) == (60.0, 1.5, 60.0)
    assert DecisionRule(**read.decision).threshold == 0.6


def test_every_event_waits_under_its_number(folder: Path) -> None:
    with upgraded(folder) as node:
        events = [json.loads(row.payload) for row in node.outbox.pending(99)]
        assert events == EXPECTED["events"]
        assert [event["seq"] for event in events] == [1, 2, 3, 4, 5]
        assert node.outbox.last_seq == EXPECTED["seq"]


def test_every_event_is_delivered(folder: Path, broker: Broker) -> None:
    topic = "leakear/hill/pit-7/event"
    with Subscriber(broker, topic) as seen, upgraded(folder, broker) as node:
        assert node.link is not None
        assert node.link.drain(20)
        delivered = [Event.from_json(message.payload) for message in seen.wait(EXPECTED["seq"], topic)]
    assert [event.id for event in delivered] == [event["id"] for event in EXPECTED["events"]]


def test_the_state_and_what_was_set_remotely_hold(folder: Path) -> None:
    with upgraded(folder) as node:
        status = node.reporter.status()
    assert status.state == EXPECTED["state"] == "WARNING"
    assert status.since_utc == SAVED["since_utc"]
    assert (status.threshold, status.level_gate_dbfs, status.threshold_from) == (0.7, -90.0, "remote")
    assert status.step_s == EXPECTED["step_s"] == 30.0
    assert status.muted_until == EXPECTED["muted_until"]
    assert status.faults == {}


def test_the_installed_model_is_in_use(folder: Path) -> None:
    with upgraded(folder) as node:
        assert node.detector.model.info.model_id == EXPECTED["model"] == "second"
        assert node.reporter.status().trial is None
        assert node.outbox.last_seq == EXPECTED["seq"]  # no event says that a model was given up


def kept(old: Any, new: Any) -> bool:
    """Whether everything old is in the new; a later version may save more."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(key in new and kept(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list) and old and isinstance(old[0], list):
        return len(old) == len(new) and all(row == more[: len(row)] for row, more in zip(old, new, strict=True))
    return bool(old == new)


def test_what_was_learnt_is_saved_again_as_it_was(folder: Path) -> None:
    assert len(SAVED["pipeline"]["health"]["hours"]) >= 60
    assert len(SAVED["pipeline"]["usual"]["moments"]) > 1000
    with upgraded(folder) as node:
        node.reporter.save()
        saved = node.outbox.load_state()
    for part in ("health", "usual", "told"):
        assert kept(SAVED["pipeline"][part], saved["pipeline"][part])
    decision = {
        key: value for key, value in SAVED["pipeline"]["decision"].items() if key != "by_rise"
    }  # no longer used
    assert kept(decision, saved["pipeline"]["decision"])
    assert kept(SAVED["memory"], saved["memory"])
    assert saved["faults"] == SAVED["faults"]


def test_the_leak_under_way_is_confirmed(folder: Path) -> None:
    given = settings(folder)
    with open_node(given, TrueClock(), connect=False) as node:
        node.open()
        life = Life(node, given, began=EXPECTED["utc"] + 10)
        life.hear(1200, 0.03)
        events = [Event.from_json(row.payload) for row in node.outbox.pending(99)]
    assert [(event.seq, event.to_state) for event in events[EXPECTED["seq"] :]] == [(6, "LEAK")]


def test_a_mute_of_0_1_is_shown(folder: Path) -> None:
    with upgraded(folder) as node:
        life = Life(node, settings(folder), began=EXPECTED["utc"] + 10)
        life.hear(60, QUIET)
        assert utc_text(node.reporter.status().muted_until or 0) == "2026-10-25T00:00:00.000Z"

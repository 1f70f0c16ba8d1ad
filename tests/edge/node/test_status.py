"""The status is a frozen picture: messages are functions of it alone."""

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from leakear.edge.compose import open_node
from leakear.edge.messages.reports import State
from leakear.edge.mqtt.dispatcher import CommandOptions
from leakear.edge.node.events import EventWriter, state_message
from leakear.edge.node.status import Machine
from leakear.edge.node.telemetry import telemetry_message
from leakear.edge.remote import selftest
from leakear.edge.remote.handlers import identity_result, set_result
from leakear.edge.settings import Settings
from tests.support.living_node import LEAK, RULE, Life, TrueClock
from tests.support.places import TINY

MACHINE = Machine(temperature_c=40.0, disk_free_bytes=10**9, rss_bytes=10**8)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    given = {"node": {"state_dir": str(tmp_path), "name": "n"}, "model": {"path": str(TINY)}, "decision": RULE}
    settings = Settings.from_mapping(given, "test", {})
    with open_node(settings, TrueClock(), connect=False) as node:
        it = Life(node, settings)
        it.hear(20)
        yield it


def test_a_status_does_not_change_with_its_node(life: Life) -> None:
    status = life.node.reporter.status()
    before = (state_message(status), telemetry_message(status, MACHINE), set_result(status))
    life.hear(120, LEAK)
    life.node.detector.set_threshold(0.9)
    assert (state_message(status), telemetry_message(status, MACHINE), set_result(status)) == before
    assert state_message(life.node.reporter.status()) != before[0]
    with pytest.raises(FrozenInstanceError):
        status.seq = 7  # type: ignore[misc]


def test_identify_is_a_function_of_status_and_options(life: Life) -> None:
    result = identity_result(life.node.reporter.status(), CommandOptions(allow_clip=False, allow_model=False))
    assert not {"clip", "model"} & set(result.commands)
    assert (result.site, result.node, result.window_s) == ("site", "n", 10.0)


def test_selftest_is_a_function_of_the_status(life: Life, tmp_path: Path) -> None:
    status = replace(life.node.reporter.status(), connected=True, faults={"outbox_full": "The outbox is full."})
    result = selftest.run(status, tmp_path, lambda: life.node.detector.model)
    assert {check.name: check.ok for check in result.checks} == {
        "model": True, "sensor": True, "disk": True, "clock": True, "broker": True, "outbox": False,
    }  # fmt: skip


def test_a_fault_is_an_event_when_it_begins_and_when_it_ends(life: Life) -> None:
    writer, status = EventWriter(), life.node.reporter.status()
    result = life.node.detector.last
    assert result is not None
    assert writer.event_of(result, status) is None
    faulty = replace(status, faults={"outbox_full": "The outbox is full."})
    reasons = [event.reason if (event := writer.event_of(result, it)) else None for it in (faulty, faulty, status)]
    assert reasons == ["began: outbox_full", None, "ended: outbox_full"]


def test_the_word_of_0_1_for_remote_stays_readable(life: Life) -> None:
    message = state_message(life.node.reporter.status())
    old = message.to_json().replace(b'"threshold_from":"model"', b'"threshold_from":"afar"')
    old = old.replace(b'"threshold_from":"site"', b'"threshold_from":"afar"')
    assert State.from_json(old).threshold_from == "afar"


def test_lasting_clipping_is_flagged_beside_a_leak(life: Life) -> None:
    """A leak beside the sensor clips too: it is a fault in the list, and no reason to be silent."""
    life.hear(700, 0.9)
    message = state_message(life.node.reporter.status())
    assert (message.state, message.faults) == ("LEAK", ("clipping",))

"""One registry of faults: name and sentence of every part, in one order."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from leakear.edge.audio.blocks import SensorFault
from leakear.edge.audio.capture import NO_DEVICE
from leakear.edge.compose import open_node
from leakear.edge.evidence.recorder import NOT_KEPT
from leakear.edge.health.monitor import FAULTS
from leakear.edge.node.detector import SENTENCES
from leakear.edge.node.faults import Faults
from leakear.edge.node.node import Node
from leakear.edge.settings import Settings
from tests.support.living_node import BORN, LEAK, RULE, Life, TrueClock
from tests.support.places import TINY


class Part:
    def __init__(self, **faults: str) -> None:
        self.faults = faults


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    place = tmp_path / "evidence"
    place.write_text("a file stands where the folder should be")
    given = {
        "node": {"state_dir": str(tmp_path)},
        "model": {"path": str(TINY)},
        "decision": RULE,
        "evidence": {"enabled": True, "min_free_mb": 0, "directory": str(place)},
    }
    settings = Settings.from_mapping(given, "test", {})
    with open_node(settings, TrueClock(), connect=False) as it:
        Life(it, settings).hear(80, LEAK)
        yield it


def test_the_registry_reads_its_parts_when_it_is_asked() -> None:
    first, second = Part(a="A."), Part(b="B.")
    faults = Faults(first, second)
    assert faults.now() == {"a": "A.", "b": "B."}
    first.faults.clear()
    second.faults["c"] = "C."
    assert faults.now() == {"b": "B.", "c": "C."}


def test_a_fault_of_the_device_brings_its_own_sentence(node: Node) -> None:
    node.take(SensorFault(NO_DEVICE, "no microphone is plugged in", 2000.0, BORN + 1000))
    assert node.faults[NO_DEVICE] == "no microphone is plugged in"


def test_evidence_that_cannot_be_kept_is_a_fault_with_a_sentence(node: Node) -> None:
    assert "could not be kept" in node.faults[NOT_KEPT]


def test_every_fault_of_a_window_has_a_sentence() -> None:
    assert set(FAULTS) < set(SENTENCES)
    assert all(len(sentence) > 20 for sentence in SENTENCES.values())

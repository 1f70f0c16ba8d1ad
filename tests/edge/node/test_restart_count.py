"""A node that restarts again and again keeps what it has heard, and reports the restarts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from leakear.edge.audio.blocks import Block
from leakear.edge.compose import open_node
from leakear.edge.messages.reports import Event
from leakear.edge.node.node import Node
from leakear.edge.node.reporter import Reporter
from leakear.edge.node.restart_count import FAULT, MANY
from leakear.edge.settings import Settings
from tests.support.living_node import BORN, LEAK, QUIET, TrueClock
from tests.support.places import TINY

OFF_S = 30
"""s without power between two runs"""
NOISE = np.random.default_rng(7).standard_normal(22050).astype(np.float32)
Live = Callable[..., Node]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_mapping({"node": {"state_dir": str(tmp_path)}, "model": {"path": str(TINY)}}, "test", {})


@pytest.fixture
def live(settings: Settings) -> Live:
    """Run a node for some seconds, from where its last run ended; unless `stopped` it is cut off."""
    born = BORN

    def life(seconds: int, rms: float = QUIET, *, stopped: bool = False) -> Node:
        nonlocal born
        with open_node(settings, TrueClock(), connect=False) as node:
            node.open()
            for second in range(seconds):
                node.take(Block(second * 22050, rms * NOISE, born + second, 20.0 + second))
            if stopped:
                node.close()
        born += seconds + OFF_S
        return node

    return life


def told(node: Node) -> list[Event]:
    return [Event.from_json(row.payload) for row in node.outbox.pending(99)]


def test_a_leak_is_announced_by_a_node_that_loses_power_every_nine_minutes(live: Live, settings: Settings) -> None:
    for _ in range(8):
        node = live(540, LEAK)
    assert node.detector.pipeline.decision.state == "LEAK"
    with open_node(settings, TrueClock(), connect=False) as again:
        events = told(again)
    assert [event.to_state for event in events if event.kind == "state"] == ["WARNING", "LEAK"]
    assert [event.reason for event in events if event.kind == "fault"] == [f"began: {FAULT}"]  # once, not at each start


def test_short_lives_are_a_fault_until_one_lasts(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leakear.edge.node.restart_count.SHORT_S", 300.0)  # a shorter hour
    for _ in range(MANY):
        assert FAULT not in live(30).faults
    assert FAULT in live(30).faults
    node = live(420)
    assert FAULT not in node.faults
    assert FAULT not in live(30).faults


def test_who_stops_a_node_often_is_told_nothing(live: Live) -> None:
    for _ in range(MANY + 2):
        assert live(30, stopped=True).faults == {}


def test_the_card_is_written_often_only_after_a_life_that_was_cut_off(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[float] = []
    save = Reporter.save
    monkeypatch.setattr(Reporter, "save", lambda it: (written.append(it.now[0] - 20), save(it)))
    live(1300, stopped=True)
    assert written == [0, 600, 1200, 1299]
    written.clear()
    live(1300)
    assert written == [0, 600, 1200]
    written.clear()
    live(190)
    assert written == [0, 60, 120, 180]

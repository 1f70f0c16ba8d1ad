"""On a nearly full disk events fit where the saved state does not: a restart goes on from what they told."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leakear.edge.audio.blocks import Block
from leakear.edge.background.entries import MOST_HELD
from leakear.edge.compose import open_node
from leakear.edge.messages.reports import DecidedOn, Event
from leakear.edge.outbox import told
from leakear.edge.settings import Settings
from tests.edge.node.test_restart import Machine
from tests.edge.outbox.test_recovery import free
from tests.support.factory import event
from tests.support.living_node import LEAK, QUIET, RULE
from tests.support.places import TINY

ROOM = 64 * 1024
"""bytes: enough for some events, too little for the state of a node that holds back sounds of two weeks"""


class Node:
    """A node on a disk of its own, which loses power at the end of each life."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.machine = folder, Machine("a", 1000.0, 1.8e9, synced=True)
        self.random = np.random.default_rng(5)

    def live(self, *lives: tuple[int, float]) -> tuple[str, list[Event]]:
        """Hear so many windows of noise of an RMS, one after the other; return the state, and all events."""
        given = {"node": {"state_dir": str(self.folder)}, "model": {"path": str(TINY)}, "decision": RULE}
        with open_node(Settings.from_mapping(given, "test", {}), self.machine.clock, connect=False) as node:
            at = 0
            entries = node.detector.pipeline.background.entries
            while len(entries.held) < MOST_HELD:
                entries.hold(self.random.normal(-60, 5, 25).astype(np.float32), 0, 1.0)
            for windows, rms in lives:
                for _ in range(windows):
                    sound = (rms * self.random.standard_normal(220500)).astype(np.float32)
                    node.take(Block(at, sound, self.machine.utc, self.machine.up))
                    at += len(sound)
                    self.machine.up += 10
                    self.machine.utc += 10
            node.outbox.maintain()
            state = node.detector.pipeline.decision.state.value
            events = [Event.from_json(row.payload) for row in node.outbox.pending(100)]
            node.outbox._disk.close()  # power lost
            node.outbox._dirty, node.outbox._memory = False, []
            return state, events


def fill(folder: Path) -> None:
    (folder / "ballast").write_bytes(bytes(max(0, free(folder) - ROOM)))


@pytest.fixture
def node(tiny_disk: Path) -> Node:
    return Node(tiny_disk)


def changes(events: list[Event]) -> list[str]:
    return [event.to_state for event in events if event.kind == "state"]


def test_a_leak_that_was_told_is_one_after_a_restart_and_is_told_once(node: Node, tiny_disk: Path) -> None:
    node.live((6, QUIET))
    fill(tiny_disk)
    assert node.live((14, LEAK))[0] == "LEAK"
    state, events = node.live((1, LEAK))
    assert (state, changes(events)) == ("LEAK", ["WARNING", "LEAK"])
    (tiny_disk / "ballast").unlink()
    state, events = node.live((12, LEAK))
    assert (state, changes(events)) == ("LEAK", ["WARNING", "LEAK"])
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    state, events = node.live((14, QUIET))
    assert (state, changes(events)) == ("OK", ["WARNING", "LEAK", "OK"]), "its end is told"


def told_by(**changes: Any) -> dict[str, Any] | None:
    return told.after(None, replace(event(), kind="state", from_state="OK", **changes))


SAVED = {
    "utc": 1000.0, "since_utc": 5.0, "faults": [],
    "pipeline": {"usual": {}, "decision": {
        "shown": "OK", "announced": "OK", "heard": "OK", "marks": [[0, 1]], "nights": {"state": "OK", "known": 20},
    }},
}  # fmt: skip


def test_a_leak_of_several_nights_is_taken_over_as_one_of_nights() -> None:
    nights = DecidedOn(
        by="nights", on_share=0.1, excess_db=3.0, hz=800.0, limit_db=1.0, nights_known=20, nights_risen=2
    )
    decision = told.taken_over(SAVED, told_by(to_state="LEAK", decided_on=nights))["pipeline"]["decision"]
    assert (decision["shown"], decision["announced"], decision["heard"]) == ("LEAK", "LEAK", "OK")
    assert decision["nights"] == {"state": "LEAK", "known": 20}


def test_a_fault_of_the_sensor_hides_what_the_pipe_was_said_to_be() -> None:
    found = told.taken_over(SAVED, told_by(to_state="SENSOR_FAULT", faults=("no_frames",)))
    assert found["faults"] == ["no_frames"]
    decision = found["pipeline"]["decision"]
    assert (decision["shown"], decision["announced"]) == ("SENSOR_FAULT", "OK")


def test_a_leak_behind_a_fault_of_the_sensor_is_kept() -> None:
    leak = told_by(to_state="LEAK")
    both = told.after(leak, replace(event(), kind="state", from_state="LEAK", to_state="SENSOR_FAULT"))
    decision = told.taken_over(SAVED, both)["pipeline"]["decision"]
    assert (decision["shown"], decision["announced"], decision["heard"]) == ("SENSOR_FAULT", "LEAK", "LEAK")


def test_a_fault_alone_changes_no_state_and_a_night_tells_nothing() -> None:
    told_before = told_by(to_state="LEAK")
    after = told.after(told_before, replace(event(), kind="fault", faults=("outbox_disk",)))
    assert after is not None
    assert (after["shown"], after["faults"]) == ("LEAK", ["outbox_disk"])
    assert told.after(after, replace(event(), kind="night")) == after
    assert told.after(None, replace(event(), kind="night")) is None


@pytest.mark.parametrize("damage", [{}, {"faults": 5}, {"faults": [], "shown": "LEAK"}])
def test_what_is_of_another_form_is_left_out(damage: dict[str, Any]) -> None:
    assert told.taken_over(SAVED, damage) == SAVED
    assert told.taken_over({}, told_by(to_state="LEAK")) == {}

"""What goes on over a restart, as far as a clock can tell how long it took."""

from pathlib import Path

import numpy as np
import pytest

from leakear.edge.audio.blocks import Block
from leakear.edge.clock import Clock
from leakear.edge.compose import open_node
from leakear.edge.settings import Settings
from tests.support.living_node import LEAK, RULE
from tests.support.places import TINY

SOUND = (LEAK * np.random.default_rng(5).standard_normal(22050 * 10)).astype(np.float32)


class Machine:
    """A board that tells the time as it likes."""

    def __init__(self, boot: str, up: float, utc: float, *, synced: bool) -> None:
        self.up, self.utc = up, utc
        self.clock = Clock(lambda: synced, lambda: self.utc, lambda: self.up, lambda: boot)


def live(folder: Path, machine: Machine, windows: int) -> str:
    """Hear a leak for some windows of ten seconds, then lose the power. Returns the state at the end."""
    given = {"node": {"state_dir": str(folder)}, "model": {"path": str(TINY)}, "decision": RULE}
    with open_node(Settings.from_mapping(given, "test", {}), machine.clock, connect=False) as node:
        for k in range(windows):
            node.take(Block(k * len(SOUND), SOUND, machine.utc, machine.up))
            machine.up += 10
            machine.utc += 10
        node.reporter.save()
        return node.detector.pipeline.decision.state.value


@pytest.mark.parametrize(
    ("boot", "up", "utc", "synced", "state"),
    [
        ("a", 1050.0, 1.8e9, False, "WARNING"),  # the daemon alone, 10 s: exact though the clock was set back
        ("a", 9000.0, 1.8e9 + 50, True, "OK"),  # a sleep of hours
        ("b", 20.0, 1.8e9 + 50, True, "WARNING"),  # a reboot of 10 s between clocks that are right
        ("b", 20.0, 1.8e9 + 9000, True, "OK"),
        ("b", 20.0, 1.8e9 + 50, False, "OK"),  # a board without a battery: it woke up where it was switched off
    ],
)
def test_sound_before_a_restart_counts_only_when_its_age_is_known(
    tmp_path: Path, boot: str, up: float, utc: float, synced: bool, state: str
) -> None:
    assert live(tmp_path, Machine("a", 1000.0, 1.8e9, synced=True), 4) == "OK"
    assert live(tmp_path, Machine(boot, up, utc, synced=synced), 2) == state


def test_what_was_believed_goes_on_when_nobody_knows_for_how_long_it_was_off(tmp_path: Path) -> None:
    assert live(tmp_path, Machine("a", 1000.0, 1.8e9, synced=True), 12) == "LEAK"
    assert live(tmp_path, Machine("b", 20.0, 1.8e9, synced=False), 1) == "LEAK"

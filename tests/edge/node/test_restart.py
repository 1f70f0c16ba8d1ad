"""What goes on over a restart, as far as a clock can tell how long it took."""

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from leakear.edge.audio.blocks import Block
from leakear.edge.background.entries import ENOUGH
from leakear.edge.clock import Clock
from leakear.edge.compose import open_node
from leakear.edge.node.events import EventWriter
from leakear.edge.node.remote_settings import RemoteSettings
from leakear.edge.node.restart import Restart
from leakear.edge.outbox.queue import Outbox
from leakear.edge.settings import Settings
from tests.support.living_node import LEAK, RULE
from tests.support.places import TINY

SOUND = (LEAK * np.random.default_rng(5).standard_normal(22050 * 10)).astype(np.float32)


class Machine:
    """A board that tells the time as it likes."""

    def __init__(self, boot: str, up: float, utc: float, *, synced: bool) -> None:
        self.up, self.utc = up, utc
        self.clock = Clock(lambda: synced, lambda: self.utc, lambda: self.up, lambda: boot)


def live(folder: Path, machine: Machine, windows: int, *, usual_after: int | None = None) -> str:
    """Hear a leak for some windows of ten seconds, then lose the power. Returns the state at the end.

    `usual_after`: after so many windows the sound is one that the node has heard for days.
    """
    given = {"node": {"state_dir": str(folder)}, "model": {"path": str(TINY)}, "decision": RULE}
    with open_node(Settings.from_mapping(given, "test", {}), machine.clock, connect=False) as node:
        for k in range(windows):
            node.take(Block(k * len(SOUND), SOUND, machine.utc, machine.up))
            machine.up += 10
            machine.utc += 10
            if k + 1 == usual_after:
                background = node.detector.pipeline.background
                assert background.now is not None
                background.entries.learn(np.tile(background.now, (ENOUGH, 1)))
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


def test_a_usual_sound_that_scores_as_a_leak_is_no_alert_after_a_restart(tmp_path: Path) -> None:
    machine = Machine("a", 1000.0, 1.8e9, synced=True)
    assert live(tmp_path, machine, 20, usual_after=4) == "OK"
    for windows in (1, 12):
        machine.up += 5
        machine.utc += 5
        assert live(tmp_path, machine, windows) == "OK"


def test_what_was_believed_goes_on_when_nobody_knows_for_how_long_it_was_off(tmp_path: Path) -> None:
    assert live(tmp_path, Machine("a", 1000.0, 1.8e9, synced=True), 12) == "LEAK"
    assert live(tmp_path, Machine("b", 20.0, 1.8e9, synced=False), 1) == "LEAK"


class Parts:
    """Outbox, clock, detector and restart counter in one, which note what they are asked."""

    def __init__(
        self, saved: dict[str, Any], *, boot: tuple[str, float] | None = ("a", 500.0), synced: bool = True
    ) -> None:
        self.saved, self._boot, self._synced = saved, boot, synced
        self.remote = RemoteSettings()
        self.asked: list[tuple[Any, ...]] = []
        self.events = EventWriter()
        part = cast("Any", self)
        self.restart = Restart(part, part, detector=part, events=self.events, counter=part)

    def look(self) -> bool:
        return self._synced

    def boot(self) -> tuple[str, float] | None:
        return self._boot

    def load_state(self) -> dict[str, Any]:
        return self.saved

    def take_late_state(self) -> dict[str, Any]:
        return self.saved

    def begin(self, saved: object, monotonic: float) -> None:
        self.asked.append(("begin", saved, monotonic))

    def restore(self, *given: object) -> None:
        self.asked.append(("restore", *given))

    def restore_remote(self, *given: object) -> None:
        self.asked.append(("remote", *given))


PIPELINE = {"decision": {"marks": [[10, 10, True, False, False]], "age_s": 70.0, "heard": "LEAK"}, "health": {"x": 1}}
SAVED = {
    "utc": 1000.0,
    "clock_synced": True,
    "boot": ["a", 400.0],
    "pipeline": PIPELINE,
    "life": {"n": 3},
    "since_utc": 900.0,
    "faults": ["stuck"],
}


@pytest.mark.parametrize(
    "damage",
    [
        {"pipeline": {"health": None}},
        {"pipeline": []},
        {"pipeline": "x"},
        {"life": []},
        {"boot": 5},
        {"memory": [1]},
        {"memory": {"threshold": "x", "muted_until": {}, "step_s": "y", "basis": 3}},
        {"memory": {"threshold": 7.5, "level_gate_dbfs": 1e300, "step_s": -1.0, "muted_until": 1e300}},
        {"faults": 3},
    ],
)
def test_a_state_of_another_form_does_not_stop_the_node(tmp_path: Path, damage: dict[str, Any]) -> None:
    machine = Machine("a", 100.0, 1.8e9, synced=True)
    live(tmp_path, machine, 3)
    with Outbox(tmp_path / "outbox.db") as box:
        saved = box.load_state()
        inner = damage.get("pipeline")
        other = {**saved["pipeline"], **inner} if isinstance(inner, dict) else inner
        box.save_state(saved | damage | ({"pipeline": other} if inner is not None else {}), at_once=True)
    given = {"node": {"state_dir": str(tmp_path)}, "model": {"path": str(TINY)}, "decision": RULE}
    with open_node(Settings.from_mapping(given, "test", {}), machine.clock, connect=False) as node:
        node.open()
        node.take(Block(0, SOUND, machine.utc, machine.up))
        node.reporter.save()
        assert node.detector.pipeline.scored == 1


@pytest.mark.parametrize("windows", [0, 3])
def test_a_simulated_day_neither_uses_nor_changes_what_the_node_knows(tmp_path: Path, windows: int) -> None:
    file, folder = tmp_path / "leakear.toml", tmp_path / "state"
    file.write_text(f'[node]\nstate_dir = "{folder}"\n[mqtt]\nhost = "127.0.0.1"\nport = 9\n')
    if windows:
        live(folder, Machine("a", 100.0, 1e9, synced=True), windows)
    with Outbox(folder / "outbox.db") as box:
        before, seq = box.load_state(), box.last_seq
    assert bool(before) == bool(windows)
    command = [sys.executable, "-m", "leakear.edge.cli", "replay", "--config", str(file), "--simulated-day"]
    subprocess.run([*command, "--minutes", "80", "--deadline", "0"], capture_output=True, check=False)
    with Outbox(folder / "outbox.db") as box:
        assert (box.load_state(), box.last_seq) == (before, seq + 1)  # the WARNING waits for a broker


def test_a_first_start_has_nothing_to_restore() -> None:
    parts = Parts({})
    parts.restart.restore(7.0, 2000.0)
    assert parts.asked == [("begin", None, 7.0)]
    assert parts.events.snapshot() == {"since_utc": 2000.0, "faults": []}


@pytest.mark.parametrize(
    ("boot", "utc", "gap_s"),
    [
        (("a", 500.0), 5000.0, 100.0),  # the same boot: the kernel counts
        (("a", 300.0), 5000.0, 0.0),
        (("b", 20.0), 1060.0, 60.0),  # another boot: wall clocks that were right
        (("b", 20.0), 940.0, 0.0),
        (None, 1060.0, 60.0),  # a recording
        (None, 940.0, 0.0),
    ],
)
def test_a_restart_continues_after_the_gap_which_is_never_negative(
    boot: tuple[str, float] | None, utc: float, gap_s: float
) -> None:
    parts = Parts(SAVED, boot=boot)
    parts.restart.restore(7.0, utc)
    assert parts.asked == [("begin", {"n": 3}, 7.0), ("restore", PIPELINE, 7.0, gap_s)]
    assert parts.events.snapshot() == {"since_utc": 900.0, "faults": ["stuck"]}


@pytest.mark.parametrize("saved", [SAVED | {"clock_synced": False}, {k: v for k, v in SAVED.items() if k != "boot"}])
def test_at_an_unknown_age_the_state_stays_and_the_window_log_is_dropped(saved: dict[str, Any]) -> None:
    parts = Parts(saved, boot=("b", 20.0), synced="clock_synced" in saved and not saved["clock_synced"])
    parts.restart.restore(7.0, 1060.0)
    decision = {"marks": [], "age_s": 0.0, "heard": "LEAK"}
    assert parts.asked[1:] == [("restore", PIPELINE | {"decision": decision}, 7.0, 0.0)]


def test_a_saved_state_that_cannot_be_used_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts({"utc": "yesterday", "boot": None})
    parts.restart.restore(7.0, 2000.0)
    assert parts.asked == [("begin", None, 7.0)]
    assert parts.events.since_utc == 2000.0
    assert "cannot be used" in caplog.text


@pytest.mark.parametrize("told", [False, True])
def test_a_state_that_is_read_late_gives_all_but_a_decision_that_was_told_meanwhile(*, told: bool) -> None:
    parts = Parts({})
    parts.restart.restore(6.0, 2000.0)
    parts.saved = SAVED
    if told:
        parts.events.since_utc = 2010.0
    assert parts.restart.restore_late(7.0)
    decision = {} if told else {"decision": {"marks": [], "age_s": 0.0, "heard": "LEAK"}}
    assert parts.asked[1:] == [("remote", SAVED, 7.0), ("restore", {"health": {"x": 1}} | decision, 7.0, 0.0)]
    assert parts.events.snapshot() == {"since_utc": 2010.0 if told else 900.0, "faults": []}


def test_newer_remote_settings_stay_when_a_state_is_read_late() -> None:
    parts = Parts(SAVED)
    parts.remote = RemoteSettings(threshold=0.9)
    assert parts.restart.restore_late(7.0)
    assert [name for name, *_ in parts.asked] == ["restore"]


def test_without_a_late_state_nothing_is_taken_over() -> None:
    parts = Parts({})
    assert not parts.restart.restore_late(7.0)
    assert parts.asked == []

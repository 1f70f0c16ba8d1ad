"""`calibrate` while the daemon runs: the daemon learns, the terminal may be closed."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leakear.edge.audio.blocks import SensorFault
from leakear.edge.cli import calibrate
from leakear.edge.decision.calibration import Baseline, Proposal
from tests.support.broker import Broker
from tests.support.living_node import BORN, LEAK, Life, living_node
from tests.support.places import TINY


@pytest.fixture
def life(broker: Broker, tmp_path: Path) -> Iterator[Life]:
    with living_node(broker, tmp_path / "state") as it:
        it.hear(10)
        yield it


def interruptible() -> None:
    """Take Ctrl-C as in a terminal: a job in the background, which may run these tests, has its children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Shell:
    """A terminal on the node."""

    def __init__(self, life: Life, folder: Path) -> None:
        self._life = life
        self.config = folder / "node.toml"
        self.config.write_text(f"[node]\nstate_dir = '{folder / 'state'}'\n[model]\npath = '{TINY}'\n")

    def begin(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "leakear.edge.cli", "calibrate", "--config", str(self.config), *words]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=interruptible,  # noqa: PLW1509 (one call, which takes no lock)
        )

    def live(self, *sound: float) -> None:
        self._life.hear(1, *sound)
        time.sleep(0.02)

    def run(self, *words: str, sound: tuple[float, ...] = ()) -> tuple[int, str]:
        process = self.begin(*words)
        while process.poll() is None:
            self.live(*sound)
        return process.returncode, process.communicate()[0]


@pytest.fixture
def shell(life: Life, tmp_path: Path) -> Shell:
    return Shell(life, tmp_path)


def test_the_daemon_goes_on_when_the_terminal_is_closed(life: Life, shell: Shell) -> None:
    process = shell.begin("--hours", "8")
    while life.controls.calibration._phase != "learning":
        shell.live()
    time.sleep(0.5)
    shell.live()
    process.send_signal(signal.SIGINT)
    while process.poll() is None:  # it may have asked the daemon just before
        shell.live()
    said = process.communicate(timeout=30)[0]
    assert "this terminal may be closed" in said
    assert "The daemon goes on learning. How far it is: leakear-edge calibrate --config" in said
    assert process.returncode == 130
    life.hear(60)
    code, said = shell.run("--status")
    assert (code, said.startswith("learning: "), " h to go" in said) == (0, True, True)
    code, said = shell.run("--cancel")
    assert (code, said) == (0, "idle: The calibration was given up.\n")


def test_a_person_tells_the_daemon_that_there_is_no_leak(life: Life, shell: Shell) -> None:
    before = shell.config.read_text()
    code, said = shell.run("--not-a-leak")
    assert (code, "No leak is suspected" in said) == (1, True)
    life.hear(120, LEAK)
    code, said = shell.run("--not-a-leak", sound=(LEAK,))
    assert (code, said) == (0, "The daemon learns what it suspects; a WARNING or LEAK ends with the next window.\n")
    code, said = shell.run("--accept-floor")
    assert (code, said) == (0, "The daemon learns its background again.\n")
    assert shell.config.read_text() == before


def test_a_daemon_that_hears_nothing_says_so_before_it_learns(life: Life, shell: Shell) -> None:
    life.node.take(SensorFault("no_device", "unplugged", 1011.0, BORN + 11))
    process = shell.begin("--hours", "8")
    at = 1011.0
    while life.controls.calibration._phase != "learning":
        at += 0.5
        life.node.idle(at, at + 1.8e9)
        time.sleep(0.02)
    process.kill()
    said = process.communicate(timeout=30)[0]
    assert said.startswith("Time in which nothing is heard does not count. Now: no_device, says the daemon")


def test_a_proposal_of_the_daemon_is_applied_by_it(life: Life, shell: Shell) -> None:
    control = life.controls.calibration
    control._phase, control._proposal = "ready", Proposal(0.9, None, 1.0, 5.0, 0.1, -60.0, "learnt")
    control._learnt_with = life.node.detector.model_ref
    code, said = shell.run("--apply")
    assert (code, "Applied: threshold 0.9" in said) == (0, True)
    assert life.node.detector.pipeline.decision.rule.threshold == 0.9
    code, said = shell.run("--apply")
    assert (code, "no proposal here" in said) == (78, True), "then the file beside the configuration counts"


def test_too_few_hours_are_refused_with_the_reason(life: Life, shell: Shell) -> None:
    process = shell.begin("--hours", "0.01")
    while life.controls.calibration._phase != "learning":
        shell.live()
    while process.poll() is None:
        shell.live()
    assert process.returncode == 65
    assert "quiet hours were heard" in process.communicate()[0]


def test_without_a_daemon_there_is_nothing_to_ask(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text(f"[node]\nstate_dir = '{tmp_path / 'none'}'\n")
    assert calibrate_main("--config", str(config), "--status") == 2


def calibrate_main(*words: str) -> int:
    from leakear.edge.cli import main

    return main(["calibrate", *words])


def test_what_was_heard_until_ctrl_c_is_used_when_it_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    class Interrupted:
        step_s = 10.0

        def push(self, *_: object) -> list[object]:
            raise KeyboardInterrupt

    baseline = Baseline(10.0)
    for _ in range(6):
        baseline.add(0.1, -60.0)
    calibrate._listen(Interrupted(), baseline, iter([None]))  # type: ignore[arg-type]
    assert "interrupted: 0.02 h of quiet were heard" in capsys.readouterr().err

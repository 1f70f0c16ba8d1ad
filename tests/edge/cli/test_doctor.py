"""What commands say to a person at the terminal: no lines of libraries, and a remedy where nothing is heard."""

import re
import subprocess
import sys

import pytest

from leakear.edge.audio.blocks import SensorFault
from leakear.edge.cli.listen import REMEDY, Meter, show
from leakear.edge.health.monitor import HealthOptions
from leakear.edge.model.tflite import Model
from tests.support.places import ROOT, TINY


@pytest.mark.parametrize("words", [["inspect"], ["bench", "--repeat", "3", "--model"]])
def test_the_runtime_writes_no_line_of_its_own(words: list[str]) -> None:
    command = [sys.executable, "-m", "leakear.edge.cli", *words, str(TINY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_listen_without_a_microphone_says_the_remedy_with_every_line() -> None:
    meter = Meter(Model.load(TINY), HealthOptions())
    faults = [SensorFault("no_device", "device 'USB' is not present", second, second) for second in (1.0, 2.0)]
    lines = list(meter.lines(faults))
    assert lines == [f"DEAF: device 'USB' is not present {REMEDY}"] * 2
    assert "leakear-edge devices" in REMEDY


def test_listen_into_a_pipe_says_a_fault_once_until_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    absent, busy = f"DEAF: absent {REMEDY}", f"DEAF: busy {REMEDY}"
    show([absent, absent, busy, busy, " -34.0 dBFS", " -34.0 dBFS", busy], terminal=False)
    assert capsys.readouterr().out.splitlines() == [absent, busy, " -34.0 dBFS", " -34.0 dBFS", busy]
    show([absent, absent], terminal=True)
    assert capsys.readouterr().out.count(absent) == 2, "a terminal shows each line over the one before"


def test_long_installations_show_progress() -> None:
    """Of the packages of a node, and of the demonstration: not of two tools that are thrown away again."""
    script = (ROOT / "systemd" / "install").read_text()
    assert "--progress-bar on" in script
    installs = [line for line in script.splitlines() if "pip install" in line and "usage" not in line]
    assert installs
    assert not [line for line in installs if re.search(r"--quiet|\s-q\s", line)]
    assert not re.search(r"PIP.*(--quiet|\s-q\b)", (ROOT / "Makefile").read_text())

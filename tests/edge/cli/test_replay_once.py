"""A replay says each change once to a person, and keeps result and log apart where they go to different places."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.places import TINY
from tests.support.terminal import Terminal

CHANGE = "OK → SENSOR_FAULT"


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A replay of digital silence under a configuration: the state changes once."""
    soundfile.write(tmp_path / "silence.wav", np.zeros(22050 * 200, np.float32), 22050, subtype="PCM_16")
    config = tmp_path / "node.toml"
    config.write_text(f"[node]\nstate_dir = '{tmp_path}'\n[model]\npath = '{TINY}'\n[mqtt]\nport = 9\n")
    return ["replay", "--config", str(config), "--deadline", "0", str(tmp_path / "silence.wav")]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_person_at_a_terminal_sees_a_change_once(words: list[str], more: list[str]) -> None:
    code = f"import sys\nfrom leakear.edge.cli import main\nsys.exit(main({[*words, *more]}))"
    with Terminal(code) as terminal:
        terminal.ends()
    changes = [line for line in terminal.shown.splitlines() if CHANGE in line or '"type": "event"' in line]
    assert len(changes) == 1, terminal.shown


def test_a_pipe_gets_the_result_and_the_log_keeps_its_line(words: list[str]) -> None:
    command = [sys.executable, "-m", "leakear.edge.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.count(CHANGE) == 1
    assert done.stderr.count(CHANGE) == 1

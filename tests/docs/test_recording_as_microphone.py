"""The lines of docs/INSTALL.md that make a recording the microphone, on a real sound server."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.places import ROOT
from tests.support.sound_servers import Pulse
from tests.support.sounds import record


def test_a_recording_is_heard_as_a_microphone(tmp_path: Path) -> None:
    text = (ROOT / "docs/INSTALL.md").read_text(encoding="utf-8")
    found = re.search(r"\*\*As a sound card\.\*\*.*?```sh\n(.*?)```", text, re.DOTALL)
    assert found
    lines = [line for line in found[1].splitlines() if not line.startswith("sudo ")]
    record(tmp_path / "night.wav", leak=True, seconds=12, seed=1, rate=48000)
    with Pulse() as server:
        server.unplug()  # the document's own line plugs it in
        words = "\n".join([*lines, "code=$?", "kill %while", "pactl unload-module module-null-sink", "exit $code"])
        command = ["bash", "-mc", words]
        programs = Path(sys.executable).parent  # where `leakear-edge` is, as in an activated environment
        environment = {**server.env, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dBFS [" in done.stdout
    assert "P(leak) 0." in done.stdout or "P(leak) 1." in done.stdout
    assert "DEAF" not in done.stdout

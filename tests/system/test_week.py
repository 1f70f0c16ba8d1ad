"""A simulated week through the daemon at full speed: nothing grows, nothing is unaccounted for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.broker import Broker, Subscriber

HOURS = int(os.environ.get("LEAKEAR_WEEK_HOURS", str(7 * 24)))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_week_neither_grows_nor_loses_a_window(tmp_path: Path) -> None:
    with Broker() as broker, Subscriber(broker, "leakear/+/+/event") as seen:
        child = [sys.executable, "-m", "tests.support.week", str(HOURS), str(broker.port), str(tmp_path)]
        with subprocess.Popen(child, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                said = json.loads(line)
        assert process.returncode == 0
        assert said["produced"] == said["scored"] + said["discarded"] + said["dropped"]
        assert said["produced"] >= HOURS * 360 - HOURS * 2  # two gaps an hour move the windows along
        assert said["grown_mb"] < 2.4  # of the six days after the first
        seen.wait_for(lambda: len(seen.messages) >= said["events"], "every event")
        assert sorted({message.json["seq"] for message in seen.messages}) == list(range(1, said["events"] + 1))
        assert sum(path.stat().st_size for path in (tmp_path / "evidence").iterdir()) <= 5e6

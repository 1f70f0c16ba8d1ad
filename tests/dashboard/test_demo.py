"""`make demo KEEP=1`: the five nodes do what the demo prints, and no process is left running."""

import json
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard import demo_fleet
from tests.support.broker import free_port
from tests.support.harness import Dashboard, until


def test_the_demo_prints_its_address_and_leaves_no_process() -> None:
    pytest.importorskip("iotcore")
    port = free_port()
    command = [sys.executable, "-m", "leakear.dashboard.demo", "--port", str(port)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    try:
        assert f"ssh -N -L {port}:127.0.0.1:{port} " in demo.stdout.readline()
        url = next(line.strip() for line in demo.stdout if line.startswith(f"http://127.0.0.1:{port}/"))

        def connected() -> bool:
            place, _, token = url.partition("?token=")
            asked = urllib.request.Request(place + "api/me", headers={"authorization": f"Bearer {token}"})
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return bool(json.load(answer)["line"]["connected"])

        until(connected, "the broker, which speaks MQTT 3.1.1 only", timeout=60)
    finally:
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(60) == 0
    with pytest.raises(OSError):
        urllib.request.urlopen(url, timeout=5)


def test_one_demo_node_leaks_one_loses_sound_one_loses_its_network(broker: Any, tmp_path: Path) -> None:
    address, stop = f"mqtt://127.0.0.1:{broker.port}", threading.Event()
    with Dashboard(address, tmp_path, "--stale-after", "5", "--lost-after", "1") as dashboard:
        dashboard.ready()
        fleet = threading.Thread(target=demo_fleet.run, args=(address, 0.1, stop))
        fleet.start()
        wanted = {("meter-pit-02", "LEAK"), ("meter-pit-03", "SENSOR_FAULT"), ("pump-house-02", "lost")}

        def happened(answer: Any) -> bool:
            told = {(r["node"], r["to_state"] if r["kind"] == "state" else r["kind"]) for r in answer["rows"]}
            return wanted <= told

        dashboard.until("/api/alerts?filter=alerts", happened, timeout=40)
        stop.set()
        fleet.join()

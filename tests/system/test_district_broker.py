"""A district's broker hands a city's events on to a central one that is killed again and again (docs/BROKERS.md)."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.broker import Broker, Subscriber
from tests.support.places import ROOT

BRIDGE = ROOT / "systemd" / "mosquitto" / "bridge.conf"
SITES = ("sim-000", "sim-001", "sim-002")


def district(central: Broker) -> str:
    """Return the file for a district of some sites: its pair of topic lines is repeated for each."""
    lines: list[str] = []
    for line in BRIDGE.read_text().splitlines():
        if line.startswith("topic "):
            lines += [line.replace("SITE", site) for site in SITES]
        elif not line.startswith("bridge_cafile"):
            lines.append(line.replace("CENTRAL:8884", f"{central.host}:{central.port}").replace("SITE", "district"))
    return "\n".join(lines).replace("restart_timeout 5 120", "restart_timeout 1 2")


@pytest.mark.timeout(240)
def test_a_districts_events_reach_a_central_broker_that_is_killed_under_load(tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    with Broker(passwords={"district": "SECRET", "w": "p"}, persistence=True) as central:  # noqa: SIM117 - its port
        with (
            Broker(persistence=True, extra=district(central)) as near,
            Subscriber(central, "leakear/+/+/event", client_id="watcher", user="w", password="p") as seen,
        ):
            command = [sys.executable, "-m", "leakear.edge.cli", "simulate-fleet", "--json", "--nodes", "300"]
            command += ["--sites", "3", "--connections", "2", "--event-every", "3", "--seconds", "20"]
            command += ["--broker", f"{near.host}:{near.port}", "--nights-within", "0", "--ids", str(ids)]
            fleet = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            seen.wait(20)
            for _ in range(3):
                central.kill()
                time.sleep(2)
                central.start()
                count = len(seen.messages)
                seen.wait(count + 5, timeout=60)
            out, _ = fleet.communicate(timeout=120)
            counts = json.loads(out.splitlines()[-1])
            taken = set(ids.read_text().split())
            seen.wait_for(lambda: {m.json["id"] for m in seen.messages} >= taken, "every event of the district", 60)
    assert fleet.returncode == 0
    assert counts["put"] == counts["acknowledged"] == len(taken) > 150

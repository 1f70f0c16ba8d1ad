"""How many nodes one mosquitto carries: real message code, real outboxes, one connection a node.

    python -m bench.fleet                                     # 10, 100 and 1,000 nodes; the last for 10 minutes
    python -m bench.fleet --nodes 10 1000 --seconds 60 120

Prints a row per fleet: events put, acknowledged and received, the latency from the making of an event to a subscriber
(its UUIDv7 says when it was made), and what the broker used. The broker keeps what it acknowledges (autosave as in
docs/DELIVERY.md). Exit code 1 when an event is missing or out of order.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes true
max_queued_messages 0
log_type error
"""
HEAD = f"{'nodes':>6} {'s':>5} {'events':>7} {'acked':>7} {'received':>8} {'messages/s':>10} "
HEAD += f"{'p50 ms':>7} {'p99 ms':>7} {'max ms':>7} {'broker CPU':>10} {'broker MB':>9}"


class Listener:
    """A subscriber that notes when each event came."""

    def __init__(self, port: int) -> None:
        self.latencies: list[float] = []
        """s"""
        self.seqs: dict[str, list[int]] = {}
        self.ids: Counter[str] = Counter()
        self.messages = 0
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "listener", protocol=paho.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("leakear/#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not self._ready.wait(10):
            raise SystemExit("the broker takes no subscription")

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _: Any, __: Any, message: paho.MQTTMessage) -> None:
        now = time.time()
        self.messages += 1
        if message.topic.endswith("/event"):
            event = json.loads(message.payload)
            self.ids[event["id"]] += 1
            self.seqs.setdefault(message.topic, []).append(event["seq"])
            self.latencies.append(now - int(event["id"].replace("-", "")[:12], 16) / 1000)


class Mosquitto:
    """A broker, and what it has used."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "mosquitto.conf").write_text(CONFIGURATION.format(port=self.port, folder=folder))
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
            folder.chmod(0o755)
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen([*drop, "mosquitto", "-c", str(folder / "mosquitto.conf")])
        self._wait()

    def cpu_s(self) -> float:
        """Processor time so far, s."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        """Resident memory, MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)

    def _wait(self) -> None:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("mosquitto does not listen")


def measure(nodes: int, seconds: float, event_every: float) -> bool:
    """Run one fleet and print its row; tells whether every event came, once and in order."""
    with tempfile.TemporaryDirectory(prefix="leakear-fleet-bench-") as folder:
        broker = Mosquitto(Path(folder))
        listener = Listener(broker.port)
        command = [sys.executable, "-m", "leakear.edge.cli", "simulate-fleet", "--json", "--nodes", str(nodes)]
        command += ["--seconds", str(seconds), "--event-every", str(event_every)]
        began, used = time.monotonic(), broker.cpu_s()
        fleet = subprocess.run(
            [*command, "--broker", f"127.0.0.1:{broker.port}"], stdout=subprocess.PIPE, text=True, check=False
        )
        took, used = time.monotonic() - began, broker.cpu_s() - used
        time.sleep(1)
        megabytes = broker.megabytes()
        listener.close()
        broker.stop()
    counts = json.loads(fleet.stdout.splitlines()[-1])
    ranked = sorted(listener.latencies) or [float("nan")]
    p50, p99, worst = (1000 * ranked[min(int(q * len(ranked)), len(ranked) - 1)] for q in (0.5, 0.99, 1))
    print(
        f"{nodes:6} {seconds:5.0f} {counts['put']:7} {counts['acknowledged']:7} {len(listener.ids):8} "
        f"{listener.messages / took:10.1f} {p50:7.1f} {p99:7.1f} {worst:7.1f} {used / took:10.2%} {megabytes:9.1f}",
        flush=True,
    )
    in_order = all(_first_seen(seqs) == list(range(1, max(seqs) + 1)) for seqs in listener.seqs.values())
    return fleet.returncode == 0 and in_order and counts["put"] == len(listener.ids)


def _first_seen(seqs: list[int]) -> list[int]:
    """Without what QoS 1 delivered twice."""
    return list(dict.fromkeys(seqs))


def main() -> int:
    """Measure each fleet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=[60, 60, 600], help="for each fleet, or one for all"
    )
    parser.add_argument("--event-every", type=float, default=60.0, help="mean s between the events of a node")
    args = parser.parse_args()
    seconds = args.seconds * len(args.nodes) if len(args.seconds) == 1 else args.seconds
    print(HEAD)
    complete = [measure(n, s, args.event_every) for n, s in zip(args.nodes, seconds, strict=True)]
    return 0 if all(complete) else 1


if __name__ == "__main__":
    sys.exit(main())

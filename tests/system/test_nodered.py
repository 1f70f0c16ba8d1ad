"""A real Node-RED with the example flow: it receives alerts, keeps a table of the nodes, and mutes one.

`make test-nodered` installs Node-RED from npm into a cache folder and runs this.
"""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Broker, Subscriber, free_port
from tests.support.living_node import BORN, LEAK, Asker, living_node
from tests.support.places import ROOT

FLOW = ROOT / "examples" / "node-red" / "leakear-flow.json"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class NodeRed:
    """One instance; flows go in by its REST API."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.port = free_port()
        (folder / "settings.js").write_text(
            f"module.exports = {{uiPort: {self.port}, uiHost: '127.0.0.1', flowFile: 'flows.json',"
            " telemetry: {enabled: false, updateNotification: false}, logging: {console: {level: 'warn'}}};"
        )
        command = [str(program), "--userDir", str(folder), "--settings", str(folder / "settings.js")]
        self._log = (folder / "log").open("w+")
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self.wait_for(self._answers, "an answer of Node-RED")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call it over HTTP."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Node-RED-Deployment-Type": "full"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def wait_for(self, look: Any, what: str, timeout: float = 60) -> Any:
        """First true result of `look`."""
        deadline = time.monotonic() + timeout
        while not (found := look()):
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, f"no {what}:\n{self.log}"
            time.sleep(0.1)
        return found

    @property
    def log(self) -> str:
        """What it wrote."""
        self._log.flush()
        return Path(self._log.name).read_text()[-4000:]

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)
        self._log.close()

    def _answers(self) -> bool:
        try:
            self.call("GET", "/settings")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True


@pytest.fixture
def red(broker: Broker, tmp_path: Path) -> Iterator[NodeRed]:
    home = os.environ.get("LEAKEAR_NODERED")
    program = Path(home or "", "node_modules/.bin/node-red")
    if not home or not program.exists():
        pytest.skip("no Node-RED here: make test-nodered installs it (npm, 250 MB)")
    folder = tmp_path / "node-red"
    folder.mkdir()
    running = NodeRed(program, folder)
    flow = json.loads(FLOW.read_text())
    for node in flow:
        if node["type"] == "mqtt-broker":
            node |= {"broker": broker.host, "port": str(broker.port)}
    running.call("POST", "/flows", flow)
    yield running
    running.stop()


def test_the_example_flow_tells_alerts_lists_nodes_and_mutes(broker: Broker, tmp_path: Path, red: NodeRed) -> None:
    with (
        living_node(broker, tmp_path / "node") as life,
        Asker(broker, life) as asker,
        Subscriber(broker, "alerts/#") as alerts,
    ):
        life.hear(2)

        def node() -> dict[str, Any] | None:
            assert life.node.link is not None
            life.node.link.pump()
            found = red.call("GET", "/leakear")
            return dict(found[0]) if found and {"online", "state"} <= set(found[0]) else None

        listed = red.wait_for(node, "node in the table")
        assert (listed["site"], listed["node"], listed["online"], listed["state"]) == ("hill", "pit-7", True, "OK")

        life.hear(120, LEAK)
        life.pump_until(lambda: len(alerts.on("alerts/leakear/hill/pit-7")) >= 2, "two alerts")
        event = asker.seen.wait(1, "leakear/hill/pit-7/event")[0]
        asker.seen.publish(event.topic, event.payload)  # as QoS 1 may: told once all the same
        told = [message.payload.decode() for message in alerts.on("alerts/#")]
        assert [text.split(" ")[0] for text in told] == ["WARNING", "LEAK"]
        assert told[0].startswith("WARNING at hill/pit-7, 2027-01-15T08:0")

        hours = (BORN - time.time()) / 3600 + 5  # the node lives in a time of its own
        red.call("POST", f"/leakear/hill/pit-7/mute?hours={hours}")
        life.pump_until(lambda: life.node.detector.remote.muted_until, "mute")
        assert red.wait_for(lambda: (node() or {}).get("muted_until"), "mute in the table")
        assert len(alerts.on("alerts/#")) == 2
    red.wait_for(lambda: not red.call("GET", "/leakear")[0]["online"], "offline in the table")

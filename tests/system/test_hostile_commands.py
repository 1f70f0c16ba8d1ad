"""Twelve thousand hostile payloads on every command topic of a running node, over a real broker: it does not notice."""

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from leakear.edge.messages.reports import CommandResult, State
from leakear.edge.messages.requests import REQUESTS
from leakear.edge.mqtt.options import MqttOptions
from tests.edge.mqtt.test_dispatcher import hostile
from tests.support.broker import Broker, Subscriber
from tests.support.paced_node import PacedNode

PAYLOADS = 12_000
GROWTH_BYTES = 8 * 1024**2
TOPIC = "leakear/hill/pit-7/"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def node(broker: Broker, tmp_path: Path) -> Iterator[PacedNode]:
    running = PacedNode(broker.port, tmp_path, commands={"burst": 1000, "per_second": 100})
    yield running
    running.end(signal.SIGTERM)
    assert running.process.returncode == 0


def resident(node: PacedNode) -> int:
    """Resident memory of the node, bytes."""
    return int(Path(f"/proc/{node.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def counts(node: PacedNode) -> tuple[int, int]:
    """Threads and open files of the node."""
    return tuple(len(list(Path(f"/proc/{node.process.pid}/{what}").iterdir())) for what in ("task", "fd"))  # type: ignore[return-value]


def status(seen: Subscriber, number: int) -> CommandResult:
    """Ask, and wait for the answer: by then everything before has been looked at."""
    seen.publish(TOPIC + "cmd/status", {"id": f"sound-{number}"})

    def answer() -> CommandResult | None:
        results = [CommandResult.from_json(message.payload) for message in seen.on(TOPIC + "cmd/status/result")]
        return next((result for result in results if result.id == f"sound-{number}"), None)

    found: CommandResult = seen.wait_for(answer, f"answer to status {number}", 60)
    seen.messages.clear()
    return found


def storm(seen: Subscriber, rng: random.Random, numbers: range) -> int:
    """Publish, but no faster than the node looks at it; gives how many are larger than it told the broker to take."""
    names, giants = (*REQUESTS, "reboot", "result", "x" * 40), 0
    for number in numbers:
        name = names[number % len(names)]
        payload = hostile(rng, name)
        giants += len(payload) > MqttOptions().max_payload
        seen.publish(f"{TOPIC}cmd/{name}", payload, qos=0)
        if number % 32 == 31:
            status(seen, number)
    return giants


def test_a_storm_of_hostile_payloads_leaves_the_node_as_it_was(broker: Broker, node: PacedNode) -> None:
    rng = random.Random(11)
    with Subscriber(broker, TOPIC + "cmd/+/result", TOPIC + "state") as seen:
        seen.wait(1, TOPIC + "state")
        giants = storm(seen, rng, range(2000))
        before, had = resident(node), counts(node)
        seq = status(seen, -1).result["state"]["seq"]
        giants += storm(seen, rng, range(2000, PAYLOADS))
        last = status(seen, -2).result
        growth = resident(node) - before
        looked_at = last["commands_done"] + last["commands_refused"] - PAYLOADS // 32 - 1
        print(
            f"\n{PAYLOADS} payloads: {looked_at} reached the node, {giants} were larger than it takes and stayed with"
        )
        print(f"the broker; {last['commands_refused']} refused; memory grew by {growth / 1e6:.2f} MB")
        assert looked_at + giants >= PAYLOADS
        assert growth < GROWTH_BYTES
        assert counts(node) == had
        assert last["state"]["seq"] == seq, "no event came of it"
        node.hear("leak")
        seen.wait_for(
            lambda: any(State.from_json(m.payload).state == "LEAK" for m in seen.on(TOPIC + "state")), "LEAK", 60
        )

"""The simulated fleet speaks as real nodes do, and loses nothing."""

import json
import signal
import subprocess
import sys
from collections import defaultdict

import pytest

from leakear.edge import cli
from leakear.edge.messages.reports import Event, Identity, State
from tests.support.broker import Broker, Subscriber
from tests.support.contract import problems

FLEET = [sys.executable, "-m", "leakear.edge.cli", "simulate-fleet"]


def test_a_password_in_the_address_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["simulate-fleet", "--broker", "ana:geheim-1@broker:1883"])
    assert "geheim-1" not in capsys.readouterr().err


def test_a_fleet_delivers_every_event_in_order_and_keeps_the_contract(broker: Broker) -> None:
    with Subscriber(broker, "leakear/#", "homeassistant/#") as seen:
        command = [*FLEET, "--nodes", "12", "--sites", "3", "--seconds", "6", "--event-every", "1"]
        command += ["--telemetry-every", "2", "--homeassistant", "--json", "--broker", f"{broker.host}:{broker.port}"]
        fleet = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        seen.wait(12, "leakear/+/+/availability")
        who = Identity.parse_topic(seen.on("leakear/+/+/availability")[0].topic)[0]
        seen.publish(who.topic("cmd/set"), {"id": "x", "threshold": 0.77})
        seen.publish(who.topic("cmd/watch"), {"id": "y", "seconds": 60})
        seen.publish(who.topic("cmd/clip"), {"id": "z", "event_id": "019ab2c4-5d6e-7f80-9a1b-2c3d4e5f6071"})
        out, _ = fleet.communicate(timeout=90)
        counts = json.loads(out.splitlines()[-1])
        seen.wait(24, "leakear/+/+/availability")  # every node has said goodbye
        events = [Event.from_json(message.payload) for message in seen.on("leakear/+/+/event")]
    assert fleet.returncode == 0
    assert counts["put"] == counts["acknowledged"] == len({event.id for event in events}) > 12
    order = defaultdict(list)
    for event in events:
        order[event.node].append(event.seq)
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in order.values())
    said = [m for m in seen.on("leakear/#") if "/cmd/" not in m.topic or m.topic.endswith("/result")]
    assert [found for message in said for found in problems(message.topic, message.payload)] == []
    assert len({message.topic for message in seen.on("homeassistant/device/+/+/config")}) == 12
    states = [State.from_json(message.payload) for message in seen.on(who.topic("state"))]
    assert states[-1].threshold == 0.77
    assert [json.loads(m.payload)["ok"] for m in seen.on(who.topic("cmd/+/result"))].count(True) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_fleet_that_is_told_to_end_says_goodbye(broker: Broker, number: signal.Signals) -> None:
    with Subscriber(broker, "leakear/+/+/availability") as seen:
        command = [*FLEET, "--nodes", "3", "--broker", f"{broker.host}:{broker.port}"]
        fleet = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        seen.wait(3)
        fleet.send_signal(number)
        assert fleet.wait(60) == 0
        seen.wait(6)
    assert [message.payload for message in seen.messages[3:]] == [b"offline"] * 3


def test_a_broker_that_is_not_there_is_exit_code_69() -> None:
    command = [*FLEET, "--nodes", "2", "--seconds", "2", "--event-every", "0.2", "--broker", "mqtt://127.0.0.1:1"]
    command += ["--drain", "0.5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 69
    assert "events were not acknowledged" in done.stderr


@pytest.mark.parametrize("wrong", [["--nodes", "0"], ["--broker", "here:there"], ["--event-every", "0"]])
def test_impossible_fleets_are_wrong_usage(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["simulate-fleet", *wrong])
    assert ended.value.code == 2
    assert f"argument {wrong[0]}: " in capsys.readouterr().err


def test_a_password_file_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate-fleet", "--username", "n1", "--password-file", "nope", "--seconds", "1"]) == 78
    assert capsys.readouterr().err.startswith("leakear-edge: --password-file: nope: No such file")

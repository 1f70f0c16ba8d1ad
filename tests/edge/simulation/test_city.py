"""A simulated city: few connections, and every event that it says it has sent reaches a subscriber."""

import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from leakear.edge import cli
from leakear.edge.messages.reports import Availability, Event, State, parse_utc
from tests.support.broker import Broker, Subscriber
from tests.support.contract import problems

FLEET = [sys.executable, "-m", "leakear.edge.cli", "simulate-fleet", "--json"]


def run(broker: Broker, *options: str) -> dict[str, int]:
    command = [*FLEET, "--broker", f"{broker.host}:{broker.port}", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return counts


def test_what_a_city_says_it_has_sent_is_what_comes(broker: Broker, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    with Subscriber(broker, "leakear/#") as seen:
        counts = run(
            broker, "--nodes", "200", "--connections", "3", "--seconds", "12", "--event-every", "5", "--outage-every",
            "3", "--outage-seconds", "2", "--outage-share", "0.5", "--repeated", "0.2", "--twins", "0.05",
            "--wrong-clocks", "0.2", "--nights-within", "8", "--ids", str(ids),
        )  # fmt: skip
        messages = list(seen.messages)
    events = [Event.from_json(m.payload) for m in messages if m.topic.endswith("/event")]
    times = Counter(event.id for event in events)
    assert counts["nodes"] == 210
    assert set(times) == set(ids.read_text().split())
    assert counts["put"] == counts["acknowledged"] == len(times) > 200
    assert sum(times.values()) - len(times) == counts["repeated"] > 0
    assert len({e.id for e in events if e.kind == "night"}) == counts["nights"] > 50
    assert counts["outages"] >= 4
    assert counts["returned"] > 0
    assert [found for m in messages[::20] for found in problems(m.topic, m.payload)] == []
    words = Counter(m.payload for m in messages if m.topic.endswith("/availability"))
    assert words[Availability.OFFLINE.to_json()] > 210, "districts and the end"
    states = [State.from_json(m.payload) for m in messages if m.topic.endswith("/state")]
    wrong = [s for s in states if s.window_end and abs(parse_utc(s.window_end) - time.time()) > 600]
    assert {state.clock_synced for state in wrong} == {True, False}, "every second one knows that its clock is wrong"
    order = defaultdict(list)
    for event in events:
        order[event.site, event.node].append(event.seq)
    alone = [list(dict.fromkeys(seqs)) for seqs in order.values()]
    assert sum(seqs == sorted(seqs) for seqs in alone) >= 150, "in order, but for names that two nodes have"


def test_a_broker_that_is_killed_gets_the_events_that_it_had_not_acknowledged(tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    with Broker(persistence=True) as broker:
        command = [*FLEET, "--broker", f"{broker.host}:{broker.port}", "--nodes", "50", "--connections", "2"]
        command += ["--seconds", "12", "--event-every", "1", "--nights-within", "0", "--ids", str(ids)]
        with Subscriber(broker, "leakear/+/+/event") as seen:
            fleet = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            seen.wait(50)
            broker.kill()
            time.sleep(2)
            broker.start()
            out, _ = fleet.communicate(timeout=120)
            counts = json.loads(out.splitlines()[-1])
            deadline = time.monotonic() + 20
            while len({m.json["id"] for m in seen.messages}) < counts["put"] and time.monotonic() < deadline:
                time.sleep(0.1)
            came = {m.json["id"] for m in seen.messages}
    assert counts["reconnects"] >= 2
    assert counts["put"] == counts["acknowledged"]
    assert came == set(ids.read_text().split())


def test_the_same_seed_gives_the_same_city() -> None:
    from leakear.edge.messages.reports import Identity
    from leakear.edge.simulation.city import City, CityOptions

    class Nowhere:
        reconnects = depth = 0
        connected = True

        def __init__(self) -> None:
            self.said: list[str] = []

        def event(self, topic: str, payload: bytes, _id: str) -> None:
            self.said.append(f"{topic} {Event.from_json(payload).to_state}")

        def say(self, topic: str, _payload: bytes, *, retain: bool = False) -> bool:
            self.said.append(f"{topic} {retain}")
            return True

    def said(seed: int) -> list[str]:
        names, gateway = [Identity(f"s-{n % 4}", f"n-{n}") for n in range(20)], Nowhere()
        city = City(names, [gateway], CityOptions(event_every_s=5, twins_share=0.2), seed)  # type: ignore[list-item]
        city.start(0.0)
        for second in range(180):
            city.step(float(second))
        return gateway.said

    assert said(1) == said(1) != said(2)
    assert len(said(1)) > 300


@pytest.mark.parametrize("wrong", [["--twins", "2"], ["--connections", "-1"], ["--outage-seconds", "-3"]])
def test_impossible_cities_are_wrong_usage(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["simulate-fleet", *wrong])
    assert ended.value.code == 2
    assert f"argument {wrong[0]}: " in capsys.readouterr().err


def test_a_file_of_ids_that_cannot_be_written_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate-fleet", "--connections", "1", "--ids", "/nowhere/ids.txt", "--seconds", "1"]) == 78
    assert capsys.readouterr().err.startswith("leakear-edge: --ids /nowhere/ids.txt cannot be written: No such file")

"""What a whole node does that no single part can promise."""

from pathlib import Path

import pytest

from leakear.edge.evidence.recorder import Evidence
from leakear.edge.messages.reports import Event, State, Telemetry
from tests.support.broker import Broker
from tests.support.living_node import BORN, LEAK, QUIET, Asker, Life, living_node
from tests.support.places import DATA

TOPIC = "leakear/hill/pit-7/"


def events(life: Life, asker: Asker, count: int) -> list[Event]:
    life.pump_until(lambda: len(asker.seen.on(TOPIC + "event")) >= count, f"{count} events")
    return [Event.from_json(message.payload) for message in asker.seen.on(TOPIC + "event")]


def telemetry_after(asker: Asker, uptime_s: float) -> Telemetry | None:
    told = [Telemetry.from_json(message.payload) for message in asker.seen.on(TOPIC + "telemetry")]
    return next((one for one in told if one.uptime_s == uptime_s), None)


def test_an_event_speaks_of_evidence_only_when_it_is_on_the_disk(broker: Broker, tmp_path: Path) -> None:
    place = tmp_path / "evidence"
    place.write_text("a file stands where the folder should be")
    keep = {"enabled": True, "min_free_mb": 0, "directory": str(place)}
    with living_node(broker, tmp_path, evidence=keep) as life, Asker(broker, life) as asker:
        life.hear(70, LEAK)
        warning, failed = events(life, asker, 2)[:2]
        assert (warning.to_state, warning.evidence) == ("WARNING", False)
        assert failed.reason == "began: evidence_not_kept"
        place.unlink()
        life.hear(40, LEAK)
        leak = next(event for event in events(life, asker, 4) if event.to_state == "LEAK" and event.kind == "state")
        assert leak.evidence
        assert life.node.evidence.fetch(leak.id)[:4] == b"fLaC"


def test_the_event_is_safe_before_its_evidence_is_tried(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    with living_node(broker, tmp_path, evidence={"enabled": True}) as life:
        monkeypatch.setattr(Evidence, "record", lambda *_: waiting.append(life.node.outbox.depth) or False)
        life.hear(70, LEAK)
    assert waiting == [1]


def test_a_model_that_gives_no_number_makes_the_node_say_that_it_is_deaf(broker: Broker, tmp_path: Path) -> None:
    path = str(DATA / "failing.tflite")  # its golden vector comes out; the square root it takes of quiet is no number
    with living_node(broker, tmp_path, model={"path": path}) as life, Asker(broker, life) as asker:
        life.hear(30, QUIET)
        (event,) = events(life, asker, 1)
        assert (event.to_state, event.faults, event.score) == ("SENSOR_FAULT", ("no_score",), None)
        pipeline = life.node.detector.pipeline
        assert (pipeline.windower.produced, pipeline.scored, pipeline.discarded) == (3, 0, 3)
        assert asker.ask("status").result["telemetry"]["score"] is None


def test_a_node_that_hears_nothing_yet_is_online_and_answers(broker: Broker, tmp_path: Path) -> None:
    with living_node(broker, tmp_path) as life, Asker(broker, life) as asker:
        assert asker.seen.on(TOPIC + "state") == []
        life.node.idle(1000.0, BORN)
        said = life.pump_until(lambda: asker.seen.on(TOPIC + "state"), "state")
        assert State.from_json(said[0].payload).window_end is None
        assert asker.ask("set", mute_until="2027-01-16T00:00:00.000Z").ok  # judged by the node's own time
        life.hear(30)
        assert life.node.detector.pipeline.scored == 3


def test_who_asks_for_the_status_leaves_telemetry_as_it_is(broker: Broker, tmp_path: Path) -> None:
    with living_node(broker, tmp_path) as life, Asker(broker, life) as asker:
        life.hear(6)  # telemetry is due at once (which nobody may hear yet) and after five seconds
        said = life.pump_until(lambda: telemetry_after(asker, 5), "telemetry after five seconds")
        assert said.real_time_factor is not None  # it may be 0.0: five seconds without a whole window are little work
        assert asker.ask("status").result["telemetry"]["real_time_factor"] == said.real_time_factor
        life.hear(2)
        before = life.node.reporter.workload.real_time_factor
        assert asker.ask("status").result["telemetry"]["real_time_factor"] == before
        assert life.node.reporter.workload.real_time_factor == before

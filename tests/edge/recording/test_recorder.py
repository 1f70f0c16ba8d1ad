"""`cmd/record` at a whole node with a real broker: exact, refused with a reason, and never in an alert's way."""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from leakear.edge.audio.blocks import SensorFault
from leakear.edge.clock_bound import UNKNOWN, Bound
from leakear.edge.messages.reports import utc_text, uuid7
from tests.support.broker import Broker
from tests.support.living_node import BORN, LEAK, Asker, Life, living_node

SECTIONS: dict[str, dict[str, Any]] = {
    "commands": {"allow_clip": True},
    "evidence": {"enabled": True, "min_free_mb": 0},
}


@contextmanager
def asked(broker: Broker, folder: Path, **sections: dict[str, Any]) -> Iterator[tuple[Life, Asker]]:
    merged = {name: SECTIONS.get(name, {}) | sections.get(name, {}) for name in {*SECTIONS, *sections}}
    with living_node(broker, folder, **merged) as life, Asker(broker, life) as asker:
        life.hear(10)
        yield life, asker


def state_of(asker: Asker, name: str) -> dict[str, Any]:
    answer = asker.ask("record", action="status", recording=name)
    assert answer.ok, answer.error
    (recording,) = answer.result["recordings"]
    return dict(recording)


def test_a_recording_begins_at_the_second_and_arrives_whole(broker: Broker, tmp_path: Path) -> None:
    with asked(broker, tmp_path) as (life, asker):
        name = uuid7()
        start = BORN + 13.25
        answer = asker.ask("record", recording=name, start=utc_text(start), seconds=6)
        assert answer.ok, answer.error
        assert answer.result["recordings"][0]["state"] == "waiting"
        life.hear(6)
        assert state_of(asker, name)["state"] == "recording"
        assert state_of(asker, name)["heard_s"] == pytest.approx(2.75, abs=0.01)
        again = asker.ask("record", recording=name, start=utc_text(start), seconds=6)
        assert again.result["recordings"][0]["state"] == "recording"  # asked twice: nothing changes
        life.hear(12)
        kept = state_of(asker, name)
        assert kept["state"] == "kept"
        assert kept["start_s"] == pytest.approx(start, abs=1e-4)
        assert kept["uncertainty_s"] == pytest.approx(0.0005)
        assert kept["clock"] == {"source": "chrony", "bound_s": 0.0004}
        assert kept["sample_clock"]["drift_uncertainty_ppm"] == 1.0
        assert (kept["device"], kept["device_rate"]) == ("Script", 48000)
        parts = asker.ask_all("clip", kept["parts"], event_id=name)
        only = asker.ask_all("clip", 1, event_id=name, wanted=[kept["parts"] - 1])
        assert only[0].result == parts[-1].result  # resumed after a cut
        data = b"".join(base64.b64decode(part.result["data"]) for part in parts)
        assert hashlib.sha256(data).hexdigest() == kept["sha256"] == parts[0].result["sha256"]
        sound, rate = soundfile.read(BytesIO(data))
        assert (rate, len(sound), len(data)) == (22050, 6 * 22050, kept["size"])
        level = 10 * np.log10(2 * np.var(sound)) - kept["gain_db"]
        assert level == pytest.approx(kept["level_dbfs"], abs=0.2)
        assert asker.ask("record", action="cancel", recording=name).ok
        assert not asker.ask("clip", event_id=name).ok


def test_recordings_outlive_a_restart_and_are_listed(broker: Broker, tmp_path: Path) -> None:
    names = [uuid7(BORN + at) for at in (10, 20)]
    with asked(broker, tmp_path) as (life, asker):
        for name in names:
            assert asker.ask("record", recording=name, seconds=5, rate=8000).ok
            life.hear(14)
    with asked(broker, tmp_path) as (_, asker):
        listed = asker.ask("record", action="list").result["recordings"]
        assert [one["id"] for one in listed] == names[::-1]
        assert {(one["state"], one["rate"]) for one in listed} == {("kept", 8000)}


@pytest.mark.parametrize(
    ("section", "change", "body", "sentence"),
    [
        ("commands", {"allow_clip": False}, {}, "This site does not let sound leave it"),
        ("evidence", {"enabled": False}, {}, "This site keeps no sound"),
        ("recording", {"per_hour": 0}, {}, "This node has recorded"),
        ("recording", {"clock_s": 0.0001}, {}, "The clock of this node may be wrong"),
        ("recording", {}, {"seconds": 61}, "allowed is 5.0 to 60.0"),
        ("recording", {}, {"start": utc_text(BORN + 2)}, "The start"),
        ("recording", {}, {"start": utc_text(BORN + 1e6)}, "The start"),
        ("recording", {}, {"action": "status"}, "There is no recording"),
        ("recording", {}, {"action": "cancel"}, "There is no recording"),
    ],
)
def test_a_refusal_says_why(
    broker: Broker, tmp_path: Path, section: str, change: dict[str, Any], body: dict[str, Any], sentence: str
) -> None:
    with asked(broker, tmp_path, **{section: change}) as (_, asker):
        answer = asker.ask("record", **{"recording": uuid7(), **body})
        assert not answer.ok
        assert sentence in str(answer.error)


def test_an_unknown_clock_and_a_deaf_sensor_are_refused(broker: Broker, tmp_path: Path) -> None:
    with asked(broker, tmp_path) as (life, asker):
        recorder = life.controls.recorder
        known, recorder._clock = recorder._clock, lambda: UNKNOWN
        assert "is not synchronised" in str(asker.ask("record", recording=uuid7()).error)
        recorder._clock = known
        timing, recorder._capture.timing = recorder._capture.timing, None
        assert "has not been heard long enough" in str(asker.ask("record", recording=uuid7()).error)
        recorder._capture.timing = timing
        name = uuid7()
        assert asker.ask("record", recording=name, seconds=20).ok
        assert "is recording at that time" in str(asker.ask("record", recording=uuid7()).error)
        life.hear(5)
        life.node.take(SensorFault("no_frames", "pulled out", 1020.0, BORN + 20))
        assert "The sensor delivers no sound (no_frames)" in str(asker.ask("record", recording=uuid7()).error)
        failed = state_of(asker, name)
        assert failed["state"] == "failed"
        assert "pulled out" in failed["reason"]


def test_an_alert_is_told_while_a_recording_goes_on_and_keeps_its_room(broker: Broker, tmp_path: Path) -> None:
    """Recordings are deleted for an alert's evidence, never the other way round."""
    with asked(broker, tmp_path, evidence={"max_mb": 0.9}) as (life, asker):
        first = uuid7(BORN)
        assert asker.ask("record", recording=first, seconds=20).ok
        life.hear(60)
        assert state_of(asker, first)["state"] == "kept"
        second = uuid7(BORN + 70)
        assert asker.ask("record", recording=second, seconds=60).ok
        life.hear(90, LEAK)
        life.pump_until(lambda: len(asker.seen.on("leakear/hill/pit-7/event")) == 2, "events")
        leak = asker.seen.on("leakear/hill/pit-7/event")[1].json
        assert leak["evidence"]
        assert not asker.ask("record", action="status", recording=first).ok  # it was deleted for room
        name = leak["id"]
        assert "alert" in str(asker.ask("record", recording=name).error)
        life.hear(80)
        assert state_of(asker, second)["state"] == "failed"
        assert "could not be kept" in state_of(asker, second)["reason"]
        assert life.node.evidence.fetch(name)[:4] == b"fLaC"


def test_agreed_slots_of_the_night_are_kept_without_being_asked(broker: Broker, tmp_path: Path) -> None:
    """The node's life begins at 08:00 UTC on 15 January 2027."""
    night = {"night": "08:00-08:02", "time_zone": "UTC"}
    options = {"nightly": True, "slots": 4, "slot_s": 10.0, "slot_rate": 4000}
    with asked(broker, tmp_path, decision=night, recording=options) as (life, asker):
        life.hear(130)
        listed = asker.ask("record", action="list").result["recordings"]
        starts = [one["start"][11:19] for one in listed]
        assert starts == ["08:01:30", "08:01:00", "08:00:30"]  # the node was started within the first one
        assert {(one["trigger"], one["state"], one["rate"]) for one in listed} == {("night", "kept", 4000)}
        assert all(one["level_dbfs"] is not None for one in listed)
        life.controls.recorder._clock = lambda: Bound("kernel", 0.4)  # nothing is recorded, and nothing breaks
        life.controls.recorder._options = replace(life.controls.recorder._options, slots=48)
        life.hear(20)


def test_a_recording_whose_sending_was_cut_is_resumed(broker: Broker, tmp_path: Path) -> None:
    """The broker dies in the middle: the parts that are missing are asked for, and make the same file."""
    name = uuid7()
    with asked(broker, tmp_path) as (life, asker):
        assert asker.ask("record", recording=name, seconds=20).ok
        life.hear(60, LEAK)
        kept = state_of(asker, name)
        assert kept["parts"] > 6
        arrived = {answer.result["part"]: answer.result for answer in asker.ask_all("clip", 3, event_id=name)}
        broker.kill()
        life.pump_until(lambda: not life.node.link.connected, "end of the connection")  # type: ignore[union-attr]
        broker.start()
        life.pump_until(lambda: life.node.link.idle, "connection")  # type: ignore[union-attr]
        asker.seen.__exit__(None, None, None)
        with Asker(broker, life) as again:
            missing = sorted(set(range(kept["parts"])) - set(arrived))
            rest = again.ask_all("clip", len(missing), event_id=name, wanted=missing)
            arrived |= {answer.result["part"]: answer.result for answer in rest}
        data = b"".join(base64.b64decode(arrived[part]["data"]) for part in range(kept["parts"]))
        assert hashlib.sha256(data).hexdigest() == kept["sha256"]

"""A whole node, asked over a real broker, does what it is asked, remembers it, and says so."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from leakear.edge import __version__
from leakear.edge.background.entries import ENOUGH
from leakear.edge.background.packed import packed
from leakear.edge.messages.reports import Event, Spectrum, State, utc_text
from leakear.edge.messages.results import RESULTS
from leakear.edge.model import bundle
from tests.support.broker import Broker
from tests.support.living_node import BORN, LEAK, Asker, Life, living_node
from tests.support.places import TINY

TOPIC = "leakear/hill/pit-7/"


@pytest.fixture
def life(broker: Broker, tmp_path: Path) -> Iterator[Life]:
    with living_node(
        broker, tmp_path, commands={"allow_clip": True}, evidence={"enabled": True, "min_free_mb": 0}
    ) as it:
        yield it


@pytest.fixture
def asker(broker: Broker, life: Life) -> Iterator[Asker]:
    with Asker(broker, life) as it:
        yield it


def state(asker: Asker) -> State:
    return State.from_json(asker.seen.on(TOPIC + "state")[-1].payload)


def test_identify_status_and_selftest_tell_the_truth(life: Life, asker: Asker) -> None:
    life.hear(20)
    who = asker.ask("identify").result
    assert (who["site"], who["node"], who["firmware"]) == ("hill", "pit-7", __version__)
    assert who["model"]["sha256"] == bundle.read(TINY).info.flatbuffer_sha256
    status = asker.ask("status").result
    assert status["telemetry"]["windows_scored"] == 2
    assert status["state"]["state"] == "OK"
    tested = asker.ask("selftest").result
    assert {check["name"] for check in tested["checks"]} == {"model", "sensor", "disk", "clock", "broker", "outbox"}
    assert tested["passed"], tested


@pytest.mark.parametrize("name", ["identify", "status", "selftest", "set", "watch", "calibrate", "model"])
def test_each_result_is_of_its_published_type(asker: Asker, name: str) -> None:
    body: dict[str, Any] = {"watch": {"seconds": 1}, "calibrate": {"action": "status"}, "model": {"action": "discard"}}
    answer = asker.ask(name, **body.get(name, {}))
    assert answer.ok, answer.error
    assert RESULTS[name].from_json(answer.result).to_dict() == answer.result


def test_set_holds_at_once_is_shown_and_survives_a_restart(broker: Broker, tmp_path: Path) -> None:
    until = utc_text(BORN + 3600)
    with living_node(broker, tmp_path) as life, Asker(broker, life) as asker:
        life.hear(2)
        answer = asker.ask("set", threshold=0.8, step_s=5, mute_until=until)
        assert (answer.result["threshold"], answer.result["muted_until"]) == (0.8, until)
        assert abs(answer.result["step_s"] - 5) < 0.02, "a whole number of spectrogram hops"
        life.hear(20)
        assert life.node.detector.pipeline.scored == 3
        life.pump_until(lambda: state(asker).threshold == 0.8, "state with the threshold")
        assert (state(asker).step_s, state(asker).muted_until) == (answer.result["step_s"], until)
    with living_node(broker, tmp_path) as life, Asker(broker, life) as asker:
        assert asker.ask("set").result == answer.result


def test_a_mute_ends_at_its_time_or_by_a_time_that_has_passed(life: Life, asker: Asker) -> None:
    life.hear(2)
    assert asker.ask("set", mute_until=utc_text(BORN + 20)).result["muted_until"] == utc_text(BORN + 20)
    life.hear(20)
    assert asker.ask("set").result["muted_until"] is None
    assert asker.ask("set", mute_until=utc_text(BORN + 3600)).result["muted_until"]
    assert asker.ask("set", mute_until=utc_text(BORN)).result["muted_until"] is None


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"step_s": 30}, "fewer than three windows"),
        ({"mute_until": "2030-01-01T00:00:00.000Z"}, "mute_until lies more than 30 days ahead"),
        ({"threshold": 0}, "allowed is 0.01 to 0.99"),
    ],
)
def test_set_refuses_what_could_never_work(life: Life, asker: Asker, body: dict[str, Any], sentence: str) -> None:
    before = asker.ask("set").result
    answer = asker.ask("set", **body)
    assert not answer.ok
    assert sentence in str(answer.error)
    assert asker.ask("set").result == before
    life.hear(10)


def test_the_clip_of_an_alert_comes_whole(life: Life, asker: Asker) -> None:
    life.hear(120, LEAK)
    life.pump_until(lambda: asker.seen.on(TOPIC + "event"), "event")
    event = Event.from_json(asker.seen.on(TOPIC + "event")[0].payload)
    assert event.evidence
    parts = asker.ask_all("clip", event_id=event.id)
    parts = asker.ask_all("clip", parts[0].result["parts"], event_id=event.id)
    data = b"".join(base64.b64decode(part.result["data"]) for part in parts)
    assert data == life.node.evidence.fetch(event.id)
    assert data[:4] == b"fLaC"
    picture = asker.ask("clip", event_id=event.id, media="picture")
    assert base64.b64decode(picture.result["data"])[1:4] == b"PNG"
    missing = asker.ask("clip", event_id="019ab2c4-5d6e-7f80-9a1b-2c3d4e5f6071")
    assert "no evidence of event" in str(missing.error)


def test_a_reload_changes_what_may_be_asked(life: Life, asker: Asker) -> None:
    event_id = "019ab2c4-5d6e-7f80-9a1b-2c3d4e5f6071"
    assert "no evidence of event" in str(asker.ask("clip", event_id=event_id).error)
    fresh = replace(life.settings.commands, allow_clip=False)
    life.node.reloader.reload(replace(life.settings, commands=fresh))
    assert "does not let sound leave it" in str(asker.ask("clip", event_id=event_id).error)
    assert "clip" not in asker.ask("identify").result["commands"]


def test_spectra_come_while_watched_and_no_longer(life: Life, asker: Asker) -> None:
    life.hear(10)
    asker.ask("watch", seconds=25)
    life.hear(60)
    asker.ask("status")
    spectra = [Spectrum.from_json(message.payload) for message in asker.seen.on(TOPIC + "spectrum")]
    assert len(spectra) == 2
    asker.ask("watch", seconds=100)
    asker.ask("watch", seconds=0)
    life.hear(20)
    asker.ask("status")
    assert len(asker.seen.on(TOPIC + "spectrum")) == 2


def test_a_command_that_is_published_as_retained_is_never_carried_out(
    broker: Broker, tmp_path: Path, life: Life, asker: Asker
) -> None:
    asker.seen.publish(TOPIC + "cmd/set", {"id": "old", "threshold": 0.9}, retain=True)
    assert asker.ask("status").ok  # later than the retained one
    assert not asker.seen.on(TOPIC + "cmd/set/result")
    assert life.node.detector.pipeline.decision.rule.threshold != 0.9
    with living_node(broker, tmp_path / "second", node={"name": "pit-7"}) as second:
        second.hear(3)
        assert second.node.detector.pipeline.decision.rule.threshold != 0.9


def test_calibration_learns_refuses_and_applies(life: Life, asker: Asker) -> None:
    life.hear(2)
    assert asker.ask("calibrate", action="status").result["phase"] == "idle"
    assert "no proposal" in str(asker.ask("calibrate", action="apply").error)
    asker.ask("calibrate", action="start", hours=0.01)
    life.hear(30)
    learning = asker.ask("calibrate", action="status").result
    assert (learning["phase"], learning["heard_s"]) == ("learning", 30.0)
    life.hear(20)
    refused = asker.ask("calibrate", action="status").result
    assert refused["phase"] == "refused"
    assert "quiet hours" in refused["reason"]
    asker.ask("calibrate", action="start", hours=5)
    assert asker.ask("calibrate", action="cancel").result["phase"] == "idle"


def test_a_calibration_that_is_ready_changes_the_rule_only_when_applied(broker: Broker, tmp_path: Path) -> None:
    """Five hours of quiet scores are put straight into the learning; all the rest is the real node."""
    rng = np.random.default_rng(3)
    with living_node(broker, tmp_path) as life, Asker(broker, life) as asker:
        life.hear(1)
        asker.ask("calibrate", action="start", hours=5, false_alarms_per_week=0.5)
        learning = life.controls.calibration
        for window in range(1801):
            life.node.reporter.now = (1001 + window * 10.0, BORN + window * 10.0)
            score, level = 1 / (1 + np.exp(4 - 0.4 * rng.standard_normal())), -60 + 0.3 * rng.standard_normal()
            learning.observe(SimpleNamespace(trusted=(float(score), float(level))), None)  # type: ignore[arg-type]
        before = life.node.detector.pipeline.decision.rule
        ready = asker.ask("calibrate", action="status").result
        assert ready["phase"] == "ready", ready
        assert "at most 0.5 false alarms a week" in ready["reason"]
        assert life.node.detector.pipeline.decision.rule == before
        usual = life.node.detector.pipeline.background
        usual.restore({"moments": packed(np.zeros((ENOUGH, 25), np.float32)), "pending": packed([]), "since_s": 0})
        assert usual.ready
        assert asker.ask("calibrate", action="apply").result["phase"] == "idle"
        assert not usual.ready  # what was heard before is learnt anew
        rule = life.node.detector.pipeline.decision.rule
        assert (rule.threshold, rule.level_gate_dbfs) == (ready["threshold"], ready["level_gate_dbfs"]) != (0.5, -200)
    with living_node(broker, tmp_path) as life:
        assert life.node.detector.pipeline.decision.rule == rule


def test_what_was_set_remotely_is_shown_and_can_be_taken_back(life: Life, asker: Asker) -> None:
    life.hear(1)
    state = asker.ask("status").result["state"]
    assert (state["threshold_from"], state["level_gate_dbfs"]) == ("model", None)
    configured = state["threshold"]
    answer = asker.ask("set", threshold=0.9, level_gate_dbfs=-20).result
    assert (answer["threshold"], answer["level_gate_dbfs"]) == (0.9, -20)
    state = asker.ask("status").result["state"]
    assert (state["threshold_from"], state["threshold"], state["level_gate_dbfs"]) == ("remote", 0.9, -20)
    assert asker.ask("set", level_gate_dbfs=0).result["level_gate_dbfs"] == 0
    answer = asker.ask("set", as_configured=True).result
    assert (answer["threshold"], answer["level_gate_dbfs"]) == (configured, None)
    assert asker.ask("status").result["state"]["threshold_from"] == "model"


def test_what_was_set_remotely_goes_with_the_configuration_it_was_chosen_for(
    life: Life, asker: Asker, broker: Broker, tmp_path: Path
) -> None:
    life.hear(1)
    asker.ask("set", threshold=0.9)
    settings = life.settings
    life.node.reloader.reload(replace(settings, decision={**settings.decision, "on_fraction": 0.8}))
    assert life.node.detector.pipeline.decision.rule.threshold == 0.9, "another key"
    life.node.reloader.reload(replace(settings, decision={**settings.decision, "threshold": 0.6}))
    assert life.node.detector.pipeline.decision.rule.threshold == 0.6
    said = lambda: any("set remotely are dropped" in m.json["reason"] for m in asker.seen.on("leakear/+/+/event"))  # noqa: E731
    life.hear(1)
    life.pump_until(said, "event that says so")
    assert asker.ask("status").result["state"]["threshold_from"] == "site"


def test_a_person_accepts_the_present_floor_remotely(life: Life, asker: Asker) -> None:
    life.hear(1)
    health = life.node.detector.pipeline.health
    health.restore({"raised": [], "hours": [[hour, -30.0, 9000.0] for hour in range(30)]})
    life.hear(20)
    assert list(life.node.faults) == ["floor_drift"]
    assert asker.ask("calibrate", action="accept_floor").result["phase"] == "idle"
    life.hear(20)
    assert life.node.faults == {}
    said = lambda: any("a person accepted" in m.json["reason"] for m in asker.seen.on("leakear/hill/pit-7/event"))  # noqa: E731
    life.pump_until(said, "event that says so")


def test_a_person_states_that_there_is_no_leak(broker: Broker, tmp_path: Path) -> None:
    """It ends the alert, is learnt at once, and survives a restart; with nothing suspected it is refused."""
    with living_node(broker, tmp_path) as life, Asker(broker, life) as asker:
        life.hear(20)
        refused = asker.ask("calibrate", action="not_a_leak")
        assert (refused.ok, "No leak is suspected" in str(refused.error)) == (False, True)
        life.hear(120, LEAK)
        life.pump_until(lambda: len(asker.seen.on(TOPIC + "event")) >= 2, "WARNING and LEAK")
        assert life.node.detector.pipeline.decision.state == "LEAK"
        assert asker.ask("calibrate", action="not_a_leak").ok
        life.hear(10, LEAK)
        life.pump_until(lambda: len(asker.seen.on(TOPIC + "event")) >= 3, "the end of the alert")
        ended = Event.from_json(asker.seen.on(TOPIC + "event")[2].payload)
        assert (ended.from_state, ended.to_state) == ("LEAK", "OK")
        assert ended.reason == "a person has stated that there is no leak"
    with living_node(broker, tmp_path) as life, Asker(broker, life) as asker:
        life.hear(10)
        assert asker.ask("status").result["state"]["state"] == "OK"
        assert not asker.ask("calibrate", action="not_a_leak").ok


def test_a_sound_that_is_held_back_without_an_alert_may_be_stated_too(life: Life, asker: Asker) -> None:
    life.hear(2)
    entries = life.node.detector.pipeline.background.entries
    entries.hold(np.zeros(25, np.float32), 3, 2.0)
    assert asker.ask("calibrate", action="not_a_leak").ok
    assert (entries.held, len(entries.past)) == ([], 1)
    life.pump_until(lambda: asker.seen.on(TOPIC + "event"), "event that says so")
    event = Event.from_json(asker.seen.on(TOPIC + "event")[0].payload)
    assert (event.kind, event.from_state, event.to_state) == ("fault", "OK", "OK")
    assert event.reason == "a person has stated that there is no leak"


def test_alerts_carry_what_they_were_decided_on_and_state_what_is_learnt(life: Life, asker: Asker) -> None:
    life.hear(120, LEAK)
    life.pump_until(lambda: len(asker.seen.on(TOPIC + "event")) >= 2, "WARNING and LEAK")
    for message in asker.seen.on(TOPIC + "event")[:2]:
        decided = message.json["decided_on"]
        assert (decided["by"], decided["excess_db"], decided["nights_known"]) == ("score", None, 0)
        assert decided["on_share"] >= 0.9
    learnt = {"background_ready": False, "nights_known": 0, "may_say": "strong leaks"}
    answer = asker.ask("status").result
    for part in ("state", "telemetry"):
        assert (answer[part]["learning"], answer[part]["limit_db"]) == (learnt, None)


def test_a_statement_in_the_configuration_is_taken_at_a_reload_and_at_a_start(broker: Broker, tmp_path: Path) -> None:
    with living_node(broker, tmp_path) as life:
        life.hear(120, LEAK)
        assert life.node.detector.suspects
        settings = life.settings
        stated = replace(settings, decision={**settings.decision, "rise_db": 0.0, "not_a_leak": "2027-01-01"})
        life.node.reloader.reload(stated)
        assert not life.node.detector.suspects
        life.hear(120, LEAK)
        life.node.reloader.reload(stated)
        assert life.node.detector.suspects, "the same statement counts once"
    with living_node(broker, tmp_path, decision={"rise_db": 0.0, "not_a_leak": "2027-01-02"}) as life:
        life.hear(1)
        assert not life.node.detector.suspects


def test_another_step_ends_a_calibration(life: Life, asker: Asker) -> None:
    life.hear(2)
    asker.ask("calibrate", action="start", hours=5)
    asker.ask("set", step_s=5)
    life.hear(20)
    stopped = asker.ask("calibrate", action="status").result
    assert (stopped["phase"], stopped["reason"]) == ("refused", "The model or the step changed meanwhile: start again.")

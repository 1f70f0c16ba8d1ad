"""A model sent over MQTT: only signed, sound and newer ones, switched at once, and taken back when they fail."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from leakear.edge.decision.calibration import Proposal
from leakear.edge.errors import ModelError
from leakear.edge.messages.reports import CommandResult, Event, utc_text
from leakear.edge.messages.requests import PART_BYTES
from leakear.edge.model import bundle
from leakear.edge.model.tflite import ModelOptions
from leakear.edge.remote.model_store import UNPROVEN_STARTS, ModelStore, created_at
from leakear.edge.remote.model_trial import PROVEN_WINDOWS
from tests.support.broker import Broker
from tests.support.living_node import BORN, LEAK, QUIET, Asker, Life, living_node
from tests.support.places import DATA, TINY

KEY = Ed25519PrivateKey.generate()
BASE = bundle.read(TINY)
OLD_ID = BASE.info.model_id


Key = Ed25519PrivateKey | None


TRIAL_H, WATCH_H = 0.03, 0.05
TRIAL_S, WATCH_S = 110, 180
"""s to listen until a trial (11 windows) or the time of being watched (18) is over"""


def made(name: str, created: str, source: Path = TINY, key: Key = KEY, logit: float = 0.0, **decision: float) -> bytes:
    """Give a bundle of a source's network under another name and time; `logit` falsifies the golden vector."""
    base = bundle.read(source)
    info = dict(base.info.raw)
    info["model"] = {"id": name, "name": name, "created": created, "version": "1"}
    info["decision"] = info["decision"] | decision
    logits = (base.golden_logits + np.float32(logit)).astype(np.float32)
    plain = bundle.assemble(base.flatbuffer, info, base.golden_inputs, logits)
    if key is None:
        return plain
    return bundle.signed(plain, key.sign)


SECOND = made("second", "2026-12-01T00:00:00Z")
THIRD = made("third", "2026-12-02T00:00:00Z")
FAILING = made("failing", "2026-12-03T00:00:00Z", DATA / "failing.tflite")


@pytest.fixture(scope="session")
def configured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """[model] of a node that has a public key, and a first model that is signed with it."""
    folder = tmp_path_factory.mktemp("signed")
    (folder / "key.pem").write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (folder / "first.tflite").write_bytes(made(OLD_ID, "2026-11-22T00:00:00Z"))
    files = {"path": str(folder / "first.tflite"), "public_key": str(folder / "key.pem")}
    return files | {"trial_h": TRIAL_H, "watch_h": WATCH_H}


@pytest.fixture
def life(broker: Broker, tmp_path: Path, configured: dict[str, Any]) -> Iterator[Life]:
    with living_node(broker, tmp_path, model=configured) as it:
        it.hear(10)
        yield it


@pytest.fixture
def asker(broker: Broker, life: Life) -> Iterator[Asker]:
    with Asker(broker, life) as it:
        yield it


def send(asker: Asker, data: bytes, **extra: Any) -> CommandResult:
    """Send a bundle in parts and give the last answer."""
    whole: dict[str, Any] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} | extra
    for part, start in enumerate(range(0, len(data), PART_BYTES)):
        chunk = base64.b64encode(data[start : start + PART_BYTES]).decode()
        answer = asker.ask("model", part=part, data=chunk, **whole)
    return answer


def model_events(asker: Asker) -> list[str]:
    events = [Event.from_json(message.payload) for message in asker.seen.on("leakear/hill/pit-7/event")]
    return [event.reason for event in events if event.kind == "model"]


def test_a_reload_changes_how_large_a_model_may_be(life: Life, asker: Asker) -> None:
    for limit, taken in ((1024, False), (2**20, True)):
        options = replace(life.settings.commands, max_model_bytes=limit)
        life.node.reloader.reload(replace(life.settings, commands=options))
        whole = {"sha256": hashlib.sha256(SECOND).hexdigest(), "size": len(SECOND)}
        answer = asker.ask("model", part=0, data=base64.b64encode(SECOND[:PART_BYTES]).decode(), **whole)
        assert answer.ok == taken, answer.error


def test_a_new_model_is_tried_put_to_use_watched_confirmed_and_still_there_after_a_restart(
    broker: Broker, tmp_path: Path, configured: dict[str, Any]
) -> None:
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        life.hear(10)
        answer = send(asker, SECOND)
        assert answer.ok, answer.error
        assert (answer.result["stage"], answer.result["model"]["id"]) == ("trial", "second")
        status = asker.ask("status").result
        trial = status["state"]["model_trial"]
        assert status["model_on_trial"]
        assert status["state"]["model"]["id"] == OLD_ID
        assert (trial["model"]["id"], trial["beside"]["id"], trial["decides"]) == ("second", OLD_ID, False)
        assert trial["until"] == utc_text(BORN + 9 + TRIAL_H * 3600), "nine seconds: the start of the newest block"
        life.hear(TRIAL_S)
        status = asker.ask("status").result
        assert (status["state"]["model"]["id"], status["state"]["model_trial"]["decides"]) == ("second", True)
        assert status["telemetry"]["windows_scored"] == 1 + TRIAL_S / 10
        life.hear(WATCH_S)
        assert not asker.ask("status").result["model_on_trial"]
        life.pump_until(lambda: len(model_events(asker)) == 3, "three events")
        assert [reason.split(";")[0] for reason in model_events(asker)] == [
            f"second is on trial for 1.8 min beside {OLD_ID}, which decides until then.",
            f"second has passed its trial and replaced {OLD_ID}, which heard leak-like sound for 0 min of it",
            "second is confirmed after 3 min.",
        ]
    with living_node(broker, tmp_path, model=configured) as life:
        assert life.node.detector.model.info.model_id == "second"
        assert len(list((tmp_path / "models").glob("*"))) == 2, "the ledger and the model in use, nothing else"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (made("unsigned", "2027-01-01T00:00:00Z", key=None), "is not signed"),
        (made("forged", "2027-01-01T00:00:00Z", key=Ed25519PrivateKey.generate()), "its signature was not made with"),
        (made("wrong", "2027-01-01T00:00:00Z", logit=5.0), "the golden vector gives another result"),
        (made("older", "2026-11-21T00:00:00Z"), "older is not newer than a model that was in use here"),
        (made("undated", "some day"), "undated is not newer"),
        (SECOND.replace(b"TFL3", b"TFL4", 1), "its signature was not made with"),
        (BASE.flatbuffer, "the bundle is not signed"),
        (SECOND[:-200], "the bundle is not signed"),
        (b"\x1c\0\0\0TFL3" + bytes(10_000), "the bundle is not signed"),
    ],
    ids=["unsigned", "forged", "golden", "older", "undated", "magic", "plain", "cut", "noise"],
)
def test_what_is_not_signed_sound_and_newer_is_refused(life: Life, asker: Asker, data: bytes, sentence: str) -> None:
    answer = send(asker, data)
    assert not answer.ok
    assert sentence in str(answer.error)
    assert life.node.detector.model.info.model_id == OLD_ID
    assert list((life.settings.node.directory / "models").glob("*.tflite")) == []


def test_a_signature_of_another_bundle_does_not_fit(life: Life, asker: Asker) -> None:
    taken = bundle.parse(SECOND, "second")
    info = dict(taken.info.raw) | {"decision": {"threshold": 0.99}}
    forged = bundle.assemble(taken.flatbuffer, info, taken.golden_inputs, taken.golden_logits, taken.signature)
    assert "is not signed as a whole" in str(send(asker, forged).error)
    sealed = forged[:-2] + (80).to_bytes(2, "little") + SECOND[-80:]
    assert "its signature was not made with" in str(send(asker, sealed).error)
    assert life.node.detector.model.info.model_id == OLD_ID


def test_a_threshold_set_for_one_model_is_not_used_for_the_next(life: Life, asker: Asker) -> None:
    asker.ask("set", threshold=0.97)
    assert send(asker, SECOND, trial=False).ok
    state = asker.ask("status").result["state"]
    assert (state["model"]["id"], state["threshold_from"]) == ("second", "model")
    assert state["threshold"] != 0.97


def test_a_proposal_is_not_applied_to_another_model(life: Life, asker: Asker) -> None:
    asker.ask("calibrate", action="start", hours=5)
    control = life.controls.calibration
    control._phase, control._proposal = "ready", Proposal(0.9, -50.0, 1.0, 5.0, 0.1, -60.0, "learnt")
    assert send(asker, SECOND, trial=False).ok
    assert "learnt with another model" in str(asker.ask("calibrate", action="apply").error)
    assert life.node.detector.remote.threshold is None


def test_a_replayed_bundle_is_refused_even_after_another_one(life: Life, asker: Asker) -> None:
    for data in (SECOND, THIRD):
        assert send(asker, data).ok
        life.hear(TRIAL_S)
    for data in (SECOND, THIRD):
        assert "is not newer" in str(send(asker, data).error)
    assert life.node.detector.model.info.model_id == "third"


def test_a_staged_model_waits_until_home_assistant_installs_it(life: Life, asker: Asker) -> None:
    assert send(asker, SECOND, stage=True).result["stage"] == "staged"
    state = asker.ask("status").result["state"]
    assert (state["model"]["id"], state["staged_model"]["id"]) == (OLD_ID, "second")
    assert asker.ask("model", action="discard").result["stage"] == "discarded"
    assert "No model is staged" in str(asker.ask("model", action="install").error)
    send(asker, SECOND, stage=True)
    assert asker.ask("model", action="install").result["stage"] == "trial"
    state = asker.ask("status").result["state"]
    assert (state["model_trial"]["model"]["id"], state["staged_model"]) == ("second", None)
    assert "still on trial" in str(send(asker, THIRD).error)
    assert asker.ask("model", action="discard").result["stage"] == "discarded"
    assert asker.ask("status").result["state"]["model_trial"] is None
    assert send(asker, SECOND).result["stage"] == "trial", "it was never in use: it may be sent again"


@pytest.mark.parametrize(("data", "stage"), [(THIRD, False), (SECOND, False), (SECOND, True)])
def test_what_is_refused_during_a_trial_does_not_wait_for_its_end(
    life: Life, asker: Asker, data: bytes, stage: bool
) -> None:
    assert send(asker, SECOND).result["stage"] == "trial"
    assert "still on trial" in str(send(asker, data, stage=stage).error)
    assert asker.ask("status").result["state"]["staged_model"] is None
    assert asker.ask("model", action="discard").ok
    assert "No model is staged" in str(asker.ask("model", action="install").error)


def test_a_model_that_fails_on_a_window_of_its_trial_is_refused(life: Life, asker: Asker) -> None:
    assert send(asker, FAILING).result["stage"] == "trial"
    life.hear(10, QUIET)
    assert life.node.detector.beside is None
    life.pump_until(lambda: len(model_events(asker)) == 2, "two events")
    assert model_events(asker)[1] == "failing did not pass its trial: failing gave no number for a window."
    assert life.node.detector.last is not None
    assert life.node.detector.last.score is not None


def test_a_model_in_use_that_fails_while_it_is_watched_is_taken_back(life: Life, asker: Asker) -> None:
    life.hear(20, LEAK)
    before = life.node.detector.pipeline.decision.on_fraction
    assert send(asker, FAILING, trial=False).result["stage"] == "installed"
    life.hear(10, QUIET)
    assert life.node.detector.model.info.model_id == OLD_ID
    assert life.node.detector.pipeline.decision.on_fraction == before
    life.hear(20, QUIET)
    assert life.node.detector.last is not None
    assert life.node.detector.last.score is not None
    life.pump_until(lambda: len(model_events(asker)) == 2, "two events")
    assert model_events(asker)[1] == f"failing was taken back for {OLD_ID}: failing gave no number for a window."
    assert "is not newer" in str(send(asker, FAILING).error)


@pytest.mark.parametrize("trial", [True, False])
def test_a_daemon_that_dies_of_a_new_model_comes_back_with_the_old_one(
    broker: Broker, tmp_path: Path, configured: dict[str, Any], trial: bool
) -> None:
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        life.hear(1)
        assert send(asker, SECOND, trial=trial).ok
    for _ in range(UNPROVEN_STARTS):
        with living_node(broker, tmp_path, model=configured) as life:
            assert life.node.detector.beside is not None
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        assert (life.node.detector.model.info.model_id, life.node.detector.beside) == (OLD_ID, None)
        life.hear(1)
        life.pump_until(lambda: model_events(asker), "event")
        assert "the daemon did not survive it" in model_events(asker)[-1]


def test_starts_are_not_counted_against_a_model_that_scores(
    broker: Broker, tmp_path: Path, configured: dict[str, Any]
) -> None:
    model = configured | {"trial_h": 1}
    with living_node(broker, tmp_path, model=model) as life, Asker(broker, life) as asker:
        life.hear(1)
        assert send(asker, SECOND).ok
    for _ in range(UNPROVEN_STARTS + 2):  # a node that is switched off every night
        with living_node(broker, tmp_path, model=model) as life:
            life.hear(10 * PROVEN_WINDOWS)
    assert life.node.detector.beside is not None
    assert life.node.detector.beside.heard_s == (UNPROVEN_STARTS + 2) * PROVEN_WINDOWS * 10, "and the trial goes on"


def test_a_damaged_installed_file_gives_way_to_the_one_before(tmp_path: Path, configured: dict[str, Any]) -> None:
    store = ModelStore(tmp_path, ModelOptions(**configured))
    model = store.stage(SECOND, store.load().info)
    store.install("installed", created_at(model.info))
    store.settle("settled")
    store.path.write_bytes(SECOND[:1000])
    again = ModelStore(tmp_path, ModelOptions(**configured))
    assert again.load().info.model_id == OLD_ID
    assert "given up for the one before it" in again.ledger.untold


def test_a_model_that_a_person_configures_anew_wins(tmp_path: Path, configured: dict[str, Any]) -> None:
    options = ModelOptions(**configured)
    store = ModelStore(tmp_path / "a", options)
    store.install("installed", created_at(store.stage(SECOND, store.load().info).info))
    other = tmp_path / "other.tflite"
    other.write_bytes(made("other", "2020-01-01T00:00:00Z", DATA / "failing.tflite"))
    changed = ModelStore(tmp_path / "a", replace(options, path=str(other)))
    assert changed.load().info.model_id == "other"


def test_a_node_without_a_key_takes_no_model(broker: Broker, tmp_path: Path) -> None:
    with living_node(broker, tmp_path) as life, Asker(broker, life) as asker:
        assert "it has no [model] public_key" in str(send(asker, SECOND).error)


def test_a_small_file_that_would_fill_the_memory_is_not_unfolded(tmp_path: Path, configured: dict[str, Any]) -> None:
    buffer = io.BytesIO(BASE.flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("leakear.json", bytes(60 * 1024**2))
    store = ModelStore(tmp_path, ModelOptions(**configured))
    assert len(buffer.getvalue()) < 100_000
    with pytest.raises(ModelError, match="is not signed"):
        store.stage(buffer.getvalue(), BASE.info)
    with pytest.raises(ModelError, match="would unfold to"):
        bundle.parse(buffer.getvalue(), "x")


def test_an_unreadable_ledger_falls_back_to_the_configured_model(tmp_path: Path, configured: dict[str, Any]) -> None:
    for text in ("{", json.dumps({"installed": 3, "what": 1}), "[]", "null"):
        (tmp_path / "ledger.json").write_text(text)
        assert ModelStore(tmp_path, ModelOptions(**configured)).load().info.model_id == OLD_ID

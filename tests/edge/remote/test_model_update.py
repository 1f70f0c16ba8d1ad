"""A model sent over MQTT: only signed, sound and newer ones, switched at once, and taken back when they fail."""

import base64
import hashlib
import io
import json
import subprocess
import sys
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
from leakear.edge.messages.reports import CommandResult, Event
from leakear.edge.messages.requests import PART_BYTES
from leakear.edge.model import bundle
from leakear.edge.model.tflite import ModelOptions
from leakear.edge.remote.model_store import TRIAL_STARTS, ModelStore
from leakear.edge.remote.model_update import TRIAL_WINDOWS
from tests.support.broker import Broker
from tests.support.living_node import LEAK, QUIET, Asker, Life, living_node
from tests.support.places import DATA, ROOT, TINY

KEY = Ed25519PrivateKey.generate()
BASE = bundle.read(TINY)
OLD_ID = BASE.info.model_id


Key = Ed25519PrivateKey | None


def made(name: str, created: str, source: Path = TINY, key: Key = KEY, logit: float = 0.0) -> bytes:
    """Give a bundle of a source's network under another name and time; `logit` falsifies the golden vector."""
    base = bundle.read(source)
    info = dict(base.info.raw)
    info["model"] = {"id": name, "name": name, "created": created, "version": "1"}
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
    return {"path": str(folder / "first.tflite"), "public_key": str(folder / "key.pem")}


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


def test_a_new_model_is_installed_watched_confirmed_and_still_there_after_a_restart(
    broker: Broker, tmp_path: Path, configured: dict[str, Any]
) -> None:
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        life.hear(10)
        answer = send(asker, SECOND)
        assert answer.ok, answer.error
        assert (answer.result["stage"], answer.result["model"]["id"]) == ("installed", "second")
        assert asker.ask("status").result["model_on_trial"]
        life.hear(10 * TRIAL_WINDOWS)
        status = asker.ask("status").result
        assert not status["model_on_trial"]
        assert status["state"]["model"]["id"] == "second"
        assert status["telemetry"]["windows_scored"] == 1 + TRIAL_WINDOWS
        life.pump_until(lambda: len(model_events(asker)) == 2, "two events")
        assert [reason.split(";")[0] for reason in model_events(asker)] == [
            f"second replaced {OLD_ID}",
            f"second is confirmed after {TRIAL_WINDOWS} windows.",
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
    assert send(asker, SECOND).ok
    state = asker.ask("status").result["state"]
    assert (state["model"]["id"], state["threshold_from"]) == ("second", "model")
    assert state["threshold"] != 0.97


def test_a_proposal_is_not_applied_to_another_model(life: Life, asker: Asker) -> None:
    asker.ask("calibrate", action="start", hours=5)
    control = life.controls.calibration
    control._phase, control._proposal = "ready", Proposal(0.9, -50.0, 1.0, 5.0, 0.1, -60.0, "learnt")
    assert send(asker, SECOND).ok
    assert "learnt with another model" in str(asker.ask("calibrate", action="apply").error)
    assert life.node.detector.remote.threshold is None


def test_a_replayed_bundle_is_refused_even_after_another_one(life: Life, asker: Asker) -> None:
    for data in (SECOND, THIRD):
        assert send(asker, data).ok
        life.hear(10 * TRIAL_WINDOWS)
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
    assert asker.ask("model", action="install").result["stage"] == "installed"
    state = asker.ask("status").result["state"]
    assert (state["model"]["id"], state["staged_model"]) == ("second", None)
    assert "still on trial" in str(send(asker, THIRD).error)


def test_a_model_that_fails_on_its_first_windows_is_taken_back(life: Life, asker: Asker) -> None:
    life.hear(20, LEAK)
    before = life.node.detector.pipeline.decision.on_fraction
    assert send(asker, FAILING).result["stage"] == "installed"
    life.hear(10, QUIET)
    assert life.node.detector.model.info.model_id == OLD_ID
    assert life.node.detector.pipeline.decision.on_fraction == before
    life.hear(20, QUIET)
    assert life.node.detector.last is not None
    assert life.node.detector.last.score is not None
    life.pump_until(lambda: len(model_events(asker)) == 2, "two events")
    assert model_events(asker)[1] == f"failing was taken back for {OLD_ID}: failing gave no number for a window"
    assert "is not newer" in str(send(asker, FAILING).error)


def test_a_daemon_that_dies_of_a_new_model_comes_back_with_the_old_one(
    broker: Broker, tmp_path: Path, configured: dict[str, Any]
) -> None:
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        life.hear(1)
        assert send(asker, SECOND).ok
    for _ in range(TRIAL_STARTS):
        with living_node(broker, tmp_path, model=configured) as life:
            assert life.node.detector.model.info.model_id == "second"
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        assert life.node.detector.model.info.model_id == OLD_ID
        life.hear(1)
        life.pump_until(lambda: model_events(asker), "event")
        assert "the daemon did not survive it" in model_events(asker)[-1]


def test_a_damaged_installed_file_gives_way_to_the_one_before(tmp_path: Path, configured: dict[str, Any]) -> None:
    store = ModelStore(tmp_path, ModelOptions(**configured))
    model = store.stage(SECOND, store.load().info)
    store.install(model)
    store.confirm()
    store.path.write_bytes(SECOND[:1000])
    again = ModelStore(tmp_path, ModelOptions(**configured))
    assert again.load().info.model_id == OLD_ID
    assert "given up for the one before it" in again.returned


def test_a_model_that_a_person_configures_anew_wins(tmp_path: Path, configured: dict[str, Any]) -> None:
    options = ModelOptions(**configured)
    store = ModelStore(tmp_path / "a", options)
    store.install(store.stage(SECOND, store.load().info))
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


@pytest.mark.parametrize(("data", "extra", "says"), [
    (SECOND, ["--stage"], "second is staged"),
    (made("unsigned", "2027-01-01T00:00:00Z", key=None), [], "is not signed"),
])  # fmt: skip
def test_the_example_sender_brings_a_model(
    broker: Broker, life: Life, tmp_path: Path, data: bytes, extra: list[str], says: str
) -> None:
    (tmp_path / "model.tflite").write_bytes(data)
    script = ROOT / "examples" / "send_model.py"
    command = [sys.executable, script, f"{broker.host}:{broker.port}", "hill/pit-7", tmp_path / "model.tflite", *extra]
    sender = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    life.pump_until(lambda: sender.poll() is not None, "end of the sender")
    assert says in sender.communicate()[0]

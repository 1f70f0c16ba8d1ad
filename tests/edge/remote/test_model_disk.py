"""Models sent over MQTT on a full disk, and staged models that cannot be loaded: the node goes on and reports it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.model.tflite import ModelOptions
from leakear.edge.remote.model_store import FAULT, ModelStore, created_at
from tests.edge.remote.test_model_update import (
    OLD_ID,
    SECOND,
    THIRD,
    TRIAL_S,
    WATCH_S,
    configured,
    made,
    model_events,
    send,
)
from tests.support.broker import Broker
from tests.support.living_node import Asker, living_node
from tests.support.places import TINY

__all__ = ["configured"]


@pytest.fixture
def models(tiny_disk: Path, tmp_path: Path) -> Path:
    """The models' folder of a node, on a small disk of its own."""
    (tmp_path / "models").symlink_to(tiny_disk)
    return tiny_disk


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no byte."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(512)):
            pass
    yield
    ballast.unlink()


def staged(broker: Broker, folder: Path, configured: dict[str, Any]) -> Path:
    """Let a node take a model that then waits; returns its file."""
    with living_node(broker, folder, model=configured) as life, Asker(broker, life) as asker:
        life.hear(1)
        assert send(asker, SECOND, stage=True).ok
    (file,) = (folder / "models").glob("*.tflite")
    return file


@pytest.mark.parametrize("harm", ["damaged", "gone", "key changed"])
def test_a_staged_model_that_cannot_be_loaded_stops_no_node(
    broker: Broker, tmp_path: Path, configured: dict[str, Any], harm: str
) -> None:
    file = staged(broker, tmp_path, configured)
    model = configured
    if harm == "damaged":
        data = bytearray(file.read_bytes())
        data[len(data) // 3] ^= 1
        file.write_bytes(data)
    elif harm == "gone":
        file.unlink()
    else:  # back to a model of one's own, and another key
        key = Path(configured["public_key"]).parent / "other.pem"
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        other = Ed25519PrivateKey.generate()
        key.write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        first = tmp_path / "mine.tflite"
        first.write_bytes(made("mine", "2026-11-22T00:00:00Z", key=other))
        model = {"path": str(first), "public_key": str(key)}
    with living_node(broker, tmp_path, model=model) as life, Asker(broker, life) as asker:
        life.hear(10)
        assert life.node.detector.pipeline.scored == 1
        (said,) = life.pump_until(lambda: model_events(asker), "event")
        assert said.startswith("The staged model was given up: ")
        assert asker.ask("status").result["state"]["staged_model"] is None
        assert "No model is staged" in str(asker.ask("model", action="install").error)
    with living_node(broker, tmp_path, model=model) as life:  # and it is said only once
        life.hear(1)
        assert life.node.outbox.last_seq == 1


def test_a_damaged_staged_file_is_refused_and_forgotten(
    broker: Broker, tmp_path: Path, configured: dict[str, Any]
) -> None:
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        life.hear(1)
        send(asker, SECOND, stage=True)
        (file,) = (tmp_path / "models").glob("*.tflite")
        file.write_bytes(SECOND[:1000])
        assert "is a plain .tflite or is cut short" in str(asker.ask("model", action="install").error)
        assert asker.ask("status").result["state"]["staged_model"] is None
        assert life.node.detector.model.info.model_id == OLD_ID


def test_an_install_that_the_disk_does_not_take_changes_nothing(
    broker: Broker, tmp_path: Path, models: Path, configured: dict[str, Any]
) -> None:
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        life.hear(10)
        assert send(asker, SECOND, stage=True).ok
        with full(models):
            answer = asker.ask("model", action="install")
            assert "The disk refuses it (No space left on device)" in str(answer.error)
            status = asker.ask("status").result
            assert (status["state"]["model"]["id"], status["model_on_trial"]) == (OLD_ID, False)
            assert status["state"]["staged_model"]["id"] == "second"
            assert "The disk refuses it" in str(send(asker, THIRD).error)
            life.hear(10)
        assert model_events(asker) == []
        assert asker.ask("model", action="install").ok
        assert asker.ask("status").result["model_on_trial"]


def test_a_disk_that_fills_during_a_trial_is_a_fault_and_the_trial_goes_on(
    broker: Broker, tmp_path: Path, models: Path, configured: dict[str, Any]
) -> None:
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        life.hear(10)
        assert send(asker, SECOND).ok
        with full(models):
            life.hear(TRIAL_S)
            assert life.node.detector.model.info.model_id == OLD_ID, "a model is used only when a restart would use it"
        life.hear(20)
        assert life.node.detector.model.info.model_id == "second"
        with full(models):
            life.hear(WATCH_S)
            assert FAULT in asker.ask("status").result["state"]["faults"]
            life.pump_until(lambda: len(model_events(asker)) == 3, "three events")
            assert "second is confirmed" in model_events(asker)[2]
        life.hear(20)
        assert FAULT not in life.node.faults
    with living_node(broker, tmp_path, model=configured) as life:
        assert life.node.detector.model.info.model_id == "second"
        assert life.node.detector.beside is None


def test_a_trial_whose_starts_cannot_be_counted_is_given_up(
    broker: Broker, tmp_path: Path, models: Path, configured: dict[str, Any]
) -> None:
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        life.hear(1)
        assert send(asker, SECOND).ok
    with full(models), living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        life.hear(10)
        assert life.node.detector.model.info.model_id == OLD_ID
        life.pump_until(lambda: model_events(asker), "event")
        assert "its starts cannot be counted on this disk" in model_events(asker)[-1]
        assert FAULT in asker.ask("status").result["state"]["faults"]


def put_to_use(store: ModelStore, data: bytes) -> None:
    """Put a model to use for good."""
    store.install("installed", created_at(store.stage(data, store.reload().info).info))
    store.settle("settled")


def test_taking_a_model_back_restores_the_one_before_also_where_both_have_one_network(
    tmp_path: Path, configured: dict[str, Any]
) -> None:
    store = ModelStore(tmp_path, ModelOptions(**configured))
    put_to_use(store, SECOND)
    put_to_use(store, THIRD)
    assert store.reload().info.model_id == "third"
    store.fall_back("failed")
    assert store.reload().info.model_id == "second"


def test_an_installed_model_outlives_a_configured_one_that_cannot_be_read(
    broker: Broker, tmp_path: Path, configured: dict[str, Any]
) -> None:
    mine = tmp_path / "mine.tflite"
    mine.write_bytes(made(OLD_ID, "2026-11-22T00:00:00Z"))
    model = configured | {"path": str(mine)}
    store = ModelStore(tmp_path / "models", ModelOptions(**model))
    put_to_use(store, SECOND)
    mine.write_bytes(TINY.read_bytes()[:5000])
    with living_node(broker, tmp_path, model=model) as life, Asker(broker, life) as asker:
        life.hear(10)
        assert life.node.detector.model.info.model_id == "second"
        life.pump_until(lambda: model_events(asker), "event")
        assert "goes on, though the configured one cannot be read" in model_events(asker)[0]

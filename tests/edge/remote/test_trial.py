"""The trial of a model on a real broker: bad models never come to decide, or lose their place again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.errors import ConfigError, ModelError
from leakear.edge.messages.reports import CommandResult, State
from leakear.edge.model import bundle
from leakear.edge.node.checks import OK, model
from leakear.edge.remote import onsite
from leakear.edge.remote.ledger import KEPT, Ledger
from tests.edge.node.test_reload import changed
from tests.edge.remote.test_model_update import (
    BASE,
    FAILING,
    KEY,
    OLD_ID,
    SECOND,
    THIRD,
    TRIAL_S,
    configured,
    made,
    model_events,
    send,
)
from tests.support.broker import Broker
from tests.support.living_node import LEAK, QUIET, Asker, Life, living_node

__all__ = ["configured"]

ALWAYS = made("always", "2026-12-05T00:00:00Z", threshold=1e-9)
NEVER = made("never", "2026-12-05T00:00:00Z", threshold=1 - 1e-9)
NERVOUS = made("nervous", "2026-12-05T00:00:00Z", threshold=0.02)
MEDIUM = 1e-3
"""RMS of noise that the nervous model hears as a leak, and the others as quiet"""


@pytest.fixture
def life(broker: Broker, tmp_path: Path, configured: dict[str, Any]) -> Iterator[Life]:
    with living_node(broker, tmp_path, model=configured) as it:
        it.hear(10)
        yield it


@pytest.fixture
def asker(broker: Broker, life: Life) -> Iterator[Asker]:
    with Asker(broker, life) as it:
        yield it


def in_use(life: Life) -> str:
    return life.node.detector.model.info.model_id


def states(asker: Asker) -> set[str]:
    return {State.from_json(message.payload).state for message in asker.seen.on("leakear/hill/pit-7/state")}


@pytest.mark.parametrize(
    ("bad", "rms", "why"),
    [(ALWAYS, QUIET, "it alone hears a leak in"), (NEVER, LEAK, "no alert in"), (FAILING, QUIET, "no number")],
    ids=["always", "never", "nan"],
)
def test_a_bad_model_does_not_pass_its_trial_and_never_decides(
    life: Life, asker: Asker, bad: bytes, rms: float, why: str
) -> None:
    life.hear(10, rms)
    assert send(asker, bad).result["stage"] == "trial"
    life.hear(TRIAL_S, rms)
    assert (in_use(life), life.node.detector.beside) == (OLD_ID, None)
    life.pump_until(lambda: len(model_events(asker)) == 2, "two events")
    assert "did not pass its trial" in model_events(asker)[1]
    assert why in model_events(asker)[1]
    assert ("WARNING" in states(asker)) == (rms == LEAK), "what is announced is what the old model decides"


def test_a_restless_model_that_passed_its_trial_loses_its_place(
    broker: Broker, tmp_path: Path, configured: dict[str, Any]
) -> None:
    with living_node(broker, tmp_path, model=configured | {"watch_h": 1}) as life, Asker(broker, life) as asker:
        life.hear(10)
        assert send(asker, NERVOUS).ok
        life.hear(TRIAL_S)
        assert in_use(life) == "nervous"
        for _ in range(4):
            assert in_use(life) == "nervous"
            life.hear(70, MEDIUM)
            life.hear(60)
        assert in_use(life) == OLD_ID
        life.pump_until(lambda: len(model_events(asker)) == 3, "three events")
        assert f"nervous was taken back for {OLD_ID}: it began 4 alerts within" in model_events(asker)[2]
        assert "is not newer" in str(send(asker, NERVOUS).error)


def test_a_trial_goes_on_after_a_restart(broker: Broker, tmp_path: Path, configured: dict[str, Any]) -> None:
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        life.hear(10)
        assert send(asker, SECOND).ok
        life.hear(50)
    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        beside = life.node.detector.beside
        assert beside is not None
        assert beside.heard_s == 50
        life.hear(TRIAL_S - 50)
        assert in_use(life) == "second"
        life.hear(30)
    with living_node(broker, tmp_path, model=configured) as life:
        beside = life.node.detector.beside
        assert beside is not None
        assert (beside.decides, beside.heard_s, beside.model.info.model_id) == (True, 30, OLD_ID)


def test_settings_that_do_not_fit_the_model_on_trial_are_refused_and_it_comes_to_use(life: Life, asker: Asker) -> None:
    """They ended the daemon when the trial was passed, and every start after it."""
    assert send(asker, made("brief", "2026-12-05T00:00:00Z", on_fraction=0.7, rise_s=11)).ok
    life.node.reloader.reload(changed(life, decision={"clear_s": 60}))
    rule = life.node.detector.rule
    with pytest.raises(ConfigError, match=r"release_fraction < on_fraction.* \(by the rule of brief"):
        life.node.reloader.reload(changed(life, decision={"clear_s": 60, "release_fraction": 0.8}))
    assert "rise_s is shorter than one step of 15 s" in str(asker.ask("set", step_s=15).error)
    assert (life.node.detector.rule, life.node.detector.pipeline.step_s) == (rule, 10)
    life.node.reloader.reload(changed(life, decision={"release_fraction": 0.6}))
    life.hear(TRIAL_S)
    assert (in_use(life), life.node.detector.rule.on_fraction) == ("brief", 0.7)


@pytest.mark.parametrize("trial", [True, False])
def test_a_model_of_another_window_cannot_be_compared_and_ends_nothing(
    life: Life, asker: Asker, *, trial: bool
) -> None:
    info = dict(BASE.info.raw)
    info["model"] = {"id": "short", "name": "short", "created": "2026-12-05T00:00:00Z", "version": "1"}
    info["spectrogram"] = info["spectrogram"] | {"window_seconds": 5.0, "hop_length": 256}  # of the same shape
    plain = bundle.assemble(BASE.flatbuffer, info, BASE.golden_inputs, BASE.golden_logits)
    assert send(asker, bundle.signed(plain, KEY.sign), trial=trial).ok
    life.hear(20)
    life.pump_until(lambda: len(model_events(asker)) == 2, "two events")
    assert "takes windows of another length than the model in use" in model_events(asker)[1]
    assert (in_use(life), life.node.detector.beside) == (OLD_ID if trial else "short", None)


def test_a_person_who_calls_an_alert_no_leak_is_believed_in_the_comparison(life: Life, asker: Asker) -> None:
    assert send(asker, NEVER).ok
    life.hear(20, LEAK)
    beside = life.node.detector.beside
    assert beside is not None
    assert beside.comparison.only_old_on_s == 20
    life.node.detector.accept()
    assert beside.comparison.only_old_on_s == 0


def test_a_new_model_may_be_tried_while_the_last_one_is_still_watched(life: Life, asker: Asker) -> None:
    assert send(asker, SECOND).ok
    life.hear(TRIAL_S)
    assert send(asker, THIRD).result["stage"] == "trial"
    life.hear(TRIAL_S)
    assert in_use(life) == "third"


def test_back_to_any_model_that_was_in_use_and_to_the_factory_model_from_afar(life: Life, asker: Asker) -> None:
    assert "No other model was in use here before" in str(asker.ask("model", action="rollback").error)
    for data in (SECOND, THIRD):
        assert send(asker, data, trial=False).ok
    back = asker.ask("model", action="rollback")
    assert (back.result["stage"], back.result["model"]["id"], in_use(life)) == ("rolled back", "second", "second")
    assert asker.ask("status").result["state"]["model_trial"] is None, "a person has chosen it"
    models = asker.ask("model", action="list").result["models"]
    assert [(found["id"], found["use"]) for found in models][:2] == [("second", "in use"), ("third", "before")]
    assert {"configured", "factory"} <= {found["use"] for found in models}
    assert asker.ask("model", action="rollback", to=OLD_ID).result["model"]["id"] == OLD_ID
    assert asker.ask("model", action="rollback", to="third").result["model"]["id"] == "third"
    assert asker.ask("model", action="rollback", to="factory").ok
    assert in_use(life).startswith("factory-")
    assert asker.ask("selftest").result["checks"][0]["ok"]
    assert "There are: " in str(asker.ask("model", action="rollback", to="nobody").error)
    assert "is not newer" in str(send(asker, SECOND).error), "replayed bundles are no updates, before and after"
    life.pump_until(lambda: len(model_events(asker)) == 6, "six events")
    assert model_events(asker)[2] == "second is in use again instead of third: asked from afar."


def test_a_trial_is_ended_by_naming_the_model_in_use(life: Life, asker: Asker) -> None:
    assert send(asker, SECOND).ok
    refused = str(asker.ask("model", action="rollback").error)
    assert refused.endswith(f"to end the trial, name the model in use, {OLD_ID}.")
    assert f"end it: roll back to {OLD_ID}" in str(send(asker, THIRD).error)
    assert asker.ask("model", action="rollback", to=OLD_ID).result["model"]["id"] == OLD_ID
    assert (in_use(life), life.node.detector.beside) == (OLD_ID, None)
    life.pump_until(lambda: len(model_events(asker)) == 2, "two events")
    assert model_events(asker)[1] == f"{OLD_ID} stays in use, the trial of second is over: asked from afar."


def test_back_on_site(broker: Broker, tmp_path: Path, configured: dict[str, Any]) -> None:
    def asked(life: Life, **request: Any) -> CommandResult:
        onsite.ask(tmp_path, "r1", "model", {"action": "rollback", **request})
        life.hear(2)
        answer = onsite.answer(tmp_path, "r1")
        assert answer is not None
        return answer

    with living_node(broker, tmp_path, model=configured) as life, Asker(broker, life) as asker:
        life.hear(10)
        assert send(asker, SECOND, trial=False).ok
        assert asked(life).result["model"]["id"] == OLD_ID
        assert "There are: " in str(asked(life, to="nobody").error)
        assert "unknown" in str(asked(life, what=3).error)
        onsite.ask(tmp_path, "r1", "set", {"threshold": 0.9})
        life.hear(2)
        assert "no command" in str(onsite.answer(tmp_path, "r1").error)  # type: ignore[union-attr]
        for text in ("no JSON", "[]", "{}"):
            (tmp_path / onsite.ASK).write_text(text)
            life.hear(2)
        assert in_use(life) == OLD_ID
        life.pump_until(lambda: len(model_events(asker)) == 2, "two events")
        assert model_events(asker)[1] == f"{OLD_ID} is in use again instead of second: asked on site."
    onsite.ask(tmp_path, "r2", "model", {"action": "rollback", "to": "second"})
    with living_node(broker, tmp_path, model=configured) as life:
        life.hear(1)
        assert in_use(life) == "second"
    with living_node(broker, tmp_path, model=configured) as life:
        assert in_use(life) == "second"


def test_a_node_with_a_key_and_the_factory_model_is_in_order(
    broker: Broker, tmp_path: Path, configured: dict[str, Any]
) -> None:
    with living_node(broker, tmp_path, model={"path": "", "public_key": configured["public_key"]}) as life:
        with Asker(broker, life) as asker:
            life.hear(10)
            assert asker.ask("selftest").result["checks"][0]["ok"]
            assert "is not signed" in str(send(asker, made("unsigned", "2027-01-01T00:00:00Z", key=None)).error)
        finding, _ = model(life.controls._store.reload)
        assert finding.status == OK


def test_only_so_many_models_are_kept(tmp_path: Path) -> None:
    ledger = Ledger()
    for number in range(9):
        ledger = ledger.in_use(f"{number}.tflite")
    assert ledger.before == tuple(f"{number}.tflite" for number in range(7, 7 - KEPT, -1))


def test_a_ledger_of_version_0_1_is_read() -> None:
    old = {"configured": "c", "installed": "b.tflite", "previous": "a.tflite", "staged": "", "starts": 1, "newest": 5.0}
    read = Ledger.from_json(json.dumps(old | {"trial": True}).encode())
    assert read == Ledger("c", "b.tflite", ("a.tflite",), watched=True, starts=1, newest=5.0)
    assert Ledger.from_json(read.to_json()) == read
    for damaged in ({"installed": 3}, {"before": [3]}, {"what": 1}, []):
        with pytest.raises((ValueError, TypeError)):
            Ledger.from_json(json.dumps(damaged).encode())


def test_a_kept_model_that_is_damaged_is_not_returned_to(life: Life, asker: Asker) -> None:
    for data in (SECOND, THIRD):
        assert send(asker, data, trial=False).ok
    store = life.controls._store
    store.file(store.ledger.before[0]).write_bytes(SECOND[:1000])
    assert "is cut short" in str(asker.ask("model", action="rollback").error)
    assert in_use(life) == "third"
    with pytest.raises(ModelError):
        store.read(store.file(store.ledger.before[0]))


def test_a_warning_goes_on_over_a_sleep_for_both_models(
    broker: Broker, tmp_path: Path, configured: dict[str, Any]
) -> None:
    """Else a new model that is as good as the old one would lose its trial at a node with listening hours."""
    rule = {"confirm_s": 3600}
    with (
        living_node(broker, tmp_path, model=configured | {"trial_h": 1}, decision=rule) as life,
        Asker(broker, life) as asker,
    ):
        life.hear(10)
        assert send(asker, SECOND).result["stage"] == "trial"
        life.hear(80, LEAK)
        node = life.node
        for _ in range(2):
            assert node.detector.pipeline.decision.state.value == "WARNING"
            node.fall_asleep(node.reporter.now[1] + 22 * 3600)
            life.sleep(22 * 3600)
            node.wake()
            life.hear(40, LEAK)
        beside = node.detector.beside
        assert beside is not None
        assert beside.comparison.only_old_alert_s == 0


def test_a_model_that_fails_is_taken_back_though_the_file_of_the_one_before_is_gone(
    broker: Broker, tmp_path: Path, configured: dict[str, Any]
) -> None:
    """Somebody has tidied up /etc: the node goes on with what it has in memory, and says what the next start needs."""
    path = tmp_path / "first.tflite"
    path.write_bytes(Path(configured["path"]).read_bytes())
    with living_node(broker, tmp_path, model=configured | {"path": str(path)}) as life, Asker(broker, life) as asker:
        life.hear(10)
        assert send(asker, FAILING, trial=False).ok
        path.unlink()
        life.hear(70, LEAK)
        assert in_use(life) == OLD_ID
        assert life.node.detector.pipeline.decision.state.value == "WARNING"
        life.pump_until(lambda: len(model_events(asker)) == 2, "two events")
        assert "failing was taken back for" in model_events(asker)[1]
        assert "first.tflite" in life.node.faults["model_file"]
        path.write_bytes(Path(configured["path"]).read_bytes())
        asker.ask("selftest")
        assert "model_file" not in life.node.faults

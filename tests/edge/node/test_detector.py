"""The detector's changes: all or nothing, and nothing published by itself."""

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.background.entries import ENOUGH
from leakear.edge.errors import ConfigError, ModelError
from leakear.edge.model.tflite import Model
from leakear.edge.node.detector import ONLY_LOUD_ALERTS, SENTENCES, Detector
from leakear.edge.node.trial.scorer import TrialScorer
from leakear.edge.settings import Settings
from tests.support.living_node import LEAK, RULE
from tests.support.places import TINY


@pytest.fixture
def detector() -> Detector:
    given = {"model": {"path": str(TINY)}, "decision": RULE}
    return Detector(Model.load(TINY), Settings.from_mapping(given, "test", {}))


def test_a_step_that_does_not_fit_changes_nothing(detector: Detector) -> None:
    pipeline = detector.pipeline
    with pytest.raises(ConfigError, match="fewer than three windows"):
        detector.refit(0.0, step_s=30.0)
    assert detector.pipeline is pipeline
    assert detector.remote.step_s is None


def test_a_rule_that_does_not_fit_changes_nothing(detector: Detector) -> None:
    rule = detector.pipeline.decision.rule
    with pytest.raises(ConfigError):
        detector.reconfigure({**RULE, "clear_s": 1})
    assert detector.pipeline.decision.rule == rule
    assert detector.threshold_from == "model"


def test_another_configured_threshold_drops_the_remote_one_and_says_so_once(detector: Detector) -> None:
    detector.set_threshold(0.9, -60.0)
    assert (detector.threshold_from, detector.level_gate_dbfs) == ("remote", -60.0)
    detector.reconfigure({**RULE, "threshold": 0.6})
    (notice,) = detector.take_notices()
    assert "set remotely are dropped" in notice
    assert detector.take_notices() == []
    assert (detector.pipeline.decision.rule.threshold, detector.level_gate_dbfs) == (0.6, None)
    assert detector.threshold_from == "site"


def test_reset_returns_to_the_configured_rule(detector: Detector) -> None:
    before = detector.pipeline.decision.rule
    detector.set_threshold(0.9)
    detector.reset_tuning()
    assert detector.pipeline.decision.rule == before


def test_another_step_keeps_a_model_on_trial(detector: Detector) -> None:
    detector.distrust()
    detector.put_beside(Model.load(TINY), 0.0, decides=True, length_s=60)
    detector.refit(0.0, step_s=5.0)
    assert isinstance(detector.pipeline.model, TrialScorer)
    trial = detector.trial(1.8e9)
    assert trial is not None
    assert (trial.model, trial.beside, trial.ends_utc) == (detector.model_ref, detector.model_ref, 1.8e9 + 60)
    detector.trust()
    assert detector.pipeline.model is detector.model


def test_another_step_goes_on_with_what_was_learned_and_counted(detector: Detector) -> None:
    list(detector.push(SensorFault("no_device", "no microphone is plugged in", 5.0, 1.8e9)))
    detector.pipeline.scored = 7
    detector.refit(6.0, step_s=5.0)
    assert detector.pipeline.step_s == pytest.approx(5, abs=0.02)
    assert (detector.pipeline.decision.state, detector.pipeline.scored) == ("SENSOR_FAULT", 7)


def test_another_model_of_the_same_form_goes_on_too(detector: Detector) -> None:
    detector.distrust()
    detector.pipeline.scored = 7
    model = Model.load(TINY)
    detector.refit(6.0, model)
    assert (detector.model, detector.pipeline.model, detector.pipeline.scored) == (model, model, 7)


def test_a_snapshot_restores_settings_and_what_was_learnt(detector: Detector) -> None:
    detector.set_threshold(0.9)
    detector.mute(2e9)
    saved = detector.snapshot()
    again = Detector(detector.model, Settings.from_mapping({"decision": RULE}, "test", {}))
    again.restore_remote(saved, 0.0)
    again.restore(saved["pipeline"], 10.0, 0.0)
    assert again.snapshot() == saved
    assert again.muted_until(1.9e9) == 2e9
    assert again.muted_until(2.1e9) is None


def test_a_fault_of_the_sensor_keeps_the_sentence_of_its_source(detector: Detector) -> None:
    assert detector.faults == {}
    for name, message in (("no_device", "no microphone is plugged in"), ("stuck", "")):
        list(detector.push(SensorFault(name, message, 5.0, 1.8e9)))
        assert detector.last is not None
        assert detector.faults == {name: message or SENTENCES[name]}


@pytest.mark.parametrize(
    ("decision", "source"),
    [({}, "model"), ({"threshold": 0.6}, "site"), ({"level_gate_dbfs": -70}, "site"), ({"clear_s": 40}, "model")],
)
def test_it_is_known_who_chose_the_threshold(decision: dict[str, Any], source: str) -> None:
    given = {"model": {"path": str(TINY)}, "decision": RULE | decision}
    assert Detector(Model.load(TINY), Settings.from_mapping(given, "test", {})).threshold_from == source


def test_a_remote_threshold_and_a_remote_gate_leave_each_other_as_they_are(detector: Detector) -> None:
    detector.set_threshold(0.9)
    assert (detector.threshold_from, detector.level_gate_dbfs) == ("remote", None)
    detector.set_threshold(None, -50.0)
    rule = detector.pipeline.decision.rule
    assert (rule.threshold, rule.level_gate_dbfs) == (0.9, -50.0)
    detector.reset_tuning()
    detector.set_threshold(None, -50.0)
    assert detector.threshold_from == "remote", "a gate alone is remote too"


def test_a_remote_threshold_stays_while_other_keys_change(detector: Detector) -> None:
    detector.set_threshold(0.9)
    detector.reconfigure({**RULE, "clear_s": 40})
    rule = detector.pipeline.decision.rule
    assert (rule.threshold, rule.clear_s, detector.take_notices()) == (0.9, 40, [])


def test_a_remote_step_that_no_longer_fits_is_dropped(detector: Detector, caplog: pytest.LogCaptureFixture) -> None:
    detector.restore_remote({"memory": {"step_s": 30.0, "threshold": 0.9}}, 0.0)
    assert (detector.remote.step_s, detector.pipeline.step_s) == (None, 10.0)
    assert detector.pipeline.decision.rule.threshold == 0.9
    assert "no longer fits" in caplog.text


def test_a_remote_step_is_taken_over(detector: Detector) -> None:
    detector.restore_remote({"memory": {"step_s": 5.0}}, 0.0)
    assert detector.pipeline.step_s == pytest.approx(5, abs=0.02)
    assert detector.snapshot()["memory"]["step_s"] == 5.0


def test_a_model_is_named_by_its_id_and_hash(detector: Detector) -> None:
    info = detector.model.info
    assert (detector.model_ref.id, detector.model_ref.sha256) == (info.model_id, info.flatbuffer_sha256)


@pytest.mark.parametrize("answer", [math.nan, math.inf, ZeroDivisionError("a bug")])
def test_every_failure_of_a_model_on_trial_is_a_model_error(answer: Any) -> None:
    def score(_: object) -> float:
        if isinstance(answer, Exception):
            raise answer
        return cast("float", answer)

    trial = TrialScorer(cast("Model", SimpleNamespace(score=score, info=SimpleNamespace(model_id="m1"))))
    with pytest.raises(ModelError, match="m1"):
        trial.score(np.zeros((1, 1), np.float32))


def test_a_model_on_trial_that_works_gives_its_score() -> None:
    assert TrialScorer(cast("Model", SimpleNamespace(score=lambda _: 0.3))).score(np.zeros((1, 1), np.float32)) == 0.3


def test_a_node_that_tells_little_until_it_knows_its_place_says_so(detector: Detector) -> None:
    """A verdict in the first days silences faint leaks that begin later, too, until the background is known."""
    noise = np.random.default_rng(3)

    def hear(windows: range) -> None:
        for k in windows:
            sound = (LEAK * noise.standard_normal(22050 * 10)).astype(np.float32)
            list(detector.push(Block(k * len(sound), sound, 1.8e9 + 10 * k, 1000.0 + 10 * k)))

    hear(range(10))
    assert detector.pipeline.decision.leak_suspected
    detector.accept()
    hear(range(10, 30))
    assert not detector.pipeline.decision.leak_suspected
    assert "an alert can come only of a steady sound" in detector.faults[ONLY_LOUD_ALERTS]
    again = Detector(detector.model, Settings.from_mapping({"decision": RULE}, "test", {}))
    again.restore(detector.snapshot()["pipeline"], 2000.0, 0.0)
    assert ONLY_LOUD_ALERTS in again.faults
    now = detector.pipeline.background.now
    assert now is not None
    detector.pipeline.background.entries.learn(np.tile(now, (ENOUGH, 1)))
    assert detector.faults == {}

"""The detector's changes: all or nothing, and nothing published by itself."""

import pytest

from leakear.edge.errors import ConfigError
from leakear.edge.model.tflite import Model
from leakear.edge.node.detector import Detector
from leakear.edge.settings import Settings
from tests.support.living_node import RULE
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
    detector.begin_trial()
    detector.refit(0.0, step_s=5.0)
    assert detector.on_trial
    detector.end_trial()
    assert not detector.on_trial


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

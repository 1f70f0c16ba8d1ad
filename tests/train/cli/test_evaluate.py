"""What `evaluate` says of recordings that the model was trained on."""

from typing import Any

from leakear.train.cli.model import evaluate
from leakear.train.cli.model.evaluate import Alerts


def report(**more: Any) -> dict[str, Any]:
    alerts = [Alerts("a.wav", "Leak", None, 0.9, 1, 1, 1.0), Alerts("b.wav", "NoLeak", None, 0.1, 0, 0, 1.0)]
    return evaluate.summarise(alerts) | {"recordings": [vars(part) for part in alerts], **more}


def test_recordings_that_trained_the_model_are_named() -> None:
    said = evaluate.text(report(trained_on=["a.wav"], trained_on_known=True))
    assert "1 of 2 recordings trained this model" in said
    assert said.endswith("the first is a.wav")
    assert "trained" not in evaluate.text(report(trained_on=[], trained_on_known=True))


def test_a_model_file_that_does_not_tell_is_said_so() -> None:
    assert "does not say which recordings trained it" in evaluate.text(report(trained_on=[], trained_on_known=False))

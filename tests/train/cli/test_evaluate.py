"""What `evaluate` says of recordings that the model was trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from leakear.train import cli
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


def test_what_is_heard_of_several_channels_and_why_there_is_no_score_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loud = 0.1 * np.random.default_rng(1).standard_normal((11 * 22050, 1))
    for name, samples in (("Leak/a", np.hstack([loud, 0 * loud])), ("Leak/dead", 0 * loud), ("NoLeak/b", loud)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"{name}.wav", samples, 22050)
    (tmp_path / "NoLeak" / "bad.wav").write_bytes(b"RIFF")
    assert cli.main(["evaluate", str(tmp_path), "--minutes", "0.2", "--channel", "all"]) == 0
    said = capsys.readouterr().out
    assert "1 recording has 2 channels; heard: each channel by itself (--channel N|mix|all)" in said
    assert said.count("Leak/a.wav") == 2
    assert "Leak/dead.wav  (digital_silence)" in said
    assert "2 recordings have no score: a node would report a fault" in said
    assert said.count("bad.wav: ") == 1


def test_a_model_file_that_does_not_tell_is_said_so() -> None:
    assert "does not say which recordings trained it" in evaluate.text(report(trained_on=[], trained_on_known=False))

"""`leakear-train background`: leaks against other sounds, at random gains and in one band."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.edge.errors import InputDataError
from leakear.edge.model.tflite import FACTORY
from leakear.edge.spectrogram import spectrogram
from leakear.train import cli
from leakear.train.cli.model import background, beside
from leakear.train.cli.model.background import Heard
from leakear.train.data import clips
from leakear.train.data.dataset import Recording
from leakear.train.networks import compact


def test_running_water_is_reported_apart_and_sources_are_groups() -> None:
    found = [Heard("s1", True, 0.9), Heard("s2", True, 0.8), Heard("1-5-A", False, 0.1), Heard("1-5-B", False, 0.85)]
    report = background.summarise([*found, Heard("running_tap", False, 0.95)], ("running_tap",), 0.5)
    assert report["other"]["auc"] == pytest.approx(0.75)
    assert report["flow"]["auc"] == 0
    assert report["leaks"] == {"windows": 2, "at_threshold": 1.0}
    assert [part["file"] for part in report["files"]] == ["1-5-A", "1-5-B", "running_tap"]
    assert "| **running water** | 1 | 0.000" in background.text(report)


def test_windows_are_spread_over_a_long_sound_and_a_short_one_goes_round() -> None:
    ramp = np.arange(1000, dtype=np.float32)
    assert [int(part[0]) for part in background._spread(ramp, 100, 3)] == [0, 450, 900]
    assert [len(part) for part in background._spread(ramp, 3000, 3)] == [3000]


def test_the_command_prints_a_table(hk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("Leak", "NoLeak"):
        (tmp_path / "data" / label).mkdir(parents=True)
        name = {"Leak": "Leak-Metal/004_07573-20180817.wav", "NoLeak": "NoLeak-Metal/05540_20200725_1145.wav"}[label]
        (tmp_path / "data" / label / "1.wav").write_bytes((hk / name).read_bytes())
    (tmp_path / "noises").mkdir()
    clicks = np.zeros(4 * 22050)
    clicks[::9000] = 0.5
    soundfile.write(tmp_path / "noises" / "clicks.wav", clicks, 22050)
    out = tmp_path / "out.json"
    words = [
        "background",
        str(tmp_path / "data"),
        str(tmp_path / "noises"),
        "--model",
        str(FACTORY),
        "--json",
        str(out),
    ]
    assert cli.main(words) == 0
    assert "| clicks | 1 |" in capsys.readouterr().out
    assert json.loads(out.read_text())["leaks"]["windows"] == 1


def test_simple_detectors_score_the_same_windows_and_are_compared() -> None:
    leaks = [Heard("s1", True, 0.9, {"bands": 0.1}), Heard("s2", True, 0.8, {"bands": 0.4})]
    others = [Heard("a", False, 0.2, {"bands": 0.3}), Heard("b", False, 0.1, {"bands": 0.0})]
    found = background.summarise([*leaks, *others], (), 0.5)
    assert found["other"]["beside"]["bands"]["auc"].startswith("0.750")
    assert found["other"]["beside"]["bands"]["model_better_by"].startswith("0.250")
    assert "| bands | 0.750" in background.text(found)


def test_the_statistic_and_a_linear_model_are_trained_on_the_other_folds(recordings: list[Recording]) -> None:
    spec = compact.SPEC
    simple = beside.scorers(("statistic", "bands"), spec, recordings[:-2], None, Path())
    rng = np.random.default_rng(0)
    hiss = spectrogram(rng.normal(0, 0.05, spec.window_samples).astype(np.float32), spec)
    leak = next(clips.windows(next(r for r in recordings if r.target).path, spec))
    assert simple["bands"](spectrogram(leak, spec)) > 0
    assert np.isfinite(simple["statistic"](hiss))


def test_a_fold_without_a_leak_is_refused(hk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["background", str(hk), str(tmp_path), "--fold", "9"]) == 65
    assert "at least one leak and one sound" in capsys.readouterr().err


def test_a_linear_model_without_other_folds_is_refused() -> None:
    with pytest.raises(InputDataError, match="say with --fold"):
        beside.scorers(("bands",), compact.SPEC, [], None, Path())

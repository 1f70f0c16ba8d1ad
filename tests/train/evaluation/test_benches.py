"""The benches of the network's case run from their command line to their last line, on made-up sounds."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench import gain_days, gain_free, network_case, shipped_run, what_limits
from bench.gain_free import Linear, Sum
from leakear.edge.decision.rule import DecisionRule
from leakear.edge.model.tflite import FACTORY, Model
from leakear.train import runfolder
from leakear.train.cli import factory
from leakear.train.networks import factory as weights
from leakear.train.nodedays import report
from leakear.train.nodedays.real_runs import Plan, run
from leakear.train.nodedays.runs import FileModel
from leakear.train.training.pretraining import FitOptions
from tests.support import factory_data
from tests.support.places import TINY
from tests.support.sounds import make

FEW = [Sum("few", False, "unsteady, range, all", "balance, centroid", 0.5), Linear("linear", True, ("bands",), 0.01)]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A data folder of the factory's form, with few simulated sites and few steps."""
    data = tmp_path / "data"
    data.mkdir()
    factory_data.write(data)
    factory_data.few_sites(monkeypatch)
    monkeypatch.setattr(factory, "FitOptions", lambda seed: replace(FitOptions(pretrain_epochs=1, steps=2), seed=seed))
    return data


def call(monkeypatch: pytest.MonkeyPatch, bench: object, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", *map(str, words)])
    bench.main()  # type: ignore[attr-defined]


def test_what_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "recordings"
    found = make(folder)
    with (folder / "manifest.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "label", "site", "fold"])
        other = {"Leak": "NoLeak", "NoLeak": "Leak"}
        for one in found:  # two sites under the wrong label, so that every detector has errors
            kind = ("NoLeak", "Leak")[one.target]
            told = other[kind] if one.site in ("s04", "s05") else kind
            rows.writerow([str(one.path.relative_to(folder)), told, one.site, one.fold])
    scores = tmp_path / "scores.json"
    scores.write_text(json.dumps({one.name: float(one.target) for one in found}))
    monkeypatch.setattr(gain_free, "family", lambda: FEW)
    monkeypatch.setattr(what_limits, "DRAWS", 200)
    call(monkeypatch, what_limits, folder, "--draws", 1, "--network", scores)
    said = capsys.readouterr().out
    headings = [line for line in said.splitlines() if line.startswith("## ")]
    assert len(headings) == 5, said
    assert "1 sums, every label in sight: best" in said
    assert "1 fitted ones, by fold: best" in said
    assert "network" in said.partition("## Files on the wrong side")[2]
    assert "nan" not in said


def test_gain_days(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, sounds = np.random.default_rng(3), tmp_path / "sounds" / "long"
    sounds.mkdir(parents=True)
    soundfile.write(sounds / "bar.wav", 0.02 * rng.standard_normal(12 * 22050), 22050)
    for gain in (0, -20):
        plan = Plan(
            out=tmp_path / str(gain), model=FileModel(TINY), folders=(sounds.parent,), nodes=1, step_s=60.0, before=0,
            day_s=3600.0, dry=True, gain_db=float(gain),
        )  # fmt: skip
        found = report.report(run(plan, jobs=1), DecisionRule(), sweep=False)
        (plan.out / "report.json").write_text(json.dumps(found))
    call(monkeypatch, gain_days, tmp_path / "0", tmp_path / "-20")
    said = capsys.readouterr().out
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith(("| 0 ", "| -20 "))]
    assert len(rows) == 2, said
    assert rows[0][4:] == ["yes", "0 min |"], "the first folder is what the others are compared with"
    assert "-20 and 0, not clipped: " in said
    assert "-20 and 0, clipped: no windows" in said


def test_shipped_run(small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    call(monkeypatch, shipped_run, small, tmp_path / "run")
    made = runfolder.load_run(tmp_path / "run")
    info = Model.load(FACTORY).info
    assert (made.info.name, made.info.threshold) == ("factory", info.raw["training"]["threshold"])
    assert made.info.spectrogram == info.spec
    for name in (runfolder.CALIBRATION, runfolder.HELDOUT):
        assert len(made.examples(name).codes)
    import keras

    kept = keras.models.load_model(made.model_path, compile=False)
    for one, other in zip(kept.get_weights(), weights.load().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_network_case(
    small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(7)
    for name in ("long/dryer.wav", "long/running_tap.wav", "speech-commands-noise/hum.wav"):
        path = small / "background" / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, 0.05 * rng.standard_normal(25 * 16000), 16000, "PCM_16")
    words = ["--out", tmp_path / "case", "--variant", "recipe", "--variant", "no recordings"]
    call(monkeypatch, network_case, small, *words)
    said = capsys.readouterr().out
    for name in ("statistic, untrained", "recipe", "no recordings", "recipe, mean of 1 seeds"):
        assert f"| {name} |" in said, said
    for kind in ("new sounds", "running water", "ESC-10 held out"):
        assert kind in said
    assert "nan" not in said
    scores = json.loads((tmp_path / "case" / "scores.json").read_text())
    assert len(scores) == 8
    assert np.isfinite(list(scores.values())).all()

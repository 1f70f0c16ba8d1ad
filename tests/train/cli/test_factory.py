"""`leakear-train factory` on a small data set: the folds, the run folder, and the model file."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from leakear.edge.errors import InputDataError, LeakearError
from leakear.edge.model.tflite import Model
from leakear.train import cli, runfolder
from leakear.train.cli import factory
from leakear.train.cli.factory import TrainingData
from leakear.train.runfolder import CALIBRATION, HELDOUT, Examples
from leakear.train.training.pooled_windows import PooledWindows
from leakear.train.training.pretraining import FitOptions
from tests.support import factory_data

SHORT = FitOptions(pretrain_epochs=1, steps=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    factory_data.write(folder)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """A handful of simulated sites and steps instead of hundreds."""
    with pytest.MonkeyPatch.context() as patch:
        factory_data.few_sites(patch)
        patch.setattr(factory, "FitOptions", lambda seed: replace(SHORT, seed=seed))
        yield


@pytest.fixture(scope="module")
def data(folder: Path, cache: Path) -> TrainingData:
    return factory.load(folder / "hk-noise-loggers", folder / "background" / "esc-10", cache, seed=42)


def test_no_fold_is_scored_by_a_network_trained_on_its_sites(data: TrainingData) -> None:
    pretrained, training_sites = data.pretrained, []

    def fit(real: PooledWindows) -> Any:
        training_sites.append(set(real.sites.tolist()))
        return pretrained.fit(real)

    folds = np.array([r.fold for r in data.real.recordings])
    spied = replace(data, pretrained=SimpleNamespace(fit=fit))
    held = factory.held_out(spied, PooledWindows.of(data.real.windows), folds)
    test_sites = [
        set(data.real.windows.sites[data.real.rows(np.flatnonzero(folds == fold), copies=True)].tolist())
        for fold in (0, 1)
    ]
    assert len(training_sites) == 2
    assert all(not train & test for train, test in zip(training_sites, test_sites, strict=True))
    np.testing.assert_array_equal(np.isfinite(held), data.real.copy == 0)


def test_simulated_sites_for_evaluation_are_not_trained_on(data: TrainingData) -> None:
    assert not set(data.simulated.sites) & set(data.held.sites)
    plan = factory.SIMULATED
    assert plan.first_site + plan.sites <= factory.HELD_SITES.first_site


def test_the_run_folder_is_complete_and_describes_its_data(data: TrainingData, tmp_path: Path) -> None:
    run = factory.train(data, tmp_path / "run")
    assert runfolder.load_run(tmp_path / "run").info == run.info
    assert run.info.threshold == factory.THRESHOLD
    assert run.info.temperature > 0
    assert set(run.info.metrics) == {
        "recordings",
        "recordings_windows",
        "simulated_windows",
        "leaks_and_background",
    }
    assert run.info.metrics["recordings"]["count"] == 8
    assert run.info.metrics["simulated_windows"]["count"] == 16
    assert run.info.data["files"]["train"] == {"NoLeak": 4, "Leak": 4}
    assert run.info.data["sites"] == 4
    assert any("CC BY 4.0" in line for line in run.info.attribution)
    for name, simulated in ((CALIBRATION, data.simulated), (HELDOUT, data.held)):
        kept = run.examples(name)
        sound = np.array([file.startswith("background") for file in kept.files])
        assert (kept.labels[~sound] == 1).sum() == (kept.labels[~sound] == 0).sum()
        assert sound.any()
        assert not kept.labels[sound].any()
        theirs = [codes for codes, file in zip(kept.codes, kept.files, strict=True) if file.startswith("simulated")]
        assert len(theirs) == len(simulated) == 16
        assert {codes.tobytes() for codes in theirs} == {codes.tobytes() for codes in simulated.codes}
    files = json.loads((run.path / "split.json").read_text())["files"]
    assert {item["side"] for item in files} == {"train"}


@pytest.mark.slow
def test_the_command_writes_a_model_that_runs_and_its_card(folder: Path, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "factory.tflite"
    words = ["factory", str(folder), "-o", str(out), "--run", str(tmp_path / "run"), "--cache", str(cache)]
    assert cli.main(words) == 0
    model = Model.load(out)
    assert model.info.model_id.startswith("factory-")
    quiet, loud = (np.full(model.info.spec.shape, db, np.float32) for db in (-110, -30))
    assert model.score(loud) > model.score(quiet)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "4 Leak and 4 NoLeak recordings of 4 groups of sites" in card
    assert f"{out.stat().st_size / 1024:.1f} KiB" in card


def test_a_network_that_the_converter_refuses_writes_no_model(
    data: TrainingData, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The labels of its examples are swapped, which the converter detects."""

    def swapped(_: TrainingData, output: Path) -> None:
        original(data, output)
        for name in (CALIBRATION, HELDOUT):
            with np.load(output / name) as arrays:
                runfolder.save_examples(
                    output, name, Examples(arrays["codes"], 1 - arrays["labels"], tuple(arrays["files"]))
                )

    original = factory.save_examples
    monkeypatch.setattr(factory, "save_examples", swapped)
    monkeypatch.setattr(factory, "load", lambda *_: data)
    args = ["factory", str(folder), "-o", str(tmp_path / "f.tflite"), "--run", str(tmp_path / "run")]
    assert cli.main(args) == LeakearError.exit_code
    stderr = capfd.readouterr().err
    assert "its labels are swapped" in stderr
    assert "the factory model was not written" in stderr
    assert not (tmp_path / "f.tflite").exists()
    assert not (tmp_path / "MODEL_CARD.md").exists()


def test_data_without_recordings_is_refused_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["factory", str(tmp_path), "-o", str(tmp_path / "f.tflite")]) == InputDataError.exit_code
    assert "holds no hk-noise-loggers/" in capsys.readouterr().err

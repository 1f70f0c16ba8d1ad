"""The factory recipe on little material: what each fold may see, the run folder, the file it ends in."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from leakear.edge.errors import InputDataError, LeakearError
from leakear.edge.model.tflite import Model
from leakear.train import cli, runfolder
from leakear.train.cli import factory
from leakear.train.cli.factory import Material
from leakear.train.data.simulated_windows import Plan
from leakear.train.runfolder import CALIBRATION, HELDOUT, Examples
from leakear.train.training.pooled_windows import Lessons
from leakear.train.training.pretraining import Fitting

LITTLE = Fitting(pretrain_epochs=1, steps=2)
RATE = 4096


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight recordings of four sites in two folds, the leaks louder, and one background sound."""
    folder = tmp_path_factory.mktemp("data")
    rows = ["path,label,site,fold"]
    (folder / "hk-noise-loggers").mkdir()
    (folder / "background").mkdir()
    for number in range(8):
        rng, leak = np.random.default_rng(number), number % 2
        name = f"{number}.wav"
        samples = (0.05 if leak else 0.002) * rng.standard_normal(10 * RATE)
        soundfile.write(folder / "hk-noise-loggers" / name, samples, RATE, "PCM_16")
        rows.append(f"{name},{('NoLeak', 'Leak')[leak]},site-{number // 4}{leak},{number // 4}")
    (folder / "hk-noise-loggers" / "manifest.csv").write_text("\n".join(rows) + "\n")
    rain = 0.05 * np.random.default_rng(9).standard_normal(3 * RATE)
    soundfile.write(folder / "background" / "rain.wav", rain, RATE, "PCM_16")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", autouse=True)
def little() -> Iterator[None]:
    """A handful of simulated sites and steps instead of hundreds."""
    with pytest.MonkeyPatch.context() as patch:
        loud = (25.0, 30.0)
        patch.setattr(factory, "SIMULATED", Plan(500_000, sites=4, per_site=4, snr_db=loud, mixed=0.5))
        patch.setattr(factory, "HELD_SITES", Plan(900_000, sites=4, per_site=4, snr_db=loud, mixed=0.0))
        patch.setattr(factory, "Fitting", lambda seed: replace(LITTLE, seed=seed))
        yield


@pytest.fixture(scope="module")
def material(data: Path, cache: Path) -> Material:
    return factory.load(data / "hk-noise-loggers", data / "background", cache, seed=42)


def test_no_fold_is_judged_by_a_network_that_saw_its_sites(material: Material) -> None:
    teacher, shown = material.teacher, []

    def fitted(real: Lessons) -> Any:
        shown.append(set(real.sites.tolist()))
        return teacher.fitted(real)

    folds = np.array([r.fold for r in material.real.recordings])
    watched = replace(material, teacher=SimpleNamespace(fitted=fitted))
    held = factory.held_out(watched, Lessons.of(material.real.windows), folds)
    judged = [
        set(material.real.windows.sites[material.real.rows(np.flatnonzero(folds == fold), copies=True)].tolist())
        for fold in (0, 1)
    ]
    assert len(shown) == 2
    assert all(not seen & judging for seen, judging in zip(shown, judged, strict=True))
    np.testing.assert_array_equal(np.isfinite(held), material.real.copy == 0)


def test_simulated_sites_that_judge_are_none_that_teach(material: Material) -> None:
    assert not set(material.simulated.sites) & set(material.held.sites)
    real = factory.SIMULATED
    assert real.first_site + real.sites <= factory.HELD_SITES.first_site


def test_the_run_folder_is_whole_and_says_what_was_learnt_from(material: Material, tmp_path: Path) -> None:
    run = factory.train(material, tmp_path / "run")
    assert runfolder.load_run(tmp_path / "run").info == run.info
    assert run.info.threshold == factory.THRESHOLD
    assert run.info.temperature > 0
    assert set(run.info.metrics) == {"recordings", "recordings_windows", "simulated_windows"}
    assert run.info.metrics["recordings"]["count"] == 8
    assert run.info.metrics["simulated_windows"]["count"] == 16
    assert run.info.data["files"]["train"] == {"NoLeak": 4, "Leak": 4}
    assert run.info.data["sites"] == 4
    assert any("CC BY 4.0" in line for line in run.info.attribution)
    for name, simulated in ((CALIBRATION, material.simulated), (HELDOUT, material.held)):
        kept = run.examples(name)
        assert (kept.labels == 1).sum() == (kept.labels == 0).sum()
        theirs = [codes for codes, file in zip(kept.codes, kept.files, strict=True) if file.startswith("simulated")]
        assert len(theirs) == len(simulated) == 16
        assert {codes.tobytes() for codes in theirs} == {codes.tobytes() for codes in simulated.codes}
    files = json.loads((run.path / "split.json").read_text())["files"]
    assert {item["side"] for item in files} == {"train"}


@pytest.mark.slow
def test_the_command_ends_in_a_model_that_runs_and_its_card(data: Path, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "factory.tflite"
    words = ["factory", str(data), "-o", str(out), "--run", str(tmp_path / "run"), "--cache", str(cache)]
    assert cli.main(words) == 0
    model = Model.load(out)
    assert model.info.model_id.startswith("factory-")
    quiet, loud = (np.full(model.info.spec.shape, db, np.float32) for db in (-110, -30))
    assert model.score(loud) > model.score(quiet)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "4 Leak and 4 NoLeak recordings of 4 groups of sites" in card
    assert f"{out.stat().st_size / 1024:.1f} KiB" in card


def test_a_network_that_the_converter_refuses_leaves_no_model(
    material: Material, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its examples bear each other's labels: the converter sees it, and is heard."""

    def swapped(_: Material, output: Path) -> None:
        plain(material, output)
        for name in (CALIBRATION, HELDOUT):
            with np.load(output / name) as arrays:
                runfolder.save_examples(
                    output, name, Examples(arrays["codes"], 1 - arrays["labels"], tuple(arrays["files"]))
                )

    plain = factory._examples
    monkeypatch.setattr(factory, "_examples", swapped)
    monkeypatch.setattr(factory, "load", lambda *_: material)
    args = ["factory", str(data), "-o", str(tmp_path / "f.tflite"), "--run", str(tmp_path / "run")]
    assert cli.main(args) == LeakearError.exit_code
    said = capfd.readouterr().err
    assert "its labels are swapped" in said
    assert "the factory model was not written" in said
    assert not (tmp_path / "f.tflite").exists()
    assert not (tmp_path / "MODEL_CARD.md").exists()


def test_data_without_recordings_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["factory", str(tmp_path), "-o", str(tmp_path / "f.tflite")]) == InputDataError.exit_code
    assert "holds no hk-noise-loggers/" in capsys.readouterr().err

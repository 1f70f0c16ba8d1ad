"""From recordings to a run folder, and what can go wrong on the way."""

import csv
import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from leakear.edge.errors import InputDataError
from leakear.edge.spectrogram import SpectrogramSpec
from leakear.train import runfolder, session
from leakear.train.data import dataset
from leakear.train.data.clips import Recipe
from leakear.train.data.dataset import Recording
from leakear.train.data.split import split
from leakear.train.networks import reference
from leakear.train.networks.preset import Preset
from leakear.train.training.distributed import join
from tests.support.sounds import SMALL, make

PRESET = Preset("small", "", SMALL, reference.reference, ("noise", "mix"), copies=1, epochs=2, batch_size=16)


def job(recordings: list[Recording], by: str = "site", preset: Preset = PRESET) -> session.Job:
    recipe = Recipe(preset.spec, preset.windows, preset.copies, preset.augmentations)
    return session.Job(preset, recipe, split(recordings, by), attribution=("made for tests",))


def run(wanted: session.Job, folder: Path) -> runfolder.Run:
    done = session.run(wanted, folder / "run", join(), cache=folder / "cache", jobs=1, quiet=True)
    assert done
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Recording], runfolder.Run]:
    """A run of which one recording could not be read."""
    folder = tmp_path_factory.mktemp("finished")
    made = make(folder / "recordings")
    made[0].path.write_bytes(b"RIFF")
    return made, run(job(made), folder)


Finished = tuple[list[Recording], runfolder.Run]


def test_a_run_folder_has_all_documented_files(finished: Finished) -> None:
    recordings, done = finished
    info = done.info
    assert info.spectrogram == SMALL
    assert info.attribution == ("made for tests",)
    assert not set(info.split["train_sites"]) & set(info.split["validation_sites"])
    assert [entry["path"] for entry in info.data["skipped"]] == [recordings[0].name]
    assert info.data["files"]["train"] == {"Leak": 9, "NoLeak": 10}
    assert info.data["windows"]["train"] == {"Leak": 9 * 3 * 2, "NoLeak": 10 * 3 * 2}, "three windows, each with a copy"
    assert info.metrics["on"] == "validation"
    assert info.metrics["files"]["auc"] == 1.0
    assert info.temperature >= 1, "four files that happen to be told apart are no ground for more certainty"
    assert info.training["parameters"] > 1000
    for name in ("history", "confusion", "roc", "reliability"):
        assert (done.path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "Leak" in (done.path / "classification_report.txt").read_text()
    assert list((done.path / "tensorboard").iterdir())
    assert not (done.path / "checkpoint.npz").exists(), "a finished run needs no checkpoint"
    sides = {entry["file"]: entry["side"] for entry in json.loads((done.path / "split.json").read_text())["files"]}
    assert sides.keys() == {r.name for r in recordings}
    with (done.path / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]


def test_the_saved_network_gives_the_written_scores(finished: Finished) -> None:
    import keras

    _, done = finished
    held = done.examples(runfolder.HELDOUT)
    assert held.labels.tolist().count(0) == held.labels.tolist().count(1) > 0
    calibration = done.examples(runfolder.CALIBRATION)
    assert calibration.codes.dtype == np.uint8
    assert calibration.codes.shape[1:] == SMALL.shape
    assert not set(calibration.files) & set(held.files)
    logits = keras.models.load_model(done.model_path).predict(held.codes[..., None] / np.float32(255), verbose=0)[:, 0]
    with (done.path / "scores.csv").open() as file:
        written = [float(row["logit"]) for row in csv.DictReader(file)]
    distance = np.abs(np.subtract.outer(logits, written)).min(axis=1)
    assert distance.max() < 1e-3
    assert logits[held.labels == 1].min() > logits[held.labels == 0].max(), "positive means Leak"


def test_the_report_is_self_contained_and_lists_recordings(finished: Finished) -> None:
    recordings, done = finished
    page = (done.path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("data:image/png;base64,") >= 4 + 2
    for title in ("Confusion matrix", "ROC and DET", "Calibration", "Sites", "Leaks found", "False alarms"):
        assert title in page
    assert recordings[0].name in page, "skipped recordings are listed"
    held = [r.name for r in recordings if r.site in done.info.split["validation_sites"]]
    assert any(f"{name}, window" in page for name in held)
    assert all(f"<td>{site}</td>" in page for site in done.info.split["validation_sites"])


def test_the_report_states_that_nothing_was_held_out(recordings: list[Recording], tmp_path: Path) -> None:
    done = run(job(recordings, "none"), tmp_path)
    assert done.info.metrics["on"] == "training"
    assert done.info.temperature == 1.0
    page = (done.path / "report.html").read_text(encoding="utf-8")
    assert "nothing was held out" in page
    assert "<th>trained-on</th>" in page
    assert "12 held-out" not in page
    table = (done.path / "classification_report.txt").read_text(encoding="utf-8")
    assert "trained-on files" in table
    assert "held-out" not in table


def test_a_class_without_usable_recordings_is_an_error(recordings: list[Recording], tmp_path: Path) -> None:
    wanted = job(recordings)
    for r in wanted.split.train:
        if r.label == "Leak":
            r.path.write_bytes(b"")
    with pytest.raises(InputDataError, match="no usable recording of class Leak"):
        run(wanted, tmp_path)


def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="is not a finished run"):
        runfolder.load_run(tmp_path)
    (tmp_path / "run.json").write_text('{"schema": 99}')
    with pytest.raises(InputDataError, match="schema 99"):
        runfolder.load_run(tmp_path)
    (tmp_path / "run.json").write_text('{"schema": 1, "name": "x"}')
    with pytest.raises(InputDataError, match="not a complete run"):
        runfolder.load_run(tmp_path)


def test_the_notebooks_preset_trains_on_the_real_recordings(hk: Path, tmp_path: Path) -> None:
    """Random files, four augmented copies of each, dB under the maximum, its network: at an eighth of its size."""
    spec = SpectrogramSpec("max", sample_rate=4096, n_fft=512, hop_length=512)
    preset = dataclasses.replace(reference.PRESET, spec=spec, windows="first", epochs=2)
    recordings, _ = dataset.fingerprint(dataset.load(hk))
    done = run(job(recordings, "file", preset), tmp_path)
    assert done.info.data["files"] == {
        "train": {"Leak": 24, "NoLeak": 24},
        "validation": {"Leak": 6, "NoLeak": 6},
    }
    assert done.info.data["windows"]["train"] == {"Leak": 24 * 5, "NoLeak": 24 * 5}
    assert done.info.data["windows"]["validation"] == {"Leak": 6, "NoLeak": 6}
    assert not done.info.data["skipped"]
    assert (done.info.training["batch_size"], done.info.seed) == (32, 42)
    with (done.path / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert float(history[1]["loss"]) < float(history[0]["loss"]) < 2
    assert "12 held-out files" in (done.path / "classification_report.txt").read_text()
    assert done.model_path.is_file()


def test_a_second_run_of_the_same_job_needs_no_training(
    recordings: list[Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run is interrupted before its report is written."""
    monkeypatch.setattr(session.run_report, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(job(recordings), tmp_path)
    with pytest.raises(InputDataError, match="is not a finished run"):
        runfolder.load_run(tmp_path / "run")
    monkeypatch.undo()
    before = (tmp_path / "run" / "history.csv").read_bytes()
    done = run(job(recordings), tmp_path)
    assert (done.path / "history.csv").read_bytes() == before


def test_a_finished_run_is_kept_until_it_is_cleared(recordings: list[Recording], tmp_path: Path) -> None:
    quick = dataclasses.replace(PRESET, epochs=1, copies=0)
    first = run(job(recordings, preset=quick), tmp_path)
    stamp = first.model_path.stat().st_mtime_ns
    again = run(job(recordings, preset=quick), tmp_path)
    assert (again.info, again.model_path.stat().st_mtime_ns) == (first.info, stamp)
    with pytest.raises(InputDataError, match="finished run of other recordings or options"):
        run(job(recordings[:-1], preset=quick), tmp_path)
    (first.path / "mine.txt").write_text("not the run's")
    session.clear(first.path)
    assert run(job(recordings, preset=quick), tmp_path).model_path.stat().st_mtime_ns != stamp
    assert (first.path / "mine.txt").exists()

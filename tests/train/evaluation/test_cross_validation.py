import csv
import json
from pathlib import Path

import numpy as np
import pytest

from leakear.edge.errors import InputDataError
from leakear.train import cli
from leakear.train.data import real_windows
from leakear.train.data.clips import Recipe
from leakear.train.data.dataset import Recording
from leakear.train.evaluation import baselines, cross_validation
from leakear.train.evaluation.baselines import BASELINES, Table
from leakear.train.networks.compact import SPEC


@pytest.fixture
def table(recordings: list[Recording], tmp_path: Path) -> Table:
    return read(recordings, tmp_path)


def read(found: list[Recording], folder: Path) -> Table:
    return baselines.measure(real_windows.read(found, Recipe(SPEC), folder / "cache", jobs=1), SPEC)


def test_detectors_are_not_trained_on_sites_they_score(table: Table) -> None:
    seen = []

    def spy(table: Table, train: np.ndarray, test: np.ndarray) -> baselines.Scores:
        ours, theirs = ({table.real.groups[n] for n in side} for side in (train, test))
        assert not ours & theirs
        seen.extend(test.tolist())
        score = np.zeros(len(table.real.rows(test, copies=False)))
        return baselines.Scores(score, score)

    cross_validation.run(spy, table, cross_validation.fixed_folds(table.real, "fold"))
    assert sorted(seen) == list(range(24))


def test_every_baseline_detects_hiss(table: Table) -> None:
    folds = cross_validation.drawn_folds(table.real, 3, 3)
    for name in ("dbmin", "bands", "rich", "steady"):
        outcome = cross_validation.run(BASELINES[name][1], table, folds)
        assert ((outcome.probabilities > 0.5) == outcome.targets).mean() > 0.9, name


def test_permuted_labels_give_an_auc_of_one_half(table: Table) -> None:
    """Otherwise the detector would have seen its test data."""
    found = []
    for seed in range(12):
        chance = cross_validation.permuted(table, seed)
        outcome = cross_validation.run(
            BASELINES["bands"][1], chance, cross_validation.drawn_folds(chance.real, seed, 3)
        )
        found.append(_auc(outcome))
    assert abs(np.mean(found) - 0.5) < 3 * np.std(found) / np.sqrt(len(found)) + 0.05


def _auc(outcome: cross_validation.Outcome) -> float:
    from leakear.train.evaluation.metrics import auc

    return auc(outcome.scores, outcome.targets)


def test_a_site_in_two_folds_is_refused(table: Table) -> None:
    from dataclasses import replace

    broken = list(table.real.recordings)
    broken[0] = replace(broken[0], fold=2 if broken[0].fold != 2 else 0)
    with pytest.raises(InputDataError, match="several folds"):
        cross_validation.fixed_folds(replace(table.real, recordings=tuple(broken)), "fold")


def test_sites_can_be_left_out(table: Table) -> None:
    smaller = cross_validation.without(table, ["s00"])
    assert len(smaller.real.recordings) == 22
    assert "s00" not in {r.site for r in smaller.real.recordings}
    assert smaller.real.file.max() == 21


def test_dbmin_on_the_real_recordings_has_the_published_auc(
    hk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The network's built-in statistic, which hears no level, is as good; the table and the pictures are written."""
    arguments = ["--preset", "prior", "--baseline", "dbmin", "--bootstrap", "100"]
    place = ["--cache", str(tmp_path / "cache"), "-o", str(tmp_path / "out")]
    assert cli.main(["crossval", str(hk), *arguments, *place]) == 0
    assert "| dbmin" in capsys.readouterr().out
    lines = {line["name"]: line for line in json.loads((tmp_path / "out" / "crossval.json").read_text())["lines"]}
    assert lines["dbmin"]["auc"]["value"] == pytest.approx(0.859, abs=0.002)
    assert lines["prior"]["auc"]["value"] > 0.85
    assert lines["prior"]["auc"]["low"] < lines["prior"]["auc"]["value"] < lines["prior"]["auc"]["high"]
    for picture in ("roc.png", "det.png", "reliability.png"):
        assert (tmp_path / "out" / picture).read_bytes().startswith(b"\x89PNG")


def test_another_manifest_and_fold_column_can_be_used(folder: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "mine.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "site", "mine"])
        for path in sorted(folder.rglob("*.wav")):
            label = "NoLeak" if path.parent.name.startswith("NoLeak") else "Leak"
            site = path.name[:3]
            writer.writerow([path.relative_to(folder), label, site, int(site[1:]) // 4])
    place = ["--cache", str(tmp_path / "cache"), "-o", str(tmp_path / "out"), "--bootstrap", "50"]
    arguments = ["--manifest", str(manifest), "--folds", "mine", "--baseline", "bands"]
    assert cli.main(["crossval", str(folder), *arguments, *place]) == 0
    assert json.loads((tmp_path / "out" / "crossval.json").read_text())["lines"][0]["files"] == 24


def test_recordings_without_sites_are_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["crossval", str(folder), "--baseline", "bands", "--cache", str(tmp_path)]) == 65
    assert "site" in capsys.readouterr().err

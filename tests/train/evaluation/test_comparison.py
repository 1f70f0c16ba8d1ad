"""Yours beside the factory model: the table, the sentence, and which one it names."""

from pathlib import Path

import numpy as np
import pytest

from leakear.edge.model.tflite import FACTORY, Model
from leakear.train.data.dataset import Recording
from leakear.train.evaluation import comparison, scoring
from leakear.train.evaluation.scoring import Scores
from tests.support.sounds import record


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recording, ...]:
    folder = tmp_path_factory.mktemp("held")
    made = []
    for number in range(4):
        leak = bool(number % 2)
        path = record(folder / f"{number}.wav", leak=leak, seconds=10, seed=number)
        made.append(Recording(path, ("NoLeak", "Leak")[leak], path.name))
    return tuple(made)


def scores(recordings: tuple[Recording, ...], logits: list[float]) -> Scores:
    targets = np.array([r.target for r in recordings], np.uint8)
    return Scores(np.array(logits), targets, recordings, np.zeros(len(targets), np.int32))


def test_the_better_model_is_named(recordings: tuple[Recording, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model.load(FACTORY)
    monkeypatch.setattr(comparison, "factory_score", lambda *_: 0.99)
    said = comparison.compare(scores(recordings, [-3, 3, -3, 3]), 0.5, model)
    assert (said.deploy, said.leaks, said.others) == ("yours", 2, 2)
    assert said.rows[0].right == 4
    assert (said.rows[1].leaks_found, said.rows[1].false_alarms) == (2, 2)
    assert "| yours | 1.000 | 1.000 | 2 of 2 | 0 of 2 |" in said.text()
    assert "Deploy your model: yours judges 4 of 4" in said.text()
    assert "4 recordings are few" in said.text()
    worse = comparison.compare(scores(recordings, [3, -3, 3, -3]), 0.5, model)
    assert worse.deploy == "factory"


def test_the_factory_model_scores_the_files_themselves(recordings: tuple[Recording, ...], tmp_path: Path) -> None:
    model = Model.load(FACTORY)
    assert 0 <= comparison.factory_score(recordings[0], model) <= 1
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    assert np.isnan(comparison.factory_score(Recording(broken, "Leak", "broken.wav"), model))


def test_a_threshold_from_held_out_windows_separates_them_where_that_can_be_done(
    recordings: tuple[Recording, ...],
) -> None:
    found = scores(recordings, [-1, 4, 1, 5])
    threshold = scoring.threshold(found)
    assert found.probabilities[2] < threshold < found.probabilities[1]
    assert scoring.threshold(scores(recordings, [-9, 8, -9, 9])) == pytest.approx(0.5, abs=0.01)
    assert scoring.THRESHOLDS[0] <= scoring.threshold(scores(recordings, [-9, -8, -9, -8])) <= scoring.THRESHOLDS[1]

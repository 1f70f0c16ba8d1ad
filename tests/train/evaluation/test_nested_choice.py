"""`bench.nested_choice`, `bench.what_limits`, `bench.network_case`: what they print rests on these."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bench import gain_free, nested_choice, network_case, what_limits
from bench.gain_free import Candidate, Columns, Linear, Nearest, Sum
from leakear.train.data import real_windows
from leakear.train.data.clips import Recipe
from leakear.train.data.dataset import Recording
from leakear.train.evaluation import baselines, cross_validation, metrics
from leakear.train.evaluation.baselines import Table
from leakear.train.networks.compact import SPEC

FEW = (
    Sum("few", False, "unsteady, range, all", "balance, centroid", 0.5),
    Linear("linear", True, ("bands",), 0.01),
    Nearest("nearest", True, ("steady",), 1),
)


@pytest.fixture
def table(recordings: list[Recording], tmp_path: Path) -> Table:
    return baselines.measure(real_windows.read(recordings, Recipe(SPEC), tmp_path / "cache", jobs=1), SPEC)


@dataclass(frozen=True)
class Spy(Candidate):
    """Notes the sites that it is trained on."""

    seen: tuple[list[set[str]], ...] = ([],)

    def score(self, columns: Columns, table: Table, rows: np.ndarray) -> np.ndarray:
        self.seen[0].append({table.real.groups[file] for file in table.real.file[rows]})
        return columns["dbmin"][:, 0]


def test_a_choice_never_sees_the_sites_that_judge_it(table: Table) -> None:
    folds = cross_validation.drawn_folds(table.real, 1, 3)
    spy = Spy("spy")
    chosen = nested_choice.Chosen((spy,), folds)
    train, test = np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
    chosen(table, train, test)
    theirs = {table.real.groups[file] for file in test}
    assert len(spy.seen[0]) == 3, "two inner folds and the training itself"
    assert not any(sites & theirs for sites in spy.seen[0])
    assert all(len(sites) < len(spy.seen[0][-1]) for sites in spy.seen[0][:-1])


def test_a_family_that_hears_hiss_is_chosen_well(table: Table) -> None:
    folds = cross_validation.drawn_folds(table.real, 3, 3)
    outcome = cross_validation.run(nested_choice.Chosen(FEW, folds), table, folds)
    assert metrics.auc(outcome.scores, outcome.targets) > 0.95


def test_every_candidate_has_its_own_name_and_scores_every_window(table: Table) -> None:
    family = gain_free.family()
    assert len({candidate.name for candidate in family}) == len(family) > 600
    for candidate in FEW:
        scores = candidate.score(gain_free.measured(table), table, np.arange(len(table.real.file)))
        assert np.isfinite(scores).all()


def test_simulated_sets_have_the_stated_auc_and_sites_widen_it() -> None:
    groups = [f"{number // 3}" for number in range(60)]
    targets = (np.arange(60) < 30).astype(np.uint8)
    alone, alike = (what_limits.simulated(0.9, share, targets, groups, 2000) for share in (0.0, 0.9))
    assert np.mean(alone) == pytest.approx(0.9, abs=0.01)
    assert np.std(alike) > 1.3 * np.std(alone)


def test_the_share_on_the_wrong_side_is_one_less_the_auc() -> None:
    scores, targets = np.array([3.0, 1.0, 2.0, 0.0]), np.array([1, 1, 0, 0], np.uint8)
    assert what_limits.wrong(scores, targets).tolist() == [0.0, 0.5, 0.5, 0.0]


def test_the_interval_draws_sites_and_sources() -> None:
    wins = np.ones((4, 3))
    wins[:2] = 0.5
    said = network_case.interval(wins, ("a", "a", "b", "c"), ("x", "x", "y"), draws=200)
    assert said.startswith("0.750 (0.5")

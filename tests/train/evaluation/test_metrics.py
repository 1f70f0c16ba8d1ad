import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from leakear.train.evaluation import metrics

RNG = np.random.default_rng(5)
GROUPS = [f"s{n // 3}" for n in range(60)]
TARGETS = np.array([n // 3 % 2 for n in range(60)], np.uint8)


def test_auc_equals_scikit_learns_with_ties() -> None:
    scores = np.round(RNG.standard_normal(60) + TARGETS, 1)
    assert metrics.auc(scores, TARGETS) == pytest.approx(roc_auc_score(TARGETS, scores))


def test_auc_of_one_class_is_nan() -> None:
    assert np.isnan(metrics.auc(np.arange(3.0), np.ones(3, np.uint8)))


def test_the_interval_by_site_is_wider_than_by_recording() -> None:
    site_effect = np.repeat(RNG.standard_normal(20), 3)
    scores = TARGETS + site_effect
    by_site = metrics.estimate(metrics.auc, scores, TARGETS, GROUPS, 400)
    by_file = metrics.estimate(metrics.auc, scores, TARGETS, [str(n) for n in range(60)], 400)
    assert by_site.value == by_file.value
    assert by_site.high - by_site.low > 1.2 * (by_file.high - by_file.low)


def test_the_difference_of_equal_rankings_is_zero() -> None:
    scores = RNG.standard_normal(60)
    found = metrics.difference(metrics.auc, scores, 2 * scores, TARGETS, GROUPS, 50)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_each_draw_has_both_classes_and_whole_sites() -> None:
    draws = list(metrics.draws(GROUPS, TARGETS, 20, 0))
    assert len(draws) == 20
    for rows in draws:
        assert len(rows) == 60
        assert TARGETS[rows].sum() == 30
        assert all((np.bincount(rows, minlength=60).reshape(-1, 3) == count[:, None]).all()
                   for count in [np.bincount(rows, minlength=60)[::3]])  # fmt: skip


def test_det_passes_tied_scores_together() -> None:
    alarms, misses = metrics.det(np.array([3.0, 2, 2, 1]), np.array([1, 1, 0, 0], np.uint8))
    assert list(zip(alarms, misses, strict=True)) == [(0, 0.5), (0.5, 0), (1, 0)]
    assert metrics.miss_rate_at(np.array([3.0, 2, 2, 1]), np.array([1, 1, 0, 0], np.uint8), 0.1) == 0.5


def test_labels_are_permuted_among_whole_sites() -> None:
    dealt = metrics.shuffled(GROUPS, TARGETS, np.random.default_rng(0))
    assert (dealt.reshape(-1, 3) == dealt[::3, None]).all()
    assert dealt.sum() == TARGETS.sum()
    assert (dealt != TARGETS).any()

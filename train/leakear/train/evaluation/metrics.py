"""Accuracy figures with 95 % intervals from a bootstrap over sites.

Recordings of one site are not independent, so whole sites are drawn with replacement, sites with and without a leak
separately (no site of the Hong Kong set has both). The difference of two detectors is computed on the same draws.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Targets: TypeAlias = npt.NDArray[np.uint8]
Rows: TypeAlias = npt.NDArray[np.int64]
Figure: TypeAlias = Callable[[Floats, Targets], float]
"""(scores (n,), targets (n,)) → a number."""


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.2f} to {self.high:.2f})"


def auc(scores: Floats, targets: Targets) -> float:
    """Return the probability that a leak scores above a non-leak; a tie counts half. NaN when a class is absent."""
    from scipy.stats import rankdata

    leaks = int(targets.sum())
    others = len(targets) - leaks
    if not leaks or not others:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[targets == 1].sum() - leaks * (leaks + 1) / 2) / (leaks * others))


def balanced_accuracy(probabilities: Floats, targets: Targets) -> float:
    """Return the mean of the two classes' accuracies at P = 0.5."""
    right = (probabilities > 0.5) == (targets == 1)
    return float(np.mean([right[targets == target].mean() for target in (0, 1)]))


def calibration_error(probabilities: Floats, targets: Targets) -> float:
    """Return the expected calibration error over ten bins."""
    from leakear.train.evaluation.scoring import calibration_error as error

    return error(probabilities, targets)


def det(scores: Floats, targets: Targets) -> tuple[Floats, Floats]:
    """Return (false alarm rate, miss rate) at every threshold, from the highest to the lowest."""
    order = np.argsort(-scores, kind="stable")
    leaks = np.cumsum(targets[order] == 1)
    others = np.cumsum(targets[order] == 0)
    last = np.append(np.diff(scores[order]) != 0, True)  # tied scores pass a threshold together
    return (others / max(others[-1], 1))[last], (1 - leaks / max(leaks[-1], 1))[last]


def miss_rate_at(scores: Floats, targets: Targets, false_alarms: float) -> float:
    """Return the smallest miss rate at no more than this false alarm rate."""
    alarms, misses = det(scores, targets)
    allowed = misses[alarms <= false_alarms + 1e-12]
    return float(allowed.min()) if len(allowed) else 1.0


def draws(groups: Sequence[str], targets: Targets, count: int, seed: int) -> Iterator[Rows]:
    """Yield the rows of sites drawn with replacement, as many of each class as there are."""
    rng = np.random.default_rng(seed)
    names = np.array(groups)
    rows = {name: np.flatnonzero(names == name) for name in dict.fromkeys(groups)}
    classes = [sorted(set(names[targets == target].tolist())) for target in (0, 1)]
    for _ in range(count):
        yield np.concatenate([rows[name] for part in classes for name in rng.choice(part, len(part))])


def estimate(
    figure: Figure, scores: Floats, targets: Targets, groups: Sequence[str], count: int = 2000, seed: int = 0
) -> Estimate:
    """Return a figure with its interval, bootstrapped over sites."""
    found = [figure(scores[rows], targets[rows]) for rows in draws(groups, targets, count, seed)]
    return Estimate(figure(scores, targets), *_limits(found))


def difference(
    figure: Figure,
    ours: Floats,
    theirs: Floats,
    targets: Targets,
    groups: Sequence[str],
    count: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Return figure(ours) − figure(theirs); both are computed on the same draws of sites."""

    def gap(rows: Rows) -> float:
        return figure(ours[rows], targets[rows]) - figure(theirs[rows], targets[rows])

    rows = np.arange(len(targets))
    return Estimate(gap(rows), *_limits([gap(rows) for rows in draws(groups, targets, count, seed)]))


def shuffled(groups: Sequence[str], targets: Targets, rng: np.random.Generator) -> Targets:
    """Return labels permuted among sites: the number of leak sites stays the same."""
    names = sorted(set(groups))
    first = {name: int(targets[list(groups).index(name)]) for name in names}
    permuted = dict(zip(names, rng.permutation([first[name] for name in names]), strict=True))
    return np.array([permuted[name] for name in groups], np.uint8)


def _limits(found: Sequence[float]) -> tuple[float, float]:
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return float(low), float(high)

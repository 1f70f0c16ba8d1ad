"""Cross-validation by site: every recording is scored by a detector trained without recordings of its site."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from leakear.edge.errors import InputDataError
from leakear.train.data.real_windows import RealWindows
from leakear.train.evaluation import metrics
from leakear.train.evaluation.baselines import Detector, Table
from leakear.train.evaluation.metrics import Floats, Rows, Targets
from leakear.train.runfolder import LABELS

PARTS = 5


@dataclass(frozen=True)
class Outcome:
    """A detector's scores of all recordings, each from training on the other folds."""

    targets: Targets
    """(files,)"""
    groups: tuple[str, ...]
    """(files,)"""
    scores: Floats
    """(files,) mean over a file's windows; for ranking"""
    probabilities: Floats
    """(files,) P(Leak) from the mean logit"""
    window_scores: Floats
    """(windows,)"""
    window_files: Rows
    """(windows,) file of each"""

    @property
    def window_targets(self) -> Targets:
        """(windows,) 1 = Leak."""
        return self.targets[self.window_files]

    @property
    def window_groups(self) -> list[str]:
        """(windows,) group of each window's file."""
        return [self.groups[file] for file in self.window_files]


def run(detector: Detector, table: Table, folds: Rows) -> Outcome:
    """Score each fold with a detector trained on the others; `folds`: fold of each file, (files,)."""
    real = table.real
    scores, logits = np.full((2, len(real.file)), np.nan)
    for fold in np.unique(folds):
        test = np.flatnonzero(folds == fold)
        found = detector(table, np.flatnonzero(folds != fold), test)
        rows = real.rows(test, copies=False)
        scores[rows], logits[rows] = found.scores, found.logits
    rows = real.rows(np.arange(len(folds)), copies=False)
    return Outcome(
        real.targets,
        real.groups,
        real.by_file(rows, scores[rows]),
        _sigmoid(real.by_file(rows, logits[rows])),
        scores[rows],
        real.file[rows],
    )


def fixed_folds(real: RealWindows, column: str) -> Rows:
    """Return the manifest's folds, (files,); InputDataError when a group is in several folds."""
    folds = [recording.fold for recording in real.recordings]
    missing = next((r.name for r in real.recordings if r.fold is None), None)
    if missing:
        raise InputDataError(
            f"{missing} has no fold: give --folds COLUMN of the manifest, or --seed N for random folds"
        )
    seen: dict[str, int | None] = {}
    for group, fold in zip(real.groups, folds, strict=True):
        if seen.setdefault(group, fold) != fold:
            raise InputDataError(
                f"site {group} is in several folds of column {column}: give it one fold, or use --seed N"
            )
    return np.array(folds, np.int64)


def drawn_folds(real: RealWindows, seed: int, parts: int = PARTS) -> Rows:
    """Divide groups into random folds that each have both classes; return the fold of each file, (files,).

    Raises InputDataError where there are too few sites.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups, targets = np.array(real.groups), real.targets
    sites = [len(set(groups[targets == target].tolist())) for target in (0, 1)]
    if min(sites) < 2:
        raise InputDataError(
            f"cross-validation by site needs two sites of each class, there are {sites[0]} of NoLeak and {sites[1]} "
            "of Leak: record at more sites"
        )
    parts = min(parts, *sites)
    for attempt in range(100):
        splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed + 1_000 * attempt)
        folds = np.zeros(len(targets), np.int64)
        for number, (_, held) in enumerate(splitter.split(targets, targets, groups)):
            folds[held] = number
        if all(len(set(targets[folds == number].tolist())) == len(LABELS) for number in range(parts)):
            return folds
    raise InputDataError(
        f"no random division into {parts} folds by site has both classes in each: give --folds COLUMN instead"
    )


def permuted(table: Table, seed: int) -> Table:
    """Permute the labels among groups. A detector that is better than chance on them has seen its test data."""
    real = table.real
    targets = metrics.shuffled(real.groups, real.targets, np.random.default_rng(seed))
    recordings = tuple(replace(r, label=LABELS[t]) for r, t in zip(real.recordings, targets, strict=True))
    windows = replace(real.windows, targets=targets[real.file])
    return replace(table, real=replace(real, windows=windows, recordings=recordings))


def without(table: Table, sites: Sequence[str]) -> Table:
    """Return the table without the recordings of these sites."""
    real = table.real
    kept = [n for n, r in enumerate(real.recordings) if r.site not in sites]
    rows = np.flatnonzero(np.isin(real.file, kept))
    place = {old: new for new, old in enumerate(kept)}
    smaller = RealWindows(
        real.take(rows),
        np.array([place[file] for file in real.file[rows]], np.int64),
        real.copy[rows],
        tuple(real.recordings[n] for n in kept),
        tuple(real.groups[n] for n in kept),
    )
    return Table(smaller, table.spec, table.dbmin[rows], table.rms[rows])


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)))

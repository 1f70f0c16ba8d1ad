"""Judge gain-free detectors at sites that neither chose nor trained them.

    python -m bench.nested_choice ../shared/data/hk-noise-loggers

The family of detectors (`bench.gain_free`) is fixed. Of each outer fold's training sites, inner folds (by site as well)
choose the detector; the outer fold judges it. Outer folds: the manifest's, then ten random divisions.
For comparison the same family with level (dBmin) as one number more. Five minutes.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bench import gain_free
from bench.gain_free import Candidate, Columns
from leakear.train import networks, stderr_filter
from leakear.train.data import dataset, real_windows
from leakear.train.data.clips import Recipe
from leakear.train.data.features import default_cache
from leakear.train.evaluation import baselines, cross_validation, metrics
from leakear.train.evaluation.baselines import BASELINES, Detector, Scores, Table
from leakear.train.evaluation.cross_validation import Outcome
from leakear.train.evaluation.metrics import Floats, Rows
from leakear.train.networks import compact

BEST = 20
"""Detectors that the second rule averages."""
WITH_LEVEL = ", with level"


@dataclass(frozen=True)
class Chosen:
    """A detector: the best of a family by AUC over files in inner folds of the training files, or the best few."""

    family: Sequence[Candidate]
    folds: Rows
    """(files,) the division whose other folds are the inner ones"""
    count: int = 1
    """How many of the best are averaged."""
    names: list[str] = field(default_factory=list)
    """The best detector of each outer fold."""
    inner: dict[int, Floats] = field(default_factory=dict)
    """Outer fold → AUC of each candidate in its inner folds; shared by the rules."""

    def __call__(self, table: Table, train: Rows, test: Rows) -> Scores:
        """Choose on `train`, fit the choice to it, and score `test`."""
        columns, outer = gain_free.measured(table), int(self.folds[test[0]])
        if outer not in self.inner:
            self.inner[outer] = np.array([self._auc(candidate, columns, table, train) for candidate in self.family])
        best = np.argsort(-self.inner[outer], kind="stable")[: self.count]
        self.names.append(self.family[best[0]].name)
        found = [fitted(self.family[number], table, train, test).logits for number in best]
        logits = np.mean(found, axis=0)
        return Scores(logits, logits)

    def _auc(self, candidate: Candidate, columns: Columns, table: Table, train: Rows) -> float:
        """Return the AUC over the training files, each scored without its inner fold."""
        scores = np.full(len(table.real.file), np.nan)
        for fold in np.unique(self.folds[train]):
            held = train[self.folds[train] == fold]
            rows = table.real.rows(np.setdiff1d(train, held), copies=False)
            theirs = table.real.rows(held, copies=False)
            scores[theirs] = candidate.score(columns, table, rows)[theirs]
        rows = table.real.rows(train, copies=False)
        return metrics.auc(table.real.by_file(rows, scores[rows])[train], table.real.targets[train])


def fitted(candidate: Candidate, table: Table, train: Rows, test: Rows) -> Scores:
    """Train one candidate and score the test files; its log-odds can be compared between folds."""
    scores = candidate.score(gain_free.measured(table), table, table.real.rows(train, copies=False))
    if not candidate.logits:
        return baselines.untrained(scores, table, train, test)
    theirs = table.real.rows(test, copies=False)
    return Scores(scores[theirs], scores[theirs])


def detector(candidate: Candidate) -> Detector:
    """Return a candidate as a detector for cross-validation."""
    return lambda table, train, test: fitted(candidate, table, train, test)


def read(folder: Path, cache: Path | None = None) -> Table:
    """Read the recordings' windows and levels."""
    found, _ = dataset.fingerprint(dataset.load(folder))
    real = real_windows.read(found, Recipe(compact.SPEC), cache or default_cache(), jobs=1)
    return baselines.measure(real, compact.SPEC)


def within(outcome: Outcome, folds: Rows) -> float:
    """Return the mean of each fold's own AUC: thresholds that differ between folds do not lower it."""
    parts = [folds == fold for fold in np.unique(folds)]
    return float(np.mean([metrics.auc(outcome.scores[part], outcome.targets[part]) for part in parts]))


def row(name: str, outcomes: Sequence[Outcome], folds: Sequence[Rows], level: Outcome) -> str:
    """Write one detector's line: the manifest's folds with intervals, then the mean and range of the other draws."""
    first = outcomes[0]
    auc = metrics.estimate(metrics.auc, first.scores, first.targets, first.groups)
    cells = [
        name,
        str(auc),
        str(gained(first, level)),
        f"{metrics.balanced_accuracy(first.probabilities, first.targets):.3f}",
    ]
    cells.append(f"{within(first, folds[0]):.3f}")
    drawn = [metrics.auc(outcome.scores, outcome.targets) for outcome in outcomes[1:]]
    cells.append(f"{np.mean(drawn):.3f} ({min(drawn):.2f} to {max(drawn):.2f})" if drawn else "")
    return f"| {' | '.join(cells)} |"


def gained(ours: Outcome, theirs: Outcome) -> metrics.Estimate:
    """Return the difference of two AUCs over the same files, with an interval from draws of sites."""
    return metrics.difference(metrics.auc, ours.scores, theirs.scores, ours.targets, ours.groups)


def rules(family: Sequence[Candidate], folds: Rows) -> dict[str, Chosen]:
    """Return what chooses, for one division into folds; both rules share the inner folds' figures."""
    some = [candidate for candidate in family if not isinstance(candidate, gain_free.Sum)]
    inner: dict[int, Floats] = {}
    return {
        f"chosen: the best of {len(family)}": Chosen(family, folds, 1, inner=inner),
        f"chosen: mean of the best {BEST} of {len(family)}": Chosen(family, folds, BEST, inner=inner),
        f"chosen: the best of the {len(some)} that are fitted": Chosen(some, folds),
    }


def statistic() -> Detector:
    """Return the network's statistic, untrained."""
    from leakear.train.evaluation import detectors

    stderr_filter.load_tensorflow()
    return detectors.prior(networks.find("compact"))


def others() -> dict[str, Detector]:
    """Return detectors without a choice: level, the statistic that ships, and baselines of one strength."""
    named = {f"{name} (no choice)": BASELINES[name][1] for name in ("steady", "bands", "rich")}
    return {"dbmin": BASELINES["dbmin"][1], "the statistic that ships, untrained": statistic()} | named


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="recordings with sites and folds (hk-noise-loggers)")
    parser.add_argument("--draws", type=int, default=10, help="random divisions into folds beside the manifest's (10)")
    args = parser.parse_args()
    table, family, louder = read(args.data), gain_free.family(), gain_free.family(level=True)
    folds = [cross_validation.fixed_folds(table.real, "fold")]
    folds += [cross_validation.drawn_folds(table.real, seed) for seed in range(args.draws)]
    outcomes: dict[str, list[Outcome]] = {}
    chosen: Counter[str] = Counter()
    for division in tqdm(folds, "divisions", disable=None):
        choosing = rules(family, division)
        same = {f"{name}{WITH_LEVEL}": each for name, each in rules(louder, division).items()}
        for name, each in (others() | choosing | same).items():
            outcomes.setdefault(name, []).append(cross_validation.run(each, table, division))
        chosen.update(next(iter(choosing.values())).names)
    print(
        f"{len(family)} candidates; {len(table.real.recordings)} files, {len(set(table.real.groups))} groups of sites"
    )
    print("| detector | AUC | over dBmin, paired by site | balanced accuracy | mean AUC of a fold | other draws |")
    print("|---|---|---|---|---|---|")
    for name, found in outcomes.items():
        print(row(name, found, folds, outcomes["dbmin"][0]))
    for name, found in outcomes.items():
        if name.endswith(WITH_LEVEL):
            print(f"\n{name}, less the same without: {gained(found[0], outcomes[name.removesuffix(WITH_LEVEL)][0])}")
    print("\nchosen most often: " + "; ".join(f"{name} ({count})" for name, count in chosen.most_common(8)))


if __name__ == "__main__":
    main()

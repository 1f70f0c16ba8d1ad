"""Experiments that tell what holds the AUC at new sites below 0.90 without level.

    python -m bench.what_limits ../shared/data/hk-noise-loggers --network runs/case/scores.json

Prints: what chance does with so few sites; a learning curve; the same detectors with level; the best of a family in
hindsight, also with labels dealt anew; which files each detector gets wrong. --network: scores of the recordings by
networks that did not see their fold (`bench.network_case` writes them). Three minutes.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm, spearmanr
from tqdm import tqdm

from bench import gain_free, nested_choice
from bench.gain_free import Candidate, Linear, Nearest, Sum
from leakear.edge.audio.recordings import read_wav
from leakear.train.evaluation import cross_validation, metrics
from leakear.train.evaluation.baselines import Table
from leakear.train.evaluation.metrics import Floats, Rows, Targets
from leakear.train.networks.compact import SPEC

GOAL, SEEN = 0.90, 0.867
"""AUC that was to be reached, and that of the network by site."""
SHIPPED = ("unsteady, mean deviation, all", "balance, loudest 8 rows, 100 to 900 Hz")
"""The two parts of the statistic that ships."""
DRAWS = 20_000


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="recordings with sites and folds (hk-noise-loggers)")
    parser.add_argument("--network", type=Path, help="scores that bench.network_case wrote")
    parser.add_argument("--draws", type=int, default=10, help="divisions of the learning curve (10)")
    args = parser.parse_args()
    table = nested_choice.read(args.data)
    folds = cross_validation.fixed_folds(table.real, "fold")
    scores = by_file(table, folds)
    if args.network:
        known = json.loads(args.network.read_text(encoding="utf-8"))
        scores["network"] = np.array([known[recording.name] for recording in table.real.recordings])
    print(chance(scores["statistic"], table.real.targets, table.real.groups))
    print(learning_curve(table, args.draws))
    print(with_level(table, folds))
    print(hindsight(table, folds))
    print(wrong_files(table, scores))


def models() -> dict[str, Candidate]:
    """Return fitted detectors of one strength, none of them chosen."""
    names = [name for name in gain_free.names() if name.startswith(("unsteady", "balance"))]
    sets = {"two parts": SHIPPED, "steady": ("steady",), "bands": ("bands",), "rich": ("rich",), "both": tuple(names)}
    found: dict[str, Candidate] = {f"linear, {name}": Linear(name, True, some) for name, some in sets.items()}
    return found | {"nearest 3, both": Nearest("", True, ("both",), 3)}


def by_file(table: Table, folds: Rows) -> dict[str, Floats]:
    """Return each detector's score of every file, from training on the other folds."""
    found = {"dbmin": table.real.by_file(np.arange(len(table.dbmin)), table.dbmin)}
    found["statistic"] = cross_validation.run(nested_choice.statistic(), table, folds).scores
    for name, model in models().items():
        found[name] = cross_validation.run(nested_choice.detector(model), table, folds).scores
    return found


def correlation(scores: Floats, targets: Targets, groups: Sequence[str]) -> float:
    """Return how much of a class's variance lies between sites (one-way analysis of variance), 0 to 1."""
    between = inside = 0.0
    for target in (0, 1):
        mine = targets == target
        values = (scores[mine] - scores[mine].mean()) / scores[mine].std()
        _, place, counts = np.unique(np.array(groups)[mine], return_inverse=True, return_counts=True)
        means = np.bincount(place, values) / counts
        within_ = np.sum((values - means[place]) ** 2) / (len(values) - len(counts))
        size = (len(values) - np.sum(counts**2) / len(values)) / (len(counts) - 1)
        above = np.sum(counts * (means - values.mean()) ** 2) / (len(counts) - 1)
        inside += within_ / 2
        between += max((above - within_) / size, 0.0) / 2
    return float(between / (between + inside))


def simulated(truth: float, share: float, targets: Targets, groups: Sequence[str], count: int, seed: int = 0) -> Floats:
    """Return AUCs of `count` sets with these sites and files when the true one is `truth` (two normal classes).

    `share`: part of each class's variance that the files of a site have in common.
    """
    rng = np.random.default_rng(seed)
    _, place = np.unique(groups, return_inverse=True)
    apart = norm.ppf(truth) * np.sqrt(2) * targets
    found = []
    for _ in range(count):
        site = rng.standard_normal(place.max() + 1)[place]
        score = apart + np.sqrt(share) * site + np.sqrt(1 - share) * rng.standard_normal(len(targets))
        found.append(metrics.auc(score, targets))
    return np.array(found)


def chance(scores: Floats, targets: Targets, groups: Sequence[str]) -> str:
    """Say how often so few sites would show SEEN or less if the true AUC were GOAL, and which true values fit."""
    seen = correlation(scores, targets, groups)
    lines = [
        "\n## What chance does",
        "",
        f"| variance between sites | {SEEN} or less at a true {GOAL:.2f} | 95 % seen |",
    ]
    lines.append("|---|---|---|")
    for share in (0.0, seen, 0.9):
        found = simulated(GOAL, share, targets, groups, DRAWS // 4)
        low, high = np.percentile(found, (2.5, 97.5))
        note = " (the statistic's own)" if share == seen else ""
        lines.append(f"| {share:.2f}{note} | {np.mean(found <= SEEN):.0%} | {low:.2f} to {high:.2f} |")
    fits = []
    for truth in tqdm(np.arange(0.65, 0.985, 0.01), "true values", disable=None):
        found = simulated(float(truth), seen, targets, groups, DRAWS // 10)
        if np.mean(found <= SEEN) > 0.025 and np.mean(found >= SEEN) > 0.025:
            fits.append(truth)
    lines.append(f"\nTrue AUCs that fit a seen {SEEN} (each side more than 2.5 %): {min(fits):.2f} to {max(fits):.2f}")
    return "\n".join(lines)


def learning_curve(table: Table, draws: int) -> str:
    """Train on ever more sites and judge on the same held-out ones; AUC over files, mean of the divisions."""
    sizes = ((5, 2), (7, 3), (10, 4), (12, 5), (15, 6), (17, 7))
    found: dict[str, list[list[float]]] = {name: [[] for _ in sizes] for name in models()}
    for seed in tqdm(range(draws), "divisions", disable=None):
        folds = cross_validation.drawn_folds(table.real, seed)
        for number, size in enumerate(sizes):
            rng = np.random.default_rng([seed, number])
            for name, model in models().items():
                found[name][number].append(_with_fewer(table, folds, model, size, rng))
    head = " | ".join(f"{leak} + {quiet}" for leak, quiet in sizes)
    lines = ["\n## Learning curve", "", f"| training sites, leak + quiet | {head} | last less 10 + 4 |"]
    lines.append("|---" * (len(sizes) + 2) + "|")
    for name, parts in found.items():
        gains = np.array(parts[-1]) - np.array(parts[2])
        cells = " | ".join(f"{np.mean(part):.3f}" for part in parts)
        lines.append(f"| {name} | {cells} | {gains.mean():+.3f} ({gains.min():+.2f} to {gains.max():+.2f}) |")
    return "\n".join(lines)


def _with_fewer(table: Table, folds: Rows, model: Candidate, size: tuple[int, int], rng: np.random.Generator) -> float:
    """Return the AUC over all files, each scored after training on so many leak and quiet sites of the other folds."""
    real, groups = table.real, np.array(table.real.groups)
    scores = np.full(len(folds), np.nan)
    for fold in np.unique(folds):
        test, others = np.flatnonzero(folds == fold), folds != fold
        names = [np.unique(groups[others & (real.targets == target)]) for target in (1, 0)]
        kept = [rng.choice(part, min(count, len(part)), replace=False) for part, count in zip(names, size, strict=True)]
        train = np.flatnonzero(others & np.isin(groups, np.concatenate(kept)))
        rows = real.rows(test, copies=False)
        scores[test] = real.by_file(rows, nested_choice.fitted(model, table, train, test).logits)[test]
    return metrics.auc(scores, real.targets)


def with_level(table: Table, folds: Rows) -> str:
    """Give the same models dBmin as one number more; the sum without a fit weighs it as much as the statistic."""
    lines = [
        "\n## The same with level (dBmin)",
        "",
        "| detector | without | with | gained, paired by site |",
        "|---|---|---|---|",
    ]
    pairs: dict[str, tuple[Candidate, Candidate]] = {
        name: (model, Linear(name, True, (*model.features, "dbmin"), model.strength))
        for name, model in models().items()
        if isinstance(model, Linear)
    }
    pairs["sum, half of each, no fit"] = Sum("", False, *SHIPPED, 0.5), Sum("", False, *SHIPPED, 0.5, 0.5)
    for name, pair in pairs.items():
        one, two = (cross_validation.run(nested_choice.detector(model), table, folds) for model in pair)
        aucs = [metrics.auc(outcome.scores, outcome.targets) for outcome in (one, two)]
        gained = metrics.difference(metrics.auc, two.scores, one.scores, one.targets, one.groups)
        lines.append(f"| {name} | {aucs[0]:.3f} | {aucs[1]:.3f} | {gained} |")
    return "\n".join(lines)


def hindsight(table: Table, folds: Rows, deals: int = 100) -> str:
    """Return the best AUC of all sums, chosen with every label in sight, and the same with labels dealt anew."""
    sums = [candidate for candidate in gain_free.family() if isinstance(candidate, Sum)]
    fitted = [candidate for candidate in gain_free.family() if not isinstance(candidate, Sum)]
    columns, everything = gain_free.measured(table), np.arange(len(table.real.file))
    scores = [table.real.by_file(everything, one.score(columns, table, everything)) for one in sums]
    targets = table.real.targets
    best = [max(metrics.auc(score, labels) for score in scores) for labels in _deals(table, deals)]
    aucs = np.array([metrics.auc(score, targets) for score in scores])
    tried = [cross_validation.run(nested_choice.detector(one), table, folds) for one in fitted]
    trained = np.array([metrics.auc(outcome.scores, targets) for outcome in tried])
    low, high = np.percentile(best, (5, 95))
    return (
        "\n## The best in hindsight\n\n"
        f"{len(sums)} sums, every label in sight: best {aucs.max():.3f}, median {np.median(aucs):.3f}, "
        f"{np.sum(aucs >= GOAL)} reach {GOAL:.2f}. Labels dealt anew among sites: best {np.mean(best):.3f} "
        f"(5 to 95 % of {deals} deals: {low:.2f} to {high:.2f}).\n"
        f"{len(fitted)} fitted ones, by fold: best {trained.max():.3f}, median {np.median(trained):.3f}."
    )


def _deals(table: Table, count: int) -> list[Targets]:
    rng = np.random.default_rng(0)
    return [metrics.shuffled(table.real.groups, table.real.targets, rng) for _ in range(count)]


def wrong(scores: Floats, targets: Targets) -> Floats:
    """Return for each file the share of the other class's files on the wrong side of it; a tie counts half."""
    ahead = (scores[:, None] < scores[None]) + 0.5 * (scores[:, None] == scores[None])
    shares = [ahead[:, targets == 0].mean(axis=1), 1 - ahead[:, targets == 1].mean(axis=1)]
    return np.asarray(np.where(targets == 1, *shares))


def wrong_files(table: Table, scores: Mapping[str, Floats], most: float = 0.25) -> str:
    """Tabulate the files that the gain-free detectors get wrong, with what is known of them."""
    real = table.real
    shares = {name: wrong(score, real.targets) for name, score in scores.items()}
    free = [name for name in shares if name != "dbmin"]
    mean = np.mean([shares[name] for name in free], axis=0)
    head = " | ".join((*free, "dbmin"))
    lines = [
        "\n## Files on the wrong side",
        "",
        "Share of the other class's files that a file is on the wrong side of.",
        "",
    ]
    lines += [
        f"| file | {head} | dBmin, dBFS | unsteady, dB | balance, dB | clipped | what |",
        "|---" * (len(free) + 7) + "|",
    ]
    known = _properties(table, scores["dbmin"])
    for number in np.argsort(-mean):
        if mean[number] < most:
            break
        recording = real.recordings[number]
        cells = " | ".join(f"{shares[name][number]:.2f}" for name in (*free, "dbmin"))
        about = " | ".join(f"{values[number]:.{digits}f}" for values, digits in known)
        clipped = _clipped(recording.path)
        lines.append(f"| {recording.name} | {cells} | {about} | {clipped:.1%} | {recording.label} |")
    for target, name in ((1, "leaks"), (0, "quiet files")):
        about = " | ".join(f"{np.median(values[real.targets == target]):.{digits}f}" for values, digits in known)
        lines.append(f"| median of {name} |{' |' * (len(free) + 1)} {about} | | |")
    return "\n".join([*lines, "", *_agreement(shares, free, mean, real.targets)])


def _properties(table: Table, dbmin: Floats) -> list[tuple[Floats, int]]:
    """Return dBmin and the two parts of the statistic for every file, with the digits to print."""
    columns, rows = gain_free.measured(table), np.arange(len(table.real.file))
    parts = [table.real.by_file(rows, columns[name][:, 0]) for name in SHIPPED]
    return list(zip((dbmin, *parts), (0, 2, 0), strict=True))


def _agreement(shares: Mapping[str, Floats], free: Sequence[str], mean: Floats, targets: Targets) -> list[str]:
    """Say how alike the detectors' errors are, and whether level gets the same files wrong."""
    lines = []
    for target, name in ((1, "leaks"), (0, "quiet files")):
        mine = targets == target
        pairs = [spearmanr(shares[a][mine], shares[b][mine]).statistic for a, b in combinations(free, 2)]
        level = [spearmanr(shares[a][mine], shares["dbmin"][mine]).statistic for a in free]
        hard = mine & (mean >= np.sort(mean[mine])[-5])
        part = mean[hard].sum() / mean[mine].sum()
        lines.append(
            f"{name}: rank correlation of errors between gain-free detectors {np.mean(pairs):.2f} "
            f"({min(pairs):.2f} to {max(pairs):.2f}), with dBmin's {np.mean(level):.2f}; the worst five carry "
            f"{part:.0%} of the error; there dBmin is on the wrong side of {shares['dbmin'][hard].mean():.0%} "
            f"(all {name}: {shares['dbmin'][mine].mean():.0%}), the gain-free ones of {mean[hard].mean():.0%}."
        )
    return lines


def _clipped(path: Path) -> float:
    sound: Any = np.abs(read_wav(path, SPEC, channel="mix"))
    return float(np.mean(sound >= 0.99 * sound.max()))


if __name__ == "__main__":
    main()

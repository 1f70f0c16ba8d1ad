"""Compare the network with its statistic: on recordings of new sites, and on sounds that no training has heard.

    python -m bench.network_case ../shared/data --out runs/case

For each fold of recordings a network of the factory's recipe is fitted without it. The fold's leaks are then held
against every window of `background/long` and Speech Commands noise (the windows of `leakear-train background`: one
band, random gains) and of the ESC-10 sources kept from training. So all thirty leaks judge, each by a network that has
not heard its site. Also other shrinkages, and a network without pre-training or without background windows.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge.spec import SpectrogramSpec
from leakear.train import networks, stderr_filter
from leakear.train.cli import factory
from leakear.train.cli.factory import TrainingData
from leakear.train.cli.model import background
from leakear.train.data import augmentation
from leakear.train.data.clips import encode
from leakear.train.data.collection import folders
from leakear.train.data.features import default_cache
from leakear.train.evaluation import metrics
from leakear.train.evaluation.metrics import Floats
from leakear.train.nodedays import sounds
from leakear.train.training import pretraining
from leakear.train.training.pooled_windows import PooledFrames, PooledWindows, pool
from leakear.train.training.pretraining import PretrainedFit

PER_FILE = 12
"""Windows of each background file at most."""
DRAWS = 2000
VARIANTS = (
    "recipe",
    "recipe, seed 43",
    "recipe, seed 44",
    "shrinkage 5",
    "shrinkage 0.05",
    "no background windows",
    "no pre-training",
    "no recordings",
)
Wins: TypeAlias = npt.NDArray[np.float64]
"""(leak windows, background windows) 1 where the leak scores higher, 0.5 at a tie"""


@dataclass(frozen=True)
class Heard:
    """Windows with the site, source or file of each."""

    frames: PooledFrames
    names: tuple[str, ...]


@dataclass(frozen=True)
class Sounds:
    """What judges: leaks with their folds, and three kinds of sound without a leak."""

    leaks: Heard
    folds: npt.NDArray[np.int64]
    others: Mapping[str, Heard]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with hk-noise-loggers/ and background/")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for scores.json: the recipe's, of each recording"
    )
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="repeat for several (default: all)")
    args = parser.parse_args()
    stderr_filter.load_tensorflow()
    folder = args.data / "background"
    data = factory.load(args.data / "hk-noise-loggers", folder / "esc-10", default_cache(), 42, jobs=1)
    judged = heard(data, folder)
    windows = PooledWindows.of(data.real.windows)
    statistic = Networks([networks.find("compact").network()] * len(np.unique(folds_of(data))))
    wins = {"statistic, untrained": statistic.judge(judged)}
    files = {"statistic, untrained": statistic.recordings(data, windows)}
    for name in tqdm(args.variant or VARIANTS, "variants", disable=None):
        made = Networks(train(data, windows, name))
        wins[name], files[name] = made.judge(judged), made.recordings(data, windows)
    args.out.mkdir(parents=True, exist_ok=True)
    if "recipe" in files:
        scores = {recording.name: score for recording, score in zip(data.real.recordings, files["recipe"], strict=True)}
        (args.out / "scores.json").write_text(json.dumps(scores, indent=1), encoding="utf-8")
    print(text(data, judged, wins, files))


@dataclass(frozen=True)
class Networks:
    """One network for each fold of recordings, which has not heard it."""

    each: Sequence[object]

    def judge(self, judged: Sounds) -> dict[str, Wins]:
        """Return which leaks score higher than which other sounds; a leak's own fold decides which network compares."""
        found = {name: np.zeros((len(judged.folds), len(other.names))) for name, other in judged.others.items()}
        for fold, network in enumerate(self.each):
            mine = judged.folds == fold
            leaks = pretraining.logits(network, judged.leaks.frames[mine])[:, None]
            for name, other in judged.others.items():
                theirs = pretraining.logits(network, other.frames)[None]
                found[name][mine] = (leaks > theirs) + 0.5 * (leaks == theirs)
        return found

    def recordings(self, data: TrainingData, windows: PooledWindows) -> Floats:
        """Return the score of every recording by the network that has not heard its fold."""
        real, found = data.real, np.full(len(data.real.file), np.nan)
        for fold, network in enumerate(self.each):
            rows = real.rows(np.flatnonzero(folds_of(data) == fold), copies=False)
            found[rows] = pretraining.logits(network, windows.frames[rows])
        rows = np.flatnonzero(np.isfinite(found))
        return real.by_file(rows, found[rows])


def folds_of(data: TrainingData) -> npt.NDArray[np.int64]:
    """Return the manifest's fold of each recording."""
    return np.array([-1 if r.fold is None else r.fold for r in data.real.recordings], np.int64)


def heard(data: TrainingData, folder: Path) -> Sounds:
    """Compute the windows that judge, each at its own gain and in a logger's band."""
    spec, folds = networks.find("compact").spec, folds_of(data)
    leaks = [(r.path, r.site or r.name, fold) for r, fold in zip(data.real.recordings, folds, strict=True) if r.target]
    found = [_windows(path, site, spec, 2) for path, site, _ in tqdm(leaks, "leaks", disable=None)]
    mine = [np.full(len(part.names), fold) for part, (_, _, fold) in zip(found, leaks, strict=True)]
    paths = [*folders.sounds(folder / "long"), *folders.sounds(folder / "speech-commands-noise")]
    kinds = {"new sounds": [p for p in paths if p.stem not in background.FLOW]}
    kinds["running water"] = [p for p in paths if p.stem in background.FLOW]
    kinds["ESC-10 held out"] = list(augmentation.divided(folder / "esc-10")[1])
    others = {
        name: _joined(
            [_windows(path, augmentation.source(path), spec, PER_FILE) for path in tqdm(part, name, disable=None)]
        )
        for name, part in kinds.items()
    }
    return Sounds(_joined(found), np.concatenate(mine), others)


def _windows(path: Path, name: str, spec: SpectrogramSpec, most: int) -> Heard:
    codes = [encode(decibels, spec) for decibels in background.windows(path, spec, sounds.LOGGER_HZ, most)]
    return Heard(pool(np.stack(codes)), (name,) * len(codes))


def _joined(parts: Sequence[Heard]) -> Heard:
    return Heard(np.concatenate([part.frames for part in parts]), tuple(name for part in parts for name in part.names))


def train(data: TrainingData, windows: PooledWindows, variant: str) -> list[object]:
    """Fit a network for each fold, without that fold."""
    fit: PretrainedFit = data.pretrained
    changes: dict[str, dict[str, float]] = {
        "recipe, seed 43": {"seed": 43},
        "recipe, seed 44": {"seed": 44},
        "shrinkage 5": {"shrinkage": 5.0},
        "shrinkage 0.05": {"shrinkage": 0.05},
        "no pre-training": {"pretrain_epochs": 0},
        "no recordings": {"steps": 0},
    }
    options = replace(fit.options, **changes.get(variant, {}))  # type: ignore[arg-type]
    backgrounds = None if variant == "no background windows" else fit.backgrounds
    fit = PretrainedFit(fit.simulated, backgrounds, options, fit.cache)
    folds = folds_of(data)
    parts = [data.real.rows(np.flatnonzero(folds != fold), copies=True) for fold in np.unique(folds)]
    return [fit.fit(windows.take(rows)) for rows in tqdm(parts, variant, leave=False, disable=None)]


def interval(wins: Wins, leaks: Sequence[str], others: Sequence[str], draws: int = DRAWS) -> str:
    """Return the mean of wins (leaks, others) with an interval; leak sites and sources are drawn with replacement."""
    rng = np.random.default_rng(0)
    rows, columns = (_one_hot(names) for names in (leaks, others))
    sums, counts = rows.T @ wins @ columns, rows.sum(axis=0)[:, None] * columns.sum(axis=0)[None]
    found = []
    for _ in range(draws):
        a, b = (rng.multinomial(size, np.full(size, 1 / size)) for size in sums.shape)
        found.append((a @ sums @ b) / (a @ counts @ b))
    low, high = np.percentile(found, (2.5, 97.5))
    return f"{wins.mean():.3f} ({low:.3f} to {high:.3f})"


def _one_hot(names: Sequence[str]) -> Floats:
    known = sorted(set(names))
    return np.array([[float(name == other) for other in known] for name in names])


def text(
    data: TrainingData, judged: Sounds, wins: Mapping[str, Mapping[str, Wins]], files: Mapping[str, Floats]
) -> str:
    """Return two tables: AUCs, and by how much each network is better than the statistic on the same windows."""
    real, base = data.real, "statistic, untrained"
    counts = {name: f"{len(other.names)} of {len(set(other.names))} sources" for name, other in judged.others.items()}
    lines = [f"{len(judged.leaks.names)} windows of leaks at {len(set(judged.leaks.names))} sites; {counts}", ""]
    kinds = tuple(judged.others)
    head = " | ".join(("recordings by site", *kinds))
    lines += [f"| detector | {head} |", "|---" * (len(kinds) + 2) + "|"]
    for name, parts in wins.items():
        own = str(metrics.estimate(metrics.auc, files[name], real.targets, real.groups))
        cells = [interval(parts[kind], judged.leaks.names, judged.others[kind].names) for kind in kinds]
        lines.append(f"| {name} | {' | '.join((own, *cells))} |")
    lines += ["", f"| better than the statistic by | {head} |", "|---" * (len(kinds) + 2) + "|"]
    for name, parts in wins.items():
        if name == base:
            continue
        own = str(metrics.difference(metrics.auc, files[name], files[base], real.targets, real.groups))
        cells = [
            interval(parts[kind] - wins[base][kind], judged.leaks.names, judged.others[kind].names) for kind in kinds
        ]
        lines.append(f"| {name} | {' | '.join((own, *cells))} |")
    seeds = [parts for name, parts in wins.items() if name.startswith("recipe")]
    gaps = {kind: np.mean([parts[kind] for parts in seeds], axis=0) - wins[base][kind] for kind in kinds if seeds}
    cells = [interval(gap, judged.leaks.names, judged.others[kind].names) for kind, gap in gaps.items()]
    return "\n".join([*lines, f"| recipe, mean of {len(seeds)} seeds | | {' | '.join(cells)} |"])


if __name__ == "__main__":
    main()

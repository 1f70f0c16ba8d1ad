"""`leakear-train crossval`: cross-validates networks and baselines by site, with confidence intervals."""

import argparse
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.command_line import number, whole
from leakear.edge.errors import InputDataError
from leakear.train import data_options, networks, stderr_filter
from leakear.train.data import augmentation, background_windows, real_windows, simulated_windows
from leakear.train.data.clips import Recipe
from leakear.train.data.features import default_cache
from leakear.train.data.simulated_windows import Plan
from leakear.train.evaluation import baselines, cross_validation, crossval_report, detectors
from leakear.train.evaluation.baselines import BASELINES, Detector, Table
from leakear.train.evaluation.crossval_report import Result, Study
from leakear.train.evaluation.kept_outcomes import KeptOutcomes
from leakear.train.evaluation.metrics import Rows
from leakear.train.networks import compact
from leakear.train.training.pooled_windows import PooledWindows
from leakear.train.training.pretraining import FitOptions, PretrainedFit
from leakear.train.work.jobs import add_job_arguments, jobs_of

HELP = """\
Cross-validate by site: each recording is scored by a detector that was trained without recordings of its site. Prints
one table and writes it with pictures: OUT/crossval.md, crossval.json, roc.png, det.png, reliability.png.

  leakear-train crossval recordings/ --background noises/       the network and every baseline, the manifest's folds
  leakear-train crossval recordings/ --draws 10                 and ten other random divisions into folds
  leakear-train crossval recordings/ --baseline dbmin --seed 7  one baseline, random folds of seed 7
  leakear-train crossval recordings/ --permute 20               labels permuted among sites: the AUC must be about 0.5

An interrupted run continues where it stopped.

Networks: compact (the factory's recipe, pre-trained on simulated sites), prior (its built-in statistic, untrained),
any other preset (trained on the recordings alone, --epochs). Baselines: dbmin, rms, steady, bands, rich, trees.
"""
SIMULATED = Plan(first_site=500_000, sites=800)
"""Simulated sites for pre-training; simulated evaluations use other sites."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidates:
    """The detectors to evaluate, and the windows to evaluate them on."""

    detectors: dict[str, tuple[str, Detector]]
    """name → (description, detector)"""
    table: Table
    noises: tuple[Path, ...] = ()
    """Sounds of --background to train on."""

    def __iter__(self) -> Iterator[tuple[str, str, Detector]]:
        return ((name, description, detector) for name, (description, detector) in self.detectors.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with recordings and their sites")
    data_options.add_arguments(parser)
    parser.add_argument("--preset", action="append", choices=("prior", *networks.PRESETS), help="repeat for several")
    parser.add_argument("--baseline", action="append", choices=tuple(BASELINES), help="repeat for several")
    parser.add_argument("--folds", default="fold", metavar="COLUMN", help="column of the manifest that holds folds")
    parser.add_argument(
        "--seed", type=int, metavar="N", help="divide the sites into random folds instead, with this seed"
    )
    parser.add_argument("--draws", type=whole(0), default=0, metavar="K", help="other random divisions to average over")
    parser.add_argument("--leave-out", action="append", default=[], metavar="SITE", help="recordings to leave out")
    parser.add_argument("--permute", type=whole(0), default=0, metavar="K", help="permute labels among sites, K times")
    parser.add_argument(
        "--background", type=Path, metavar="DIR", help="sounds without a leak, to train on and to mix in"
    )
    parser.add_argument(
        "--ablate", action="append", default=[], choices=("pretraining", "backgrounds"), help="train compact without it"
    )
    parser.add_argument(
        "--shrinkage",
        type=number(0),
        default=FitOptions().shrinkage,
        help="how strongly compact is kept near its statistic",
    )
    parser.add_argument("--epochs", type=whole(1), default=20, help="of presets trained on the recordings alone")
    parser.add_argument(
        "--bootstrap", type=whole(0), default=2000, metavar="N", help="bootstrap samples for the intervals"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("runs/crossval"), help="folder for table and pictures"
    )
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where computed windows are kept")
    add_job_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Cross-validate and print the table."""
    files.folder(args.output, "-o")
    found = candidates(args)
    study = permutations(found, args) if args.permute else compare(found, args)
    crossval_report.write(args.output, study)
    print(crossval_report.markdown(study))
    print(f"{args.output}: crossval.md, crossval.json and pictures")
    return 0


def candidates(args: argparse.Namespace) -> Candidates:
    """Read the recordings and make the detectors to evaluate."""
    everything = args.preset is None and args.baseline is None
    names = list(args.preset or (["compact", "prior"] if everything else []))
    base = list(args.baseline or (BASELINES if everything else []))
    noises = _noises(args)
    table = _table(args, noises, with_copies=any(name != "prior" for name in names))
    made = {name: _network(name, args, noises) for name in names}
    return Candidates(made | {name: BASELINES[name] for name in base}, table, noises)


def compare(found: Candidates, args: argparse.Namespace) -> Study:
    """Evaluate all detectors on the chosen folds and on the other random divisions."""
    table = found.table
    folds = _folds(table, args)
    first = 0 if args.seed is None else args.seed + 1
    others = [cross_validation.drawn_folds(table.real, first + number) for number in range(args.draws)]
    how = [args.shrinkage, args.epochs, sorted(args.ablate), *map(_sha256, found.noises)]
    kept = KeptOutcomes(_cache(args) / "crossval", table, how)
    results = []
    count = len(found.detectors) * (1 + len(others))
    divisions = iter(tqdm([folds, *others] * len(found.detectors), "cross-validations", count, disable=None))
    for name, description, detector in found:
        outcome, *drawn = [kept.run(name, detector, next(divisions)) for _ in (folds, *others)]
        results.append(Result(name, description, outcome, tuple(drawn)))
        log.info("%s evaluated", name)
    return Study(_title(args), tuple(results), args.bootstrap)


def permutations(found: Candidates, args: argparse.Namespace) -> Study:
    """Evaluate all detectors on permuted labels."""
    tables = [cross_validation.permuted(found.table, seed) for seed in range(args.permute)]
    folds = [cross_validation.drawn_folds(table.real, seed) for seed, table in enumerate(tables)]
    results = []
    with tqdm(total=len(found.detectors) * len(tables), desc="cross-validations", disable=None) as bar:
        for name, description, detector in found:
            drawn = []
            for table, fold in zip(tables, folds, strict=True):
                drawn.append(cross_validation.run(detector, table, fold))
                bar.update()
            results.append(Result(name, description, drawn[0], tuple(drawn)))
    return Study(f"{args.permute} permutations of the labels by site", tuple(results), 0)


def _noises(args: argparse.Namespace) -> tuple[Path, ...]:
    """Return the background sounds to train on: those that can be used, without the sources kept for judging."""
    if not args.background:
        return ()
    good = data_options.backgrounds(args.background, compact.SPEC, args.cache, jobs_of(args))
    return tuple(path for path in augmentation.divided(args.background)[0] if path in good)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _table(args: argparse.Namespace, noises: tuple[Path, ...], *, with_copies: bool) -> Table:
    spec = compact.SPEC
    copies = [name for name in real_windows.COPIES if noises or "mix" not in name]
    recipe = Recipe(spec, "all", 4 if with_copies else 0, tuple(copies), noises, channel=args.channel)
    prepared = data_options.listed(args, fold_column=args.folds).prepare(spec, clipped=True)
    found = prepared.recordings
    without_site = next((r.name for r in found if r.site is None), None)
    if without_site:
        raise InputDataError(f"{without_site} has no site: a manifest with a site column is needed to keep sites apart")
    table = baselines.measure(real_windows.read(found, recipe, _cache(args), jobs_of(args)), spec)
    return cross_validation.without(table, args.leave_out) if args.leave_out else table


def _network(name: str, args: argparse.Namespace, noises: tuple[Path, ...]) -> tuple[str, Detector]:
    stderr_filter.load_tensorflow()
    if name == "prior":
        return "the network's built-in statistic, untrained", detectors.prior(networks.find("compact"))
    preset = networks.find(name)
    if preset.spec != compact.SPEC:
        raise InputDataError(f"preset {name} uses another spectrogram: evaluate it with `leakear-train compare`")
    if name != "compact":
        return f"{preset.help}; {args.epochs} epochs", detectors.scratch(preset, args.epochs, FitOptions().seed)
    windows = simulated_windows.windows(SIMULATED, preset.spec, noises, _cache(args), jobs_of(args))
    options = FitOptions(shrinkage=args.shrinkage)
    options = replace(options, pretrain_epochs=0) if "pretraining" in args.ablate else options
    negatives = background_windows.windows(noises, preset.spec, _cache(args), jobs_of(args)) if noises else None
    negatives = None if "backgrounds" in args.ablate else negatives
    pools = (PooledWindows.of(windows), None if negatives is None else PooledWindows.of(negatives))
    fit = PretrainedFit(*pools, options, _cache(args))
    return f"the factory model's recipe, shrinkage {args.shrinkage:g}", detectors.pretrained(fit)


def _folds(table: Table, args: argparse.Namespace) -> Rows:
    if args.seed is not None:
        return cross_validation.drawn_folds(table.real, args.seed)
    return np.unique(cross_validation.fixed_folds(table.real, args.folds), return_inverse=True)[1]


def _title(args: argparse.Namespace) -> str:
    parts = [f"random folds of seed {args.seed}" if args.seed is not None else f"folds of column {args.folds}"]
    parts += [f"without {part}" for part in args.ablate]
    parts += [f"without site {site}" for site in args.leave_out]
    return ", ".join(parts)


def _cache(args: argparse.Namespace) -> Path:
    return args.cache or default_cache()

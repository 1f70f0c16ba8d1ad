"""`leakear-train fit`: trains a network on recordings and writes a run folder."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leakear.edge import files
from leakear.edge.command_line import number, whole
from leakear.edge.errors import InputDataError
from leakear.edge.texts import counted
from leakear.train import data_options, networks, session, stderr_filter
from leakear.train.data import dataset
from leakear.train.data.clips import Recipe
from leakear.train.data.dataset import Recording
from leakear.train.data.split import WAYS, Split, split
from leakear.train.evaluation import comparison
from leakear.train.networks import Preset, factory
from leakear.train.runfolder import Run
from leakear.train.training import negatives
from leakear.train.training.adaptation import FACTORY, SCRATCH
from leakear.train.training.distributed import join, task
from leakear.train.work.jobs import jobs_of

AUTO = "auto"
FEW = 300
"""Recordings below which a network of several places begins with the factory network."""
HELP = """\
Train a network on labelled recordings. DATA holds class folders (a name that begins with NoLeak is NoLeak, any other
is Leak) or a manifest.csv with the columns path, label and, to validate on other sites, site. What became of each
folder is printed first (--dry-run: only that). A recording that cannot be used is named and left out. An interrupted
run continues where it stopped.

  leakear-train fit recordings/                                five of each class from one place are enough to begin
  leakear-train fit monday/ --hold-out friday/ --background noises/
                                                               judged on friday/, beside the factory model
  leakear-train fit recordings/ --split file --windows first --preset reference --batch-size 8
                                                               the reference notebook, within 11 GiB
  TF_CONFIG='{"cluster": …}' leakear-train fit recordings/     the same command on every machine of TF_CONFIG

Recordings of one place train a new network, which is better there and worse elsewhere; fewer than 300 recordings of
several known sites change the last layers of the factory model (--from decides otherwise). Simulated windows without
a leak, and the sounds of --background, train beside the recordings. What is held out (--hold-out, else other sites
where there are two of each class) sets the threshold and is judged by the factory model too: a table ends the output.
With nothing held out there is no figure. --site-pattern may find a date instead of a site: then other days are held
out. --batch-size counts the windows of all machines together.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `fit`."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with the recordings")
    parser.add_argument("-o", "--output", type=Path, metavar="RUN", help="run folder (default: runs/PRESET-SPLIT-SEED)")
    parser.add_argument(
        "--preset", choices=tuple(networks.PRESETS), default="compact", help="network and spectrogram (compact)"
    )
    _data_arguments(parser.add_argument_group("recordings"))
    _learning_arguments(parser.add_argument_group("learning"))


def _data_arguments(group: Any) -> None:
    data_options.add_arguments(group)
    group.add_argument("--dry-run", action="store_true", help="show what would be trained on, and stop")
    group.add_argument(
        "--site-pattern", type=data_options.pattern, metavar="REGEX", help="read the site from a name: its first group"
    )
    group.add_argument(
        "--split",
        choices=(AUTO, *WAYS),
        default=AUTO,
        help="validate on other sites, on other files, or not at all (auto: on other sites where that can be done)",
    )
    group.add_argument(
        "--hold-out", type=Path, metavar="DIR", help="recordings to judge on, as DATA: class folders or a manifest"
    )
    group.add_argument("--fold", type=int, metavar="N", help="hold out the manifest's fold N")
    group.add_argument("--fold-column", default="fold", help="column of the manifest that holds folds")
    group.add_argument(
        "--background", type=Path, metavar="DIR", help="sounds without a leak: mixed in, and windows of their own"
    )
    group.add_argument("--copies", type=whole(0), metavar="N", help="changed copies of a training window (preset's)")
    group.add_argument(
        "--windows", choices=("all", "first"), help="which windows of a file to use (first: the notebook's rule)"
    )
    data_options.add_cache_arguments(group)
    group.add_argument(
        "--attribution",
        action="append",
        default=[],
        metavar="TEXT",
        help="credit to keep with the model; repeat for several",
    )


def _learning_arguments(group: Any) -> None:
    group.add_argument(
        "--from", dest="start", metavar="scratch|factory|RUN",
        help=f"network to begin with (several sites, fewer than {FEW} recordings: factory; else scratch)",
    )  # fmt: skip
    group.add_argument(
        "--simulated", type=whole(0), metavar="N", help=f"simulated sites to train on beside DATA ({negatives.SITES})"
    )
    group.add_argument("--epochs", type=whole(1), help="passes over the training windows (preset's)")
    group.add_argument("--batch-size", type=whole(1), help="windows in one training step (preset's)")
    group.add_argument("--learning-rate", type=number(0, above=True), help="of Adam (preset's)")
    group.add_argument(
        "--patience", type=whole(0), help="epochs without improvement before it ends; 0 never (preset's)"
    )
    group.add_argument("--seed", type=int, default=42, help="of split, copies and weights (default: 42)")
    group.add_argument("--fresh", action="store_true", help="delete what was trained in RUN and start again")


def main(args: argparse.Namespace) -> int:
    """Run `fit`."""
    worker, _ = task()
    preset = _preset(args)
    if args.output:
        files.folder(args.output, "-o")
    data = data_options.listed(args, fold_column=args.fold_column, site_pattern=args.site_pattern)
    recipe = _recipe(preset, args)
    prepared = data.prepare(preset.spec)
    divided = _split(prepared.recordings, args, preset)
    output = args.output or Path("runs") / f"{preset.name}-{divided.by}-{args.seed}"
    files.folder(output, "-o")
    for line in divided.lines():
        print(line)
    if args.dry_run:
        return 0
    if args.fresh and worker == 0:
        session.clear(output)
    job = session.Job(
        preset=preset,
        recipe=recipe,
        split=divided,
        skipped=prepared.left_out,
        attribution=tuple(args.attribution),
        start=args.start or _start(preset, divided),
        added=_added(divided, recipe, preset, args, data.cache),
    )
    stderr_filter.load_tensorflow()
    run = session.run(job, output, join(), cache=data.cache, jobs=data.jobs)
    if run:
        _print_summary(run)
    return 0


def _start(preset: Preset, divided: Split) -> str:
    """Return what to begin with: few recordings of several places cannot train a network (decisions 123 and 127)."""
    sites = {recording.site for recording in divided.train if recording.site is not None}
    few = preset.name == factory.PRESET and len(divided.train) < FEW and len(sites) > 1
    return FACTORY if few else SCRATCH


def _split(recordings: Sequence[Recording], args: argparse.Namespace, preset: Preset) -> Split:
    """Divide the recordings as the options say; `auto` holds nothing out where sites do not allow it, and says so."""
    if args.hold_out:
        return held_out(recordings, _held(args, preset), args.seed)
    if args.split != AUTO:
        return split(recordings, args.split, args.seed, args.fold)
    try:
        return split(recordings, "site", args.seed, args.fold)
    except InputDataError as error:
        if args.fold is not None:
            raise
        print(f"no recording is held out: {error}")
        return split(recordings, "none", args.seed)


def _held(args: argparse.Namespace, preset: Preset) -> list[Recording]:
    """Read the recordings of --hold-out, a folder or a manifest; their names begin with its name."""
    path: Path = args.hold_out
    folder, manifest = (path, None) if path.is_dir() else (path.parent, path)
    there = argparse.Namespace(**{**vars(args), "data": folder, "manifest": manifest})
    found = data_options.listed(there).prepare(preset.spec)
    return [dataclasses.replace(r, name=f"held-out/{r.name}") for r in found.recordings]


def held_out(train: Sequence[Recording], held: Sequence[Recording], seed: int) -> Split:
    """Return the split of given sides. InputDataError when one recording is on both, or a class is missing."""
    known = {r.sha256: r.name for r in train}
    both = next((r for r in held if r.sha256 in known), None)
    if both:
        raise InputDataError(f"--hold-out: {both.name} is {known[both.sha256]}, which is trained on: take it from one")
    dataset.require_classes(held, "--hold-out")
    return Split("held-out", seed, None, tuple(train), tuple(held))


def _added(
    divided: Split, recipe: Recipe, preset: Preset, args: argparse.Namespace, cache: Path
) -> tuple[Recording, ...]:
    """Return what trains beside the recordings."""
    rate = negatives.sample_rate(divided.train)
    sites = negatives.SITES if args.simulated is None else args.simulated
    wanted = args.simulated is not None or preset.spec.reference == "own"  # the notebook's experiment stays as it is
    made = negatives.simulated(rate, cache, jobs_of(args), sites) if wanted else []
    given = negatives.given(recipe.backgrounds, args.background, rate, preset.spec, cache)
    return (*made, *given)


def _preset(args: argparse.Namespace) -> Preset:
    """Return the preset with what the command line changed."""
    names = ("copies", "windows", "epochs", "batch_size", "learning_rate", "patience")
    changed = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return dataclasses.replace(networks.find(args.preset), **changed)


def _recipe(preset: Preset, args: argparse.Namespace) -> Recipe:
    backgrounds = data_options.backgrounds(args.background, preset.spec, args.cache, jobs_of(args))
    return Recipe(
        preset.spec,
        preset.windows,
        preset.copies,
        preset.augmentations,
        backgrounds,
        args.seed,
        args.channel,
        healthy=True,
    )


def _print_summary(run: Run) -> None:
    if skipped := run.info.data["skipped"]:
        print(f"{counted(len(skipped), 'recording')} left out: report.html names each")
    if said := run.info.metrics.get("comparison"):
        print((run.path / "classification_report.txt").read_text(encoding="utf-8"))
    print(f"{comparison.text(said) if said else comparison.NOTHING_HELD_OUT}\n")
    print(f"{run.path}: open report.html; next: leakear-convert {run.path} -o model.tflite")

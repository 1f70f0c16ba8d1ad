"""`leakear-train compare`: the reference notebook's experiment: linear frequency lines against mel bands."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.command_line import number, whole
from leakear.edge.errors import InputDataError, UsageError
from leakear.edge.spec import SpectrogramSpec
from leakear.train import data_options, stderr_filter
from leakear.train.data import clips, dataset
from leakear.train.data.dataset import Recording
from leakear.train.data.representations import REPRESENTATIONS, pooled
from leakear.train.data.split import split
from leakear.train.data_options import DataSet
from leakear.train.evaluation import metrics
from leakear.train.evaluation.metrics import Floats, Rows
from leakear.train.networks.compact import strided
from leakear.train.networks.reference import reference

HELP = """\
The reference notebook asks: "Is the distinguishing feature in the fine frequency detail?" This compares linear lines
with mel bands, using the notebook's network, ours, and a logistic regression. Recordings are split by site, and by file
as in the notebook (12 files held out).

  leakear-train compare recordings/ --network logistic            all representations, seconds each
  leakear-train compare recordings/ --network notebook --epochs 75 --pool 1 --seeds 1    as in the notebook; needs a GPU
  leakear-train compare recordings/ --network notebook --epochs 8 --pool 8               small enough for a CPU

--pool averages frames before the network. --max-hz removes higher frequencies (the Hong Kong recordings have none
above 2048 Hz).
"""
NETWORKS = ("logistic", "notebook", "strided")


@dataclass(frozen=True)
class Result:
    """One representation, network and way to split, over several seeds."""

    representation: str
    network: str
    split: str
    rows: int
    auc: list[float]
    """One a seed: of the held-out files."""
    accuracy: list[float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with recordings and their sites")
    data_options.add_arguments(parser)
    parser.add_argument("--representation", action="append", choices=REPRESENTATIONS, help="default: all")
    parser.add_argument("--network", action="append", choices=NETWORKS, help="default: logistic")
    parser.add_argument("--split", action="append", choices=("file", "site"), help="default: both")
    parser.add_argument(
        "--seeds", type=whole(1), default=10, metavar="N", help="number of splits, with seeds from 42 up"
    )
    parser.add_argument("--epochs", type=whole(1), default=75, help="training epochs of networks (the notebook's: 75)")
    parser.add_argument("--pool", type=whole(1), default=8, metavar="FRAMES", help="frames averaged into one (1: none)")
    parser.add_argument(
        "--max-hz", type=number(0, above=True), default=11025.0, help="highest frequency the network sees"
    )
    parser.add_argument(
        "--reference",
        choices=("max", "full-scale"),
        default="max",
        help="0 dB of the spectrogram (max: the notebook's)",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/compare"), help="folder for the table")


def main(args: argparse.Namespace) -> int:
    """Compare and print the table."""
    if args.channel == "all":
        raise UsageError("--channel all: a recording has one row: give the number of a channel, or mix")
    files.folder(args.output, "-o")
    recordings = _readable(data_options.listed(args))
    results = list(compare(recordings, args))
    args.output.mkdir(parents=True, exist_ok=True)
    text = markdown(results, args)
    files.write(args.output / "compare.md", (text + "\n").encode())
    facts = {"results": [asdict(result) for result in results]}
    files.write(args.output / "compare.json", (json.dumps(facts, indent=1) + "\n").encode())
    print(text)
    return 0


def _readable(data: DataSet) -> list[Recording]:
    """Return the recordings that can be read; name the others. Raises InputDataError where a class is missing."""
    usable, bad = dataset.fingerprint(recording for recording, _ in data.openable())
    for name, why in bad:
        print(f"left out: {name}: {why}")
    dataset.require_classes(usable, data.listed.source, bad, data.listed.remedy)
    return usable


def compare(recordings: list[Recording], args: argparse.Namespace) -> Iterator[Result]:
    """Train and evaluate every combination."""
    targets = np.array([r.target for r in recordings], np.uint8)
    for name in args.representation or REPRESENTATIONS:
        pictures = _pictures(recordings, name, args)
        for network in args.network or ("logistic",):
            for way in args.split or ("file", "site"):
                yield _evaluate(name, network, way, pictures, targets, recordings, args)


def _evaluate(
    name: str,
    network: str,
    way: str,
    pictures: npt.NDArray[np.float32],
    targets: metrics.Targets,
    recordings: list[Recording],
    args: argparse.Namespace,
) -> Result:
    found = Result(name, network, way, pictures.shape[1], [], [])
    for seed in tqdm(range(42, 42 + args.seeds), f"{name}, {network}, by {way}", leave=False, disable=None):
        held = {r.name for r in split(recordings, way, seed).validation}
        test = np.flatnonzero([r.name in held for r in recordings])
        train = np.setdiff1d(np.arange(len(recordings)), test)
        logits = _fit(network, pictures, targets, train, test, args.epochs, seed)
        found.auc.append(metrics.auc(logits, targets[test]))
        found.accuracy.append(float(((logits > 0) == targets[test]).mean()))
    return found


def _pictures(recordings: list[Recording], name: str, args: argparse.Namespace) -> npt.NDArray[np.float32]:
    """Return the first window of each recording, (files, rows, pooled frames), in [0, 1]."""
    make = REPRESENTATIONS[name][1]
    made = []
    for recording in tqdm(recordings, f"{name} pictures", leave=False, disable=None):
        sound = next(clips.windows(recording.path, SpectrogramSpec(), args.channel))
        made.append(pooled(make(sound)[: _rows(name, args.max_hz)], args.pool, args.reference))
    return np.stack(made)


def _rows(name: str, max_hz: float) -> int:
    """Return how many rows lie up to a frequency."""
    import librosa

    lines = np.arange(2049) * 22050 / 4096
    hz = {
        "linear": lines,
        "grouped": lines[2:-1:4],
        "mel": librosa.mel_frequencies(n_mels=258, fmax=11025.0)[1:-1],
        "notebook-mel": librosa.mel_frequencies(n_mels=130, fmax=11025.0)[1:-1],
    }
    if name == "hybrid":
        hz["hybrid"] = np.concatenate([lines[:256], hz["mel"][hz["mel"] > lines[256]]])
    rows = int(np.searchsorted(hz[name], max_hz, side="right"))
    if not rows:
        raise InputDataError(f"--max-hz {max_hz:g} leaves no row of {name}: give a higher frequency")
    return rows


def _fit(
    network: str,
    pictures: npt.NDArray[np.float32],
    targets: metrics.Targets,
    train: Rows,
    test: Rows,
    epochs: int,
    seed: int,
) -> Floats:
    """Train on some files and return the logits of others."""
    if network == "logistic":
        return _logistic(pictures, targets, train, test)
    stderr_filter.load_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    build = reference if network == "notebook" else strided
    shape: Any = pictures.shape[1:]
    model = build(shape)
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    wanted = targets[train][:, None].astype(np.float32)
    with tqdm(total=epochs, desc="training", unit="epoch", leave=False, disable=None) as bar:
        shown = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: bar.update())
        model.fit(pictures[train][..., None], wanted, 16, epochs, verbose=0, callbacks=[shown])
    return np.asarray(model.predict(pictures[test][..., None], verbose=0)[:, 0], np.float64)


def _logistic(pictures: npt.NDArray[np.float32], targets: metrics.Targets, train: Rows, test: Rows) -> Floats:
    """Return logits of a ridge logistic regression on mean and 10th percentile over time of every row."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = np.concatenate([pictures.mean(axis=2), np.percentile(pictures, 10, axis=2)], axis=1)
    # the penalty grows with the number of rows: otherwise more rows alone would mean a freer fit
    curve = make_pipeline(StandardScaler(), LogisticRegression(C=1 / features.shape[1], max_iter=2000))
    curve.fit(features[train], targets[train])
    return np.asarray(curve.decision_function(features[test]))


def markdown(results: list[Result], args: argparse.Namespace) -> str:
    """Return the table of all results as Markdown."""
    lines = [
        f"{args.seeds} splits each, from seed 42 on, reference {args.reference}. Mean (smallest to largest).",
        f"Networks: {args.epochs} epochs, {args.pool} frames averaged into one, up to {args.max_hz:g} Hz.",
        "",
        "| representation | rows | network | split by | AUC | accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for r in results:
        words = REPRESENTATIONS[r.representation][0]
        lines.append(f"| {words} | {r.rows} | {r.network} | {r.split} | {_spread(r.auc)} | {_spread(r.accuracy)} |")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.2f} to {max(values):.2f})"

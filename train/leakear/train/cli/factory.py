"""`leakear-train factory`: trains and converts the factory model; `make model` runs it.

The network is pre-trained on simulated sites and background sound, and fitted to all recordings with shrinkage toward
its statistic. Its figures come from cross-validation with the same method; they also set the temperature. The run
folder is converted with `leakear-convert`, and MODEL_CARD.md is written beside the model file.
"""

import argparse
import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.errors import InputDataError, LeakearError
from leakear.train import data_options, networks, runfolder, stderr_filter
from leakear.train.cli.crossval import SIMULATED
from leakear.train.data import augmentation, background_windows, dataset, real_windows, simulated_windows
from leakear.train.data.clips import Recipe
from leakear.train.data.features import default_cache
from leakear.train.data.real_windows import RealWindows
from leakear.train.data.simulated_windows import Plan, Windows
from leakear.train.data.split import split
from leakear.train.evaluation import model_card, scoring, trained_on
from leakear.train.networks import factory as factory_network
from leakear.train.runfolder import CALIBRATION, HELDOUT, Examples, Run, RunInfo
from leakear.train.training import pretraining
from leakear.train.training.pooled_windows import PooledWindows
from leakear.train.training.pretraining import FitOptions, PretrainedFit
from leakear.train.work.jobs import Jobs

HELP = """\
Train, evaluate and convert the factory model.

  leakear-train factory ../shared/data -o edge/leakear/edge/model/factory.tflite

DATA holds hk-noise-loggers/ (manifest with sites and folds) and background/esc-10/ (sounds without a leak). With
--hold-out, the recordings of some folds are used for nothing, so that the model can be judged on them.
"""
HELD_SITES = Plan(first_site=900_000, sites=120)
"""Simulated sites for evaluation; node-days use others."""
THRESHOLD = 0.45
"""P(leak) from which a window counts: chosen on tuning days (decision 112)."""
ATTRIBUTION = (
    "Water-pipe noise-logger recordings: Tijani et al. 2022, Mendeley Data, doi 10.17632/hkn8mxcjyz.1, CC BY 4.0",
    "ESC-10: Piczak 2015, doi 10.7910/DVN/YDEPUT, CC BY 3.0",
)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """Recordings, simulated windows and the pre-trained network."""

    real: RealWindows
    simulated: Windows
    backgrounds: Windows
    """Background sound, all without a leak."""
    held: Windows
    """Simulated sites for evaluation."""
    held_backgrounds: Windows
    """Background sources for evaluation."""
    pretrained: PretrainedFit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with hk-noise-loggers/ and background/")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.tflite", help="model file to write")
    parser.add_argument("--run", type=Path, default=Path("runs/factory"), help="run folder (default: runs/factory)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where computed windows are kept")
    parser.add_argument(
        "--hold-out", type=int, action="append", default=[], metavar="FOLD", help="fold of recordings not to train on"
    )
    parser.add_argument("--weights", type=Path, metavar="FILE.npz", help="also write the float weights, for `fit`")
    parser.add_argument("--seed", type=int, default=42, help="random seed (default: 42)")


def main(args: argparse.Namespace) -> int:
    """Train, evaluate and convert the model, and write its card."""
    files.file(args.output, "-o")
    files.folder(args.run, "--run")
    if args.weights:
        files.file(args.weights, "--weights")
    folder = args.data / "hk-noise-loggers"
    if not folder.is_dir():
        raise InputDataError(f"{args.data} holds no hk-noise-loggers/: see docs/DATA_CARD.md for where it comes from")
    stderr_filter.load_tensorflow()
    background = args.data / "background" / "esc-10"
    data = load(folder, background, args.cache or default_cache(), args.seed, args.hold_out)
    run = train(data, args.run)
    convert = [sys.executable, "-m", "leakear.convert.cli", str(run.path), "-o", str(args.output), "--name", "factory"]
    if subprocess.run(convert, check=False).returncode:
        raise LeakearError(f"leakear-convert refused {run.path}; the factory model was not written")
    (args.output.parent / "MODEL_CARD.md").write_text(model_card.text(run, args.output), encoding="utf-8")
    if args.weights:
        save_weights(run, args.weights)
    return 0


def save_weights(run: Run, weights: Path) -> None:
    """Write the float weights of a run's network, from which `fit` starts."""
    import keras

    factory_network.save(keras.models.load_model(run.model_path, compile=False), weights)


def load(
    folder: Path, background: Path, cache: Path, seed: int, hold_out: Sequence[int] = (), jobs: Jobs = 2
) -> TrainingData:
    """Read the recordings and make the windows of simulated sites and of background sound."""
    preset = networks.find("compact")
    good = data_options.backgrounds(background, preset.spec, cache)
    noises, others = (tuple(p for p in part if p in good) for part in augmentation.divided(background))
    recipe = Recipe(preset.spec, "all", 4, real_windows.COPIES, noises, seed)
    found, _ = dataset.fingerprint(recording for recording in dataset.load(folder) if recording.fold not in hold_out)
    dataset.require_classes(found, f"{folder} without the held-out folds")
    real = real_windows.read(found, recipe, cache, jobs)
    plans = ((SIMULATED, noises), (HELD_SITES, others))
    simulation, held = (simulated_windows.windows(plan, preset.spec, sounds, cache, jobs) for plan, sounds in plans)
    negatives, held_backgrounds = (
        background_windows.windows(part, preset.spec, cache, jobs) for part in (noises, others)
    )
    pools = PooledWindows.of(simulation), PooledWindows.of(negatives)
    pretrained = PretrainedFit(*pools, FitOptions(seed=seed), cache)
    return TrainingData(real, simulation, negatives, held, held_backgrounds, pretrained)


def train(data: TrainingData, output: Path) -> Run:
    """Train and write the run folder."""
    output.mkdir(parents=True, exist_ok=True)
    folds = np.array([-1 if r.fold is None else r.fold for r in data.real.recordings])
    windows = PooledWindows.of(data.real.windows)
    held = held_out(data, windows, folds)
    network = data.pretrained.fit(windows)
    network.save(output / "model.keras")
    scores = _evaluate(data, held, *_logits(network, data.held, data.held_backgrounds))
    save_examples(data, output)
    everything = split(data.real.recordings, "none", data.pretrained.options.seed)
    (output / "split.json").write_text(json.dumps(everything.to_json(), indent=1), encoding="utf-8")
    runfolder.save_info(output, _info(data, output.name, network, scores))
    return runfolder.load_run(output)


def held_out(data: TrainingData, windows: PooledWindows, folds: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the logit of every original window, (rows,), each from a network trained without its fold."""
    real = data.real
    found = np.full(len(real.file), np.nan)
    for fold in tqdm(np.unique(folds), "folds", unit="fold", disable=None):
        network = data.pretrained.fit(windows.take(real.rows(np.flatnonzero(folds != fold), copies=True)))
        rows = real.rows(np.flatnonzero(folds == fold), copies=False)
        found[rows] = pretraining.logits(network, windows.frames[rows])
        log.info("fold %s of the recordings evaluated", fold)
    return found


def _logits(network: Any, *parts: Windows) -> list[npt.NDArray[np.float64]]:
    return [pretraining.logits(network, PooledWindows.of(part).frames) for part in parts]


def _evaluate(
    data: TrainingData,
    held: npt.NDArray[np.float64],
    theirs: npt.NDArray[np.float64],
    sounds: npt.NDArray[np.float64],
) -> dict[str, Any]:
    """Return temperature, threshold and figures from logits of what the network was not trained on.

    `held`: of recordings, `theirs`: of simulated windows, `sounds`: of background sound. Recordings and simulated
    windows have equal weight in the temperature.
    """
    real, targets = data.real, data.held.targets
    rows = np.flatnonzero(np.isfinite(held))
    ours = real.windows.targets[rows]
    some = np.random.default_rng(0).permutation(len(theirs))[: len(rows)]
    temperature = scoring.calibrate(np.concatenate([held[rows], theirs[some]]), np.concatenate([ours, targets[some]]))
    leaks = held[rows][ours == 1]
    beside = np.concatenate([leaks, sounds]), np.repeat(np.array([1, 0], np.uint8), [len(leaks), len(sounds)])
    return {
        "temperature": temperature,
        "recordings": _figures(real.by_file(rows, held[rows]), real.targets, temperature),
        "recordings_windows": _figures(held[rows], ours, temperature),
        "simulated_windows": _figures(theirs, targets, temperature),
        "leaks_and_background": _figures(*beside, temperature),
    }


def _chance(logits: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-logits / temperature)))


def _figures(logits: npt.NDArray[np.float64], targets: npt.NDArray[np.uint8], temperature: float) -> dict[str, float]:
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    chance = _chance(logits, temperature)
    return {
        "count": len(targets),
        "auc": float(roc_auc_score(targets, logits)),
        "balanced_accuracy": float(balanced_accuracy_score(targets, chance > 0.5)),
        "calibration_error": scoring.calibration_error(chance, targets),
    }


def save_examples(data: TrainingData, output: Path) -> None:
    """Write the windows for calibrating int8 and for comparing it with float: so many of each source and class."""
    rng = np.random.default_rng(data.pretrained.options.seed)
    real = data.real.take(data.real.rows(np.arange(len(data.real.recordings)), copies=False))
    sources = {
        CALIBRATION: {"recording": real, "simulated": data.simulated, "background": data.backgrounds},
        HELDOUT: {"recording": real, "simulated": data.held, "background": data.held_backgrounds},
    }
    for name, parts in sources.items():
        drawn = [(kind, part, _draw(part, label, rng)) for kind, part in parts.items() for label in (0, 1)]
        codes = np.concatenate([part.codes[rows] for _, part, rows in drawn])
        targets = np.concatenate([part.targets[rows] for _, part, rows in drawn])
        names = tuple(f"{kind}-{row}" for kind, _, rows in drawn for row in rows)
        runfolder.save_examples(output, name, Examples(codes, targets, names))


def _draw(windows: Windows, label: int, rng: np.random.Generator, count: int = 60) -> npt.NDArray[np.int64]:
    rows = np.flatnonzero(windows.targets == label)
    return np.sort(rng.choice(rows, min(count, len(rows)), replace=False))


def _info(data: TrainingData, name: str, network: Any, scores: dict[str, Any]) -> RunInfo:
    real, options = data.real, data.pretrained.options
    return RunInfo(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        preset="compact",
        spectrogram=networks.find("compact").spec,
        temperature=scores.pop("temperature"),
        threshold=THRESHOLD,
        seed=options.seed,
        split={"by": "manifest's folds, grouped by site, for the figures; the shipped weights saw every recording"},
        data={
            "sha256": dataset.digest(real.recordings),
            "files": {"train": {k: int((real.targets == v).sum()) for v, k in enumerate(runfolder.LABELS)}},
            "sites": len(set(real.groups)),
            "simulated": {"sites": SIMULATED.sites, "windows": len(data.simulated)},
            "backgrounds": len(data.backgrounds),
            trained_on.KEY: trained_on.digests(real.recordings),
        },
        metrics=scores,
        training={"parameters": int(network.count_params()), **vars(options)},
        licences=("CC BY 4.0 (recordings)", "CC BY 3.0 (background sound)", "Apache-2.0 (model)"),
        attribution=ATTRIBUTION,
    )

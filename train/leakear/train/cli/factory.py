"""The recipe of the factory model: what `make model` runs.

Pre-trained on simulated sites, fitted to all recordings with shrinkage toward the level statistic. Its figures come
from the same recipe with each fold of sites held out in turn; they also set the temperature. The run folder goes
through `leakear-convert`, and MODEL_CARD.md is written beside the model file.
"""

import argparse
import json
import logging
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leakear.edge import files
from leakear.edge.errors import InputDataError, LeakearError
from leakear.train import runfolder, stderr_filter
from leakear.train.cli.crossval import SIMULATED
from leakear.train.data import augmentation, dataset, real_windows, simulated_windows
from leakear.train.data.clips import Recipe
from leakear.train.data.features import default_cache
from leakear.train.data.real_windows import Real
from leakear.train.data.simulated_windows import Plan, Windows
from leakear.train.data.split import split
from leakear.train.evaluation import model_card, scoring
from leakear.train.networks import presets
from leakear.train.runfolder import CALIBRATION, HELDOUT, Examples, Run, RunInfo
from leakear.train.training import pretraining
from leakear.train.training.pooled_windows import Lessons
from leakear.train.training.pretraining import Fitting, Teacher

HELP = """\
Train, judge and convert the factory model.

  leakear-train factory ../shared/data -o edge/leakear/edge/model/factory.tflite

DATA holds hk-noise-loggers/ (manifest with sites and folds) and background/ (sounds that are no leak).
"""
HELD_SITES = Plan(first_site=900_000, sites=120)
"""Simulated sites that judge; simulated days use others again."""
THRESHOLD = 0.8
"""P(leak), chosen on simulated days of tuning sites (docs/decisions/0051): what balances windows alarms too often"""
ATTRIBUTION = (
    "Water-pipe noise-logger recordings: Tijani et al. 2022, Mendeley Data, doi 10.17632/hkn8mxcjyz.1, CC BY 4.0",
    "ESC-10: Piczak 2015, doi 10.7910/DVN/YDEPUT, CC BY 3.0",
    "Speech Commands background noise: Warden 2018, CC BY 4.0",
)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Material:
    """Everything the recipe learns from."""

    real: Real
    simulated: Windows
    held: Windows
    """Simulated sites that judge."""
    teacher: Teacher


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with hk-noise-loggers/ and background/")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.tflite", help="model file to write")
    parser.add_argument("--run", type=Path, default=Path("runs/factory"), help="run folder (default: runs/factory)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where computed windows are kept")
    parser.add_argument("--seed", type=int, default=42, help="of everything random (42)")


def main(args: argparse.Namespace) -> int:
    """Train, judge, convert, and write the card."""
    files.file(args.output, "-o")
    files.folder(args.run, "--run")
    folder = args.data / "hk-noise-loggers"
    if not folder.is_dir():
        raise InputDataError(f"{args.data} holds no hk-noise-loggers/: see docs/DATA_CARD.md for where it comes from")
    stderr_filter.load_tensorflow()
    material = load(folder, args.data / "background", args.cache or default_cache(), args.seed)
    run = train(material, args.run)
    convert = [sys.executable, "-m", "leakear.convert.cli", str(run.path), "-o", str(args.output), "--name", "factory"]
    if subprocess.run(convert, check=False).returncode:
        raise LeakearError(f"leakear-convert refused {run.path}; the factory model was not written")
    (args.output.parent / "MODEL_CARD.md").write_text(model_card.text(run, args.output), encoding="utf-8")
    return 0


def load(folder: Path, background: Path, cache: Path, seed: int) -> Material:
    """Read recordings and make simulated windows."""
    preset = presets.preset("compact")
    noises = augmentation.backgrounds(background)
    recipe = Recipe(preset.spec, "all", 4, real_windows.COPIES, noises, seed)
    found, _ = dataset.fingerprint(dataset.load(folder))
    real = real_windows.read(found, recipe, cache)
    simulation, held = (simulated_windows.windows(plan, preset.spec, noises, cache) for plan in (SIMULATED, HELD_SITES))
    return Material(real, simulation, held, Teacher(Lessons.of(simulation), Fitting(seed=seed), cache))


def train(material: Material, output: Path) -> Run:
    """Train and write the run folder."""
    output.mkdir(parents=True, exist_ok=True)
    folds = np.array([-1 if r.fold is None else r.fold for r in material.real.recordings])
    lessons = Lessons.of(material.real.windows)
    held = held_out(material, lessons, folds)
    network = material.teacher.fitted(lessons)
    network.save(output / "model.keras")
    theirs = pretraining.logits(network, Lessons.of(material.held).moments)
    scores = _judged(material.real, held, theirs, material.held.targets)
    _examples(material, output)
    everything = split(material.real.recordings, "none", material.teacher.fitting.seed)
    (output / "split.json").write_text(json.dumps(everything.to_json(), indent=1), encoding="utf-8")
    runfolder.save_info(output, _info(material, output.name, network, scores))
    return runfolder.load_run(output)


def held_out(material: Material, lessons: Lessons, folds: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the logit of every original window, (rows,), each from a network that never saw its fold."""
    real = material.real
    found = np.full(len(real.file), np.nan)
    for fold in np.unique(folds):
        network = material.teacher.fitted(lessons.take(real.rows(np.flatnonzero(folds != fold), copies=True)))
        rows = real.rows(np.flatnonzero(folds == fold), copies=False)
        found[rows] = pretraining.logits(network, lessons.moments[rows])
        log.info("fold %s of the recordings judged", fold)
    return found


def _judged(
    real: Real, held: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], targets: npt.NDArray[np.uint8]
) -> dict[str, Any]:
    """Temperature and figures from held-out windows, recordings and simulated ones counting alike."""
    rows = np.flatnonzero(np.isfinite(held))
    ours = real.windows.targets[rows]
    some = np.random.default_rng(0).permutation(len(theirs))[: len(rows)]
    temperature = scoring.calibrate(np.concatenate([held[rows], theirs[some]]), np.concatenate([ours, targets[some]]))
    files = real.by_file(rows, held[rows])
    return {
        "temperature": temperature,
        "recordings": _figures(files, real.targets, temperature),
        "recordings_windows": _figures(held[rows], ours, temperature),
        "simulated_windows": _figures(theirs, targets, temperature),
    }


def _figures(logits: npt.NDArray[np.float64], targets: npt.NDArray[np.uint8], temperature: float) -> dict[str, float]:
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    chance = 1 / (1 + np.exp(-logits / temperature))
    return {
        "count": len(targets),
        "auc": float(roc_auc_score(targets, logits)),
        "balanced_accuracy": float(balanced_accuracy_score(targets, chance > 0.5)),
        "calibration_error": scoring.calibration_error(chance, targets),
    }


def _examples(material: Material, output: Path) -> None:
    """Write what int8 is calibrated on, and what it is compared with float on: both classes and both sources alike."""
    rng = np.random.default_rng(material.teacher.fitting.seed)
    real = material.real.take(material.real.rows(np.arange(len(material.real.recordings)), copies=False))
    for name, other in ((CALIBRATION, material.simulated), (HELDOUT, material.held)):
        parts = [(part, label, _draw(part, label, rng)) for part in (real, other) for label in (0, 1)]
        codes = np.concatenate([part.codes[rows] for part, _, rows in parts])
        targets = np.concatenate([part.targets[rows] for part, _, rows in parts])
        names = tuple(
            f"{'recording' if part is real else 'simulated'}-{row}" for part, _, rows in parts for row in rows
        )
        runfolder.save_examples(output, name, Examples(codes, targets, names))


def _draw(windows: Windows, label: int, rng: np.random.Generator, count: int = 60) -> npt.NDArray[np.int64]:
    rows = np.flatnonzero(windows.targets == label)
    return np.sort(rng.choice(rows, min(count, len(rows)), replace=False))


def _info(material: Material, name: str, network: Any, scores: dict[str, Any]) -> RunInfo:
    real, fitting = material.real, material.teacher.fitting
    return RunInfo(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        preset="compact",
        spectrogram=presets.preset("compact").spec,
        temperature=scores.pop("temperature"),
        threshold=THRESHOLD,
        seed=fitting.seed,
        split={"by": "manifest's folds, grouped by site, for the figures; the shipped weights saw every recording"},
        data={
            "sha256": dataset.digest(real.recordings),
            "files": {"train": {k: int((real.targets == v).sum()) for v, k in enumerate(runfolder.LABELS)}},
            "sites": len(set(real.groups)),
            "simulated": {"sites": SIMULATED.sites, "windows": len(material.simulated)},
        },
        metrics=scores,
        training={"parameters": int(network.count_params()), **vars(fitting)},
        licences=("CC BY 4.0 (recordings)", "CC BY 3.0, CC BY 4.0 (backgrounds)", "Apache-2.0 (model)"),
        attribution=ATTRIBUTION,
    )

"""What int8 costs the shipped model, recordings and simulated windows apart.

    python -m bench.int8_by_source RUN [MODEL]

RUN is the run folder that the model file was made from (`make model` leaves runs/factory, `bench.shipped_run` makes it
again): its examples, held-out and calibration ones, go through the Keras network and through the converted file.
Intervals take windows as independent: for recordings, where a site has several, they are too narrow.
"""

import hashlib
import sys
from pathlib import Path
from typing import TypeAlias

import keras
import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from leakear.convert.source import float_logits
from leakear.edge.model.tflite import FACTORY, Model, sigmoid
from leakear.train import runfolder
from leakear.train.evaluation import metrics
from leakear.train.nodedays.outcome import share_interval
from leakear.train.runfolder import Run

Logits: TypeAlias = npt.NDArray[np.float64]
"""(n,) positive = Leak"""
DRAWS = 2000


def main() -> None:
    """Print a line for each source."""
    run, model = runfolder.load_run(Path(sys.argv[1])), Model.load(Path(sys.argv[2]) if len(sys.argv) > 2 else FACTORY)
    codes, targets, source = windows(run)
    spec = model.info.spec
    floating = float_logits(keras.saving.load_model(run.model_path, compile=False), codes)
    converted = np.array([model.logit(code.astype(np.float32) / 255 * -spec.floor + spec.floor) for code in codes])
    limit, scale = model.info.threshold, model.info.temperature
    for name in sorted(set(source)):
        mine = source == name
        said = [[sigmoid(logit / scale) >= limit for logit in logits[mine]] for logits in (floating, converted)]
        alike = sum(a == b for a, b in zip(*said, strict=True))
        low, high = share_interval(alike, int(mine.sum()))
        share = f"{alike / mine.sum():.2%} ({low:.2%} to {high:.2%}) decided alike at P = {limit:.4f}"
        print(f"{name}: {mine.sum()} windows, {share}, {aucs(floating[mine], converted[mine], targets[mine])}")


def windows(run: Run) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.str_]]:
    """Return codes, labels and sources of the held-out and the calibration windows; each window once."""
    parts = [run.examples(name) for name in (runfolder.HELDOUT, runfolder.CALIBRATION)]
    codes, targets = (np.concatenate([getattr(part, name) for part in parts]) for name in ("codes", "labels"))
    source = np.array([name.split("-")[0] for part in parts for name in part.files])
    _, once = np.unique([hashlib.sha256(code.tobytes()).hexdigest() for code in codes], return_index=True)
    rows = np.sort(once)
    return codes[rows], targets[rows], source[rows]


def aucs(floating: Logits, converted: Logits, targets: npt.NDArray[np.uint8]) -> str:
    """Write both AUCs and their difference, with an interval from draws of windows."""
    if not targets.any():
        return "no leaks, so no AUC"
    both = [float(roc_auc_score(targets, logits)) for logits in (floating, converted)]
    changes = [
        roc_auc_score(targets[rows], converted[rows]) - roc_auc_score(targets[rows], floating[rows])
        for rows in metrics.draws([str(row) for row in range(len(targets))], targets, DRAWS, 0)
    ]
    low, high = np.percentile(changes, (2.5, 97.5))
    return f"AUC float, int8: {both[0]:.4f}, {both[1]:.4f}, change {both[1] - both[0]:+.4f} ({low:+.4f} to {high:+.4f})"


if __name__ == "__main__":
    main()

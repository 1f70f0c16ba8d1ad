"""What int8 costs the shipped model, recordings and simulated windows apart.

    python -m bench.int8_by_source RUN [MODEL]

RUN is the run folder that the model file was made from (`make model` leaves runs/factory): its examples, held-out and
calibration ones, go through the Keras network and through the converted file.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from sklearn.metrics import roc_auc_score

from leakear.convert.source import float_logits
from leakear.edge.model.tflite import FACTORY, Model, sigmoid
from leakear.train import runfolder


def main() -> None:
    """Print a line for each source."""
    run, model = runfolder.load_run(Path(sys.argv[1])), Model.load(Path(sys.argv[2]) if len(sys.argv) > 2 else FACTORY)
    parts = [run.examples(name) for name in (runfolder.HELDOUT, runfolder.CALIBRATION)]
    codes, targets = (np.concatenate([getattr(part, name) for part in parts]) for name in ("codes", "labels"))
    source = np.array([name.split("-")[0] for part in parts for name in part.files])
    spec = model.info.spec
    floating = float_logits(keras.saving.load_model(run.model_path, compile=False), codes)
    converted = np.array([model.logit(code.astype(np.float32) / 255 * -spec.floor + spec.floor) for code in codes])
    limit, scale = model.info.threshold, model.info.temperature
    for name in sorted(set(source)):
        mine = source == name
        said = [[sigmoid(logit / scale) >= limit for logit in logits[mine]] for logits in (floating, converted)]
        alike = sum(a == b for a, b in zip(*said, strict=True)) / mine.sum()
        leaks = targets[mine].any()  # background sound has none, so no AUC
        aucs = [f"{roc_auc_score(targets[mine], logits[mine]):.4f}" for logits in (floating, converted) if leaks]
        print(f"{name}: {mine.sum()} windows, {alike:.2%} decided alike, AUC float, int8: {', '.join(aucs) or 'none'}")


if __name__ == "__main__":
    main()

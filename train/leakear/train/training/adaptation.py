"""Adapts the `statistics` network to a few recordings: only the weights of its last two layers change.

Ten recordings cannot train 34 thousand weights. The convolutions stay as they are; the logit becomes a logistic
regression on what they give, shrunk towards the logit that the network had (`SHRINKAGE`). A third of the weight each
have a person's leaks, a person's other windows, and the simulated and given sounds, which have no leak.
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from leakear.edge.errors import InputDataError
from leakear.train import runfolder
from leakear.train.data.features import FeatureSet
from leakear.train.networks import compact, factory
from leakear.train.training.pooled_windows import PooledFrames, pool
from leakear.train.training.progress import Trained
from leakear.train.training.trainer import predict

SCRATCH, FACTORY = "scratch", "factory"
"""What a training may begin with, beside a run folder."""

Features: TypeAlias = npt.NDArray[np.float64]
"""(n, 3 + 16): what the layers `prior` and `branch` get."""
SHRINKAGE = 0.03
"""Weight of the squared change of the logit's coefficients, each for a feature of standard deviation 1."""
OWN = 2 / 3
"""Share of a person's own windows in the loss, half of it for each class; the rest is what was made or given."""
LAYERS = ("prior", "branch")
_BATCH = 64


@dataclass(frozen=True)
class Lesson:
    """Windows to adapt to."""

    frames: PooledFrames
    """(n, rows, pooled frames)"""
    targets: npt.NDArray[np.uint8]
    """(n,) 1 = Leak"""
    groups: npt.NDArray[np.int64]
    """(n,) number of the recording: its windows and copies share one weight"""
    own: npt.NDArray[np.bool_]
    """(n,) False for windows that were made or given"""

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """(n,) weights of sum 1: see OWN; within each part every recording has the same."""
        shares = np.zeros(len(self.targets))
        parts = (self.own & (self.targets == 0), self.own & (self.targets == 1), ~self.own)
        for part, share in zip(parts, (OWN / 2, OWN / 2, 1 - OWN), strict=True):
            _, place, counts = np.unique(self.groups[part], return_inverse=True, return_counts=True)
            shares[part] = share / max(len(counts), 1) / counts[place]
        return np.asarray(shares / shares.sum(), np.float64)


def adapted(start: str, training: FeatureSet, own: int) -> Trained:
    """Return the network of `start` (`factory` or a run folder), adapted.

    The first `own` rows of `training` are of a person's recordings. Raises InputDataError.
    """
    began, model = time.monotonic(), _network(start)
    if tuple(model.input_shape[1:3]) != training.recipe.spec.shape:
        raise InputDataError(f"--from {start}: its network takes another spectrogram: give --from scratch")
    rows = np.arange(len(training))
    frames = np.concatenate([pool(training.read(part)) for part in np.array_split(rows, 1 + len(rows) // 64)])
    adapt(model, Lesson(frames, training.targets, training.recording.astype(np.int64), rows < own))
    logits = predict(model, training).astype(np.float64)
    losses = np.logaddexp(0, logits) - logits * training.targets
    entry = {
        "loss": float(losses.mean()),
        "accuracy": float(((logits > 0) == (training.targets == 1)).mean()),
        "learning_rate": 0.0,
        "seconds": time.monotonic() - began,
    }
    return Trained(model, [entry], 0)


def _network(start: str) -> Any:
    import keras

    if start == FACTORY:
        return factory.load()
    run = runfolder.load_run(Path(start))
    try:
        return keras.models.load_model(run.model_path, compile=False)
    except (OSError, ValueError) as error:
        raise InputDataError(f"{run.model_path} cannot be read ({error}): give another --from") from error


def start_digest(start: str) -> str:
    """Return what a network is adapted from, so that another network under the same name is another job."""
    file = factory.WEIGHTS if start == FACTORY else Path(start) / "model.keras"
    return f"{start} {hashlib.sha256(file.read_bytes()).hexdigest()}" if file.is_file() else start


def adapt(model: Any, lesson: Lesson, shrinkage: float = SHRINKAGE) -> None:
    """Change the last layers of a network, in place. Raises InputDataError for another kind of network."""
    features = _features(model, lesson.frames)
    deviations = features.std(axis=0) + 0.05 * features.std() + 1e-3
    start = np.concatenate([*(kernel for kernel, _ in _heads(model)), [sum(bias for _, bias in _heads(model))]])
    scaled = np.column_stack([features / deviations, np.ones(len(features))])
    scale = np.append(deviations, 1.0)
    found = _fit(scaled, lesson.targets, lesson.weights, start * scale, shrinkage) / scale
    size = len(_heads(model)[0][0])
    model.get_layer("prior").set_weights([_column(found[:size]), np.array([found[-1]], np.float32)])
    model.get_layer("branch").set_weights([_column(found[size:-1]), np.zeros(1, np.float32)])


def _column(kernel: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return kernel[:, None].astype(np.float32)


def _heads(model: Any) -> list[tuple[npt.NDArray[np.float64], float]]:
    """Return kernel (k,) and bias of each of LAYERS."""
    weights = (model.get_layer(name).get_weights() for name in LAYERS)
    return [(kernel[:, 0].astype(np.float64), float(bias[0])) for kernel, bias in weights]


def _features(model: Any, frames: PooledFrames) -> Features:
    import keras
    import tensorflow as tf

    try:
        outputs = [model.get_layer(name).input for name in LAYERS]
        part = keras.Model(model.get_layer(compact.POOLING_LAYER).output, outputs)
    except ValueError as error:
        raise InputDataError(
            f"network {model.name} cannot be adapted: only preset compact can; give --from scratch"
        ) from error
    batches = (frames[start : start + _BATCH, ..., None] for start in range(0, len(frames), _BATCH))
    forward = tf.function(lambda batch: part(batch, training=False), reduce_retracing=True)
    found = (forward(tf.constant(batch.astype(np.float32))) for batch in batches)
    return np.concatenate([np.concatenate([np.asarray(a) for a in both], axis=1) for both in found]).astype(np.float64)


def _fit(
    x: npt.NDArray[np.float64],
    targets: npt.NDArray[np.uint8],
    weights: npt.NDArray[np.float64],
    start: npt.NDArray[np.float64],
    shrinkage: float,
) -> npt.NDArray[np.float64]:
    """Return the coefficients (k,) of a logistic regression on `x` (n, k), shrunk towards `start`; the last is free."""
    from scipy.optimize import minimize

    held = np.full(len(start), shrinkage)
    held[-1] = 0.0

    def loss(at: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        logits = x @ at
        error = weights * (1 / (1 + np.exp(-logits)) - targets)
        entropy = weights @ (np.logaddexp(0, logits) - logits * targets)
        away = at - start
        return float(entropy + held @ away**2), x.T @ error + 2 * held * away

    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x, np.float64)

"""The training loop: the same for one process and for many, resumable after each epoch, reproducible from the seed.

Keras 3's own `fit` cannot take MultiWorkerMirroredStrategy's batches (it converts them to one tensor), hence this loop.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge.errors import InputDataError
from leakear.train.data import batches
from leakear.train.data.features import FeatureSet
from leakear.train.training import checkpoint
from leakear.train.training.distributed import Cluster
from leakear.train.training.progress import Best, Progress, Trained, write_history

log = logging.getLogger(__name__)

Logits: TypeAlias = npt.NDArray[np.float32]
"""(n,), positive = Leak."""
_PREDICT_BATCH = 16


@dataclass(frozen=True)
class Schedule:
    """Number of epochs, batches and learning rate."""

    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    cosine: bool = False
    """Let the learning rate fall to zero over the epochs."""
    patience: int = 0
    """Epochs without a better validation loss before training ends; 0 never ends early."""
    mixup: float = 0.0
    """α of the Beta distribution with which windows of a batch are blended; 0 does not blend."""
    balance: bool = False
    """Weight the classes so that both count equally."""
    seed: int = 42

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, the first being 0."""
        return self.learning_rate * (0.5 + 0.5 * math.cos(math.pi * epoch / self.epochs) if self.cosine else 1.0)


def train(
    build: Callable[[], Any],
    training: FeatureSet,
    validation: FeatureSet | None,
    schedule: Schedule,
    cluster: Cluster,
    *,
    folder: Path | None = None,
    signature: str = "",
    on_epoch: Callable[[int, Mapping[str, float]], None] | None = None,
    quiet: bool = False,
) -> Trained:
    """Train the network that `build` makes.

    With a `folder`, the state is written there after each epoch, and an interrupted training of the same `signature`
    continues from it. Raises InputDataError where the workers cannot share the batches.
    """
    if schedule.batch_size % cluster.replicas or len(training) < cluster.replicas:
        raise InputDataError(
            f"{cluster.replicas} workers cannot share a batch of {schedule.batch_size} of {len(training)} windows: "
            "choose a --batch-size that is a multiple of the workers"
        )
    learner = _Learner(build, schedule, cluster)
    state = checkpoint.restore(folder, learner.variables, signature) if folder else None
    progress = Progress(**state["progress"]) if state else Progress()
    best = Best(schedule.patience, folder if cluster.chief else None)
    weights = batches.class_weights(training.targets, balance=schedule.balance)
    while len(progress.history) < schedule.epochs and not progress.stale(schedule.patience):
        epoch = len(progress.history)
        entry = learner.epoch(training, weights, epoch, quiet=quiet or not cluster.chief)
        if validation is not None:
            entry |= _validate(_predict(learner.forward, validation), validation.targets)
        progress.history.append(entry)
        best.update(learner.model, progress)
        if cluster.chief and not quiet:
            log.info("epoch %d/%d: %s", epoch + 1, schedule.epochs, _line(entry))
        if on_epoch:
            on_epoch(epoch, entry)
        if folder and cluster.chief:
            checkpoint.save(folder, learner.variables, {"signature": signature, "progress": vars(progress)})
            write_history(folder, progress.history)
    return best.finish(learner.model, progress)


def predict(model: Any, features: FeatureSet, *, quiet: bool = True) -> Logits:
    """Return the logit of every row, shape (n,)."""
    return _predict(_forward(model), features, quiet=quiet)


def _forward(model: Any) -> Any:
    import tensorflow as tf

    return tf.function(lambda codes: model(_inputs(codes), training=False), reduce_retracing=True)


def _predict(forward: Any, features: FeatureSet, *, quiet: bool = True) -> Logits:
    starts = tqdm(range(0, len(features), _PREDICT_BATCH), desc="scoring", unit="batch", disable=quiet or None)
    parts = [forward(features.read(range(at, min(at + _PREDICT_BATCH, len(features)))))[:, 0].numpy() for at in starts]
    return np.concatenate(parts).astype(np.float32)


class _Learner:
    """A network, its optimiser and the compiled training step."""

    def __init__(self, build: Callable[[], Any], schedule: Schedule, cluster: Cluster) -> None:
        import keras

        keras.utils.set_random_seed(schedule.seed)
        self.schedule, self.cluster = schedule, cluster
        with cluster.strategy.scope():
            self.model = build()
            self.optimizer = keras.optimizers.Adam(schedule.learning_rate)
            self.optimizer.build(self.model.trainable_variables)
        self._step = self._compile()
        self.forward = _forward(self.model)

    @property
    def variables(self) -> list[Any]:
        """Everything that training changes, random states included."""
        return [*self.model.variables, *self.optimizer.variables]

    def epoch(
        self, features: FeatureSet, weights: npt.NDArray[np.float32], epoch: int, *, quiet: bool
    ) -> dict[str, float]:
        """Train on every window once; return the figures of the epoch. `weights`: of the two classes, shape (2,)."""
        started, schedule, cluster = time.monotonic(), self.schedule, self.cluster
        plan = batches.order(len(features), schedule.batch_size, schedule.seed, epoch, cluster.replicas)
        blends = np.random.default_rng([schedule.seed, epoch, 1])
        self.optimizer.learning_rate.assign(schedule.rate(epoch))
        sums, seen = np.zeros(2), 0
        steps = zip(plan, self._distribute(features, plan, weights), strict=True)
        title = f"epoch {epoch + 1}/{schedule.epochs}"
        bar = tqdm(steps, title, len(plan), leave=False, unit="batch", disable=quiet or None)
        for rows, (codes, targets, weight) in bar:
            blend = blends.beta(schedule.mixup, schedule.mixup) if schedule.mixup else 1.0
            loss, right = self._step(codes, targets, weight, np.float32(blend))
            sums += [float(loss) * len(rows), float(right)]
            seen += len(rows)
            bar.set_postfix(loss=f"{sums[0] / seen:.4f}", refresh=False)
        seconds = time.monotonic() - started
        return {
            "loss": sums[0] / seen,
            "accuracy": sums[1] / seen,
            "learning_rate": schedule.rate(epoch),
            "seconds": seconds,
        }

    def _distribute(
        self, features: FeatureSet, plan: list[npt.NDArray[np.int64]], weights: npt.NDArray[np.float32]
    ) -> Any:
        """Return the batches as a distributed tf.data.Dataset."""
        import tensorflow as tf

        shape = features.recipe.spec.shape
        column = tf.TensorSpec((None, 1), tf.float32)

        def dataset(_context: Any) -> Any:
            return tf.data.Dataset.from_generator(
                lambda: batches.stream(features, plan, weights, self.cluster.replicas, self.cluster.local),
                output_signature=(tf.TensorSpec((None, *shape), tf.uint8), column, column),
            ).prefetch(2)

        return self.cluster.strategy.distribute_datasets_from_function(dataset)

    def _compile(self) -> Any:
        import tensorflow as tf

        model, optimizer, strategy = self.model, self.optimizer, self.cluster.strategy

        def replica(codes: Any, targets: Any, weights: Any, blend: Any) -> tuple[Any, Any]:
            inputs = _inputs(codes)
            inputs = blend * inputs + (1 - blend) * tf.roll(inputs, 1, 0)
            soft = blend * targets + (1 - blend) * tf.roll(targets, 1, 0)
            with tf.GradientTape() as tape:
                logits = model(inputs, training=True)
                losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=soft, logits=logits)
                loss = tf.reduce_sum(losses * weights)
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
            )
            return loss, tf.reduce_sum(tf.cast((logits > 0) == (soft > 0.5), tf.float32))

        def step(codes: Any, targets: Any, weights: Any, blend: Any) -> tuple[Any, Any]:
            loss, right = strategy.run(replica, args=(codes, targets, weights, blend))
            return strategy.reduce("SUM", loss, axis=None), strategy.reduce("SUM", right, axis=None)

        return tf.function(step, reduce_retracing=True)


def _inputs(codes: Any) -> Any:
    """Return the input of a network, float32 (n, rows, frames, 1) in [0, 1], from codes (n, rows, frames)."""
    import tensorflow as tf

    return tf.cast(codes, tf.float32)[..., None] / 255.0


def _validate(logits: Logits, targets: npt.NDArray[np.uint8]) -> dict[str, float]:
    losses = np.logaddexp(0, logits) - logits * targets
    return {"val_loss": float(losses.mean()), "val_accuracy": float(((logits > 0) == targets).mean())}


def _line(entry: Mapping[str, float]) -> str:
    shown = ("loss", "accuracy", "val_loss", "val_accuracy")
    return ", ".join(f"{name} {entry[name]:.4f}" for name in shown if name in entry) + f", {entry['seconds']:.1f} s"

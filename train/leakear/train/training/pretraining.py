"""Fitting the `statistics` network to few recordings: pre-trained on simulated sites, shrunk toward its prior.

Sixty recordings cannot train a convolutional network from nothing: alone they make it worse than one untrained
statistic. So the branch learns from simulated sites first. On recordings it may then depart from the prior only as far
as `shrinkage` lets it: its mean squared logit on recordings is a part of the loss. Simulated windows stay in every
batch, so that what they taught is kept.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge.spec import SpectrogramSpec
from leakear.train.networks import presets
from leakear.train.networks.compact import MOMENTS
from leakear.train.training.pooled_windows import Inputs, Lessons, Moments, by_site, change

VERSION = 1
"""Raised when the same windows and options would pre-train otherwise."""
Logits: TypeAlias = npt.NDArray[np.float64]
"""(n,) positive = Leak"""
Batch: TypeAlias = tuple[Inputs, npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Inputs, targets (n,), and 1 where a window is a real recording (n,)."""


@dataclass(frozen=True)
class Fitting:
    """How long and how freely to learn."""

    pretrain_epochs: int = 12
    """Passes over the simulated windows."""
    steps: int = 120
    """Batches of recordings and simulated windows, half each."""
    batch: int = 32
    learning_rate: float = 1e-3
    shrinkage: float = 5.0
    """Weight of the branch's mean squared logit on recordings."""
    gain_db: tuple[float, float] = (3.0, 5.0)
    """± decibels of random gain on recordings and on simulated windows."""
    response_db: float = 2.0
    """Standard deviation of a random smooth response of the sensor."""
    seed: int = 42


@dataclass(frozen=True)
class Teacher:
    """Pre-trains once, then fits as many networks as there are folds."""

    simulated: Lessons
    fitting: Fitting
    cache: Path
    """Folder where pre-trained weights are kept."""
    preset: str = "compact"

    @property
    def spec(self) -> SpectrogramSpec:
        """Return what the network hears."""
        return presets.preset(self.preset).spec

    @cached_property
    def pretrained(self) -> list[Any]:
        """Weights after simulated windows alone, from the cache where the same have been made before."""
        file = self.cache / f"pretrained-{self._key()}.npz"
        if file.is_file():
            with np.load(file) as kept:
                return [kept[name] for name in kept.files]
        model = self._fresh()
        pretrain(model, self.simulated, self.fitting, self.spec)
        weights = list(model.get_weights())
        np.savez(file, *weights)
        return weights

    def _key(self) -> str:
        """Digest of all that pre-training depends on: the windows, this code, the options."""
        facts = hashlib.sha256(self.simulated.moments.tobytes())
        for name in ("lessons.py", "networks_compact.py"):
            facts.update(Path(__file__).with_name(name).read_bytes())
        options = replace(self.fitting, steps=0, shrinkage=0.0)
        facts.update(f"{VERSION} {options} {self.preset} {self.simulated.targets.tobytes().hex()}".encode())
        return facts.hexdigest()[:24]

    def fitted(self, real: Lessons) -> Any:
        """Return a network fitted to these recordings; the prior stays as it is."""
        import keras

        learner = self._learner
        learner.model.set_weights(self.pretrained)
        keras.utils.set_random_seed(self.fitting.seed)
        fitting = self.fitting
        learner.learn(mixed(real, self.simulated, fitting, self.spec), fitting.steps, fitting.learning_rate, "fitting")
        network = self._fresh()
        network.set_weights(learner.model.get_weights())
        return network

    @cached_property
    def _learner(self) -> "_Learner":
        """Compiled once for all folds."""
        return _Learner(self._fresh(), self.fitting.shrinkage, frozen=True)

    def _fresh(self) -> Any:
        import keras

        keras.utils.set_random_seed(self.fitting.seed)
        return presets.build(presets.preset(self.preset))


def pretrain(model: Any, simulated: Lessons, fitting: Fitting, spec: SpectrogramSpec) -> None:
    """Teach the branch on simulated windows."""
    rng = np.random.default_rng([fitting.seed, 1])
    parts = max(len(simulated) // fitting.batch, 1)

    def batches() -> Iterator[Batch]:
        for _ in range(fitting.pretrain_epochs):
            for rows in np.array_split(rng.permutation(len(simulated)), parts):
                x = change(simulated.moments[rows], rng, fitting.gain_db[1], fitting.response_db, spec)
                yield x, simulated.targets[rows].astype(np.float32), np.zeros(len(rows), np.float32)

    learner = _Learner(model, 0.0, frozen=False)
    learner.learn(batches(), fitting.pretrain_epochs * parts, 2 * fitting.learning_rate, "pre-training")


def mixed(real: Lessons, simulated: Lessons, fitting: Fitting, spec: SpectrogramSpec) -> Iterator[Batch]:
    """Yield batches of recordings and simulated windows, half each."""
    rng = np.random.default_rng([fitting.seed, 2])
    half = fitting.batch // 2
    draw = by_site(real, rng)
    for _ in range(fitting.steps):
        ours, theirs = draw(half), rng.choice(len(simulated), half)
        x = [
            change(part.moments[rows], rng, gain, fitting.response_db, spec)
            for part, rows, gain in zip((real, simulated), (ours, theirs), fitting.gain_db, strict=True)
        ]
        targets = np.concatenate([real.targets[ours], simulated.targets[theirs]]).astype(np.float32)
        yield np.concatenate(x), targets, np.repeat(np.array([1, 0], np.float32), half)


def logits(model: Any, found: Moments) -> Logits:
    """Return the network's logits, shape (n,)."""
    behind = _behind(model)
    parts = [found[start : start + 64, ..., None].astype(np.float32) for start in range(0, len(found), 64)]
    return np.concatenate([behind(part, training=False)[0].numpy()[:, 0] for part in parts]).astype(np.float64)


def _behind(model: Any) -> Any:
    """Return what lies behind the layer MOMENTS: moments → (logit, the branch's part of it)."""
    import keras

    return keras.Model(model.get_layer(MOMENTS).output, [model.output, model.get_layer("branch").output])


class _Learner:
    """A network and one compiled step of learning: everything but the prior is trained.

    `frozen` keeps the normalisation that pre-training found: batches of two sources have no common one, and what is
    shrunk is then what the finished network will say.
    """

    def __init__(self, model: Any, shrinkage: float, *, frozen: bool) -> None:
        import keras
        import tensorflow as tf

        model.get_layer("prior").trainable = False
        self.model = model
        self._optimizer = optimizer = keras.optimizers.Adam()
        optimizer.build(model.trainable_variables)
        both = _behind(model)

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def step(x: Any, targets: Any, real: Any) -> None:
            with tf.GradientTape() as tape:
                logit, branch = both(x, training=not frozen)
                entropy = tf.nn.sigmoid_cross_entropy_with_logits(targets, logit[:, 0])
                departure = tf.reduce_sum(real * branch[:, 0] ** 2) / (tf.reduce_sum(real) + 1e-6)
                loss = tf.reduce_mean(entropy) + shrinkage * departure
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

        self._step = step

    def learn(self, batches: Iterator[Batch], steps: int, rate: float, title: str) -> None:
        """Learn from the batches, from a fresh optimiser, the learning rate falling along a cosine."""
        for variable in self._optimizer.variables:
            variable.assign(variable * 0)
        for number, batch in enumerate(tqdm(batches, title, steps, unit="batch", leave=False, disable=None)):
            self._optimizer.learning_rate.assign(rate * (0.5 + 0.5 * math.cos(math.pi * number / steps)))
            self._step(*batch)

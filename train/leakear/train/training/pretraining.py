"""Fits the `statistics` network to few recordings: pre-training on simulated sites, then shrinkage toward the prior.

Sixty recordings are too few to train a convolutional network: trained on them alone it is worse than the untrained
statistic. So the branch is first trained on simulated sites and on background sound. When it is then fitted to
recordings, its mean squared logit on recordings is part of the loss, weighted with `shrinkage`, which keeps the sum
close to the prior. Half of each batch is simulated windows and background sound, so that the network keeps what it
learnt from them.
"""

import hashlib
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.spec import SpectrogramSpec
from leakear.train import networks
from leakear.train.arrays import DAMAGED
from leakear.train.networks import compact
from leakear.train.training import pooled_windows
from leakear.train.training.pooled_windows import Inputs, PooledFrames, PooledWindows, by_site, change

VERSION = 2
"""Increased when the same windows and options would give other pre-trained weights."""
Logits: TypeAlias = npt.NDArray[np.float64]
"""(n,) positive = Leak"""
Batch: TypeAlias = tuple[Inputs, npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Inputs, targets (n,), and 1 where a window is a real recording (n,)."""


@dataclass(frozen=True)
class FitOptions:
    """Duration and limits of pre-training and fitting."""

    pretrain_epochs: int = 12
    """Passes over the simulated windows."""
    steps: int = 120
    """Batches in fitting; each is half recordings, half simulated windows and background sound."""
    batch: int = 32
    learning_rate: float = 1e-3
    shrinkage: float = 0.5
    """Weight of the branch's mean squared logit on recordings."""
    response_db: float = 3.0
    """Standard deviation of a random smooth response of the sensor, dB."""
    backgrounds: float = 0.25
    """Share of background sound in pre-training; of what is no recording in fitting it is twice this."""
    seed: int = 42


@dataclass(frozen=True)
class PretrainedFit:
    """Pre-trains once, then fits one network for each set of recordings (such as the folds of a cross-validation)."""

    simulated: PooledWindows
    backgrounds: PooledWindows | None
    """Windows of background sound, all without a leak; None trains without them."""
    options: FitOptions
    cache: Path
    """Folder where pre-trained weights are kept."""
    preset: str = "compact"

    @property
    def spec(self) -> SpectrogramSpec:
        """Spectrogram of the network."""
        return networks.find(self.preset).spec

    @cached_property
    def pretrained(self) -> list[Any]:
        """Weights after pre-training, read from the cache when the same weights were computed before."""
        file = self.cache / f"pretrained-{self._key()}.npz"
        with suppress(*DAMAGED), np.load(file) as kept:  # damaged, or none: computed anew
            return [kept[name] for name in kept.files]
        model = self._fresh()
        pretrain(model, self.simulated, self.backgrounds, self.options, self.spec)
        weights = list(model.get_weights())
        with files.replacing(file) as part, part.open("wb") as saved:
            np.savez(saved, *weights)
        return weights

    def _key(self) -> str:
        """Return a digest of all that pre-training depends on: the windows, the code and the options."""
        facts = hashlib.sha256(self.simulated.frames.tobytes())
        facts.update(b"" if self.backgrounds is None else self.backgrounds.frames.tobytes())
        for module in (compact, pooled_windows):
            facts.update(Path(str(module.__file__)).read_bytes())
        options = replace(self.options, steps=0, shrinkage=0.0)
        facts.update(f"{VERSION} {options} {self.preset} {self.simulated.targets.tobytes().hex()}".encode())
        return facts.hexdigest()[:24]

    def fit(self, real: PooledWindows) -> Any:
        """Return a keras.Model fitted to these recordings; the prior is not changed."""
        import keras

        learner = self._learner
        learner.model.set_weights(self.pretrained)
        keras.utils.set_random_seed(self.options.seed)
        options = self.options
        batches = mixed(real, self.simulated, self.backgrounds, options, self.spec)
        learner.learn(batches, options.steps, options.learning_rate, "fitting")
        network = self._fresh()
        network.set_weights(learner.model.get_weights())
        return network

    @cached_property
    def _learner(self) -> "_Learner":
        """Compiled once for all calls of `fit`."""
        return _Learner(self._fresh(), self.options.shrinkage, frozen=True)

    def _fresh(self) -> Any:
        import keras

        keras.utils.set_random_seed(self.options.seed)
        return networks.find(self.preset).network()


def pretrain(
    model: Any,
    simulated: PooledWindows,
    backgrounds: PooledWindows | None,
    options: FitOptions,
    spec: SpectrogramSpec,
) -> None:
    """Train the branch on simulated windows and background sound."""
    rng = np.random.default_rng([options.seed, 1])
    some = round(options.batch * options.backgrounds) if backgrounds is not None else 0
    parts = max(len(simulated) // (options.batch - some), 1)

    def batches() -> Iterator[Batch]:
        for _ in range(options.pretrain_epochs):
            for rows in np.array_split(rng.permutation(len(simulated)), parts):
                found = _joined(simulated.take(rows), _drawn(backgrounds, some, rng))
                x = change(found.frames, rng, spec, options.response_db)
                yield x, found.targets.astype(np.float32), np.zeros(len(x), np.float32)

    learner = _Learner(model, 0.0, frozen=False)
    learner.learn(batches(), options.pretrain_epochs * parts, 2 * options.learning_rate, "pre-training")


def mixed(
    real: PooledWindows,
    simulated: PooledWindows,
    backgrounds: PooledWindows | None,
    options: FitOptions,
    spec: SpectrogramSpec,
) -> Iterator[Batch]:
    """Yield batches: half recordings, half simulated windows and background sound."""
    rng = np.random.default_rng([options.seed, 2])
    half = options.batch // 2
    some = round(half * 2 * options.backgrounds) if backgrounds is not None else 0
    draw = by_site(real, rng)
    for _ in range(options.steps):
        others = _joined(simulated.take(rng.choice(len(simulated), half - some)), _drawn(backgrounds, some, rng))
        found = _joined(real.take(draw(half)), others)
        x = change(found.frames, rng, spec, options.response_db)
        yield x, found.targets.astype(np.float32), np.repeat(np.array([1, 0], np.float32), half)


def _drawn(windows: PooledWindows | None, count: int, rng: np.random.Generator) -> PooledWindows | None:
    return None if windows is None else windows.take(rng.choice(len(windows), count))


def _joined(one: PooledWindows, other: PooledWindows | None) -> PooledWindows:
    if other is None:
        return one
    return PooledWindows(*(np.concatenate(pair) for pair in zip(one.columns, other.columns, strict=True)))


def logits(model: Any, found: PooledFrames) -> Logits:
    """Return the network's logits, shape (n,)."""
    trainable = _trainable_part(model)
    parts = [found[start : start + 64, ..., None].astype(np.float32) for start in range(0, len(found), 64)]
    return np.concatenate([trainable(part, training=False)[0].numpy()[:, 0] for part in parts]).astype(np.float64)


def _trainable_part(model: Any) -> Any:
    """Return the layers after POOLING_LAYER as a model: pooled frames → (logit, the branch's logit)."""
    import keras

    return keras.Model(model.get_layer(compact.POOLING_LAYER).output, [model.output, model.get_layer("branch").output])


class _Learner:
    """A network and one compiled training step: everything but the prior is trained.

    `frozen` uses the batch normalisation found in pre-training: recordings and simulated windows have no common one,
    and the loss then sees the same logits as the finished network gives.
    """

    def __init__(self, model: Any, shrinkage: float, *, frozen: bool) -> None:
        import keras
        import tensorflow as tf

        model.get_layer("prior").trainable = False
        self.model = model
        self._optimizer = optimizer = keras.optimizers.Adam()
        optimizer.build(model.trainable_variables)
        both = _trainable_part(model)

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
        """Train on the batches with a reset optimiser; the learning rate falls from `rate` to zero along a cosine."""
        for variable in self._optimizer.variables:
            variable.assign(variable * 0)
        for number, batch in enumerate(tqdm(batches, title, steps, unit="batch", leave=False, disable=None)):
            self._optimizer.learning_rate.assign(rate * (0.5 + 0.5 * math.cos(math.pi * number / steps)))
            self._step(*batch)

"""Fitting the `statistics` network to few recordings: pre-trained on simulated sites, shrunk toward its prior.

Sixty recordings cannot train a convolutional network from nothing: alone they make it worse than one untrained
statistic. So the branch learns from simulated sites first. On recordings it may then depart from the prior only as far
as `shrinkage` lets it: its mean squared logit on recordings is a part of the loss. Simulated windows stay in every
batch, so that what they taught is kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge.spectrogram import SpectrogramSpec
from leakear.train.clips import Codes
from leakear.train.simulated import Windows

Inputs: TypeAlias = npt.NDArray[np.float32]
"""(n, rows, frames, 1) in [0, 1]"""
Logits: TypeAlias = npt.NDArray[np.float64]
"""(n,) positive = Leak"""
Batch: TypeAlias = tuple[Inputs, npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Inputs, targets (n,), and 1 where a window is a real recording (n,)."""


@dataclass(frozen=True)
class Fitting:
    """How long and how freely to learn."""

    pretrain_epochs: int = 16
    """Passes over the simulated windows."""
    steps: int = 150
    """Batches of recordings and simulated windows, half each."""
    batch: int = 32
    learning_rate: float = 1e-3
    shrinkage: float = 0.2
    """Weight of the branch's mean squared logit on recordings."""
    gain_db: tuple[float, float] = (3.0, 5.0)
    """± decibels of random gain on recordings and on simulated windows."""
    response_db: float = 2.0
    """Standard deviation of a random smooth response of the sensor."""
    seed: int = 42


def pretrain(model: Any, simulated: Windows, fitting: Fitting, spec: SpectrogramSpec) -> None:
    """Teach the branch on simulated windows."""
    rng = np.random.default_rng([fitting.seed, 1])
    parts = max(len(simulated) // fitting.batch, 1)

    def batches() -> Iterator[Batch]:
        for _ in range(fitting.pretrain_epochs):
            for rows in np.array_split(rng.permutation(len(simulated)), parts):
                x = change(simulated.codes[np.sort(rows)], rng, fitting.gain_db[1], fitting.response_db, spec)
                yield x, simulated.targets[np.sort(rows)].astype(np.float32), np.zeros(len(rows), np.float32)

    _learn(model, batches(), fitting.pretrain_epochs * parts, 2 * fitting.learning_rate, 0.0, "pre-training")


def fit(model: Any, real: Windows, simulated: Windows, fitting: Fitting, spec: SpectrogramSpec) -> None:
    """Fit the branch to recordings and simulated windows; the prior stays as it is."""
    rng = np.random.default_rng([fitting.seed, 2])
    half = fitting.batch // 2
    draw = by_site(real, rng)

    def batches() -> Iterator[Batch]:
        for _ in range(fitting.steps):
            ours, theirs = draw(half), rng.choice(len(simulated), half)
            x = [
                change(windows.codes[rows], rng, gain, fitting.response_db, spec)
                for windows, rows, gain in zip((real, simulated), (ours, theirs), fitting.gain_db, strict=True)
            ]
            targets = np.concatenate([real.targets[ours], simulated.targets[theirs]]).astype(np.float32)
            yield np.concatenate(x), targets, np.repeat(np.array([1, 0], np.float32), half)

    _learn(model, batches(), fitting.steps, fitting.learning_rate, fitting.shrinkage, "fitting")


def site_weights(targets: npt.NDArray[np.uint8], sites: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return weights (n,), sum n: both classes count alike, and within a class every site."""
    _, place, counts = np.unique(sites * 2 + targets, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[place]
    for target in (0, 1):
        mine = targets == target
        weights[mine] /= weights[mine].sum()
    return np.asarray(weights * len(targets) / weights.sum(), np.float64)


def by_site(windows: Windows, rng: np.random.Generator) -> Callable[[int], npt.NDArray[np.int64]]:
    """Return a function that draws rows: both classes alike, within a class every site alike."""
    chances = site_weights(windows.targets, windows.sites)
    chances /= chances.sum()
    return lambda count: rng.choice(len(windows), count, p=chances)


def change(codes: Codes, rng: np.random.Generator, gain_db: float, response_db: float, spec: SpectrogramSpec) -> Inputs:
    """Return windows changed at random: gain, a smooth response of the sensor, time rotated or reversed."""
    rows = codes.shape[1]
    knots = np.linspace(0, rows - 1, 6)
    drawn = rng.normal(0, response_db, (len(codes), 6)) + rng.uniform(-gain_db, gain_db, (len(codes), 1))
    response = np.stack([np.interp(np.arange(rows), knots, line) for line in drawn])
    x = codes.astype(np.float32) / 255 + (response / -spec.floor)[:, :, None].astype(np.float32)
    turned: Inputs = np.roll(x, int(rng.integers(codes.shape[2])), axis=2)
    turned = turned[:, :, ::-1] if rng.random() < 0.5 else turned
    return np.clip(turned, 0, 1, dtype=np.float32)[..., None]


def outputs(model: Any, codes: Codes, names: tuple[str, ...], batch: int = 64) -> list[npt.NDArray[np.float32]]:
    """Return what layers of these names give, each of shape (n, …)."""
    import keras

    inner = keras.Model(model.input, [model.get_layer(name).output for name in names])
    parts = []
    for start in range(0, len(codes), batch):
        found = inner(codes[start : start + batch, ..., None].astype(np.float32) / 255, training=False)
        parts.append([part.numpy() for part in (found if isinstance(found, list | tuple) else [found])])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def logits(model: Any, codes: Codes) -> Logits:
    """Return the network's logits, shape (n,)."""
    return outputs(model, codes, (model.layers[-1].name,))[0][:, 0].astype(np.float64)


def _learn(
    model: Any, batches: Iterator[Batch], steps: int, learning_rate: float, shrinkage: float, title: str
) -> None:
    """Train everything but the prior, the learning rate falling along a cosine."""
    import keras
    import tensorflow as tf

    model.get_layer("prior").trainable = False
    both = keras.Model(model.input, [model.output, model.get_layer("branch").output])
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps))
    optimizer.build(model.trainable_variables)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(x: Any, targets: Any, real: Any) -> Any:
        with tf.GradientTape() as tape:
            logit, branch = both(x, training=True)
            entropy = tf.nn.sigmoid_cross_entropy_with_logits(targets, logit[:, 0])
            departure = tf.reduce_sum(real * branch[:, 0] ** 2) / (tf.reduce_sum(real) + 1e-6)
            loss = tf.reduce_mean(entropy) + shrinkage * departure
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    for batch in tqdm(batches, title, steps, unit="batch", leave=False, disable=None):
        step(*batch)

"""Networks as detectors for cross-validation."""

from typing import Any

import numpy as np

from leakear.train.evaluation.baselines import Detector, Judged, Remembered, Table, untrained
from leakear.train.evaluation.metrics import Floats, Rows
from leakear.train.networks import presets
from leakear.train.networks.presets import Preset
from leakear.train.training import pretraining
from leakear.train.training.pooled_windows import Lessons, moments, site_weights
from leakear.train.training.pretraining import Teacher


def taught(teacher: Teacher) -> Detector:
    """Return the factory model's recipe: pre-trained on simulated sites, fitted with shrinkage."""
    known = Remembered(lambda whole: moments(whole.real.windows.codes))

    def judge(whole: Table, train: Rows, test: Rows) -> Judged:
        lessons = Lessons(known(whole), whole.real.windows.targets, whole.real.windows.sites)
        network = teacher.fitted(lessons.take(whole.real.rows(train, copies=True)))
        logits = pretraining.logits(network, lessons.moments[whole.real.rows(test, copies=False)])
        return Judged(logits, logits)

    return judge


def prior(preset: Preset) -> Detector:
    """Return the network before any training: its built-in statistic, of which only the threshold is fitted."""
    network = presets.build(preset)

    def compute(whole: Table) -> Floats:
        rows = whole.real.rows(np.arange(len(whole.real.recordings)), copies=False)
        score = np.full(len(whole.real.file), np.nan)
        score[rows] = pretraining.logits(network, moments(whole.real.windows.codes[rows]))
        return score

    known = Remembered(compute)

    def judge(whole: Table, train: Rows, test: Rows) -> Judged:
        return untrained(known(whole), whole, train, test)

    return judge


def scratch(preset: Preset, epochs: int, seed: int) -> Detector:
    """Return a network trained on the recordings alone, for a number of epochs that nobody chose by looking."""

    def judge(whole: Table, train: Rows, test: Rows) -> Judged:
        import keras

        keras.utils.set_random_seed(seed)
        network = presets.build(preset)
        network.compile(keras.optimizers.Adam(preset.learning_rate), keras.losses.BinaryCrossentropy(from_logits=True))
        ours, theirs = whole.real.rows(train, copies=True), whole.real.rows(test, copies=False)
        targets = whole.real.windows.targets[ours]
        weights = site_weights(targets, whole.real.windows.sites[ours])
        wanted = targets[:, None].astype(np.float32)
        network.fit(_inputs(whole, ours), wanted, preset.batch_size, epochs, sample_weight=weights, verbose=0)
        logits = network.predict(_inputs(whole, theirs), verbose=0)[:, 0].astype(np.float64)
        return Judged(logits, logits)

    return judge


def _inputs(whole: Table, rows: Rows) -> Any:
    return whole.real.windows.codes[rows][..., None].astype(np.float32) / 255

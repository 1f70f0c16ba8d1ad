"""Networks as detectors for cross-validation."""

from typing import Any

import numpy as np

from leakear.train.evaluation.baselines import ComputedOnce, Detector, Scores, Table, untrained
from leakear.train.evaluation.metrics import Floats, Rows
from leakear.train.networks import Preset
from leakear.train.training import pretraining
from leakear.train.training.pooled_windows import PooledWindows, pool, site_weights
from leakear.train.training.pretraining import PretrainedFit


def pretrained(fit: PretrainedFit) -> Detector:
    """Return the factory model's method: pre-trained on simulated sites, then fitted with shrinkage."""
    known = ComputedOnce(lambda table: pool(table.real.windows.codes))

    def score_files(table: Table, train: Rows, test: Rows) -> Scores:
        windows = PooledWindows(known(table), table.real.windows.targets, table.real.windows.sites)
        network = fit.fit(windows.take(table.real.rows(train, copies=True)))
        logits = pretraining.logits(network, windows.frames[table.real.rows(test, copies=False)])
        return Scores(logits, logits)

    return score_files


def prior(preset: Preset) -> Detector:
    """Return the untrained network, which equals its built-in statistic; only the threshold is fitted."""
    network = preset.network()

    def compute(table: Table) -> Floats:
        rows = table.real.rows(np.arange(len(table.real.recordings)), copies=False)
        score = np.full(len(table.real.file), np.nan)
        score[rows] = pretraining.logits(network, pool(table.real.windows.codes[rows]))
        return score

    known = ComputedOnce(compute)

    def score_files(table: Table, train: Rows, test: Rows) -> Scores:
        return untrained(known(table), table, train, test)

    return score_files


def scratch(preset: Preset, epochs: int, seed: int) -> Detector:
    """Return a network trained on the recordings alone, for a fixed number of epochs."""

    def score_files(table: Table, train: Rows, test: Rows) -> Scores:
        import keras

        keras.utils.set_random_seed(seed)
        network = preset.network()
        network.compile(keras.optimizers.Adam(preset.learning_rate), keras.losses.BinaryCrossentropy(from_logits=True))
        ours, theirs = table.real.rows(train, copies=True), table.real.rows(test, copies=False)
        targets = table.real.windows.targets[ours]
        weights = site_weights(targets, table.real.windows.sites[ours])
        wanted = targets[:, None].astype(np.float32)
        network.fit(_inputs(table, ours), wanted, preset.batch_size, epochs, sample_weight=weights, verbose=0)
        logits = network.predict(_inputs(table, theirs), verbose=0)[:, 0].astype(np.float64)
        return Scores(logits, logits)

    return score_files


def _inputs(table: Table, rows: Rows) -> Any:
    return table.real.windows.codes[rows][..., None].astype(np.float32) / 255

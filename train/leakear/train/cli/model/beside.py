"""Simple detectors that `leakear-train background` scores beside a model, to tell whether the network is better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from leakear.edge.errors import InputDataError
from leakear.edge.spec import Decibels, SpectrogramSpec
from leakear.train import networks, stderr_filter
from leakear.train.data import augmentation, background_windows, dataset
from leakear.train.data.clips import Codes, Recipe, clips, encode
from leakear.train.evaluation import baselines
from leakear.train.training.pooled_windows import site_weights

if TYPE_CHECKING:
    from leakear.train.data.dataset import Recording
    from leakear.train.evaluation.metrics import Floats

STATISTIC = "statistic"
LINEAR = {"steady": baselines.steady, "bands": baselines.log_bands, "rich": baselines.rich}
NAMES = (STATISTIC, *LINEAR)
STRENGTH = 0.01
"""C of the linear models, as in `crossval`."""
Scorer: TypeAlias = Callable[[Decibels], float]
"""Spectrogram (rows, frames), dB → a score that grows with the chance of a leak."""


def scorers(
    names: Sequence[str],
    spec: SpectrogramSpec,
    training: Sequence[Recording],
    sounds: Path | None,
    cache: Path,
) -> dict[str, Scorer]:
    """Return the detectors of these names. `training`: recordings for the linear models.

    `sounds`: ESC-10 or another folder whose training part is also a linear model's NoLeak, as it is the network's.
    Raises InputDataError when there is nothing to train on.
    """
    found: dict[str, Scorer] = {}
    if STATISTIC in names:
        found[STATISTIC] = _statistic(spec)
    wanted = [name for name in LINEAR if name in names]
    if not wanted:
        return found
    if not training:
        raise InputDataError(
            f"{wanted[0]} is trained on the recordings of other folds: say with --fold which ones judge"
        )
    dataset.require_classes(training, "the part outside --fold")
    codes, targets, sites = _windows(training, spec)
    for name in wanted:
        found[name] = _linear(name, spec, codes, targets, sites)
    if sounds is not None:
        more = background_windows.windows(augmentation.divided(sounds)[0], spec, cache)
        codes = np.concatenate([codes, more.codes])
        targets, sites = np.concatenate([targets, more.targets]), np.concatenate([sites, -1 - more.sites])
        found |= {f"{name}+sounds": _linear(name, spec, codes, targets, sites) for name in wanted}
    return found


def _statistic(spec: SpectrogramSpec) -> Scorer:
    """Return the network's statistic, untrained."""
    stderr_filter.load_tensorflow()
    from leakear.train.training import pretraining
    from leakear.train.training.pooled_windows import pool

    preset = networks.find("compact")
    if spec != preset.spec:
        raise InputDataError("the statistic needs the spectrogram of preset compact: this model has another one")
    network = preset.network()
    return lambda decibels: float(pretraining.logits(network, pool(encode(decibels, spec)[None]))[0])


def _windows(training: Sequence[Recording], spec: SpectrogramSpec) -> tuple[Codes, Any, Any]:
    """Return codes, labels and numbers of sites of all windows."""
    names = dataset.groups(training)
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    found = [
        (clip.codes, recording.target, numbers[name])
        for recording, name in zip(training, names, strict=True)
        for clip in clips(recording, Recipe(spec))
    ]
    codes, targets, sites = zip(*found, strict=True)
    return np.stack(codes), np.array(targets, np.uint8), np.array(sites, np.int64)


def _linear(name: str, spec: SpectrogramSpec, codes: Codes, targets: Any, sites: Any) -> Scorer:
    features = LINEAR[name]

    def numbers(some: Codes) -> Floats:
        return features(some[None].astype(np.float64) * (-spec.floor / 255) + spec.floor)

    fitted: Any = baselines.logistic(STRENGTH)
    weights = site_weights(targets, sites)
    fitted.fit(np.concatenate([numbers(one) for one in codes]), targets, clf__sample_weight=weights)
    return lambda decibels: float(fitted.decision_function(numbers(encode(decibels, spec)))[0])

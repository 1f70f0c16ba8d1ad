"""What a network has to beat: levels that need no training, and scikit-learn on spectra, under the same protocol.

A detector takes windows and which recordings train; it gives every window a score. Its probabilities come from what it
was fitted to, never from the recordings it judges.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from leakear.edge.spec import SpectrogramSpec
from leakear.train.data import clips
from leakear.train.data.real_windows import Real
from leakear.train.evaluation.metrics import Floats, Rows
from leakear.train.training.pooled_windows import site_weights

T = TypeVar("T")
LEVEL_S = 0.125
"""Seconds over which a logger takes one level."""
SCALE_DB = 20.0
"""RMS, in dB under full scale, that every window is brought to where level is taken away."""


@dataclass(frozen=True)
class Table:
    """Everything detectors may look at."""

    real: Real
    spec: SpectrogramSpec
    dbmin: Floats
    """(n,) dBFS; NaN for changed copies: only recordings themselves are judged by it."""
    rms: Floats
    """(n,) dBFS"""

    def decibels(self, rows: Rows) -> Floats:
        """Return spectrograms, shape (k, rows, frames), dB."""
        codes = self.real.windows.codes[rows].astype(np.float64)
        return np.asarray(codes * (-self.spec.floor / 255) + self.spec.floor)


@dataclass(frozen=True)
class Judged:
    """What a detector says of rows."""

    scores: Floats
    """(k,) higher is more like a leak; for ranking"""
    logits: Floats
    """(k,) above 0 it says Leak"""


Detector: TypeAlias = Callable[[Table, Rows, Rows], Judged]
"""(everything, files that train, files that are judged) → scores of the judged files' original windows."""


class Remembered(Generic[T]):
    """What is the same for all folds of one table, worked out once."""

    def __init__(self, compute: Callable[[Table], T]) -> None:
        self._compute = compute
        self._last: tuple[Any, T] | None = None

    def __call__(self, whole: Table) -> T:
        """Return it for this table's windows."""
        codes = whole.real.windows.codes
        if self._last is None or self._last[0] is not codes:
            self._last = codes, self._compute(whole)
        return self._last[1]


def table(real: Real, spec: SpectrogramSpec) -> Table:
    """Take the levels of every recording."""
    dbmin, rms = np.full((2, len(real.file)), np.nan)
    for number, recording in enumerate(real.recordings):
        rows = real.rows(np.array([number]), copies=False)
        for row, sound in zip(rows, clips.windows(recording.path, spec), strict=True):
            levels = _levels(sound, spec)
            dbmin[row] = np.percentile(levels, 5)
            rms[row] = 10 * np.log10(np.mean(10 ** (levels / 10)))
    return Table(real, spec, dbmin, rms)


def without_level(whole: Table) -> Table:
    """Bring every window to the same RMS in the band: a gain that nobody calibrated then says nothing."""
    rows = np.arange(len(whole.real.file))
    found = [whole.decibels(rows[at : at + 64]) for at in range(0, len(rows), 64)]
    shift = np.concatenate([-SCALE_DB - 10 * np.log10(_power(part).mean(axis=1)) for part in found])
    step = np.rint(shift * 255 / -whole.spec.floor).astype(np.int16)
    codes = np.clip(whole.real.windows.codes.astype(np.int16) + step[:, None, None], 0, 255).astype(np.uint8)
    windows = replace(whole.real.windows, codes=codes)
    return Table(replace(whole.real, windows=windows), whole.spec, whole.dbmin - whole.rms, whole.rms * 0)


def _levels(sound: Any, spec: SpectrogramSpec) -> Floats:
    """Levels of 125 ms within the band, dBFS."""
    import scipy.fft

    low, high = spec.band_hz or (0.0, spec.sample_rate / 2)
    spectrum = scipy.fft.rfft(sound.astype(np.float64))
    hz = scipy.fft.rfftfreq(len(sound), 1 / spec.sample_rate)
    heard = scipy.fft.irfft(np.where((hz >= low) & (hz <= high), spectrum, 0), len(sound))
    size = round(LEVEL_S * spec.sample_rate)
    blocks = heard[: len(heard) // size * size].reshape(-1, size)
    return np.asarray(10 * np.log10(np.mean(blocks**2, axis=1) + 1e-12))


def _power(decibels: Floats) -> Floats:
    """Sum the power over frequency, (k, frames)."""
    return np.asarray((10 ** (decibels / 10)).sum(axis=1))


def log_bands(decibels: Floats, count: int = 40) -> Floats:
    """Average over bands even on a logarithmic scale and over time, (k, count); narrow low bands repeat a row."""
    return np.asarray(np.stack([part.mean(axis=(1, 2)) for part in _bands(decibels, count)], axis=1))


def rich(decibels: Floats) -> Floats:
    """10/50/90th percentiles over time of 16 log bands, level, how steady it is, and how peaked its spectrum."""
    bands = np.stack([part.mean(axis=1) for part in _bands(decibels, 16)], axis=1)
    spectra = np.percentile(bands, [10, 50, 90], axis=2)
    level = 10 * np.log10(_power(decibels))
    quiet, loud = np.percentile(level, [5, 95], axis=1)
    peaked = decibels.mean(axis=2).max(axis=1) - decibels.mean(axis=(1, 2))
    return np.asarray(np.column_stack([*spectra, level.mean(axis=1), quiet, loud - quiet, peaked]))


def _bands(decibels: Floats, count: int) -> list[Floats]:
    rows = decibels.shape[1]
    edges = np.geomspace(1, rows, count + 1)
    return [decibels[:, int(low) - 1 : max(int(high), int(low))] for low, high in pairwise(edges)]


def level_detector(column: str) -> Detector:
    """Return a detector that ranks by a level as it is; only its threshold is fitted."""

    def judge(whole: Table, train: Rows, test: Rows) -> Judged:
        level: Floats = getattr(whole, column)
        return untrained(level, whole, train, test)

    return judge


def untrained(score: Floats, whole: Table, train: Rows, test: Rows) -> Judged:
    """Rank by a score (n,) as it is; a logistic curve on the training files sets the threshold."""
    ours, theirs = (whole.real.rows(files, copies=False) for files in (train, test))
    curve = _logistic(1.0)
    curve.fit(score[ours, None], whole.real.windows.targets[ours], clf__sample_weight=_weights(whole, ours))
    return Judged(score[theirs], curve.decision_function(score[theirs, None]))


def sklearn_detector(features: Callable[[Floats], Floats], make: Callable[[], Any]) -> Detector:
    """Return a detector that fits a scikit-learn pipeline (last step `clf`) on features of spectrograms."""

    def compute(whole: Table) -> dict[int, Floats]:
        rows = whole.real.rows(np.arange(len(whole.real.recordings)), copies=False)
        return {int(row): features(whole.decibels(np.array([row])))[0] for row in rows}

    known = Remembered(compute)

    def judge(whole: Table, train: Rows, test: Rows) -> Judged:
        ours, theirs = (whole.real.rows(files, copies=False) for files in (train, test))
        found = known(whole)
        fitted = make()
        targets = whole.real.windows.targets[ours]
        fitted.fit(np.stack([found[row] for row in ours]), targets, clf__sample_weight=_weights(whole, ours))
        chance = np.clip(fitted.predict_proba(np.stack([found[row] for row in theirs]))[:, 1], 1e-6, 1 - 1e-6)
        logit = np.log(chance / (1 - chance))
        return Judged(logit, logit)

    return judge


def _weights(whole: Table, rows: Rows) -> Floats:
    return site_weights(whole.real.windows.targets[rows], whole.real.windows.sites[rows])


def _logistic(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression(C=strength, max_iter=5000))])


def _trees() -> Any:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.pipeline import Pipeline

    return Pipeline(
        [("clf", ExtraTreesClassifier(500, min_samples_leaf=2, max_features=0.3, random_state=0, n_jobs=1))]
    )


BASELINES: Mapping[str, tuple[str, Detector]] = MappingProxyType(
    {
        "dbmin": ("dBmin: 5th percentile of the 125 ms level, untrained", level_detector("dbmin")),
        "rms": ("RMS level, untrained", level_detector("rms")),
        "bands": ("logistic regression, 40 mean log bands", sklearn_detector(log_bands, lambda: _logistic(0.01))),
        "rich": ("logistic regression, richer statistics", sklearn_detector(rich, lambda: _logistic(0.01))),
        "trees": ("extra trees, richer statistics", sklearn_detector(rich, _trees)),
    }
)
"""name → (what it is, detector)"""

"""Baselines for networks: untrained levels, and scikit-learn classifiers on spectra.

A detector is a function: it is trained on some recordings and returns scores of the windows of others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from tqdm import tqdm

from leakear.edge.spec import SpectrogramSpec
from leakear.train.data import clips
from leakear.train.data.real_windows import RealWindows
from leakear.train.evaluation.metrics import Floats, Rows
from leakear.train.training.pooled_windows import site_weights

T = TypeVar("T")
LEVEL_S = 0.125
"""Length of one level measurement of a noise logger, seconds."""


@dataclass(frozen=True)
class Table:
    """Windows and their levels: the input of all detectors."""

    real: RealWindows
    spec: SpectrogramSpec
    dbmin: Floats
    """(n,) 5th percentile of the level, dBFS; NaN for changed copies"""
    rms: Floats
    """(n,) RMS level, dBFS; NaN for changed copies"""

    def decibels(self, rows: Rows) -> Floats:
        """Return spectrograms, shape (k, rows, frames), dB."""
        codes = self.real.windows.codes[rows].astype(np.float64)
        return np.asarray(codes * (-self.spec.floor / 255) + self.spec.floor)


@dataclass(frozen=True)
class Scores:
    """A detector's results for k windows."""

    scores: Floats
    """(k,) higher means more likely a leak; for ranking"""
    logits: Floats
    """(k,) above 0 means Leak"""


Detector: TypeAlias = Callable[[Table, Rows, Rows], Scores]
"""(table, training files, test files) → scores of the test files' original windows."""


class ComputedOnce(Generic[T]):
    """A value that is the same for all folds of one table, computed once."""

    def __init__(self, compute: Callable[[Table], T]) -> None:
        self._compute = compute
        self._last: tuple[Any, T] | None = None

    def __call__(self, table: Table) -> T:
        """Return the value for this table."""
        codes = table.real.windows.codes
        if self._last is None or self._last[0] is not codes:
            self._last = codes, self._compute(table)
        return self._last[1]


def measure(real: RealWindows, spec: SpectrogramSpec) -> Table:
    """Compute the levels of every recording's windows."""
    dbmin, rms = np.full((2, len(real.file)), np.nan)
    for number, recording in enumerate(tqdm(real.recordings, "levels", unit="file", leave=False, disable=None)):
        rows = real.rows(np.array([number]), copies=False)
        for row, sound in zip(rows, clips.windows(recording.path, spec), strict=True):
            levels = _levels(sound, spec)
            dbmin[row] = np.percentile(levels, 5)
            rms[row] = 10 * np.log10(np.mean(10 ** (levels / 10)))
    return Table(real, spec, dbmin, rms)


def _levels(sound: Any, spec: SpectrogramSpec) -> Floats:
    """Return the level of each LEVEL_S within the band, dBFS."""
    import scipy.fft

    low, high = spec.band_hz or (0.0, spec.sample_rate / 2)
    spectrum = scipy.fft.rfft(sound.astype(np.float64))
    hz = scipy.fft.rfftfreq(len(sound), 1 / spec.sample_rate)
    filtered = scipy.fft.irfft(np.where((hz >= low) & (hz <= high), spectrum, 0), len(sound))
    size = round(LEVEL_S * spec.sample_rate)
    blocks = filtered[: len(filtered) // size * size].reshape(-1, size)
    return np.asarray(10 * np.log10(np.mean(blocks**2, axis=1) + 1e-12))


def _power(decibels: Floats) -> Floats:
    """Sum the power over frequency, (k, frames)."""
    return np.asarray((10 ** (decibels / 10)).sum(axis=1))


def log_bands(decibels: Floats, count: int = 40) -> Floats:
    """Average over logarithmic bands and over time, (k, count); bands narrower than a row use one row."""
    return np.asarray(np.stack([part.mean(axis=(1, 2)) for part in _bands(decibels, count)], axis=1))


def rich(decibels: Floats) -> Floats:
    """Return 10/50/90th percentiles over time of 16 log bands, level, its range, and spectral peak over mean."""
    bands = np.stack([part.mean(axis=1) for part in _bands(decibels, 16)], axis=1)
    spectra = np.percentile(bands, [10, 50, 90], axis=2)
    level = 10 * np.log10(_power(decibels))
    quiet, loud = np.percentile(level, [5, 95], axis=1)
    peaked = decibels.mean(axis=2).max(axis=1) - decibels.mean(axis=(1, 2))
    return np.asarray(np.column_stack([*spectra, level.mean(axis=1), quiet, loud - quiet, peaked]))


def steady(decibels: Floats) -> Floats:
    """Return what no gain changes, (k, 4).

    Deviation of the level over time; the same of 16 bands above 300 Hz; lowest level above 300 Hz over the mean level;
    spectral centroid.
    """
    rows = np.arange(decibels.shape[1])
    upper = decibels[:, rows >= len(rows) // 6]
    relative = decibels.mean(axis=2) - decibels.mean(axis=(1, 2))[:, None]
    power = 10 ** (relative / 10)
    return np.asarray(
        np.column_stack(
            [
                decibels.mean(axis=1).std(axis=1),
                np.mean([part.mean(axis=1).std(axis=1) for part in np.array_split(upper, 16, axis=1)], axis=0),
                upper.mean(axis=1).min(axis=1) - decibels.mean(axis=(1, 2)),
                (power * rows).sum(axis=1) / power.sum(axis=1),
            ]
        )
    )


def _bands(decibels: Floats, count: int) -> list[Floats]:
    rows = decibels.shape[1]
    edges = np.geomspace(1, rows, count + 1)
    return [decibels[:, int(low) - 1 : max(int(high), int(low))] for low, high in pairwise(edges)]


def level_detector(column: str) -> Detector:
    """Return a detector that uses a level of the table as its score; only its threshold is fitted."""

    def score_files(table: Table, train: Rows, test: Rows) -> Scores:
        level: Floats = getattr(table, column)
        return untrained(level, table, train, test)

    return score_files


def untrained(score: Floats, table: Table, train: Rows, test: Rows) -> Scores:
    """Use score (n,) unchanged; logistic regression on the training files sets the threshold."""
    ours, theirs = (table.real.rows(files, copies=False) for files in (train, test))
    curve = logistic(1.0)
    curve.fit(score[ours, None], table.real.windows.targets[ours], clf__sample_weight=weights(table, ours))
    return Scores(score[theirs], curve.decision_function(score[theirs, None]))


def sklearn_detector(features: Callable[[Floats], Floats], make: Callable[[], Any]) -> Detector:
    """Return a detector that fits a scikit-learn pipeline (last step `clf`) on features of spectrograms."""

    def compute(table: Table) -> dict[int, Floats]:
        rows = table.real.rows(np.arange(len(table.real.recordings)), copies=False)
        return {int(row): features(table.decibels(np.array([row])))[0] for row in rows}

    known = ComputedOnce(compute)

    def score_files(table: Table, train: Rows, test: Rows) -> Scores:
        ours, theirs = (table.real.rows(files, copies=False) for files in (train, test))
        found = known(table)
        fitted = make()
        targets = table.real.windows.targets[ours]
        fitted.fit(np.stack([found[row] for row in ours]), targets, clf__sample_weight=weights(table, ours))
        chance = np.clip(fitted.predict_proba(np.stack([found[row] for row in theirs]))[:, 1], 1e-6, 1 - 1e-6)
        logit = np.log(chance / (1 - chance))
        return Scores(logit, logit)

    return score_files


def weights(table: Table, rows: Rows) -> Floats:
    """Return the weights of these rows: both classes count equally, and within a class every site does."""
    return site_weights(table.real.windows.targets[rows], table.real.windows.sites[rows])


def logistic(strength: float) -> Any:
    """Return an unfitted logistic regression on standardised numbers; a small strength keeps it close to zero."""
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
        "steady": ("logistic regression, steadiness and balance", sklearn_detector(steady, lambda: logistic(0.01))),
        "bands": ("logistic regression, 40 mean log bands", sklearn_detector(log_bands, lambda: logistic(0.01))),
        "rich": ("logistic regression, richer statistics", sklearn_detector(rich, lambda: logistic(0.01))),
        "trees": ("extra trees, richer statistics", sklearn_detector(rich, _trees)),
    }
)
"""name → (description, detector)"""

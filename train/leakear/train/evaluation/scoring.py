"""Figures of a network on held-out recordings: per window, per file and per site, and the calibration temperature."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from leakear.train.data.dataset import Recording
from leakear.train.data.features import FeatureSet
from leakear.train.runfolder import LABELS

Floats: TypeAlias = npt.NDArray[np.float64]
Targets: TypeAlias = npt.NDArray[np.uint8]
TEMPERATURES = (0.25, 8.0)
"""Limits of the calibration temperature: with few recordings the fit may give extreme values."""
THRESHOLDS = (0.2, 0.95)
"""Limits of a threshold that is set on held-out recordings, for the same reason."""


@dataclass(frozen=True)
class Scores:
    """Logits of windows, with their labels and recordings."""

    logits: Floats
    """(n,)"""
    targets: Targets
    """(n,) 1 = Leak"""
    recordings: tuple[Recording, ...]
    """(n,) the recording of each window"""
    windows: npt.NDArray[np.int32]
    """(n,) number of the window in its recording"""
    temperature: float = 1.0

    @classmethod
    def of(cls, features: FeatureSet, logits: npt.NDArray[np.float32], temperature: float = 1.0) -> "Scores":
        """Combine logits, shape (n,), with the labels and recordings of their windows."""
        recordings = tuple(features.recordings[index] for index in features.recording)
        return cls(logits.astype(np.float64), features.targets, recordings, features.window, temperature)

    @property
    def probabilities(self) -> Floats:
        """(n,) P(Leak), calibrated."""
        scaled: Floats = 1 / (1 + np.exp(-self.logits / self.temperature))
        return scaled

    def files(self) -> "Scores":
        """Return scores of recordings: the mean logit of each recording's windows."""
        rows = defaultdict(list)
        for index, recording in enumerate(self.recordings):
            rows[recording.name].append(index)
        first = [indices[0] for indices in rows.values()]
        return Scores(
            np.array([self.logits[indices].mean() for indices in rows.values()]),
            self.targets[first],
            tuple(self.recordings[index] for index in first),
            np.zeros(len(first), np.int32),
            self.temperature,
        )


def calibrate(logits: Floats, targets: Targets) -> float:
    """Return the temperature that maximises the likelihood of sigmoid(logit / temperature), within TEMPERATURES."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - scaled * targets))

    return float(np.exp(minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded").x))


def threshold(scores: Scores) -> float:
    """Return the P(Leak) at which these windows are judged best (balanced accuracy), within THRESHOLDS.

    Of all such values the middle of the widest range.
    """
    chances, targets = scores.probabilities, scores.targets
    edges = np.concatenate([[0.0], np.unique(chances), [1.0]])
    between = (edges[:-1] + edges[1:]) / 2
    alarms = chances[None, :] >= between[:, None]
    right = [(alarms[:, targets == target] == target).mean(axis=1) for target in (0, 1) if (targets == target).any()]
    quality = np.mean(right, axis=0)
    best = np.flatnonzero(quality > quality.max() - 1e-9)
    widest = best[np.argmax((edges[1:] - edges[:-1])[best])]
    return float(np.clip(between[widest], *THRESHOLDS))


def calibration_error(probabilities: Floats, targets: Targets, bins: int = 10) -> float:
    """Return the expected calibration error: mean |confidence − frequency| over bins, weighed by their size."""
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [abs(probabilities[place == b].sum() - targets[place == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(targets))


def metrics(scores: Scores, threshold: float = 0.5) -> dict[str, Any]:
    """Return figures for windows and for files; AUC is absent when there is only one class."""
    from sklearn.metrics import roc_auc_score

    found: dict[str, Any] = {}
    for unit, part in (("windows", scores), ("files", scores.files())):
        right = (part.probabilities >= threshold) == part.targets
        rates = [float(right[part.targets == target].mean()) for target in (0, 1) if (part.targets == target).any()]
        found[unit] = {
            "count": len(part.targets),
            "accuracy": float(right.mean()),
            "balanced_accuracy": float(np.mean(rates)),
            "calibration_error": calibration_error(part.probabilities, part.targets),
        }
        if len(rates) == len(LABELS):
            found[unit]["auc"] = float(roc_auc_score(part.targets, part.logits))
    return found


def classification_report(scores: Scores, threshold: float = 0.5, judged: str = "held-out") -> str:
    """Return scikit-learn's table for windows and for files. `judged`: of `RunInfo`."""
    from sklearn.metrics import classification_report as table

    parts = []
    for unit, part in (("windows", scores), ("files", scores.files())):
        predicted = (part.probabilities >= threshold).astype(int)
        text = table(part.targets, predicted, labels=[0, 1], target_names=list(LABELS), zero_division=0)
        parts.append(f"{len(part.targets)} {judged} {unit}, Leak from P = {threshold:.2f}\n\n{text}")
    return "\n".join(parts)


def sites(scores: Scores, threshold: float = 0.5) -> list[dict[str, Any]]:
    """Return one entry per site: files, correctly classified files, mean P(Leak)."""
    part = scores.files()
    rows = defaultdict(list)
    for index, recording in enumerate(part.recordings):
        rows[recording.site or "(unknown)", recording.label].append(index)
    right = (part.probabilities >= threshold) == part.targets
    return [
        {
            "site": site,
            "label": label,
            "files": len(indices),
            "right": int(right[indices].sum()),
            "probability": float(part.probabilities[indices].mean()),
        }
        for (site, label), indices in sorted(rows.items())
    ]


def write_csv(path: Path, scores: Scores) -> None:
    """Write one line per window."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "site", "label", "window", "logit", "probability"])
        rows: Sequence[Any] = (scores.recordings, scores.windows, scores.logits, scores.probabilities)
        for recording, window, logit, probability in zip(*rows, strict=True):
            writer.writerow(
                [recording.name, recording.site, recording.label, window, f"{logit:.6f}", f"{probability:.6f}"]
            )

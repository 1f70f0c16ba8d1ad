"""A model trained on a person's recordings beside the factory model, on the same held-out recordings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from leakear.edge.errors import InputDataError
from leakear.edge.model.tflite import FACTORY, Model
from leakear.edge.spectrogram import spectrogram
from leakear.train.data import clips
from leakear.train.data.dataset import Recording
from leakear.train.evaluation import metrics
from leakear.train.evaluation.scoring import Scores

FEW = 20
"""Held-out recordings below which the sentence says that they are few."""
NOTHING_HELD_OUT = (
    "Nothing was held out: no figure can be given, and whether yours is better than the factory model is unknown. "
    "Record leaks and quiet at another place or on another day and give them with --hold-out FOLDER."
)


@dataclass(frozen=True)
class Row:
    """One model on the held-out recordings."""

    model: str
    """`yours` or `factory`."""
    balanced_accuracy: float
    """Of recordings, at the model's own threshold."""
    auc: float
    leaks_found: int
    false_alarms: int
    right: int


@dataclass(frozen=True)
class Comparison:
    """Both models on the same recordings."""

    leaks: int
    others: int
    """Held-out recordings without a leak."""
    rows: tuple[Row, ...]
    deploy: str
    """`yours` or `factory`."""
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object `comparison` in the metrics of `run.json`."""
        return asdict(self)

    def text(self) -> str:
        """Return table and sentence for people, as Markdown."""
        return text(self.to_json())


def text(said: dict[str, Any]) -> str:
    """Return table and sentence of a comparison's JSON object."""
    count = said["leaks"] + said["others"]
    lines = [
        f"| {count} held-out recordings | balanced accuracy | AUC | leaks found | false alarms |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['model']} | {row['balanced_accuracy']:.3f} | {row['auc']:.3f} | "
        f"{row['leaks_found']} of {said['leaks']} | {row['false_alarms']} of {said['others']} |"
        for row in said["rows"]
    ]
    return "\n".join([*lines, "", said["sentence"]])


def compare(ours: Scores, threshold: float, factory: Model | None = None) -> Comparison:
    """Compare scores of held-out windows with the factory model's. `threshold`: of P(Leak)."""
    model = Model.load(FACTORY) if factory is None else factory
    part = ours.files()
    heard = tqdm(part.recordings, "factory model", unit="file", leave=False, disable=None)
    chances = np.array([factory_score(recording, model) for recording in heard])
    heard = np.isfinite(chances)
    targets = part.targets[heard]
    rows = (
        _row("yours", part.probabilities[heard], targets, threshold),
        _row("factory", chances[heard], targets, model.info.threshold),
    )
    deploy = "yours" if (rows[0].right, rows[0].auc) > (rows[1].right, rows[1].auc) else "factory"
    leaks = int(targets.sum())
    return Comparison(leaks, len(targets) - leaks, rows, deploy, _sentence(rows, deploy, len(targets)))


def factory_score(recording: Recording, model: Model) -> float:
    """Return P(Leak) of a recording by a model file, from the mean logit of its windows; NaN when it has none."""
    spec = model.info.spec
    try:
        found = [model.score(spectrogram(window, spec)) for window in clips.windows(recording.path, spec)]
    except InputDataError:
        return float("nan")
    chances = np.clip(found, 1e-6, 1 - 1e-6)
    return float(1 / (1 + np.exp(-np.mean(np.log(chances / (1 - chances))))))


def _row(name: str, chances: metrics.Floats, targets: metrics.Targets, threshold: float) -> Row:
    alarm = chances >= threshold
    found, false = int(alarm[targets == 1].sum()), int(alarm[targets == 0].sum())
    leaks = int(targets.sum())
    others = len(targets) - leaks
    shares = [found / leaks] if leaks else []
    shares += [1 - false / others] if others else []
    return Row(name, float(np.mean(shares)), metrics.auc(chances, targets), found, false, found + others - false)


def _sentence(rows: Sequence[Row], deploy: str, count: int) -> str:
    ours, theirs = rows
    said = f"Deploy {'your model' if deploy == 'yours' else 'the factory model'}: "
    if ours.right == theirs.right:
        said += f"both judge {ours.right} of {count} held-out recordings correctly"
        said += ", and yours ranks them better." if deploy == "yours" else ", and the factory model knows more places."
    else:
        said += f"yours judges {ours.right} of {count} held-out recordings correctly, the factory model {theirs.right}."
    if count < FEW:
        said += f" {count} recordings are few: one more or less changes this."
    return said
